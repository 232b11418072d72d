/* The pipeline as a picture: queue, stages, and a branch to each sink, with live figures. Wide: left to right; narrow:
   from top to bottom. The tables below the picture say the same in words. */
import { clean, fill, fmt, placed, svg } from "./lib.js";

const NARROW = 620;
const MAX_SINKS = 12;
const LINE = 16;
const PAD = 12;

/** Draw the status into an element, as wide as that is. */
export function drawPipeline(element, status) {
  const width = Math.floor(element.clientWidth);
  if (width < 100) return;
  const sinks = Object.entries(status.sinks ?? {});
  const shown = sinks.slice(0, MAX_SINKS).map(([name, sink]) => sinkBox(status, name, sink));
  if (sinks.length > MAX_SINKS) shown.push({ name: `and ${sinks.length - MAX_SINKS} more`, lines: [], busy: false });
  if (!shown.length) shown.push({ name: "no sink yet", lines: [["the engine starts with the first event"]], lamp: "closed", busy: false });
  const picture = width < NARROW ? narrow(width, queueBox(status), stagesBox(status), shown) : wide(width, queueBox(status), stagesBox(status), shown);
  fill(element, picture);
}

// ---- what each box says ----------------------------------------------------------------------------------------------

function queueBox(status) {
  const { depth = 0, capacity = 0, bytes, max_bytes: maxBytes, high_watermark: high } = status.queue ?? {};
  const part = capacity ? Math.min(1, depth / capacity) : 0;
  const dropped = lost(status, "dropped", null);
  return {
    name: "Queue",
    lines: [
      [`${fmt.number(depth)} of ${fmt.number(capacity)}`],
      [`${fmt.bytes(bytes)} of ${fmt.bytes(maxBytes)}`],
      [`highest ${fmt.number(high)}`],
      [`${fmt.number(dropped)} dropped`, dropped ? "bad" : ""],
    ],
    part,
    kind: part >= 0.95 ? "failing" : part >= 0.8 ? "watch" : "",
    busy: (status.rates?.["10s"]?.submitted ?? 0) > 0,
  };
}

function stagesBox(status) {
  const reasons = Object.entries(status.filtered ?? {}).filter(([, events]) => events > 0);
  reasons.sort((one, other) => other[1] - one[1]);
  const lines = reasons.slice(0, 4).map(([reason, events]) => [`${clean(reason, 18).replaceAll("_", " ")} ${fmt.number(events)}`]);
  if (reasons.length > 4) lines.push([`and ${reasons.length - 4} more reasons`]);
  return {
    name: "Enrich, filter, redact",
    lines: [[`${fmt.rate(status.rates?.["10s"]?.submitted)} in`], ...(lines.length ? [["held back:"], ...lines] : [["nothing held back"]])],
    busy: (status.rates?.["10s"]?.submitted ?? 0) > (status.rates?.["10s"]?.filtered ?? 0),
  };
}

function lost(status, key, name) {
  return placed(status, key).reduce((sum, { sink, events }) => sum + (sink === name ? events : 0), 0);
}

function sinkBox(status, name, sink) {
  const broken = sink.status === "failing" || sink.circuit === "open";
  const worried = sink.circuit === "half-open" || ["high", "critical"].includes(sink.pressure?.level);
  const kind = broken ? "failing" : worried ? "watch" : "";
  const words = [sink.status ?? "", sink.circuit ? `circuit ${sink.circuit}` : "", sink.pressure?.level ? `pressure ${sink.pressure.level}` : ""];
  const moving = [`${fmt.number(sink.delivered)} delivered`, `${fmt.number(sink.in_flight)} in flight`];
  const gone = lost(status, "dropped", name) + lost(status, "failed", name);
  const more = [
    sink.latency ? `p50 ${fmt.duration(sink.latency.p50_ms)}, p99 ${fmt.duration(sink.latency.p99_ms)}` : "",
    sink.retried ? `${fmt.number(sink.retried)} retried` : "",
    sink.spool ? `spool ${fmt.short(sink.spool.events)}, ${fmt.bytes(sink.spool.bytes)}` : "",
  ].filter(Boolean);
  const lines = [[words.filter(Boolean).map((word) => clean(word, 30)).join(" \u00b7 "), kind === "failing" ? "bad" : kind === "watch" ? "warn" : ""], [moving.join(" \u00b7 ")]];
  if (more.length) lines.push([more.join(" \u00b7 ")]);
  if (gone) lines.push([`${fmt.number(gone)} dropped or failed`, "bad"]);
  return { name: clean(name, 40), lines, kind, lamp: sink.status === "closed" ? "closed" : kind || "ok", busy: (sink.in_flight ?? 0) > 0 && !broken };
}

// ---- boxes and wires -------------------------------------------------------------------------------------------------

function heightOf(box) {
  return PAD * 2 + LINE * (box.lines.length + 1) + (box.part === undefined ? 0 : 12);
}

function drawBox(box, x, y, width, height) {
  const parts = [svg("rect", { class: `box ${box.kind ?? ""}`, x, y, width, height, rx: 6 })];
  let left = x + PAD;
  if (box.lamp) {
    parts.push(svg("circle", { class: `lamp ${box.lamp}`, cx: left + 4, cy: y + PAD + 7, r: 4 }));
    left += 14;
  }
  parts.push(svg("text", { class: "name", x: left, y: y + PAD + 11 }, short(box.name, (x + width - PAD - left) / 7.4)));
  let baseline = y + PAD + 11;
  if (box.part !== undefined) {
    const full = width - 2 * PAD;
    parts.push(svg("rect", { class: "track", x: x + PAD, y: baseline + 8, width: full, height: 5, rx: 2.5 }));
    if (box.part > 0) parts.push(svg("rect", { class: `meter ${{ failing: "bad", watch: "warn" }[box.kind] ?? ""}`, x: x + PAD, y: baseline + 8, width: Math.max(3, full * box.part), height: 5, rx: 2.5 }));
    baseline += 12;
  }
  for (const [text, kind] of box.lines) {
    baseline += LINE;
    parts.push(svg("text", { class: `line ${kind ?? ""}`, x: x + PAD, y: baseline }, short(text, (width - 2 * PAD) / 6.1)));
  }
  return parts;
}

function short(text, characters) {
  const most = Math.max(6, Math.floor(characters));
  return text.length > most ? `${text.slice(0, most - 1)}\u2026` : text;
}

function wire(path, tip, busy, upright = false) {
  const [x, y] = tip;
  const points = upright ? `${x},${y} ${x - 4},${y - 7} ${x + 4},${y - 7}` : `${x},${y} ${x - 7},${y - 4} ${x - 7},${y + 4}`;
  return [svg("path", { class: busy ? "wire busy" : "wire", d: path }), svg("polygon", { class: "tip", points })];
}

function frame(width, height, parts) {
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "Events go from the queue through the stages to each sink" },
    parts,
  );
}

function wide(width, queue, stages, sinks) {
  const gap = Math.min(90, width * 0.06);
  const first = Math.min(260, width * 0.21);
  const second = Math.min(300, width * 0.25);
  const third = width - first - second - 2 * gap;
  const columns = sinks.length > 3 && third > 560 ? 2 : 1;
  const rows = Math.ceil(sinks.length / columns);
  const each = Math.max(...sinks.map(heightOf));
  const height = Math.max(rows * each + (rows - 1) * 10, heightOf(queue), heightOf(stages));
  const middle = height / 2;
  const top = (box) => middle - heightOf(box) / 2;
  const parts = [
    wire(`M${first},${middle} H${first + gap - 5}`, [first + gap, middle], queue.busy),
    drawBox(queue, 0, top(queue), first, heightOf(queue)),
    drawBox(stages, first + gap, top(stages), second, heightOf(stages)),
  ];
  const from = first + gap + second;
  const start = (height - (rows * each + (rows - 1) * 10)) / 2;
  const inner = columns === 2 ? (third - 10) / 2 : third;
  sinks.forEach((box, index) => {
    const y = start + (index % rows) * (each + 10);
    const x = from + gap + Math.floor(index / rows) * (inner + 10);
    if (x === from + gap) {
      const target = y + each / 2;
      const bend = from + gap / 2;
      parts.push(wire(`M${from},${middle} C${bend},${middle} ${bend},${target} ${x - 5},${target}`, [x, target], stages.busy && box.kind !== "failing"));
    }
    parts.push(drawBox(box, x, y, inner, each));
  });
  return frame(width, height, parts);
}

function narrow(width, queue, stages, sinks) {
  const parts = [];
  const gap = 22;
  let y = 0;
  const add = (box, x, busy) => {
    const height = heightOf(box);
    if (y > 0 && x === 0) {
      parts.push(wire(`M${width / 2},${y} V${y + gap - 5}`, [width / 2, y + gap], busy, true));
      y += gap;
    }
    parts.push(drawBox(box, x, y, width - x, height));
    y += height;
  };
  add(queue, 0, false);
  add(stages, 0, queue.busy);
  const rail = y;
  y += gap - 10;
  for (const box of sinks) {
    y += 10;
    const target = y + heightOf(box) / 2;
    parts.push(wire(`M10,${rail} V${target} H${22}`, [28, target], stages.busy && box.kind !== "failing"));
    add(box, 28, false);
  }
  return frame(width, y, parts);
}
