import { h } from "./dom.js";

// The key lives as long as the tab: a browser that is shared should not keep it.
let key = sessionStorage.getItem("repartee.key") ?? "";

export const has_key = () => key !== "";

export async function get_json(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json", ...(key ? { Authorization: `Bearer ${key}` } : {}) } });
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  const error = new Error(body.error?.message ?? `HTTP ${answer.status}`);
  error.status = answer.status;
  throw error;
}

export async function get_text(path) {
  const answer = await fetch(path, { headers: key ? { Authorization: `Bearer ${key}` } : {} });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.text();
}

/// The subprotocols that carry the key, since a page cannot set headers of a WebSocket.
export const socket_protocols = () => (key ? ["realtime", `openai-insecure-api-key.${key}`] : []);
export const socket_origin = () => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}`;

/// Asks for the server's key; false when it was not given.
export function ask_for_key() {
  return new Promise((done) => {
    const field = h("input", { type: "password", id: "key", autocomplete: "off", required: true, spellcheck: false });
    const dialog = h("dialog", { class: "sheet", "aria-labelledby": "key-title" },
      h("form", { method: "dialog" },
        h("h2", { id: "key-title", t: "key.title" }),
        h("p", { t: "key.text" }),
        h("label", { for: "key", t: "key.label" }), field,
        h("div", { class: "row end" },
          h("button", { type: "button", class: "button quiet", t: "cancel", onclick: () => dialog.close() }),
          h("button", { type: "submit", class: "button", value: "ok", t: "key.use" }))));
    dialog.onclose = () => {
      if (dialog.returnValue === "ok") {
        key = field.value.trim();
        sessionStorage.setItem("repartee.key", key);
      }
      dialog.remove();
      done(dialog.returnValue === "ok");
    };
    document.body.append(dialog);
    dialog.showModal();
  });
}
