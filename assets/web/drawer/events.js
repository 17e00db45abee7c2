import { h } from "../core/dom.js";
import { t } from "../core/words.js";
import { copy_button } from "./copy.js";

const shown_max = 600;
// They come many times a second and would bury the rest.
const often = new Set(["audio", "playback"]);
const arrows = { in: "↓", out: "↑", here: "•" };
const time = (ms) => {
  const whole = Math.floor(ms / 1000);
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}.${String(Math.floor(ms % 1000)).padStart(3, "0")}`;
};
const size = (bytes) => (bytes >= 10_000 ? `${(bytes / 1000).toFixed(0)} kB` : bytes >= 1000 ? `${(bytes / 1000).toFixed(1)} kB` : `${bytes} B`);

/// Every event with time and direction; opens to its JSON.
export function events_panel(conversation) {
  const log = conversation.log;
  const rows = new Map();
  let direction = "", words = "", with_audio = false, follow = true;

  const list = h("ol", { class: "events" });
  const scroller = h("div", { class: "events-scroll", tabIndex: 0, role: "region", tl: "drawer.events" }, list);
  scroller.onscroll = () => (follow = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40);
  const fits = (row) => (with_audio || !often.has(row.type)) && (!direction || row.direction === direction) && (!words || JSON.stringify(row.event ?? row.type).toLowerCase().includes(words) || row.type.includes(words));

  function summary(row) {
    const text = row.type === "audio" ? t("events.audio", { count: row.count }) : row.type;
    return [h("span", { class: "at" }, time(row.at)), h("span", { class: `arrow ${row.direction}` }, h("span", { "aria-hidden": "true" }, arrows[row.direction]), h("span", { class: "hidden" }, t(`events.${row.direction}`))),
      h("span", { class: "type" }, text), h("span", { class: "size" }, row.bytes ? size(row.bytes) : "")];
  }

  function line(row) {
    if (!row.event) return h("li", { class: `event ${row.type}` }, h("div", { class: "event-head" }, ...summary(row)));
    const details = h("details", {}, h("summary", { class: "event-head" }, ...summary(row)));
    details.ontoggle = () => details.open && details.children.length === 1 && details.append(h("pre", { tabIndex: 0 }, JSON.stringify(row.event, null, 2)));
    return h("li", { class: `event ${row.type === "error" ? "bad" : ""}` }, details);
  }

  function add(row) {
    if (!fits(row)) return;
    const element = line(row);
    rows.set(row, element);
    list.append(element);
    if (rows.size > shown_max) {
      const [first] = rows.keys();
      rows.get(first).remove();
      rows.delete(first);
    }
    if (follow) scroller.scrollTop = scroller.scrollHeight;
  }

  function again() {
    rows.clear();
    list.replaceChildren();
    log.rows.filter(fits).slice(-shown_max).forEach(add);
  }

  const filter = h("input", { type: "search", id: "event-filter", class: "filter", placeholder: t("events.filter"), "aria-label": t("events.filter"), data: { tp: "events.filter" }, oninput: () => { words = filter.value.trim().toLowerCase(); again(); } });
  const ways = h("div", { class: "segments small", role: "group", tl: "events.direction" }, ...["", "out", "in"].map((way) =>
    h("button", { type: "button", "aria-pressed": way === "", t: way ? `events.${way}` : "events.both", onclick: (event) => {
      direction = way;
      for (const button of ways.children) button.setAttribute("aria-pressed", button === event.currentTarget);
      again();
    } })));
  const audio = h("input", { type: "checkbox", id: "event-audio", onchange: () => { with_audio = audio.checked; again(); } });
  const copied = () => log.rows.filter(fits).map((row) => JSON.stringify({ at_ms: Math.round(row.at), direction: row.direction, ...(row.event ? { event: row.event } : { audio_bytes: row.bytes, frames: row.count }) })).join("\n");

  const stops = [
    log.on("added", add),
    log.on("changed", (row) => rows.get(row)?.firstChild.replaceChildren(...summary(row))),
  ];
  again();
  return {
    element: h("div", { class: "panel events-panel" },
      h("div", { class: "panel-tools" }, filter, ways, h("label", { class: "check", for: "event-audio" }, audio, h("span", { t: "events.with_audio" })), copy_button(copied, "events.copy")),
      scroller),
    show: () => follow && (scroller.scrollTop = scroller.scrollHeight),
    stop: () => stops.forEach((stop) => stop()),
  };
}
