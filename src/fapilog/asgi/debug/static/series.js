/* What the charts draw: the server's history at start, then one point for each poll. Kept while other views are shown.

   A point: {time (s), rates: {level: events/s}, depth, dropped, failed, latency: {sink: p99 ms}}
*/
import { total } from "./lib.js";

const KEEP_SECONDS = 15 * 60;
const POLL_SECONDS = 2.5;
const SHORTEST_SECONDS = 0.5; // a rate over less is noise
const RATE_SECONDS = 10; // what the server's rates are over
const IDLE_SECONDS = 3; // samples come about once a second while events come: a longer gap was silence

export class Series {
  constructor() {
    this.points = [];
    this.before = null;
  }

  /** Take the server's running totals: of the time before this page was opened, or was not looked at. */
  start(samples) {
    const taken = [];
    for (const sample of samples) {
      const seconds = Date.parse(sample.time) / 1000;
      if (seconds - (taken.at(-1)?.seconds ?? 0) >= SHORTEST_SECONDS) taken.push({ ...sample, seconds });
    }
    const points = taken.slice(1).flatMap((_, index) => between(taken, index + 1));
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
    const last = this.points.at(-1)?.time ?? 0;
    if (seconds < last - POLL_SECONDS) this.points = []; // the clock was set back
    else if (!(seconds > last)) return false;
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

/** The points from one sample to the next. */
function between(samples, index) {
  const [before, now] = samples.slice(index - 1, index + 1);
  const gap = now.seconds - before.seconds;
  const span = gap > IDLE_SECONDS ? 1 : gap;
  const point = {
    time: now.seconds,
    rates: ratesAt(samples, index, now.seconds),
    depth: now.depth ?? 0,
    dropped: Math.max(0, sum(now.dropped) - sum(before.dropped)) / span,
    failed: Math.max(0, sum(now.failed) - sum(before.failed)) / span,
    latency: {},
  };
  if (gap <= IDLE_SECONDS) return [point];
  const silent = (time) => ({ time, rates: ratesAt(samples, index, time), depth: before.depth ?? 0, dropped: 0, failed: 0, latency: {} });
  const first = before.seconds + 1; // what came after that sample has come by then
  const times = [first, first + RATE_SECONDS].filter((time) => time < now.seconds - 1);
  return [...times.map(silent), silent(now.seconds - 1), point];
}

/** Rates by level over the last seconds, as the server has them: so that the chart does not change where polls begin. */
function ratesAt(samples, index, time) {
  const since = time - RATE_SECONDS;
  let place = index;
  while (place > 0 && samples[place - 1].seconds >= since) place -= 1;
  const after = samples[place];
  const before = samples[place - 1] ?? after;
  const gap = after.seconds - before.seconds;
  const grown = gap > 0 ? Math.min(1, (since - before.seconds) / (gap > IDLE_SECONDS ? 1 : gap)) : 1;
  const span = Math.max(1, Math.min(RATE_SECONDS, time - samples[0].seconds));
  const rates = {};
  for (const [level, count] of Object.entries(samples[index].levels ?? {})) {
    const [one, other] = [before, after].map((sample) => sample.levels?.[level] ?? 0);
    rates[level] = Math.max(0, count - one - grown * (other - one)) / span;
  }
  return rates;
}
