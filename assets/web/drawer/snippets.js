import { h } from "../core/dom.js";
import { preference, remember } from "../core/preferences.js";
import { has_key } from "../core/server.js";
import { copy_button } from "./copy.js";
import { curl, javascript, python, unreal } from "./snippet_texts.js";

const languages = [["curl", "curl", curl], ["javascript", "JavaScript", javascript], ["python", "Python", python], ["unreal", "Unreal C++", unreal]];

/// This very session as a program: its address, rates and turn detection.
export function snippets_panel(conversation) {
  const code = h("code", {});
  let chosen = preference("snippet", "javascript"), text = "";
  const buttons = h("div", { class: "segments wrap", role: "group", tl: "code.language" }, ...languages.map(([id, name]) =>
    h("button", { type: "button", data: { id }, onclick: () => { chosen = id; remember("snippet", id); show(); } }, name)));

  function show() {
    const [, , write] = languages.find(([id]) => id === chosen) ?? languages[1];
    const host = location.host, tls = location.protocol === "https:";
    text = write({
      http: `${tls ? "https" : "http"}://${host}`, ws: `${tls ? "wss" : "ws"}://${host}`, address: conversation.address(), rate: conversation.rate,
      key: has_key(), turn_detection: conversation.session?.audio?.input?.turn_detection,
    });
    code.textContent = text;
    for (const button of buttons.children) button.setAttribute("aria-pressed", button.dataset.id === chosen);
  }

  const stop = conversation.on("session", show);
  return {
    element: h("div", { class: "panel" }, h("div", { class: "panel-tools" }, buttons, copy_button(() => text)), h("pre", { class: "snippet", tabIndex: 0 }, code), h("p", { class: "small", t: "code.text" })),
    show,
    stop,
  };
}
