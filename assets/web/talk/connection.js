import { Emitter } from "../core/emitter.js";
import { socket_origin, socket_protocols } from "../core/server.js";

const wait_min_ms = 400, wait_max_ms = 10_000;
const give_up_after_ms = 5 * 60_000;
// The server keeps a lost conversation for a while: what is back soon is not even heard to have been away.
const return_waits_ms = [30, 150, 400, 1000, 2000, 4000];
const returns_max = 24;
const refusals_max = 2;
const health_limit_ms = 3000;
// Closes after which a new connection would end the same way.
const final_codes = new Set([1000, 1002, 1003, 1007, 1009, 1011, 4001]);
const is_over = (code, reason) => final_codes.has(code) || reason === "idle_timeout" || (code === 1001 && reason === "timeout");
// The server has ended this conversation; a new one may find it better.
const ended_code = 1013;

/// The WebSocket of one conversation, which comes back by itself: to the same conversation while the server keeps it, else to a new one.
/// `address(again, back)`: with `back` { resume, last_event } the same conversation is wanted.
/// Emits "event" (text), "audio" (binary), "sent" { event | bytes }, "opened" { again }, "lost" { code, reason, retry_ms, returns },
/// "abandoned" (the old conversation cannot be gone on with), "closed" { code, reason, opened }.
export class Connection extends Emitter {
  #address;
  #socket = null;
  #was_open = false;
  #failures = 0;
  #lost_at = null;
  #timer = null;
  #over = false;
  #resume = null; // { token, window_ms }
  #last_event = null;
  #returning = false; // the socket is a try to go on
  #returns = 0;
  #refusals = 0;

  constructor(address) {
    super();
    this.#address = address;
    window.addEventListener("online", this.#online);
    window.addEventListener("pagehide", this.#leave);
  }

  get is_open() {
    return this.#socket?.readyState === WebSocket.OPEN && !this.#returning;
  }

  /// What the browser has taken and not sent yet.
  get unsent_bytes() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  open() {
    if (this.#over) return;
    clearTimeout(this.#timer);
    this.#returning = this.#resume !== null;
    const back = this.#returning ? { resume: this.#resume.token, last_event: this.#last_event } : null;
    const socket = (this.#socket = new WebSocket(socket_origin() + this.#address(this.#was_open, back), socket_protocols()));
    socket.binaryType = "arraybuffer";
    let opened = false;
    socket.onopen = () => {
      opened = true;
    };
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#closed(socket, code, reason, opened);
  }

  #receive(data) {
    if (data instanceof ArrayBuffer) return this.emit("audio", data);
    const event = JSON.parse(data);
    // It ended while this connection was on its way to it.
    if (this.#returning && event.type === "error" && event.error?.code === "resume_refused") {
      this.#refusals = refusals_max;
      return;
    }
    // Only now the conversation stands: a server that is full also opens, says so, and closes.
    const created = event.type === "session.created", resumed = event.type === "session.resumed";
    if (event.event_id) this.#last_event = event.event_id;
    if (created || resumed) {
      this.#resume = event.session.resume ?? null;
      this.#returning = false;
      this.#returns = this.#refusals = this.#failures = 0;
      this.#lost_at = null;
      if (created) this.emit("opened", { again: this.#was_open });
      this.#was_open = true;
    }
    this.emit("event", { event, bytes: data.length });
  }

  #closed(socket, code, reason, opened) {
    if (socket !== this.#socket || this.#over) return;
    this.#lost_at ??= performance.now();
    if (this.#returning) return this.#not_returned(code, reason);
    const away_ms = performance.now() - this.#lost_at;
    if (is_over(code, reason) || (!this.#was_open && !opened) || away_ms > give_up_after_ms) return this.#give_up(code, reason, opened);
    if (code === ended_code) this.#resume = null;
    this.#try_again(code, reason);
  }

  /// A page does not get to see why an upgrade was refused; but a server that is well and refuses twice knows nothing of this conversation any more.
  async #not_returned(code, reason) {
    const socket = this.#socket;
    if (code === 4001) return this.#give_up(code, reason, true);
    if (this.#refusals < refusals_max && (await this.#is_healthy())) this.#refusals++;
    if (this.#over || socket !== this.#socket) return;
    const away_ms = performance.now() - this.#lost_at;
    if (this.#refusals < refusals_max && this.#returns < returns_max && away_ms < this.#resume.window_ms) return this.#try_again(code, reason);
    this.#resume = this.#last_event = null;
    this.#returning = false;
    this.emit("abandoned");
    this.open();
  }

  async #is_healthy() {
    try {
      return (await fetch("/health", { cache: "no-store", signal: AbortSignal.timeout(health_limit_ms) })).ok;
    } catch {
      return false;
    }
  }

  #try_again(code, reason) {
    const returns = this.#resume !== null;
    const wait_ms = returns
      ? return_waits_ms[Math.min(this.#returns++, return_waits_ms.length - 1)]
      : Math.min(wait_max_ms, wait_min_ms * 2 ** this.#failures++);
    // Not all clients of a server that restarts at the same moment.
    const retry_ms = !returns && this.#failures === 1 ? wait_ms : Math.round(wait_ms * (0.7 + 0.6 * Math.random()));
    this.#timer = setTimeout(() => this.open(), retry_ms);
    this.emit("lost", { code, reason, retry_ms, returns });
  }

  #give_up(code, reason, opened) {
    this.#end();
    this.emit("closed", { code, reason, opened: opened || this.#was_open });
  }

  #online = () => {
    if (!this.#over && this.#lost_at !== null && this.#socket.readyState === WebSocket.CLOSED) this.open();
  };

  // Who closes the page does not come back: nothing needs to be kept.
  #leave = ({ persisted }) => {
    if (!persisted) this.close();
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
    window.removeEventListener("pagehide", this.#leave);
  }

  close() {
    this.#end();
    this.#socket?.close(1000);
  }
}
