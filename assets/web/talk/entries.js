import { Emitter } from "../core/emitter.js";

const entries_max = 500;
const default_ms_per_letter = 130;

/// What has been said, in the order of the conversation (not of arrival: the person's words are written down after the reply has begun).
/// An entry: { id, who: "user" | "character" | "note", text, status, played_ms, audio_ms, cut_ms }. Emits "added" { entry, before }, "changed", "removed".
export class Entries extends Emitter {
  list = [];
  #letters = 0;
  #letters_ms = 0;

  find(id) {
    return this.list.find((entry) => entry.id === id);
  }

  /// The entry of that id, made when it is not there; `after` is the id of the one before it.
  place(id, who, after, at = new Date()) {
    const known = this.find(id);
    if (known) return known;
    const entry = { id, who, text: "", status: "open", played_ms: 0, audio_ms: null, cut_ms: null, at };
    const place = after ? this.list.findIndex((one) => one.id === after) + 1 || this.list.length : this.list.length;
    const before = this.list[place] ?? null;
    this.list.splice(place, 0, entry);
    this.emit("added", { entry, before });
    if (this.list.length > entries_max) this.remove(this.list[0].id);
    return entry;
  }

  change(id, changes) {
    const entry = this.find(id);
    if (!entry) return;
    Object.assign(entry, changes);
    this.emit("changed", entry);
  }

  remove(id) {
    const place = this.list.findIndex((entry) => entry.id === id);
    if (place >= 0) this.emit("removed", this.list.splice(place, 1)[0]);
  }

  note(text, kind = "note") {
    const entry = this.place(`note-${this.list.length}-${performance.now()}`, "note", null);
    this.change(entry.id, { text, status: kind });
  }

  /// The whole of an item was heard: how long a letter of this voice takes.
  learn_pace(entry, audio_ms) {
    if (entry.text.length < 10) return;
    this.#letters += entry.text.length;
    this.#letters_ms += audio_ms;
  }

  /// How many letters of an entry have been heard after `ms`. Nothing tells where a word lies in the sound, so this goes by the voice's pace.
  letters_heard(entry, ms) {
    const pace = this.#letters ? this.#letters_ms / this.#letters : default_ms_per_letter;
    const whole_ms = entry.audio_ms ?? entry.text.length * pace;
    const letters = Math.round((entry.text.length * ms) / Math.max(1, whole_ms));
    if (letters >= entry.text.length) return entry.text.length;
    // Not within a word.
    const space = entry.text.lastIndexOf(" ", letters);
    return Math.max(0, space < 0 ? letters : space);
  }

  /// What both have said, for a new connection that knows nothing of it.
  memory(count) {
    return this.list
      .filter((entry) => (entry.who === "user" || entry.who === "character") && entry.text)
      .slice(-count)
      .map((entry) => ({ who: entry.who, text: entry.cut_ms === null ? entry.text : entry.text.slice(0, this.letters_heard(entry, entry.cut_ms)) }))
      .filter((entry) => entry.text);
  }
}
