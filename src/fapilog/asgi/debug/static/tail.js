// Tail: events as they come. The ring holds lines, a row is parsed when it is first seen, the rest never.

import { eventDetail, fieldsLine, loggerName, text } from "./events.js";
import { clean, fill, fmt, h, levelClass } from "./lib.js";
import { Panel } from "./panel.js";
import { MAX_EVENTS, parse, Ring, summary } from "./ring.js";
import { Tail } from "./stream.js";
import { RowWindow } from "./window.js";

const FILTERS = [
  ["logger", "Logger", "app.db"],
  ["text", "Text", "words in the event"],
  ["request_id", "Request id", ""],
  ["trace_id", "Trace id", ""],
];
const KNOWN = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
const FIRST_EVENTS = 200; // of the past, when the view opens
const TYPING_MS = 350;
const UPDATE_MS = 100; // rows and figures follow the stream this often; scrolling is drawn at once
const ENDS = {
  shutdown: "The application is shutting down.",
  slow: "The server has ended this tail because the page could not keep up.",
  clients: "The server has ended this tail in favour of another one.",
};

export function mount(root, app, params) {
  const view = new TailView(root, app, params);
  view.start();
  return () => view.unmount();
}

class TailView {
  constructor(root, app, params) {
    this.root = root;
    this.app = app;
    this.filters = { level: "", logger: "", text: "", request_id: "", trace_id: "" };
    for (const name of Object.keys(this.filters)) this.filters[name] = params[name] ?? "";
    this.shown = new Ring();
    this.waiting = new Ring();
    this.paused = false;
    this.received = 0;
    this.passed = 0;
    this.rate = { since: performance.now(), received: null, value: 0 };
    this.connection = { state: "connecting", info: {} };
    this.timer = 0;
    this.typing = 0;
    this.tail = null;
  }

  start() {
    this.panel = new Panel("Event", () => this.rows.node.focus());
    this.rows = new RowWindow(this.shown, {
      label: "Events, newest last",
      testid: "tail-rows",
      make: makeRow,
      fill: fillRow,
      open: (entry, byKey) => this.open(entry, byKey),
      select: (entry) => this.panel.isOpen && this.open(entry, false),
      moved: () => this.tell(),
    });
    fill(this.root, this.toolbar(), this.bar(), h("div", { class: "split" }, h("div", { class: "tail-list" }, this.rows.node, this.jump), this.panel.node));
    this.every = setInterval(() => this.tell(), 1000);
    this.connect();
  }

  unmount() {
    this.off();
    this.panel.close();
    this.tail.close();
    this.rows.close();
    clearInterval(this.every);
    clearTimeout(this.timer);
    clearTimeout(this.typing);
  }

  // ---- what the reader can do ----------------------------------------------------------------------------------------

  toolbar() {
    const level = h("select", { id: "tail-level", "data-testid": "tail-level", onchange: () => this.filter("level", level.value) });
    this.level = level;
    this.offer(KNOWN);
    this.off = this.app.onStatus((status) => this.offer(status.levels?.available ?? KNOWN));
    const inputs = FILTERS.map(([name, label, placeholder]) => {
      const input = h("input", { id: `tail-${name}`, type: "search", spellcheck: "false", autocomplete: "off", placeholder, "data-testid": `tail-${name}` });
      input.value = this.filters[name];
      input.addEventListener("input", () => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => this.filter(name, input.value.trim()), TYPING_MS);
      });
      return h("div", { class: `field grow field-${name}${this.filters[name] ? " is-set" : ""}` }, h("label", { for: input.id }, label), input);
    });
    const form = h(
      "form",
      { class: "fields tail-filters", role: "search", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
      h("div", { class: "field" }, h("label", { for: "tail-level" }, "Level"), level),
      inputs,
    );
    return form;
  }

  /** Fills the choice of levels: those that the application has registered, and the one that the address asks for. */
  offer(available) {
    const chosen = this.filters.level.toUpperCase();
    const names = !chosen || available.includes(chosen) ? available : [...available, chosen];
    if (names.join() === this.offered) return;
    this.offered = names.join();
    const option = (name) => h("option", { value: name, selected: name === chosen }, clean(name, 30), name === "CRITICAL" ? "" : " and above");
    fill(this.level, h("option", { value: "" }, "All levels"), names.map(option));
  }

  bar() {
    this.pauseButton = h("button", { type: "button", "data-testid": "tail-pause", onclick: () => this.pause(!this.paused) }, "Pause");
    this.jump = h("button", { type: "button", class: "primary jump", hidden: true, "data-testid": "tail-jump", onclick: () => this.release(true) });
    this.stateBox = h("span", { class: "link-state", "data-testid": "tail-state" });
    this.again = h("button", { type: "button", class: "small", hidden: true, "data-testid": "tail-reconnect", onclick: () => this.reconnect() }, "Reconnect now");
    this.figures = h("span", { class: "muted tail-figures", "data-testid": "tail-figures" });
    this.passedBox = h("span", { class: "warn", "data-testid": "tail-passed" });
    const clear = h("button", { type: "button", class: "quiet", "data-testid": "tail-clear", onclick: () => this.clear() }, "Clear");
    return h("div", { class: "tail-bar" }, this.pauseButton, clear, this.stateBox, this.again, this.figures, this.passedBox);
  }

  filter(name, value) {
    if (this.filters[name] === value) return;
    this.filters[name] = value;
    const query = new URLSearchParams(Object.entries(this.filters).filter(([, wanted]) => wanted));
    this.app.replace(`#/tail${query.size ? `?${query}` : ""}`);
    this.clear();
    this.connect();
  }

  pause(paused) {
    this.paused = paused;
    if (!paused) this.release(true);
    this.app.announce(paused ? "Paused" : "Resumed");
    this.tell();
  }

  /** Shows what has waited while the list was held. */
  release(toEnd) {
    this.paused = false;
    this.passed += this.waiting.gone;
    this.waiting.pour(this.shown);
    if (toEnd) this.rows.toEnd();
    this.tell();
  }

  clear() {
    this.shown.clear();
    this.waiting.clear();
    this.passed = 0;
    this.received = 0;
    this.rate = { since: performance.now(), received: null, value: 0 };
    this.panel.close();
    this.rows.active = -1;
    this.rows.following = true;
    this.rows.rebuild();
    this.tell();
  }

  open(entry, byKey) {
    if (entry.note) return;
    const event = parse(entry.line);
    const detail = event ? eventDetail(event, entry.line) : h("pre", {}, clean(entry.line, 4000));
    this.panel.show(event ? fmt.time(event.timestamp) : "A line that is no event", detail, byKey);
  }

  // ---- what comes ----------------------------------------------------------------------------------------------------

  connect() {
    this.tail?.close();
    const query = new URLSearchParams(Object.entries(this.filters).filter(([, value]) => value));
    query.set("last", FIRST_EVENTS);
    this.tail = new Tail(`${this.app.base}/tail?${query}`, {
      lines: (lines) => this.take(lines),
      message: (kind, data) => this.message(kind, data),
      state: (state, info) => this.changed(state, info),
    });
    this.tail.open();
  }

  reconnect() {
    this.tail.open();
  }

  take(lines) {
    this.received += lines.length;
    for (const line of lines) this.keep(line, false);
  }

  keep(line, note) {
    const held = this.paused || (!this.rows.following && (this.waiting.length > 0 || this.shown.full));
    (held ? this.waiting : this.shown).push(line, note);
    if (!this.timer) this.timer = setTimeout(() => this.update(), UPDATE_MS);
  }

  update() {
    this.timer = 0;
    this.rows.refresh();
    this.tell();
  }

  message(kind, data) {
    const lost = data.lost === 1 ? "1 event" : `${fmt.number(data.lost)} events`;
    if (kind === "lost") this.keep(`${lost} lost: gone from the server's memory before this tail came to them.`, true);
    if (kind !== "end" || !ENDS[data.reason]) return;
    this.keep(`${ENDS[data.reason]}${data.lost ? ` ${lost} did not come through.` : ""}`, true);
  }

  changed(state, info) {
    const before = this.connection.state;
    this.connection = { state, info };
    if (state !== before && state !== "connecting") this.app.announce(`Tail: ${this.stateText()}`);
    if (state === "refused" && info.status === 401) this.app.get("").catch(() => {}); // the shell says so
    this.tell();
  }

  stateText() {
    const { state, info } = this.connection;
    const soon = info.seconds ? `, again in ${info.seconds} s` : "";
    if (state === "live") return this.paused ? "paused" : "live";
    if (state === "cut") return info.reason === "slow" ? "cut off: too slow" : "ended by the server";
    if (state === "refused") return info.status === 503 ? `too many tails are open${soon}` : `refused: ${clean(info.error ?? info.status, 200)}${soon}`;
    if (state === "reconnecting") return `reconnecting${soon}`;
    return state;
  }

  /** Writes the figures. Called at most every UPDATE_MS by the stream. */
  tell() {
    const now = performance.now();
    if (now - this.rate.since >= 950) {
      const before = this.rate.received ?? this.received; // what came first was the past
      const value = ((this.received - before) * 1000) / (now - this.rate.since);
      this.rate = { since: now, received: this.received, value };
    }
    const { state } = this.connection;
    const passed = this.passed + this.waiting.gone;
    this.stateBox.dataset.state = state === "live" && this.paused ? "paused" : state;
    put(this.stateBox, this.stateText());
    this.again.hidden = state !== "cut" && state !== "reconnecting" && state !== "refused";
    const parts = [`${fmt.rate(Math.round(this.rate.value))}`, `${fmt.number(this.received)} received`];
    if (this.shown.gone) parts.push(`the last ${fmt.number(this.shown.length)} kept`);
    put(this.figures, parts.join(" · "));
    put(this.passedBox, passed ? `${fmt.number(passed)} passed over: more than ${fmt.number(MAX_EVENTS)} came meanwhile` : "");
    const held = this.waiting.length ? `${fmt.number(this.waiting.length + this.waiting.gone)} new` : "";
    put(this.pauseButton, this.paused ? `Resume${held ? ` (${held})` : ""}` : "Pause");
    this.pauseButton.setAttribute("aria-pressed", String(this.paused));
    this.jump.hidden = this.rows.following;
    put(this.jump, this.paused ? "Resume at the newest" : `Jump to newest${held ? ` (${held})` : ""}`);
    this.root.classList.toggle("is-empty", this.shown.length === 0);
    this.root.classList.toggle("is-filtered", Object.values(this.filters).some(Boolean));
  }
}

function put(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

function makeRow() {
  const time = h("span", { class: "row-time" });
  const level = h("span", { class: "level" });
  const logger = h("span", { class: "row-logger" });
  const message = h("span", { class: "row-message" });
  const fields = h("span", { class: "row-fields" });
  const node = h("div", { class: "row", "data-testid": "tail-row" }, time, level, logger, h("span", { class: "row-text" }, message, fields));
  return { node, time, level, logger, message, fields };
}

function fillRow(row, entry) {
  entry.row ??= entry.note ? { note: true, message: entry.line } : written(entry.line);
  const cells = entry.row;
  put(row.time, cells.time ?? "");
  put(row.level, cells.level ?? "");
  put(row.logger, cells.logger ?? "");
  put(row.message, cells.message);
  put(row.fields, cells.fields ?? "");
  const name = cells.note ? "row row-note" : `row ${cells.mark}`;
  if (row.node.className !== name) row.node.className = name;
}

/** What a row says, as text: made once for an entry. */
function written(line) {
  const { event, long } = summary(line);
  return {
    time: fmt.time(event.timestamp),
    level: text(event.level, 12),
    logger: loggerName(event.logger),
    message: text(event.message, 300),
    fields: long ? `(${fmt.bytes(line.length)})` : fieldsLine(event),
    mark: levelClass(event.level),
  };
}
