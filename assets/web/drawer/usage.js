import { h } from "../core/dom.js";
import { preference, remember } from "../core/preferences.js";
import { current_language, t } from "../core/words.js";
import { price_list } from "../talk/usage.js";

const kinds = ["text_in", "text_cached", "text_out", "audio_in", "audio_cached", "audio_out"];

/// Tokens so far and what they cost, at prices that can be changed.
export function usage_panel(conversation) {
  const sum = h("p", { class: "figure" });
  const body = h("tbody", {});
  let model = "", prices = null;

  function show() {
    const now = conversation.session?.model ?? (model || "gpt-realtime");
    if (now !== model) {
      model = now;
      prices = { ...price_list(model), ...preference(`prices.${model}`, {}) };
      body.replaceChildren(...kinds.map((kind) => {
        const price = h("input", { type: "number", min: 0, step: "any", value: prices[kind], "aria-label": t("usage.price_of", { kind: t(`usage.${kind}`) }), oninput: () => {
          prices[kind] = Math.max(0, Number(price.value) || 0);
          remember(`prices.${model}`, prices);
          show();
        } });
        return h("tr", { data: { kind } }, h("th", { scope: "row", t: `usage.${kind}` }), h("td", {}), h("td", {}, price), h("td", {}));
      }));
    }
    const { usage } = conversation;
    sum.replaceChildren(h("strong", {}, `$${usage.dollars(prices).toFixed(4)}`), h("span", {}, t("usage.sum", { tokens: usage.total.toLocaleString(current_language()), replies: usage.responses, model })));
    for (const row of body.children) {
      const count = usage.tokens[row.dataset.kind];
      row.children[1].textContent = count.toLocaleString(current_language());
      row.children[3].textContent = ((count * prices[row.dataset.kind]) / 1e6).toFixed(4);
    }
  }

  const stops = [conversation.on("turns", show), conversation.on("session", show)];
  return {
    element: h("div", { class: "panel" }, sum,
      h("table", { class: "usage" }, h("thead", {}, h("tr", {}, ...["kind", "tokens", "price", "cost"].map((key) => h("th", { scope: "col", t: `usage.${key}` })))), body),
      h("p", { class: "small", t: "usage.text" })),
    show,
    stop: () => stops.forEach((stop) => stop()),
  };
}
