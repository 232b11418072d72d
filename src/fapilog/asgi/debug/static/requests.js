// Requests: the completion events that are still in memory. Choosing one opens its waterfall.

import { requestHash, text } from "./events.js";
import { written } from "./json.js";
import { clean, fill, fmt, h } from "./lib.js";

const REFRESH_MS = 5000;
const TYPING_MS = 350;
const LIMIT = 100;
const TABS = [
  ["recent", "Recent", { order: "recent" }],
  ["slowest", "Slowest", { order: "slowest" }],
  ["failed", "Failed", { order: "recent", failed: 1 }],
];
const COLUMNS = ["Time", "Method", "Route or path", "Status", "Outcome", "Duration", "Request id"];
const OUTCOMES = { ok: "ok", client_error: "client error", server_error: "server error", client_disconnected: "client left" };

export const isWebSocket = (event) => String(event.message).startsWith("websocket_");

/** GET, or WS for a WebSocket. */
export function methodOf(event) {
  return isWebSocket(event) ? "WS" : text(event.http_method, 20);
}

/** The status as a badge; of a WebSocket its closing code, or that it is open. */
export function statusBadge(event) {
  let shown = event.status_code;
  let kind = statusKind(event.status_code);
  if (isWebSocket(event)) {
    shown = event.close_code ?? event.status_code ?? (event.message === "websocket_opened" ? "open" : "–");
    kind = event.outcome === "server_error" ? "bad" : event.outcome === "client_error" ? "warn" : "fine";
  }
  return h("span", { class: `status status-${kind}` }, text(shown, 20) || "–");
}

function statusKind(status) {
  if (typeof status !== "number") return "none";
  if (status >= 500) return "bad";
  return status >= 400 ? "warn" : "fine";
}

export function outcomeText(event) {
  return OUTCOMES[event.outcome] ?? text(event.outcome, 40);
}

export function mount(root, app, params) {
  const view = new RequestsView(root, app, params);
  view.start();
  return () => view.unmount();
}

class RequestsView {
  constructor(root, app, params) {
    this.root = root;
    this.app = app;
    this.tab = TABS.find(([name]) => name === params.show) ? params.show : "recent";
    this.path = params.path ?? "";
    this.paused = false;
    this.timer = 0;
    this.typing = 0;
    this.asked = 0;
    this.drawn = null;
  }

  start() {
    this.tabs = TABS.map(([name, label]) =>
      h("button", { type: "button", "data-testid": `requests-${name}`, onclick: () => this.choose({ tab: name }) }, label),
    );
    this.pauseButton = h("button", { type: "button", class: "quiet", "aria-pressed": "false", "data-testid": "requests-pause", onclick: () => this.pause() }, "Pause");
    const path = h("input", { id: "requests-path", type: "search", placeholder: "/orders", spellcheck: "false", autocomplete: "off", "data-testid": "requests-path" });
    path.value = this.path;
    path.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.choose({ path: path.value.trim() }), TYPING_MS);
    });
    this.body = h("tbody", { role: "rowgroup", onkeydown: (event) => this.key(event), onclick: (event) => this.click(event) });
    this.note = h("p", { class: "muted", "data-testid": "requests-note" });
    this.box = h(
      "div",
      { class: "panel requests-box" },
      h(
        "table",
        { class: "requests", role: "table", "aria-label": "Requests", "data-testid": "requests-table" },
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, COLUMNS.map((name) => h("th", { scope: "col", role: "columnheader" }, name)))),
        this.body,
      ),
      this.note,
    );
    fill(
      this.root,
      h(
        "div",
        { class: "requests-bar" },
        h("div", { class: "segments", role: "group", "aria-label": "Which requests" }, this.tabs),
        h("div", { class: "field" }, h("label", { for: path.id, class: "visually-hidden" }, "Path"), path),
        this.pauseButton,
      ),
      this.box,
    );
    this.press();
    this.load();
  }

  unmount() {
    this.asked += 1;
    clearTimeout(this.timer);
    clearTimeout(this.typing);
  }

  choose({ tab = this.tab, path = this.path }) {
    this.tab = tab;
    this.path = path;
    const query = new URLSearchParams();
    if (tab !== "recent") query.set("show", tab);
    if (path) query.set("path", path);
    this.app.replace(`#/requests${query.size ? `?${query}` : ""}`);
    this.press();
    this.load();
  }

  press() {
    TABS.forEach(([name], index) => this.tabs[index].setAttribute("aria-pressed", String(name === this.tab)));
  }

  pause() {
    this.paused = !this.paused;
    this.pauseButton.setAttribute("aria-pressed", String(this.paused));
    fill(this.pauseButton, this.paused ? "Resume" : "Pause");
    this.app.announce(this.paused ? "The list stands still" : "The list is kept up to date");
    if (!this.paused) this.load();
  }

  async load() {
    clearTimeout(this.timer);
    this.asked += 1;
    const mine = this.asked;
    const [, , wanted] = TABS.find(([name]) => name === this.tab);
    try {
      const answer = document.hidden && this.drawn !== null ? null : await this.app.get("requests", { limit: LIMIT, ...wanted, path: this.path });
      if (mine !== this.asked) return;
      if (answer) this.show(answer);
    } catch (error) {
      if (mine !== this.asked) return;
      fill(this.note, h("span", { class: "error", "data-testid": "requests-error" }, clean(error.message, 300)));
    }
    if (!this.paused) this.timer = setTimeout(() => this.load(), REFRESH_MS);
  }

  show(answer) {
    const requests = Array.isArray(answer.requests) ? answer.requests : [];
    const since = answer.oldest ? `, the oldest of ${fmt.dateTime(answer.oldest)}` : "";
    const among = `Among the ${fmt.number(answer.events_kept)} events in this process's memory${since}.`;
    fill(this.note, requests.length ? `${fmt.number(requests.length)} requests. ${among}` : h("span", { "data-testid": "requests-empty" }, `${this.nothing()} ${among}`));
    const keys = written([this.tab, requests.map(keyOf)]);
    if (keys === this.drawn) return;
    this.drawn = keys;
    const focused = document.activeElement?.closest?.("tr.request")?.dataset.key;
    const longest = Math.max(1, ...requests.map((event) => (isWebSocket(event) ? 0 : Number(event.duration_ms) || 0)));
    fill(this.body, requests.map((event) => requestRow(event, longest)));
    const rows = [...this.body.children];
    const again = rows.find((row) => row.dataset.key === focused);
    (again ?? rows[0])?.setAttribute("tabindex", "0");
    again?.focus({ preventScroll: true });
  }

  nothing() {
    const where = this.path ? ` with “${clean(this.path, 100)}” in the path` : "";
    return this.tab === "failed" ? `No failed request${where}.` : `No request${where} yet.`;
  }

  click(event) {
    const row = event.target.closest("tr");
    if (!row || event.target.closest("a") || !getSelection().isCollapsed) return;
    this.go(row);
  }

  go(row) {
    if (row?.dataset.hash) this.app.navigate(row.dataset.hash);
  }

  key(event) {
    const row = event.target.closest("tr");
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const targets = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling, Home: this.body.firstElementChild, End: this.body.lastElementChild };
    if (event.key === "Enter" && event.target === row) this.go(row);
    else if (targets[event.key]) {
      row.setAttribute("tabindex", "-1");
      targets[event.key].setAttribute("tabindex", "0");
      targets[event.key].focus();
    } else return;
    event.preventDefault();
  }
}

function keyOf(event) {
  return `${event.request_id}|${event.timestamp}|${event.message}`;
}

function requestRow(event, longest) {
  const hash = event.request_id ? requestHash(event.request_id) : null;
  const where = text(event.http_route ?? event.path, 200);
  const path = event.http_route && event.path !== event.http_route ? text(event.path, 200) : "";
  const ms = Number(event.duration_ms);
  const share = isWebSocket(event) ? 0 : Math.min(1, Math.max(0, ms / longest || 0));
  const cell = (name, ...children) => h("td", { role: "cell", class: `c-${name}` }, ...children);
  return h(
    "tr",
    { class: "request", role: "row", tabindex: "-1", dataset: { key: keyOf(event), hash: hash ?? "" }, "data-testid": "request-row" },
    cell("time", fmt.time(event.timestamp)),
    cell("method", methodOf(event)),
    cell("path", hash ? h("a", { href: hash, tabindex: "-1" }, where || "–") : where, path ? h("span", { class: "muted path" }, path) : null),
    cell("status", statusBadge(event)),
    cell(event.outcome === "ok" ? "outcome is-ok" : "outcome", event.exception ? h("span", { class: "bad" }, text(event.exception.type, 80)) : outcomeText(event)),
    cell("duration", h("span", { class: "bar", "aria-hidden": "true" }, share ? h("span", { style: { width: `${(share * 100).toFixed(1)}%` } }) : null), h("span", { class: "ms" }, fmt.duration(ms))),
    cell("id", h("code", {}, text(event.request_id, 140))),
  );
}
