import { Emitter } from "../core/emitter.js";

const kept_max = 3000;
const audio_row_ms = 1000;

/// Everything that went over the socket. Audio frames of one direction within a second share a row. Emits "added" and "changed" with a row.
export class EventLog extends Emitter {
  rows = [];
  dropped = 0;
  #start = performance.now();
  #number = 0;
  #audio = { in: null, out: null };

  add(direction, event, bytes) {
    this.#push({ direction, type: event.type, event, bytes });
  }

  audio(direction, bytes, item) {
    const row = this.#audio[direction];
    const at = performance.now() - this.#start;
    if (row && row.item === item && at - row.at < audio_row_ms) {
      row.count++;
      row.bytes += bytes;
      this.emit("changed", row);
      return;
    }
    this.#audio[direction] = this.#push({ direction, type: "audio", event: null, bytes, item, count: 1 });
  }

  /// What the page itself noticed: a connection that came or went.
  mark(type, event) {
    this.#push({ direction: "here", type, event: { type, ...event }, bytes: 0 });
  }

  #push(row) {
    row.number = ++this.#number;
    row.at = performance.now() - this.#start;
    this.rows.push(row);
    if (this.rows.length > kept_max) {
      this.rows.shift();
      this.dropped++;
    }
    this.emit("added", row);
    return row;
  }
}
