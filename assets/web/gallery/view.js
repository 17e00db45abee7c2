import { h, icon } from "../core/dom.js";
import { get_json } from "../core/server.js";
import { current_language, t } from "../core/words.js";
import { category_for, words_for } from "./english.js";
import { introduction_button, stop_introduction } from "./introduction.js";
import { cloth_vars, portrait } from "./portraits.js";

const plain = (text) => text.normalize("NFC").toLowerCase();

function haystack(character) {
  const english = words_for(character, "en");
  return plain([character.name, character.name_en, character.specialty, character.specialty_detail, character.job, character.description, ...(character.tags ?? []),
    english.specialty, english.detail, english.description].join(" "));
}

function card(character) {
  const words = words_for(character, current_language());
  const description = h("p", { class: "card-text", lang: words.lang }, words.description);
  const spoken = h("p", { class: "card-text spoken", lang: character.language, hidden: true, tabIndex: 0, role: "region", "aria-label": t("introduction.words") }, character.introduction_text);
  const show_text = (playing) => {
    description.hidden = playing;
    spoken.hidden = !playing;
  };
  return h("li", { class: "card", vars: cloth_vars(character), data: { id: character.id } },
    h("div", { class: "card-picture" }, portrait(character)),
    h("div", { class: "card-words" },
      h("p", { class: "label", lang: words.lang }, words.specialty),
      h("h2", {}, h("a", { href: `#/talk/${character.id}`, lang: words.name_lang }, words.name), words.other_name ? h("small", { lang: words.name_lang === "en" ? "ko" : "en" }, words.other_name) : null),
      h("p", { class: "helps", lang: words.lang }, words.detail),
      description, spoken,
      h("div", { class: "card-actions" },
        introduction_button(character, show_text),
        h("span", { class: "talk-hint", "aria-hidden": "true" }, h("span", {}, t("gallery.talk")), icon("arrow")))));
}

export async function mount(main) {
  document.title = "Repartee";
  const search = h("input", { type: "search", id: "search", class: "search", autocomplete: "off", data: { tp: "gallery.search" }, placeholder: t("gallery.search") });
  const categories = h("div", { class: "chips", role: "group", tl: "gallery.categories" });
  const list = h("ul", { class: "cloth" });
  const found = h("p", { class: "found", role: "status" });
  main.append(h("section", { class: "gallery" },
    h("div", { class: "hero" },
      h("div", {}, h("h1", { t: "gallery.title" }), h("p", { class: "lead", t: "gallery.lead" })),
      h("div", { class: "finder" }, h("label", { class: "search-box", for: "search" }, icon("search"), h("span", { class: "hidden", t: "gallery.search" }), search), categories)),
    found, list));

  let characters = null;
  let category = "";

  function show() {
    if (!characters) return; // not there yet
    stop_introduction();
    const wanted = plain(search.value).split(/\s+/).filter(Boolean);
    const shown = characters.filter((one) => (!category || one.category === category) && wanted.every((word) => haystack(one).includes(word)));
    list.replaceChildren(...shown.map(card));
    found.textContent = shown.length ? (wanted.length || category ? t("gallery.found", { count: shown.length }) : "") : t("gallery.nobody");
    found.classList.toggle("empty", shown.length === 0);
    for (const chip of categories.children) chip.setAttribute("aria-pressed", chip.dataset.category === category);
  }

  function show_categories() {
    if (!characters) return;
    const names = [...new Set(characters.map((one) => one.category).filter(Boolean))];
    const chip = (name, props) => h("button", { type: "button", class: "chip", data: { category: name }, onclick: () => { category = name; show(); }, ...props });
    const named = (name) => {
      const shown = category_for(name, current_language());
      return chip(name, { textContent: shown, lang: shown === name ? "ko" : current_language() });
    };
    categories.replaceChildren(chip("", { t: "gallery.all" }), ...names.map(named));
  }

  function show_all() {
    show_categories();
    show();
  }

  search.oninput = show;
  document.addEventListener("language", show_all);
  try {
    ({ characters } = await get_json("/api/v1/characters"));
    show_all();
  } catch (error) {
    found.textContent = t("gallery.unreachable", { cause: error.message });
  }
  return () => {
    stop_introduction();
    document.removeEventListener("language", show_all);
  };
}
