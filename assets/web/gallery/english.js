// The six counsellors are written in Korean; this is what an English reader needs to choose among them.
const known = {
  park_jihoon: ["Internal medicine", "Diabetes, blood pressure, cholesterol", "Puts long illnesses into plain words and finds small habits you can start today."],
  choi_hyunwoo: ["Psychiatry", "Stress, sleeplessness, low mood, worry", "Listens to the end without hurry, names the feeling, makes room to breathe."],
  oh_kyungmi: ["Clinical dietitian", "Meals, supplements, weight", "Frank, with numbers. Says so when a claim is false, and picks the next meal with you."],
  lee_soojin: ["Women’s health", "Menopause, cycles, hormones", "Precise and kind about the changes that are hard to talk of."],
  park_eunseo: ["Paediatrics", "Growth, infant food, vaccinations", "Calms worried parents and is glad with them over every small step."],
  jung_yujin: ["Geriatrics", "Dementia, falls, food in old age", "Respects elders and carers alike; keeps memory, steps and table, slowly."],
};

const categories = { "건강 상담": "Health" };

export const category_for = (name, language) => (language === "en" && categories[name]) || name;

/// { name, other_name, specialty, detail, description, lang } in the reader's language where we have it.
export function words_for(character, language) {
  const english = language === "en" ? known[character.id] : null;
  const native = { specialty: character.specialty, detail: character.specialty_detail, description: character.description, lang: character.language || "ko" };
  const shown = english ? { specialty: english[0], detail: english[1], description: english[2], lang: "en" } : native;
  const name = language === "en" && character.name_en ? character.name_en : character.name;
  return { ...shown, name, other_name: name === character.name ? character.name_en : character.name, name_lang: name === character.name ? native.lang : "en" };
}
