# SPDX-License-Identifier: Apache-2.0
"""Wi-Fi of a board with NetworkManager, wpa_supplicant and polkit from Debian's arm64 packages. The camera runs as its own user.
The kernel module mac80211_hwsim simulates the radios. Owner and broker are on this machine."""
import json
import os
import pathlib
import re
import tempfile

from guest import Archive
from support.world import Failure, World, wait_for

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
HOST = "10.0.2.2"
NETWORKS = {"Old": "first-and-old", "New": "second-and-new", "Nowhere": "leads-to-nothing"}
WRONG = "not-the-passphrase"
MODULES = ["af_packet", "bridge", "ccm", "ctr", "cmac", "gcm", "mac80211_hwsim radios=4"]
PASSWD = """root:x:0:0:root:/root:/bin/sh
messagebus:x:101:101::/nonexistent:/bin/false
polkitd:x:103:103::/nonexistent:/bin/false
sealcam-camera:x:990:990::/nonexistent:/bin/false
nobody:x:65534:65534::/nonexistent:/bin/false
"""
GROUP = "root:x:0:\nmessagebus:x:101:\npolkitd:x:103:\nsealcam-camera:x:990:\nnetdev:x:104:\nvideo:x:44:\nnogroup:x:65534:\n"
ACCESS_POINT = 'network={{\n ssid="{name}"\n mode=2\n frequency={frequency}\n key_mgmt=WPA-PSK\n proto=RSN\n pairwise=CCMP\n psk="{psk}"\n}}\n'
OLD_PROFILE = """[connection]
id=first
uuid=6a0a7c3e-51a3-4d0c-9d54-52a2c1f0aa01
type=wifi
[wifi]
ssid=Old
[wifi-security]
key-mgmt=wpa-psk
psk={psk}
[ipv4]
method=auto
[ipv6]
method=disabled
"""
SETTINGS = """[main]
plugins=keyfile
dns=none
[device]
wifi.scan-rand-mac-address=no
[connectivity]
enabled=false
"""
SERVICES = ["usr/bin/dbus-daemon", "usr/lib/polkit-1/polkitd", "usr/sbin/NetworkManager", "usr/sbin/wpa_supplicant", "usr/sbin/iw"]
WIFI_PLUGIN = "usr/lib/aarch64-linux-gnu/NetworkManager/*/libnm-device-plugin-wifi.so"


def services(tree):
    """Returns {path in the guest: path} of the programs, and of their configuration files."""
    tree = pathlib.Path(tree)
    programs = {p: tree / p for p in SERVICES}
    programs |= {str(p.relative_to(tree)): p for p in tree.glob(WIFI_PLUGIN)}
    if len(programs) != len(SERVICES) + 1:
        raise Failure("the guest's packages lack the Wi-Fi plugin of NetworkManager")
    folders = ("usr/share/dbus-1", "usr/share/polkit-1", "etc/dbus-1")
    files = {str(p.relative_to(tree)): p for f in folders for p in (tree / f).rglob("*") if p.is_file()}
    return programs, files


def modules(kernel):
    return [m for m in MODULES if m.split()[0] in kernel.paths]  # the other modules are built into the kernel


class Scene:
    """An owner and a broker on this machine, and the job of the guest."""

    def __init__(self, world, tree):
        self.world = world
        world.broker_hosts = ["127.0.0.1", HOST]
        world.account("owner")
        world.start_broker()
        self.config = {"source": {"backend": "fake", "size": "320x240", "rate": 2}, "encoder": {"bitrate": 100_000}}
        self.camera = world.camera("owner", "camera", self.config, "Board", "--host", HOST)
        self.files = services(tree)[1]

    def job(self):
        job = Archive()
        job.tree("job/state", self.camera.state)
        job.write("job/camera.json", json.dumps(self.config))
        job.add("job/run", HERE / "wifi_job.sh", 0o755)
        job.add("job/parts", HERE / "wifi_parts.sh")
        for i, (name, psk) in enumerate(NETWORKS.items()):
            job.write(f"job/{name}.conf", ACCESS_POINT.format(name=name, psk=psk, frequency=2412 + 25 * i))
        job.write("job/udhcpd.conf", "start 10.7.7.10\nend 10.7.7.20\ninterface wlan3\nlease_file /tmp/leases\n"
                                     "option subnet 255.255.255.0\noption router 10.7.7.1\n")
        secrets = " ".join([*NETWORKS.values(), WRONG])
        job.write("job/settings", f"SECRETS='{secrets}'\nSHOW={os.environ.get('SEALCAM_SHOW', '')}\n")
        job.write("etc/passwd", PASSWD)
        job.write("etc/group", GROUP)
        job.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
        job.write("etc/NetworkManager/NetworkManager.conf", SETTINGS)
        job.write("etc/NetworkManager/system-connections/first.nmconnection", OLD_PROFILE.format(psk=NETWORKS["Old"]), 0o600)
        for name, path in self.files.items():
            job.add(name, path, 0o644)
        job.add("usr/share/polkit-1/rules.d/50-sealcam-camera.rules", TOP / "board/common/50-sealcam-camera.rules", 0o644)
        job.folder("var/lib")
        return job

    def set_network(self, ssid, passphrase):
        """Sends a network to the camera. The exit code is ignored; `sealcam sync` reports the result."""
        file = self.world.folder / "passphrase"
        file.write_text(passphrase + "\n")
        self.world.owner("owner", "camera", "wifi", "Board", "--ssid", ssid, "--password-file", file, check=False)

    def camera_entry(self):
        self.world.owner("owner", "sync", check=False)
        return json.loads(self.world.owner("owner", "camera", "list", "--json"))[0]

    def wait_fault(self, text):
        """Waits until the owner's program shows this Wi-Fi fault, which the camera reports in its grants. "": no fault."""
        wait_for(f"'sealcam camera list' shows the Wi-Fi fault '{text}'", lambda: text in self.camera_entry()["wifi_fault"] or (
            not text and not self.camera_entry()["wifi_fault"]), 60, step=1)


class Console:
    """The lines of the guest's console, in order."""

    def __init__(self, run):
        self.run, self.seen = run, 0

    def wait(self, pattern, seconds):
        """Waits for a matching line after the last one. Returns the guest's uptime in this line, or 0."""
        found = []

        def look():
            lines = self.run.lines
            for i in range(self.seen, len(lines)):
                if re.search(pattern, lines[i][1]):
                    self.seen = i + 1
                    found.append(lines[i][1])
                    return True
            return self.run.child.poll() is not None

        try:
            wait_for("the guest", look, seconds)
        except Failure:
            pass
        if not found:
            raise Failure(f"the guest did not print '{pattern}' within {seconds} s; its last lines:\n" +
                          "\n".join(line for _, line in self.run.lines[-40:]))
        first = found[0].split()[0]
        return float(first) if re.fullmatch(r"[0-9.]+", first) else 0.0


def check_networks(scene, run):
    """Joins networks with each outcome. Returns {outcome: seconds from one network to the next, by the guest's clock}."""
    console, took = Console(run), {}
    console.wait(r"NOW Old true none", 240)

    # The control: without the polkit rule of the package, the camera's user has no rights.
    scene.set_network("New", NETWORKS["New"])
    console.wait(r"NOW Old true not_permitted", 120)
    console.wait(r"RULE is there", 60)

    scene.set_network("New", NETWORKS["New"])
    left = console.wait(r"NOW \S* ?\S* ?trying", 60)
    took["joined"] = console.wait(r"NOW New true joined", 180) - left
    scene.wait_fault("")

    def return_from(ssid, passphrase, outcome, text, seconds):
        scene.set_network(ssid, passphrase)
        left = console.wait(r"NOW \S* ?\S* ?trying", 60)
        took[outcome] = console.wait(rf"NOW New true {outcome}", seconds) - left
        scene.wait_fault(text)

    return_from("New", WRONG, "rejected", "rejected the passphrase", 240)
    return_from("Absent", "whatever-it-is", "not_found", "did not find", 240)
    return_from("Nowhere", NETWORKS["Nowhere"], "no_broker", "did not reach the broker", 240)

    scene.set_network("Nowhere", NETWORKS["Nowhere"])
    console.wait(r"CRASHED", 180)
    console.wait(r"WITHOUT the camera in Nowhere: .*sealcam", 90)
    resumed = console.wait(r"RESUMED", 30)
    took["restarted"] = console.wait(r"UNDONE in New, (other|no_broker): (?!.*sealcam)", 240) - resumed

    scene.set_network("Nowhere", NETWORKS["Nowhere"])
    console.wait(r"PROFILES during the join: .*sealcam", 120)
    killed = console.wait(r"KILLED", 30)
    took["killed"] = console.wait(r"BACK in New", 240) - killed
    return took


def check_result(text, took):
    disk = re.search(r"DISK (.*)", text)[1]
    profiles = [line for line in disk.split(";") if "sealcam" in line]
    if len(profiles) != 1 or any(line.split()[:2] != ["600", "root"] for line in disk.split(";") if line.strip()):
        raise Failure(f"profiles on the disk: {disk}")
    if "sealcam" in re.search(r"MEMORY(.*)", text)[1]:
        raise Failure("a profile of a join attempt is still in memory")
    if "SECRET in a log" in text or any(p in text for p in [*NETWORKS.values(), WRONG]):
        raise Failure("a log contains a passphrase")
    late = {outcome: seconds for outcome, seconds in took.items() if seconds > 120}
    if late:
        raise Failure(f"the return to the old network took more than two minutes: {late}")


def case(bench):
    """Three access points: the camera joins the network of its owner, and returns to the old one after a failure."""
    tree = os.environ["SEALCAM_GUEST"]
    with tempfile.TemporaryDirectory(prefix="sealcam-wifi-") as folder, World(bench.options.host_build, folder) as world:
        scene = Scene(world, tree)
        with bench.boot("wifi", ["sealcam-camera"], scene.job(), modules=modules(bench.guest.kernel), services=services(tree)[0], memory=1024) as run:
            took = check_networks(scene, run)
            status = run.wait_end(120)
            text = "\n".join(line for _, line in run.lines)
            up = run.find("sealcam-guest: up *")[0]
    if status != 0:
        raise Failure(f"the job exited with {status}:\n{text[-3000:]}")
    check_result(text, took)
    print(f"{bench.board}: up after {up:.0f} s; " + ", ".join(f"{outcome} {seconds:.0f} s" for outcome, seconds in took.items()))
