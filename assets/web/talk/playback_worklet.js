// On the audio thread: plays the character's PCM16 without gaps, and falls silent at once when told to.
// A reply starts when the cushion is full. When frames come late in its midst the cushion grows; while they come in time it slowly shrinks back.
const cushion_min_ms = 60, cushion_max_ms = 400;
const waiting_max_s = 120;
const fade_ms = 3; // so that a stop is no click
const report_every = Math.round(sampleRate / 20);

class Playback extends AudioWorkletProcessor {
  #queue = []; // { item, samples, at }
  #waiting = 0; // samples in the queue
  #arriving = null; // the item whose frames arrive now
  #complete = new Set(); // items whose last frame has come
  #playing = null;
  #paused = null; // { item, samples }: starved there, goes on counting from there
  #played = 0;
  #running = false;
  #cushion_ms = cushion_min_ms;
  #last = 0; // the sample that was heard last, to fade from
  #fade = 0;
  #energy = 0;
  #since_report = 0;
  #starved = 0;
  #dropped = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data.item) this.#arriving = data.item;
      if (data.pcm) this.#take(new Int16Array(data.pcm));
      if (data.complete) this.#finish(data.complete);
      if (data.clear) this.#clear();
    };
  }

  #take(samples) {
    if (this.#waiting + samples.length > waiting_max_s * sampleRate) {
      this.#dropped += samples.length;
      return;
    }
    this.#queue.push({ item: this.#arriving, samples, at: 0 });
    this.#waiting += samples.length;
  }

  // No more of this item will come; it may have been waited for.
  #finish(item) {
    if (this.#paused?.item === item && !this.#queue.length) {
      this.port.postMessage({ what: "ended", item, samples: this.#paused.samples, time: currentTime });
      this.#paused = null;
    } else {
      this.#complete.add(item);
    }
  }

  #clear() {
    this.#queue = [];
    this.#waiting = 0;
    this.#complete.clear();
    if (this.#running) this.#fall_silent("cleared");
  }

  #fall_silent(why) {
    this.#running = false;
    this.#fade = Math.round((fade_ms / 1000) * sampleRate);
    this.port.postMessage({ what: why, item: this.#playing, samples: this.#played, time: currentTime });
    this.#complete.delete(this.#playing);
    this.#paused = why === "starved" ? { item: this.#playing, samples: this.#played } : null;
    this.#playing = null;
  }

  // Whether what waits is enough to start on, or all there will be.
  #ready() {
    const head = this.#queue[0];
    return head && (this.#waiting >= (this.#cushion_ms / 1000) * sampleRate || this.#complete.has(head.item));
  }

  process(_, [[output]]) {
    if (!this.#running && this.#ready()) this.#running = true;
    let filled = 0;
    while (this.#running && filled < output.length) {
      const head = this.#queue[0];
      if (!head) {
        const over = this.#complete.has(this.#playing);
        if (!over) {
          this.#starved++;
          this.#cushion_ms = Math.min(cushion_max_ms, this.#cushion_ms * 1.6);
        }
        this.#fall_silent(over ? "ended" : "starved");
        break;
      }
      if (head.item !== this.#playing) {
        if (this.#playing) this.port.postMessage({ what: "ended", item: this.#playing, samples: this.#played, time: currentTime });
        this.#complete.delete(this.#playing);
        this.#playing = head.item;
        this.#played = this.#paused?.item === head.item ? this.#paused.samples : 0;
        this.port.postMessage({ what: "started", item: head.item, time: currentTime + filled / sampleRate });
      }
      const count = Math.min(output.length - filled, head.samples.length - head.at);
      for (let i = 0; i < count; i++) {
        const sample = head.samples[head.at + i] / 32768;
        output[filled + i] = sample;
        this.#energy += sample * sample;
      }
      filled += count;
      head.at += count;
      this.#played += count;
      this.#waiting -= count;
      if (head.at === head.samples.length) this.#queue.shift();
    }
    if (filled) this.#last = output[filled - 1];
    for (; filled < output.length && this.#fade > 0; filled++) {
      output[filled] = this.#last *= 0.96;
      this.#fade--;
    }
    this.#report(output.length);
    return true;
  }

  #report(samples) {
    this.#since_report += samples;
    if (this.#since_report < report_every) return;
    this.#cushion_ms = Math.max(cushion_min_ms, this.#cushion_ms - (this.#running ? 0.02 : 0));
    this.port.postMessage({
      what: "state", item: this.#playing, samples: this.#played, level: Math.sqrt(this.#energy / this.#since_report),
      waiting_ms: (this.#waiting / sampleRate) * 1000, cushion_ms: this.#cushion_ms, starved: this.#starved, dropped: this.#dropped,
    });
    this.#since_report = this.#energy = 0;
  }
}

registerProcessor("playback", Playback);
