// A list of rows of one height of which only the visible ones exist, for thousands of rows that change many times a second.

import { h } from "./lib.js";

const MARGIN = 6; // rows beyond either edge
const SLICE_MS = 8; // of one frame; rows that are not ready by then follow in the next
const STEPS = { ArrowUp: -1, ArrowDown: 1 };

/**
 * Shows a Ring. `make()` builds an empty row, `fill(row, entry)` writes an entry into it, `open(entry)` is Enter or a click,
 * `moved(atEnd)` is told when the reader has scrolled. The list holds the focus; the active row is marked.
 */
export class RowWindow {
  constructor(ring, { label, testid, make, fill, open, select, moved }) {
    this.ring = ring;
    this.make = make;
    this.fill = fill;
    this.open = open;
    this.select = select;
    this.moved = moved;
    this.height = 26;
    this.active = -1; // the number of an entry
    this.pool = [];
    this.frame = 0;
    this.following = true;
    this.size = h("div", { class: "rows-size", role: "presentation" });
    this.node = h(
      "div",
      {
        class: "rows",
        tabindex: "0",
        role: "listbox",
        "aria-label": label,
        "data-testid": testid,
        onkeydown: (event) => this.key(event),
        onclick: (event) => this.click(event),
        onwheel: (event) => event.deltaY < 0 && this.scrolled(false),
      },
      this.size,
    );
    this.node.addEventListener("scroll", () => this.scrolled(this.atEnd()), { passive: true });
    this.watch = new ResizeObserver(() => this.resized());
    this.watch.observe(this.node);
  }

  close() {
    this.watch.disconnect();
    cancelAnimationFrame(this.frame);
  }

  atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.node;
    return scrollTop + clientHeight >= scrollHeight - this.height / 2;
  }

  scrolled(atEnd) {
    const follows = atEnd || this.node.scrollHeight <= this.node.clientHeight;
    if (follows !== this.following) {
      this.following = follows;
      this.moved(follows);
    }
    this.refresh();
  }

  resized() {
    this.height = Number.parseFloat(getComputedStyle(this.node).getPropertyValue("--row-height")) || 26;
    this.rebuild();
  }

  toEnd() {
    this.following = true;
    this.moved(true);
    this.refresh();
  }

  /** Throws the rows away: the ring has been emptied, or rows look different now. */
  rebuild() {
    this.pool = [];
    this.size.replaceChildren();
    this.refresh();
  }

  /** Asks for one update in the next frame. */
  refresh() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    const count = this.ring.length;
    this.size.style.height = `${count * this.height}px`;
    if (this.following) this.node.scrollTop = count * this.height;
    const visible = Math.ceil(this.node.clientHeight / this.height);
    const from = Math.max(0, Math.floor(this.node.scrollTop / this.height) - MARGIN);
    const to = Math.min(count, from + visible + 2 * MARGIN);
    this.grow(visible + 2 * MARGIN + 1);
    const until = performance.now() + SLICE_MS;
    const used = new Set();
    for (let index = from; index < to; index += 1) {
      const entry = this.ring.at(index);
      const row = this.pool[entry.number % this.pool.length];
      used.add(row);
      if (row.entry !== entry) {
        if (performance.now() > until) {
          row.node.hidden = true;
          row.entry = null;
          this.refresh();
          continue;
        }
        this.fill(row, entry);
        row.entry = entry;
        row.node.hidden = false;
      }
      this.place(row, entry, index, count);
    }
    for (const row of this.pool) if (!used.has(row)) this.put(row);
    this.mark();
  }

  /** A row's place in the pool goes by the number of its entry, so rows stay what they are while others come and go. */
  grow(count) {
    if (this.pool.length >= count) return;
    this.pool = Array.from({ length: count }, (_, place) => {
      const row = { ...this.make(), entry: null };
      row.node.setAttribute("role", "option");
      row.node.id = `row-${place}`;
      row.node.hidden = true;
      return row;
    });
    this.size.replaceChildren(...this.pool.map(({ node }) => node));
  }

  place(row, entry, index, count) {
    const top = index * this.height;
    if (row.top !== top) {
      row.top = top;
      row.node.style.transform = `translateY(${top}px)`;
      row.node.setAttribute("aria-posinset", index + 1);
    }
    if (row.count !== count) {
      row.count = count;
      row.node.setAttribute("aria-setsize", count);
    }
    const active = String(entry.number === this.active);
    if (row.active !== active) {
      row.active = active;
      row.node.setAttribute("aria-selected", active);
    }
  }

  put(row) {
    if (row.entry === null && row.node.hidden) return;
    row.entry = null;
    row.node.hidden = true;
  }

  mark() {
    const row = this.pool.find(({ entry }) => entry && entry.number === this.active);
    if (row) this.node.setAttribute("aria-activedescendant", row.node.id);
    else this.node.removeAttribute("aria-activedescendant");
  }

  click(event) {
    const node = event.target.closest("[role=option]");
    const row = this.pool.find((candidate) => candidate.node === node);
    if (!row?.entry || !getSelection().isCollapsed) return;
    this.active = row.entry.number;
    this.refresh();
    this.open(row.entry, false);
  }

  key(event) {
    if (event.target !== this.node || event.altKey || event.ctrlKey || event.metaKey) return;
    const count = this.ring.length;
    if (!count) return;
    const page = Math.max(1, Math.floor(this.node.clientHeight / this.height) - 1);
    const first = this.ring.at(0).number;
    const now = this.active < first ? null : this.active - first;
    let next = null;
    if (STEPS[event.key]) next = now === null ? (this.following ? count - 1 : this.topIndex()) : now + STEPS[event.key];
    else if (event.key === "PageUp") next = (now ?? count - 1) - page;
    else if (event.key === "PageDown") next = (now ?? 0) + page;
    else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = count - 1;
    else if (event.key === "Enter" && now !== null) {
      this.open(this.ring.at(now), true);
      event.preventDefault();
    }
    if (next === null) return;
    event.preventDefault();
    this.go(Math.max(0, Math.min(count - 1, next)), event.key === "End");
  }

  topIndex() {
    return Math.min(this.ring.length - 1, Math.ceil(this.node.scrollTop / this.height));
  }

  go(index, end) {
    const entry = this.ring.at(index);
    this.active = entry.number;
    const top = index * this.height;
    if (end) this.toEnd();
    else {
      this.scrolled(false);
      if (top < this.node.scrollTop) this.node.scrollTop = top;
      else if (top + this.height > this.node.scrollTop + this.node.clientHeight) this.node.scrollTop = top + this.height - this.node.clientHeight;
    }
    this.refresh();
    this.select(entry);
  }
}
