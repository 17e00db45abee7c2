import { Emitter } from "../core/emitter.js";
import { socket_origin, socket_protocols } from "../core/server.js";

const wait_min_ms = 400, wait_max_ms = 10_000;
const give_up_after_ms = 5 * 60_000;
// Closes after which a new connection would end the same way.
const final_codes = new Set([1000, 1002, 1003, 1007, 1009, 1011]);

/// The WebSocket of one conversation, which comes back by itself.
/// Emits "event" (text), "audio" (binary), "sent" { event | bytes }, "opened" { again }, "lost" { code, reason, retry_ms }, "closed" { code, reason, opened }.
export class Connection extends Emitter {
  #address;
  #socket = null;
  #was_open = false;
  #failures = 0;
  #lost_at = null;
  #timer = null;
  #over = false;

  constructor(address) {
    super();
    this.#address = address;
    window.addEventListener("online", this.#online);
  }

  get is_open() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /// What the browser has taken and not sent yet.
  get unsent_bytes() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  open() {
    if (this.#over) return;
    clearTimeout(this.#timer);
    const socket = (this.#socket = new WebSocket(socket_origin() + this.#address(this.#was_open), socket_protocols()));
    socket.binaryType = "arraybuffer";
    let opened = false;
    socket.onopen = () => {
      opened = true;
    };
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) return this.emit("audio", data);
      const event = JSON.parse(data);
      // Only now the conversation stands: a server that is full also opens, says so, and closes.
      if (event.type === "session.created") {
        this.emit("opened", { again: this.#was_open });
        this.#was_open = true;
        this.#failures = 0;
        this.#lost_at = null;
      }
      this.emit("event", { event, bytes: data.length });
    };
    socket.onclose = ({ code, reason }) => this.#closed(socket, code, reason, opened);
  }

  #closed(socket, code, reason, opened) {
    if (socket !== this.#socket || this.#over) return;
    this.#lost_at ??= performance.now();
    const hopeless = final_codes.has(code) || reason === "idle_timeout" || (!this.#was_open && !opened) || performance.now() - this.#lost_at > give_up_after_ms;
    if (hopeless) {
      this.#end();
      this.emit("closed", { code, reason, opened: opened || this.#was_open });
      return;
    }
    const wait_ms = Math.min(wait_max_ms, wait_min_ms * 2 ** this.#failures++);
    // Not all clients of a server that restarts at the same moment.
    const retry_ms = this.#failures === 1 ? wait_ms : Math.round(wait_ms * (0.7 + 0.6 * Math.random()));
    this.#timer = setTimeout(() => this.open(), retry_ms);
    this.emit("lost", { code, reason, retry_ms });
  }

  #online = () => {
    if (!this.#over && this.#lost_at !== null && this.#socket.readyState === WebSocket.CLOSED) this.open();
  };

  send(event) {
    if (!this.is_open) return false;
    const text = JSON.stringify(event);
    this.#socket.send(text);
    this.emit("sent", { event, bytes: text.length });
    return true;
  }

  send_audio(pcm) {
    if (!this.is_open) return false;
    const bytes = pcm.byteLength;
    this.#socket.send(pcm);
    this.emit("sent", { bytes });
    return true;
  }

  #end() {
    this.#over = true;
    clearTimeout(this.#timer);
    window.removeEventListener("online", this.#online);
  }

  close() {
    this.#end();
    this.#socket?.close(1000);
  }
}
