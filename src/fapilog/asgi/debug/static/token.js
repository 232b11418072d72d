/* Asks for the token that changes need. It is returned to the caller, who keeps it in memory; it is stored nowhere. */
import { fill, h } from "./lib.js";

let open = null; // the dialog's promise: two changes at once ask once

/** Ask for the token; resolves with it, or with null if the reader would rather not. `trouble`: what was wrong before. */
export function ask(trouble) {
  open ??= show(trouble).finally(() => (open = null));
  return open;
}

function show(trouble) {
  return new Promise((resolve) => {
    const input = h("input", { type: "password", id: "token", name: "token", autocomplete: "off", required: true, spellcheck: "false", "data-testid": "token-input" });
    const said = h("p", { class: "error", role: "alert" });
    if (trouble) fill(said, trouble);
    const finish = (value) => {
      input.value = "";
      dialog.close();
      dialog.remove();
      resolve(value);
    };
    const form = h(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          const value = input.value.trim();
          if (/^[\x21-\x7e]+$/.test(value)) finish(value);
          else fill(said, "A token is printable ASCII without blanks.");
        },
      },
      h("h2", { id: "token-title" }, "Changes need the token"),
      h("p", { class: "muted" }, "The link you came by is good for reading only. The token is kept in this page's memory and goes when the page does."),
      h("label", { for: "token" }, "Token"),
      input,
      said,
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", onclick: () => finish(null), "data-testid": "token-cancel" }, "Cancel"),
        h("button", { type: "submit", class: "primary", "data-testid": "token-submit" }, "Go on"),
      ),
    );
    const dialog = h("dialog", { class: "ask", "aria-labelledby": "token-title", "data-testid": "token-dialog", oncancel: (event) => (event.preventDefault(), finish(null)) }, form);
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  });
}
