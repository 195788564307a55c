#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures a phone in headless Chromium beside a hub that receives the same camera. It is no test: its figures depend on the machine.

    measure.py --build DIR [--size 1920x1080] [--rate 30] [--bitrate 2000000] [--seconds 60] [--output DIR]

Prints JSON: bytes of the first start, seconds from the address to LIVE, the same at 1 Mbit/s with 100 ms of delay, and after a reload, latency from the
camera's sensor to the canvas, pictures a second that the camera sent and the page showed, CPU of the browser and of the hub per picture, time and CPU of
verifying and opening one frame in the page, and the browser's memory over time.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from phone_scene import SKIP, Failure, install, phone_scene, wait_for  # noqa: E402
from support.pauses import usage  # noqa: E402
from support.world import World  # noqa: E402

# Camera and browser have the same wall clock. The tile writes the number of the picture on its canvas after it was drawn.
LATENCY = """(async () => {
  const { Tile } = await import("./tile.js"), push = Tile.prototype.push, captured = new Map();
  window.latency = [];
  Tile.prototype.push = function (picture) {
    captured.set(picture.number, picture.captured);
    if (captured.size > 300) captured.delete(captured.keys().next().value);
    return push.call(this, picture);
  };
  let last = null;
  window.newest = () => Math.max(...captured.keys());  // the number of the newest picture that the page opened
  const step = () => {
    const number = document.querySelector(".tile canvas")?.dataset.number;
    if (number !== last && captured.has(Number(number))) window.latency.push(Date.now() - captured.get(Number(number)));
    last = number;
    requestAnimationFrame(step);
  };
  step();
})()"""
# The newest frames that the page verified and opened, and all of them again, one after the other.
RECORD = """(async () => {
  const { Verifier } = await import("./keys.js"), { OpeningKey } = await import("./sframe.js"), { verify } = Verifier.prototype, { open } = OpeningKey.prototype;
  window.verified = [];
  window.opened = [];
  const keep = (list, entry) => { list.push(entry); if (list.length > 60) list.shift(); };
  Verifier.prototype.verify = function (data, signature) {
    keep(window.verified, [this, data.slice(), signature.slice()]);
    return verify.call(this, data, signature);
  };
  OpeningKey.prototype.open = function (payload, header, metadata) {
    keep(window.opened, [this, payload.slice(), header, metadata.slice()]);
    return open.call(this, payload, header, metadata);
  };
  window.repeat = async (rounds) => {
    for (let round = 0; round < rounds; ++round) {
      for (const [verifier, ...rest] of window.verified) await verify.apply(verifier, rest);
      for (const [key, ...rest] of window.opened) await open.apply(key, rest);
    }
    return window.opened.reduce((sum, [, payload]) => sum + payload.length, 0) / window.opened.length;
  };
})()"""
LOADED = """performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
  .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""


def measure(scene, options):
    browser = scene.browser
    a = scene.account(number=11, size=options.size, rate=options.rate, bitrate=options.bitrate)
    result = {"size": options.size, "rate": options.rate, "load": os.getloadavg()[0], "address_to_live_s": round(a.link(), 2)}
    result["first_start_bytes"] = browser.do("evaluate", code=LOADED)
    slow = a.link("Slow phone", "slow", "slow", slow={"kbit": 1000, "ms": 100})
    result["address_to_live_at_1_mbit_and_100_ms_s"] = round(slow, 2)
    browser.do("close", page="slow")
    browser.do("reload")
    result["reload_to_live_s"] = round(browser.wait_tile(a.camera.id, "LIVE", 30), 2)
    browser.do("evaluate", code=LATENCY)
    browser.do("evaluate", code=RECORD)
    probe = a.world.probe("probe", a.hub, "--seconds", options.seconds + 5)  # so that the hub opens the same pictures
    time.sleep(3)
    browser.do("evaluate", code="window.latency.length = 0")
    first = browser.do("evaluate", code="window.newest()")
    pids = {"browser": browser.child.pid, "hub": a.hub.process.child.pid}
    before, begun, memory = {name: usage(pid)[0] for name, pid in pids.items()}, time.monotonic(), []
    for _ in range(6):
        time.sleep(options.seconds / 6)
        memory.append(usage(browser.child.pid)[1] // 1024)
    passed = time.monotonic() - begun
    after = {name: usage(pid)[0] for name, pid in pids.items()}
    latency = sorted(browser.do("evaluate", code="window.latency"))
    pictures = max(1, browser.do("evaluate", code="window.newest()") - first)  # that the camera sent
    probe.stop()
    if not latency:
        raise Failure("no picture was shown")
    browser.do("hide", on=True)  # the camera sends no more pictures
    wait_for("no lease", lambda: a.camera.status()["leases"] == 0, 20)
    rounds = 20
    before_opening, begun = usage(browser.child.pid)[0], time.monotonic()
    frame = browser.do("evaluate", code=f"window.repeat({rounds})")
    opening = {"frame_bytes": round(frame), "cpu_ms": round(1000 * (usage(browser.child.pid)[0] - before_opening) / (60 * rounds), 2),
               "ms": round(1000 * (time.monotonic() - begun) / (60 * rounds), 2)}
    result |= {"verify_and_open": opening, "latency_ms": {f"p{p}": round(latency[min(len(latency) - 1, len(latency) * p // 100)]) for p in (50, 95)},
               "shown_per_s": round(len(latency) / passed, 1), "sent_per_s": round(pictures / passed, 1), "browser_memory_mib": memory,
               "cpu_ms_per_picture": {name: round(1000 * (after[name] - before[name]) / pictures, 1) for name in pids}}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--rate", type=int, default=30)
    parser.add_argument("--bitrate", type=int, default=2_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--output", type=pathlib.Path, help="folder for the browser's files (default: phone in the build folder)")
    options = parser.parse_args()
    output = (options.output or options.build / "phone").resolve()
    output.mkdir(parents=True, exist_ok=True)
    if reason := install(output):
        print(f"SKIPPED: {reason}")
        sys.exit(SKIP)
    try:
        with tempfile.TemporaryDirectory(prefix="sealcam-phone-") as folder, World(options.build, folder) as world, \
                phone_scene(world, output, output / "measure.log") as scene:
            print(json.dumps(measure(scene, options), indent=1))
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")


if __name__ == "__main__":
    main()
