import { h, icon } from "../core/dom.js";
import { current_language, t } from "../core/words.js";

const clock = (at) => at.toLocaleTimeString(current_language(), { hour: "2-digit", minute: "2-digit" });
const seconds = (ms) => (ms / 1000).toLocaleString(current_language(), { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/// The words of both, as a script: who on the left, what on the right. What was heard is dark, what is still to be heard is lighter, what was never heard stands behind the cut.
export class Transcript {
  #rows = new Map();
  #entries;
  #character;
  #name;
  #stop = [];
  #follow = true;

  constructor(conversation, name) {
    this.#entries = conversation.entries;
    this.#character = conversation.character;
    this.#name = name;
    this.list = h("ol", { class: "script" });
    this.announcer = h("div", { class: "hidden", "aria-live": "polite" });
    this.element = h("div", { class: "transcript", tabIndex: 0, role: "region", tl: "transcript.label" }, this.list);
    this.element.onscroll = () => (this.#follow = this.element.scrollHeight - this.element.scrollTop - this.element.clientHeight < 60);
    this.#stop = [
      this.#entries.on("added", ({ entry, before }) => this.#add(entry, before)),
      this.#entries.on("changed", (entry) => this.#show(entry)),
      this.#entries.on("removed", (entry) => this.#remove(entry)),
      conversation.on("played", (entry) => this.#show(entry, false)),
    ];
    document.addEventListener("language", this.#relabel);
    for (const entry of this.#entries.list) this.#add(entry, null);
  }

  stop() {
    for (const stop of this.#stop) stop();
    document.removeEventListener("language", this.#relabel);
  }

  #relabel = () => {
    for (const entry of this.#entries.list) this.#show(entry, false);
  };

  #add(entry, before) {
    const row = { element: h("li", { class: `line ${entry.who}` }), who: h("span", { class: "who" }), words: h("p", { class: "words" }), said: "" };
    if (entry.who === "character") row.words.lang = this.#character.language;
    row.element.append(row.who, row.words);
    this.#rows.set(entry.id, row);
    this.list.insertBefore(row.element, before ? (this.#rows.get(before.id)?.element ?? null) : null);
    this.#show(entry);
  }

  #remove(entry) {
    this.#rows.get(entry.id)?.element.remove();
    this.#rows.delete(entry.id);
  }

  #show(entry, announce = true) {
    const row = this.#rows.get(entry.id);
    if (!row) return;
    row.element.className = `line ${entry.who} ${entry.status}${entry.cut_ms === null ? "" : " cut"}`;
    if (entry.who === "note") {
      row.words.textContent = entry.text;
    } else {
      row.who.textContent = entry.who === "user" ? t("you") : this.#name;
      row.who.title = clock(entry.at);
      row.words.replaceChildren(...this.#words(entry));
    }
    if (announce) this.#announce(entry, row);
    if (this.#follow) this.element.scrollTop = this.element.scrollHeight;
  }

  #words(entry) {
    if (entry.who === "user") {
      if (entry.text) return [entry.text];
      const state = { open: "talk.hearing_you", spoken: "talk.writing", unwritten: "talk.unwritten", unclear: "talk.unclear" }[entry.status];
      return [h("span", { class: "pending" }, t(state ?? "talk.unwritten"))];
    }
    if (!entry.text) return [h("span", { class: "pending dots", "aria-hidden": "true" }, "···")];
    const letters = this.#entries.letters_heard(entry, entry.cut_ms ?? entry.played_ms);
    const parts = [h("span", { class: "heard" }, entry.text.slice(0, letters))];
    if (entry.cut_ms !== null) parts.push(h("span", { class: "cut-mark" }, icon("scissors"), t("talk.cut", { seconds: seconds(entry.cut_ms) })));
    if (letters < entry.text.length) parts.push(h("span", { class: "unheard" }, entry.text.slice(letters)));
    return parts;
  }

  // Only whole lines are read out: syllables as they come would be a stammer.
  #announce(entry, row) {
    const now = entry.cut_ms !== null ? `cut ${entry.cut_ms}` : entry.status === "done" || entry.who === "note" ? entry.text : "";
    if (!now || now === row.said) return;
    row.said = now;
    const who = entry.who === "user" ? t("you") : this.#name;
    this.announcer.textContent = entry.who === "note" ? entry.text : entry.cut_ms !== null ? t("talk.cut_said", { who }) : `${who}: ${entry.text}`;
  }
}
