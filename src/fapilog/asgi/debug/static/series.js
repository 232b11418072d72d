/* What the charts draw: the server's history at start, then one point for each poll. Kept while other views are shown.

   A point: {time (s), rates: {level: events/s}, depth, dropped, failed, latency: {sink: p99 ms}}
*/
import { total } from "./lib.js";

const KEEP_SECONDS = 15 * 60;
const IDLE_SECONDS = 3; // samples come about once a second while events come: a longer gap was silence

export class Series {
  constructor() {
    this.points = [];
    this.before = null;
  }

  /** Take the running totals of the time before this page was opened. */
  start(samples) {
    const points = [];
    let before = null;
    for (const sample of samples) {
      const now = { ...sample, seconds: Date.parse(sample.time) / 1000 };
      if (!Number.isFinite(now.seconds)) continue;
      if (before !== null && now.seconds > before.seconds) points.push(...between(before, now));
      before = now;
    }
    const first = this.points[0]?.time ?? Infinity;
    this.points = [...points.filter((point) => point.time < first), ...this.points];
  }

  /** Take one polled status. */
  add(status) {
    const seconds = Date.parse(status.time) / 1000;
    if (!Number.isFinite(seconds) || seconds <= (this.points.at(-1)?.time ?? 0)) return;
    const totals = { pid: status.pid, seconds, dropped: sum(status.dropped), failed: sum(status.failed) };
    const before = this.before?.pid === status.pid ? this.before : null;
    this.before = totals;
    const span = before === null ? 0 : seconds - before.seconds;
    const latency = {};
    for (const [name, sink] of Object.entries(status.sinks ?? {})) latency[name] = sink.latency?.p99_ms ?? null;
    this.points.push({
      time: seconds,
      rates: status.rates?.["10s"]?.levels ?? {},
      depth: status.queue?.depth ?? 0,
      dropped: span > 0 ? Math.max(0, totals.dropped - before.dropped) / span : 0,
      failed: span > 0 ? Math.max(0, totals.failed - before.failed) / span : 0,
      latency,
    });
    while (this.points.length && this.points[0].time < seconds - KEEP_SECONDS) this.points.shift();
  }
}

function sum(counts) {
  return typeof counts === "number" ? counts : total(counts);
}

function between(before, now) {
  const gap = now.seconds - before.seconds;
  const span = gap > IDLE_SECONDS ? 1 : gap;
  const rates = {};
  for (const [level, count] of Object.entries(now.levels ?? {})) rates[level] = Math.max(0, count - (before.levels?.[level] ?? 0)) / span;
  const point = {
    time: now.seconds,
    rates,
    depth: now.depth ?? 0,
    dropped: Math.max(0, sum(now.dropped) - sum(before.dropped)) / span,
    failed: Math.max(0, sum(now.failed) - sum(before.failed)) / span,
    latency: {},
  };
  if (gap <= IDLE_SECONDS) return [point];
  const silent = (time) => ({ time, rates: {}, depth: before.depth ?? 0, dropped: 0, failed: 0, latency: {} });
  return [silent(before.seconds + 1), silent(now.seconds - 1), point];
}
