#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A phone from the address with the code to LIVE, and what ends it: with the real broker, hub, camera and `sealcam phone`, in Chromium.

    phone_test.py --build DIR --case CASE… [--output DIR]
"""
import json
import pathlib
import re
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from network_cases import broker_address, network  # noqa: E402
from phone_scene import Failure, expect, install, phone_scene, run_cases, wait_for  # noqa: E402
from naive_phone import GIVE, LEAKING, NAIVE, changed  # noqa: E402
from security_cases import FIRST, SECOND, WAIT, credentials, policy  # noqa: E402

REFRESH = 300            # ms: a page judges its tiles five times a second
RATE = 15
LINK_SECONDS = 60

# Date.now() of the page can be moved. performance.now() cannot.
MOVABLE_DATE = "{ const now = Date.now; window.moved = 0; Date.now = () => now() + window.moved; }"
# The page's scripts stop, and Date.now() moves: the machine slept. Pictures from before wait in the browser.
SLEEP = """setTimeout(() => {
  window.asleep = performance.now();
  const end = performance.now() + HANG_MS;
  while (performance.now() < end) {}
  window.moved += MOVE_MS;
  window.awake = performance.now();
}, 0)"""
# The name of each key in IndexedDB, and whether a script can take it away.
EXPORT = """new Promise((resolve, reject) => {
  const request = indexedDB.open("sealcam-phone");
  request.onerror = () => reject(request.error);
  request.onsuccess = async () => {
    const found = [];
    const all = (kind) => new Promise((done) => { const r = request.result.transaction(kind).objectStore(kind).getAll(); r.onsuccess = () => done(r.result); });
    const pairs = [...await all("identity"), ...(await all("prekey")).map(({ pair }) => pair)];
    for (const { privateKey } of pairs) {
      let taken = 0;
      for (const format of ["jwk", "pkcs8", "raw"]) await crypto.subtle.exportKey(format, privateKey).then(() => ++taken, () => {});
      await crypto.subtle.wrapKey("jwk", privateKey, privateKey, "AES-GCM").then(() => ++taken, () => {});
      found.push([privateKey.type, privateKey.extractable, taken]);
    }
    request.result.close();
    resolve(found);
  };
})"""

# The control of EXPORT: a key that a script can take away.
TAKEN = """crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]).then(({ privateKey }) => crypto.subtle.exportKey("jwk", privateKey)).then((key) => key.d.length)"""


def link(s):
    """From the address with the code to LIVE within 60 s. No warning, no request to others, no key that a script can take away."""
    a, browser = s.account(number=FIRST), s.browser
    process, address = a.begin_link("My phone")
    begun = time.monotonic()
    answer = browser.do("open", url=address)
    policy = answer["headers"].get("content-security-policy", "")
    for part in ("default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'"):
        expect(part in policy, f"the content security policy is '{policy}'")
    expect("#" not in browser.do("url") or "link" not in browser.do("url"), "the code stays in the address of the page")
    s.shot("link-1")
    browser.wait_tile(a.camera.id, "LIVE", LINK_SECONDS)
    took = time.monotonic() - begun
    s.shot("link-2")
    expect(took <= LINK_SECONDS, f"LIVE after {took:.0f} s")
    expect(process.child.wait(WAIT) == 0, f"phone link failed: {process.tail()}")
    mark = wait_for("a picture", lambda: browser.do("mark", camera=a.camera.id), WAIT)
    expect(mark["camera"] == FIRST, f"the picture shows camera {mark}")
    keys = browser.do("evaluate", code=EXPORT)
    expect(len(keys) >= 3 and all(key == ["private", False, 0] for key in keys), f"keys in the browser: {keys}")
    expect(browser.do("evaluate", code=TAKEN) > 40, "control: the test cannot take an extractable key away")
    browser.do("evaluate", code="navigator.serviceWorker.ready.then(() => 1)")
    hosts = {re.match(r"\w+://([^/]+)", url)[1] for url in browser.do("requests") if not url.startswith(("data:", "blob:"))}
    expect(hosts == {f"127.0.0.1:{a.port}", f"127.0.0.1:{s.web_port}"}, f"requests to {hosts}")
    expect(browser.do("warnings") == [], f"the browser reports {browser.do('warnings')}")
    phones = a.world.owner("first", "phone", "list")
    expect("My phone" in phones, f"phone list prints {phones}")
    print(f"LIVE {took:.1f} s after the address was opened; {len(keys)} private keys, none could be exported; hosts {sorted(hosts)}")
    again = a.request(f"/link/1/{'0' * 32}/descriptor", "POST", b"x")
    expect(again == 404, f"an unknown slot answers {again}")


def reload(s):
    """The linked phone shows LIVE again after a reload, without and with the hub, and its start needs no server but the broker."""
    a, browser = s.account(number=FIRST), s.browser
    a.watch()
    browser.do("evaluate", code="navigator.serviceWorker.ready.then(() => 1)")
    browser.do("reload")
    first = browser.wait_tile(a.camera.id, "LIVE", WAIT)
    a.hub.process.stop()
    browser.do("reload")
    second = browser.wait_tile(a.camera.id, "LIVE", WAIT)
    print(f"LIVE {first:.1f} s after a reload, {second:.1f} s after one without the hub")


def stranger(s):
    """A relay copies each picture of the first account's camera to the topics of the second one's. Its phone shows none of them.

    The control: a third phone, without its checks and with the stranger's key, shows them."""
    w, browser = s.world, s.browser
    a, b = s.account(number=FIRST), s.account("second", SECOND, "Garden")
    b.link("Phone three", "third", "three", files=changed(NAIVE))
    b.link("Phone two", "second", "two")
    a.link("Phone one", "first", "one", files=changed(LEAKING))
    w.authorize_relay()
    relay = w.relay(a.camera, b.camera)
    for page in ("first", "second", "third"):
        browser.do("record", page=page)
    rejected = lambda: int((re.match(r"([\d,]+) pictures were rejected: they are from cameras of another account\.",
                                     browser.do("text", page="second", selector="#rejected-text")) or ["", "0"])[1].replace(",", ""))  # noqa: E731
    wait_for("the relay's pictures", lambda: rejected() > 100, 30, relay)
    for page in ("first", "second"):
        browser.wait_tile({"first": a, "second": b}[page].camera.id, "LIVE", WAIT, page)
    seen = {page: browser.seen(page) for page in ("first", "second")}
    count = {page: {n: sum(row[3] == n for row in rows) for n in (FIRST, SECOND)} for page, rows in seen.items()}
    total, shown = rejected(), set(browser.tiles("second"))
    s.shot("stranger", "second")
    naive = without_checks(browser, a)
    relay.stop()
    for page in ("first", "second", "third"):
        browser.do("close", page=page)
    expect(count["first"][FIRST] > 50, f"control: the first phone shows its camera in {count['first'][FIRST]} frames")
    expect(count["first"][SECOND] == 0 and count["second"][FIRST] == 0, f"strangers' pictures in the pixels: {count}")
    expect(count["second"][SECOND] > 50, f"the second phone shows its own camera in {count['second'][SECOND]} frames")
    expect(shown == {b.camera.id}, "tiles of cameras of another account")
    print(f"frames by the camera in their pixels: {count}; the second phone rejected {total} pictures of another account; a phone without checks shows them in {naive} frames")


def without_checks(browser, a):
    """Ends the checks of the third phone. Returns the frames in which it shows pictures of the first account, when these are enough."""
    # The phone also derives a key for each software report. Its number is above those of epochs (R-UPDATE-1).
    key = browser.do("evaluate", page="first", code="globalThis.derived.filter((each) => BigInt(each.number) < 2n ** 63n).at(-1)")
    give = GIVE.replace("KEY", json.dumps(key)).replace("ACCOUNT", json.dumps(a.camera.account)).replace("CAMERA", json.dumps(a.camera.id))
    strangers = lambda: sum(row[3] == FIRST for row in browser.seen("third"))  # noqa: E731
    expect(strangers() == 0, "control: the third phone shows strangers' pictures before its checks end")
    browser.do("evaluate", page="third", code=give)
    wait_for("strangers' pictures on a phone without checks", lambda: strangers() > 20, WAIT)
    return strangers()


def tabs(s):
    """A second tab takes over. The first one shows that, has nothing LIVE, and continues when the second one is closed."""
    a, browser = s.account(number=FIRST), s.browser
    a.watch()
    browser.do("record")
    browser.do("open", page="second", url=a.origin + "/")
    took = browser.wait_tile(a.camera.id, "LIVE", WAIT, "second")
    other = browser.wait_screen("other_tab", WAIT)
    s.shot("tabs-first")
    time.sleep(2)
    expect(all(tile["state"] != "LIVE" or not tile["visible"] for tile in browser.tiles().values()), "the first tab still shows LIVE")
    expect(browser.tiles("second")[a.camera.id]["state"] == "LIVE", "the tabs replace each other")
    browser.do("click", selector="#screen button")
    browser.wait_tile(a.camera.id, "LIVE", WAIT)
    browser.wait_screen("other_tab", WAIT, "second")
    browser.do("click", page="second", selector="#screen button")
    browser.wait_tile(a.camera.id, "LIVE", WAIT, "second")
    browser.do("close", page="second")
    back = browser.wait_tile(a.camera.id, "LIVE", WAIT)
    print(f"the second tab was LIVE after {took:.1f} s; the first one showed that within {other:.1f} s, and continued {back:.1f} s after the second was closed")


def wiped(s):
    """Storage that is deleted while the page is open: nothing is LIVE, and the page says what happened."""
    a, browser = s.account(number=FIRST), s.browser
    a.watch()
    browser.do("wipe")
    took = browser.wait_screen("wiped", WAIT)
    s.shot("wiped")
    expect(not any(tile["state"] == "LIVE" for tile in browser.tiles().values()), "LIVE without keys")
    browser.do("reload")
    browser.wait_screen("first", WAIT)
    a.link(f"{a.phone} again")
    print(f"the page showed that {took:.1f} s after its storage was deleted; it was linked again")


def updated(s):
    """A new version of the app is used whole. A server that mixes two versions changes nothing."""
    a, browser = s.account(number=FIRST), s.browser
    a.watch()
    browser.do("evaluate", code="navigator.serviceWorker.ready.then(() => 1)")
    version = "caches.keys().then((names) => names.filter((name) => name.startsWith('sealcam-app-')))"
    before = browser.do("evaluate", code=version)
    browser.do("reload")   # a page that the worker controls
    browser.wait_tile(a.camera.id, "LIVE", WAIT)

    # A file of another version under the same worker, then a worker that does not have its hash.
    texts, worker = s.app / "app_text.js", s.app / "sw.js"
    whole = texts.read_text(), worker.read_text()
    texts.write_text(whole[0] + "\nglobalThis.mixed = true;\n")
    worker.write_text(whole[1].replace(before[0].removeprefix("sealcam-app-").partition("-")[0], "0123456789abcdef"))
    s.pack(texts.name, worker.name)
    a.restart_hub()
    served = browser.do("evaluate", code="fetch('./sw.js', { cache: 'no-store' }).then((answer) => answer.text())")
    expect("0123456789abcdef" in served, "the hub serves another worker than the test made")
    for _ in range(2):
        browser.do("reload")
        browser.wait_tile(a.camera.id, "LIVE", WAIT)
        time.sleep(2)
        expect(browser.do("evaluate", code="globalThis.mixed ?? null") is None, "the page has a file of another version")
    expect(browser.do("evaluate", code=version) == before, "a mixture was stored")

    texts.write_text(whole[0] + "\nglobalThis.renewed = true;\n")
    s.write_worker()
    s.pack(texts.name, worker.name)
    a.restart_hub()
    browser.do("reload")
    ready = "navigator.serviceWorker.getRegistration().then((found) => globalThis.renewed === true || found.waiting !== null)"
    wait_for("a new version that is complete", lambda: browser.attempt("evaluate", code=ready), 30)
    renewed = lambda: browser.attempt("evaluate", code="globalThis.renewed ?? null")  # noqa: E731
    try:
        wait_for("the new version", renewed, 10)
    except Failure:
        browser.do("hide", on=True)  # a page that is shown for a while changes only while it is hidden
        wait_for("the new version", renewed, 20)
    browser.wait_tile(a.camera.id, "LIVE", WAIT)
    after = browser.do("evaluate", code=version)
    expect(len(after) == 1 and after != before, f"caches before {before}, after {after}")
    print(f"two mixtures were not used; {before[0]} was replaced by {after[0]}")


def sleeping(s, moved):
    """Returns the frames with LIVE after a sleep of 8 h, and those of them that show a picture from before."""
    a, browser = s.account(number=FIRST), s.browser
    a.watch(script=MOVABLE_DATE)
    browser.do("record")
    wait_for("pictures", lambda: sum(row[2] is not None for row in browser.seen()) > 10, WAIT)
    browser.do("evaluate", code=SLEEP.replace("HANG_MS", "3000").replace("MOVE_MS", str(8 * 3_600_000 if moved else 0)))
    asleep, awake = wait_for("the page is awake", lambda: browser.do("evaluate", code="window.awake ? [window.asleep, window.awake] : null"), WAIT)
    number = [row[2] for row in browser.seen() if row[2] is not None and row[4] <= asleep][-1]
    newest_old = number + ((awake - asleep) / 1000 - 1) * RATE
    wait_for("LIVE after the sleep", lambda: any(row[1] == "LIVE" and row[4] > awake + REFRESH and (row[2] or 0) > newest_old + 2 * RATE for row in browser.seen()), 40)
    live = [row for row in browser.seen() if row[1] == "LIVE" and row[4] > awake]
    old = [row for row in live if row[2] is not None and row[2] < number + 2 * RATE]  # captured at least a second before the page was awake
    # The picture on the screen may stay until the next refresh.
    first = old[0][2] if old else None
    return live, [row for row in old if row[2] != first or row[4] > awake + REFRESH]


def sleep(s):
    """8 h of sleep with shifted clocks: no picture from before is LIVE, and the phone is LIVE again by itself."""
    live, old = sleeping(s, True)
    expect(not old, f"old pictures are LIVE after the sleep: {old[:5]}")
    print(f"{len(live)} frames LIVE after the sleep, 0 of them old")


def sleep_control(s):
    """The control of `sleep`: if no clock shows the sleep, pictures from before are LIVE."""
    for _ in range(3):  # the browser may paint only the last one of the pictures that waited
        live, old = sleeping(s, False)
        if old:
            break
    expect(len(old) > 0, "control: no picture from before is LIVE, so the test cannot see the fault")
    print(f"{len(live)} frames LIVE after the pause, {len(old)} of them old")


def removed(s):
    """`phone unlink` while the phone watches: the picture disappears, and the page says what happened. The login is rejected afterwards."""
    a, browser = s.account(number=FIRST), s.browser
    a.watch()
    browser.do("record")
    wait_for("pictures", lambda: sum(row[2] is not None for row in browser.seen()) > 10, WAIT)
    begun = time.monotonic()
    a.world.owner("first", "phone", "unlink", a.phone)
    command = time.monotonic() - begun
    screen = wait_for("the text of the page", lambda: browser.do("screen") in ("removed", "login") and browser.do("screen"), WAIT)
    took = time.monotonic() - begun
    at = browser.do("evaluate", code="performance.now()")
    s.shot("removed")
    time.sleep(6)
    late = [row for row in browser.seen() if row[4] > at and row[1] == "LIVE"]
    expect(not late, f"{len(late)} frames LIVE after the phone was removed")
    browser.do("reload")
    wait_for("the text of the page after a reload", lambda: browser.do("screen") in ("removed", "login"), WAIT)
    expect(not any(tile["state"] == "LIVE" for tile in browser.tiles().values()), "LIVE after a reload")
    print(f"the page shows '{screen}' {took:.1f} s after the command began ({command:.1f} s)")


def denied(s):
    """`hub deny` while the phone watches: the camera's signed list counts, and the broker still accepts the phone."""
    a, browser = s.account(number=FIRST), s.browser
    a.watch()
    a.world.owner("first", "hub", "deny", a.phone, "Front door")
    took = browser.wait_screen("removed", WAIT)
    s.shot("denied")
    expect(not any(tile["state"] == "LIVE" for tile in browser.tiles().values()), "LIVE after the owner removed the phone")
    browser.do("reload")
    browser.wait_screen("removed", WAIT)
    a.world.owner("first", "hub", "allow", a.phone, "Front door")
    back = browser.wait_tile(a.camera.id, "LIVE", 30)
    print(f"removed {took:.1f} s after the command; LIVE {back:.1f} s after the owner allowed it again")


def hidden(s):
    """A hidden page has no lease, so the camera rests. It is LIVE again when the page is shown."""
    a, browser = s.account(number=FIRST), s.browser
    a.watch()
    leases = lambda: a.camera.status()["leases"]  # noqa: E731
    wait_for("a lease", lambda: leases() != 0, WAIT)
    browser.do("hide", on=True)
    took = time.monotonic()
    wait_for("no lease", lambda: leases() == 0, 20, step=0.2)
    took = time.monotonic() - took
    browser.do("hide", on=False)
    back = browser.wait_tile(a.camera.id, "LIVE", WAIT)
    browser.do("hide", on=True)
    time.sleep(33)  # it keeps its connection for 30 s
    browser.do("hide", on=False)
    later = browser.wait_tile(a.camera.id, "LIVE", WAIT)
    print(f"no lease {took:.1f} s after the page was hidden; LIVE {back:.1f} s after it was shown, and {later:.1f} s after a longer time without a connection")


def offline(s):
    """The broker stops to answer: LIVE ends within 5 s, the page shows that, and continues by itself."""
    a, browser, w = s.account(number=FIRST), s.browser, s.world
    a.watch()
    w.broker.send(signal.SIGSTOP)
    begun = time.monotonic()
    wait_for("the end of LIVE", lambda: browser.tiles()[a.camera.id]["state"] != "LIVE", 7)
    stale = time.monotonic() - begun
    wait_for("the text of the page", lambda: "No connection to the broker" in browser.do("text", selector="#link"), WAIT)
    reported = time.monotonic() - begun
    w.broker.send(signal.SIGCONT)
    back = browser.wait_tile(a.camera.id, "LIVE", 40)
    browser.do("offline", on=True)
    wait_for("the page says that there is no network", lambda: "network" in browser.do("text", selector="#link").lower(), WAIT)
    s.shot("offline")
    browser.do("offline", on=False)
    browser.wait_tile(a.camera.id, "LIVE", 40)
    print(f"LIVE ended after {stale:.1f} s, the page showed that after {reported:.1f} s; LIVE {back:.1f} s after the broker answered again")


def low_data(s):
    """Low data: still pictures only. The phone receives no video."""
    a, browser = s.account(number=FIRST), s.browser
    a.watch()
    browser.do("click", selector="#low-data")
    wait_for("the state", lambda: "Low data" in browser.do("text", selector="#link"), WAIT)
    time.sleep(3)
    browser.do("record")
    numbers = lambda: {row[2] for row in browser.seen() if row[2] is not None}  # noqa: E731
    begun = time.monotonic()
    wait_for("three still pictures", lambda: len(numbers()) >= 3, 60, step=0.2)
    took = time.monotonic() - begun
    expect(took >= 6, f"three pictures in {took:.1f} s: this is no still every 5 s")
    browser.do("click", selector="#low-data")
    browser.wait_tile(a.camera.id, "LIVE", WAIT)
    print(f"three still pictures in {took:.1f} s")


CASES = {f.__name__: f for f in (link, policy, reload, stranger, tabs, wiped, updated, sleep, sleep_control, removed, denied, hidden, offline, network, broker_address, low_data, credentials)}


if __name__ == "__main__":
    run_cases(__doc__, CASES, phone_scene, "phone", install)
