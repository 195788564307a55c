#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The resident memory of camera, hub and broker does not grow while they stream.

    soak.py --build DIR        for $SEALCAM_SOAK_SECONDS (default 600)
"""
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import run_test  # noqa: E402
from support.world import Failure, cpu_and_memory, read_json, wait_for  # noqa: E402

# Allowed difference between the maximum of the first fifth, in which buffers reach their size, and the maximum of the rest.
ALLOWED_GROWTH_KIB = 2048


def run(world, options):
    seconds = int(os.environ.get("SEALCAM_SOAK_SECONDS", "600"))
    world.account("a")
    world.start_broker()
    camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": "1920x1080", "rate": 30}}, "Camera")
    hub = world.start(world.hub("a", "hub"))
    wait_for("hub is ready", hub.status, process=hub.process)
    world.start(camera)
    probe = world.probe("probe", hub)
    wait_for("the hub shows a LIVE picture", lambda: (read_json(probe.result) or {}).get("live", 0), 15, probe)
    parts = {"camera": camera.process, "hub": hub.process, "broker": world.broker}
    samples = {name: [] for name in parts}
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        time.sleep(min(10, seconds / 30))
        for name, process in parts.items():
            if not process.alive:
                raise Failure(f"{name} ended:\n{process.tail()}")
            samples[name].append(cpu_and_memory(process.child.pid)[1])
    shown = read_json(probe.result)["live"]
    grew = False
    for name, values in samples.items():
        early = max(values[:max(1, len(values) // 5)])
        late = max(values[len(values) // 5:])
        print(f"{name}: {early} KiB in the first fifth, {late} KiB afterwards, {len(values)} samples over {seconds} s")
        grew |= late > early + ALLOWED_GROWTH_KIB
    print(f"LIVE pictures: {shown}")
    if shown < seconds * 20:
        raise Failure("the hub showed too few pictures for a result")
    return 1 if grew else 0


if __name__ == "__main__":
    run_test(__doc__, run)
