import { s, h } from "../core/dom.js";

const drawn = new Set(["park_jihoon", "choi_hyunwoo", "oh_kyungmi", "lee_soojin", "park_eunseo", "jung_yujin"]);

// Dye names of the cloth each portrait is sewn on: deep carries white text, pale carries ink.
const cloths = {
  park_jihoon: ["#2c4672", "#dfe5ea"], choi_hyunwoo: ["#37545f", "#dbe4df"], oh_kyungmi: ["#a9432a", "#f8e6cd"],
  lee_soojin: ["#7a3e5d", "#f3e2e3"], park_eunseo: ["#85520d", "#fae9ba"], jung_yujin: ["#365748", "#d5e4d4"],
};
const spare_cloths = Object.values(cloths);

const number_of = (text) => [...text].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) >>> 0, 7);

/// { deep, pale }: the two colours that stand for a character everywhere on the page.
export function cloth_of(character) {
  const [deep, pale] = cloths[character.id] ?? spare_cloths[number_of(character.id) % spare_cloths.length];
  return { deep, pale };
}

export const cloth_vars = (character) => ({ "--deep": cloth_of(character).deep, "--pale": cloth_of(character).pale });

/// The character's picture: its own of this server, ours, or patches with its initial.
export function portrait(character) {
  const own = character.profile_image_url ?? "";
  const source = own.startsWith("/") && !own.startsWith("//") ? own : drawn.has(character.id) ? `/web/portraits/${character.id}.svg` : "";
  if (!source) return patches(character);
  return h("img", { src: source, alt: "", class: "portrait", width: 360, height: 420, draggable: false, onerror: (event) => event.target.replaceWith(patches(character)) });
}

function patches(character) {
  let seed = number_of(character.id);
  const next = (below) => (seed = (seed * 1103515245 + 12345) >>> 0) % below;
  const x = 120 + next(120), y = 130 + next(150), y2 = 60 + next(120);
  const { deep, pale } = cloth_of(character);
  const accent = spare_cloths[next(spare_cloths.length)][0];
  const picture = s("svg", { viewBox: "0 0 360 420", class: "portrait", preserveAspectRatio: "xMidYMid slice", "aria-hidden": "true" });
  for (const [fill, px, py, width, height] of [[deep, 0, 0, x, y], [pale, x, 0, 360 - x, y2], [accent, x, y2, 360 - x, 420 - y2], [pale, 0, y, x, 420 - y]])
    picture.append(s("rect", { x: px, y: py, width, height, fill, stroke: "#fff", "stroke-opacity": ".5" }));
  const initial = s("text", { x: 180, y: 262, "text-anchor": "middle", "font-size": 150, "font-weight": 800, fill: "#fff", stroke: deep, "stroke-width": 14, "paint-order": "stroke", "stroke-linejoin": "round" });
  initial.textContent = [...character.name][0] ?? "?";
  picture.append(initial);
  return picture;
}
