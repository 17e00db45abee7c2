import { h } from "../core/dom.js";
import { t } from "../core/words.js";

const order = ["line", "service", "limit"];
const tick_ms = 1000;

/// One quiet line above the script: what has become of the connection and the service, and which limit is near.
/// The first of `order` that has something to say is shown.
export class StatusLine {
  #notices = new Map(); // about → { key, until, timer }
  #shown = h("p", { class: "status-line", "aria-hidden": "true" });
  // Read out once, not at every second that is counted down.
  #spoken = h("p", { class: "hidden", role: "status" });
  #counting = setInterval(() => this.#show(), tick_ms);
  #stops = [];

  constructor(conversation) {
    this.elements = [this.#shown, this.#spoken];
    this.#stops = [conversation.on("notice", (notice) => this.#take(notice))];
    document.addEventListener("language", this.#relabel);
  }

  #relabel = () => {
    this.#show();
  };

  #take({ about, key, for_ms, until }) {
    clearTimeout(this.#notices.get(about)?.timer);
    if (key) this.#notices.set(about, { key, until, timer: for_ms === undefined ? 0 : setTimeout(() => this.#take({ about, key: null }), for_ms) });
    else this.#notices.delete(about);
    this.#show();
    if (key) this.#spoken.textContent = this.#words(this.#notices.get(about));
  }

  #words({ key, until }) {
    const left_s = Math.max(0, Math.ceil(((until ?? 0) - performance.now()) / 1000));
    const left = left_s >= 120 ? t("notice.minutes", { count: Math.round(left_s / 60) }) : t("notice.seconds", { count: left_s });
    return t(key, { left });
  }

  #show() {
    const about = order.find((one) => this.#notices.has(one));
    const words = about ? this.#words(this.#notices.get(about)) : "";
    // What has a time is over by itself; a limit only comes nearer.
    this.#shown.dataset.level = about && about !== "limit" && this.#notices.get(about).timer ? "good" : "wait";
    if (words !== this.#shown.textContent) this.#shown.textContent = words;
    if (!words) this.#spoken.textContent = "";
  }

  stop() {
    clearInterval(this.#counting);
    for (const { timer } of this.#notices.values()) clearTimeout(timer);
    for (const stop of this.#stops) stop();
    document.removeEventListener("language", this.#relabel);
  }
}
