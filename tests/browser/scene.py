# SPDX-License-Identifier: Apache-2.0
"""The scene and the frame of the tests of the hub's page."""
import argparse
import contextlib
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import expect  # noqa: E402, F401
from support.world import Failure, World, wait_for  # noqa: E402
from browser import SKIP, Browser, install  # noqa: E402

FIRST, SECOND = 11, 22  # numbers that the cameras draw into their pictures
SIZE = "1280x720"
WAIT = 60  # s, until an expected effect is a failure; a shorter limit is a promise of the page


def run_cases(document, cases, scene, folder="browser", install=install):
    """Runs the cases of the command line, one after the other in one scene, and ends the process with the exit code.

    `cases`: functions by name. `scene(world, output, log)`: a context manager. The case 'install' only installs what the tests need into
    the output folder, and 'list' prints the cases."""
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--case", required=True, nargs="+", choices=["install", "list", *cases])
    parser.add_argument("--output", type=pathlib.Path, help=f"folder for screenshots (default: {folder} in the build folder)")
    options = parser.parse_args()
    if "list" in options.case:
        print("\n".join(f"{name}: {case.__doc__}" for name, case in cases.items()))
        sys.exit()
    output = (options.output or options.build / folder).resolve()
    output.mkdir(parents=True, exist_ok=True)
    if reason := install(output):
        print(f"SKIPPED: {reason}")
        sys.exit(SKIP)
    if "install" in options.case:
        sys.exit()
    log = output / f"{pathlib.Path(sys.argv[0]).stem}-{options.case[0]}.log"
    case = "the scene"
    try:
        with tempfile.TemporaryDirectory(prefix=f"sealcam-{folder}-") as temporary, World(options.build, temporary) as world, \
                scene(world, output, log) as opened:
            for case in options.case:
                begun = time.monotonic()
                cases[case](opened)
                print(f"{case}: passed in {time.monotonic() - begun:.1f} s", flush=True)
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {case}: {failure}")
    sys.exit()


@contextlib.contextmanager
def browser_scene(scene, world, output, log):
    """`scene`: the class of a scene, whose hub's page a Chromium shows."""
    with Browser(output, log) as browser:
        yield scene(world, browser, output)


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
        wait_for("hub is ready", hub.status, WAIT, hub.process)
        return camera, hub

    def url(self, hub=None):
        return f"http://127.0.0.1:{(hub or self.hub).port}/"

    def open(self, hub=None, **more):
        return self.browser.do("open", url=(hub or self.hub).access.open_address(), **more)

    def open_live(self, **more):
        self.open(**more)
        return self.browser.wait_state(self.camera.id, "LIVE", WAIT)

    def shot(self, name):
        self.browser.do("shot", file=str(self.output / f"{name}.png"))
