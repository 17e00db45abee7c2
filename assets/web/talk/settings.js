import { h } from "../core/dom.js";
import { preference, remember } from "../core/preferences.js";
import { t } from "../core/words.js";
import { devices } from "./audio.js";

function chooser(key, list, chosen, onchange) {
  const select = h("select", { id: `device-${key}`, onchange: () => onchange(select.value) },
    h("option", { value: "" }, t("settings.system")),
    ...list.map((one, i) => h("option", { value: one.id, selected: one.id === chosen }, one.label || t("settings.device", { number: i + 1 }))));
  return h("div", { class: "field" }, h("label", { for: select.id }, t(`settings.${key}`)), select);
}

/// The sheet with microphone, loudspeaker and greeting.
export async function open_settings(conversation) {
  const [microphones, speakers] = await Promise.all([devices("audioinput"), devices("audiooutput")]);
  const greeting = h("input", { type: "checkbox", id: "greeting", checked: preference("greeting", true), onchange: () => remember("greeting", greeting.checked) });
  const can_choose_speaker = "setSinkId" in AudioContext.prototype;
  const dialog = h("dialog", { class: "sheet", "aria-labelledby": "settings-title" },
    h("form", { method: "dialog" },
      h("h2", { id: "settings-title" }, t("settings.title")),
      chooser("microphone", microphones, preference("microphone", ""), (id) => conversation.choose_microphone(id)),
      can_choose_speaker
        ? chooser("speaker", speakers, preference("speaker", ""), (id) => conversation.choose_speaker(id).catch((error) => conversation.entries.note(error.message, "error")))
        : h("p", { class: "small" }, t("settings.speaker_by_system")),
      h("div", { class: "field check" }, greeting, h("label", { for: "greeting" }, t("settings.greeting"))),
      h("div", { class: "row end" }, h("button", { type: "submit", class: "button" }, t("settings.done")))));
  dialog.onclose = () => dialog.remove();
  // A click beside the sheet closes it.
  dialog.onclick = (event) => event.target === dialog && dialog.close();
  document.body.append(dialog);
  dialog.showModal();
}
