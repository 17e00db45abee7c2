// On the audio thread: plays the character's PCM16 without gaps, and falls silent at once when told to.
// A reply starts when the cushion is full. When frames come late in its midst the cushion grows; while they come in time it slowly shrinks back.
// Every sample has its place in its item: what comes again after a lost line, and has been played or waits here, is left out.
const cushion_min_ms = 60, cushion_max_ms = 400;
const waiting_max_s = 120;
const items_max = 64;
const fade_ms = 3; // so that a stop is no click
const report_every = Math.round(sampleRate / 20);

class Playback extends AudioWorkletProcessor {
  #queue = []; // { item, samples, from, at }: `from` is the place of the first one in the item
  #waiting = 0; // samples in the queue
  #items = new Map(); // id → { id, end, played, base, complete }: `end` is the place behind all that has come, `complete`: its last frame has
  #arriving = null; // { item, next }: the item whose frames arrive now, and the place of the next sample
  #playing = null;
  #paused = null; // starved in its midst, goes on there
  #running = false;
  #line_lost = false;
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
      if (data.item) this.#begin(data.item, data.offset);
      if (data.pcm) this.#take(new Int16Array(data.pcm));
      if (data.complete) this.#finish(data.complete);
      if (data.clear) this.#clear();
      if (data.line_lost) this.#line_lost = true;
    };
  }

  // Without an offset: a new part, behind all that has come of the item.
  #begin(id, offset) {
    let item = this.#items.get(id);
    if (!item) {
      this.#items.set(id, (item = { id, end: 0, played: 0, base: 0, complete: false }));
      if (this.#items.size > items_max) this.#items.delete(this.#items.keys().next().value);
    }
    if (offset === undefined) item.base = item.end;
    this.#arriving = { item, next: item.base + (offset ?? 0) };
    this.#line_lost = false;
  }

  #take(samples) {
    if (!this.#arriving) return;
    const { item, next } = this.#arriving;
    this.#arriving.next += samples.length;
    const known = Math.max(0, item.end - next);
    if (known >= samples.length) return;
    if (this.#waiting + samples.length - known > waiting_max_s * sampleRate) {
      this.#dropped += samples.length - known;
      return;
    }
    this.#queue.push({ item, samples, from: next, at: known });
    this.#waiting += samples.length - known;
    item.end = next + samples.length;
  }

  // No more of this item will come; it may have been waited for.
  #finish(id) {
    const item = this.#items.get(id);
    if (!item || item.complete) return;
    item.complete = true;
    if (this.#paused !== item || this.#queue.length) return;
    this.#paused = null;
    this.#tell("ended", item);
  }

  #clear() {
    this.#queue = [];
    this.#waiting = 0;
    this.#paused = null;
    // It may go on from where it was stopped.
    for (const item of this.#items.values()) {
      if (item.played < item.end) item.complete = false;
      item.end = item.played;
    }
    if (this.#running) this.#fall_silent("cleared");
  }

  #fall_silent(why) {
    this.#running = false;
    this.#fade = Math.round((fade_ms / 1000) * sampleRate);
    this.#tell(why, this.#playing);
    this.#paused = why === "starved" ? this.#playing : null;
    this.#playing = null;
  }

  #tell(what, item, time = currentTime) {
    this.port.postMessage({ what, item: item?.id ?? null, samples: item?.played ?? 0, time });
  }

  // Whether what waits is enough to start on, or all there will be.
  #ready() {
    const head = this.#queue[0];
    return head && (this.#waiting >= (this.#cushion_ms / 1000) * sampleRate || head.item.complete);
  }

  process(_, [[output]]) {
    if (!this.#running && this.#ready()) this.#running = true;
    let filled = 0;
    while (this.#running && filled < output.length) {
      const head = this.#queue[0];
      if (!head) {
        const over = this.#playing.complete;
        // That the line is gone says nothing of how evenly it brought what it brought.
        if (!over && !this.#line_lost) {
          this.#starved++;
          this.#cushion_ms = Math.min(cushion_max_ms, this.#cushion_ms * 1.6);
        }
        this.#fall_silent(over ? "ended" : "starved");
        break;
      }
      if (head.item !== this.#playing) {
        if (this.#playing) this.#tell("ended", this.#playing);
        this.#playing = head.item;
        this.#paused = null;
        this.#tell("started", head.item, currentTime + filled / sampleRate);
      }
      const count = Math.min(output.length - filled, head.samples.length - head.at);
      for (let i = 0; i < count; i++) {
        const sample = head.samples[head.at + i] / 32768;
        output[filled + i] = sample;
        this.#energy += sample * sample;
      }
      filled += count;
      head.at += count;
      head.item.played = head.from + head.at;
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
      what: "state", item: this.#playing?.id ?? null, samples: this.#playing?.played ?? 0, level: Math.sqrt(this.#energy / this.#since_report),
      waiting_ms: (this.#waiting / sampleRate) * 1000, cushion_ms: this.#cushion_ms, starved: this.#starved, dropped: this.#dropped,
    });
    this.#since_report = this.#energy = 0;
  }
}

registerProcessor("playback", Playback);
