#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the hub's page in Chromium with a real camera, broker and hub.

    page_test.py --build DIR --case NAME… [--output DIR]     (NAME 'install' installs playwright-core, 'list' prints the cases)

Screenshots go to the output folder. Exit status 77: skipped; the reason is printed.
"""
import functools
import json
import pathlib
import re
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from scene import FIRST, SECOND, SIZE, WAIT, Scene, browser_scene, expect, expect_no_warnings, run_cases  # noqa: E402
from support.world import Failure, wait_for  # noqa: E402


def plays(s):
    """The canvas shows the pictures of the sensor, and the tile their capture time."""
    # Another zone than the machine's, in which no midnight is near: a picture of yesterday is shown with its date.
    zone, east, name = ("Asia/Tokyo", 9, "GMT\\+9|JST") if time.gmtime().tm_hour < 12 else ("America/Phoenix", -7, "GMT-7|MST")
    s.open_live(zone=zone)
    numbers = set()
    psnr = []
    for n in range(6):
        time.sleep(0.4)
        png = s.world.folder / f"canvas-{n}.png"
        s.browser.do("canvas", camera=s.camera.id, file=str(png))
        mark = s.browser.do("mark", camera=s.camera.id)
        expect(mark and mark["camera"] == FIRST, f"the mark on the canvas is {mark}")
        numbers.add(mark["number"])
        psnr.append(json.loads(s.world.run(s.world.program("sealcam-psnr"), png, "--size", SIZE, "--camera", FIRST))["psnr_least"])
    expect(len(numbers) == 6, f"the canvas does not change: {numbers}")
    expect(min(psnr) >= 30, f"PSNR {min(psnr)} dB")

    def steady():
        """Pictures a second, if the page kept the sensor's rate for 3 s. A busy machine has pauses, after which the page catches up."""
        look = f"""[Number(document.querySelector('.tile[data-camera="{s.camera.id}"] canvas').dataset.number), performance.now()]"""
        first, begun = s.browser.do("evaluate", code=look)
        time.sleep(3)
        last, ended = s.browser.do("evaluate", code=look)
        rate = 1000 * (last - first) / (ended - begun)
        return rate if 24 <= rate <= 36 else None

    rate = wait_for("3 s with 30 pictures a second, as the sensor takes", steady, WAIT)
    tile = s.browser.tile(s.camera.id)
    minutes = [time.strftime("%H:%M", time.gmtime(time.time() + 3600 * east - before)) for before in (0, 60)]
    expect(re.search(rf"^\d\d:\d\d:\d\d ({name})$", tile["taken"]), f"capture time reads '{tile['taken']}'")
    expect(tile["taken"][:5] in minutes, f"'{tile['taken']}' is not the time in the viewer's zone")
    expect(tile["name"] == "Front door", f"the name of the camera is '{tile['name']}'")
    s.shot("plays")
    print(f"minimum PSNR {min(psnr):.1f} dB over {len(psnr)} pictures, {rate:.1f} pictures a second")


def stale_camera(s):
    """STALE within 6 s after a camera hangs; LIVE again when it continues."""
    s.open_live()
    s.camera.process.send(signal.SIGSTOP)
    took = s.browser.wait_state(s.camera.id, "STALE", 6)
    tile = s.browser.tile(s.camera.id)
    expect("grayscale(1)" in tile["filter"], f"a stale picture is not grayed: {tile['filter']}")
    time.sleep(1.5)
    s.shot("stale-camera")
    badge = s.browser.tile(s.camera.id)["badge"]
    expect(re.fullmatch(r"STALE \d+ s", badge), f"the badge reads '{badge}'")
    expect(int(badge.split()[1]) >= took, f"{badge} after {took + 1.5:.1f} s")
    s.camera.process.send(signal.SIGCONT)
    back = s.browser.wait_state(s.camera.id, "LIVE", WAIT)
    print(f"STALE after {took:.2f} s, LIVE again {back:.2f} s after the camera continued")


def stale_broker(s):
    """STALE within 6 s if only the broker hangs."""
    s.open_live()
    s.world.broker.send(signal.SIGSTOP)
    took = s.browser.wait_state(s.camera.id, "STALE", 6)
    time.sleep(2)
    s.shot("stale-broker")
    s.world.broker.send(signal.SIGCONT)
    back = s.browser.wait_state(s.camera.id, "LIVE", WAIT)
    print(f"STALE after {took:.2f} s, LIVE again {back:.2f} s after the broker continued")


def offline(s):
    """OFFLINE when the camera is killed, LIVE again within 3 s of its restart."""
    s.open_live()
    s.camera.process.kill()
    took = s.browser.wait_state(s.camera.id, "OFFLINE", 8)
    wait_for("the page to show the reason", lambda: "switched off" in s.browser.tile(s.camera.id)["why"], WAIT)
    s.shot("offline")
    s.camera.process.start()
    back = s.browser.wait_state(s.camera.id, "LIVE", 3)
    print(f"OFFLINE after {took:.2f} s, LIVE {back:.2f} s after the restart")


def hub_gone(s):
    """Without the hub the page changes to STALE by itself and reports it. It reconnects when the hub is back."""
    s.open_live()
    s.hub.process.kill()
    took = s.browser.wait_state(s.camera.id, "STALE", 6)
    wait_for("the page to report that the hub does not answer", lambda: s.browser.do("text", selector="#link") == "The hub does not answer", WAIT)
    s.hub.process.start()
    back = s.browser.wait_state(s.camera.id, "LIVE", WAIT)
    print(f"STALE after {took:.2f} s, LIVE {back:.2f} s after the hub's restart")


# Counts the frames with a LIVE picture whose age is below 4.7 s, and lists those in which the overlay covers it. Each LIVE picture that is
# shown restarts the overlay, except within 250 ms of the restart before. The overlay starts to appear 4.998 s after its restart. So it
# never covers a picture that is younger than 4.748 s, not even the first one after a hang.
WATCH_OVERLAY = """{
  const tile = document.querySelector('.tile[data-camera="CAMERA"]'), canvas = tile.querySelector('canvas');
  const overlay = tile.querySelector('.stale-overlay'), seen = window.overlaySeen = { frames: 0, covered: [] };
  let number = null, drawn = 0;
  const step = () => {
    const { age } = canvas.dataset, now = performance.now();
    if (canvas.dataset.number !== number) [number, drawn] = [canvas.dataset.number, now];
    if (tile.dataset.state === 'LIVE' && age !== '' && Number(age) + now - drawn < 4700) {
      ++seen.frames;
      const opacity = Number(getComputedStyle(overlay).opacity);
      if (opacity !== 0) seen.covered.push([number, age, opacity]);
    }
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}"""


def script_hangs(s):
    """A page whose script hangs does not continue to show LIVE: the overlay appears without the script.

    Chromium runs such an animation in its compositor. The test reads the overlay after the hang. The first frame after the hang still has
    the time of its beginning, so the test reads the second one.
    """
    s.open_live()
    overlay = f"""document.querySelector('.tile[data-camera="{s.camera.id}"] .stale-overlay')"""
    code = f"""new Promise((done) => {{ const overlay = {overlay};
      const before = Number(getComputedStyle(overlay).opacity), end = performance.now() + 5600;
      while (performance.now() < end) {{}}
      requestAnimationFrame(() => requestAnimationFrame(() => done([before, Number(getComputedStyle(overlay).opacity)]))); }})"""
    s.camera.process.send(signal.SIGSTOP)
    before, after = s.browser.do("evaluate", code=code)
    expect(before == 0, f"the overlay covers a live picture: {before}")
    expect(after == 1, f"the overlay did not appear: {after}")
    s.browser.do("evaluate", code=WATCH_OVERLAY.replace("CAMERA", s.camera.id))
    s.camera.process.send(signal.SIGCONT)
    s.browser.wait_state(s.camera.id, "LIVE", WAIT)
    wait_for("frames with a LIVE picture", lambda: s.browser.do("evaluate", code="window.overlaySeen.frames") >= 30, WAIT)
    seen = s.browser.do("evaluate", code="window.overlaySeen")
    expect(not seen["covered"], f"LIVE pictures under the overlay (number, age, opacity): {seen['covered'][:5]}")


def stranger(s):
    """The hub of another account receives each picture of the first camera on the topic of its own camera and shows none."""
    w = s.world
    second_camera, second_hub = s.make("second", SECOND, "Garden")
    s.open_live()  # so that the first camera sends
    wait_for("control: the page of the first account shows its camera", lambda: (s.browser.do("mark", camera=s.camera.id) or {}).get("camera") == FIRST, WAIT)
    probe = w.probe("keeps-requesting", s.hub, "--seconds", 60)
    w.authorize_relay()
    relay = w.relay(s.camera, second_camera)
    s.open(second_hub)
    s.browser.wait_state(second_camera.id, "LIVE", WAIT)
    wait_for("a picture", lambda: s.browser.do("mark", camera=second_camera.id), WAIT)
    seen = {}
    until = time.monotonic() + 6
    while time.monotonic() < until:
        mark = s.browser.do("mark", camera=second_camera.id)
        seen[mark and mark["camera"]] = seen.get(mark and mark["camera"], 0) + 1
        time.sleep(0.03)
    expect(set(seen) == {SECOND}, f"cameras on the page of the second account: {seen}")
    expect([tile["camera"] for tile in s.browser.do("tiles")] == [second_camera.id], "tiles of cameras of another account")

    def rejected():
        text = s.browser.do("text", selector="#rejected-text")
        match = re.match(r"([\d,]+) pictures were rejected: they are from cameras of another account\.", text)
        return text if match and int(match[1].replace(",", "")) > 100 else None

    text = wait_for("the page to show more than 100 rejected pictures", rejected, WAIT, relay)
    s.shot("stranger")
    s.browser.do("click", selector="#rejected")
    wait_for("the list of rejections", lambda: "On the topics of Garden" in s.browser.do("text", selector="#rejected-list"), WAIT)
    s.shot("stranger-rejected")
    relay.stop()
    probe.stop()
    print(f"{sum(seen.values())} looks, each at the camera of the second account; \"{text}\"")


def handling(s):
    """Keyboard, touch, themes and sizes; no requests to other servers; no warnings of the browser."""
    opened = s.open(width=1280, height=800)
    policy = opened["headers"].get("content-security-policy", "")
    expect("default-src 'none'" in policy and "unsafe" not in policy, f"Content-Security-Policy: {policy}")
    b = s.browser
    b.wait_state(s.camera.id, "LIVE", WAIT)
    s.shot("1280x800-dark")
    color = lambda: b.do("evaluate", code="getComputedStyle(document.body).backgroundColor")  # noqa: E731
    dark = color()
    b.do("press", key="d")
    wait_for("D to change the colors", lambda: color() != dark, WAIT)
    s.shot("1280x800-light")
    b.do("press", key="Tab")
    b.do("evaluate", code="document.querySelector('.tile').focus()")
    b.do("press", key="Enter")
    size = lambda: [b.tile(s.camera.id)[side] for side in ("width", "height")]  # noqa: E731
    wait_for("one camera to fill the window", lambda: size() == [1280, 800], WAIT)
    s.shot("one-camera")
    b.do("press", key="f")
    wait_for("full screen", lambda: b.do("evaluate", code="document.fullscreenElement !== null"), WAIT)
    b.do("press", key="Escape")
    wait_for("all cameras", lambda: b.tile(s.camera.id)["width"] < 1280 or b.do("press", key="Escape"), WAIT)
    b.do("press", key="?")
    wait_for("the key ? to open the help", lambda: b.do("visible", selector="#help-dialog"), WAIT)
    s.shot("help")
    b.do("press", key="Escape")
    for width, height, scheme, name in ((800, 480, "dark", "800x480"), (390, 844, "light", "phone")):
        s.open(width=width, height=height, scheme=scheme, touch=True)
        b.wait_state(s.camera.id, "LIVE", WAIT)
        spill = b.do("evaluate", code="document.documentElement.scrollWidth > innerWidth || document.documentElement.scrollHeight > innerHeight")
        expect(not spill, f"the page is larger than {width}x{height}")
        s.shot(name)
        b.do("tap", selector=".tile")
        wait_for("the tap to open the camera", lambda: b.tile(s.camera.id)["width"] == width, WAIT)
        s.shot(f"{name}-one")
        b.do("tap", selector=".back")
        wait_for("the cross to lead back", lambda: not b.do("visible", selector=".back"), WAIT)
    expect_no_warnings(b)


def other_pages(s):
    """The hub rejects requests and WebSockets of other pages, also those with another name for this machine."""
    def status(headers, path="/api/state"):
        request = urllib.request.Request(s.url() + path[1:], headers=s.hub.access.headers() | headers)
        try:
            return urllib.request.urlopen(request, timeout=WAIT).status
        except urllib.error.HTTPError as error:
            return error.code
    expect(status({}) == 200, "control: the page's own request")
    expect(status({"Host": "evil.example"}) == 403, "another Host")
    expect(status({"Origin": "https://evil.example"}) == 403, "another Origin")
    s.open_live()
    socket = f"""new Promise((done) => {{ const s = new WebSocket('ws://127.0.0.1:{s.hub.port}/ws');
      s.onopen = () => done('open'); s.onerror = () => done('rejected'); }})"""
    expect(s.browser.do("evaluate", code=socket) == "open", "control: the page's own WebSocket")
    s.browser.do("open", url="about:blank")
    expect(s.browser.do("evaluate", code=socket) == "rejected", "the WebSocket of another page was accepted")


def texts(s):
    """The text of each reason, in three window sizes. The test replaces the fields of the hub's states that belong to the reason."""
    b = s.browser
    now = int(time.time() * 1e6)
    blocked = {"state": "OFFLINE", "age_ms": None}
    proven = {"state": "OFFLINE", "proven_until_us": 9e15}
    reasons = {
        "cloned": (blocked, "NOT SHOWN", "Reset the camera and pair it again."),
        "suspended": ({**blocked, "member": False}, "SUSPENDED", "when the owner resumes it"),
        "removed": ({**blocked, "member": False}, "REMOVED", "Ask the owner"),
        "deregistered": ({"state": "OFFLINE", "reports_online": False}, "OFFLINE", "Check its power"),
        "sensor_fault": (proven, "OFFLINE", "sensor is missing"),
        "picture_fault": (proven, "OFFLINE", "cannot send the pictures"),
        "encoder_fault": (proven, "OFFLINE", "encoder does not work"),
        "unconfirmed": ({"state": "OFFLINE", "hint": "privacy", "hint_since_us": now}, "OFFLINE", "This is not confirmed"),
        "no_answer": ({"state": "OFFLINE"}, "OFFLINE", "does not answer"),
        "privacy": ({**proven, "privacy": True, "may_switch_privacy": True}, "PRIVACY",
                    "sensor is closed"),
    }
    s.open_live(patched=True)
    for reason, fields, note in (("clock", {"clock_ahead_s": -11_000}, "3 h behind"), ("roster_conflict", {}, "same version")):
        b.do("patch", fields={"reason": reason, **fields})
        wait_for(f"the page to show the reason {reason}", lambda: note in b.tile(s.camera.id)["note"], WAIT)
        wait_for(f"LIVE with the reason {reason}", lambda: b.tile(s.camera.id)["state"] == "LIVE" and note in b.tile(s.camera.id)["note"], WAIT)
        s.shot(f"texts-{reason}")
    # A LIVE picture takes precedence over the camera's status.
    b.do("patch", fields={"reason": "privacy", **reasons["privacy"][0]})
    time.sleep(1.5)
    wait_for("LIVE with a status about privacy", lambda: b.tile(s.camera.id)["badge"] == "LIVE", WAIT)
    b.do("patch", fields={})
    s.camera.process.send(signal.SIGSTOP)
    b.wait_state(s.camera.id, "STALE", WAIT)
    for reason, (fields, badge, text) in reasons.items():
        b.do("patch", fields={"reason": reason, **fields})
        wait_for(f"the page to show the reason {reason}", lambda: b.tile(s.camera.id)["reason"] == reason, WAIT)
        tile = b.tile(s.camera.id)
        expect(tile["badge"] == badge and text in tile["why"], f"{reason}: {tile['badge']}, '{tile['why']}'")
        s.shot(f"texts-{reason}")
    visible = "getComputedStyle(document.querySelector('.tile canvas')).visibility"
    for reason in ("privacy", "cloned"):
        b.do("patch", fields={"reason": reason, **reasons[reason][0]})
        wait_for(f"{reason}: no picture", lambda: b.do("evaluate", code=visible) == "hidden", WAIT)
    for width, height, scheme, name in ((800, 480, "dark", "800x480"), (390, 844, "light", "phone")):
        s.open(width=width, height=height, scheme=scheme, touch=True, patched=True)
        for reason in ("privacy", "cloned"):
            b.do("patch", fields={"reason": reason, **reasons[reason][0]})
            wait_for("the tile", lambda: b.tile(s.camera.id), WAIT)
            wait_for(f"the page to show the reason {reason}", lambda: b.tile(s.camera.id)["badge"] == reasons[reason][1], WAIT)
            spill = b.do("evaluate", code="(() => { const w = document.querySelector('.why'); return w.scrollHeight > w.parentElement.clientHeight; })()")
            expect(not spill, f"the text is larger than the tile at {width}x{height}")
            s.shot(f"texts-{reason}-{name}")
    # The switch, its confirmation, and the progress of a request.
    s.open(patched=True)
    b.do("patch", fields={"reason": "privacy", **reasons["privacy"][0]})
    wait_for("privacy", lambda: (b.tile(s.camera.id) or {}).get("badge") == "PRIVACY", WAIT)
    b.do("press", key="1")
    wait_for("the switch", lambda: b.do("visible", selector=".tile.chosen .shut"), WAIT)
    s.shot("privacy-one")
    b.do("press", key="p")
    wait_for("the key P to open the dialog", lambda: b.do("visible", selector="#privacy-dialog"), WAIT)
    s.shot("privacy-dialog")
    b.do("press", key="Escape")
    for fields, text in (({"requested_privacy": False}, "Opening"), ({"privacy_failed": False}, "did not open")):
        b.do("patch", fields={"reason": "privacy", **reasons["privacy"][0], **fields})
        wait_for(text, lambda: text in b.tile(s.camera.id)["note"], WAIT)
    s.shot("privacy-failed")
    b.do("patch", fields={"may_switch_privacy": False})
    wait_for("no switch", lambda: not b.do("visible", selector=".tile.chosen .shut"), WAIT)
    s.camera.process.send(signal.SIGCONT)
    expect_no_warnings(b)


def cloned(s):
    """Two cameras run with copies of one state folder. The hub shows neither of them after both answered."""
    copy = s.world.folder / "copied-state"
    shutil.copytree(s.camera.state, copy)
    s.open_live()
    argv = [copy if argument == str(s.camera.state) else argument for argument in s.camera.process.argv]
    argv[argv.index("--status") + 1] = s.world.folder / "twin.status"
    begun = time.monotonic()
    twin = s.world.spawn("twin", *argv)
    wait_for("the hub to detect the clone", lambda: any(c["reason"] == "cloned" for c in s.hub.status().get("cameras", [])), 90, twin)
    took = time.monotonic() - begun
    wait_for("the page to show it", lambda: s.browser.tile(s.camera.id)["badge"] == "NOT SHOWN", WAIT)
    tile = s.browser.tile(s.camera.id)
    expect("Two devices use this camera's identity" in tile["why"], f"the page shows '{tile['why']}'")
    expect(tile["pictures"] == "none", "a picture stays on the canvas")
    shown = s.hub.status()["shown"]
    for path in (f"snapshot/{s.camera.id}.jpg?stale=allow", f"live/{s.camera.id}.ts"):
        try:
            urllib.request.urlopen(urllib.request.Request(s.url() + path, headers=s.hub.access.headers()), timeout=WAIT)
            raise Failure(f"the hub answered {path}")
        except urllib.error.HTTPError as error:
            expect(error.code == 403 and error.headers["X-Sealcam-Reason"] == "cloned", f"{path}: {error.code}")
    time.sleep(3)
    expect(s.hub.status()["shown"] == shown, "the hub shows pictures of a cloned camera")
    expect(s.browser.do("mark", camera=s.camera.id) is None, "a picture is on the canvas")
    s.shot("cloned")
    print(f"clone detected after {took:.1f} s")


CASES = {f.__name__: f for f in (plays, stale_camera, stale_broker, offline, hub_gone, script_hangs, stranger, handling,
                                 other_pages, texts, cloned)}


if __name__ == "__main__":
    run_cases(__doc__, CASES, functools.partial(browser_scene, Scene))
