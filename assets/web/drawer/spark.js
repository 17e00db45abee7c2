import { s } from "../core/dom.js";

/// A small line over time. Without a label it is an ornament of the number beside it.
export class Spark {
  constructor(count = 60, label = "") {
    this.values = [];
    this.count = count;
    this.area = s("path", { class: "spark-area" });
    this.line = s("path", { class: "spark-line" });
    this.element = s("svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", class: "spark", ...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }) }, this.area, this.line);
  }

  push(value, max = null) {
    this.values.push(value);
    if (this.values.length > this.count) this.values.shift();
    const top = Math.max(max ?? 0, ...this.values, 1e-9);
    const first = this.count - this.values.length;
    const points = this.values.map((one, i) => `${(((first + i) / (this.count - 1)) * 100).toFixed(2)} ${(29 - (one / top) * 27).toFixed(2)}`);
    this.line.setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
    this.area.setAttribute("d", points.length > 1 ? `M${points.join("L")}L100 30L${points[0].split(" ")[0]} 30Z` : "");
  }
}
