import { Emitter } from "../core/emitter.js";
import { preference } from "../core/preferences.js";

const accepted_rates = [48000, 44100, 24000, 16000, 8000];

/// Whether this page may use the microphone and worklets at all: browsers ask for HTTPS or localhost.
export const is_secure = () => window.isSecureContext && "audioWorklet" in AudioContext.prototype;

/// The device's own rate where the server takes it.
export async function open_audio() {
  let context = new AudioContext({ latencyHint: "interactive" });
  if (!accepted_rates.includes(context.sampleRate)) {
    await context.close();
    context = new AudioContext({ latencyHint: "interactive", sampleRate: 48000 });
  }
  await Promise.all(["capture", "playback"].map((name) => context.audioWorklet.addModule(`/web/talk/${name}_worklet.js`)));
  return context;
}

/// Emits "chunk" { pcm, level } every 20 ms. Muted, it goes on with silence: the server must hear that a turn is over.
export class Microphone extends Emitter {
  #context;
  #node;
  #source = null;
  #stream = null;
  #closed = false;
  muted = false;

  constructor(context) {
    super();
    this.#context = context;
    this.#node = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
    this.#node.port.onmessage = ({ data }) => this.emit("chunk", this.muted ? { pcm: new ArrayBuffer(data.pcm.byteLength), level: 0 } : data);
  }

  /// Throws the browser's error: NotAllowedError, NotFoundError, NotReadableError.
  async open() {
    const device = preference("microphone", "");
    const wanted = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { ...wanted, ...(device ? { deviceId: { exact: device } } : {}) } });
    } catch (error) {
      if (!device || !["OverconstrainedError", "NotFoundError"].includes(error.name)) throw error;
      stream = await navigator.mediaDevices.getUserMedia({ audio: wanted }); // the chosen one is not plugged in
    }
    this.#release();
    this.#stream = stream;
    if (this.#closed) return this.#release(); // while the browser asked
    this.#stream.getAudioTracks()[0].onended = () => this.emit("lost");
    this.#source = this.#context.createMediaStreamSource(stream);
    this.#source.connect(this.#node);
  }

  get is_open() {
    return this.#stream !== null;
  }

  #release() {
    this.#source?.disconnect();
    for (const track of this.#stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.#stream = null;
  }

  close() {
    this.#closed = true;
    this.#release();
    this.#node.port.onmessage = null;
  }
}

/// Emits "started" { item, at }, "position" { item, played_ms }, "ended" { item }, "cleared", "starved" and, twenty times a second, "state".
export class Speaker extends Emitter {
  #context;
  #node;
  state = { level: 0, waiting_ms: 0, cushion_ms: 0, starved: 0, dropped: 0 };
  playing = null;
  #position = null;

  constructor(context) {
    super();
    this.#context = context;
    this.#node = new AudioWorkletNode(context, "playback", { numberOfInputs: 0, outputChannelCount: [1] });
    this.#node.connect(context.destination);
    this.#node.port.onmessage = ({ data }) => this.#hear(data);
  }

  /// From a sample's leaving the worklet to its being heard.
  get latency_ms() {
    return ((this.#context.outputLatency || 0) + (this.#context.baseLatency || 0)) * 1000;
  }

  async use_device(id) {
    if (this.#context.setSinkId) await this.#context.setSinkId(id);
  }

  /// `offset_ms`: where the sound that follows begins in the item, when it has begun before.
  begin(item, offset_ms) {
    this.#node.port.postMessage({ item, offset: offset_ms === undefined ? undefined : Math.round((offset_ms * this.#context.sampleRate) / 1000) });
  }

  play(pcm) { this.#node.port.postMessage({ pcm }, [pcm]); }
  complete(item) { this.#node.port.postMessage({ complete: item }); }
  clear() { this.#node.port.postMessage({ clear: true }); }
  line_lost() { this.#node.port.postMessage({ line_lost: true }); }

  /// { item, played_ms } of the newest item of which something has left the worklet; null before the first. On a ms that is a whole sample: what is
  /// sent again from there has its samples where the first had them.
  get position() {
    if (!this.#position) return null;
    const rate = this.#context.sampleRate;
    const step_ms = rate % 1000 ? 10 : 1;
    return { item: this.#position.item, played_ms: Math.floor((this.#position.samples * 1000) / rate / step_ms) * step_ms };
  }

  #hear(data) {
    const ms = (samples) => (samples * 1000) / this.#context.sampleRate;
    const heard_ms = () => Math.max(0, Math.round(ms(data.samples) - this.latency_ms));
    if (data.item) this.#position = { item: data.item, samples: data.samples };
    switch (data.what) {
      case "state":
        this.state = data;
        if (data.item) this.emit("position", { item: data.item, played_ms: heard_ms() });
        this.emit("state", data);
        break;
      case "started":
        this.playing = data.item;
        this.emit("started", { item: data.item, at: performance.now() + (data.time - this.#context.currentTime) * 1000 + this.latency_ms });
        break;
      case "ended":
        if (this.playing === data.item) this.playing = null;
        // What left the worklet has been heard a latency later.
        this.emit("ended", { item: data.item });
        setTimeout(() => this.emit("position", { item: data.item, played_ms: Math.round(ms(data.samples)) }), this.latency_ms);
        break;
      case "cleared":
        this.playing = null;
        this.emit("cleared", { item: data.item, played_ms: heard_ms() });
        break;
      case "starved":
        this.playing = null;
        this.emit("starved", { item: data.item });
        break;
    }
  }
}

/// [{ id, label }] of "audioinput" or "audiooutput"; labels are known once the microphone was allowed.
export async function devices(kind) {
  const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return all.filter((one) => one.kind === kind && one.deviceId && one.deviceId !== "default").map((one) => ({ id: one.deviceId, label: one.label }));
}
