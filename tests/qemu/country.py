# SPDX-License-Identifier: Apache-2.0
"""What sealcam.json says of Wi-Fi, as the kernel and NetworkManager of Debian's arm64 packages understand it: the country, also for a
radio that comes later, and a network that does not say its name. Radios are simulated (mac80211_hwsim)."""
import os
import pathlib
import re

import wifi
from guest import Archive
from support.world import Failure

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
PASSPHRASE = "says-nothing"
HIDDEN = wifi.ACCESS_POINT.replace("mode=2\n", "mode=2\n ignore_broadcast_ssid=1\n")


def job(tree):
    out = Archive()
    out.add("job/run", HERE / "country_job.sh", 0o755)
    out.add("job/parts", HERE / "wifi_parts.sh")
    out.add("job/sealcam-country.service", TOP / "board/common/image/root/etc/systemd/system/sealcam-country.service")
    out.write("job/hidden.conf", HIDDEN.format(name="Shy", psk=PASSPHRASE, frequency=2412))
    out.write("job/settings", f"PASSPHRASE='{PASSPHRASE}'\n")
    out.write("etc/passwd", wifi.PASSWD)
    out.write("etc/group", wifi.GROUP)
    out.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
    out.write("etc/NetworkManager/NetworkManager.conf", wifi.SETTINGS)
    out.folder("etc/NetworkManager/system-connections", 0o700)
    for name, path in wifi.services(tree)[1].items():
        out.add(name, path, 0o644)
    # The file that the kernel reads, and its signature; each image has the same two (scripts/image.py).
    for name in ("regulatory.db", "regulatory.db.p7s"):
        out.add(f"lib/firmware/{name}", pathlib.Path(tree) / f"usr/lib/firmware/{name}-upstream", 0o644)
    return out


def sections(text):
    """{"first": lines between 'BEGIN first' and 'END first'}"""
    return {name: body for name, body in re.findall(r"BEGIN (\S+)\r?\n(.*?)END \1", text, re.S)}


def need(said, name, pattern, what):
    if not re.search(pattern, said.get(name, ""), re.S | re.M):
        raise Failure(f"{what}; {name} said:\n{said.get(name)}")


def judge(said):
    world, german = r"\Aglobal\s+country 00:", r"\Aglobal\s+country DE:"
    need(said, "untold", world, "without a country the kernel's rules are not the world's")
    need(said, "untold-13", r"2472 MHz.*No IR", "without a country channel 13 may be used")
    need(said, "unknown", r"no rules for Wi-Fi in 'ZZ'", "a country that does not exist was not refused")
    need(said, "after-unknown", world, "a country that was refused changed the rules")
    need(said, "told", german, "the country does not count")
    for name in ("told-13", "late-13"):
        need(said, name, r"2472 MHz.*Maximum TX power", "channel 13 is not there")
        if re.search(r"No IR|disabled", said[name]):
            raise Failure(f"channel 13 is not allowed in Germany; {name} said:\n{said[name]}")
    need(said, "restart", german, "the country does not count at the next start")
    need(said, "changed", r"\Aglobal\s+country FR:", "a new country does not count")
    need(said, "visible-only", r"not joined", "a hidden network was joined without being called: the control shows nothing")
    need(said, "hidden", r"^joined Shy", "the hidden network was not joined")
    need(said, "left", r"\Aglobal\s+country FR:", "the country was lost with the network")


def case(bench):
    """sealcam.json's country and hidden network: the kernel's rules, before and after; NetworkManager joins."""
    tree = os.environ["SEALCAM_GUEST"]
    modules = [m.replace("radios=4", "radios=2") for m in wifi.modules(bench.guest.kernel)]
    with bench.boot("country", ["sealcam-appliance"], job(tree), modules=modules, services=wifi.services(tree)[0], memory=1024) as run:
        status = run.wait_end(400)
        text = "\n".join(line for _, line in run.lines)
    if status != 0:
        raise Failure(f"the job ended with {status}:\n{text[-3000:]}")
    said = sections(text)
    judge(said)
    print(f"{bench.board}: {said['took'].strip()}")
