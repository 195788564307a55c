# SPDX-License-Identifier: Apache-2.0
"""A network that rejects the right passphrase for a time, as an access point can while it starts. NetworkManager before 1.58 then
regards the passphrase as wrong, and never tries the network again. The unit of the image must bring the board back. The settings of
NetworkManager are those of the image; they switch off the radio's power saving."""
import os
import pathlib
import re

import wifi
from guest import Archive
from support.world import Failure

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
UNIT = TOP / "board/common/image/root/etc/systemd/system/sealcam-wifi-retry.service"
SETTINGS = TOP / "board/common/image/root/etc/NetworkManager/conf.d/sealcam.conf"
SSID, RIGHT, WRONG = "Home", "right-passphrase", "wrong-passphrase"
SENDER = "usr/bin/dbus-send"


def job(tree):
    out = Archive()
    out.add("job/run", HERE / "reconnect_job.sh", 0o755)
    out.add("job/parts", HERE / "wifi_parts.sh")
    out.add("job/retry.service", UNIT)
    for name, psk in (("right", RIGHT), ("wrong", WRONG)):
        out.write(f"job/{name}.conf", wifi.ACCESS_POINT.format(name=SSID, psk=psk, frequency=2412))
    out.write("job/udhcpd.conf", "start 10.7.7.10\nend 10.7.7.20\ninterface wlan1\nlease_file /tmp/leases\noption subnet 255.255.255.0\n")
    out.write("etc/passwd", wifi.PASSWD)
    out.write("etc/group", wifi.GROUP)
    out.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
    # The settings of the image, with a log that the job can read.
    out.write("etc/NetworkManager/NetworkManager.conf", SETTINGS.read_text().replace("level=WARN", "level=INFO"))
    out.write("etc/NetworkManager/system-connections/home.nmconnection",
              wifi.OLD_PROFILE.format(psk=RIGHT).replace("ssid=Old", f"ssid={SSID}"), 0o600)
    for name, path in wifi.services(tree)[1].items():
        out.add(name, path, 0o644)
    return out


def check_result(text):
    """The control is in the order of the lines: without the unit's command the board stays out of the network."""
    steps = re.findall(r"STEP (.*?)\r?$", text, re.M)
    expected = ["joined Home", "Power save: off", "left", "gave up", "without the unit: not joined", "with the unit: joined Home"]
    if steps != expected:
        raise Failure(f"the steps were {steps}; expected {expected}:\n{text[-4000:]}")


def case(bench):
    """The board returns to a network that rejected its passphrase for a time."""
    tree = pathlib.Path(os.environ["SEALCAM_GUEST"])
    modules = [m.replace("radios=4", "radios=2") for m in wifi.modules(bench.guest.kernel)]
    services = wifi.services(tree)[0] | {SENDER: tree / SENDER}
    with bench.boot("reconnect", [], job(tree), modules=modules, services=services, memory=1024) as run:
        status = run.wait_end(1100)
        text = "\n".join(line for _, line in run.lines)
    if status != 0:
        raise Failure(f"the job exited with {status}:\n{text[-3000:]}")
    check_result(text)
    back = re.search(r"^([0-9.]+) RETRY\b[^\n]*\n(?:.*\n)*?([0-9.]+) STEP with the unit", text, re.M)
    print(f"{bench.board}: back in the network {float(back[2]) - float(back[1]):.0f} s after the unit ran")
