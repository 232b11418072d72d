/* What the charts draw: the server's history at start, then one point for each poll. Kept while other views are shown.

   A point: {time (s), rates: {level: events/s}, depth, dropped, failed, latency: {sink: p99 ms}}
*/
import { total } from "./lib.js";

const KEEP_SECONDS = 15 * 60;
const POLL_SECONDS = 2.5;
const SHORTEST_SECONDS = 0.5; // a rate over less is noise
const IDLE_SECONDS = 3; // samples come about once a second while events come: a longer gap was silence

export class Series {
  constructor() {
    this.points = [];
    this.before = null;
  }

  /** Take the server's running totals: of the time before this page was opened, or was not looked at. */
  start(samples) {
    const points = [];
    let before = null;
    for (const sample of samples) {
      const now = { ...sample, seconds: Date.parse(sample.time) / 1000 };
      if (!Number.isFinite(now.seconds)) continue;
      if (before !== null && now.seconds - before.seconds < SHORTEST_SECONDS) continue;
      if (before !== null) points.push(...between(before, now));
      before = now;
    }
    const polled = this.points.filter((point) => point.polled);
    let next = 0; // both are in order of time: what the polls saw stands, the history fills what they missed
    const missed = points.filter((point) => {
      while (next < polled.length && polled[next].time < point.time - POLL_SECONDS) next += 1;
      return next >= polled.length || polled[next].time > point.time + POLL_SECONDS;
    });
    this.points = [...missed, ...polled].sort((one, other) => one.time - other.time);
  }

  /** Take one polled status; tells whether polls were missed since the last one, which the history can fill. */
  add(status) {
    const seconds = Date.parse(status.time) / 1000;
    if (!Number.isFinite(seconds) || seconds <= (this.points.at(-1)?.time ?? 0)) return false;
    const totals = { pid: status.pid, seconds, dropped: sum(status.dropped), failed: sum(status.failed) };
    const before = this.before?.pid === status.pid ? this.before : null;
    this.before = totals;
    const span = before === null ? 0 : seconds - before.seconds;
    const latency = {};
    for (const [name, sink] of Object.entries(status.sinks ?? {})) latency[name] = sink.latency?.p99_ms ?? null;
    this.points.push({
      polled: true,
      time: seconds,
      rates: status.rates?.["10s"]?.levels ?? {},
      depth: status.queue?.depth ?? 0,
      dropped: span > 0 ? Math.max(0, totals.dropped - before.dropped) / span : 0,
      failed: span > 0 ? Math.max(0, totals.failed - before.failed) / span : 0,
      latency,
    });
    const missed = span > 5 * POLL_SECONDS;
    while (this.points.length && this.points[0].time < seconds - KEEP_SECONDS) this.points.shift();
    return missed;
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
