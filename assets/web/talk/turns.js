const kept_max = 500;

/// When the stages of each turn happened, in milliseconds of performance.now().
///   quiet (the person's last sound) → heard (end of speech declared) → created → audio (first byte here) → sound (first sample out of the loudspeaker)
export class Turns {
  list = [];
  #open = null; // speech has ended, no reply yet
  #by_response = new Map();
  #by_item = new Map();

  speech_ended(heard, quiet) {
    this.#open = { heard, quiet };
  }

  response_created(id, at) {
    const turn = { ...(this.#open ?? { heard: null, quiet: null }), created: at, audio: null, sound: null, status: "in_progress" };
    this.#open = null;
    this.#by_response.set(id, turn);
    this.list.push(turn);
    if (this.list.length > kept_max) this.list.shift();
  }

  audio_started(response_id, item_id) {
    const turn = this.#by_response.get(response_id);
    if (!turn) return;
    this.#by_item.set(item_id, turn);
    if (this.#by_item.size > kept_max) this.#by_item.delete(this.#by_item.keys().next().value);
  }

  first_bytes(item_id, at) {
    const turn = this.#by_item.get(item_id);
    if (turn) turn.audio ??= at;
  }

  first_sound(item_id, at) {
    const turn = this.#by_item.get(item_id);
    if (turn) turn.sound ??= at;
  }

  response_done(id, status) {
    const turn = this.#by_response.get(id);
    if (turn) turn.status = status;
    this.#by_response.delete(id);
  }

  interrupted(item_id) {
    const turn = this.#by_item.get(item_id);
    if (turn) turn.interrupted = true;
  }

  /// Lengths of the stages that are known, in ms.
  static stages(turn) {
    const between = (a, b) => (a === null || b === null ? null : Math.max(0, b - a));
    return { silence: between(turn.quiet, turn.heard), created: between(turn.heard, turn.created), audio: between(turn.created, turn.audio), sound: between(turn.audio, turn.sound) };
  }
}
