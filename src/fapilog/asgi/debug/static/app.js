/* The shell: header, tabs, banner, polling, the token, and which view is shown.

   A view is a module with mount(root, app, params) that returns its unmount(). What it gets as `app`:

   base                     the console's path, without a slash at its end
   get(path, params)        Promise of the JSON at base/path; rejects with ApiError {status, message, body}
   put(path, body)          the same with PUT and the token, which is asked for when it is needed
   navigate(hash)           go to another view, "#/requests/abc"
   replace(hash)            change the address without going anywhere: for filters
   announce(text)           tell screen readers, politely
   onStatus(fn)             fn(status) now, if there is one, and at every poll; returns the function that ends it
   series                   what was polled so far, for charts (series.js)
   theme                    {name: "light"|"dark", onChange(fn) -> off, color(name) -> the CSS colour of --name}
*/
import { parsed } from "./json.js";
import { clean, fill, fmt, h } from "./lib.js";
import { Series } from "./series.js";
import { Theme } from "./theme.js";
import { ask } from "./token.js";

const POLL_MS = 2000;
const TIMEOUT_MS = 10_000;
const VIEWS = {
  overview: { label: "Overview", load: () => import("./overview.js") },
  tail: { label: "Tail", load: () => import("./tail.js") },
  requests: { label: "Requests", load: () => import("./requests.js") },
  levels: { label: "Levels", load: () => import("./levels.js") },
};
const DETAILS = { requests: "request", traces: "trace" };
const EVENTS = /^(requests|traces)\b/; // whose numbers are anybody's; those of the console are figures, to be reckoned with

/** An answer that is none. `status` is 0 when the server could not be reached. */
export class ApiError extends Error {
  constructor(status, message, body = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.body = body;
  }
}

const { base = "", asks = "first" } = document.documentElement.dataset; // written by the server (page.py)
const theme = new Theme();
const series = new Series();
const listeners = new Set();
let token = null; // in memory only: gone with the page
let latest = null;
let shown = { unmount: () => {}, tab: null };

// ---- the server ----------------------------------------------------------------------------------------------------

async function call(method, path, { params, body, bearer } = {}) {
  const query = new URLSearchParams(Object.entries(params ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  const url = `${base}${path ? `/${path}` : ""}${query.size ? `?${query}` : ""}`;
  let response;
  let answer;
  try {
    response = await fetch(url, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "same-origin",
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    answer = await (EVENTS.test(path) ? response.text().then(parsed) : response.json()).catch(() => null);
  } catch {
    throw new ApiError(0, "The server is not reachable.");
  }
  if (response.ok && answer !== null) return answer;
  throw new ApiError(response.status, clean(answer?.error ?? `The server answered ${response.status}.`, 500), answer);
}

async function get(path, params) {
  try {
    return await call("GET", path, { params });
  } catch (error) {
    if (error.status === 401) banner("expired");
    throw error;
  }
}

async function put(path, body) {
  let needed = asks === "first";
  let trouble = null;
  for (;;) {
    if (needed && token === null) {
      token = await ask(trouble);
      if (token === null) throw new ApiError(403, "Nothing was changed: that needs the token.");
    }
    const sent = token;
    try {
      return await call("PUT", path, { body, bearer: sent });
    } catch (error) {
      if ((error.status !== 401 && error.status !== 403) || asks === "never") throw error;
      if (sent !== null) trouble = "That token was not accepted.";
      if (token === sent) token = null;
      needed = true;
    }
  }
}

// ---- the shared poll -----------------------------------------------------------------------------------------------

function tell(listener) {
  try {
    listener(latest);
  } catch (error) {
    console.error(error); // one view's mistake does not end the poll
  }
}

async function poll() {
  try {
    latest = await call("GET", "");
    if (series.add(latest)) recall();
    banner(null);
    showStatus(latest);
    for (const listener of [...listeners]) tell(listener);
  } catch (error) {
    if (error.status === 0) banner("gone");
    else if (error.status === 401 || error.status === 403) banner("expired");
    else banner("trouble", error.message);
  }
}

function recall() {
  call("GET", "history").then((past) => series.start(past.samples ?? []), () => {}); // charts begin later without it
}

function keepPolling() {
  let timer = null;
  let running = false;
  const turn = async () => {
    timer = null;
    if (document.hidden || running) return;
    running = true;
    await poll();
    running = false;
    if (!document.hidden && timer === null) timer = setTimeout(turn, POLL_MS);
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(timer);
      timer = null;
    } else if (timer === null) turn();
  });
  turn();
}

function onStatus(listener) {
  listeners.add(listener);
  if (latest !== null) tell(listener);
  return () => listeners.delete(listener);
}

// ---- the frame -----------------------------------------------------------------------------------------------------

const dot = h("span", { class: "dot", "data-testid": "state-dot", "aria-hidden": "true" });
const who = h("span", { class: "who", "data-testid": "service" });
const state = h("span", { class: "state", "data-testid": "state" }, "connecting");
const links = Object.entries(VIEWS).map(([name, view]) =>
  h("a", { href: `#/${name}`, dataset: { tab: name }, "data-testid": `tab-${name}` }, view.label),
);
const toggle = h("button", { type: "button", class: "quiet", "data-testid": "theme", onclick: () => nameTheme(theme.next()) });
const bannerBox = h("div", { class: "banner", role: "alert", hidden: true, "data-testid": "banner" });
const live = h("div", { class: "visually-hidden", "aria-live": "polite", "data-testid": "announcer" });
const main = h("main", { id: "main", tabindex: "-1" });

function nameTheme(choice) {
  fill(toggle, `Theme: ${choice}`);
}

function nameOf(status) {
  const service = status?.configuration?.["service.name"];
  return clean(typeof service === "string" && service ? service : status?.name, 60) || "Logging";
}

function showStatus(status) {
  dot.dataset.state = status.state;
  fill(state, clean(status.state, 20));
  fill(who, h("strong", {}, nameOf(status)), ` pid ${status.pid} \u00b7 fapilog ${clean(status.version ?? "", 30)}`);
}

let bannered = null;
function banner(kind, message = "") {
  if (kind + message === bannered) return;
  bannered = kind + message;
  bannerBox.hidden = kind === null;
  bannerBox.dataset.kind = kind ?? "";
  document.body.classList.toggle("stale", kind !== null);
  if (kind === "gone") {
    fill(bannerBox, "The server is not reachable, trying again. Figures below are the last ones received.");
    dot.dataset.state = "gone";
    fill(state, "not reachable");
  } else if (kind === "trouble") {
    fill(bannerBox, `The server refuses to answer: ${message} Trying again.`);
    dot.dataset.state = "gone";
    fill(state, "refused");
  } else if (kind === "expired") {
    fill(bannerBox, "This session has expired or the process was restarted. ", h("a", { href: base || "/" }, "Log in again"), ".");
    dot.dataset.state = "gone";
    fill(state, "logged out");
  } else fill(bannerBox);
}

function announce(text) {
  live.textContent = "";
  requestAnimationFrame(() => (live.textContent = clean(text, 300)));
}

function moveByArrow(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const at = links.indexOf(document.activeElement);
  if (at < 0) return;
  let target = null;
  if (step) target = links[(at + step + links.length) % links.length];
  else if (event.key === "Home") target = links[0];
  else if (event.key === "End") target = links[links.length - 1];
  if (target === null) return;
  event.preventDefault();
  target.focus();
}

function frame() {
  const skip = h("a", { class: "skip", href: "#main", onclick: (event) => (event.preventDefault(), main.focus()) }, "Skip to the content");
  document.body.replaceChildren(
    skip,
    h(
      "header",
      { class: "top" },
      h("div", { class: "brand" }, dot, who, state),
      h("nav", { "aria-label": "Views", onkeydown: moveByArrow }, links),
      toggle,
    ),
    bannerBox,
    main,
    live,
  );
  nameTheme(theme.choice);
}

// ---- which view ----------------------------------------------------------------------------------------------------

function where() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const [name, ...rest] = path.split("/");
  const params = Object.fromEntries(new URLSearchParams(query ?? ""));
  const id = rest.join("/");
  if (id && DETAILS[name]) {
    return { tab: "requests", label: DETAILS[name] === "trace" ? "Trace" : "Request", load: () => import("./trace.js"), params: { ...params, kind: DETAILS[name], id: decode(id) } };
  }
  const tab = VIEWS[name] ? name : "overview";
  return { tab, ...VIEWS[tab], params };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

let turn = 0;
async function show(isFirst) {
  const mine = ++turn;
  const view = where();
  let module;
  try {
    module = await view.load();
  } catch {
    if (mine === turn) fill(main, h("p", { class: "error", role: "alert" }, "This view could not be loaded from the server."));
    return;
  }
  if (mine !== turn) return; // another was asked for meanwhile
  shown.unmount();
  shown = { unmount: () => {} };
  main.replaceChildren();
  main.dataset.view = view.tab;
  for (const link of links) {
    if (link.dataset.tab === view.tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view.label} \u00b7 ${latest ? nameOf(latest) : "Logging console"}`;
  const root = h("div", { class: `view view-${view.tab}` });
  main.append(root);
  shown = { unmount: module.mount(root, app, view.params) ?? (() => {}) };
  if (!isFirst) {
    announce(`${view.label} is shown`);
    if (!links.includes(document.activeElement)) main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

const app = {
  base,
  get,
  put,
  navigate: (hash) => (location.hash = hash),
  replace: (hash) => history.replaceState(null, "", hash),
  announce,
  onStatus,
  series,
  theme,
  fmt,
};

function dropTicket() {
  const address = new URL(location.href);
  if (!address.searchParams.has("once")) return;
  address.searchParams.delete("once");
  history.replaceState(null, "", address.pathname + address.search + address.hash);
}

dropTicket();
frame();
addEventListener("hashchange", () => show(false));
recall();
show(true);
keepPolling();
