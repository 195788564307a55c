# SPDX-License-Identifier: Apache-2.0
"""A phone without its checks, as the control of the test with a stranger's frames: it shows what it can open, with any signature and of any camera.

It cannot open frames of another account, because it has no grant. So the test gives it the base key of the stranger's epoch, which the phone of that
account shows to the test.
"""
from support.world import TOP, Failure

SHOWN_KEY = """    (globalThis.derived ??= []).push({ suite, number: String(kid), baseKey: [...baseKey] });
"""
UNCHECKED = """    if (globalThis.stranger) {
      const { key, aad } = globalThis.stranger, frame = parseFrame(arrival.message), { kind, counter } = frame;
      if (equal(frame.signer, this.#idBytes) || kind === "report") return;
      const { header, content } = parseFrameHeader(await key.open(frame.payload, frame.sframe, concat(aad, frame.header)), frame);
      this.#show(this.#epochs.current, { camera: this.id, kind, epoch: frame.epoch, counter, header, content, received: arrival.at });
      return;
    }
"""
# file: [(text, replacement)]
LEAKING = {"sframe.js": [("    const parameters = SUITES.get(suite);\n", SHOWN_KEY + "    const parameters = SUITES.get(suite);\n")]}
NAIVE = {"camera.js": [('    require(this.membership.member, "not_member");\n    require(!this.#cloned', UNCHECKED + '    require(this.membership.member, "not_member");\n    require(!this.#cloned'),
                       ("checkFrame, parseFrame }", "checkFrame, parseFrame, parseFrameHeader }"), ("import { Reject,", "import { Reject, concat,")]}
# Gives the key of the newest epoch of another account's camera to a naive phone.
GIVE = """(async () => {
  const [{ OpeningKey }, { externalAad }, { idBytes }] = await Promise.all(["./sframe.js", "./envelope.js", "./bytes.js"].map((name) => import(name)));
  const { suite, number, baseKey } = KEY;
  globalThis.stranger = { key: await OpeningKey.derive(suite, BigInt(number), Uint8Array.from(baseKey)), aad: externalAad("frame", idBytes(ACCOUNT), idBytes(CAMERA)) };
})()"""


def changed(changes):
    """The files of the app with these changes, by name."""
    files = {}
    for name, replacements in changes.items():
        text = (TOP / "firmware/web" / name).read_text()
        for old, new in replacements:
            if text.count(old) != 1:
                raise Failure(f"firmware/web/{name} contains '{old.strip()}' {text.count(old)} times instead of once; adapt naive_phone.py")
            text = text.replace(old, new)
        files[name] = text
    return files
