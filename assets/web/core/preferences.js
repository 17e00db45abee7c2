// A browser may forbid storage; then choices last as long as the page.
const kept = new Map();
const name_of = (key) => `repartee.${key}`;

export function preference(key, otherwise) {
  if (kept.has(key)) return kept.get(key);
  try {
    return JSON.parse(localStorage.getItem(name_of(key))) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function remember(key, value) {
  kept.set(key, value);
  try {
    localStorage.setItem(name_of(key), JSON.stringify(value));
  } catch { /* see above */ }
}
