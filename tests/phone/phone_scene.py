# SPDX-License-Identifier: Apache-2.0
"""The scene of the tests of phones: a real broker with a listener for them, hubs that serve the app, cameras, and Chromium as the phones."""
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "browser"), str(HERE.parent / "support"), str(HERE.parents[1] / "scripts")]
import app  # noqa: E402
from browser import SKIP, Browser, install as install_browser  # noqa: E402, F401
from forwarder import Forwarder  # noqa: E402
from scene import expect, run_cases  # noqa: E402, F401
from support.world import TOP, Failure, free_port, wait_for  # noqa: E402

LOADING = ("Execution context was destroyed", "Not attached to an active page", "interrupted by another navigation", "net::ERR_ABORTED")
ADDRESS = re.compile(r"https://[^\s\"]+#link/[A-Za-z0-9_-]{22}")


def install(folder):
    """Installs what the tests need into `folder`. Returns None, or the reason of a failure."""
    if reason := install_browser(folder):
        return reason
    shutil.copyfile(HERE / "phone_chromium.mjs", folder / "phone_chromium.mjs")
    return None


def pin(certificate):
    """The hash by which Chromium trusts the key of a certificate."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-pubkey", "-noout"], capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, capture_output=True, check=True).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


class Phones(Browser):
    """Chromium. `page` names a tab, and `context` a phone."""

    def __init__(self, folder, log, pins):
        self.child = subprocess.Popen(["node", "phone_chromium.mjs"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=open(log, "ab"), text=True, bufsize=1, env={**os.environ, "SEALCAM_PINS": ",".join(pins)})

    def attempt(self, command, **arguments):
        """The same as do(), and None while the page loads again."""
        try:
            return self.do(command, **arguments)
        except Failure as failure:
            if not any(text in str(failure) for text in LOADING):
                raise
            return None

    def tiles(self, page="main"):
        return {tile["camera"]: tile for tile in self.do("tiles", page=page)}

    def wait_tile(self, camera, state, seconds, page="main"):
        """Waits until the tile shows `state`. Returns the seconds that this took."""
        begun = time.monotonic()
        wait_for(f"the tab '{page}' shows {state}", lambda: (self.tiles(page).get(camera) or {}).get("state") == state, seconds, step=0.1)
        return time.monotonic() - begun

    def wait_screen(self, name, seconds, page="main"):
        """Waits for a screen in place of the cameras; None: the cameras."""
        begun = time.monotonic()
        wait_for(f"the tab '{page}' shows the screen {name}", lambda: self.do("screen", page=page) == name, seconds, step=0.05)
        return time.monotonic() - begun

    def seen(self, page="main"):
        """What the recorder saw: [camera of the tile, state, number, camera in the pixels, ms]."""
        return self.do("evaluate", page=page, code="window.seen ?? []")


class Account:
    """An account with one camera and one hub that serves the app."""

    def __init__(self, scene, name, number, label, source, bitrate=500_000):
        self.scene, self.name, self.world = scene, name, scene.world
        self.phone = self.context = None  # the name of the newest linked phone, and the name of its browser
        w = self.world
        w.account(name)
        if not w.broker:
            scene.start_broker()
        self.camera = w.camera(name, f"camera-{name}", {"source": {"backend": "fake", "size": "320x240", "rate": 15, "number": number, **source},
                                                        "encoder": {"bitrate": bitrate, "keyframe_interval": 30}}, label)
        self.hub = w.hub(name, f"hub-{name}")
        self.port = free_port()
        self.config = w.folder / f"{name}-hub.json"
        self.config.write_text(json.dumps({"app": {"listen": "127.0.0.1", "port": self.port, "folder": str(scene.app),
                                                   "certificate": str(scene.certificate), "key": str(scene.key)}}))
        self.hub.process.argv += ["--config", str(self.config)]
        w.start(self.hub)
        w.start(self.camera)
        wait_for("hub is ready", lambda: self.hub.status() and self.request() == 200, 30, self.hub.process)

    @property
    def origin(self):
        return f"https://127.0.0.1:{self.port}"

    def restart_hub(self, **app_settings):
        """`app_settings`: members of "app" in hub.json that change."""
        config = json.loads(self.config.read_text())
        config["app"] |= app_settings
        self.config.write_text(json.dumps(config))
        self.hub.process.stop()
        self.world.start(self.hub)
        wait_for("hub is ready", lambda: self.hub.process.alive and self.request() == 200, 30, self.hub.process)

    def request(self, path="/", method="GET", body=None):
        """The status of an answer of the hub's listener for phones; None without an answer. The certificate is not checked here."""
        headers = {"Content-Type": "application/cbor"} if body else {}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.origin + path, body, headers, method=method), timeout=10,
                                        context=ssl._create_unverified_context()) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def begin_link(self, name, context="phone"):
        """Starts `sealcam phone link`. Returns its process, and the address that it prints."""
        self.phone, self.context = name, context
        w = self.world
        process = w.spawn(f"link-{name.replace(' ', '-')}", w.program("sealcam"), "--account", w.folder / self.name, "phone", "link", name,
                          "--app", self.origin, "--broker", w.folder / "broker")
        found = wait_for("the address of the link", lambda: ADDRESS.search(process.log.read_text(errors="replace")), 30, process)
        return process, found[0]

    def watch(self, **more):
        """Opens the app in the newest phone, or links a phone. A hub accepts few links in ten minutes."""
        if self.phone is None:
            self.link(**more)
            return
        self.scene.browser.do("open", context=self.context, url=f"{self.origin}/", **more)
        self.scene.browser.wait_tile(self.camera.id, "LIVE", 60)

    def link(self, name="My phone", page="main", context="phone", **more):
        """Links a browser by opening the address, and waits until it shows the camera. Returns the seconds to LIVE."""
        process, address = self.begin_link(name, context)
        begun = time.monotonic()
        self.scene.browser.do("open", page=page, context=context, url=address, **more)
        self.scene.browser.wait_tile(self.camera.id, "LIVE", 60, page)
        took = time.monotonic() - begun
        code = process.child.wait(30)
        expect(code == 0, f"phone link ended with {code}: {process.tail()}")
        return took


class Scene:
    def __init__(self, world, output):
        self.world, self.output, self.browser, self.accounts = world, output, None, {}
        self.app = world.folder / "app"
        self.make_app()
        folder = world.folder / "certificates"
        world.run(world.program("sealcam-hub"), "certificate", "127.0.0.1", "localhost", "--folder", folder)
        self.certificate, self.key = folder / "web.crt", folder / "web.key"
        self.web_port = free_port()

    def make_app(self):
        self.world.run(sys.executable, "-B", TOP / "scripts/app.py", self.app, seconds=200)

    def write_worker(self):
        """A service worker for the files that the folder has now."""
        names = json.loads(re.search(r"^const FILES = (\{.*\});", (self.app / "sw.js").read_text(), re.MULTILINE)[1])
        app.write_worker(self.app, list(names))

    def pack(self, *names):
        """The hub serves the compressed form of a file, so a changed file needs a new one."""
        app.pack(self.app, names)

    def start_broker(self):
        self.make_broker()
        self.world.start_broker()

    def make_broker(self):
        w = self.world
        w.port = free_port()
        w.run(w.program("sealcam"), "broker", "init", w.folder / "broker", "--port", w.port, "--host", "127.0.0.1",
              "--web-port", self.web_port, "--web-certificate", self.certificate, "--web-key", self.key)

    def forward_broker(self):
        """Starts the broker behind a network that phones can leave."""
        self.make_broker()
        config, port = self.world.folder / "broker/mosquitto.conf", free_port()
        config.write_text(re.sub(rf"^listener {self.web_port}\b", f"listener {port}", config.read_text(), count=1, flags=re.MULTILINE))
        forwarder = Forwarder(self.web_port, port)
        self.world.start_broker()
        return forwarder

    def account(self, name="first", number=11, label="Front door", bitrate=500_000, **source):
        """An account with a camera of this `bitrate` and `source`. The cases of one process share it."""
        if name not in self.accounts:
            self.accounts[name] = Account(self, name, number, label, source, bitrate)
        return self.accounts[name]

    def shot(self, name, page="main"):
        self.browser.do("shot", page=page, file=str(self.output / f"{name}.png"))


@contextlib.contextmanager
def phone_scene(world, output, log):
    scene = Scene(world, output)
    with Phones(output, log, [pin(scene.certificate)]) as scene.browser:
        yield scene
