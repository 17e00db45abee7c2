import { h } from "../core/dom.js";
import { t } from "../core/words.js";

/// What to do when the microphone cannot be used; `trouble` is denied, missing, unusable, lost or insecure.
export function microphone_help(trouble, again) {
  if (!trouble) return null;
  const secure = `https://${location.hostname}:8443/`;
  return h("section", { class: "notice", role: "alert" },
    h("h2", {}, t(`help.${trouble}.title`)),
    h("p", {}, t(`help.${trouble}.text`, { address: secure, origin: location.origin })),
    trouble === "denied" ? h("ol", {}, ...[1, 2, 3].map((step) => h("li", {}, t(`help.denied.step${step}`)))) : null,
    trouble === "insecure" ? h("p", {}, h("code", {}, "scripts/run --tls-listen 0.0.0.0:8443")) : null,
    h("p", { class: "small" }, t(trouble === "insecure" ? "help.no_sound" : "help.type_instead")),
    trouble === "insecure" ? null : h("button", { type: "button", class: "button small", onclick: again }, t("help.again")));
}
