/* Overview: is logging healthy, how much comes and goes, and where along the way something is stuck. */
import { Charts } from "./charts.js";
import { clean, cleanLines, fill, fmt, h, placed, table, total } from "./lib.js";
import { drawPipeline } from "./pipeline.js";

const REASONS = {
  queue_full: "the queue was full",
  level: "below the level",
};

export function mount(root, app) {
  const page = new Overview(root, app);
  const off = app.onStatus((status) => page.show(status));
  return () => {
    off();
    page.end();
  };
}

class Overview {
  constructor(root, app) {
    this.app = app;
    this.status = null;
    this.health = { status: null, reasons: [] };
    this.ended = false;
    this.healthBox = h("section", { class: "health", "aria-live": "polite", "data-testid": "health" }, h("h1", {}, "Asking the process\u2026"));
    this.said = "";
    this.figures = h("dl", { class: "figures", "data-testid": "figures" });
    this.charts = new Charts(app);
    this.picture = h("div", { "data-testid": "pipeline" });
    this.sinks = panel("Sinks", "sinks");
    this.drops = panel("Dropped, failed and held back, by reason", "drops");
    this.pressure = panel("Pressure", "pressure");
    this.diagnostics = panel("What fapilog had to say", "diagnostics");
    this.process = panel("Process", "process");
    this.configuration = h("dl", { class: "configuration" });
    this.configured = "";
    root.append(
      this.healthBox,
      this.figures,
      this.charts.element,
      h("section", { class: "panel pipeline" }, h("h2", {}, "Pipeline"), this.picture),
      this.sinks.element,
      h("div", { class: "columns" }, h("div", {}, this.drops.element, this.pressure.element), h("div", {}, this.process.element, this.diagnostics.element)),
      h("section", { class: "panel", "data-testid": "configuration" }, h("details", {}, h("summary", {}, "Configuration"), this.configuration)),
    );
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.picture);
  }

  end() {
    this.ended = true;
    this.watcher.disconnect();
    this.charts.end();
  }

  show(status) {
    this.status = status;
    this.showFigures(status);
    this.charts.show();
    this.draw();
    this.showTables(status);
    this.showHealth();
    this.askHealth();
  }

  // ---- health ----

  async askHealth() {
    try {
      this.health = await this.app.get("health");
    } catch (error) {
      if (error.status !== 503 || !error.body) return; // the banner says that the server is gone
      this.health = error.body;
    }
    if (!this.ended) this.showHealth();
  }

  showHealth() {
    const failing = (this.health.reasons ?? []).map((reason) => clean(reason, 200));
    const watch = this.health.status === "failing" ? [] : worries(this.status);
    const kind = failing.length || this.health.status === "failing" ? "failing" : watch.length ? "watch" : "ok";
    const words = { failing: "Logging is failing", watch: "Logging works, with something to watch", ok: "Logging is healthy" }[kind];
    const reasons = failing.length ? failing : watch;
    const said = JSON.stringify([kind, reasons]);
    if (said === this.said) return; // a live region that is not to repeat itself
    this.said = said;
    this.healthBox.dataset.status = kind;
    fill(this.healthBox, h("h1", {}, words), reasons.length ? h("ul", { class: "muted" }, reasons.map((reason) => h("li", {}, reason))) : null);
  }

  // ---- figures ----

  showFigures(status) {
    const rate = (name) => status.rates?.[name]?.submitted;
    const queue = status.queue ?? {};
    const dropped = count(status.dropped);
    const failed = count(status.failed);
    fill(
      this.figures,
      figure("Submitted, last 10 s", fmt.rate(rate("10s")), `1 min ${fmt.rate(rate("1m"))}, 5 min ${fmt.rate(rate("5m"))}`, "rate"),
      figure("Submitted", fmt.number(status.submitted), `${fmt.number(count(status.filtered))} held back by filters`, "submitted"),
      figure(Object.keys(status.sinks ?? {}).length > 1 ? "Delivered to all sinks" : "Delivered", fmt.number(status.delivered), `${fmt.percent(status.delivered, status.submitted - count(status.filtered))} of those due`, "delivered"),
      figure("Dropped", fmt.number(dropped), failed ? `${fmt.number(failed)} failed` : "none failed", "dropped", dropped || failed ? "bad" : null),
      figure("In flight", fmt.number(status.in_flight), status.spooled ? `${fmt.number(status.spooled)} on disk` : "none on disk", "in-flight"),
      figure("Queue", fmt.percent(queue.depth, queue.capacity), `${fmt.number(queue.depth)} of ${fmt.number(queue.capacity)}, ${fmt.bytes(queue.bytes)}`, "queue"),
    );
  }

  draw() {
    if (this.status !== null) drawPipeline(this.picture, this.status);
  }

  // ---- tables ----

  showTables(status) {
    this.sinks.show(sinksTable(status.sinks ?? {}));
    this.drops.show(reasonsTable(status));
    this.pressure.show(pressureTable(status.sinks ?? {}));
    this.diagnostics.show(diagnosticsTable(status.diagnostics ?? {}));
    this.process.show(pairs(processPairs(status)));
    const configured = JSON.stringify(status.configuration ?? {});
    if (configured !== this.configured) {
      this.configured = configured;
      const entries = Object.entries(status.configuration ?? {});
      fill(this.configuration, entries.map(([key, value]) => h("div", {}, h("dt", { class: "mono" }, clean(key, 120)), h("dd", { class: "mono" }, shownValue(value)))));
    }
  }
}

function worries(status) {
  if (status === null) return [];
  const found = [];
  const rates = status.rates?.["10s"] ?? {};
  if (status.state !== "running" && status.submitted > 0) found.push(`the engine is ${clean(status.state, 20)}`);
  if (rates.dropped > 0) found.push(`${fmt.rate(rates.dropped)} dropped in the last 10 seconds`);
  if (rates.failed > 0) found.push(`${fmt.rate(rates.failed)} failed in the last 10 seconds`);
  const { depth = 0, capacity = 0 } = status.queue ?? {};
  if (capacity && depth >= 0.8 * capacity) found.push(`the queue is ${fmt.percent(depth, capacity)} full`);
  for (const [name, sink] of Object.entries(status.sinks ?? {})) {
    if (sink.status === "failing") found.push(`sink ${clean(name, 40)} is failing${sink.last_error ? ` (${clean(sink.last_error, 60)})` : ""}`);
    else if (sink.circuit && sink.circuit !== "closed") found.push(`sink ${clean(name, 40)}: circuit ${sink.circuit}`);
    if (["high", "critical"].includes(sink.pressure?.level)) found.push(`sink ${clean(name, 40)}: pressure ${sink.pressure.level}`);
  }
  return found;
}

function count(counts) {
  return typeof counts === "number" ? counts : total(counts);
}

function figure(label, value, note, id, kind = null) {
  return h("div", { class: "figure", "data-testid": `figure-${id}` }, h("dt", {}, label), h("dd", { class: kind }, value), h("dd", { class: "note", title: note }, note));
}

/** A titled box whose content is replaced only when it changed, so that a selection or a scroll position stays. */
function panel(title, id) {
  const body = h("div");
  let before = "";
  return {
    element: h("section", { class: "panel", "data-testid": id }, h("h2", {}, title), body),
    show(content) {
      const now = content.textContent;
      if (now === before && body.childElementCount) return;
      before = now;
      const scrolled = body.firstElementChild?.scrollLeft ?? 0;
      const focused = body.contains(document.activeElement);
      fill(body, content);
      if (body.firstElementChild) {
        body.firstElementChild.scrollLeft = scrolled;
        if (focused) body.firstElementChild.focus?.();
      }
    },
  };
}

function nothing(text) {
  return h("p", { class: "muted" }, text);
}

const SINK_COLUMNS = [
  { label: "Sink" },
  { label: "State" },
  { label: "Circuit" },
  { label: "Pressure" },
  { label: "Delivered", class: "num" },
  { label: "In flight", class: "num" },
  { label: "Retried", class: "num" },
  { label: "Dropped", class: "num" },
  { label: "Failed", class: "num" },
  { label: "Spool", class: "num" },
  { label: "Latency p50", class: "num" },
  { label: "p99", class: "num" },
  { label: "Last error" },
];

function sinksTable(sinks) {
  const rows = Object.entries(sinks).map(([name, sink]) => {
    const dropped = count(sink.dropped);
    const failed = count(sink.failed);
    return h(
      "tr",
      { "data-testid": `sink-${name}` },
      h("th", { scope: "row" }, clean(name, 60)),
      h("td", { class: { ok: "good", failing: "bad" }[sink.status] ?? "muted" }, clean(sink.status, 20) || "\u2013"),
      h("td", { class: sink.circuit && sink.circuit !== "closed" ? "bad" : null }, clean(sink.circuit, 20) || "\u2013"),
      h("td", {}, clean(sink.pressure?.level, 20) || "\u2013"),
      number(sink.delivered),
      number(sink.in_flight),
      number(retries(sink)),
      number(dropped, dropped ? "bad" : ""),
      number(failed, failed ? "bad" : ""),
      h("td", { class: "num" }, sink.spool ? `${fmt.number(sink.spool.events)} \u00b7 ${fmt.bytes(sink.spool.bytes)}` : "\u2013"),
      h("td", { class: "num" }, fmt.duration(sink.latency?.p50_ms)),
      h("td", { class: "num" }, fmt.duration(sink.latency?.p99_ms)),
      h("td", { class: "mono text last" }, clean(sink.last_error ?? sink.health?.last_error, 120) || "\u2013"),
    );
  });
  return rows.length ? table(SINK_COLUMNS, rows, { caption: "Sinks" }) : nothing("No sinks yet: the engine starts with the first event.");
}

/** How often a sink tried again: its own count. */
export function retries(sink) {
  return sink.retried ?? sink.own?.retries;
}

function number(value, more = "") {
  return h("td", { class: `num ${more}` }, fmt.number(value));
}

const REASON_COLUMNS = [{ label: "What" }, { label: "Where" }, { label: "Reason" }, { label: "Events", class: "num" }];

function reasonsTable(status) {
  const rows = [];
  const add = (what, where, reason, events, kind) => {
    if (!(events > 0)) return;
    const label = Object.hasOwn(REASONS, reason) ? REASONS[reason] : clean(reason, 80).replaceAll("_", " ");
    rows.push(h("tr", {}, h("td", { class: kind }, what), h("td", {}, where), h("td", {}, label), number(events)));
  };
  for (const [what, key, kind] of [["dropped", "dropped", "bad"], ["failed", "failed", "bad"], ["filtered", "filtered", "muted"]]) {
    for (const { sink, reason, events } of placed(status, key)) add(what, sink === null ? "before the sinks" : clean(sink, 60), reason, events, kind);
  }
  for (const [reason, events] of Object.entries(status.withheld ?? {})) add("not logged", "edge", reason, events, "muted");
  return rows.length ? table(REASON_COLUMNS, rows, { caption: "Reasons" }) : nothing("Nothing was dropped, failed or held back so far.");
}

const PRESSURE_COLUMNS = [{ label: "Time" }, { label: "Sink" }, { label: "From" }, { label: "To" }];

function pressureTable(sinks) {
  const changes = Object.entries(sinks).flatMap(([name, sink]) => (sink.pressure?.history ?? []).map((change) => ({ name, ...change })));
  const adaptive = Object.values(sinks).some((sink) => sink.pressure);
  if (!changes.length) return nothing(adaptive ? "The pressure has not changed since the start." : "Not watched: with_adaptive() turns it on.");
  changes.sort((one, other) => (one.time < other.time ? 1 : -1));
  const rows = changes.slice(0, 8).map((change) => [fmt.dateTime(change.time), clean(change.name, 60), clean(change.from, 20), clean(change.to, 20)]);
  return table(PRESSURE_COLUMNS, rows, { caption: "Pressure" });
}

const DIAGNOSTIC_COLUMNS = [{ label: "Kind" }, { label: "Times", class: "num" }, { label: "Last" }];

function diagnosticsTable({ counts = {}, recent = [] }) {
  const last = {};
  for (const report of recent) last[report.kind] = report.time;
  const rows = Object.entries(counts).map(([kind, times]) => [h("span", { class: "mono" }, clean(kind, 80)), fmt.number(times), last[kind] ? fmt.dateTime(last[kind]) : "\u2013"]);
  return rows.length ? table(DIAGNOSTIC_COLUMNS, rows, { caption: "Diagnostics" }) : nothing("Nothing.");
}

function processPairs(status) {
  const { recent, recorder, tail } = status;
  return [
    ["Figures of", clean(status.scope, 60)],
    ["Process id", String(status.pid)],
    ["fapilog", clean(status.version, 40)],
    ["Up for", fmt.span(status.uptime_seconds)],
    ["Highest queue depth", fmt.number(status.queue?.high_watermark)],
    ["When the queue is full", clean(status.queue?.policy, 20)],
    recent ? ["Events kept for this page", `${fmt.number(recent.events)} in ${fmt.bytes(recent.bytes)} of ${fmt.bytes(recent.max_bytes)}`] : null,
    recorder ? ["Flight recorder", `${clean(recorder.level, 20)} on ${clean((recorder.on ?? []).join(", "), 60)}; ${fmt.number(recorder.released)} released, ${fmt.number(recorder.discarded)} discarded`] : null,
    tail ? ["Open tails", `${fmt.number(tail.clients)} of ${fmt.number(tail.max_clients)}`] : null,
    status.journal ? ["Journal", `${fmt.bytes(status.journal.bytes)}, ${fmt.bytes(status.journal.waiting_bytes)} waiting`] : null,
  ].filter(Boolean);
}

function pairs(entries) {
  return h("dl", { class: "pairs" }, entries.map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)]));
}

function shownValue(value) {
  if (value === null) return h("span", { class: "muted" }, "none");
  if (Array.isArray(value) && value.every((item) => typeof item !== "object")) return cleanLines(value.join(", "), 400) || h("span", { class: "muted" }, "none");
  return clean(value, 400);
}
