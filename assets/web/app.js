import { h, translate } from "./core/dom.js";
import { theme_button } from "./core/theme.js";
import { choose_language, current_language, languages, t } from "./core/words.js";
import * as gallery from "./gallery/view.js";

const main = document.getElementById("main");
let leave = null;
let turn = 0;

const routes = [
  [/^#\/talk\/([\w-]+)$/, "talk", (id) => import("./talk/view.js").then((view) => (element) => view.mount(element, id))],
  [/^#\/server$/, "server", () => import("./server/view.js").then((view) => view.mount)],
  [/^/, "gallery", async () => gallery.mount],
];

async function go(focus = true) {
  const mine = ++turn;
  const [pattern, name, load] = routes.find(([address]) => address.test(location.hash));
  // While a script loads, what is shown stays.
  const mount = await load(pattern.exec(location.hash)[1]);
  if (mine !== turn) return;
  leave?.();
  leave = null;
  document.body.dataset.route = name;
  for (const link of document.querySelectorAll("nav a"))
    link.dataset.route === name ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  main.replaceChildren();
  window.scrollTo(0, 0);
  leave = await mount(main);
  if (mine !== turn) leave?.();
  else if (focus) main.focus({ preventScroll: true });
}

function language_button() {
  const button = h("button", { type: "button", class: "text-button", onclick: () => choose_language(other()[0]) });
  const other = () => languages.find(([code]) => code !== current_language());
  const show = () => {
    button.textContent = other()[1];
    button.lang = other()[0];
  };
  document.addEventListener("language", show);
  show();
  return button;
}

document.querySelector(".skip").onclick = (event) => {
  event.preventDefault();
  main.focus();
};
document.getElementById("tools").append(language_button(), theme_button());
document.addEventListener("language", () => translate());
translate();
window.addEventListener("hashchange", () => go());
await go(false);
