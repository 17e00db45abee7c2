import { h, icon } from "../core/dom.js";
import { t } from "../core/words.js";

async function to_clipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without HTTPS a page has only the old way.
  const field = h("textarea", { value: text, class: "hidden" });
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("copy");
}

/// A button that copies what `text()` gives.
export function copy_button(text, key = "copy") {
  const words = h("span", { t: key, role: "status" });
  const button = h("button", { type: "button", class: "button quiet small" }, icon("copy"), words);
  button.onclick = async () => {
    try {
      await to_clipboard(text());
      words.textContent = t("copied");
    } catch {
      words.textContent = t("copy_failed");
    }
    setTimeout(() => (words.textContent = t(key)), 1500);
  };
  return button;
}
