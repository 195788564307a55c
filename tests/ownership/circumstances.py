# SPDX-License-Identifier: Apache-2.0
"""Three cases of the ownership test: wrong clocks, an operator on another machine, and a broker that lost or does not retain
messages."""
import json
import os
import shutil
import time

from ownership.household import check
from support.world import wait_for

TEN_YEARS = 10 * 365 * 86400  # seconds


def clocks(w, steps):
    w.start_broker()
    wrong = [(role, by) for role in ("camera", "hub", "owner") for by in (TEN_YEARS, -TEN_YEARS)] + [("all", TEN_YEARS)]
    for n, (role, by) in enumerate(wrong, 1):
        # In the last case all clocks differ: the camera is ahead, the hub is right, the owner is behind.
        shifts = {role: by} if role != "all" else {"camera": by, "owner": -by}
        account = f"account{n}"
        w.owners_clock = shifts.get("owner", 0)
        w.account(account)
        camera = w.unpaired("camera", f"camera{n}", number=n, clock=shifts.get("camera", 0))
        hub = w.unpaired("hub", f"hub{n}", clock=shifts.get("hub", 0))
        w.pair(account, hub, "Hub")
        w.pair(account, camera, "Camera")
        # The owner's clock jumps back between two commands. The order of rosters depends on their version only.
        w.owners_clock = -w.owners_clock
        w.sees(hub, camera)
        logs_clock(w, hub, camera, shifts.get("camera", 0) - shifts.get("hub", 0))
        logs_times(w, account, shifts)
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


def logs_clock(w, hub, camera, ahead):
    """The page shows by how much the camera's clock is ahead, and nothing if both clocks agree."""
    def live():
        state = w.camera_at(hub, camera) or {}
        return state if state.get("state") == "LIVE" else None

    page = w.watch(hub)
    try:
        shown = wait_for("a LIVE picture", live, 20, page)
    finally:
        page.stop()
    reason, seconds = shown["reason"], shown["clock_ahead_s"]
    right = abs(seconds - ahead) < 60 and reason == "clock" if ahead else seconds is None and reason is None
    check(right, f"the page shows {reason}, {seconds} s ahead; expected {ahead} s")


def logs_times(w, account, shifts):
    """`inspect` shows times of the camera by the camera's clock."""
    # The camera may have started in the year before.
    years = {time.gmtime(time.time() + shifts.get("camera", 0) - before).tm_year for before in (0, 600)}
    shown = [json.loads(line) for line in w.owner(account, "inspect", "--seconds", "2", "--json").splitlines()]
    status = next((m["content"] for m in shown if m["leaf"] == "status" and m["verified"]), None)
    check(status and any(f"started at {year}-" in status for year in years) and "by the camera's clock" in status,
          f"inspect shows {status}, expected a year of {years}")


def operator(w, steps):
    """The owner's commands never use the broker's folder."""
    w.account("ann")
    w.start_broker()
    camera, hub = w.unpaired("camera", "camera1", number=1), w.unpaired("hub", "hub1")
    devices = ((camera, "Door", ("camera", "pair")), (hub, "Kitchen", ("hub", "link")))
    for device, label, command in devices:
        string = w.pairing_string(device)
        answer = w.owner_json("ann", *command, string, "--name", label, "--request", w.folder / f"{label}.request")
        check(w.pairing_string(device) == string, "a request hides the pairing string of the device")
        check(not (device.state / "enrollment.json").exists(), "a request enrolls the device")
        device.id = answer["device"]
    check(not w.owner_json("ann", "camera", "list"), "a request adds the camera to the account")
    steps.done("camera and hub proved their ids and returned their certificate requests")

    for _, label, _ in devices:
        w.run(w.program("sealcam"), "broker", "answer", w.folder / "broker", w.folder / f"{label}.request",
              "-o", w.folder / f"{label}.answer")
    code, text = w.owner_fails("ann", "camera", "pair", w.pairing_string(camera), "--name", "Door",
                               "--answer", w.folder / "Kitchen.answer")
    check(code == os.EX_CONFIG and "no certificate" in text, f"the answer for another device: {code} {text}")
    check(not w.owner_json("ann", "camera", "list"), "a camera without a certificate is in the account")
    # After a restart, the camera shows another code.
    before = w.pairing_string(camera)
    camera.process.stop()
    camera.process.start()
    w.pairing_string(camera, before=before)
    for device, label, command in devices:
        w.owner_json("ann", *command, w.pairing_string(device), "--name", label, "--answer", w.folder / f"{label}.answer")
        device.account = w.accounts["ann"]
    w.confirmed("ann", camera)
    w.sees(hub, camera)
    steps.done("paired with the operator's answer, and the hub shows the camera LIVE")

    code, text = w.owner_fails("ann", "account", "connect", "--request", w.folder / "mine")
    check("already" in text, f"the requests did not contain the owner and this machine's hub: {code} {text}")
    out = w.owner("ann", "hub", "unlink", "Kitchen", check=False)
    check(f"sealcam broker revoke DIR {hub.id}" in out, f"the note does not name the operator's command: {out}")
    w.confirmed("ann", camera)
    w.blind(hub, camera)
    steps.done("unlinked: the hub shows no pictures, and the note names the operator's command")


def restart_broker(w, change=None, lose=False):
    """Restarts Mosquitto, with (before, after) replaced in its configuration, or without its stored messages."""
    w.broker.stop()
    folder = w.folder / "broker"
    if lose:
        (folder / "mosquitto.db").unlink()
    if change:
        text = (folder / "mosquitto.conf").read_text()
        check(change[0] in text, f"mosquitto.conf does not contain '{change[0]}'")
        (folder / "mosquitto.conf").write_text(text.replace(*change))
    w.start_broker()


def lost(w, steps):
    w.account("ann")
    w.start_broker()
    camera, hub = w.unpaired("camera", "camera1", number=1), w.unpaired("hub", "hub1")
    w.pair("ann", camera, "Door")
    w.pair("ann", hub, "Kitchen")
    w.sees(hub, camera)
    hub.process.stop()
    hub.process.start()
    w.sees(hub, camera)
    steps.done("control: a hub that starts after the camera shows it")

    restart_broker(w, lose=True)
    w.sees(hub, camera)
    steps.done("the broker lost all retained messages, and the hub continues with its stored roster")
    hub.process.stop()
    shutil.rmtree(hub.state / "rosters")
    hub.process.start()
    watch = ("watch", "Door", "--seconds", "1", "-o", w.folder / "door.mp4", "--wait")
    code, text = w.owner_fails("ann", *watch, "3")
    check(code == os.EX_UNAVAILABLE and "run 'sealcam sync'" in text, f"watch: {code} {text}")
    code, text = w.owner_fails("ann", "doctor")
    check("it lost rosters or commands of 'Door'" in text and "run: sealcam sync" in text, f"doctor: {code} {text}")
    wait_for("the hub names the missing list", lambda: "run: sealcam sync" in hub.process.tail(40), 20, hub.process)
    check(not (w.camera_at(hub, camera) or {}).get("member"), "the hub has a roster that the broker does not have")
    w.owner("ann", "sync")
    w.owner("ann", *watch, "20")
    w.sees(hub, camera)
    steps.done("watch, doctor and the hub without rosters named 'sealcam sync', which published everything again")

    restart_broker(w, ("retain_available true", "retain_available false"))
    why = "the broker retains no messages"
    for device in (camera, hub):
        wait_for(f"{device.name} names the reason", lambda d=device: why in d.process.tail(40), 20, device.process)
    for command in (("doctor",), ("sync", "--timeout", "2"), (*watch, "2")):
        code, text = w.owner_fails("ann", *command)
        check(why in text, f"{command[0]}: {code} {text}")
    restart_broker(w, ("retain_available false", "retain_available true"))
    w.sees(hub, camera, 40)
    steps.done("camera, hub and owner name a broker that retains no messages, and continue after its repair")
