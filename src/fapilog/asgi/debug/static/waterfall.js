// Spans as bars on one time line, with the log events as ticks on the row of their span.

import { fieldsLine, text } from "./events.js";
import { fmt, h, levelClass } from "./lib.js";

const MOST_ROWS = 80; // drawn at once
const MOST_TICKS = 200; // of one row
const FAR = 50; // spans or events so many times further apart than the main span is long are put at the edge
const STEPS = [1, 2, 5];

/** Milliseconds since 1970 of an RFC 3339 time, with its microseconds. NaN if it is none. */
export function instant(value) {
  const found = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(String(value));
  return found ? Date.parse(found[1] + found[3]) + Number(found[2] ?? 0) * 1000 : Number.NaN;
}

/** +12.3 ms, −4 ms */
export function offset(ms) {
  if (!Number.isFinite(ms)) return "";
  return `${ms < 0 ? "−" : "+"}${fmt.duration(Math.abs(ms))}`;
}

/**
 * Rows in the order of the tree: [{span, depth, orphan, start, end, events}], one without a span for events that have none.
 *
 * A span that is its own ancestor, has no known parent, or ends before it starts is shown all the same.
 */
export function rowsOf(spans, events) {
  const rows = new Map();
  for (const span of spans) {
    const start = instant(span.start);
    if (rows.has(span.span_id) || !Number.isFinite(start)) continue;
    const end = instant(span.end);
    rows.set(span.span_id, { span, depth: 0, orphan: false, start, end: end >= start ? end : start, events: [], children: [] });
  }
  const roots = [];
  for (const row of rows.values()) {
    const parent = rows.get(row.span.parent_span_id);
    if (parent && parent !== row) parent.children.push(row);
    else roots.push(row);
    row.orphan = !parent && Boolean(row.span.parent_span_id) && !["SERVER", "CONSUMER"].includes(row.span.kind);
  }
  const ordered = [];
  const seen = new Set();
  const walk = (tops) => {
    const stack = tops.map((row) => [row, 0]).sort(later);
    while (stack.length) {
      const [row, depth] = stack.pop();
      if (seen.has(row)) continue;
      seen.add(row);
      row.depth = depth;
      ordered.push(row);
      stack.push(...row.children.map((child) => [child, depth + 1]).sort(later));
    }
  };
  walk(roots);
  for (const row of rows.values()) if (!seen.has(row)) walk([row]); // a ring of parents
  const rest = { span: null, depth: 0, orphan: false, start: Number.NaN, end: Number.NaN, events: [], children: [] };
  for (const event of events) (rows.get(event.span_id) ?? rest).events.push(event);
  return rest.events.length ? [...ordered, rest] : ordered;
}

const later = ([a], [b]) => b.start - a.start;

/** From when to when the line goes: {from, to, zero, far}. `far`: how much lies too far away and is put at the edge. */
export function rangeOf(rows, bar, whole) {
  const items = [];
  for (const row of rows) {
    if (row.span) items.push([row.start, row.end]);
    for (const event of row.events) {
      const at = instant(event.timestamp);
      if (Number.isFinite(at)) items.push([at, at]);
    }
  }
  if (bar) items.push([bar.start, bar.end]);
  if (!items.length) return { from: 0, to: 1, zero: 0, far: 0 };
  const span = rows.filter((row) => row.span && row.depth === 0).sort((a, b) => serves(b) - serves(a) || b.end - b.start - (a.end - a.start))[0];
  const main = span ? [span.start, span.end] : bar ? [bar.start, bar.end] : null;
  let from = least(items.map(([start]) => start));
  let to = -least(items.map(([, end]) => -end));
  let far = 0;
  if (main && to - from > FAR * Math.max(main[1] - main[0], 1)) {
    const room = 3 * (main[1] - main[0]) + 50;
    const near = items.filter(([start, end]) => end >= main[0] - room && start <= main[1] + room);
    far = items.length - near.length;
    if (!whole && far) {
      from = Math.max(main[0] - room, least(near.map(([start]) => start)));
      to = Math.min(main[1] + room, -least(near.map(([, end]) => -end)));
    }
  }
  return { from, to: Math.max(to, from + 0.01), zero: main ? main[0] : from, far };
}

const serves = (row) => Number(row.span.kind === "SERVER" || row.span.kind === "CONSUMER");
const least = (figures) => figures.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);

function steps(range) {
  const length = range.to - range.from;
  const rough = length / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (STEPS.find((factor) => factor * power >= rough) ?? 10);
  const lines = [];
  const first = Math.ceil((range.from - range.zero) / step) * step;
  for (let at = first; at <= range.to - range.zero && lines.length < 12; at += step) lines.push(Math.abs(at) < step / 1e6 ? 0 : at);
  return lines;
}

const percent = (range, at) => (100 * (at - range.from)) / (range.to - range.from);
const within = (value) => Math.min(100, Math.max(0, value));

/** The picture. `on` has span(row), event(event), tip(node or null, event or row). */
export class Waterfall {
  constructor(rows, range, bar, on) {
    this.rows = rows;
    this.range = range;
    this.bar = bar;
    this.on = on;
    this.tip = h("div", { class: "wf-tip", role: "tooltip", hidden: true });
    this.events = new WeakMap();
    this.tree = h("div", { class: "wf-rows", role: "tree", "aria-label": "Spans and events in time", onkeydown: (event) => this.key(event) });
    this.tree.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.node = h(
      "div",
      { class: "waterfall", "data-testid": "waterfall", onmouseover: (e) => this.hover(e), onmouseout: () => this.hover(null), onfocusin: (e) => this.hover(e), onfocusout: () => this.hover(null) },
      this.axis(),
      this.tree,
      this.tip,
    );
    this.drawn = 0;
    if (bar) this.tree.append(this.barRow(bar));
    this.add();
    this.tree.firstElementChild?.setAttribute("tabindex", "0");
  }

  /** Draws the next rows. The rest follows when the reader comes near. */
  add() {
    const next = this.rows.slice(this.drawn, this.drawn + MOST_ROWS);
    this.tree.append(...next.map((row) => this.row(row)));
    this.drawn += next.length;
  }

  scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.tree;
    if (this.drawn < this.rows.length && scrollTop + clientHeight * 2 > scrollHeight) this.add();
  }

  axis() {
    const lines = steps(this.range);
    return h(
      "div",
      { class: "wf-axis", "aria-hidden": "true" },
      h(
        "span",
        { class: "wf-scale" },
        lines.map((at) => {
          const left = percent(this.range, at + this.range.zero);
          return h("span", { class: left > 92 ? "last" : null, style: { left: `${left}%` } }, at === 0 ? "0" : fmt.duration(at));
        }),
      ),
    );
  }

  row(row) {
    const { span } = row;
    if (!span) return this.frame("log", null, row, null, `Log: ${row.events.length} events without a span`);
    const failed = span.status?.code === "ERROR";
    const name = [
      row.orphan ? h("span", { class: "muted", title: "Its parent is not among the spans kept" }, "⋯ ") : null,
      text(span.name, 160),
      span.kind && span.kind !== "INTERNAL" ? h("span", { class: "kind" }, text(span.kind, 12).toLowerCase()) : null,
      row.depth === 0 && span.links?.length ? h("span", { class: "kind" }, "linked") : null,
    ];
    const said = `${text(span.name, 160)}, ${fmt.duration(row.end - row.start)} from ${offset(row.start - this.range.zero)}${failed ? ", error" : ""}, ${row.events.length} events`;
    return this.frame(name, `wf-bar kind-${kindOf(span)}${failed ? " failed" : ""}`, row, fmt.duration(row.end - row.start), said);
  }

  barRow(bar) {
    return this.frame("request", "wf-bar kind-server", { ...bar, depth: 0, events: [] }, fmt.duration(bar.end - bar.start), "The request");
  }

  frame(name, kind, row, duration, said) {
    const label = h("span", { class: "wf-label", style: { "--depth": String(Math.min(row.depth, 12)) } }, h("span", { class: "wf-name" }, name));
    const track = h("span", { class: "wf-track" }, kind ? this.bars(kind, row) : null, this.ticks(row));
    const click = (event) => {
      const tick = event.target.closest(".tick");
      if (tick) this.on.event(this.events.get(tick), event.detail === 0);
      else if (row.span) this.on.span(row, event.detail === 0);
    };
    const node = h(
      "div",
      { class: `wf-row${row.span ? "" : " is-log"}`, role: "treeitem", tabindex: "-1", "aria-level": String(row.depth + 1), "aria-label": said, "data-testid": row.span ? "span-row" : "log-row", onclick: click },
      label,
      track,
      h("span", { class: "wf-duration" }, duration ?? ""),
    );
    node.addEventListener("open-row", () => row.span && this.on.span(row, true));
    return node;
  }

  bars(kind, row) {
    const left = percent(this.range, row.start);
    const right = percent(this.range, row.end);
    if (right < 0) return h("span", { class: "wf-edge before" }, `◂ ${fmt.duration(this.range.from - row.end)} earlier`);
    if (left > 100) return h("span", { class: "wf-edge after" }, `${fmt.duration(row.start - this.range.to)} later ▸`);
    const start = within(left);
    return h("span", { class: kind, style: { left: `${start}%`, width: `${within(right) - start}%` } });
  }

  ticks(row) {
    const loudest = row.events.length > MOST_TICKS ? [...row.events].sort((a, b) => loudness(b) - loudness(a)).slice(0, MOST_TICKS) : row.events;
    return loudest.map((event) => {
      const at = instant(event.timestamp);
      if (!Number.isFinite(at)) return null;
      const place = percent(this.range, at);
      const beyond = place < 0 || place > 100 ? " beyond" : "";
      const said = `${offset(at - this.range.zero)} ${text(event.level, 12)} ${text(event.message, 160)}`;
      const tick = h("button", { type: "button", tabindex: "-1", class: `tick ${levelClass(event.level)}${beyond}`, style: { left: `${within(place)}%` }, "aria-label": said, "data-testid": "tick" });
      this.events.set(tick, event);
      return tick;
    });
  }

  hover(event) {
    const tick = event?.target.closest?.(".tick");
    this.tip.hidden = !tick;
    if (!tick) return;
    const shown = this.events.get(tick);
    const at = instant(shown.timestamp) - this.range.zero;
    this.tip.replaceChildren(
      h("p", {}, h("span", { class: `level ${levelClass(shown.level)}` }, text(shown.level, 12)), h("span", { class: "muted" }, ` ${offset(at)}  ${text(shown.logger, 80)}`)),
      h("p", {}, text(shown.message, 240)),
      h("p", { class: "muted" }, fieldsLine(shown)),
    );
    const box = tick.getBoundingClientRect();
    const width = this.tip.offsetWidth;
    this.tip.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, box.left - width / 2))}px`;
    const below = box.bottom + 8;
    this.tip.style.top = `${below + this.tip.offsetHeight > innerHeight ? box.top - this.tip.offsetHeight - 8 : below}px`;
  }

  key(event) {
    const row = event.target.closest(".wf-row");
    if (!row) return;
    const ticks = [...row.querySelectorAll(".tick")].sort((a, b) => Number.parseFloat(a.style.left) - Number.parseFloat(b.style.left));
    const at = ticks.indexOf(event.target);
    while (event.key === "End" && this.drawn < this.rows.length) this.add();
    if (!row.nextElementSibling) this.add();
    const rows = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling, Home: this.tree.firstElementChild, End: this.tree.lastElementChild };
    if (event.key in rows) this.enter(row, rows[event.key]);
    else if (event.key === "ArrowRight") ticks[at + 1]?.focus();
    else if (event.key === "ArrowLeft") (ticks[at - 1] ?? row).focus();
    else if (event.key === "Enter" && event.target === row) row.dispatchEvent(new Event("open-row"));
    else return;
    event.preventDefault();
  }

  enter(from, to) {
    if (!to) return;
    from.setAttribute("tabindex", "-1");
    to.setAttribute("tabindex", "0");
    to.focus();
  }
}

const LOUDNESS = ["level-critical", "level-error", "level-warning", "level-info"];
const loudness = (event) => -(LOUDNESS.indexOf(levelClass(event.level)) + 1 || 9);
const KINDS = new Set(["SERVER", "CLIENT", "PRODUCER", "CONSUMER"]);
const kindOf = (span) => (KINDS.has(span.kind) ? span.kind.toLowerCase() : "internal");
