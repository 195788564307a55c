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
// link      "broker"          { address, password, name, owner, id }: what the owner's program sent when it linked this phone
// link      "pending"         { slot, identity, hpke, descriptor }: a link that has begun and not ended
const KINDS = ["roster", "epoch", "request", "prekey", "identity", "link"];
const VERSION = 2;

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

export class BrowserStore {
  #database;

  constructor(database) { this.#database = database; }

  // One database for each account. Rejects with a DOMException if the browser has no storage for the page. onlost(): the browser or a person
  // deletes the stored values while the page is open. What the hub stored cannot protect it any more, so it must stop.
  static async open(name = "sealcam-hub", onlost = () => {}) {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => {
      const { result } = request, present = result.objectStoreNames;
      for (const kind of KINDS) if (!present.contains(kind)) result.createObjectStore(kind);
    };
    const database = await done(request);
    database.onclose = onlost;
    database.onversionchange = () => {  // another page deletes the database or upgrades it, and waits until this one is closed
      database.close();
      onlost();
    };
    return new BrowserStore(database);
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

  // Deletes everything, and stores these [kind, key, value]: all of it, or none.
  replaceAll(entries) {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction(KINDS, "readwrite", { durability: "strict" });
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
      for (const kind of KINDS) transaction.objectStore(kind).clear();
      for (const [kind, key, value] of entries) transaction.objectStore(kind).put(value, key);
    });
  }

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
  async replaceAll(entries) {
    for (const values of this.#values.values()) values.clear();
    for (const [kind, key, value] of entries) this.#values.get(kind).set(key, value);
  }
  close() {}
}
