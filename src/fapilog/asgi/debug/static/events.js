// How an event is shown, in every view. Whatever it holds becomes text, never markup, and long things come in pieces.

import { written } from "./json.js";
import { clean, fill, fmt, h, levelBadge } from "./lib.js";

export const IDENTITY = ["timestamp", "level", "logger", "message", "request_id", "trace_id", "span_id", "trace_flags"];
export const RESOURCE = ["service", "env", "version", "host", "pid"];
const APART = new Set([...IDENTITY, "exception", "stack"]);
/** The fields of a completion event that are not the application's own. */
export const ACCESS = new Set(
  `http_method http_method_original http_route path status_code duration_ms total_ms request_bytes response_bytes client_ip peer_ip
  user_agent outcome close_code closed_by messages_received messages_sent exception stack`.split(/\s+/),
);
const SHORT = 2000; // characters of a text that are shown at once
const PIECE = 16 * 1024; // of a whole one, the next when the reader has come to the end of the last
const PAGE = 100; // members of an object that are shown at once
const DEEPEST_CAUSE = 20;
const ROW_FIELDS = 12;
const ROW_TEXT = 300;
const LOGGER_ROOM = 20;

const inAddress = (id) => encodeURIComponent(String(id).toWellFormed());
export const requestHash = (id) => `#/requests/${inAddress(id)}`;
export const traceHash = (id) => `#/traces/${inAddress(id)}`;

/** Text of anything, cleaned, on one line: a string was expected, and a stranger may have put something else there. */
export function text(value, limit = ROW_TEXT) {
  if (value === undefined || value === null) return "";
  const given = typeof value === "object" ? preview(value) : String(value);
  return given.length <= limit ? clean(given) : `${clean(given.slice(0, pieceEnd(given, 0, limit)))}…`;
}

/** A logger's name for a narrow column: of a long one the end, which tells it from its neighbours. */
export function loggerName(value) {
  const name = text(value, 80);
  if (name.length <= LOGGER_ROOM) return name;
  const end = name.slice(1 - LOGGER_ROOM);
  return `…${end.slice(end.indexOf(".") + 1) || end}`;
}

/** Of a completion event what everybody wants to know: `GET /orders/{id} 200 12.3 ms`. */
function accessLine(event) {
  const status = event.status_code ?? event.close_code;
  const duration = typeof event.duration_ms === "number" ? fmt.duration(event.duration_ms) : "";
  return [text(event.http_method, 20), text(event.path, 160), text(status, 10), duration].filter(Boolean).join(" ");
}

/** The fields behind the message of a row: `key=value`, the first ones only. */
export function fieldsLine(event) {
  const access = event.logger === "fapilog.request";
  const parts = access ? [accessLine(event)] : [];
  let room = ROW_TEXT;
  for (const key in event) {
    if (APART.has(key) || RESOURCE.includes(key) || (access && ACCESS.has(key))) continue;
    if (parts.length >= ROW_FIELDS || room <= 0) {
      parts.push("…");
      break;
    }
    const value = event[key];
    const part = `${clean(key, 60)}=${value === null ? "null" : value === "" ? '""' : text(value, 80)}`;
    room -= part.length;
    parts.push(part);
  }
  if (event.exception) parts.push(`${text(event.exception.type, 80)}: ${text(event.exception.message, 120)}`);
  return parts.join("  ");
}

/** One line for an object or array: what kind and how much of it. */
function preview(value) {
  if (Array.isArray(value)) return value.length ? `[${value.length}]` : "[]";
  const keys = Object.keys(value);
  return keys.length ? `{${keys.slice(0, 3).join(", ")}${keys.length > 3 ? ", …" : ""}}` : "{}";
}

/** A text of any length: its beginning, and the whole in a scrolling box if asked for. */
export function longText(value, { limit = SHORT, kind = "text" } = {}) {
  if (value.length <= limit) return h("pre", { class: kind }, value);
  const whole = () => {
    fill(box, scroller(value, kind));
    box.firstElementChild.focus();
  };
  const box = h(
    "div",
    { class: "long-text" },
    h("pre", { class: kind }, value.slice(0, pieceEnd(value, 0, limit)), "…"),
    h("button", { type: "button", class: "quiet", "data-testid": "show-all", onclick: whole }, `Show all (${fmt.bytes(value.length)})`),
  );
  return box;
}

function scroller(value, kind) {
  const box = h("div", { class: `scroller ${kind}`, tabindex: "0", role: "region", "aria-label": "Whole text", "data-testid": "whole-text" });
  let shown = 0;
  const more = () => {
    while (shown < value.length && box.scrollTop + box.clientHeight * 3 > box.scrollHeight) {
      const end = pieceEnd(value, shown);
      box.append(h("pre", {}, value.slice(shown, end)));
      shown = end;
      if (!box.isConnected) break;
    }
  };
  box.addEventListener("scroll", more, { passive: true });
  more();
  requestAnimationFrame(more);
  return box;
}

/** Where to cut: behind a line if there is one near, never within a pair of surrogates. */
function pieceEnd(value, start, length = PIECE) {
  const end = start + length;
  if (end >= value.length) return value.length;
  const line = length >= SHORT ? value.lastIndexOf("\n", end) : -1;
  if (line > start + length / 2) return line + 1;
  const code = value.charCodeAt(end - 1);
  return code >= 0xd800 && code < 0xdc00 ? end - 1 : end;
}

/** A JSON value as nodes. Objects and arrays open on demand, a page of members at a time. */
export function valueNode(value) {
  if (typeof value === "string") return value === "" ? h("span", { class: "v-null" }, '""') : longText(value, { kind: "v-string" });
  if (value === null || typeof value === "boolean") return h("span", { class: "v-null" }, String(value));
  if (typeof value !== "object") return h("span", { class: "v-number" }, String(value));
  const names = Object.keys(value);
  if (names.length === 0) return h("span", { class: "v-null" }, Array.isArray(value) ? "[]" : "{}");
  const count = `${fmt.number(names.length)} ${Array.isArray(value) ? "item" : "field"}${names.length === 1 ? "" : "s"}`;
  const nest = h("details", { class: "nest" }, h("summary", {}, text(value, 80), h("span", { class: "muted" }, ` ${count}`)));
  nest.addEventListener("toggle", () => {
    if (nest.open && nest.childElementCount === 1) nest.append(members(Object.entries(value)));
  });
  return nest;
}

/** Names and values as a list of definitions. */
export function members(entries) {
  const list = h("dl", { class: "members" });
  const box = h("div", {}, list);
  let shown = 0;
  const more = () => {
    button.remove();
    for (const [name, value] of entries.slice(shown, shown + PAGE)) {
      list.append(h("dt", {}, clean(name, 200)), h("dd", {}, value instanceof Node ? value : valueNode(value)));
    }
    shown += PAGE;
    const left = entries.length - shown;
    if (left <= 0) return;
    button.textContent = `Show ${fmt.number(Math.min(PAGE, left))} more of ${fmt.number(left)}`;
    box.append(button);
  };
  const button = h("button", { type: "button", class: "quiet", "data-testid": "more-fields", onclick: more });
  more();
  return box;
}

function frame(item) {
  const where = `${text(item.file, 400)}:${text(item.line)}`;
  return h("li", {}, h("span", { class: "muted" }, where), " ", text(item.function, 200), item.code ? h("code", {}, text(item.code, 400)) : null);
}

/** An exception with everything it hangs on. */
export function exceptionNode(exception, depth = 0) {
  if (!exception || typeof exception !== "object") return h("div", { class: "exception" }, text(exception, SHORT));
  const box = h("section", { class: "exception", "data-testid": depth ? "exception-cause" : "exception" });
  box.append(h("h4", {}, text(exception.type, 300)));
  if (exception.message) box.append(longText(String(exception.message), { kind: "exception-message" }));
  if (exception.stacktrace) {
    const trace = longText(String(exception.stacktrace), { limit: 12000, kind: "stacktrace" });
    box.append(trace);
    // The application's own frames are the last ones: what is above them are the server's and the framework's.
    requestAnimationFrame(() => {
      for (const pre of box.querySelectorAll("pre.stacktrace")) pre.scrollTop = pre.scrollHeight;
    });
  }
  if (Array.isArray(exception.frames) && exception.frames.length) {
    const frames = exception.frames.slice(0, 200);
    box.append(
      h("details", { class: "frames" }, h("summary", {}, `${exception.frames.length} frames`), h("ol", {}, ...frames.map(frame))),
    );
  }
  if (depth >= DEEPEST_CAUSE) return box;
  if (exception.cause) box.append(h("p", { class: "cause" }, "caused by"), exceptionNode(exception.cause, depth + 1));
  for (const member of Array.isArray(exception.group) ? exception.group.slice(0, 20) : []) {
    box.append(h("p", { class: "cause" }, "member of the group"), exceptionNode(member, depth + 1));
  }
  return box;
}

/** Puts a text into the clipboard, also where the page is not served over https. Says whether it went. */
export async function copy(value) {
  try {
    await navigator.clipboard.writeText(value);
    return true;
  } catch {
    const area = h("textarea", { class: "off-screen", readonly: "" });
    area.value = value;
    const before = document.activeElement;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    before.focus({ preventScroll: true });
    return copied;
  }
}

export function copyButton(label, give, testid) {
  const put = async () => {
    button.textContent = (await copy(give())) ? "Copied" : "Could not be copied";
    setTimeout(() => (button.textContent = label), 1500);
  };
  const button = h("button", { type: "button", class: "small", "data-testid": testid, onclick: put }, label);
  return button;
}

function identifier(name, value, href) {
  const shown = text(value, 140);
  return [name, href ? h("a", { href, "data-testid": `link-${name}` }, shown) : h("code", {}, shown)];
}

/** Everything an event has. `raw` is its line, if there is one: that is what is copied, to the letter. */
export function eventDetail(event, raw = null) {
  const own = Object.entries(event).filter(([key]) => !APART.has(key) && !RESOURCE.includes(key) && key !== "linked_trace_id");
  const resource = RESOURCE.filter((key) => Object.hasOwn(event, key)).map((key) => [key, event[key]]);
  const ids = [];
  if (event.request_id) ids.push(identifier("request_id", event.request_id, requestHash(event.request_id)));
  if (event.trace_id) ids.push(identifier("trace_id", event.trace_id, traceHash(event.trace_id)));
  if (event.span_id) ids.push(identifier("span_id", event.span_id, null));
  if (event.linked_trace_id) ids.push(identifier("linked_trace_id", event.linked_trace_id, traceHash(event.linked_trace_id)));
  const message = event.message;
  const json = () => raw ?? stringified(event);
  return h(
    "article",
    { class: "event-detail", "data-testid": "event-detail" },
    h("p", { class: "event-head" }, levelBadge(event.level), h("span", { class: "logger" }, text(event.logger, 200)), copyButton("Copy as JSON", json, "copy-json")),
    h("p", { class: "muted mono" }, text(event.timestamp, 40)),
    typeof message === "string" ? longText(message, { kind: "message" }) : valueNode(message ?? null),
    event.exception ? exceptionNode(event.exception) : null,
    ids.length ? members(ids) : null,
    own.length ? members(own) : null,
    event.stack ? h("details", { class: "nest" }, h("summary", {}, "stack"), longText(String(event.stack), { limit: 12000, kind: "stacktrace" })) : null,
    resource.length ? h("div", { class: "muted resource" }, members(resource)) : null,
  );
}

function stringified(event) {
  try {
    return written(event, 2);
  } catch {
    return String(event.message); // nested too deeply to be written again
  }
}
