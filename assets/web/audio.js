// Runs on the audio thread. Samples are PCM16 at the context's own rate: the server resamples.
class Recorder extends AudioWorkletProcessor {
  #chunk = new Int16Array(Math.round(sampleRate / 50)); // 20 ms
  #filled = 0;

  process([[input]]) {
    for (const sample of input ?? []) {
      this.#chunk[this.#filled++] = Math.max(-1, Math.min(1, sample)) * 32767;
      if (this.#filled === this.#chunk.length) {
        this.port.postMessage(this.#chunk.slice().buffer);
        this.#filled = 0;
      }
    }
    return true;
  }
}

class Player extends AudioWorkletProcessor {
  #queue = []; // {item, samples, at}
  #item = null; // whose frames arrive now
  #playing = null;
  #played = 0;
  #reported = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data.item) this.#item = data.item;
      if (data.pcm) this.#queue.push({ item: this.#item, samples: new Int16Array(data.pcm), at: 0 });
      if (data.clear) {
        this.#report();
        this.#queue = [];
      }
    };
  }

  #report() {
    if (this.#playing) this.port.postMessage({ item: this.#playing, samples: this.#played });
    this.#reported = this.#played;
  }

  process(_, [[output]]) {
    let filled = 0;
    while (filled < output.length && this.#queue.length) {
      const head = this.#queue[0];
      if (head.item !== this.#playing) {
        this.#report();
        this.#playing = head.item;
        this.#played = this.#reported = 0;
      }
      const count = Math.min(output.length - filled, head.samples.length - head.at);
      for (let i = 0; i < count; i++) output[filled + i] = head.samples[head.at + i] / 32768;
      filled += count;
      head.at += count;
      this.#played += count;
      if (head.at === head.samples.length) this.#queue.shift();
    }
    if (this.#played - this.#reported >= sampleRate / 10) this.#report();
    return true;
  }
}

registerProcessor("recorder", Recorder);
registerProcessor("player", Player);
