#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The hub's page in a real browser, with real camera, broker and hub.

    page_test.py --build DIR --case NAME [--output DIR]     (NAME 'install' fetches playwright-core, 'list' lists)

Screenshots go to the output folder. Exit 77: skipped, and said why.
"""
import argparse
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from browser import SKIP, Browser, install  # noqa: E402
from support.world import Failure, World, wait_for  # noqa: E402

FIRST, SECOND = 11, 22  # drawn into the pictures
SIZE = "1280x720"


def expect(condition, text):
    if not condition:
        raise Failure(text)


class Scene:
    """A world with one account (two when asked for), and a browser on the first hub's page."""

    def __init__(self, world, browser, output):
        self.world, self.browser, self.output = world, browser, output
        self.camera, self.hub = self.make("first", FIRST, "Front door")

    def make(self, account, number, label):
        w = self.world
        w.account(account)
        if not w.broker:
            w.start_broker()
        camera = w.camera(account, f"camera-{account}", {
            "source": {"backend": "fake", "size": SIZE, "rate": 30, "number": number},
            "encoder": {"bitrate": 2_000_000, "keyframe_interval": 60}}, label)
        hub = w.hub(account, f"hub-{account}")
        w.start(hub)
        w.start(camera)
        wait_for("hub is ready", hub.status, 10, hub.process)
        return camera, hub

    def url(self, hub=None):
        return f"http://127.0.0.1:{(hub or self.hub).port}/"

    def open(self, hub=None, **more):
        return self.browser.do("open", url=self.url(hub), **more)

    def open_live(self, **more):
        self.open(**more)
        return self.browser.wait_state(self.camera.id, "LIVE", 10)

    def shot(self, name):
        self.browser.do("shot", file=str(self.output / f"{name}.png"))


def plays(s):
    """Video plays: the canvas changes, shows what the sensor saw, and tells when."""
    s.open_live(zone="Asia/Tokyo")
    numbers = set()
    least = []
    for n in range(6):
        time.sleep(0.4)
        png = s.world.folder / f"canvas-{n}.png"
        s.browser.do("canvas", camera=s.camera.id, file=str(png))
        mark = s.browser.do("mark", camera=s.camera.id)
        expect(mark and mark["camera"] == FIRST, f"the mark on the canvas is {mark}")
        numbers.add(mark["number"])
        least.append(json.loads(s.world.run(s.world.program("sealcam-psnr"), png, "--size", SIZE, "--camera", FIRST))["psnr_least"])
    expect(len(numbers) == 6, f"the canvas does not change: {numbers}")
    expect(min(least) >= 30, f"PSNR {min(least)} dB")
    tile = s.browser.tile(s.camera.id)
    first = tile["number"]
    time.sleep(3)
    rate = (s.browser.tile(s.camera.id)["number"] - first) / 3
    tokyo = time.strftime("%H:%M", time.gmtime(time.time() + 9 * 3600))
    expect(re.search(r"^\d\d:\d\d:\d\d (GMT\+9|JST)$", tile["taken"]), f"capture time reads '{tile['taken']}'")
    expect(tile["taken"][:5] in (tokyo, time.strftime("%H:%M", time.gmtime(time.time() + 9 * 3600 - 60))),
           f"'{tile['taken']}' is not the time in the viewer's zone")
    expect(tile["name"] == "Front door", f"the camera is called '{tile['name']}'")
    s.shot("plays")
    print(f"PSNR least {min(least):.1f} dB over {len(least)} pictures, {rate:.1f} pictures a second")


def stale_camera(s):
    """STALE within 6 s of a camera that hangs; LIVE again when it goes on."""
    s.open_live()
    s.camera.process.send(signal.SIGSTOP)
    took = s.browser.wait_state(s.camera.id, "STALE", 6)
    tile = s.browser.tile(s.camera.id)
    expect("grayscale(1)" in tile["filter"], f"a stale picture is not greyed: {tile['filter']}")
    time.sleep(1.5)
    s.shot("stale-camera")
    badge = s.browser.tile(s.camera.id)["badge"]
    expect(re.fullmatch(r"STALE \d+ s", badge), f"the badge reads '{badge}'")
    expect(int(badge.split()[1]) >= took, f"{badge} after {took + 1.5:.1f} s")
    s.camera.process.send(signal.SIGCONT)
    back = s.browser.wait_state(s.camera.id, "LIVE", 3)
    print(f"STALE after {took:.2f} s, LIVE again {back:.2f} s after it went on")


def stale_broker(s):
    """STALE within 6 s when only the broker stalls."""
    s.open_live()
    s.world.broker.send(signal.SIGSTOP)
    took = s.browser.wait_state(s.camera.id, "STALE", 6)
    time.sleep(2)
    s.shot("stale-broker")
    s.world.broker.send(signal.SIGCONT)
    back = s.browser.wait_state(s.camera.id, "LIVE", 8)
    print(f"STALE after {took:.2f} s, LIVE again {back:.2f} s after the broker went on")


def offline(s):
    """OFFLINE when the camera is killed, LIVE again within 3 s of its restart."""
    s.open_live()
    s.camera.process.kill()
    took = s.browser.wait_state(s.camera.id, "OFFLINE", 8)
    time.sleep(0.5)
    s.shot("offline")
    tile = s.browser.tile(s.camera.id)
    expect("switched off" in tile["why"], f"the page says '{tile['why']}'")
    s.camera.process.start()
    back = s.browser.wait_state(s.camera.id, "LIVE", 3)
    print(f"OFFLINE after {took:.2f} s, LIVE {back:.2f} s after the restart")


def hub_gone(s):
    """When the hub dies the page falls to STALE by itself and says so; it finds the hub again."""
    s.open_live()
    s.hub.process.kill()
    took = s.browser.wait_state(s.camera.id, "STALE", 6)
    expect(s.browser.do("text", selector="#link") == "The hub does not answer", "the page does not say that the hub is gone")
    s.hub.process.start()
    back = s.browser.wait_state(s.camera.id, "LIVE", 10)
    print(f"STALE after {took:.2f} s, LIVE {back:.2f} s after the hub's restart")


def script_hangs(s):
    """A page whose script hangs does not go on saying LIVE: the veil falls without it.

    Chromium runs such an animation in its compositor; what is seen here is that it had ended when the hang was over. (The
    first frame after the hang still carries the time of its beginning.)
    """
    s.open_live()
    code = f"""new Promise((done) => {{ const veil = document.querySelector('.tile[data-camera="{s.camera.id}"] .veil');
      const before = Number(getComputedStyle(veil).opacity), end = performance.now() + 5600;
      while (performance.now() < end) {{}}
      requestAnimationFrame(() => requestAnimationFrame(() => done([before, Number(getComputedStyle(veil).opacity)]))); }})"""
    s.camera.process.send(signal.SIGSTOP)
    before, after = s.browser.do("evaluate", code=code)
    s.camera.process.send(signal.SIGCONT)
    expect(before == 0, f"the veil lies over a live picture: {before}")
    expect(after == 1, f"the veil did not fall: {after}")
    s.browser.wait_state(s.camera.id, "LIVE", 6)
    # The first pictures after the hang may be old ones under a veil that has nearly fallen; it lifts with those that follow.
    wait_for("the veil to lift off a live picture",
             lambda: s.browser.do("evaluate", code="Number(getComputedStyle(document.querySelector('.veil')).opacity)") == 0, 5)


def stranger(s):
    """Another account's hub gets every picture of the first camera in its own camera's place and shows none."""
    w = s.world
    second_camera, second_hub = s.make("second", SECOND, "Garden")
    s.open_live()  # so that the first camera sends
    expect(s.browser.do("mark", camera=s.camera.id)["camera"] == FIRST, "control: the owner's page shows the owner's camera")
    probe = w.probe("keeps-asking", s.hub, "--seconds", 60)
    w.admit_relay()
    relay = w.relay(s.camera, second_camera)
    s.open(second_hub)
    s.browser.wait_state(second_camera.id, "LIVE", 10)
    seen = {}
    until = time.monotonic() + 6
    while time.monotonic() < until:
        mark = s.browser.do("mark", camera=second_camera.id)
        seen[mark and mark["camera"]] = seen.get(mark and mark["camera"], 0) + 1
        time.sleep(0.03)
    expect(set(seen) == {SECOND}, f"cameras on the stranger's page: {seen}")
    expect([tile["camera"] for tile in s.browser.do("tiles")] == [second_camera.id], "foreign tiles")
    sentence = s.browser.do("text", selector="#refused-text")
    match = re.match(r"([\d,]+) pictures of another account's camera arrived here and could not be opened\.", sentence)
    expect(match and int(match[1].replace(",", "")) > 100, f"the page says '{sentence}'")
    s.shot("stranger")
    s.browser.do("click", selector="#refused")
    expect("In the place of Garden" in s.browser.do("text", selector="#refused-list"), "the list of refusals")
    s.shot("stranger-refused")
    relay.stop()
    probe.stop()
    print(f"{sum(seen.values())} looks, all at the stranger's own camera; \"{sentence}\"")


def handling(s):
    """Keyboard, touch, themes, sizes; nothing from outside; no complaint of the browser."""
    opened = s.open(width=1280, height=800)
    policy = opened["headers"].get("content-security-policy", "")
    expect("default-src 'none'" in policy and "unsafe" not in policy, f"Content-Security-Policy: {policy}")
    b = s.browser
    b.wait_state(s.camera.id, "LIVE", 10)
    s.shot("1280x800-dark")
    dark = b.do("evaluate", code="getComputedStyle(document.body).backgroundColor")
    b.do("press", key="d")
    expect(b.do("evaluate", code="getComputedStyle(document.body).backgroundColor") != dark, "D does not change the colours")
    s.shot("1280x800-light")
    b.do("press", key="Tab")
    b.do("evaluate", code="document.querySelector('.tile').focus()")
    b.do("press", key="Enter")
    wait_for("one camera fills the window", lambda: b.tile(s.camera.id)["width"] == 1280, 3)
    expect(b.tile(s.camera.id)["height"] == 800, "one camera does not fill the window's height")
    s.shot("one-camera")
    b.do("press", key="f")
    wait_for("full screen", lambda: b.do("evaluate", code="document.fullscreenElement !== null"), 3)
    b.do("press", key="Escape")
    wait_for("all cameras", lambda: b.tile(s.camera.id)["width"] < 1280 or b.do("press", key="Escape"), 3)
    b.do("press", key="?")
    expect(b.do("visible", selector="#help-dialog"), "? opens no help")
    s.shot("help")
    b.do("press", key="Escape")
    for width, height, scheme, name in ((800, 480, "dark", "800x480"), (390, 844, "light", "phone")):
        s.open(width=width, height=height, scheme=scheme, touch=True)
        b.wait_state(s.camera.id, "LIVE", 10)
        spill = b.do("evaluate", code="document.documentElement.scrollWidth > innerWidth || document.documentElement.scrollHeight > innerHeight")
        expect(not spill, f"the page is larger than {width}x{height}")
        s.shot(name)
        b.do("tap", selector=".tile")
        wait_for("a tap opens the camera", lambda: b.tile(s.camera.id)["width"] == width, 3)
        s.shot(f"{name}-one")
        b.do("tap", selector=".back")
        wait_for("the cross leads back", lambda: not b.do("visible", selector=".back"), 3)
    complaints = b.do("complaints")
    expect(complaints == {"noise": [], "outside": []}, f"the browser complains: {complaints}")


def other_pages(s):
    """Scripts of other pages get nothing: neither by their own name, nor by a name that points here."""
    def status(headers, path="/api/state"):
        request = urllib.request.Request(s.url() + path[1:], headers=headers)
        try:
            return urllib.request.urlopen(request, timeout=5).status
        except urllib.error.HTTPError as error:
            return error.code
    expect(status({}) == 200, "control: the page's own request")
    expect(status({"Host": "evil.example"}) == 403, "a foreign Host")
    expect(status({"Origin": "https://evil.example"}) == 403, "a foreign Origin")
    s.open_live()
    socket = f"""new Promise((done) => {{ const s = new WebSocket('ws://127.0.0.1:{s.hub.port}/ws');
      s.onopen = () => done('open'); s.onerror = () => done('refused'); }})"""
    expect(s.browser.do("evaluate", code=socket) == "open", "control: the page's own WebSocket")
    s.browser.do("open", url="about:blank")
    expect(s.browser.do("evaluate", code=socket) == "refused", "another page's WebSocket was let in")


def words(s):
    """Each reason in its words, at every size. The hub's own states, with the fields that make the reason put over them."""
    b = s.browser
    now = int(time.time() * 1e6)
    barred = {"state": "OFFLINE", "age_ms": None}
    reasons = {
        "cloned": (barred, "NOT SHOWN", "Reset the camera and pair it again."),
        "suspended": ({**barred, "member": False}, "SUSPENDED", "when the owner resumes it"),
        "removed": ({**barred, "member": False}, "REMOVED", "Ask the owner"),
        "said_goodbye": ({"state": "OFFLINE", "says_online": False}, "OFFLINE", "Check its power"),
        "no_answer": ({"state": "OFFLINE"}, "OFFLINE", "does not answer"),
        "privacy": ({"state": "OFFLINE", "privacy": True, "privacy_heard_us": now, "may_switch_privacy": True}, "PRIVACY",
                    "sensor is closed"),
    }
    s.open_live(patched=True)
    for reason, fields, note in (("clock", {"clock_ahead_s": -11_000}, "3 h behind"), ("roster_conflict", {}, "one number")):
        b.do("patch", fields={"reason": reason, **fields})
        wait_for(f"the page says {reason}", lambda: note in b.tile(s.camera.id)["note"], 5)
        expect(b.tile(s.camera.id)["state"] == "LIVE", f"{reason} ends LIVE")
        s.shot(f"words-{reason}")
    # A fresh picture outweighs the camera's word about its privacy.
    b.do("patch", fields={"reason": "privacy", **reasons["privacy"][0]})
    time.sleep(1.5)
    expect(b.tile(s.camera.id)["badge"] == "LIVE", "a word about privacy ends LIVE")
    b.do("patch", fields={})
    s.camera.process.send(signal.SIGSTOP)
    b.wait_state(s.camera.id, "STALE", 8)
    for reason, (fields, badge, text) in reasons.items():
        b.do("patch", fields={"reason": reason, **fields})
        wait_for(f"the page says {reason}", lambda: b.tile(s.camera.id)["reason"] == reason, 5)
        tile = b.tile(s.camera.id)
        expect(tile["badge"] == badge and text in tile["why"], f"{reason}: {tile['badge']}, '{tile['why']}'")
        s.shot(f"words-{reason}")
    visible = "getComputedStyle(document.querySelector('.tile canvas')).visibility"
    for reason in ("privacy", "cloned"):
        b.do("patch", fields={"reason": reason, **reasons[reason][0]})
        wait_for(f"{reason}: no picture", lambda: b.do("evaluate", code=visible) == "hidden", 5)
    for width, height, scheme, name in ((800, 480, "dark", "800x480"), (390, 844, "light", "phone")):
        s.open(width=width, height=height, scheme=scheme, touch=True, patched=True)
        for reason in ("privacy", "cloned"):
            b.do("patch", fields={"reason": reason, **reasons[reason][0]})
            wait_for("the tile is there", lambda: b.tile(s.camera.id), 5)
            wait_for(f"the page says {reason}", lambda: b.tile(s.camera.id)["badge"] == reasons[reason][1], 5)
            spill = b.do("evaluate", code="(() => { const w = document.querySelector('.why'); return w.scrollHeight > w.parentElement.clientHeight; })()")
            expect(not spill, f"the words are larger than the tile at {width}x{height}")
            s.shot(f"words-{reason}-{name}")
    # The switch, its question, and how a wish goes.
    s.open(patched=True)
    b.do("patch", fields={"reason": "privacy", **reasons["privacy"][0]})
    wait_for("privacy", lambda: (b.tile(s.camera.id) or {}).get("badge") == "PRIVACY", 5)
    b.do("press", key="1")
    wait_for("the switch", lambda: b.do("visible", selector=".tile.chosen .shut"), 3)
    s.shot("privacy-one")
    b.do("press", key="p")
    expect(b.do("visible", selector="#privacy-dialog"), "P opens no question")
    s.shot("privacy-question")
    b.do("press", key="Escape")
    for fields, text in (({"privacy_wish": False}, "Opening"), ({"privacy_failed": False}, "did not open")):
        b.do("patch", fields={"reason": "privacy", **reasons["privacy"][0], **fields})
        wait_for(text, lambda: text in b.tile(s.camera.id)["note"], 5)
    s.shot("privacy-failed")
    b.do("patch", fields={"may_switch_privacy": False})
    wait_for("no switch", lambda: not b.do("visible", selector=".tile.chosen .shut"), 5)
    s.camera.process.send(signal.SIGCONT)
    expect(b.do("complaints") == {"noise": [], "outside": []}, f"the browser complains: {b.do('complaints')}")


def cloned(s):
    """A copied state folder: two real cameras with one identity at a real broker. Neither is shown once both answered."""
    copy = s.world.folder / "copied-card"
    shutil.copytree(s.camera.state, copy)
    s.open_live()
    argv = [copy if argument == str(s.camera.state) else argument for argument in s.camera.process.argv]
    argv[argv.index("--status") + 1] = s.world.folder / "twin.status"
    begun = time.monotonic()
    twin = s.world.spawn("twin", *argv)
    wait_for("the hub tells them apart", lambda: any(c["reason"] == "cloned" for c in s.hub.status().get("cameras", [])), 90, twin)
    took = time.monotonic() - begun
    wait_for("the page says so", lambda: s.browser.tile(s.camera.id)["badge"] == "NOT SHOWN", 3)
    tile = s.browser.tile(s.camera.id)
    expect("Two devices live with this camera's identity" in tile["why"], f"the page says '{tile['why']}'")
    expect(tile["pictures"] == "none", "a picture stays on the canvas")
    shown = s.hub.status()["shown"]
    for path in (f"snapshot/{s.camera.id}.jpg?stale=allow", f"live/{s.camera.id}.ts"):
        try:
            urllib.request.urlopen(s.url() + path, timeout=5)
            raise Failure(f"{path} was answered")
        except urllib.error.HTTPError as error:
            expect(error.code == 403 and error.headers["X-Sealcam-Reason"] == "cloned", f"{path}: {error.code}")
    time.sleep(3)
    expect(s.hub.status()["shown"] == shown, "pictures are shown after the proof")
    expect(s.browser.do("mark", camera=s.camera.id) is None, "a picture is on the canvas")
    s.shot("cloned")
    print(f"two devices told apart after {took:.1f} s")


CASES = {f.__name__: f for f in (plays, stale_camera, stale_broker, offline, hub_gone, script_hangs, stranger, handling,
                                 other_pages, words, cloned)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--case", required=True, choices=["install", "list", *CASES])
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args()
    if options.case == "list":
        print("\n".join(f"{name}: {case.__doc__}" for name, case in CASES.items()))
        return 0
    output = (options.output or options.build / "browser").resolve()
    output.mkdir(parents=True, exist_ok=True)
    if why := install(output):
        print(f"SKIPPED: {why}")
        return SKIP
    if options.case == "install":
        return 0
    with tempfile.TemporaryDirectory(prefix="sealcam-browser-") as folder, World(options.build, folder) as world, \
            Browser(output, output / f"{options.case}.log") as browser:
        CASES[options.case](Scene(world, browser, output))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
