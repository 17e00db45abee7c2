import { h, icon, set } from "../core/dom.js";
import { t } from "../core/words.js";

// One voice at a time.
const player = new Audio();
let owner = null;

export function stop_introduction() {
  player.pause();
  owner?.idle();
  owner = null;
}

/// A button that plays the self-introduction; `show_text(playing)` is told when its words are worth showing.
export function introduction_button(character, show_text) {
  if (!character.introduction_audio_url) return h("span", { class: "no-introduction", t: "introduction.none" });
  const words = h("span", {});
  const button = h("button", { type: "button", class: "play" }, h("span", { class: "play-dot" }, icon("play")), words);

  const me = {
    idle() {
      button.classList.remove("playing");
      button.style.removeProperty("--done");
      button.firstChild.replaceChildren(icon("play"));
      set(words, { t: "introduction.play" });
      show_text(false);
    },
    playing() {
      button.classList.add("playing");
      button.firstChild.replaceChildren(icon("pause"));
      set(words, { t: "introduction.stop" });
      show_text(true);
    },
    failed() {
      me.idle();
      words.textContent = t("introduction.failed");
    },
  };

  button.onclick = async () => {
    const mine = owner === me;
    stop_introduction();
    if (mine) return;
    owner = me;
    player.src = character.introduction_audio_url;
    player.ontimeupdate = () => button.style.setProperty("--done", player.currentTime / (player.duration || 1));
    player.onended = stop_introduction;
    me.playing();
    try {
      await player.play();
    } catch (error) {
      // A second click stops the loading of the first.
      if (owner === me && error.name !== "AbortError") {
        owner = null;
        me.failed();
      }
    }
  };
  me.idle();
  return button;
}
