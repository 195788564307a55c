# SPDX-License-Identifier: Apache-2.0
"""A paired camera that streams from a board in QEMU, with broker, owner and hub on this machine, and with a channel that has a release."""
import json
import pathlib
import shutil
import sys
import threading
import time

import updates_test
from service_test import RELEASE, ServiceScene
from updates_test import HOST, TIMEOUT, Failure

sys.path.insert(0, str(updates_test.TOP / "tests/ownership"))
import key_use  # noqa: E402
from card import pairing_string  # noqa: E402
from household import Household  # noqa: E402
from support.world import read_json, wait_for  # noqa: E402


class StreamScene(ServiceScene):
    """The release is requested in the second start, because the owner pairs the camera in the first."""

    request = 2

    def __init__(self, folder, verbose, build):
        super().__init__("confirmed", folder, verbose)
        self.world = world = Household(build, self.folder / "world")
        world.broker_hosts = ["127.0.0.1", HOST]
        world.account("owner")
        world.start_broker(relay=True)
        self.hub = world.start(world.hub("owner", "hub"))
        wait_for("hub is ready", self.hub.status, 60, self.hub.process)
        self.probes = self.recorders = 0
        self.probe = self.new_probe()
        self.recorder = self.record()

    def close(self):
        self.world.close()
        super().close()

    def new_probe(self):
        self.probes += 1
        return self.world.probe(f"probe-{self.probes}", self.hub)

    def record(self):
        """Starts a recording of all messages of the broker."""
        self.recorders += 1
        name, output = f"recorder-{self.recorders}", self.folder / f"{self.recorders}.recording"
        process = self.world.spawn(name, self.world.program("sealcam-recorder"), "--broker", self.world.folder / "broker", "--port",
                                   self.world.port, "--output", output)
        wait_for("the recorder is connected", lambda: "recording" in process.tail(), 60, process)
        process.output = output
        return process

    def live(self):
        return (read_json(self.probe.result) or {}).get("live", 0)

    def wait_live(self, run, text, seconds=TIMEOUT):
        """Waits for a LIVE picture that is newer than this call. Returns the seconds since the start of the board."""
        before = self.live()

        def more():
            if run.child.poll() is not None:
                raise Failure(f"{text}: QEMU ended")
            return self.live() > before
        wait_for(f"the hub shows a LIVE picture {text}", more, seconds, step=0.2)
        return time.monotonic() - run.started

    def pair(self):
        """Starts the board, pairs its camera and waits for its pictures. Then the power fails. Returns results."""
        with self.machine.boot() as run:
            shown, string = pairing_string(run, TIMEOUT)
            self.world.run(self.world.program("sealcam"), "--account", self.world.folder / "owner", "camera", "pair", string, "--name", "Board",
                           "--broker", self.world.folder / "broker", "--at", f"127.0.0.1:{self.machine.port}", "--host", HOST, seconds=TIMEOUT)
            live = self.wait_live(run, "after pairing")
            run.wait_line("*no longer valid*", TIMEOUT)
            time.sleep(30)  # the camera writes its state some seconds later
        return [f"pairing code {shown:.0f} s after power, first picture {live:.0f} s after power"]

    def camera(self):
        return json.loads(self.world.owner("owner", "camera", "list", "--json"))[0]

    def stop_world(self):
        for process in (self.probe, self.recorder, self.hub.process, self.world.broker):
            process.stop()

    def save_world(self):
        """Copies what broker and hub store, and continues."""
        self.stop_world()
        for folder in (self.world.folder / "broker", self.hub.state):
            shutil.copytree(folder, self.folder / "saved" / folder.name)
        self.start_world()

    def restore_world(self):
        """Broker and hub are as if they had been off since save_world(), because each card of a power cut is another future of the board."""
        self.stop_world()
        for folder in (self.world.folder / "broker", self.hub.state):
            shutil.rmtree(folder)
            shutil.copytree(self.folder / "saved" / folder.name, folder)
        self.start_world()

    def start_world(self):
        self.world.broker.start()
        self.world.wait_broker()
        self.hub.status_file.unlink(missing_ok=True)
        self.hub.process.start()
        wait_for("hub is ready again", self.hub.status, 60, self.hub.process)
        self.probe, self.recorder = self.new_probe(), self.record()


class Sizes(threading.Thread):
    """Notes again and again how long a recording and a log of the card's writes are, so that the messages before a write are known."""

    def __init__(self, recording, log):
        super().__init__(daemon=True)
        self.files, self.found, self.ended = (recording, log), [], threading.Event()

    def run(self):
        while not self.ended.wait(0.1):
            # In this order, all messages of the noted length were sent before the next write.
            self.found.append(tuple(pathlib.Path(file).stat().st_size for file in self.files))

    def messages(self, place):
        """Returns the messages that were recorded before the write at this place of the log."""
        size = max((recording for recording, log in self.found if log <= place), default=0)
        out, end = [], 0
        for topic, payload in Household.messages(self.files[0]):
            end += 8 + len(topic.encode()) + len(payload)
            if end > size:
                break
            out.append((topic, payload))
        return out


def check_keys(messages, text, rosters=()):
    """No epoch and no counter may be used twice. Returns the numbers of frames and epochs."""
    use = key_use.KeyUse(messages, rosters)
    if use.faults or not use.frames:
        raise Failure(f"{text}: " + ("\n".join(use.faults[:5]) or "no frame was recorded"))
    return f"{len(use.frames)} counters in {len(use.epochs)} epochs, none used twice"


def check_keys_with_controls(messages, text, rosters=()):
    found = check_keys(messages, text, rosters)
    if missed := key_use.controls(messages, rosters):
        raise Failure(f"{text}: the check of the keys does not find: {missed}")
    return found


def check_updated(scene):
    """The owner must see the release."""
    def updated():
        scene.world.owner("owner", "sync", check=False)
        software = scene.camera().get("software") or {}
        return software if software.get("image") == RELEASE and software.get("last", {}).get("result") == "installed" else None
    return wait_for("the owner sees the release in 'sealcam camera list'", updated, TIMEOUT, step=2)
