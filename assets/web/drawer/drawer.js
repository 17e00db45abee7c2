import { h, icon_button } from "../core/dom.js";
import { preference, remember } from "../core/preferences.js";
import { events_panel } from "./events.js";
import { latency_panel } from "./latency.js";
import { snippets_panel } from "./snippets.js";
import { tabs } from "./tabs.js";
import { traffic_panel } from "./traffic.js";
import { turn_detection_panel } from "./turn_detection.js";
import { usage_panel } from "./usage.js";

/// What happens under a conversation, for who builds on it.
export class Drawer {
  #panels;
  #tabs;

  constructor(conversation, close) {
    const make = { events: events_panel, latency: latency_panel, traffic: traffic_panel, usage: usage_panel, tuning: turn_detection_panel, code: snippets_panel };
    this.#panels = Object.entries(make).map(([id, panel]) => ({ id, key: `drawer.${id}`, ...panel(conversation) }));
    this.#tabs = tabs(this.#panels, "drawer.tabs", preference("drawer", "events"), (id) => remember("drawer", id));
    this.element = h("aside", { class: "drawer", id: "drawer", tl: "drawer.title" },
      h("div", { class: "drawer-head" }, h("h2", { t: "drawer.title" }), icon_button("close", "drawer.close", close)),
      this.#tabs.list,
      ...this.#panels.map((panel) => panel.element));
    this.element.onkeydown = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      close();
    };
  }

  stop() {
    this.#tabs.stop();
    for (const panel of this.#panels) panel.stop();
  }
}
