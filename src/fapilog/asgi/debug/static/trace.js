// One request or one trace: what it was, its spans and events in time, its events in order.

import { ACCESS, IDENTITY, RESOURCE, copyButton, eventDetail, exceptionNode, fieldsLine, loggerName, members, requestHash, text, traceHash } from "./events.js";
import { written } from "./json.js";
import { clean, fill, fmt, h, levelBadge } from "./lib.js";
import { Panel } from "./panel.js";
import { isWebSocket, methodOf, outcomeText, statusBadge } from "./requests.js";
import { instant, offset, rangeOf, rowsOf, Waterfall } from "./waterfall.js";

const PAGE = 200; // events of the list that are shown at once
const OPEN_EXCEPTIONS = 2; // shown without a click
const OPENED = "websocket_opened";
const COMPLETIONS = new Set(["request_completed", "request_failed", OPENED, "websocket_closed", "websocket_refused", "websocket_failed"]);
const NO_SPANS =
  "No spans of it are kept, so this shows its events alone: the OpenTelemetry SDK is not set up in this process, the trace was not sampled, or its spans have left the memory.";

export function mount(root, app, params) {
  const view = new TraceView(root, app, params);
  view.load();
  return () => view.unmount();
}

class TraceView {
  constructor(root, app, { kind, id }) {
    this.root = root;
    this.app = app;
    this.kind = kind === "trace" ? "trace" : "request";
    this.id = id;
    this.whole = false;
    this.gone = false;
    this.panel = new Panel("Details");
    root.classList.add("view-trace");
  }

  unmount() {
    this.gone = true;
    this.panel.close();
  }

  async load() {
    try {
      const data = await this.app.get(`${this.kind}s/${encodeURIComponent(this.id)}`);
      if (!this.gone) this.show(data);
    } catch (error) {
      if (!this.gone) this.failed(error);
    }
  }

  async refresh() {
    await this.load();
    this.root.querySelector("[data-testid=trace-refresh]")?.focus({ preventScroll: true });
  }

  failed(error) {
    const unknown = error.status === 404;
    const what = unknown ? `Nothing of this ${this.kind} is in memory: it has not been logged yet, another process has served it, or newer events have taken its place.` : clean(error.message, 300);
    fill(
      this.root,
      h(
        "section",
        { class: "panel", "data-testid": "trace-missing" },
        h("h1", {}, this.kind === "trace" ? "Trace " : "Request ", h("code", {}, clean(this.id, 140))),
        h("p", { class: unknown ? "muted" : "error" }, what),
        h("p", { class: "trace-actions" }, this.refreshButton(), h("a", { href: "#/requests" }, "All requests")),
      ),
    );
  }

  refreshButton() {
    return h("button", { type: "button", class: "small", "data-testid": "trace-refresh", onclick: () => this.refresh() }, "Refresh");
  }

  show(data) {
    const events = list(data.events);
    const spans = list(data.spans);
    if (!events.length && !spans.length) return this.failed({ status: 404 });
    this.events = events.map((event) => ({ event, at: instant(event.timestamp) })).sort((a, b) => a.at - b.at);
    this.completions = events.filter((event) => COMPLETIONS.has(event.message) && event.outcome !== undefined);
    if (!this.completions.length) this.completions = events.filter((event) => event.message === OPENED);
    this.rows = rowsOf(spans, this.events.map(({ event }) => event));
    this.spans = spans;
    this.urls = backends(data, this.id);
    this.traceIds = this.kind === "trace" ? [this.id] : (data.trace_ids ?? []).map(String);
    this.panel.close();
    this.picture = h("section", { class: "panel", "aria-label": "Time line" });
    const ordered = h("section", { class: "panel", "aria-label": "Events" });
    fill(this.root, this.header(), h("div", { class: "split" }, h("div", { class: "trace-main" }, this.picture, ordered), this.panel.node));
    this.draw();
    this.list(ordered);
  }

  // ---- what it was ---------------------------------------------------------------------------------------------------

  header() {
    const last = this.completions.at(-1);
    const single = this.kind === "request" || this.completions.length === 1;
    const head = h("header", { class: "panel trace-head", "data-testid": "trace-head" });
    if (last && single) {
      head.append(h("h1", {}, h("span", { class: "method" }, methodOf(last)), " ", text(last.http_route ?? last.path, 300), " ", statusBadge(last)));
      head.append(h("p", { class: "muted" }, this.story(last)));
    } else {
      head.append(h("h1", {}, this.kind === "trace" ? "Trace" : "Request"));
      const why = this.completions.length ? `${this.completions.length} requests` : "No completion event: it is still running, was not logged, or has left the memory";
      head.append(h("p", { class: "muted" }, `${why} · ${this.events.length} events · ${this.spans.length} spans`));
    }
    const own = last && single ? this.own(last) : null;
    head.append(h("p", { class: "trace-actions" }, this.links(), this.tailLink(), this.refreshButton()));
    head.append(h("div", { class: "trace-facts" }, members(this.identity(last, single)), own));
    return head;
  }

  story(event) {
    const parts = [outcomeText(event), fmt.duration(event.duration_ms)];
    if (Number(event.total_ms) - Number(event.duration_ms) > 1) parts.push(`${fmt.duration(event.total_ms)} with its background tasks`);
    if (event.http_route && event.path !== event.http_route) parts.push(text(event.path, 300));
    if (isWebSocket(event) && event.messages_received !== undefined) parts.push(`${fmt.number(event.messages_received)} messages in, ${fmt.number(event.messages_sent)} out`);
    if (event.response_bytes !== undefined) parts.push(fmt.bytes(event.response_bytes));
    if (event.client_ip) parts.push(`from ${text(event.client_ip, 60)}`);
    return [fmt.dateTime(event.timestamp), ...parts].filter(Boolean).join(" · ");
  }

  identity(last, single) {
    const entries = [];
    if (this.kind === "request") entries.push(["request_id", ident(this.id, null)]);
    for (const id of this.traceIds.slice(0, 10)) entries.push(["trace_id", ident(id, this.kind === "trace" ? null : traceHash(id))]);
    const requests = [...new Set(this.events.map(({ event }) => event.request_id).filter(Boolean))];
    if (this.kind === "trace") for (const id of requests.slice(0, 20)) entries.push(["request_id", ident(id, requestHash(id), this.caption(id, single))]);
    if (single && last?.user_agent) entries.push(["user_agent", h("span", { class: "muted" }, text(last.user_agent, 200))]);
    return entries;
  }

  caption(id, single) {
    const found = single ? null : this.completions.find((event) => event.request_id === id);
    return found ? ` ${methodOf(found)} ${text(found.http_route ?? found.path, 120)}` : "";
  }

  tailLink() {
    const query = new URLSearchParams({ [`${this.kind}_id`]: this.id });
    return h("a", { class: "button quiet-link", href: `#/tail?${query}`, "data-testid": "trace-tail" }, "Follow in the tail");
  }

  links() {
    return this.urls.map(([id, url]) => {
      const what = this.urls.length > 1 ? `Open ${clean(String(id).slice(0, 8))} in trace backend` : "Open in trace backend";
      return h("a", { class: "button", href: url, target: "_blank", rel: "noopener noreferrer", "data-testid": "trace-backend" }, what);
    });
  }

  own(event) {
    const fields = Object.entries(event).filter(([key]) => !ACCESS.has(key) && !IDENTITY.includes(key) && !RESOURCE.includes(key));
    if (!fields.length) return null;
    const shown = members(fields);
    if (fields.length <= 12) return h("div", { "data-testid": "bound-fields" }, shown);
    return h("details", { class: "nest", "data-testid": "bound-fields" }, h("summary", {}, `${fmt.number(fields.length)} fields of its own`), shown);
  }

  // ---- in time -------------------------------------------------------------------------------------------------------

  draw() {
    const withSpans = this.spans.length > 0;
    const bar = withSpans ? null : requestBar(this.completions.at(-1));
    this.range = rangeOf(this.rows, bar, this.whole);
    const { far } = this.range;
    const toggle = h("button", { type: "button", class: "small", "data-testid": "whole-range", onclick: () => this.toggle() }, this.whole ? "Show the request only" : "Show the whole range");
    fill(
      this.picture,
      h("div", { class: "panel-head" }, h("h2", {}, "Time line"), far ? h("span", {}, h("span", { class: "muted" }, `${fmt.number(far)} far outside `), toggle) : null),
      withSpans ? null : h("p", { class: "muted", "data-testid": "no-spans" }, NO_SPANS),
      new Waterfall(this.rows, this.range, bar, { span: (row, byKey) => this.openSpan(row, byKey), event: (event, byKey) => this.openEvent(event, byKey) }).node,
    );
  }

  toggle() {
    this.whole = !this.whole;
    this.draw();
    this.picture.querySelector("[data-testid=whole-range]")?.focus();
  }

  openEvent(event, byKey) {
    const at = offset(instant(event.timestamp) - this.range.zero);
    this.panel.show(`Event ${at}`, eventDetail(event), byKey);
  }

  openSpan(row, byKey) {
    this.panel.show("Span", spanDetail(row, this.range.zero), byKey);
  }

  // ---- in order ------------------------------------------------------------------------------------------------------

  list(box) {
    const rows = h("ol", { class: "event-list", "data-testid": "event-list", onkeydown: moveByArrow });
    let shown = 0;
    const opened = new Set(); // of one that was logged twice the second stays closed
    const more = () => {
      button.remove();
      for (const { event, at } of this.events.slice(shown, shown + PAGE)) {
        const which = event.exception && `${event.exception.type}: ${event.exception.message}`;
        const open = Boolean(event.exception) && !opened.has(which) && opened.size < OPEN_EXCEPTIONS;
        if (open) opened.add(which);
        rows.append(this.item(event, at, open));
      }
      shown += PAGE;
      const left = this.events.length - shown;
      button.textContent = `Show ${fmt.number(Math.min(PAGE, left))} more of ${fmt.number(left)}`;
      if (left > 0) box.append(button);
    };
    const button = h("button", { type: "button", class: "quiet", "data-testid": "more-events", onclick: more });
    fill(box, h("h2", {}, `${fmt.number(this.events.length)} events`), this.events.length ? rows : h("p", { class: "muted" }, "None is in memory."));
    more();
  }

  item(event, at, open) {
    const line = h(
      "button",
      { type: "button", class: "event-line", "data-testid": "event-line", onclick: (click) => this.openEvent(event, click.detail === 0) },
      h("span", { class: "row-time" }, offset(at - this.range.zero)),
      levelBadge(event.level),
      h("span", { class: "row-logger" }, loggerName(event.logger)),
      h("span", { class: "row-text" }, h("span", { class: "row-message" }, text(event.message, 300)), h("span", { class: "row-fields" }, fieldsLine(event))),
    );
    if (!event.exception) return h("li", {}, line);
    const detail = h("details", { class: "nest", open }, h("summary", {}, `${text(event.exception.type, 120)}: ${text(event.exception.message, 160)}`));
    const build = () => detail.open && detail.childElementCount === 1 && detail.append(exceptionNode(event.exception));
    detail.addEventListener("toggle", build);
    build();
    return h("li", {}, line, detail);
  }
}

const list = (value) => (Array.isArray(value) ? value.filter((item) => item && typeof item === "object") : []);

function ident(id, hash, caption = "") {
  const shown = clean(id, 140);
  return h("span", { class: "ident" }, hash ? h("a", { href: hash }, h("code", {}, shown)) : h("code", {}, shown), caption, copyButton("Copy", () => String(id), "copy-id"));
}

/** Where the traces can be seen elsewhere: absolute http and https addresses only, whatever the template made. */
function backends(data, id) {
  const given = data.trace_urls && typeof data.trace_urls === "object" ? Object.entries(data.trace_urls) : [[id, data.trace_url]];
  return given.filter(([, url]) => typeof url === "string" && /^https?:\/\/[^/]/i.test(url) && URL.canParse(url)).slice(0, 10);
}

/** The request as a bar, known from its completion event alone. */
function requestBar(event) {
  const end = instant(event?.timestamp);
  const length = Number(event?.total_ms ?? event?.duration_ms);
  return Number.isFinite(end) && Number.isFinite(length) ? { start: end - length, end } : null;
}

function spanDetail(row, zero) {
  const { span } = row;
  const attributes = Object.entries(span.attributes ?? {});
  const facts = [
    ["starts", h("code", {}, `${offset(row.start - zero)}`)],
    ["duration", h("code", {}, fmt.duration(row.end - row.start))],
    ["kind", text(span.kind, 20).toLowerCase()],
    ["status", span.status?.code === "ERROR" ? h("span", { class: "bad" }, `error ${text(span.status.description, 600)}`) : text(span.status?.code, 20).toLowerCase()],
    ["span_id", h("code", {}, text(span.span_id, 40))],
    ["parent", h("code", {}, text(span.parent_span_id, 40) || "–", row.orphan ? " (not kept)" : "")],
    ["scope", text(span.scope, 120)],
  ];
  if (span.resource_service) facts.push(["service", text(span.resource_service, 120)]);
  const happened = list(span.events);
  const linked = list(span.links);
  return h(
    "article",
    { class: "event-detail", "data-testid": "span-detail" },
    h("pre", { class: "message" }, text(span.name, 2000)),
    members(facts.map(([name, value]) => [name, value instanceof Node ? value : h("span", {}, value)])),
    attributes.length ? h("h4", {}, "Attributes") : null,
    attributes.length ? members(attributes) : null,
    happened.length ? h("h4", {}, "Events") : null,
    happened.slice(0, 100).map((item) => spanEvent(item, zero)),
    linked.length ? h("h4", {}, "Links") : null,
    linked.length ? members(linked.slice(0, 100).map((link) => [text(link.span_id, 40), h("a", { href: traceHash(String(link.trace_id)), "data-testid": "span-link" }, text(link.trace_id, 40))])) : null,
    copyButton("Copy as JSON", () => written(span, 2), "copy-span"),
  );
}

function spanEvent(item, zero) {
  const head = [h("code", { class: "muted" }, offset(instant(item.time) - zero)), " ", text(item.name, 200)];
  return h("details", { class: "nest" }, h("summary", {}, head), members(Object.entries(item.attributes ?? {})));
}

function moveByArrow(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.classList.contains("event-line")) return;
  const lines = [...event.currentTarget.querySelectorAll(".event-line")];
  const next = lines[lines.indexOf(event.target) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}
