// One connection to the live tail: server-sent events, read with fetch. EventSource would do, but it hides the status
// of a refusal (401, 503 with Retry-After) and a new one cannot say which event it saw last.

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;
const SILENCE_MS = 45000; // the server pings every 15 seconds: nobody is there any more
const SLICE_MS = 8; // reads are taken in slices of this length, so that keys and scrolling come through
const ACCEPT = "text/event-stream";

const breath = () => new Promise((resolve) => setTimeout(resolve));

/** Splits what arrives into messages: onMessage(kind, lines, id). One that is cut off in the middle never was. */
export class Parser {
  constructor(onMessage) {
    this.onMessage = onMessage;
    this.rest = "";
    this.searched = 0;
    this.kind = "";
    this.data = [];
    this.id = null;
  }

  feed(text) {
    const whole = this.rest + text;
    let start = 0;
    let end = whole.indexOf("\n", this.searched);
    while (end >= 0) {
      this.line(whole.slice(start, whole[end - 1] === "\r" && end > start ? end - 1 : end));
      start = end + 1;
      end = whole.indexOf("\n", start);
    }
    this.rest = whole.slice(start);
    this.searched = this.rest.length;
  }

  line(line) {
    if (line === "") {
      this.finish();
    } else if (line.startsWith("data:")) {
      this.data.push(line.slice(line[5] === " " ? 6 : 5));
    } else if (line.startsWith("event:")) {
      this.kind = line.slice(6).trim();
    } else if (line.startsWith("id:")) {
      this.id = line.slice(3).trim();
    }
  }

  finish() {
    this.onMessage(this.kind, this.data, this.id); // also an empty one: its id is where to go on from
    this.kind = "";
    this.data = [];
    this.id = null;
  }
}

/**
 * Keeps one tail open. `on` has lines(texts), message(kind, data) and state(name, info).
 *
 * States: connecting, live, reconnecting (by itself, in info.seconds), refused (info.status, tried again by itself where
 * that can help), cut (the server has ended it as too slow: it takes a click), closed.
 */
export class Tail {
  constructor(url, on) {
    this.url = url;
    this.on = on;
    this.lastId = null;
    this.wait = FIRST_WAIT_MS;
    this.timer = 0;
    this.silence = 0;
    this.abort = null;
    this.closed = false;
  }

  async open() {
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.on.state("connecting", {});
    let ended = null;
    try {
      const headers = this.lastId ? { Accept: ACCEPT, "Last-Event-ID": this.lastId } : { Accept: ACCEPT };
      const response = await fetch(this.url, { headers, signal: abort.signal, cache: "no-store", credentials: "same-origin" });
      if (!response.ok || !(response.headers.get("content-type") || "").startsWith(ACCEPT)) {
        const answer = await response.json().catch(() => null);
        abort.abort();
        if (!this.closed && this.abort === abort) this.refused(response, answer?.error);
        return;
      }
      this.wait = FIRST_WAIT_MS;
      this.on.state("live", {});
      ended = await this.read(response.body.getReader(), abort);
    } catch {
      // Cut off in the middle, or nobody there: the same as an end without a word.
    }
    if (!this.closed && this.abort === abort) this.over(ended);
  }

  async read(reader, abort) {
    let ended = null;
    const parser = new Parser((kind, lines, id) => {
      if (id !== null) this.lastId = id;
      if (kind === "events") this.on.lines(lines);
      else if (kind === "end") ended = object(lines.join("\n"));
      else if (kind) this.on.message(kind, object(lines.join("\n")));
    });
    const decoder = new TextDecoder();
    let since = performance.now();
    for (;;) {
      clearTimeout(this.silence);
      this.silence = setTimeout(() => abort.abort(), SILENCE_MS);
      const { done, value } = await reader.read();
      if (done) return ended;
      parser.feed(decoder.decode(value, { stream: true }));
      if (performance.now() - since > SLICE_MS) {
        await breath();
        since = performance.now();
      }
    }
  }

  over(ended) {
    const reason = ended?.reason || "";
    if (ended) this.on.message("end", ended);
    if (reason === "slow" || reason === "clients") this.on.state("cut", { reason, lost: ended.lost });
    else this.later(reason === "renew" ? 0 : this.wait, "reconnecting", { reason });
  }

  refused(response, error) {
    const info = { status: response.status, error };
    if (response.status < 500 && response.status !== 429) this.on.state("refused", info);
    else this.later((Number(response.headers.get("retry-after")) || 0) * 1000 || this.wait, "refused", info);
  }

  later(wait, state, info) {
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
    this.on.state(state, { ...info, seconds: Math.ceil(wait / 1000) });
    this.timer = setTimeout(() => this.open(), wait);
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.abort?.abort();
  }
}

function object(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" ? value : {};
  } catch {
    return {};
  }
}
