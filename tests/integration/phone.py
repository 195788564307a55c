#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A phone from the QR code to a camera's key: the real owner, hub, broker and camera, and a phone of the second implementation.

    phone.py --build DIR
"""
import json
import pathlib
import signal
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "integration/owner")]
try:
    from phone import Phone, link, make_certificate, request, slot_path, split, wire
except ImportError as error:
    print(f"SKIPPED: python3-cryptography is not installed ({error})")
    sys.exit(77)
import web_client  # noqa: E402
from program_test import expect, require, run_test  # noqa: E402
from sealcam1 import messages  # noqa: E402
from support.world import free_port, wait_for  # noqa: E402

NAME = "Front door"
NOT_AUTHORIZED = 0x87  # MQTT 5 section 3.2.2.2


class Broker(web_client.Client):
    """The connection of a phone."""

    def __init__(self, world, port, phone, password):
        super().__init__({"port": port, "authority": str(world.certificate[0]), "host": "127.0.0.1", "user": phone.text, "client": phone.text,
                          "password": password})

    def message(self, topic, seconds=15):
        """The retained message of a topic."""
        expect(self.subscribe(topic) <= 2, f"the broker rejects the subscription to {topic}")
        end = time.monotonic() + seconds
        while topic not in self.payloads and time.monotonic() < end:
            self.collect(0.2)
        expect(topic in self.payloads, f"no message on {topic}")
        return self.payloads[topic]


def login(world, port, phone, password):
    """The reason code of CONNACK, or None if the connection ended."""
    try:
        return Broker(world, port, phone, password).connack
    except (web_client.Closed, OSError):
        return None


def start_link(world, app, name):
    argv = [world.program("sealcam"), "--account", world.folder / "a", "--json", "phone", "link", name, "--app", app]
    child = subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = child.stdout.readline()
    if not line:  # reads up to the end, so only after a failure
        expect(False, f"no address: {child.stderr.read()}")
    return child, json.loads(line)["address"]


def check_pictures(world, port, phone, enrollment, camera):
    """The phone finds the camera, verifies its roster and opens its grant, as the app does before the first picture."""
    watcher = Broker(world, port, phone, enrollment["password"])
    require(watcher.connack == 0, "the broker accepts the phone with id and password")
    account, camera_id, owner = wire.identity(enrollment["owner"]), wire.id_of(camera.id), enrollment["owner"]
    expect(wire.text_of(account) == camera.account, "another account")
    index = messages.index(watcher.message(messages.index_topic(account, phone.id)), account, phone.id, owner)
    require(index["cameras"] == [camera_id], "the phone finds the camera in its index")
    topic = f"sealcam/1/{camera.account}/{camera.id}/"
    roster = messages.roster(watcher.message(topic + "roster"), account, camera_id, owner)
    entry = next(hub for hub in roster["hubs"] if hub["id"] == phone.id)
    expect(entry["active"] and not entry["privacy"], f"the roster has {entry}")
    public = messages.public(wire.decode(wire.parse_envelope(watcher.payloads[topic + "roster"])[1])[2])
    expect(wire.identity(public) == camera_id, "the roster is for another camera")

    def grant():
        grants = messages.grants(watcher.message(topic + "grants"), account, camera_id, public)
        watcher.collect(0.2)
        return grants if grants["roster_version"] >= roster["version"] else None

    grants = wait_for("the camera grants the phone its key", grant, 15, camera.process)
    base_key, name = messages.open_grant(grants, account, camera_id, phone.id, {0: phone.hpke}.get)
    require(name == NAME and len(base_key) in (16, 32), "the phone opens the grant of the camera")
    return watcher


def check_links(world, app, port, camera):
    child, address = start_link(world, app, "Ana's phone")
    phone, second = Phone(), Phone()
    at, code = split(address)
    enrollment = phone.join(address)
    out, error = child.communicate(timeout=60)
    expect(child.returncode == 0, f"phone link: {error}")
    expect(json.loads(out)["id"] == phone.text and enrollment["name"] == "Ana's phone", "another phone was linked")
    require(not json.loads(out)["pending"], "a phone is linked through the mailbox of a real hub")
    expect(request(at, "POST", slot_path(code, "descriptor"), second.message(code))[0] == 409, "a second claim is accepted")
    require(enrollment["broker"] == f"wss://127.0.0.1:{port}", f"the enrollment has the broker's address: {enrollment['broker']}")
    watcher = check_pictures(world, port, phone, enrollment, camera)
    expect(login(world, port, second, enrollment["password"]) in (None, NOT_AUTHORIZED, 0x86), "another id logs in with the password")
    expect(login(world, port, phone, "A" * 43) in (None, NOT_AUTHORIZED, 0x86), "another password is accepted")
    require(login(world, port, phone, enrollment["password"]) == 0, "another id or another password is rejected, and the phone's own is accepted")

    child, address = start_link(world, app, "guessed")
    at, code = split(address)
    body = link.make_descriptor(link.code_text(bytes(16)), second.descriptor())
    expect(request(at, "POST", slot_path(code, "descriptor"), body)[0] == 204, "the mailbox judges a descriptor")
    _, error = child.communicate(timeout=60)
    require(child.returncode == 77 and "nothing was changed" in error, "the owner rejects a guessed code at a real hub")

    child, _ = start_link(world, app, "interrupted")
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    names = {hub["name"] for hub in json.loads(world.owner("a", "--json", "phone", "list"))}
    expect(names == {"Ana's phone"}, f"phone list shows {names}")

    world.owner("a", "phone", "unlink", "Ana's phone")
    require(login(world, port, phone, enrollment["password"]) in (None, NOT_AUTHORIZED, 0x86), "an unlinked phone is rejected by the broker")
    require(not watcher.collect(5), "the broker ended its session")
    expect(not json.loads(world.owner("a", "--json", "phone", "list")), "the phone is still listed")


def run(world, _):
    port, app_port = free_port(), free_port()
    world.certificate = make_certificate(world.folder, "web")
    world.port = free_port()
    web = ("--web-port", port, "--web-certificate", world.certificate[0], "--web-key", world.certificate[1])
    world.run(world.program("sealcam"), "broker", "init", world.folder / "broker", "--port", world.port, "--host", "127.0.0.1", *web)
    world.start_broker()
    world.account("a")
    camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": "320x240", "rate": 5}}, NAME)
    hub = world.hub("a", "hub")
    app, config = world.folder / "app", world.folder / "hub.json"
    app.mkdir()
    (app / "index.html").write_text("<!doctype html><title>app</title>")
    config.write_text(json.dumps({"app": {"listen": "127.0.0.1", "port": app_port, "folder": str(app), "certificate": str(world.certificate[0]),
                                          "key": str(world.certificate[1])}}))
    hub.process.argv += ["--config", str(config)]
    world.start(hub)
    world.start(camera)
    wait_for("the hub lists the camera", lambda: any(c["name"] == NAME for c in hub.status().get("cameras", [])), 20, hub.process)
    check_links(world, f"https://127.0.0.1:{app_port}", port, camera)
    return 0


if __name__ == "__main__":
    run_test(__doc__, run)
