# SPDX-License-Identifier: Apache-2.0
"""Owning a camera where clocks are wrong, and where the broker is somebody else's."""
import json
import os
import time

from ownership.household import check
from support.world import wait_for

TEN_YEARS = 10 * 365 * 86400  # seconds


def clocks(w, steps):
    w.start_broker()
    wrong = [(role, by) for role in ("camera", "hub", "owner") for by in (TEN_YEARS, -TEN_YEARS)] + [("all", TEN_YEARS)]
    for n, (role, by) in enumerate(wrong, 1):
        # All at once, and no two agree: the camera ahead, the hub right, the owner behind.
        shifts = {role: by} if role != "all" else {"camera": by, "owner": -by}
        account = f"account{n}"
        w.owners_clock = shifts.get("owner", 0)
        w.account(account)
        camera = w.unpaired("camera", f"camera{n}", number=n, clock=shifts.get("camera", 0))
        hub = w.unpaired("hub", f"hub{n}", clock=shifts.get("hub", 0))
        w.pair(account, hub, "Hub")
        w.pair(account, camera, "Camera")
        # Somebody else on that machine turns the clock back between two commands: rosters go on by their version.
        w.owners_clock = -w.owners_clock
        w.sees(hub, camera)
        says_clock(w, hub, camera, shifts.get("camera", 0) - shifts.get("hub", 0))
        says_times(w, account, shifts)
        w.change(account, "hub", "deny", "Hub", "Camera")
        w.confirmed(account, camera)
        w.blind(hub, camera, 2)
        w.owners_clock = shifts.get("owner", 0)
        w.change(account, "hub", "allow", "Hub", "Camera")
        w.confirmed(account, camera)
        w.sees(hub, camera)
        for device in (hub, camera):
            device.process.stop()
        steps.done(f"{', '.join(f'{who} {seconds / TEN_YEARS * 10:+.0f} years' for who, seconds in shifts.items())}: "
                   "paired, LIVE, revoked, allowed again")


def says_clock(w, hub, camera, ahead):
    """The page says whose clock is wrong by how much, and nothing when the two agree."""
    def live():
        said = w.camera_at(hub, camera) or {}
        return said if said.get("state") == "LIVE" else None

    page = w.watch(hub)
    try:
        said = wait_for("a LIVE picture", live, 20, page)
    finally:
        page.stop()
    reason, seconds = said["reason"], said["clock_ahead_s"]
    right = abs(seconds - ahead) < 60 and reason == "clock" if ahead else seconds is None and reason is None
    check(right, f"the page says {reason}, {seconds} s ahead; it is {ahead} s")


def says_times(w, account, shifts):
    """The year that `inspect` shows for what the camera dates is the camera's, and it says so."""
    year = time.gmtime(time.time() + shifts.get("camera", 0)).tm_year
    shown = [json.loads(line) for line in w.owner(account, "inspect", "--seconds", "2", "--json").splitlines()]
    status = next((m["content"] for m in shown if m["leaf"] == "status" and m["verified"]), None)
    check(status and f"since {year}-" in status and "by its clock" in status, f"inspect says {status}, not {year}")


def operator(w, steps):
    """Nothing of the owner's ever sees the broker's folder."""
    w.account("ann")
    w.start_broker()
    camera, hub = w.unpaired("camera", "camera1", number=1), w.unpaired("hub", "hub1")
    devices = ((camera, "Door", ("camera", "pair")), (hub, "Kitchen", ("hub", "link")))
    for device, label, words in devices:
        string = w.pairing_string(device)
        asked = w.ask("ann", *words, string, "--name", label, "--request", w.folder / f"{label}.request")
        check(w.pairing_string(device) == string, "a device that was only asked takes its pairing string away")
        check(not (device.state / "enrolment.json").exists(), "a device that was only asked is somebody's")
        device.id = asked["device"]
    check(not w.ask("ann", "camera", "list"), "a camera that was only asked is in the account")
    steps.done("camera and hub proved who they are, and hand out their requests")

    for _, label, _ in devices:
        w.run(w.program("sealcam"), "broker", "answer", w.folder / "broker", w.folder / f"{label}.request",
              "-o", w.folder / f"{label}.answer")
    code, text = w.owner_fails("ann", "camera", "pair", w.pairing_string(camera), "--name", "Door",
                               "--answer", w.folder / "Kitchen.answer")
    check(code == os.EX_CONFIG and "no certificate" in text, f"another device's answer: {code} {text}")
    check(not w.ask("ann", "camera", "list"), "a camera without a certificate is in the account")
    # The device was switched off and on meanwhile: it shows another code.
    before = w.pairing_string(camera)
    camera.process.stop()
    camera.process.start()
    w.pairing_string(camera, before=before)
    for device, label, words in devices:
        w.ask("ann", *words, w.pairing_string(device), "--name", label, "--answer", w.folder / f"{label}.answer")
        device.account = w.accounts["ann"]
    w.confirmed("ann", camera)
    w.sees(hub, camera)
    steps.done("with the operator's answer they are paired, and the hub shows the camera LIVE")

    code, text = w.owner_fails("ann", "account", "connect", "--request", w.folder / "mine")
    check("already" in text, f"owner and this machine's hub were among the requests: {code} {text}")
    out = w.owner("ann", "hub", "unlink", "Kitchen", check=False)
    check(f"sealcam broker expel DIR {hub.id}" in out, f"who takes its access away? {out}")
    w.confirmed("ann", camera)
    w.blind(hub, camera)
    steps.done("unlinked: blind, and the operator's part is named")
