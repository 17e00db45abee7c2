import { h } from "../core/dom.js";
import { t } from "../core/words.js";
import { Spark } from "./spark.js";

const kilo = (bytes) => (bytes >= 1e6 ? `${(bytes / 1e6).toFixed(2)} MB` : `${(bytes / 1000).toFixed(1)} kB`);

/// Bytes, rates, the playback buffer and what was dropped.
export function traffic_panel(conversation) {
  const up = new Spark(60), down = new Spark(60), buffer = new Spark(60);
  const cells = new Map();
  const row = (key) => {
    const cell = h("dd", {});
    cells.set(key, cell);
    return h("div", {}, h("dt", { t: `traffic.${key}` }), cell);
  };
  const big = (key, spark) => {
    const cell = h("strong", {});
    cells.set(key, cell);
    return h("div", { class: "tile" }, h("h3", { t: `traffic.${key}` }), cell, spark.element);
  };
  const element = h("div", { class: "panel" },
    h("div", { class: "tiles" }, big("up_rate", up), big("down_rate", down), big("buffer", buffer)),
    h("dl", { class: "facts" }, ...["rate", "up_total", "down_total", "text_total", "cushion", "starved", "dropped", "latency", "reports", "unplayed"].map(row)));

  let before = { ...conversation.traffic }, timer = 0;
  function show() {
    const now = { ...conversation.traffic };
    const state = conversation.speaker_state;
    const up_rate = now.up_bytes - before.up_bytes, down_rate = now.down_bytes - before.down_bytes;
    before = now;
    up.push(up_rate);
    down.push(down_rate);
    buffer.push(state?.waiting_ms ?? 0);
    const text = {
      up_rate: `${kilo(up_rate)}/s`, down_rate: `${kilo(down_rate)}/s`, buffer: state ? `${Math.round(state.waiting_ms)} ms` : "–",
      rate: `${conversation.rate} Hz · PCM16`, up_total: `${kilo(now.up_bytes)} · ${now.up_frames}`, down_total: `${kilo(now.down_bytes)} · ${now.down_frames}`,
      text_total: `↑ ${kilo(now.text_up_bytes)} · ↓ ${kilo(now.text_down_bytes)}`, cushion: state ? `${Math.round(state.cushion_ms)} ms` : "–", starved: `${state?.starved ?? 0}`,
      dropped: t("traffic.ms", { ms: Math.round(now.up_dropped) }), unplayed: t("traffic.ms", { ms: Math.round(((state?.dropped ?? 0) * 1000) / conversation.rate) }),
      latency: `${Math.round(conversation.latency_ms)} ms`, reports: `${now.reports}`,
    };
    for (const [key, value] of Object.entries(text)) cells.get(key).textContent = value;
  }
  return {
    element,
    show() {
      show();
      timer = setInterval(show, 1000);
    },
    hide: () => clearInterval(timer),
    stop: () => clearInterval(timer),
  };
}
