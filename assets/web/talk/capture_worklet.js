// On the audio thread: the microphone as PCM16 at the context's own rate, 20 ms a chunk. The server resamples.
const chunk_samples = Math.round(sampleRate / 50);

class Capture extends AudioWorkletProcessor {
  #chunk = new Int16Array(chunk_samples);
  #filled = 0;
  #energy = 0;

  process([[input]]) {
    for (const sample of input ?? []) {
      const held = Math.max(-1, Math.min(1, sample));
      this.#energy += held * held;
      this.#chunk[this.#filled++] = held * 32767;
      if (this.#filled < chunk_samples) continue;
      this.port.postMessage({ pcm: this.#chunk.buffer, level: Math.sqrt(this.#energy / chunk_samples) }, [this.#chunk.buffer]);
      this.#chunk = new Int16Array(chunk_samples);
      this.#filled = this.#energy = 0;
    }
    return true;
  }
}

registerProcessor("capture", Capture);
