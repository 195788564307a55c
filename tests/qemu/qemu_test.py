#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots an ARM board in QEMU and runs the programs of the arm64 build on it. The kernel module vivid is the sensor.

    scripts/qemu BOARD                  runs the camera on BOARD and a hub on this machine for --seconds
    scripts/qemu BOARD --case NAME      runs one test: contract, camera, rebind, memory, libcamera, wifi, country, reconnect
    scripts/qemu BOARD --interactive    opens a shell on the serial console of the board (Ctrl-A X ends it)

BOARD is 'virt' or 'raspi3b'. The console output is in build/arm64/qemu.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "scripts"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import country  # noqa: E402
import reconnect  # noqa: E402
import wifi  # noqa: E402
from guest import BOARDS, Archive, Guest, Kernel, Run  # noqa: E402
from support.world import Failure, World, read_json, wait_for  # noqa: E402

HOST = "10.0.2.2"  # address of this machine in QEMU's user network
RUN_CAMERA = """#!/bin/sh
sealcam-camera --state /job/state --config /job/camera.json --status /tmp/status &
camera=$!
{work}
kill $camera
wait $camera
"""


def log(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, options):
        self.options, self.board = options, options.board
        self.arm = TOP / "build/arm64"
        self.folder = self.arm / "qemu"
        self.guest = Guest(options.board, Kernel(os.environ["SEALCAM_GUEST"]), os.environ["SEALCAM_SYSROOT_ARM64"],
                           self.folder / options.board)

    def program(self, name):
        path = self.arm / "bin" / name
        if not path.exists():
            raise Failure(f"{name} is missing; build it with scripts/build arm64 qemu_programs")
        return path

    def boot(self, name, programs, job, vivid="n_devs=1", memory=None, modules=None, services=None):
        initramfs = self.guest.initramfs([self.program(p) for p in programs], modules or [f"vivid {vivid}"], job, services)
        echo = (lambda line: log(f"  | {line}")) if self.options.verbose else None
        return Run(self.guest.command(initramfs, memory), self.folder / f"{self.board}-{name}.log", echo)


def contract(bench):
    """Runs the V4L2 contract suite with vivid: both planar interfaces, each format, and the faults that vivid can inject."""
    job = Archive()
    job.write("job/run", "#!/bin/sh\nv4l2_contract_test --reporter compact --durations yes\n", 0o755)
    with bench.boot("contract", ["v4l2_contract_test"], job, "n_devs=2 node_types=0x1,0x1 multiplanar=1,2") as run:
        status = run.wait_end(420)
        text = "\n".join(line for _, line in run.lines)
    report_suite(bench, status, text)


def report_suite(bench, status, text):
    summary = re.findall(r"(?:All tests passed|test cases:|Passed|Failed).*", text)
    print(f"{bench.board}: {summary[-1] if summary else 'no summary'}")
    if status != 0:
        raise Failure(f"the contract suite failed:\n{text[-4000:]}")


def libcamera(bench):
    """Runs the contract suite with libcamera's virtual cameras and real DMA buffers of udmabuf."""
    job = Archive()
    job.add("usr/share/libcamera/pipeline/virtual/virtual.yaml", TOP / "tests/contract/virtual-cameras.yaml")
    job.write("job/run", """#!/bin/sh
ls -l /dev/udmabuf
sealcam-camera --list-sensors
libcamera_contract_test
""", 0o755)
    programs = ["libcamera_contract_test", "sealcam-libcamera.so", "sealcam-camera"]
    with bench.boot("libcamera", programs, job) as run:
        status = run.wait_end(420)
        text = "\n".join(line for _, line in run.lines)
    # A suite whose tests are all skipped would pass.
    for required in ("/dev/udmabuf", "Sealcam test lines, libcamera, front"):
        if required not in text:
            raise Failure(f"the guest did not print '{required}':\n{text[-4000:]}")
    if "skipped" in text:
        raise Failure(f"tests were skipped:\n{text[-4000:]}")
    report_suite(bench, status, text)


class Scene:
    """A broker and a hub on this machine, and a camera on the board."""

    def __init__(self, bench, world, size, rate):
        self.bench, self.world = bench, world
        world.broker_hosts = ["127.0.0.1", HOST]
        world.account("owner")
        world.start_broker()
        self.config = {"source": {"backend": "v4l2", "device": "auto", "size": size, "rate": rate},
                       "encoder": {"bitrate": 800_000, "keyframe_interval": 30}}
        self.camera = world.camera("owner", "camera", self.config, "Board", "--host", HOST)
        self.hub = world.hub("owner", "hub")
        world.start(self.hub)
        wait_for("hub is ready", self.hub.status, 10, self.hub.process)
        self.probe = world.probe("probe", self.hub)

    def job(self, work):
        job = Archive()
        job.tree("job/state", self.camera.state)
        job.write("job/camera.json", json.dumps(self.config))
        job.write("job/run", RUN_CAMERA.format(work=work), 0o755)
        return job

    def live(self):
        return (read_json(self.probe.result) or {}).get("live", 0)


def watch(bench, name, work, size="640x360", rate=15, memory=None, during=None):
    """Runs the camera on the board. Returns the probe's result, the console output, the time of the first picture and the run."""
    with tempfile.TemporaryDirectory(prefix="sealcam-qemu-") as folder, World(bench.options.host_build, folder) as world:
        scene = Scene(bench, world, size, rate)
        job = scene.job(work)
        begun = time.time()
        with bench.boot(name, ["sealcam-camera"], job, "n_devs=1 node_types=0x1", memory) as run:
            def first():
                if run.find("sealcam-guest: exit *"):
                    raise Failure("the camera exited:\n" + "\n".join(line for _, line in run.lines[-25:]))
                return scene.live()
            wait_for("the hub shows a LIVE picture of the board", first, 120)
            first_at = (read_json(scene.probe.result) or {})["first_picture_at_ms"] / 1000 - begun
            if during:
                during(scene, run)
            run.wait_end(240)
        result = read_json(scene.probe.result)
    text = "\n".join(line for _, line in run.lines)
    if result["live"] == 0 or result.get("unexpected"):
        raise Failure(f"the probe counted {result}")
    return result, text, first_at, run


def status_of(text):
    """Returns the last status of the camera that the guest printed."""
    found = re.findall(r"^STATUS (\{.*\})", text, re.M)
    return json.loads(found[-1]) if found else {}


def camera(bench):
    """The hub on this machine shows vivid's pictures from the board."""
    seconds = bench.options.seconds
    result, text, first, run = watch(bench, "camera", f"sleep {seconds}; echo STATUS $(cat /tmp/status)")
    up = float(run.find("sealcam-guest: up *")[1].split()[-1])
    status = status_of(text)
    if status.get("encode_ms") is None or status.get("published", 0) == 0:
        raise Failure(f"the camera reports {status}")
    print(f"{bench.board}: first picture at the hub {first:.1f} s after the start (guest booted after {up:.1f} s by its "
          f"clock); {result['live']} live pictures in {seconds} s, encoder {status['encoder']}, {status['encode_ms']:.0f} ms a picture, "
          f"RSS {status['peak_rss_kib']} KiB")


def rebind(bench):
    """The driver is unbound and bound ten times while the camera streams. Each time the stream becomes LIVE again."""
    rounds = 10
    work = f"""driver=/sys/bus/platform/drivers/vivid
sleep 8
for i in $(seq {rounds}); do
  echo vivid.0 >$driver/unbind && echo "unbound $i"
  sleep 1.5
  echo vivid.0 >$driver/bind && echo "bound $i"
  sleep 6
done
echo STATUS $(cat /tmp/status)"""
    back = []

    def during(scene, run):
        for i in range(1, rounds + 1):
            bound, _ = run.wait_line(f"bound {i}", 60)
            before = scene.live()
            wait_for(f"the hub shows a LIVE picture after bind {i}", lambda: scene.live() > before, 15)
            back.append(time.monotonic() - run.started - bound)

    result, text, _, _ = watch(bench, "rebind", work, during=during)
    opened = status_of(text).get("source_opened", 0)
    if opened < rounds + 1:
        raise Failure(f"the camera opened the sensor only {opened} times")
    back.sort()
    print(f"{bench.board}: {rounds} times unbound and bound, LIVE again after median {back[len(back) // 2]:.1f} s, maximum {back[-1]:.1f} s; "
          f"{result['live']} live pictures, sensor opened {opened} times")


def memory(bench):
    """Measures the memory of the camera at 1280x720 in a guest with 512 MiB."""
    work = """sleep 20
echo STATUS $(cat /tmp/status)
grep -E '^(Rss|Pss|Private_Dirty)' /proc/$camera/smaps_rollup
free"""
    result, text, _, _ = watch(bench, "memory", work, "1280x720", 5, memory=512)
    kib = {name: int(value) for name, value in re.findall(r"^(Rss|Pss|Private_Dirty): +(\d+) kB", text, re.M)}
    if "Pss" not in kib:
        raise Failure("the guest did not print the memory:\n" + text[-2000:])
    print(f"{bench.board}: 512 MiB, 1280x720: RSS {kib['Rss']} KiB, PSS {kib['Pss']} KiB, private {kib['Private_Dirty']} KiB; "
          f"{result['live']} live pictures")


CASES = {f.__name__: f for f in (contract, camera, rebind, memory, libcamera)} | {"wifi": wifi.case, "country": country.case, "reconnect": reconnect.case}


def interactive(bench):
    initramfs = bench.guest.initramfs([bench.program(p) for p in ("sealcam-camera", "v4l2_contract_test")], ["vivid n_devs=1"])
    return subprocess.call([*bench.guest.command(initramfs), "-serial", "mon:stdio"])


def main():
    parser = argparse.ArgumentParser(prog="scripts/qemu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("board", choices=sorted(BOARDS))
    parser.add_argument("--case", choices=sorted(CASES), default="camera")
    parser.add_argument("--seconds", type=int, default=15, help="of streaming in case camera (default: %(default)s)")
    parser.add_argument("--interactive", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="show the board's console")
    parser.add_argument("--host-build", default=str(TOP / "build/dev"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    bench = Bench(options)
    if options.interactive:
        return interactive(bench)
    CASES[options.case](bench)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
