# SPDX-License-Identifier: Apache-2.0
"""The Wi-Fi settings of sealcam.json, with the kernel and NetworkManager of Debian's arm64 packages: the country, also for a radio
that is added later, and a hidden network. The kernel module mac80211_hwsim simulates the radios."""
import os
import pathlib
import re

import wifi
from guest import Archive
from support.world import Failure

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
PASSPHRASE = "not-broadcast"
HIDDEN = wifi.ACCESS_POINT.replace("mode=2\n", "mode=2\n ignore_broadcast_ssid=1\n")


def job(tree):
    out = Archive()
    out.add("job/run", HERE / "country_job.sh", 0o755)
    out.add("job/parts", HERE / "wifi_parts.sh")
    out.add("job/sealcam-country.service", TOP / "board/common/image/root/etc/systemd/system/sealcam-country.service")
    out.write("job/hidden.conf", HIDDEN.format(name="Hidden", psk=PASSPHRASE, frequency=2412))
    out.write("job/settings", f"PASSPHRASE='{PASSPHRASE}'\n")
    out.write("etc/passwd", wifi.PASSWD)
    out.write("etc/group", wifi.GROUP)
    out.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
    out.write("etc/NetworkManager/NetworkManager.conf", wifi.SETTINGS)
    out.folder("etc/NetworkManager/system-connections", 0o700)
    for name, path in wifi.services(tree)[1].items():
        out.add(name, path, 0o644)
    # The regulatory database of the kernel and its signature. Each image has the same files (scripts/image.py).
    for name in ("regulatory.db", "regulatory.db.p7s"):
        out.add(f"lib/firmware/{name}", pathlib.Path(tree) / f"usr/lib/firmware/{name}-upstream", 0o644)
    return out


def sections(text):
    """Returns {"first": lines between 'BEGIN first' and 'END first'}."""
    return {name: body for name, body in re.findall(r"BEGIN (\S+)\r?\n(.*?)END \1", text, re.S)}


def need(found, name, pattern, fault):
    if not re.search(pattern, found.get(name, ""), re.S | re.M):
        raise Failure(f"{fault}; output of {name}:\n{found.get(name)}")


def check_result(found):
    world, german = r"\Aglobal\s+country 00:", r"\Aglobal\s+country DE:"
    need(found, "unset", world, "without a country, the kernel does not use the rules for all countries")
    need(found, "unset-13", r"2472 MHz.*No IR", "without a country, channel 13 is allowed")
    need(found, "unknown", r"no rules for Wi-Fi in 'ZZ'", "an unknown country was accepted")
    need(found, "after-unknown", world, "a rejected country changed the rules")
    need(found, "set", german, "the country has no effect")
    for name in ("set-13", "late-13"):
        need(found, name, r"2472 MHz.*Maximum TX power", "channel 13 is missing")
        if re.search(r"No IR|disabled", found[name]):
            raise Failure(f"channel 13 is disabled for Germany; output of {name}:\n{found[name]}")
    need(found, "restart", german, "the country has no effect after the next start")
    need(found, "changed", r"\Aglobal\s+country FR:", "a new country has no effect")
    need(found, "visible-only", r"not joined", "control: the board joined a hidden network without the setting")
    need(found, "hidden", r"^joined Hidden", "the board did not join the hidden network")
    need(found, "left", r"\Aglobal\s+country FR:", "the country was lost after the join")


def case(bench):
    """The kernel applies the country of sealcam.json, and NetworkManager joins a hidden network."""
    tree = os.environ["SEALCAM_GUEST"]
    modules = [m.replace("radios=4", "radios=2") for m in wifi.modules(bench.guest.kernel)]
    with bench.boot("country", ["sealcam-image-init"], job(tree), modules=modules, services=wifi.services(tree)[0], memory=1024) as run:
        status = run.wait_end(400)
        text = "\n".join(line for _, line in run.lines)
    if status != 0:
        raise Failure(f"the job exited with {status}:\n{text[-3000:]}")
    found = sections(text)
    check_result(found)
    print(f"{bench.board}: {found['took'].strip()}")
