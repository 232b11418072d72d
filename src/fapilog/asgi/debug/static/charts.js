/* The four charts of the overview, drawn by uPlot; which sees only figures and names from here, no event. */
import uPlot from "./vendor/uPlot.esm.js";
import { LEVELS, clean, fill, fmt, h } from "./lib.js";

const HEIGHT = 150;
const FEW = 30; // points that are drawn as such: a line between two of them would hardly be seen
const SHORTEST_SECONDS = 60; // of a process that has just started
const WHOLE = [1, 2, 5].flatMap((step) => [step, step * 10, step * 100, step * 1000, step * 1e4, step * 1e5, step * 1e6]).sort((one, other) => one - other);
const WINDOWS = { "5 min": 300, "15 min": 900 };
const SINK_COLORS = ["level-info", "level-debug", "good", "level-warning", "level-critical", "level-other"];

// ---- what each chart shows: a label and a colour for each line, and how its points become columns of figures --------

const CHARTS = [
  {
    id: "rates",
    title: "Events a second after filters, by level",
    stacked: true,
    least: 1,
    lines: (points) => {
      const seen = new Set(points.flatMap((point) => Object.keys(point.rates)));
      const known = LEVELS.filter((level) => seen.has(level)).reverse();
      const others = [...seen].filter((level) => !LEVELS.includes(level)).sort();
      return [...known, ...others].map((level) => ({
        label: level,
        color: LEVELS.includes(level) ? `level-${level.toLowerCase()}` : "level-other",
        of: (point) => point.rates[level] ?? 0,
      }));
    },
    show: fmt.rate,
  },
  {
    id: "depth",
    title: "Queue depth",
    area: true,
    whole: true,
    least: 10,
    lines: () => [{ label: "events waiting", color: "accent", of: (point) => point.depth }],
    show: fmt.number,
  },
  {
    id: "drops",
    title: "Dropped and failed, a second",
    area: true,
    least: 1,
    lines: () => [
      { label: "dropped", color: "bad", of: (point) => point.dropped },
      { label: "failed", color: "warn", of: (point) => point.failed },
    ],
    show: fmt.rate,
  },
  {
    id: "latency",
    title: "Delivery latency, p99 by sink",
    lines: (points) => {
      const names = [...new Set(points.flatMap((point) => Object.keys(point.latency)))];
      return names.map((name, index) => ({
        label: clean(name, 40),
        color: SINK_COLORS[index % SINK_COLORS.length],
        of: (point) => point.latency[name] ?? null,
      }));
    },
    show: fmt.duration,
    empty: "No batch delivered since this page was opened",
  },
];

export class Charts {
  constructor(app) {
    this.app = app;
    this.seconds = 300;
    this.charts = CHARTS.map((kind) => new Chart(kind, app));
    this.buttons = Object.entries(WINDOWS).map(([label, seconds]) =>
      h("button", { type: "button", class: "quiet small", "aria-pressed": String(seconds === this.seconds), onclick: () => this.choose(seconds) }, label),
    );
    this.charts[0].head.append(h("span", { role: "group", "aria-label": "Time shown" }, this.buttons));
    this.element = h("div", { class: "charts" }, this.charts.map((chart) => chart.element));
    this.off = app.theme.onChange(() => {
      for (const chart of this.charts) chart.forget();
      this.show();
    });
    this.watcher = new ResizeObserver(() => this.charts.forEach((chart) => chart.fit()));
    this.watcher.observe(this.element);
  }

  choose(seconds) {
    this.seconds = seconds;
    for (const [index, each] of Object.values(WINDOWS).entries()) this.buttons[index].setAttribute("aria-pressed", String(each === seconds));
    this.show();
  }

  show() {
    const all = this.app.series.points;
    const now = all.at(-1)?.time ?? Date.now() / 1000;
    const points = all.filter((point) => point.time >= now - this.seconds);
    const from = Math.max(now - this.seconds, Math.min(points[0]?.time ?? now, now - SHORTEST_SECONDS));
    for (const chart of this.charts) chart.show(points, from, now);
  }

  end() {
    this.off();
    this.watcher.disconnect();
    for (const chart of this.charts) chart.forget();
  }
}

class Chart {
  constructor(kind, app) {
    this.kind = kind;
    this.app = app;
    this.plot = null;
    this.labels = "";
    this.raw = [];
    this.lines = [];
    this.range = [0, 1];
    this.head = h("div", { class: "panel-head" }, h("h2", {}, kind.title));
    this.box = h("div", { class: "plot", role: "img", "aria-label": kind.title });
    this.legend = h("ul", { class: "legend" });
    this.element = h("section", { class: "panel chart", "data-testid": `chart-${kind.id}` }, this.head, this.box, this.legend);
  }

  show(points, from, to) {
    this.range = [from, to];
    this.lines = this.kind.lines(points);
    this.raw = this.lines.map((line) => points.map(line.of));
    const labels = this.lines.map((line) => line.label).join("\n");
    const empty = points.length < 2 || !this.raw.some((column) => column.some((figure) => figure !== null));
    if (empty) {
      this.forget();
      fill(this.box, h("p", { class: "nothing" }, this.kind.empty ?? "No figures yet"));
      fill(this.legend);
      return;
    }
    if (this.plot === null || labels !== this.labels) {
      this.forget();
      this.labels = labels;
      this.make([points.map((point) => point.time), ...this.columns()]);
    } else this.plot.setData([points.map((point) => point.time), ...this.columns()]);
    this.name();
  }

  /** The figures to draw: stacked ones on top of each other, the most severe at the bottom. */
  columns() {
    if (!this.kind.stacked) return this.raw;
    const sums = [];
    for (const column of this.raw) {
      const below = sums.at(-1);
      sums.push(column.map((figure, index) => figure + (below ? below[index] : 0)));
    }
    return sums;
  }

  make(data) {
    const color = (name) => this.app.theme.color(name);
    const axis = { stroke: color("muted"), font: "11px system-ui, sans-serif", grid: { stroke: color("grid"), width: 1 }, ticks: { stroke: color("grid"), width: 1, size: 4 } };
    fill(this.box);
    this.plot = new uPlot(
      {
        width: Math.max(200, this.box.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        padding: [8, 32, 0, 0],
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
        scales: { x: { time: true, range: () => this.range }, y: { range: (plot, low, high) => [0, Math.max(high * 1.1, this.kind.least ?? 0.001)] } },
        axes: [
          { ...axis, size: 26, gap: 3, space: 70, values: (plot, splits, at, space, step) => splits.map((second) => clock(second, step)) },
          { ...axis, size: 52, gap: 4, space: 28, incrs: this.kind.whole ? WHOLE : undefined, values: (plot, splits) => splits.map((figure) => (this.kind.id === "latency" ? fmt.duration(figure) : fmt.short(figure))) },
        ],
        series: [{}, ...this.lines.map((line) => this.seriesOf(line, color))],
        bands: this.kind.stacked ? this.lines.slice(1).map((line, index) => ({ series: [index + 2, index + 1], fill: faint(color(line.color)) })) : [],
        hooks: { setCursor: [(plot) => this.name(plot.cursor.idx)] },
      },
      data,
      this.box,
    );
  }

  seriesOf(line, color) {
    const stroke = color(line.color);
    const filled = this.kind.stacked || this.kind.area;
    const dotted = (plot, at) => !filled && plot.data[at].reduce((known, figure) => known + (figure !== null), 0) < FEW;
    return { label: line.label, stroke, width: 1.5, spanGaps: false, points: { show: dotted, size: 4, fill: stroke }, fill: filled ? faint(stroke) : undefined };
  }

  /** Say what each line is, and its figure below the pointer or else the last one. */
  name(index) {
    const entries = this.lines.map((line, at) => {
      const column = this.raw[at] ?? [];
      const figure = column[index ?? column.length - 1];
      return h("li", {}, h("span", { class: "swatch", style: { "--swatch": `var(--${line.color})` } }), line.label, h("b", {}, this.kind.show(figure)));
    });
    fill(this.legend, entries);
  }

  fit() {
    const width = this.box.clientWidth;
    if (this.plot !== null && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
  }

  forget() {
    this.plot?.destroy();
    this.plot = null;
  }
}

function clock(second, step) {
  return fmt.time(new Date(second * 1000).toISOString()).slice(0, step < 60 ? 8 : 5);
}

function faint(color) {
  return color.replace(/^rgb\((.*)\)$/, "rgba($1, 0.22)");
}
