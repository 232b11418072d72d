/* Light or dark: as the system has it, or as the reader chose, which this browser keeps. */
const KEY = "fapilog-console-theme";
const CHOICES = ["auto", "light", "dark"];

export class Theme {
  constructor() {
    this.choice = stored();
    this.listeners = new Set();
    this.probe = null;
    this.system = matchMedia("(prefers-color-scheme: dark)");
    this.system.addEventListener("change", () => this.changed());
    this.apply();
  }

  /** "light" or "dark": what is shown. */
  get name() {
    if (this.choice !== "auto") return this.choice;
    return this.system.matches ? "dark" : "light";
  }

  /** Take the next choice, keep and return it. */
  next() {
    this.choice = CHOICES[(CHOICES.indexOf(this.choice) + 1) % CHOICES.length];
    try {
      localStorage.setItem(KEY, this.choice);
    } catch {
      // A browser that keeps nothing: the choice holds until the page is closed.
    }
    this.apply();
    this.changed();
    return this.choice;
  }

  onChange(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Return the custom property --name as a colour that a canvas understands. */
  color(name) {
    if (this.probe === null) {
      this.probe = document.createElement("span");
      this.probe.hidden = true;
      document.documentElement.append(this.probe);
    }
    this.probe.style.setProperty("color", `var(--${name})`);
    return getComputedStyle(this.probe).color;
  }

  apply() {
    if (this.choice === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.choice;
  }

  changed() {
    for (const listener of [...this.listeners]) listener(this.name);
  }
}

function stored() {
  try {
    const choice = localStorage.getItem(KEY);
    return CHOICES.includes(choice) ? choice : "auto";
  } catch {
    return "auto";
  }
}
