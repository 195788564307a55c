# SPDX-License-Identifier: Apache-2.0
"""The board's Wi-Fi as it is on a board: NetworkManager, wpa_supplicant and polkit of Debian's arm64 packages, the camera
as its own user, and radios that the kernel simulates (mac80211_hwsim). Owner and broker are on this machine."""
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
    """{path in the guest: path} of the programs, and of what they are told by."""
    tree = pathlib.Path(tree)
    programs = {p: tree / p for p in SERVICES}
    programs |= {str(p.relative_to(tree)): p for p in tree.glob(WIFI_PLUGIN)}
    if len(programs) != len(SERVICES) + 1:
        raise Failure("NetworkManager's plugin for Wi-Fi is not in the guest's packages")
    folders = ("usr/share/dbus-1", "usr/share/polkit-1", "etc/dbus-1")
    files = {str(p.relative_to(tree)): p for f in folders for p in (tree / f).rglob("*") if p.is_file()}
    return programs, files


def modules(kernel):
    return [m for m in MODULES if m.split()[0] in kernel.paths]  # the others are built in


class Scene:
    """An owner and a broker here, and the job of the guest."""

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

    def tell(self, ssid, passphrase):
        """The owner names a network. Whether the camera confirmed it in time is for sync to say."""
        file = self.world.folder / "passphrase"
        file.write_text(passphrase + "\n")
        self.world.owner("owner", "camera", "wifi", "Board", "--ssid", ssid, "--password-file", file, check=False)

    def listed(self):
        self.world.owner("owner", "sync", check=False)
        return json.loads(self.world.owner("owner", "camera", "list", "--json"))[0]

    def wait_listed(self, words):
        """Until the owner is told so by the camera's own grants."""
        wait_for(f"the owner is told '{words}'", lambda: words in self.listed()["wifi_trouble"] or (
            not words and not self.listed()["wifi_trouble"]), 60, step=1)


class Story:
    """What the guest said, in its own time."""

    def __init__(self, run):
        self.run, self.seen = run, 0

    def wait(self, pattern, seconds):
        """The next line that matches from where the last wait ended; the guest's uptime in it, 0 where there is none."""
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
            raise Failure(f"the guest did not say '{pattern}' within {seconds} s; it said:\n" +
                          "\n".join(line for _, line in self.run.lines[-40:]))
        first = found[0].split()[0]
        return float(first) if re.fullmatch(r"[0-9.]+", first) else 0.0


def story(scene, run):
    """Every way a network can end; {what: seconds from one network to the next, by the guest's clock}."""
    told, took = Story(run), {}
    told.wait(r"NOW Old true none", 240)

    # The control: without the rule of our package the camera's user may nothing.
    scene.tell("New", NETWORKS["New"])
    told.wait(r"NOW Old true not_permitted", 120)
    told.wait(r"RULE is there", 60)

    scene.tell("New", NETWORKS["New"])
    left = told.wait(r"NOW \S* ?\S* ?trying", 60)
    took["joined"] = told.wait(r"NOW New true joined", 180) - left
    scene.wait_listed("")

    def back_from(ssid, passphrase, word, words, seconds):
        scene.tell(ssid, passphrase)
        left = told.wait(r"NOW \S* ?\S* ?trying", 60)
        took[word] = told.wait(rf"NOW New true {word}", seconds) - left
        scene.wait_listed(words)

    back_from("New", WRONG, "refused", "refused the passphrase", 240)
    back_from("Absent", "whatever-it-is", "not_found", "did not find", 240)
    back_from("Nowhere", NETWORKS["Nowhere"], "no_broker", "did not reach the broker", 240)

    scene.tell("Nowhere", NETWORKS["Nowhere"])
    told.wait(r"CRASHED", 180)
    told.wait(r"WITHOUT the camera in Nowhere: .*sealcam", 90)
    resumed = told.wait(r"RESUMED", 30)
    took["restarted"] = told.wait(r"UNDONE in New, (other|no_broker): (?!.*sealcam)", 240) - resumed

    scene.tell("Nowhere", NETWORKS["Nowhere"])
    told.wait(r"PROFILES on trial: .*sealcam", 120)
    killed = told.wait(r"KILLED", 30)
    took["killed"] = told.wait(r"BACK in New", 240) - killed
    return took


def judge(text, took):
    disk = re.search(r"DISK (.*)", text)[1]
    ours = [line for line in disk.split(";") if "sealcam" in line]
    if len(ours) != 1 or any(line.split()[:2] != ["600", "root"] for line in disk.split(";") if line.strip()):
        raise Failure(f"profiles on the disk: {disk}")
    if "sealcam" in re.search(r"MEMORY(.*)", text)[1]:
        raise Failure("a profile of a trial was left in memory")
    if "SECRET in a log" in text or any(p in text for p in [*NETWORKS.values(), WRONG]):
        raise Failure("a passphrase is in a log")
    late = {word: seconds for word, seconds in took.items() if seconds > 120}
    if late:
        raise Failure(f"more than two minutes until the old network was back: {late}")


def case(bench):
    """NetworkManager and three access points: the camera joins what its owner names, and falls back."""
    tree = os.environ["SEALCAM_GUEST"]
    with tempfile.TemporaryDirectory(prefix="sealcam-wifi-") as folder, World(bench.options.host_build, folder) as world:
        scene = Scene(world, tree)
        with bench.boot("wifi", ["sealcam-camera"], scene.job(), modules=modules(bench.guest.kernel), services=services(tree)[0], memory=1024) as run:
            took = story(scene, run)
            status = run.wait_end(120)
            text = "\n".join(line for _, line in run.lines)
            up = run.find("sealcam-guest: up *")[0]
    if status != 0:
        raise Failure(f"the job ended with {status}:\n{text[-3000:]}")
    judge(text, took)
    print(f"{bench.board}: up after {up:.0f} s; " + ", ".join(f"{word} {seconds:.0f} s" for word, seconds in took.items()))
