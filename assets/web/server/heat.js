import { h } from "../core/dom.js";
import { colour } from "../core/theme.js";

/// A histogram over time: time to the right, duration upwards, the darker the more of that moment's observations.
export class Heat {
  #columns = [];
  #kept;
  #bounds = [];

  constructor(kept, label) {
    this.#kept = kept;
    this.element = h("canvas", { class: "heat", width: kept * 3, height: 15 * 4, role: "img", "aria-label": label });
  }

  push(bounds, counts) {
    this.#bounds = bounds;
    this.#columns.push(counts);
    if (this.#columns.length > this.#kept) this.#columns.shift();
    this.draw();
  }

  /// Everything in the window together.
  window() {
    return this.#bounds.map((_, i) => this.#columns.reduce((sum, counts) => sum + counts[i], 0));
  }

  draw() {
    const pen = this.element.getContext("2d");
    const { width, height } = this.element;
    pen.clearRect(0, 0, width, height);
    const step = height / Math.max(1, this.#bounds.length);
    pen.fillStyle = colour("--accent");
    const first = this.#kept - this.#columns.length;
    this.#columns.forEach((counts, i) => {
      const most = Math.max(...counts);
      if (!most) return;
      counts.forEach((count, bucket) => {
        if (!count) return;
        pen.globalAlpha = 0.25 + 0.75 * (count / most);
        pen.fillRect((first + i) * 3, height - (bucket + 1) * step, 2.5, step - 0.5);
      });
    });
    pen.globalAlpha = 1;
  }
}
