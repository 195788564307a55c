// SPDX-License-Identifier: Apache-2.0
// In place of firmware/web/link.js in tests of the app's screens. window.fake.linking: { steps, fails, finished }; without `fails` the last step does not
// end. Only the step "done" ends, when the test sets `finished`.
export class LinkError extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

export const readCode = (text) => (/^[A-Za-z0-9_-]{21}[AQgw]$/.test(text) ? new Uint8Array(16) : null);

export async function linkPhone({ code, store, step }) {
  const { fake } = window;
  (fake.codes ??= []).push(code);
  if (!store) throw new LinkError("storage");
  const { steps, fails } = fake.linking;
  for (const name of steps) {
    step(name);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  if (fails === "fault") throw new TypeError("a fault");
  if (fails) throw new LinkError(fails);
  while (steps.at(-1) !== "done" || !fake.linking.finished) await new Promise((resolve) => { setTimeout(resolve, 20); });
  fake.stored = { name: "My phone", broker: "wss://hub.example:8884" };
  return fake.stored;
}
