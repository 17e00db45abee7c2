/// on("word", what) and emit("word", value): who makes something happen does not know who looks.
export class Emitter {
  #listeners = new Map();

  on(word, what) {
    if (!this.#listeners.has(word)) this.#listeners.set(word, new Set());
    this.#listeners.get(word).add(what);
    return () => this.#listeners.get(word).delete(what);
  }

  emit(word, value) {
    for (const what of this.#listeners.get(word) ?? []) what(value);
  }
}
