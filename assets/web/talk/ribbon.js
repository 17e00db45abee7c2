import { h } from "../core/dom.js";
import { colour } from "../core/theme.js";

const column_ms = 60;
const column_px = 6;
const still = matchMedia("(prefers-reduced-motion: reduce)");

// Quiet speech should be seen too: loudness as the ear takes it, -54 dB to -6 dB.
const height_of = (level) => (level <= 0.002 ? 0 : Math.min(1, (20 * Math.log10(level) + 54) / 48) ** 1.6);

/// Both voices over the last seconds: the character above the seam, the person below it. Turns lie side by side, an interruption is a cut.
export class Ribbon {
  #canvas = h("canvas", { class: "ribbon", role: "img", tl: "ribbon.label" });
  #columns = []; // { character, person, cut }
  #now = { character: 0, person: 0, cut: false };
  #column_at = performance.now();
  #frame = 0;
  #timer = 0;
  #colours;
  #host;
  #resize = new ResizeObserver(() => this.#fit());

  constructor(host) {
    this.#host = host;
    this.element = this.#canvas;
    document.addEventListener("theme", this.#read_colours);
  }

  start() {
    this.#read_colours();
    this.#resize.observe(this.#canvas);
    // A timer, not the picture's rhythm, makes the columns: a hidden page draws nothing but time goes on.
    this.#timer = setInterval(() => this.#next_column(), column_ms);
    const draw = () => {
      this.#frame = requestAnimationFrame(draw);
      if (!still.matches) this.#draw((performance.now() - this.#column_at) / column_ms);
    };
    draw();
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    clearInterval(this.#timer);
    this.#resize.disconnect();
    document.removeEventListener("theme", this.#read_colours);
  }

  level(who, level) {
    this.#now[who] = Math.max(this.#now[who], height_of(level));
  }

  cut() {
    this.#now.cut = true;
  }

  #read_colours = () => {
    this.#colours = { character: colour("--voice", this.#host), person: colour("--ink", this.#host), seam: colour("--line-strong", this.#host), cut: colour("--cut", this.#host) };
  };

  #fit() {
    const scale = devicePixelRatio || 1;
    this.#canvas.width = Math.round(this.#canvas.clientWidth * scale);
    this.#canvas.height = Math.round(this.#canvas.clientHeight * scale);
    this.#draw(0);
  }

  #next_column() {
    this.#columns.push(this.#now);
    this.#now = { character: 0, person: 0, cut: false };
    const wanted = Math.ceil(this.#canvas.clientWidth / column_px) + 2;
    if (this.#columns.length > wanted) this.#columns.splice(0, this.#columns.length - wanted);
    this.#column_at = performance.now();
    // Without motion: a new picture now and then.
    if (still.matches && Math.floor(this.#column_at / column_ms) % 12 === 0) this.#draw(0);
  }

  #draw(step) {
    const pen = this.#canvas.getContext("2d");
    const scale = devicePixelRatio || 1;
    const width = this.#canvas.width / scale, height = this.#canvas.height / scale, seam = height / 2;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = this.#colours.seam;
    const shift = Math.min(1, step) * column_px;
    for (let x = width + column_px * 2 - (shift + ((this.#columns.length * column_px) % 12)); x > -12; x -= 12) pen.fillRect(x - 6, seam - 0.5, 6, 1);
    const room = seam - 6;
    this.#columns.forEach((column, i) => {
      const x = width - (this.#columns.length - i) * column_px - shift + column_px;
      if (column.cut) {
        pen.fillStyle = this.#colours.cut;
        for (let y = 2; y < height; y += 7) pen.fillRect(x + 1, y, 2, 4);
      }
      this.#bar(pen, x, seam - 3, -column.character * room, this.#colours.character);
      this.#bar(pen, x, seam + 3, column.person * room, this.#colours.person);
    });
  }

  #bar(pen, x, from, length, fill) {
    if (Math.abs(length) < 1) return;
    pen.fillStyle = fill;
    pen.beginPath();
    pen.roundRect(x, Math.min(from, from + length), 4, Math.abs(length), 2);
    pen.fill();
  }
}
