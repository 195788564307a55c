# SPDX-License-Identifier: Apache-2.0
"""The scene of the tests of the hub's page. The folder scripts must be in sys.path."""
from support.world import Failure, wait_for

FIRST, SECOND = 11, 22  # numbers that the cameras draw into their pictures
SIZE = "1280x720"


def expect(condition, text):
    if not condition:
        raise Failure(text)


def expect_no_warnings(browser):
    seen = browser.do("warnings")
    expect(seen == {"warnings": [], "outside": []}, f"the browser reports {seen}")


class Scene:
    """One account with a camera and a hub, and a browser for the hub's page."""

    def __init__(self, world, browser, output, prefix=(), source=None):
        """`prefix`: the beginning of the hub's command line. `source`: settings of the sensors that differ."""
        self.world, self.browser, self.output, self.prefix = world, browser, output, prefix
        self.source = {"backend": "fake", "size": SIZE, "rate": 30, **(source or {})}
        self.camera, self.hub = self.make("first", FIRST, "Front door")

    def make(self, account, number, label):
        w = self.world
        w.account(account)
        if not w.broker:
            w.start_broker()
        camera = w.camera(account, f"camera-{account}", {
            "source": {**self.source, "number": number},
            "encoder": {"bitrate": 2_000_000, "keyframe_interval": 60}}, label)
        hub = w.hub(account, f"hub-{account}")
        hub.process.argv[:0] = map(str, self.prefix)
        w.start(hub)
        w.start(camera)
        wait_for("hub is ready", hub.status, 10, hub.process)
        return camera, hub

    def url(self, hub=None):
        return f"http://127.0.0.1:{(hub or self.hub).port}/"

    def open(self, hub=None, **more):
        return self.browser.do("open", url=(hub or self.hub).access.open_address(), **more)

    def open_live(self, **more):
        self.open(**more)
        return self.browser.wait_state(self.camera.id, "LIVE", 10)

    def shot(self, name):
        self.browser.do("shot", file=str(self.output / f"{name}.png"))
