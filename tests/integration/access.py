#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Access to a hub with the real programs: one-time codes, cookies, tokens, and another user of the machine.

The other user connects to the hub, reads its files and uses its socket. Each attempt must fail, and the same attempt by the hub's
user must succeed. This part needs root, because it changes the user.

    access.py --build DIR
"""
import http.client
import json
import os
import pathlib
import re
import stat
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import expect, run_test  # noqa: E402
from support.world import wait_for  # noqa: E402

NOBODY = 65534
NAME = "Front door"
PATHS = ("/", "/main.js", "/api/state", "/metrics", "/ws", f"/snapshot/{NAME.replace(' ', '%20')}.jpg", "/snapshot/Garden.jpg")


def get(hub, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read().decode(errors="replace")


def redeem(hub, address):
    """Opens the address as a browser does. Returns the status and the cookie."""
    expect(address.startswith(f"http://127.0.0.1:{hub.port}/open?code="), f"unexpected address {address}")
    status, headers, _ = get(hub, address[address.index("/open"):], Sec_Fetch_Site="none")
    return status, (headers["Set-Cookie"] or "").split(";")[0]


def as_nobody(*argv):
    """Runs a program as another user. Returns (exit code, output)."""
    done = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *map(str, argv)],
                          capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def browsers(hub):
    address = hub.access.open_address()
    status, cookie = redeem(hub, address)
    expect(status == 303 and cookie, f"the code was not accepted: {status}")
    expect(redeem(hub, address)[0] == 401, "a code was accepted twice")
    expect(get(hub, "/api/state", Cookie=cookie)[0] == 200, "the cookie gives no access")
    code, token = address.partition("code=")[2], cookie.partition("=")[2]
    logged = re.search(r"(http://127\.0\.0\.1:\d+/open\?code=\S+)", hub.process.log.read_text())
    expect(logged and redeem(hub, logged[1])[0] == 303, "the address in the log does not work")
    hub.process.stop()
    hub.process.start()
    wait_for("the hub runs again", lambda: reachable(hub), 20, hub.process)
    expect(get(hub, "/api/state", Cookie=cookie)[0] == 200, "a restart ended the access of a browser")
    expect(redeem(hub, logged[1])[0] == 401, "a restart made a used code valid")
    for file in (hub.state / "access.json", hub.process.log):
        expect(token not in file.read_text() and code not in file.read_text(), f"{file.name} contains a secret")
    return "browser: a code works once; the cookie works after a restart of the hub"


def reachable(hub):
    try:
        return get(hub, "/")[0] == 401
    except OSError:
        return False


def tokens(world, hub):
    for rights, status in (("metrics", 403), ("view", 200), ("privacy", 200)):
        expect(get(hub, "/api/state", **hub.access.headers(rights))[0] == status, f"/api/state with the right {rights}")
        expect(get(hub, "/metrics", **hub.access.headers(rights))[0] == 200, f"/metrics with the right {rights}")
    file = hub.access.file("view")
    expect(stat.S_IMODE(file.stat().st_mode) == 0o600, "others can read a file with a token")
    secret = file.read_text().strip()
    expect(get(hub, f"/api/state?token={secret}")[0] == 401, "a token in the query gives access")
    listed = json.loads(hub.access.command("token", "list", "--json"))
    expect({t["rights"] for t in listed} == {"metrics", "view", "privacy"}, f"the list of tokens is {listed}")
    expect(secret not in json.dumps(listed) and secret not in (hub.state / "access.json").read_text(), "the hub shows a token")
    probe = world.probe("deleted", hub)
    wait_for("the probe is connected", lambda: json.loads(get(hub, "/api/state", **hub.access.headers())[2])["clients"] == 1, 10, probe)
    hub.access.command("token", "delete", f"{hub.name} privacy")
    wait_for("the connection of a deleted token ends", lambda: not probe.alive, 5)
    expect(get(hub, "/api/state", **hub.access.headers("privacy"))[0] == 401, "a deleted token gives access")
    expect(get(hub, "/api/state", **hub.access.headers("view"))[0] == 200, "control: another token")
    return "tokens: rights, list and deletion"


# Connects to the socket of `sealcam-hub open`, and reads files. Prints the successful attempts.
ATTEMPT = """
import socket, sys
for path in sys.argv[1:]:
    try:
        if path.endswith(".socket"):
            s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(path); s.sendall(b"x\\n"); s.recv(1000)
        else:
            open(path).read()
        print(path)
    except OSError:
        pass
"""


def other_user(world, hub):
    if os.geteuid() != 0:
        return "another user: not tested, because this needs root"
    page = world.folder / "open.html"
    hub.access.command("open", "--page", page)
    expect(stat.S_IMODE(page.stat().st_mode) == 0o600 and "/open?code=" in page.read_text(), "the page with the address is wrong")
    private = (hub.state / "access.json", hub.state / "open.socket", hub.access.file("view"), page)
    for path in (world.folder, *world.folder.parents):  # so that only the hub's own files protect it
        if path != pathlib.Path("/") and path.stat().st_uid == os.geteuid() and not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o055)
    argv = [sys.executable, "-c", ATTEMPT, *private]
    public = world.folder / "public"
    public.write_text("")
    public.chmod(0o644)
    code, found = as_nobody(*argv, public)
    expect(code == 0 and found.split() == [str(public)], f"another user reached {found}")
    mine = world.run(*argv).split()
    expect(len(mine) == len(private), f"control: the hub's user reached only {mine}")

    script = f"import http.client\nfor path in {PATHS!r}:\n c = http.client.HTTPConnection('127.0.0.1', {hub.port}, timeout=10)\n" \
             " c.request('GET', path); a = c.getresponse(); print(a.status, a.read().decode())"
    code, text = as_nobody(sys.executable, "-c", script)
    expect(code == 0 and text.count("401 This hub needs an access token") == len(PATHS), f"answers to another user: {text}")
    expect(NAME not in text and hub.camera.id not in text, "another user received the name or the id of a camera")
    expect(NAME in get(hub, "/api/state", **hub.access.headers("view"))[2], "control: the state contains the name")
    return f"another user: 0 of {len(private)} files and sockets, 0 of {len(PATHS)} paths; the hub's user: all"


def run(world, options):
    world.account("a")
    world.start_broker()
    camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": "320x240", "rate": 5}}, NAME)
    hub = world.start(world.hub("a", "hub"))
    hub.camera = camera
    world.start(camera)
    wait_for("the hub lists the camera", lambda: any(c["name"] == NAME for c in hub.status().get("cameras", [])), 20, hub.process)
    print(browsers(hub), flush=True)
    print(other_user(world, hub), flush=True)
    print(tokens(world, hub), flush=True)


if __name__ == "__main__":
    run_test(__doc__, run)
