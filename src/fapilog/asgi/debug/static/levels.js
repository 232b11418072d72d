/* Levels: what holds, until when, and changing it; the rules that make some requests louder. */
import { clean, fill, fmt, h, levelBadge, table } from "./lib.js";

const TIMES = [
  [30, "30 seconds"],
  [60, "1 minute"],
  [600, "10 minutes"],
  [1800, "30 minutes"],
  [3600, "1 hour"],
  [14_400, "4 hours"],
  ["", "until reset"],
];
const USUAL_SECONDS = 600;
const MOST_RULE_SECONDS = 3600; // the server takes no longer ones
const RELOAD_MS = 5000;

export function mount(root, app) {
  const page = new Levels(root, app);
  page.load();
  return () => page.end();
}

class Levels {
  constructor(root, app) {
    this.app = app;
    this.deadlines = []; // [element, when (ms), what to say]
    this.levels = null;
    this.rules = null;
    this.shown = "";
    this.ended = false;
    this.said = h("p", { class: "error said", role: "alert", "data-testid": "levels-error" });
    this.ruleSaid = h("p", { class: "error said", role: "alert", "data-testid": "louder-error" });
    this.list = h("div", { "data-testid": "levels" }, h("p", { class: "muted" }, "Asking\u2026"));
    this.ruleList = h("div", { "data-testid": "louder" });
    this.name = h("input", { id: "new-logger", type: "text", placeholder: "app.db", autocomplete: "off", spellcheck: "false", maxlength: "200", "data-testid": "new-logger" });
    this.filter = h("input", { type: "search", placeholder: "Find a logger", "aria-label": "Find a logger", "data-testid": "filter-loggers", oninput: () => this.sift() });
    this.pick = levelSelect("level-of-logger", [], "DEBUG");
    this.rulePick = levelSelect("level-of-rule", [], "DEBUG");
    root.append(
      h("h1", {}, "Levels"),
      h(
        "section",
        { class: "panel" },
        h("div", { class: "panel-head" }, h("h2", {}, "Set a level"), h("span", { class: "muted" }, "Here in this process: others of the same application have levels of their own.")),
        this.form(),
        this.said,
      ),
      h("section", { class: "panel" }, h("div", { class: "panel-head" }, h("h2", {}, "Loggers"), this.filter), this.list),
      h(
        "section",
        { class: "panel" },
        h("div", { class: "panel-head" }, h("h2", {}, "Louder requests"), h("span", { class: "muted" }, "Events of fapilog's loggers below their level are taken for requests that match every condition given.")),
        this.ruleList,
        this.ruleForm(),
        this.ruleSaid,
      ),
      howTo(),
    );
    this.ticker = setInterval(() => this.tick(), 1000);
    this.reloader = setInterval(() => document.hidden || this.load(), RELOAD_MS);
  }

  end() {
    this.ended = true;
    clearInterval(this.ticker);
    clearInterval(this.reloader);
  }

  // ---- asking and changing ----

  async load() {
    const [levels, rules] = await Promise.allSettled([this.app.get("levels"), this.app.get("louder")]);
    if (this.ended) return;
    if (levels.status === "fulfilled") this.showLevels(levels.value);
    else if (this.levels === null) fill(this.list, h("p", { class: "error" }, levels.reason.message));
    if (rules.status === "fulfilled") this.showRules(rules.value);
    else if (this.rules === null) fill(this.ruleList, h("p", { class: "muted" }, rules.reason.message));
  }

  async change(body, said, words) {
    fill(said);
    try {
      const levels = await this.app.put("levels", body);
      if (this.ended) return false;
      this.showLevels(levels);
      this.app.announce(words);
      return true;
    } catch (error) {
      if (!this.ended) fill(said, error.message);
      return false;
    }
  }

  async changeRules(body, words) {
    fill(this.ruleSaid);
    try {
      const rules = await this.app.put("louder", body);
      if (this.ended) return false;
      this.showRules(rules);
      this.app.announce(words);
      return true;
    } catch (error) {
      if (!this.ended) fill(this.ruleSaid, error.message);
      return false;
    }
  }

  // ---- what holds ----

  showLevels(levels) {
    this.levels = levels;
    setChoices(this.pick, levels.available);
    setChoices(this.rulePick, levels.available);
    this.redraw();
  }

  /** Draw the table anew if something but the seconds changed; a focused button keeps its focus. */
  redraw() {
    const { default: fallback, loggers } = this.levels;
    const now = JSON.stringify([fallback, loggers], (key, value) => (key === "seconds_left" ? undefined : value));
    this.remember();
    if (now === this.shown) return;
    this.shown = now;
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.testid : null;
    const rows = [this.row({ logger: null, ...fallback }), ...loggers.map((entry) => this.row(entry))];
    const columns = [{ label: "Logger" }, { label: "Effective" }, { label: "Time left" }, { label: "Configured" }, { label: "Standard library" }, { label: h("span", { class: "visually-hidden" }, "Actions"), class: "act" }];
    fill(this.list, table(columns, rows, { caption: "Loggers and their levels" }));
    if (focused) this.list.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
    this.sift();
    this.tick();
  }

  /** Keep when each change ends, by the clock of this browser: the server tells seconds, not a time to compare with. */
  remember() {
    this.deadlines = this.deadlines.filter((deadline) => deadline.kind !== "level");
    const { default: fallback, loggers } = this.levels;
    for (const entry of [{ logger: null, ...fallback }, ...loggers]) this.due("level", entry.logger ?? "", entry);
  }

  due(kind, key, entry) {
    if (typeof entry.seconds_left === "number") this.deadlines.push({ kind, key, at: performance.now() + entry.seconds_left * 1000, until: entry.until });
  }

  row(entry) {
    const key = entry.logger ?? "";
    const id = key || "default";
    const words = key || "the default level";
    const changed = Boolean(entry.until) || entry.effective !== (entry.configured ?? this.inherited(key));
    const change = h("button", { type: "button", class: "small", "aria-label": `Change ${words}`, "data-testid": `change-${id}`, onclick: () => this.prefill(key, entry.effective) }, "Change");
    const reset = changed && h("button", { type: "button", class: "small", "aria-label": `Reset ${words}`, "data-testid": `reset-${id}`, onclick: () => this.change({ logger: key || null, level: null }, this.said, `${words} is reset`) }, "Reset");
    const none = () => h("span", { class: "muted" }, "\u2013");
    return h(
      "tr",
      { class: changed ? "changed" : null, "data-testid": `row-${id}`, dataset: { name: words.toLowerCase() } },
      h("th", { scope: "row" }, key ? h("span", { class: "mono text" }, broken(key)) : "default level"),
      h("td", { "data-testid": "effective" }, levelBadge(entry.effective)),
      h("td", { class: "nowrap", "data-testid": "time-left" }, changed ? h("span", { class: "left", dataset: { kind: "level", key }, title: entry.until ? `until ${fmt.dateTime(entry.until)}` : null }) : none()),
      h("td", {}, entry.configured ? levelBadge(entry.configured) : none()),
      h("td", {}, entry.stdlib ? levelBadge(entry.stdlib) : none()),
      h("td", { class: "act" }, h("div", { class: "fields" }, change, reset)),
    );
  }

  /** What holds for a logger without a level of its own: that of its nearest parent in the list, else the default. */
  inherited(logger) {
    let name = logger;
    while (name.includes(".")) {
      name = name.slice(0, name.lastIndexOf("."));
      const parent = this.levels.loggers.find((each) => each.logger === name);
      if (parent) return parent.effective;
    }
    return logger ? this.levels.default.effective : this.levels.default.configured;
  }

  prefill(logger, level) {
    this.name.value = logger;
    this.pick.value = level === "DEBUG" ? "INFO" : "DEBUG";
    this.pick.focus();
    this.pick.scrollIntoView({ block: "nearest" });
    this.app.announce(`Choose a level for ${logger || "the default level"}`);
  }

  set(logger, level, time, words) {
    const body = { logger: logger || null, level, ttl_seconds: time.value ? Number(time.value) : null };
    return this.change(body, this.said, `${words} is ${level} ${time.value ? `for ${time.selectedOptions[0].label}` : "until it is reset"}`);
  }

  /** Hide what does not have the words in its name. */
  sift() {
    const wanted = this.filter.value.trim().toLowerCase();
    for (const row of this.list.querySelectorAll("tbody tr")) row.hidden = !row.dataset.name.includes(wanted);
  }

  form() {
    const time = timeSelect("new-ttl");
    return h(
      "form",
      {
        class: "fields",
        "data-testid": "level-form",
        onsubmit: async (event) => {
          event.preventDefault();
          const name = this.name.value.trim();
          if (await this.set(name, this.pick.value, time, name || "the default level")) this.name.value = "";
        },
      },
      field("Logger (empty: the default level)", this.name, true),
      field("Level", this.pick),
      field("For", time),
      h("button", { type: "submit", class: "primary", "data-testid": "level-submit" }, "Set level"),
    );
  }

  // ---- louder requests ----

  showRules({ rules }) {
    this.rules = rules;
    this.deadlines = this.deadlines.filter((deadline) => deadline.kind !== "rule");
    for (const rule of rules) this.due("rule", rule.id, rule);
    if (!rules.length) {
      fill(this.ruleList, h("p", { class: "muted" }, "No rule: every request is logged at the levels above."));
      return;
    }
    const focused = this.ruleList.contains(document.activeElement) ? document.activeElement.dataset.testid : null;
    const columns = [{ label: "Requests" }, { label: "Level" }, { label: "Matched", class: "num" }, { label: "Time left" }, { label: h("span", { class: "visually-hidden" }, "Actions"), class: "act" }];
    const rows = rules.map((rule) =>
      h(
        "tr",
        { "data-testid": `rule-${rule.id}` },
        h("th", { scope: "row", class: "text" }, conditions(rule)),
        h("td", {}, levelBadge(rule.level)),
        h("td", { class: "num" }, fmt.number(rule.matched)),
        h("td", { class: "nowrap" }, h("span", { class: "left", dataset: { kind: "rule", key: rule.id }, title: fmt.dateTime(rule.until) })),
        h("td", { class: "act" }, h("button", { type: "button", class: "small", "data-testid": `rule-${rule.id}-remove`, onclick: () => this.changeRules({ id: rule.id, level: null }, "The rule is taken back") }, "Take back")),
      ),
    );
    fill(this.ruleList, table(columns, rows, { caption: "Rules for louder requests" }));
    if (focused) this.ruleList.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
    this.tick();
  }

  ruleForm() {
    const inputs = {
      path: h("input", { id: "rule-path", type: "text", placeholder: "/orders/*", autocomplete: "off", spellcheck: "false", "data-testid": "rule-path" }),
      header: h("input", { id: "rule-header", type: "text", placeholder: "x-customer: 42", autocomplete: "off", spellcheck: "false", "data-testid": "rule-header" }),
      user: h("input", { id: "rule-user", type: "text", placeholder: "42", autocomplete: "off", spellcheck: "false", "data-testid": "rule-user" }),
    };
    const time = timeSelect("rule-ttl", MOST_RULE_SECONDS);
    return h(
      "form",
      {
        class: "fields",
        "data-testid": "rule-form",
        onsubmit: async (event) => {
          event.preventDefault();
          const body = { level: this.rulePick.value, ttl_seconds: Number(time.value) };
          for (const [name, input] of Object.entries(inputs)) if (input.value.trim()) body[name] = input.value.trim();
          if (await this.changeRules(body, "The rule is set")) for (const input of Object.values(inputs)) input.value = "";
        },
      },
      field("Path", inputs.path, true),
      field("Header", inputs.header, true),
      field("User", inputs.user, true),
      field("Level", this.rulePick),
      field("For", time),
      h("button", { type: "submit", class: "primary", "data-testid": "rule-submit" }, "Add rule"),
    );
  }

  // ---- time left ----

  tick() {
    const now = performance.now();
    let passed = false;
    for (const element of document.querySelectorAll(".left[data-key]")) {
      const { kind, key } = element.dataset;
      const deadline = this.deadlines.find((each) => each.kind === kind && each.key === key);
      const words = deadline ? fmt.countdown((deadline.at - now) / 1000) : "until reset";
      if (element.textContent !== words) element.textContent = words;
      if (deadline && deadline.at <= now) passed = true;
    }
    if (passed && !this.asked) {
      this.asked = setTimeout(() => {
        this.asked = null;
        if (!this.ended) this.load();
      }, 300);
    }
  }
}

/** A dotted name that may be broken after its dots. */
function broken(name) {
  const parts = clean(name, 200).split(".");
  return parts.map((part, index) => [index ? [".", h("wbr")] : "", part]);
}

function conditions(rule) {
  const said = [
    ["path", rule.path],
    ["header", rule.header],
    ["user", rule.user],
  ].filter(([, value]) => value !== null && value !== undefined);
  return said.map(([name, value], index) => [index ? " and " : "", h("span", { class: "muted" }, `${name} `), h("span", { class: "mono" }, clean(value, 200))]);
}

function field(label, input, grows = false) {
  return h("div", { class: grows ? "field grow" : "field" }, h("label", { for: input.id }, label), input);
}

function levelSelect(id, available, chosen) {
  const select = h("select", { id, "data-testid": id });
  select.dataset.chosen = chosen;
  setChoices(select, available);
  return select;
}

function setChoices(select, available) {
  const names = available ?? [];
  if (select.options.length === names.length) return;
  const chosen = select.value || select.dataset.chosen;
  fill(select, names.map((name) => h("option", { value: name, selected: name === chosen }, clean(name, 20))));
}

function timeSelect(id, most = Infinity) {
  const choices = TIMES.filter(([seconds]) => (seconds ? seconds <= most : most === Infinity));
  return h("select", { id, "data-testid": id }, choices.map(([seconds, label]) => h("option", { value: seconds, selected: seconds === USUAL_SECONDS }, label)));
}

function howTo() {
  return h(
    "section",
    { class: "panel" },
    h(
      "details",
      {},
      h("summary", {}, "One request louder, by a header"),
      h(
        "div",
        { class: "how" },
        h("p", {}, "A signed header raises the level for one request and its background tasks, and nothing else. It is made with the console's token, expires by itself, and can be handed to someone who must not have the token."),
        h("pre", {}, `python -m fapilog level-token --level DEBUG --ttl 600\ncurl -H "X-Log-Level: <what was printed>" ${location.origin}/orders/17`),
        h("p", { class: "muted" }, "In Python: fapilog.asgi.debug.level_token(\u2026). A header that is expired or signed with another token is ignored."),
      ),
    ),
  );
}
