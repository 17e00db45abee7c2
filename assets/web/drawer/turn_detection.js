import { h } from "../core/dom.js";
import { t } from "../core/words.js";

const sliders = [["threshold", 0, 1, 0.05], ["silence_duration_ms", 100, 2000, 50], ["prefix_padding_ms", 0, 1000, 50]];
const settle_ms = 250;

/// Who may speak when: the session's turn detection, changed while one talks.
export function turn_detection_panel(conversation) {
  const body = h("div", { class: "tuning" });
  const answer = h("p", { class: "small", role: "status" });
  let timer = 0, wanted = null;

  const present = () => conversation.session?.audio?.input?.turn_detection;

  function send(next) {
    wanted = next;
    clearTimeout(timer);
    timer = setTimeout(() => {
      answer.textContent = t("tuning.sent");
      conversation.set_turn_detection(wanted);
      wanted = null;
    }, settle_ms);
  }

  const kinds = h("div", { class: "segments", role: "group", tl: "tuning.kind" }, ...["server_vad", "semantic_vad", "none"].map((kind) =>
    h("button", { type: "button", data: { kind }, t: `tuning.${kind}`, onclick: () => { send(kind === "none" ? null : { type: kind }); } })));

  function slider([name, min, max, step], turn_detection) {
    const output = h("output", { for: `slider-${name}` });
    const input = h("input", { type: "range", id: `slider-${name}`, min, max, step, value: turn_detection[name] });
    const show = () => (output.textContent = name === "threshold" ? Number(input.value).toFixed(2) : `${input.value} ms`);
    input.oninput = () => {
      show();
      const values = Object.fromEntries(sliders.map(([key]) => [key, Number(document.getElementById(`slider-${key}`).value)]));
      send({ type: "server_vad", ...values });
    };
    show();
    return h("div", { class: "field" }, h("div", { class: "row" }, h("label", { for: input.id, t: `tuning.${name}` }), output), input, h("p", { class: "small", t: `tuning.${name}.text` }));
  }

  function eagerness(turn_detection) {
    const select = h("select", { id: "eagerness", onchange: () => send({ type: "semantic_vad", eagerness: select.value }) },
      ...["auto", "low", "medium", "high"].map((word) => h("option", { value: word, selected: word === turn_detection.eagerness }, t(`tuning.${word}`))));
    return h("div", { class: "field" }, h("label", { for: "eagerness", t: "tuning.eagerness" }), select);
  }

  function interrupting(turn_detection) {
    const box = h("input", { type: "checkbox", id: "interrupt", checked: turn_detection.interrupt_response !== false,
      onchange: () => send({ type: turn_detection.type, interrupt_response: box.checked }) });
    return h("div", { class: "field check" }, box, h("label", { for: "interrupt", t: "tuning.interrupt" }));
  }

  function show() {
    const turn_detection = present();
    if (turn_detection === undefined) return body.replaceChildren(h("p", { class: "small", t: "tuning.waiting" }));
    const kind = turn_detection?.type ?? "none";
    for (const button of kinds.children) button.setAttribute("aria-pressed", button.dataset.kind === kind);
    // While a slider is held, an answer to its earlier place must not pull it back.
    if (wanted === null && !(body.contains(document.activeElement) && body.dataset.kind === kind)) {
      body.dataset.kind = kind;
      if (kind === "none") body.replaceChildren(h("p", { class: "small", t: "tuning.none.text" }));
      else body.replaceChildren(...(kind === "server_vad" ? sliders.map((one) => slider(one, turn_detection)) : [eagerness(turn_detection)]), interrupting(turn_detection));
    }
    if (answer.textContent) answer.textContent = t("tuning.in_force");
  }

  const stop_listening = conversation.on("session", show);
  return {
    element: h("div", { class: "panel" }, kinds, body, answer, h("p", { class: "small", t: "tuning.text" })),
    show,
    stop() {
      clearTimeout(timer);
      stop_listening();
    },
  };
}
