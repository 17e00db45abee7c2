import { t } from "./words.js";

/// h("button", { class: "x", t: "word.key", tl: "word.for.aria-label", onclick }, ...children): an element, without any HTML text.
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  set(element, props);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function set(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name === "t") {
      element.dataset.t = value;
      element.textContent = t(value);
    } else if (name === "tl") {
      element.dataset.tl = value;
      label(element, t(value));
    } else if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "vars") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (name.startsWith("aria-") || name === "role" || name === "for" || name === "list") element.setAttribute(name, value);
    else element[name] = value;
  }
}

function label(element, text) {
  element.setAttribute("aria-label", text);
  if (element.matches("button, a")) element.title = text;
}

/// What stands on the page already, in the language chosen now.
export function translate(root = document) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-tl]")) label(element, t(element.dataset.tl));
  for (const element of root.querySelectorAll("[data-tp]")) element.placeholder = t(element.dataset.tp);
}

const svg_space = "http://www.w3.org/2000/svg";

export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(svg_space, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const paths = {
  play: "M8 5.5v13l11-6.5z",
  pause: "M8 5v14M16 5v14",
  arrow: "M5 12h13M13 6l6 6-6 6",
  back: "M19 12H6M11 6l-6 6 6 6",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5L20 20",
  microphone: "M12 3.5a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0v-5a3 3 0 0 0-3-3zM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3",
  muted: "M9 9.5v2a3 3 0 0 0 4.7 2.5M15 11V6.5a3 3 0 0 0-5.8-1M5.5 11.5a6.5 6.5 0 0 0 10.3 5.3M18.5 11.5a6.5 6.5 0 0 1-.7 3M12 18v3M4 4l16 16",
  end: "M4 14.5c4.5-4.7 11.5-4.7 16 0l-2 2.5-3.5-1.5v-2.3a11 11 0 0 0-5 0v2.3L6 17z",
  stop: "M7 7h10v10H7z",
  send: "M4 12l16-7-5 15-3.5-6z",
  gear: "M4 7h9M17 7h3M4 17h3M11 17h9M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  code: "M8.5 7L4 12l4.5 5M15.5 7l4.5 5-4.5 5",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v11H9zM5 15V4h10",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  scissors: "M6 9a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM6 20a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8 7.8L20 18M8 16.2L20 6",
};

export function icon(name) {
  const filled = name === "play" || name === "stop" || name === "end" || name === "send";
  return s("svg", { viewBox: "0 0 24 24", class: `icon${filled ? " filled" : ""}`, "aria-hidden": "true" }, s("path", { d: paths[name] }));
}

/// A button with a picture; `key` names it for those who do not see it.
export function icon_button(name, key, onclick, extra = {}) {
  return h("button", { type: "button", class: "icon-button", tl: key, onclick, ...extra }, icon(name));
}
