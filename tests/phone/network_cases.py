# SPDX-License-Identifier: Apache-2.0
"""Cases of phone_test.py: another network, and another address of the broker, while a phone watches."""
import time

from phone_scene import Failure, expect, wait_for

WAIT = 60  # s, until an expected effect is a failure


def network(s):
    """The phone gets another address, so that its connection carries nothing more. LIVE ends, and returns with and without an event of the browser."""
    forwarder = s.forward_broker()
    a, browser = s.account(number=11), s.browser
    a.watch()
    text = lambda: browser.do("text", selector="#link")  # noqa: E731
    took = {}
    for event in (True, False):
        opened = forwarder.opened
        browser.do("record")
        begun = time.monotonic()
        forwarder.leave()
        if event:
            browser.do("offline", on=True)
            wait_for("the page says that there is no network", lambda: text().startswith("No network"), WAIT)
            browser.wait_tile(a.camera.id, "STALE", WAIT)
            s.shot("network")
            begun = time.monotonic()
            browser.do("offline", on=False)
        else:
            browser.wait_tile(a.camera.id, "STALE", WAIT)
        wait_for("another connection", lambda: forwarder.opened > opened, WAIT)
        browser.wait_tile(a.camera.id, "LIVE", WAIT)
        wait_for("no text about the connection", lambda: text() == "", WAIT)
        took[event] = time.monotonic() - begun
    print(f"LIVE again {took[True]:.1f} s after the browser reported another network, and {took[False]:.1f} s after a change without a report")


def broker_address(s):
    """The page may connect to the broker of /app/broker only, and follows a change of it, with its service worker and what this stored."""
    a, browser = s.account(number=11), s.browser
    a.watch()
    browser.do("evaluate", code="navigator.serviceWorker.ready.then(() => 1)")
    violations = lambda: sum("Content Security Policy" in text for text in browser.do("warnings"))  # noqa: E731

    # The page is used in the policy of the worker that has it. So a change needs the new worker, and another start of the page.
    def reloaded(condition):
        browser.attempt("reload")  # a new worker loads the page, too
        try:
            return wait_for("an effect of the new policy", condition, 4)
        except Failure:
            return False

    live = lambda: any(tile["state"] == "LIVE" for tile in browser.attempt("tiles") or [])  # noqa: E731
    expect(violations() == 0, f"the browser reports {browser.do('warnings')}")
    a.restart_hub(broker=f"wss://localhost:{s.web_port}")
    wait_for("the page does not connect to another address than /app/broker", lambda: reloaded(lambda: violations() > 0), WAIT)
    time.sleep(2)
    expect(not live(), "LIVE although the policy permits another broker only")
    expect("onnect" in browser.do("text", selector="#link"), f"the page shows '{browser.do('text', selector='#link')}'")
    s.shot("broker-address")
    a.restart_hub(broker=f"wss://127.0.0.1:{s.web_port}")
    wait_for("LIVE with the broker at /app/broker", lambda: reloaded(live), WAIT)
    print(f"{violations()} connections were stopped by the policy; LIVE with the right address")
