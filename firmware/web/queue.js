// SPDX-License-Identifier: Apache-2.0
// Limits and order of what a hub receives and sends.

const BUDGET_MS = 100;
const SEQ_BLOCK = 1000n;  // request numbers that are reserved at once

// Messages that may be verified: `burst` at once, and one more each 100 ms (R-LIMIT-1). `now` is ms of a monotonic clock.
export class Budget {
  #burst;
  #left;
  #filled = -Infinity;

  constructor(burst) { this.#burst = this.#left = burst; }

  // False if the budget is used up.
  take(now) {
    const gained = Math.floor((now - this.#filled) / BUDGET_MS);
    if (gained > 0) {
      this.#left = Math.min(this.#burst, this.#left + gained);
      this.#filled = now;
    }
    if (this.#left === 0) return false;
    --this.#left;
    return true;
  }
}

// Messages that wait in a queue, counted so that no sender can fill the memory.
export class Room {
  #count = 0;
  #bytes = 0;
  #max;
  #maxBytes;
  #dropping = false;

  constructor(max, maxBytes) {
    this.#max = max;
    this.#maxBytes = maxBytes;
  }

  // False if the message does not fit. The caller calls remove() for each message that fits.
  add(size) {
    if (this.#count >= this.#max || this.#bytes + size > this.#maxBytes) return false;
    ++this.#count;
    this.#bytes += size;
    return true;
  }

  // The same for a frame of this claimed kind. After a frame that did not fit, it drops deltas until the next key frame or still, because they
  // depend on what was dropped.
  addFrame(size, kind) {
    if (this.#dropping && kind === "delta") return false;
    if (!this.add(size)) {
      this.#dropping = true;
      return false;
    }
    if (kind === "key" || kind === "still") this.#dropping = false;
    return true;
  }

  remove(size) {
    --this.#count;
    this.#bytes -= size;
  }
}

// Runs tasks one after the other. A task that fails ends no other one.
export class Tasks {
  #last = Promise.resolve();
  #unfinished = 0;
  #onFault;

  // onFault(error): a task failed. That is a fault of the program, because tasks handle what messages cause.
  constructor(onFault) { this.#onFault = onFault; }

  // The task begins when all earlier ones have ended.
  add(task) {
    ++this.#unfinished;
    this.#last = this.#last.then(task).catch(this.#onFault).then(() => { --this.#unfinished; });
  }

  get idle() { return this.#unfinished === 0; }

  // Ends when all tasks have ended, also those that they added.
  async settled() {
    while (!this.idle) await this.#last;
  }
}

// The numbers of view requests. They grow over restarts: a block is stored before its first number is used.
export class RequestNumbers {
  #next;
  #end;
  #save;

  // first: the end of the block that was stored last, a BigInt. save(end): stores the end of a block, and returns false if that failed.
  constructor(first, save) {
    this.#next = this.#end = first;
    this.#save = save;
  }

  // A number (BigInt), or null if the store failed.
  async take() {
    if (this.#next === this.#end) {
      const end = this.#next + SEQ_BLOCK;
      if (!await this.#save(end)) return null;
      this.#end = end;
    }
    return this.#next++;
  }
}
