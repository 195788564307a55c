#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`sealcam phone` with a phone of the second implementation and a mailbox that is hostile in most cases. No broker runs.

    phone_link.py --build DIR
"""
import json
import pathlib
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
try:
    from phone import Mailbox, Phone, link, make_certificate, request, slot_path, split, wire
except ImportError as error:
    print(f"SKIPPED: python3-cryptography is not installed ({error})")
    sys.exit(77)
from program_test import expect, require, run_test  # noqa: E402
from support.world import free_port  # noqa: E402

EX_USAGE, EX_UNAVAILABLE, EX_TEMPFAIL, EX_PROTOCOL, EX_NOPERM, EX_CONFIG = 64, 69, 75, 76, 77, 78


class Link:
    """One run of `sealcam phone link`."""

    def __init__(self, scene, name="Ana's phone", app=None, account=None, broker=True):
        argv = [scene.world.program("sealcam"), "--account", scene.folder / (account or "account"), "--json", "phone", "link", name,
                "--app", app or scene.mailbox.address, *(["--broker", scene.broker] if broker else [])]
        self.child = subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def address(self):
        line = self.child.stdout.readline()
        if not line:  # reads up to the end, so only after a failure
            expect(False, f"no address: {self.child.stderr.read()}")
        return json.loads(line)["address"]

    def end(self, seconds=60):
        out, error = self.child.communicate(timeout=seconds)
        return self.child.returncode, out, error


class Scene:
    def __init__(self, world):
        self.world, self.folder = world, world.folder
        self.broker = self.folder / "broker"
        self.certificate = make_certificate(self.folder, "web")
        self.init(self.broker, "--web-port", free_port(), "--web-certificate", self.certificate[0], "--web-key", self.certificate[1])
        self.sealcam("account", "create")
        self.sealcam("hub", "enroll", self.folder / "tablet", "--name", "tablet", "--broker", self.broker)
        self.mailbox = Mailbox(self.folder)

    def init(self, folder, *more):
        self.world.run(self.world.program("sealcam"), "broker", "init", folder, "--port", free_port(), *more)

    def sealcam(self, *args, code=0, account="account"):
        argv = [self.world.program("sealcam"), "--account", self.folder / account, "--json", *args]
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60)
        expect(done.returncode == code, f"{args}: {done.returncode} {done.stdout}{done.stderr}")
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stderr

    def account(self, name="account"):
        return (self.folder / name / "account.json").read_bytes()

    def hubs(self, account="account"):
        return json.loads(self.account(account))["hubs"]

    def authorized(self):
        done = self.world.run(self.world.program("sealcam"), "--json", "broker", "list", self.broker)
        return {device["device"] for device in json.loads(done)}

    def unchanged(self, code, act, text, **options):
        """The link ends with `code`, a message with `text`, and no trace. `act(address)` plays the other end."""
        before, devices = self.account(), self.authorized()
        run = Link(self, **{"name": "rejected", **options})
        if act is not None:
            act(run.address())
        ended = run.end()
        self.mailbox.intercept = lambda *_: None
        expect(ended[0] == code, f"the link ended with {ended}, not {code}")
        expect(text in ended[2], f"'{text}' is missing in: {ended[2]}")
        expect(self.account() == before, "the account changed")
        expect(self.authorized() == devices, "the devices of the broker changed")
        return ended[2]

    def link(self, phone, name, **options):
        """A link that succeeds. Returns the enrollment and the program's result."""
        run = Link(self, name, **options)
        enrollment = phone.join(run.address())
        code, out, error = run.end()
        expect(code == 0, f"the link ended with {code}: {error}")
        return enrollment, json.loads(out)


def leave(phone, **more):
    """Sends a descriptor to the mailbox, and does not wait for the enrollment."""
    def act(address):
        at, code = split(address)
        body = more.get("message") or phone.message(more.get("mac_code", code), **more.get("fields", {}))
        expect(request(at, "POST", slot_path(code, "descriptor"), body)[0] == 204, "the mailbox rejects the descriptor")
    return act


def check_success(s):
    phone = Phone()
    enrollment, result = s.link(phone, "Ana's phone")
    require(result["id"] == phone.text and result["role"] == "phone", "a phone with the code of the QR code is linked")
    expect(enrollment["name"] == "Ana's phone" and enrollment["broker"].startswith("wss://"), "the enrollment has other fields")
    listed = {hub["name"]: hub for hub in s.sealcam("phone", "list")}
    expect(listed.keys() == {"Ana's phone"} and listed["Ana's phone"]["phone"], "phone list does not show the phone")
    expect({hub["name"]: hub["phone"] for hub in s.sealcam("hub", "list")}["tablet"] is False, "a hub looks like a phone")
    require(phone.text in s.authorized(), "the broker has the phone's access")
    password = enrollment["password"].encode()
    kept = [path for path in s.folder.rglob("*") if path.is_file() and password in path.read_bytes()]
    require(not kept, f"no file of owner, broker and mailbox has the password: {kept}")
    require(not any(password in part for box in s.mailbox.slots.values() for part in box.values()), "the mailbox has no password")
    return phone


def check_wrong_ends(s, linked):
    guessed = link.code_text(bytes(range(16)))
    s.unchanged(EX_NOPERM, leave(Phone(), mac_code=guessed), "without the code of this link")
    first = next(iter(s.mailbox.slots.values()))["descriptor"]
    s.unchanged(EX_NOPERM, leave(None, message=first), "without the code of this link")
    require(True, "a guessed code and a replayed descriptor of another link are rejected, and change nothing")
    other = Phone()
    for fields in ({"role": 1, "tls": other.public}, {"role": 3, "tls": other.public}, {"tls": other.public}):
        s.unchanged(EX_NOPERM, leave(Phone(), fields=fields), "no phone")
    require(True, "a camera, an owner and a hub with a TLS key are rejected, also with the code")
    s.unchanged(EX_NOPERM, leave(linked), "the id of phone 'Ana's phone'", name="again")
    camera, content = Phone(), json.loads(s.account())
    intact = s.account()
    content["cameras"].append({"id": camera.text, "name": "Door", "identity": camera.public.hex(),
                               "hpke": wire.public_bytes(camera.hpke).hex(), "roster": 0, "published": 0, "confirmed": 0})
    (s.folder / "account/account.json").write_text(json.dumps(content))
    s.unchanged(EX_NOPERM, leave(camera), "the id of camera 'Door'", name="again")
    (s.folder / "account/account.json").write_bytes(intact)
    require(True, "an id of a camera or of another phone is rejected")
    s.sealcam("account", "create", account="second")
    s.sealcam("account", "connect", "--broker", s.broker, account="second")
    before, devices = s.account("second"), s.authorized()
    run = Link(s, "theirs", account="second")
    leave(linked)(run.address())
    code, _, error = run.end()
    expect(code != 0 and "has access to the broker" in error, f"a phone of another account was linked: {code} {error}")
    expect(s.authorized() == devices and json.loads(s.account("second"))["hubs"] == json.loads(before)["hubs"], "something remains")
    require(linked.text in s.authorized(), "another account cannot take a phone over, and does not end its access")


def check_device_with_certificate(s):
    """A device at the broker that the account does not have (its record was lost) keeps its access."""
    intact, devices = s.account(), s.authorized()
    content = json.loads(intact)
    tablet = next(hub for hub in content["hubs"] if hub["name"] == "tablet")
    content["hubs"].remove(tablet)
    phone = Phone()
    (s.broker / "devices" / tablet["id"]).rename(s.broker / "devices" / phone.text)
    file = s.broker / "devices" / phone.text
    file.write_text(file.read_text().replace(tablet["id"], phone.text))
    (s.folder / "account/account.json").write_text(json.dumps(content))
    s.unchanged(EX_NOPERM, leave(phone), "has access to the broker", name="again")
    require(phone.text in s.authorized(), "a device with a certificate keeps its access")
    file.write_text(file.read_text().replace(phone.text, tablet["id"]))
    file.rename(s.broker / "devices" / tablet["id"])
    (s.folder / "account/account.json").write_bytes(intact)
    expect(s.authorized() == devices, "the test changed the devices")


def check_names(s):
    """An unlinked phone waits for a camera, and does not keep its name."""
    intact, content = s.account(), json.loads(s.account())
    old = next(hub for hub in content["hubs"] if hub["name"] == "Ana's phone")
    old["unlinked"] = True
    (s.folder / "account/account.json").write_text(json.dumps(content))
    phone, before = Phone(), len(s.mailbox.names)
    s.link(phone, "Ana's phone", app=s.mailbox.address.replace("127.0.0.1", "localhost"))
    require(set(s.mailbox.names[before:]) == {"localhost"} and set(s.mailbox.names[:before]) <= {None},
            f"the program sends the name of the host, and no address: {s.mailbox.names[before:]}")
    expect([hub["id"] for hub in s.hubs() if hub["name"] == "Ana's phone"] == [phone.text], f"names: {s.hubs()}")
    s.sealcam("phone", "unlink", "Ana's phone")
    require(phone.text not in s.authorized(), "a new phone may have the name of an unlinked one")
    (s.folder / "account/account.json").write_bytes(intact)


def check_second_claim(s):
    """Two browsers have the code, for example because a second person saw the screen."""
    first, second = Phone(), Phone()
    run = Link(s, "first")
    address = run.address()
    at, code = split(address)
    leave(first)(address)
    status, _ = request(at, "POST", slot_path(code, "descriptor"), second.message(code))
    expect(status == 409, f"the second claim gets {status}")
    expect(run.end()[0] == 0, "the first phone was not linked")
    message = request(at, "GET", slot_path(code, "enrollment"))[1]
    expect(first.open(code, message)["name"] == "first", "the first phone cannot open its enrollment")
    try:
        second.open(code, message)
        expect(False, "the second browser opens the enrollment of the first")
    except wire.Rejected as rejected:
        expect(str(rejected) == "not_decryptable", f"reason {rejected}")
    require(second.text not in s.authorized(), "the second browser with the same code gets nothing")
    s.sealcam("phone", "unlink", "first")


def check_mailbox_answers(s):
    for status, code in ((403, EX_NOPERM), (404, EX_CONFIG), (409, EX_TEMPFAIL), (429, EX_TEMPFAIL), (500, EX_PROTOCOL), (302, EX_PROTOCOL)):
        s.mailbox.intercept = lambda method, what, slot, status=status: status if what is None else None
        s.unchanged(code, None, "https://" if code in (EX_NOPERM, EX_CONFIG, EX_PROTOCOL) else "run the command again")
    s.unchanged(EX_UNAVAILABLE, None, "cannot reach", app=f"https://127.0.0.1:{free_port()}")
    s.mailbox.intercept = lambda method, what, slot: 404 if method == "GET" else None
    s.unchanged(EX_TEMPFAIL, lambda address: None, "the link has ended", name="expired")
    require(True, "a rejected opening and an expired link change nothing, and the message has the next step")
    phone = Phone()
    for answer, text in (("another", "another client left an enrollment"), (403, "HTTP status 403"), (404, "the link has ended")):
        def intercept(method, what, slot, answer=answer):
            if (method, what) != ("PUT", "/enrollment"):
                return None
            if answer == "another":
                s.mailbox.slots[slot]["enrollment"] = b"another"
                return None
            return answer
        s.mailbox.intercept = intercept
        # The versions of the account file differ only if something was published, which is not the case.
        error = s.unchanged({"another": EX_NOPERM, 403: EX_PROTOCOL, 404: EX_TEMPFAIL}[answer], leave(phone), text)
        expect("nothing of it remains" in error, error)
    require(True, "if the mailbox rejects the enrollment, access and record are removed again")
    lost = iter(["lost"])
    s.mailbox.intercept = lambda method, what, slot: next(lost, None) if (method, what) == ("PUT", "/enrollment") else None
    enrollment, _ = s.link(phone, "patient")
    require(enrollment["name"] == "patient", "a lost answer to the enrollment is no failure")
    s.mailbox.intercept = lambda *_: None
    s.sealcam("phone", "unlink", "patient")
    require(phone.text not in s.authorized() and len(s.sealcam("phone", "list")) == 1, "phone unlink ends the access of the phone")


def check_interruptions(s):
    before, devices = s.account(), s.authorized()
    run = Link(s, "interrupted")
    run.address()
    run.child.send_signal(signal.SIGINT)
    expect(run.end()[0] == -signal.SIGINT and s.account() == before and s.authorized() == devices, "an interrupted wait changed something")
    require(True, "Ctrl+C while the owner waits changes nothing")
    for number in (signal.SIGINT, signal.SIGKILL):
        phone, waiting, go = Phone(), threading.Event(), threading.Event()

        def intercept(method, what, slot):
            if (method, what) == ("PUT", "/enrollment"):
                waiting.set()
                go.wait(20)

        s.mailbox.intercept = intercept
        run = Link(s, "interrupted")
        leave(phone)(run.address())
        expect(waiting.wait(30), "no enrollment was sent")
        run.child.send_signal(number)
        time.sleep(0.2)
        go.set()
        code, out, _ = run.end()
        s.mailbox.intercept = lambda *_: None
        hub = next(hub for hub in s.hubs() if hub["name"] == "interrupted")
        if number == signal.SIGINT:
            expect("unfinished" not in hub and json.loads(out)["id"] == phone.text, f"Ctrl+C left the link half done: {code} {hub}")
            require(code in (0, -signal.SIGINT), "Ctrl+C after the phone's answer does not interrupt the link")
        else:
            expect(hub.get("unfinished") is True, f"no mark of an interrupted link: {hub}")
            listed = next(hub for hub in s.sealcam("phone", "list") if hub["name"] == "interrupted")
            require("interrupted" in listed["why_pending"] and not listed["cameras"], "after a power cut, 'phone list' shows the unfinished phone")
            error = s.sealcam("phone", "link", "interrupted", "--app", s.mailbox.address, code=EX_USAGE)
            expect(f"sealcam phone unlink {phone.text}" in error, f"same name: {error}")
            expect("interrupted" in s.sealcam("hub", "allow-privacy", "interrupted", "on", code=EX_USAGE), "it can be changed")
        s.sealcam("phone", "unlink", "interrupted")
        gone = [hub for hub in s.hubs() if hub["name"] == "interrupted"]
        expect(not gone and phone.text not in s.authorized(), f"'phone unlink' left {gone}")
    require(True, "'phone unlink' removes an interrupted link")


def check_usage(s):
    for app in ("http://127.0.0.1:1", "127.0.0.1:1", "https://", "https://a:0", "https://a:1/x", "https://u@a:1", "https://a b:1"):
        expect("https://HOST:PORT" in s.unchanged(EX_USAGE, None, "is not valid", app=app), app)
    s.unchanged(EX_USAGE, None, "another device has the name", name="tablet")
    s.unchanged(EX_USAGE, None, "not valid", name="a\nb")
    expect("sealcam hub unlink" in s.sealcam("phone", "unlink", "tablet", code=EX_USAGE), "a hub was unlinked as a phone")
    taken = s.folder / "taken"
    argv = ["broker", "init", taken, "--port", "8884", "--web-certificate", s.certificate[0], "--web-key", s.certificate[1]]
    expect("choose another port" in s.sealcam(*argv, code=EX_USAGE) and not taken.exists(), "the default port for phones is not checked")
    plain = s.folder / "plain"
    s.init(plain)
    s.sealcam("account", "create", account="third")
    error = s.sealcam("phone", "link", "x", "--app", s.mailbox.address, "--broker", plain, account="third", code=EX_CONFIG)
    require("--web-port" in error or "broker web" in error, f"a broker without a listener for phones is reported: {error.strip()}")
    expect(s.mailbox.openings and not s.hubs("third")[1:], "something was linked")


def test(world, _):
    s = Scene(world)
    try:
        linked = check_success(s)
        check_wrong_ends(s, linked)
        check_device_with_certificate(s)
        check_names(s)
        check_second_claim(s)
        check_mailbox_answers(s)
        check_interruptions(s)
        check_usage(s)
    finally:
        s.mailbox.close()
    return 0


if __name__ == "__main__":
    run_test(__doc__, test)
