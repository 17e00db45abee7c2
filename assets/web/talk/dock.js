import { h, icon, icon_button, set } from "../core/dom.js";
import { t } from "../core/words.js";
import { open_settings } from "./settings.js";

const is_text_field = (element) => element.matches("input, textarea, select, [contenteditable]");

/// What one speaks with: the round button (mute, or hold to talk), the mode, the text box, settings, end.
export class Dock {
  #conversation;
  #round;
  #round_words;
  #modes;
  #hint;
  #stops = [];

  constructor(conversation, leave) {
    this.#conversation = conversation;
    this.#round = h("button", { type: "button", class: "round" });
    this.#round_words = h("span", { class: "round-words", id: "round-words" });
    this.#hint = h("p", { class: "hidden", role: "status" });
    this.#modes = h("div", { class: "segments", role: "group", tl: "mode.label" }, ...["hands_free", "push"].map((mode) =>
      h("button", { type: "button", data: { mode }, t: `mode.${mode}`, onclick: () => this.#choose(mode) })));
    const text = h("input", { type: "text", id: "say", autocomplete: "off", enterKeyHint: "send", maxLength: 4000, data: { tp: "talk.type", tl: "talk.type" }, placeholder: t("talk.type"), "aria-label": t("talk.type") });
    const form = h("form", { class: "say", onsubmit: (event) => this.#say(event, text) }, text, icon_button("send", "talk.send", null, { type: "submit" }));
    this.stop_button = icon_button("stop", "talk.stop", () => conversation.stop_reply(), { hidden: true });
    this.element = h("div", { class: "dock" },
      h("div", { class: "dock-voice" }, this.#round, h("div", { class: "dock-mode" }, this.#round_words, this.#modes)),
      form,
      h("div", { class: "dock-tools" }, this.stop_button,
        icon_button("gear", "talk.settings", () => open_settings(conversation)),
        h("button", { type: "button", class: "icon-button end", tl: "talk.end", onclick: leave }, icon("end"))),
      this.#hint);
    this.#listen();
    this.show();
  }

  #listen() {
    const hold = (event) => {
      if (this.#conversation.mode !== "push" || event.button) return;
      event.preventDefault();
      this.#round.focus();
      this.#round.setPointerCapture(event.pointerId);
      this.#press();
    };
    this.#round.onpointerdown = hold;
    this.#round.onpointerup = this.#round.onpointercancel = () => this.#release();
    this.#round.oncontextmenu = (event) => event.preventDefault(); // a long press on a phone
    this.#round.onclick = () => this.#conversation.mode === "hands_free" && this.#mute();

    const keys = {
      keydown: (event) => {
        if (document.querySelector("dialog[open]")) return;
        if (event.key === "Escape" && this.#conversation.state === "speaking") this.#conversation.stop_reply();
        if (event.key !== " " || this.#conversation.mode !== "push" || is_text_field(event.target)) return;
        // On another button the space bar is that button's.
        if (event.target !== this.#round && event.target.closest("button, a, summary, [role=tab]")) return;
        event.preventDefault();
        if (!event.repeat) this.#press();
      },
      keyup: (event) => event.key === " " && this.#release(),
    };
    const lost = () => this.#release();
    for (const [name, what] of Object.entries(keys)) document.addEventListener(name, what);
    window.addEventListener("blur", lost);
    document.addEventListener("language", this.show);
    this.#stops = [
      ...Object.entries(keys).map(([name, what]) => () => document.removeEventListener(name, what)),
      () => window.removeEventListener("blur", lost),
      () => document.removeEventListener("language", this.show),
    ];
  }

  stop() {
    for (const stop of this.#stops) stop();
  }

  #press() {
    this.#conversation.press();
    this.show();
  }

  #release() {
    const long_enough = this.#conversation.release();
    if (long_enough === undefined) return; // it was not pressed
    if (!long_enough) this.#hint.textContent = this.#round_words.textContent = t("talk.hold_longer");
    else this.show();
  }

  #mute() {
    this.#conversation.mute(!this.#conversation.muted);
    this.show();
  }

  #choose(mode) {
    this.#conversation.set_mode(mode);
    this.show();
  }

  #say(event, text) {
    event.preventDefault();
    const words = text.value.trim();
    if (words && this.#conversation.say(words)) text.value = "";
  }

  level(level) {
    this.#round.style.setProperty("--level", Math.min(1, level * 5).toFixed(3));
  }

  show = () => {
    const { mode, muted, has_microphone, state } = this.#conversation;
    const push = mode === "push";
    for (const button of this.#modes.children) button.setAttribute("aria-pressed", button.dataset.mode === mode);
    this.#round.disabled = !has_microphone;
    this.#round.classList.toggle("push", push);
    this.#round.classList.toggle("muted", !push && muted);
    this.#round.classList.toggle("held", push && state === "hearing");
    const picture = !push && (muted || !has_microphone) ? "muted" : "microphone";
    // Not without need: a picture that is replaced while it is pressed swallows the click.
    if (this.#round.dataset.picture !== picture) this.#round.replaceChildren(icon(picture));
    this.#round.dataset.picture = picture;
    const words = !has_microphone ? "talk.no_microphone" : push ? "talk.hold" : muted ? "talk.unmute" : "talk.mute";
    set(this.#round, { tl: words });
    if (push) this.#round.removeAttribute("aria-pressed");
    else this.#round.setAttribute("aria-pressed", muted);
    this.#round_words.textContent = t(!has_microphone ? "talk.no_microphone" : push ? (state === "hearing" ? "talk.let_go" : "talk.hold") : muted ? "talk.is_muted" : "talk.is_open");
    this.stop_button.hidden = state !== "speaking";
  };
}
