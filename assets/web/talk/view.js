import { h, icon, s } from "../core/dom.js";
import { ask_for_key, get_json } from "../core/server.js";
import { current_language, t } from "../core/words.js";
import { words_for } from "../gallery/english.js";
import { cloth_vars, portrait } from "../gallery/portraits.js";
import { Conversation } from "./conversation.js";
import { Dock } from "./dock.js";
import { microphone_help } from "./help.js";
import { Ribbon } from "./ribbon.js";
import { StatusLine } from "./status_line.js";
import { Transcript } from "./transcript.js";

function style(name) {
  const address = `/web/style/${name}.css`;
  if (document.querySelector(`link[href="${address}"]`)) return Promise.resolve();
  return new Promise((done) => {
    document.head.append(h("link", { rel: "stylesheet", href: address, onload: done, onerror: done }));
  });
}

/// What to say about a connection that ended for good.
async function verdict(character, { code, reason, opened }) {
  if (code === 1000) return { text: t("talk.ended") };
  if (code === 4001) return { text: t("closed.elsewhere") };
  if (code === 1001 && reason === "timeout") return { text: t("closed.limit") };
  if (opened) return { text: reason === "idle_timeout" ? t("closed.idle") : t("closed.code", { code, reason: reason || "–" }) };
  // A page does not get to see why an upgrade was refused; plain requests do.
  try {
    await get_json("/api/v1/status");
    await get_json(`/api/v1/characters/${character.id}`);
    return { text: t("closed.refused") };
  } catch (error) {
    return error.status === 401 ? { text: t("closed.key"), key: true } : { text: error.status ? error.message : t("closed.unreachable") };
  }
}

export async function mount(main, id) {
  await Promise.all([style("talk"), style("drawer")]);
  let character;
  try {
    character = await get_json(`/api/v1/characters/${encodeURIComponent(id)}`);
  } catch (error) {
    main.append(h("div", { class: "lonely" }, h("h1", {}, t("talk.nobody")), h("p", {}, error.message), h("a", { class: "button", href: "#/" }, t("talk.back_to_all"))));
    return null;
  }
  const view = new View(main, character);
  // Who has clicked anything here has consented to sound; a fresh page waits for that.
  if (navigator.userActivation?.hasBeenActive ?? false) await view.begin();
  else view.offer();
  return () => view.leave();
}

class View {
  #main;
  #character;
  #conversation = null;
  #parts = [];
  #drawer = null;
  #words;

  constructor(main, character) {
    this.#main = main;
    this.#character = character;
    this.#words = words_for(character, current_language());
    document.title = `${this.#words.name} · Repartee`;
    this.root = h("section", { class: "talk", vars: cloth_vars(character), "aria-label": t("talk.with", { name: this.#words.name }) });
    main.append(this.root);
    this.#build();
    this.#relabel = () => {
      this.#words = words_for(character, current_language());
      this.name.textContent = this.#words.name;
      this.specialty.textContent = `${this.#words.specialty} · ${this.#words.detail}`;
      this.#show_state();
      if (this.#conversation) this.#show_help();
    };
    document.addEventListener("language", this.#relabel);
  }

  #relabel;

  #build() {
    const frame = s("svg", { class: "stitches", "aria-hidden": "true" }, s("rect", { x: "1.5%", y: "1.5%", width: "97%", height: "97%", rx: 10, pathLength: 300 }));
    this.name = h("h1", { lang: this.#words.name_lang }, this.#words.name);
    this.specialty = h("p", { class: "specialty", lang: this.#words.lang }, `${this.#words.specialty} · ${this.#words.detail}`);
    this.state = h("p", { class: "state", role: "status" });
    this.stage = h("div", { class: "stage", data: { state: "waiting" } },
      h("div", { class: "stage-picture" }, portrait(this.#character), frame),
      h("div", { class: "stage-words" },
        h("a", { class: "icon-button back", href: "#/", tl: "talk.back_to_all" }, icon("back")),
        h("div", {}, this.name, this.specialty), this.state));
    this.ribbon = new Ribbon(this.root);
    this.drawer_button = h("button", { type: "button", class: "under", "aria-expanded": "false", "aria-controls": "drawer", onclick: () => this.#toggle_drawer() }, icon("code"), h("span", { t: "drawer.open" }));
    this.middle = h("div", { class: "middle" });
    this.help = h("div", { class: "help-place" });
    this.talk = h("div", { class: "exchange" },
      h("div", { class: "ribbon-row" }, this.ribbon.element, this.drawer_button),
      this.help, this.middle);
    this.root.append(this.stage, this.talk);
    this.ribbon.start();
  }

  offer() {
    this.#show_state();
    this.middle.replaceChildren(h("div", { class: "offer" },
      h("p", { class: "offer-words" }, t("talk.offer")),
      h("button", { type: "button", class: "button big", onclick: () => this.begin() }, icon("microphone"), t("talk.begin")),
      h("p", { class: "small" }, t("talk.offer_small"))));
  }

  async begin() {
    this.#end_conversation();
    const conversation = (this.#conversation = new Conversation(this.#character));
    const transcript = new Transcript(conversation, this.#words.name);
    const dock = new Dock(conversation, () => this.#finish());
    const status = new StatusLine(conversation);
    this.#parts = [transcript, dock, status];
    this.middle.replaceChildren(...status.elements, transcript.element, transcript.announcer, dock.element);
    this.#suggest(conversation, transcript);
    conversation.on("state", () => this.#show_state());
    conversation.on("session", dock.show);
    conversation.on("state", dock.show);
    conversation.on("help", () => { this.#show_help(); dock.show(); });
    conversation.on("levels", (levels) => this.#show_levels(levels, dock));
    conversation.on("cut", () => this.ribbon.cut());
    conversation.on("closed", (how) => this.#closed(how));
    this.#show_state();
    if (this.#drawer) await this.#open_drawer();
    try {
      await conversation.start();
    } catch (error) {
      conversation.entries.note(error.message, "error");
    }
  }

  // An empty page asks for courage; the character's own example is a first line to borrow.
  #suggest(conversation, transcript) {
    const line = (this.#character.sample_dialogue ?? "").split("\n")[0].replace(/^[^:]{1,20}:\s*/, "");
    if (!line) return;
    const opener = h("div", { class: "opener" }, h("p", { class: "small", t: "talk.opener" }),
      h("button", { type: "button", class: "button quiet", lang: this.#character.language, onclick: () => conversation.say(line) }, line));
    transcript.element.prepend(opener);
    conversation.entries.on("added", () => opener.remove());
  }

  #show_levels(levels, dock) {
    if (levels.person !== undefined) {
      const heard = this.#conversation.mode === "push" && this.#conversation.state !== "hearing" ? 0 : levels.person;
      this.ribbon.level("person", heard);
      dock.level(heard);
    }
    if (levels.character !== undefined) {
      this.ribbon.level("character", levels.character);
      this.stage.style.setProperty("--level", Math.min(1, levels.character * 4).toFixed(3));
    }
  }

  #show_state() {
    const state = this.#conversation?.state ?? "waiting";
    this.stage.dataset.state = state;
    this.state.textContent = t(`state.${state}`, { name: this.#words.name });
  }

  #show_help() {
    const help = microphone_help(this.#conversation.trouble, () => this.#conversation.open_microphone());
    this.help.replaceChildren(...(help ? [help] : []));
  }

  async #closed(how) {
    const { text, key } = await verdict(this.#character, how);
    const again = async () => {
      if (!key || (await ask_for_key())) this.begin();
    };
    this.#conversation.entries.note(text, how.code === 1000 ? "line" : "error");
    this.help.replaceChildren(h("section", { class: "notice", role: "alert" }, h("p", {}, text), h("button", { type: "button", class: "button small", onclick: () => { this.help.replaceChildren(); again(); } }, t(key ? "closed.give_key" : "closed.again"))));
  }

  #finish() {
    if (!this.#conversation || this.#conversation.state === "ended") {
      location.hash = "#/";
      return;
    }
    this.#conversation.end();
    this.#conversation.entries.note(t("talk.ended"), "line");
    this.help.replaceChildren(h("section", { class: "notice calm", role: "status" }, h("p", {}, this.#character.closing_line ?? t("talk.ended")),
      h("div", { class: "row" }, h("button", { type: "button", class: "button small", onclick: () => { this.help.replaceChildren(); this.begin(); } }, t("talk.begin_again")), h("a", { class: "button quiet small", href: "#/" }, t("talk.back_to_all")))));
  }

  async #toggle_drawer() {
    if (!this.#drawer) return this.#conversation ? this.#open_drawer() : this.begin().then(() => this.#open_drawer());
    this.#drawer.stop();
    this.#drawer.element.remove();
    this.#drawer = null;
    this.root.classList.remove("with-drawer");
    this.drawer_button.setAttribute("aria-expanded", "false");
    this.drawer_button.focus();
  }

  async #open_drawer() {
    const { Drawer } = await import("../drawer/drawer.js");
    this.#drawer?.stop();
    this.#drawer?.element.remove();
    this.#drawer = new Drawer(this.#conversation, () => this.#toggle_drawer());
    this.root.append(this.#drawer.element);
    this.root.classList.add("with-drawer");
    this.drawer_button.setAttribute("aria-expanded", "true");
  }

  #end_conversation() {
    this.#conversation?.end();
    for (const part of this.#parts) part.stop();
    this.#parts = [];
  }

  leave() {
    this.#end_conversation();
    this.#drawer?.stop();
    this.ribbon.stop();
    document.removeEventListener("language", this.#relabel);
  }
}
