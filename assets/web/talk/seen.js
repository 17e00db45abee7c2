const ids_kept = 1024;

/// The newest ids, so many that nothing the server may tell again has fallen out.
export class Seen {
  #ids = new Set();

  has(id) {
    return this.#ids.has(id);
  }

  add(id) {
    this.#ids.add(id);
    if (this.#ids.size > ids_kept) this.#ids.delete(this.#ids.values().next().value);
  }
}
