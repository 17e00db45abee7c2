import { h } from "../core/dom.js";
import { t } from "../core/words.js";
import { Turns } from "../talk/turns.js";

const stages = ["silence", "created", "audio", "sound"];
const shown_turns = 30;
const ms = (value) => `${Math.round(value)}`;
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];

/// How long each turn took, split by stage: a bar a turn, newest below.
export function latency_panel(conversation) {
  const turns = conversation.turns;
  const chart = h("ol", { class: "bars" });
  const headline = h("p", { class: "figure" });
  const legend = h("ul", { class: "legend" }, ...stages.map((stage) => h("li", { class: `stage-${stage}` }, h("span", { t: `latency.${stage}` }))));

  function show() {
    const list = turns.list.slice(-shown_turns);
    const measured = list.map((turn) => ({ turn, parts: Turns.stages(turn) }));
    const after = ({ parts }) => (parts.created ?? 0) + (parts.audio ?? 0) + (parts.sound ?? 0);
    const longest = Math.max(800, ...measured.map((one) => (one.parts.silence ?? 0) + after(one)));
    const whole = measured.filter((one) => one.turn.heard !== null && one.parts.sound !== null);
    headline.replaceChildren(...(whole.length
      ? [h("strong", {}, ms(median(whole.map(after)))), h("span", {}, t("latency.median", { count: whole.length }))]
      : [h("span", {}, t("latency.none"))]));
    chart.replaceChildren(...measured.map((one, i) => {
      const known = stages.filter((stage) => one.parts[stage] !== null);
      const words = known.map((stage) => `${t(`latency.${stage}`)} ${ms(one.parts[stage])} ms`).join(", ");
      return h("li", { class: one.turn.interrupted ? "interrupted" : "" },
        h("span", { class: "bar-name" }, `${turns.list.length - list.length + i + 1}`),
        h("span", { class: "bar", role: "img", "aria-label": words || t("latency.unknown"), title: words }, ...known.map((stage) => h("span", { class: `stage-${stage}`, vars: { "--part": one.parts[stage] / longest } }))),
        h("span", { class: "bar-sum" }, one.turn.heard === null ? t("latency.greeting") : one.parts.sound === null ? "–" : `${ms(after(one))} ms`));
    }));
  }

  let timer = 0;
  const stop_listening = conversation.on("turns", show);
  return {
    element: h("div", { class: "panel" }, headline, legend, chart, h("p", { class: "small", t: "latency.text" })),
    show() {
      show();
      timer = setInterval(show, 1000);
    },
    hide: () => clearInterval(timer),
    stop() {
      clearInterval(timer);
      stop_listening();
    },
  };
}
