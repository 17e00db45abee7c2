import { preference, remember } from "./preferences.js";
import ko from "./words_ko.js";
import en from "./words_en.js";

const tables = { ko, en };
let language = preference("language", navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en");
if (!tables[language]) language = "en";

export const languages = [["ko", "한국어"], ["en", "English"]];
export const current_language = () => language;

/// The words for `key`; `{name}` in them is replaced by the value of that name.
export function t(key, values = {}) {
  const text = tables[language][key] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export function choose_language(chosen) {
  language = chosen;
  remember("language", chosen);
  document.documentElement.lang = chosen;
  document.dispatchEvent(new CustomEvent("language"));
}

document.documentElement.lang = language;
