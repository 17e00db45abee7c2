import { preference, remember } from "./preferences.js";
import { icon, icon_button } from "./dom.js";

const dark_system = matchMedia("(prefers-color-scheme: dark)");
const is_dark = () => (document.documentElement.dataset.theme ?? (dark_system.matches ? "dark" : "light")) === "dark";

function apply(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  document.dispatchEvent(new CustomEvent("theme"));
}

/// A switch between light and dark; untouched, the page follows the system.
export function theme_button() {
  apply(preference("theme", null));
  const button = icon_button("moon", "theme", () => {
    const theme = is_dark() ? "light" : "dark";
    remember("theme", theme);
    apply(theme);
  });
  const show = () => {
    button.replaceChildren(icon(is_dark() ? "sun" : "moon"));
    button.setAttribute("aria-pressed", is_dark());
  };
  document.addEventListener("theme", show);
  dark_system.onchange = () => apply(preference("theme", null));
  show();
  return button;
}

/// The colour a custom property stands for, as a canvas understands it.
export function colour(name, host = document.body) {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.style.color = `var(${name})`;
  host.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
