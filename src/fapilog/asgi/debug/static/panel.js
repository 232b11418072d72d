// The box beside (on a narrow screen: over) a list that shows one thing whole. Escape closes it and gives the focus back.

import { fill, h } from "./lib.js";

export class Panel {
  constructor(label, onClose = () => {}) {
    this.onClose = onClose;
    this.back = null;
    this.heard = (event) => this.key(event);
    this.title = h("h2", { tabindex: "-1", "data-testid": "panel-title" });
    this.body = h("div", { class: "side-body" });
    this.node = h(
      "aside",
      { class: "side", hidden: true, "aria-label": label, "data-testid": "panel" },
      h(
        "header",
        {},
        this.title,
        h("button", { type: "button", class: "quiet", "aria-label": "Close", "data-testid": "panel-close", onclick: () => this.close() }, "Close"),
      ),
      this.body,
    );
  }

  get isOpen() {
    return !this.node.hidden;
  }

  /** Shows a node. `focus`: whether to go there; where the panel covers everything it always goes there. */
  show(title, node, focus) {
    if (!this.isOpen) {
      this.back = document.activeElement;
      document.addEventListener("keydown", this.heard); // wherever the focus is
    }
    fill(this.title, title);
    fill(this.body, node);
    this.node.hidden = false;
    this.body.scrollTop = 0;
    if (focus || getComputedStyle(this.node).position === "fixed") this.title.focus();
  }

  close() {
    document.removeEventListener("keydown", this.heard);
    if (!this.isOpen) return;
    this.node.hidden = true;
    fill(this.body);
    this.onClose();
    if (this.back?.isConnected) this.back.focus();
  }

  key(event) {
    if (event.key !== "Escape" || event.defaultPrevented || event.target.closest?.("dialog")) return;
    event.preventDefault();
    this.close();
  }
}
