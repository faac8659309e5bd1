/** Values that a test leaves at one call and takes at a later one; a key belongs to a path. */
export class Stash {
  #values = new Map();

  put(path, key, value) {
    this.#values.set(`${path} ${key}`, value);
  }

  take(path, key) {
    const value = this.#values.get(`${path} ${key}`);
    this.#values.delete(`${path} ${key}`);
    return value;
  }
}
