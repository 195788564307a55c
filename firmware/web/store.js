// SPDX-License-Identifier: Apache-2.0
// What a hub in a browser stores, in IndexedDB. A value that save() stored survives the end of the page; the browser may delete all of it with
// the site's data.
//
// kind      key               value
// roster    camera's id       the signed roster, Uint8Array
// epoch     camera's id       the greatest epoch counter that became current, Number
// request   "seq"             the end of the reserved block of request numbers, BigInt
// prekey    number as text    { number, made, pair }; the private key of the pair is a CryptoKey that is not extractable
// identity  "identity", "hpke"  a pair { privateKey, point }
const KINDS = ["roster", "epoch", "request", "prekey", "identity"];
const VERSION = 1;

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

export class BrowserStore {
  #database;

  constructor(database) { this.#database = database; }

  // One database for each account. Rejects with a DOMException if the browser has no storage for the page.
  static async open(name = "sealcam-hub") {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => { for (const kind of KINDS) request.result.createObjectStore(kind); };
    return new BrowserStore(await done(request));
  }

  // A Map with all values of a kind.
  async load(kind) {
    const store = this.#database.transaction(kind).objectStore(kind);
    const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
    return new Map(keys.map((key, i) => [key, values[i]]));
  }

  // Ends when the value is on the disk, as far as a browser promises that.
  save(kind, key, value) { return this.#change(kind, (store) => store.put(value, key)); }

  remove(kind, key) { return this.#change(kind, (store) => store.delete(key)); }

  #change(kind, change) {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction(kind, "readwrite", { durability: "strict" });
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
      change(transaction.objectStore(kind));
    });
  }

  close() { this.#database.close(); }
}

// The same in memory, for tests and for a page that must leave nothing behind.
export class MemoryStore {
  #values = new Map(KINDS.map((kind) => [kind, new Map()]));

  async load(kind) { return new Map(this.#values.get(kind)); }
  async save(kind, key, value) { this.#values.get(kind).set(key, value); }
  async remove(kind, key) { this.#values.get(kind).delete(key); }
}
