#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs, runs, upgrades, removes and purges the packages in a fresh Debian root. Runs as root in a chroot.

systemd does not run in a chroot, so the test starts the programs. It reads user, groups, folders, environment, capabilities
and watchdog from the installed units, and uses a separate network namespace. It does not apply the units' limits on files,
devices and system calls; only systemd-analyze checks these.
"""
import configparser
import hashlib
import json
import os
import pathlib
import pwd
import grp
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
import xml.sax.saxutils as xml

packages = pathlib.Path(sys.argv[1])
names = ["sealcam-camera", "sealcam-hub", "sealcam"]
debs = {name: next(packages.glob(f"{name}_*.deb")) for name in names}
results = []
timeout = 60  # seconds; on an idle machine the steps take about one

# Paths that do not belong to a package: records of apt and dpkg, backups of the user list, and file systems in memory.
excluded = re.compile(r"/(proc|sys|dev|run|mnt|tmp)(/|$)|/var/(cache|log)/|/var/lib/apt/|/var/lib/dpkg/(?!info)|"
                      r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|/etc/\.pwd\.lock$")


def snapshot():
    found = {}
    for folder, folders, files in os.walk("/"):
        folders[:] = [d for d in folders if not excluded.match(os.path.join(folder, d))]
        for name in folders + files:
            path = os.path.join(folder, name)
            if excluded.match(path):
                continue
            info = os.lstat(path)
            content = ""
            if stat.S_ISLNK(info.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                content = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
            found[path] = (oct(info.st_mode), info.st_uid, info.st_gid, content)
    return found


def differences(before, after):
    return sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))


def run(*command, code=0, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **more)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def apt(*arguments):
    return run("apt-get", "--yes", "--quiet", "--no-install-recommends", *map(str, arguments),
               env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})


def check(truth, *what):
    if not truth:
        raise AssertionError(" ".join(map(str, what)))


def case(title):
    def decorate(function):
        started = time.monotonic()
        failure = ""
        try:
            note = function() or ""
            print(f"passed  {title} {note}", flush=True)
        except Exception as error:  # noqa: BLE001: the next case runs after each kind of failure
            note, failure = "", f"{type(error).__name__}: {error}"
            print(f"FAILED  {title}\n{failure}", flush=True)
        results.append((title, time.monotonic() - started, note, failure))
    return decorate


def unit(name):
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str
    parser.read(f"/usr/lib/systemd/system/{name}.service")
    return parser["Service"]


def as_unit(name, *more, service=None):
    """Returns command and environment of the unit, as in systemd.exec(5)."""
    service = service or unit(name)
    user = pwd.getpwnam(service["User"])
    groups = [user.pw_gid] + [grp.getgrnam(g).gr_gid for g in service.get("SupplementaryGroups", "").split()]
    runtime = pathlib.Path("/run", service["RuntimeDirectory"])
    state = pathlib.Path("/var/lib", service["StateDirectory"])
    for folder, mode in ((runtime, service["RuntimeDirectoryMode"]), (state, service["StateDirectoryMode"])):
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, user.pw_uid, user.pw_gid)
        folder.chmod(int(mode, 8))
    command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", f"--groups={','.join(map(str, groups))}",
               "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--", *service["ExecStart"].split(), *more]
    environment = {"PATH": "/usr/local/bin:/usr/bin", "LANG": "C.UTF-8", "USER": user.pw_name, "LOGNAME": user.pw_name,
                   "HOME": user.pw_dir, "SHELL": user.pw_shell, "STATE_DIRECTORY": str(state),
                   "CONFIGURATION_DIRECTORY": f"/etc/{service['ConfigurationDirectory']}", "RUNTIME_DIRECTORY": str(runtime)}
    return command, environment


class Service:
    """The program of a unit, and its messages to the service manager."""

    def __init__(self, name, *more):
        service = unit(name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = f"/run/{name}.notify"
        pathlib.Path(path).unlink(missing_ok=True)
        self.socket.bind(path)
        os.chmod(path, 0o777)
        self.received = []
        self.watchdog = int(service["WatchdogSec"])
        command, environment = as_unit(name, *more, service=service)
        # The watchdog interval is a tenth of the unit's, to shorten the test.
        environment |= {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": str(self.watchdog * 100_000)}
        self.log = open(f"/run/{name}.log", "w+")
        self.process = subprocess.Popen(command, env=environment, stdout=self.log, stderr=self.log,
                                        umask=int(service["UMask"], 8), cwd="/")

    def wait_for(self, message, count=1):
        until = time.monotonic() + timeout
        while self.received.count(message) < count:
            ended = self.process.poll()
            self.socket.settimeout(0.2)
            try:
                self.received += self.socket.recv(4096).decode().split("\n")
            except TimeoutError:
                check(ended is None, "the program exited with", ended, self.log_text())
                check(time.monotonic() < until, f"the program sent {message} {self.received.count(message)} times in {timeout} s\n{self.log_text()}")

    def log_text(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        finally:
            self.process.kill()


def listening():
    """Returns the TCP ports on which a program listens in this network namespace (proc_net_tcp(5))."""
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                ports.add(int(fields[1].rsplit(":", 1)[1], 16))
    return ports


def new_network():
    """Creates a network namespace, so that no other program uses or reaches its ports."""
    os.unshare(os.CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        import fcntl
        fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running (netdevice(7))


os.environ.pop("SEALCAM_PACKAGES", None)
before = snapshot()
new_network()
version = run("dpkg-deb", "-f", debs["sealcam"], "Version").stdout.strip()


@case("programs and modules, and their debug information, do not contain the path of the build folder")
def _():
    found = os.environ["SEALCAM_NAME_FOLDER"].split()
    check(found == ["CMakeCache.txt"], "files with the path:", *found)


@case("the packages install with nothing but their Depends")
def _():
    apt("install", *debs.values())
    for name in names:
        check(run("dpkg-query", "-W", "-f", "${db:Status-Status}", name).stdout == "installed", name)
    check(run("dpkg", "--verify", *names).stdout == "", "installed files differ from the packages")
    return f"({sum(d.stat().st_size for d in debs.values()) // 1024} KiB of packages)"


@case("control: the comparison finds the files of an installation")
def _():
    seen = differences(before, snapshot())
    for path in ("/usr/bin/sealcam-camera", "/etc/passwd", "/var/lib/sealcam/camera", "/etc/sealcam/hub.json",
                 "/var/lib/dpkg/info/sealcam.list", "/etc/systemd/system/multi-user.target.wants/sealcam-camera.service"):
        check(path in seen, path, "was not found")
    return f"({len(seen)} paths)"


@case("users, folders and units have the properties of their files")
def _():
    for name, folder in (("sealcam-camera", "camera"), ("sealcam-hub", "hub")):
        user = pwd.getpwnam(name)
        check(user.pw_uid < 1000 and user.pw_shell.endswith("nologin"), name, user)
        info = os.stat(f"/var/lib/sealcam/{folder}")
        check((info.st_uid, stat.S_IMODE(info.st_mode)) == (user.pw_uid, 0o700), folder, info)
        check(os.path.islink(f"/etc/systemd/system/multi-user.target.wants/{name}.service"), name, "is not enabled")
    check("sealcam-camera" in grp.getgrnam("video").gr_mem, "not in the group video")
    check("sealcam-kiosk" in grp.getgrnam("sealcam-hub").gr_mem, "the kiosk's user cannot open the hub's page")
    check(not list(pathlib.Path("/etc/systemd/system").rglob("*kiosk*")), "the kiosk is enabled without a request")


@case("systemd and udev accept the units and rules, and the kernel setting is installed")
def _():
    for name in ("sealcam-camera", "sealcam-hub"):
        done = run("systemd-analyze", "verify", "--man=no", f"{name}.service")
        check(not done.stderr, done.stderr)
    warnings = run("systemd-analyze", "verify", "--man=no", "sealcam-hub-kiosk.service", code=None).stderr.splitlines()
    check(all("ommand cage" in w for w in warnings), "\n".join(warnings))  # cage is only a suggested package
    run("udevadm", "verify", "/usr/lib/udev/rules.d/60-sealcam-camera.rules")
    settings = pathlib.Path("/usr/lib/sysctl.d/60-sealcam-camera.conf").read_text()
    check("net.ipv4.tcp_mtu_probing = 1" in settings.splitlines(), "TCP does not find shorter packets:", settings)
    rule = pathlib.Path("/usr/share/polkit-1/rules.d/50-sealcam-camera.rules")
    check(f'"{unit("sealcam-camera")["User"]}"' in rule.read_text(), "the polkit rule does not name the user of the camera")


@case("the units expose at most 2.0")
def _():
    scores = []
    for name in ("sealcam-camera", "sealcam-hub"):
        done = run("systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20",
                   f"/usr/lib/systemd/system/{name}.service")
        scores.append(name + " " + re.search(r"exposure level for \S+: ([\d.]+)", done.stdout).group(1))
    return f"({', '.join(scores)})"


@case("versions match the package, man pages are installed, configurations are valid")
def _():
    for name in names:
        check(run(name, "--version").stdout.strip().endswith(version), name)
        check(os.path.getsize(f"/usr/share/man/man1/{name}.1.gz") > 300, name, "has no man page")
        check(pathlib.Path(f"/usr/share/doc/{name}/copyright").read_text().startswith("Format: "), name, "has no machine-readable license")
    for name in names[:2]:
        command, environment = as_unit(name, "--check-config")
        run(*command, env=environment)


@case("diagnostics read the board data as the user of the camera")
def _():
    command, environment = as_unit("sealcam-camera", "--doctor", "--json")
    done = run(*command, env=environment, code=None)
    check(done.returncode in (0, 1), done.returncode, done.stderr)
    report = json.loads(done.stdout)
    checks = {f["check"]: f for f in report["findings"]}
    check("boards" not in checks, checks.get("boards"))
    check(checks["state"]["severity"] != "fault", checks["state"])
    return f"({len(report['findings'])} findings)"


@case("the command 'keys' runs as the service's user, and each program finds the board data of its package")
def _():
    for name in names[:2]:
        command, environment = as_unit(name, "keys")
        done = run(*command, env=environment)
        check(re.fullmatch("[a-z2-7]{32}\n", done.stdout), done.stdout)
        check("serial number is not compared" not in done.stderr, done.stderr)


@case("modules load, or the program names a missing library of a suggested package")
def _():
    clip = pathlib.Path("/run/replay.json")
    clip.write_text('{"source": {"backend": "replay", "file": "/none.avi"}}')
    check(os.path.exists("/usr/lib/sealcam/sealcam-replay.so"), "no replay module")
    sensors = run("sealcam-camera", "--list-sensors", code=None)
    output = sensors.stdout + sensors.stderr
    check("sealcam-libcamera.so is in none of" not in output, output)  # libcamera itself is only recommended
    check(run("ldd", "/usr/lib/sealcam/sealcam-media.so").stdout.count("not found") == 0, "libraries of the hub's module are missing")


@case("the hub's package has the app for phones, whole, with the licenses of its packages of npm")
def _():
    app = pathlib.Path("/usr/share/sealcam/app")
    hashes = json.loads(re.search(r"^const FILES = (\{.*\});", (app / "sw.js").read_text(), re.MULTILINE)[1])
    check({"index.html", "app.js", "mqtt.js"} <= hashes.keys(), "files are missing:", *sorted(hashes))
    for name, value in hashes.items():
        check(hashlib.sha256((app / name).read_bytes()).hexdigest() == value, name, "differs from its hash in sw.js")
    others = [str(path) for path in [app, *app.iterdir()] if not path.stat().st_mode & 0o004]
    check(not others, "the service cannot read", *others)
    licenses = (app / "LICENSES.txt").read_text()
    parts = json.loads((app / "packages.json").read_text())
    missing = [part["name"] for part in parts if f"\n{part['name']} {part['version']} ({part['license']})\n" not in licenses]
    check(parts and not missing, "licenses are missing:", *missing)
    # The hub finds the folder without a setting.
    settings = pathlib.Path("/run/phones.json")
    settings.write_text('{"app": {"certificate": "/none.crt", "key": "/none.key"}}')
    command, environment = as_unit("sealcam-hub", "--config", str(settings), "--check-config")
    run(*command, env=environment)
    return f"({len(hashes)} files, {len(parts)} packages of npm)"


def check_unpaired(name):
    port = {"sealcam-camera": 8421, "sealcam-hub": 8422}[name]
    service = Service(name, "--pairing-host", "192.0.2.7")  # this network namespace has no address
    try:
        service.wait_for("READY=1")
        check(port in listening(), f"nothing listens on {port}:", listening())
        service.wait_for("WATCHDOG=1", 2)
        pairing_file = pathlib.Path("/run", unit(name)["RuntimeDirectory"], "pairing.txt")
        check(pairing_file.read_text().startswith("sealcam:") and stat.S_IMODE(pairing_file.stat().st_mode) == 0o600, "the pairing file has no pairing string, or others can read it")
        folder = pathlib.Path("/var/lib", unit(name)["StateDirectory"])
        owner = pwd.getpwnam(unit(name)["User"]).pw_uid
        files = [p for p in folder.rglob("*") if p.is_file()]
        check(files, "the state folder has no keys")
        for path in files:
            info = path.stat()
            check(info.st_uid == owner and not info.st_mode & 0o077, path, oct(info.st_mode), info.st_uid)
    finally:
        code = service.stop()
    check(code == 0, "the program exited with", code, service.log_text())
    check(not pairing_file.exists(), "the pairing file still exists after the end")
    check(port not in listening(), "a program still listens")


@case("an unpaired camera notifies the service manager and offers pairing")
def _():
    check_unpaired("sealcam-camera")


@case("an unpaired hub notifies the service manager and offers pairing")
def _():
    check_unpaired("sealcam-hub")


@case("a stopped program sends no watchdog message")
def _():
    service = Service("sealcam-camera")
    try:
        service.wait_for("WATCHDOG=1")
        service.process.send_signal(signal.SIGSTOP)
        state = pathlib.Path(f"/proc/{service.process.pid}/stat")
        while state.read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.02)
        service.socket.settimeout(0)
        try:
            while True:
                service.socket.recv(4096)
        except BlockingIOError:
            pass
        service.socket.settimeout(service.watchdog / 10 * 2)
        try:
            check(False, "the stopped program sent", service.socket.recv(4096))
        except TimeoutError:
            pass
    finally:
        service.process.kill()
        service.process.wait()


@case("a second installation keeps keys, settings and the administrator's decisions")
def _():
    mark = pathlib.Path("/var/lib/sealcam/camera/mark")
    mark.write_text("kept")
    config = pathlib.Path("/etc/sealcam/camera.json")
    config.write_text('{"source": {"backend": "fake"}}\n')
    run("systemctl", "disable", "sealcam-hub.service")
    run("dpkg", "--force-confdef", "--force-confold", "-i", *map(str, debs.values()))
    check(mark.read_text() == "kept" and "fake" in config.read_text(), "state or settings were lost")
    enabled = pathlib.Path("/etc/systemd/system/multi-user.target.wants")
    check((enabled / "sealcam-camera.service").is_symlink(), "the camera is no longer enabled")
    check(not (enabled / "sealcam-hub.service").is_symlink(), "the hub was enabled again")


@case("the earlier version follows this one, and this one the earlier, with the same keys, account and settings")
def _():
    earlier = {name: deb for name in names for deb in (packages / "earlier").glob(f"{name}_*.deb")}
    if not earlier:
        return "(skipped: SEALCAM_EARLIER_PACKAGES names no folder)"

    def state():
        ids = []
        for name in names[:2]:
            command, environment = as_unit(name, "keys")
            ids.append(run(*command, env=environment).stdout)
        account = json.loads(run("sealcam", "--account", "/run/account", "doctor", "--json", code=None).stdout)
        check(isinstance(account, (dict, list)), account)
        cameras = run("sealcam", "--account", "/run/account", "camera", "list", "--json").stdout
        return ids, cameras, config.read_text(), mark.exists()

    config, mark = pathlib.Path("/etc/sealcam/camera.json"), pathlib.Path("/var/lib/sealcam/camera/mark")
    run("sealcam", "--account", "/run/account", "account", "create")
    expected = state()
    for files in (earlier, debs, earlier, debs):
        check(set(files) == set(names), "a package is missing:", *files)
        run("dpkg", "--force-confdef", "--force-confold", "-i", *map(str, files.values()))
        check(state() == expected, "keys, account or settings changed with", *files.values())
        check_unpaired("sealcam-camera")
        check_unpaired("sealcam-hub")
    shutil.rmtree("/run/account")


@case("removal keeps keys and settings, and deletes programs and units")
def _():
    apt("remove", *names)
    for name in names:
        check(shutil.which(name) is None, name, "is still there")
    check(os.path.exists("/var/lib/sealcam/camera/mark"), "keys were lost")
    check(os.path.exists("/etc/sealcam/camera.json"), "settings were lost")
    check(not os.path.exists("/usr/lib/systemd/system/sealcam-camera.service"), "the unit is still there")
    apt("install", *debs.values())
    check(os.path.exists("/var/lib/sealcam/camera/mark"), "keys were lost")
    check("/dev/null" not in os.path.realpath("/etc/systemd/system/sealcam-camera.service"), "the unit is still masked")


@case("a purge deletes all files and users")
def _():
    apt("purge", *names)
    left = differences(before, snapshot())
    check(not left, "the purge did not restore:\n" + "\n".join(left))
    check("sealcam" not in run("dpkg-query", "-W").stdout, "dpkg still lists the packages")
    return f"({len(before)} paths compared)"


with open(packages / "results.xml", "w") as out:
    out.write("<testsuite name=\"packages\">\n")
    for title, seconds, note, failure in results:
        out.write(f"<testcase name={xml.quoteattr('packages: ' + title)} time=\"{seconds:.1f}\">")
        out.write(f"<system-out>{xml.escape(note)}</system-out>")
        out.write(f"<failure>{xml.escape(failure)}</failure>" if failure else "")
        out.write("</testcase>\n")
    out.write("</testsuite>\n")
