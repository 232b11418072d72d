// The events that the page holds: lines as they came, bounded in number and in characters.

import { parsed } from "./json.js";

export const MAX_EVENTS = 5000;
export const MAX_CHARS = 32 * 1024 * 1024;
const WHOLE = 16 * 1024; // a longer line is not parsed for its row: its head has all that a row shows
const HEAD = 2048;
const HEAD_PATTERN = /^\{"timestamp":"([^"]*)","level":"([^"]*)","logger":"((?:[^"\\]|\\.)*)","message":"((?:[^"\\]|\\.)*)/;

/** A queue that lets the oldest go. Entries are {number, line, note, row}: numbers rise by one, row is for whoever shows it. */
export class Ring {
  constructor(maxEvents = MAX_EVENTS, maxChars = MAX_CHARS) {
    this.maxEvents = maxEvents;
    this.maxChars = maxChars;
    this.next = 0;
    this.clear();
  }

  clear() {
    this.entries = [];
    this.head = 0;
    this.chars = 0;
    this.gone = 0;
  }

  get length() {
    return this.entries.length - this.head;
  }

  get full() {
    return this.length >= this.maxEvents || this.chars >= this.maxChars;
  }

  at(index) {
    return this.entries[this.head + index];
  }

  /** Appends a line; a note is a line of ours between the events. */
  push(line, note = false) {
    this.entries.push({ number: this.next, line, note, row: null });
    this.next += 1;
    this.chars += line.length;
    while (this.length > 1 && (this.length > this.maxEvents || this.chars > this.maxChars)) this.shift();
  }

  shift() {
    const entry = this.entries[this.head];
    this.entries[this.head] = undefined;
    this.head += 1;
    this.chars -= entry.line.length;
    this.gone += 1;
    if (this.head > 1024 && this.head * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.head);
      this.head = 0;
    }
  }

  /** Moves everything to the end of another ring. */
  pour(into) {
    for (let index = this.head; index < this.entries.length; index += 1) into.push(this.entries[index].line, this.entries[index].note);
    this.clear();
  }
}

/** The whole event of a line, or null if it cannot be read. */
export function parse(line) {
  try {
    const value = parsed(line);
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** What a row needs of a line. Of a long one only the beginning is looked at, whatever it holds. */
export function summary(line) {
  if (line.length <= WHOLE) {
    const event = parse(line);
    if (event) return { event, long: false };
  }
  const found = HEAD_PATTERN.exec(line.slice(0, HEAD));
  if (!found) return { event: { message: line.slice(0, HEAD) }, long: true };
  const [, timestamp, level, logger, message] = found;
  return { event: { timestamp, level, logger: unescaped(logger), message: unescaped(message) }, long: true };
}

function unescaped(text) {
  try {
    return JSON.parse(`"${text.replace(/\\u[0-9a-fA-F]{0,3}$/, "")}"`); // cut off in the middle of an escape
  } catch {
    return text;
  }
}
