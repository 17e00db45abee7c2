import { h } from "../core/dom.js";
import { t } from "../core/words.js";
import { Heat } from "./heat.js";
import { histograms_of, quantile } from "./prometheus.js";

const kept = 150; // samples, two seconds each: five minutes
const duration = (s) => (s === null ? "–" : s < 0.001 ? `${(s * 1e6).toFixed(0)} µs` : s < 1 ? `${(s * 1000).toFixed(s < 0.01 ? 1 : 0)} ms` : `${s.toFixed(2)} s`);

/// A row for every histogram of /metrics: what it is, its middle and its slow end, and how it went over the last minutes.
export class Latencies {
  #rows = new Map(); // by family and labels
  element = h("div", { class: "latencies" });

  take(families) {
    for (const [name, family] of families) {
      if (family.type !== "histogram") continue;
      for (const histogram of histograms_of(family)) this.#take(name, family.help, histogram);
    }
  }

  #take(name, help, { labels, bounds, counts }) {
    const key = name + JSON.stringify(labels);
    let row = this.#rows.get(key);
    if (!row) {
      row = this.#make(name, help, labels);
      this.#rows.set(key, row);
      this.element.append(row.element);
    }
    // The first look has nothing to be compared with: what came before it is not shown as one burst.
    const fresh = row.before ? counts.map((count, i) => Math.max(0, count - row.before[i])) : counts.map(() => 0);
    row.before = counts;
    row.heat.push(bounds, fresh);
    const recent = row.heat.window();
    const some = recent.some((count) => count > 0);
    const shown = some ? recent : counts;
    const total = shown.reduce((sum, count) => sum + count, 0);
    row.p50.textContent = duration(quantile(bounds, shown, 0.5));
    row.p95.textContent = duration(quantile(bounds, shown, 0.95));
    row.count.textContent = total ? t(some ? "server.recent" : "server.since_start", { count: total.toLocaleString() }) : t("server.nothing_yet");
    row.element.classList.toggle("idle", !total);
    row.heat.element.setAttribute("aria-label", t("server.heat", { what: row.title.textContent, p50: row.p50.textContent, p95: row.p95.textContent }));
  }

  #make(name, help, labels) {
    const word = `metric.${name}`;
    const known = t(word) !== word;
    const extra = Object.values(labels).join(" · ");
    const title = known ? h("span", { t: word }) : h("span", {}, help.replace(/\.$/, "") || name);
    const row = { before: null, title, heat: new Heat(kept, name), p50: h("strong", {}), p95: h("strong", {}), count: h("span", { class: "small" }) };
    row.element = h("div", { class: "latency" },
      h("h3", {}, title, extra ? ` · ${extra}` : "", h("code", {}, name)),
      h("dl", {}, h("div", {}, h("dt", { t: "server.p50" }), h("dd", {}, row.p50)), h("div", {}, h("dt", { t: "server.p95" }), h("dd", {}, row.p95))),
      h("div", { class: "heat-place" }, row.heat.element, row.count));
    return row;
  }

  redraw() {
    for (const row of this.#rows.values()) row.heat.draw();
  }
}
