/* What all views share. Nothing here knows of HTML text: elements are built by DOM calls, and text is always text.

   h(tag, props, ...children)   an element;   svg(tag, props, ...children)   the same in SVG's namespace
   clean(text, limit)           one line of foreign text, with everything that does not show made visible
   cleanLines(text, limit)      the same, keeping line ends and tabs, for <pre>
   fmt.*                        figures as people read them
*/

import { written } from "./json.js";

// What would move, hide or reorder the text around it: control characters, bidi marks, zero-width and filler
// characters, separators, tags, lone surrogates. Written as its code point, but for line ends, tabs and escapes.
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/gu;
const SUSPECT =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb]/;

// Names that every font can show: the pictures of control characters (U+2400 on) are missing in many.
const NAMED = { "\n": "\u21b5", "\t": "\u2192", "\u001b": "\u2039ESC\u203a" };

function symbolOf(char) {
  const code = char.codePointAt(0);
  if (char in NAMED) return NAMED[char];
  return `\u2039U+${code.toString(16).toUpperCase().padStart(4, "0")}\u203a`;
}

function cut(text, limit) {
  if (!limit || text.length <= limit) return [text, ""];
  const last = text.charCodeAt(limit - 1);
  const end = last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit; // not between the halves of a pair
  return [text.slice(0, end), `\u2026 (${fmt.number(text.length - end)} more characters)`];
}

/** Return foreign text as one line: what does not show made visible, and cut after `limit` characters (0: not at all). */
export function clean(text, limit = 0) {
  const [head, tail] = cut(asText(text), limit);
  return head.replace(UNSEEN, symbolOf) + tail;
}

/** The same, but line ends and tabs stay what they are. */
export function cleanLines(text, limit = 0) {
  const [head, tail] = cut(asText(text), limit);
  if (!SUSPECT.test(head)) return head + tail;
  return head.replace(UNSEEN, (char) => (char === "\n" || char === "\t" ? char : symbolOf(char))) + tail;
}

/** Return any JSON value as text: strings as they are, everything else as JSON. */
export function asText(value) {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? written(value) : String(value);
}

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "open", "hidden", "indeterminate", "scrollTop"]);

function build(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) {
      if (PROPERTIES.has(name) && value === false) element[name] = false;
      continue;
    }
    if (typeof value === "function" && name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith("on") || name === "srcdoc") throw new TypeError(`not an attribute here: ${name}`);
    else if (name === "style") for (const [key, css] of Object.entries(value)) element.style.setProperty(key, css);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else if (name === "href") setHref(element, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : cleanLines(child));
  }
}

// A link of the page's own, or out to the web; a configured template cannot become a script.
function setHref(element, value) {
  const { protocol } = new URL(value, document.baseURI);
  if (protocol === "http:" || protocol === "https:") element.setAttribute("href", value);
}

/** Build an HTML element.
 *
 * `props`: attributes; `onclick: fn` and so on are listeners; `style: {"--x": "1px"}` sets properties through the CSSOM;
 * `dataset: {...}`; null, undefined and false leave an attribute out. Children: nodes, text, arrays, or nothing.
 */
export function h(tag, props, ...children) {
  return build(document.createElement(tag), props, children);
}

/** Build an SVG element; the same arguments. */
export function svg(tag, props, ...children) {
  return build(document.createElementNS(SVG, tag), props, children);
}

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

const INTEGERS = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 3 });
const two = (number) => String(number).padStart(2, "0");

function scaled(value, units, step) {
  let index = 0;
  let rest = value;
  while (Math.abs(rest) >= step && index < units.length - 1) {
    rest /= step;
    index += 1;
  }
  return `${SHORT.format(rest)} ${units[index]}`;
}

function isFigure(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** Figures as people read them; what is no figure becomes "–". Times are the reader's own. */
export const fmt = {
  /** 14:03:09.123 */
  time(text) {
    const when = new Date(text);
    if (Number.isNaN(when.getTime())) return clean(text, 40) || "\u2013";
    return `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}.${String(when.getMilliseconds()).padStart(3, "0")}`;
  },
  /** 2026-11-21 14:03:09 */
  dateTime(text) {
    const when = new Date(text);
    if (Number.isNaN(when.getTime())) return clean(text, 40) || "\u2013";
    return `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())} ${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}`;
  },
  /** 0.42 ms, 12.3 ms, 1.25 s, 3 min 20 s */
  duration(ms) {
    if (!isFigure(ms)) return "\u2013";
    if (ms < 1000) return `${SHORT.format(ms)} ms`;
    if (ms < 60_000) return `${SHORT.format(ms / 1000)} s`;
    return fmt.span(ms / 1000);
  },
  /** Seconds as the two largest units: 48 s, 3 min 20 s, 2 h 5 min, 4 d 3 h */
  span(seconds) {
    if (!isFigure(seconds)) return "\u2013";
    const all = Math.max(0, Math.floor(seconds));
    if (all < 60) return `${all} s`;
    if (all < 3600) return `${Math.floor(all / 60)} min ${all % 60} s`;
    if (all < 86_400) return `${Math.floor(all / 3600)} h ${Math.floor((all % 3600) / 60)} min`;
    return `${Math.floor(all / 86_400)} d ${Math.floor((all % 86_400) / 3600)} h`;
  },
  /** Time left: 9:58, 1:00:00 */
  countdown(seconds) {
    if (!isFigure(seconds)) return "\u2013";
    const all = Math.max(0, Math.ceil(seconds));
    const hours = Math.floor(all / 3600);
    const rest = `${hours ? two(Math.floor((all % 3600) / 60)) : Math.floor(all / 60)}:${two(all % 60)}`;
    return hours ? `${hours}:${rest}` : rest;
  },
  /** 12,345 */
  number(value) {
    return isFigure(value) ? INTEGERS.format(value) : "\u2013";
  },
  /** 1.2 k, 3.4 M: for axes and tight places */
  short(value) {
    return isFigure(value) ? scaled(value, ["", "k", "M", "G"], 1000).trim() : "\u2013";
  },
  /** 4.1 MB, in powers of 1000 */
  bytes(value) {
    return isFigure(value) ? scaled(value, ["B", "kB", "MB", "GB", "TB"], 1000) : "\u2013";
  },
  /** 12.3/s */
  rate(value) {
    if (!isFigure(value)) return "\u2013";
    if (value >= 1000) return `${INTEGERS.format(value)}/s`;
    return `${SHORT.format(value)}/s`;
  },
  /** 34 % */
  percent(part, whole) {
    return isFigure(part) && whole > 0 ? `${SHORT.format((100 * part) / whole)} %` : "\u2013";
  },
};

/** The levels that have a colour, the lowest first; others are shown as "other". */
export const LEVELS = ["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
const SYNONYMS = { WARN: "WARNING", FATAL: "CRITICAL", NOTSET: "TRACE" };

/** Return the class of a level's colour: level-trace … level-critical, level-other. */
export function levelClass(level) {
  const name = String(level ?? "").toUpperCase();
  const known = SYNONYMS[name] ?? name;
  return LEVELS.includes(known) ? `level-${known.toLowerCase()}` : "level-other";
}

/** A level as a small coloured word. */
export function levelBadge(level) {
  return h("span", { class: `level ${levelClass(level)}` }, clean(level, 20) || "\u2013");
}

/** A table inside a box that scrolls sideways by itself. `columns`: [{label, class?}]; `rows`: arrays of cells, or <tr>. */
export function table(columns, rows, props = {}) {
  const { caption, ...attributes } = props;
  const head = columns.map((column) => h("th", { scope: "col", class: column.class }, column.label));
  const body = rows.map((row) =>
    row instanceof Node ? row : h("tr", {}, row.map((cell, index) => h("td", { class: columns[index]?.class }, cell))),
  );
  const box = h(
    "div",
    { class: "table-box", tabindex: "0", role: "region", "aria-label": caption ?? "table" },
    h("table", attributes, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)),
  );
  requestAnimationFrame(() => {
    if (box.scrollWidth <= box.clientWidth) box.removeAttribute("tabindex"); // nothing to scroll: no stop for the Tab key
  });
  return box;
}

/** Sum of the values of {reason: count}. */
export function total(counts) {
  return Object.values(counts ?? {}).reduce((sum, count) => sum + (isFigure(count) ? count : 0), 0);
}

/** Say where each reason of `dropped`, `failed` or `filtered` applied: [{sink: name or null, reason, events}].
 *
 * The totals count what any sink counts, and each sink counts what never reached the sinks: null stands for that.
 */
export function placed(status, key) {
  const sinks = Object.entries(status.sinks ?? {});
  const found = [];
  for (const [reason, events] of Object.entries(status[key] ?? {})) {
    const own = sinks.filter(([, sink]) => sink[key]?.[reason] > 0);
    const everywhere = own.length === sinks.length && own.every(([, sink]) => sink[key][reason] === events);
    if (!own.length || everywhere) found.push({ sink: null, reason, events });
    else for (const [name, sink] of own) found.push({ sink: name, reason, events: sink[key][reason] });
  }
  for (const [name, sink] of sinks) {
    for (const [reason, events] of Object.entries(sink[key] ?? {})) if (!(status[key]?.[reason] > 0)) found.push({ sink: name, reason, events });
  }
  return found;
}
