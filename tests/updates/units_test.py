#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No unit of a card image may prevent the updater from leaving a trial."""
import pathlib
import unittest

UNITS = pathlib.Path(__file__).resolve().parents[2] / "board/common/image/root/etc/systemd/system"
UPDATER, CAMERA = "sealcam-update.service", "sealcam-camera.service"


def settings(text):
    """Returns the values of each key, in order."""
    values = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            values.setdefault(key, []).append(value)
    return values


def values(unit, key):
    return " ".join(unit.get(key, [])).split()


def waits_for_the_camera(text):
    unit = settings(text)
    return any(CAMERA in values(unit, key) for key in ("After", "Requires", "Requisite", "BindsTo", "PartOf"))


def delays_the_camera(text):
    """systemd has no default limit for the start of a oneshot service."""
    unit = settings(text)
    limit = unit.get("TimeoutStartSec", ["infinity"])[-1]
    return unit.get("Type") == ["oneshot"] and CAMERA in values(unit, "Before") and limit in ("infinity", "0")


class Units(unittest.TestCase):
    def test_the_updater_does_not_wait_for_the_camera(self):
        text = (UNITS / UPDATER).read_text()
        self.assertFalse(waits_for_the_camera(text))
        self.assertTrue(waits_for_the_camera(text + "After=network.target sealcam-camera.service\n"))  # control

    def test_each_service_before_the_camera_has_a_limit(self):
        before = [path for path in UNITS.glob("*.service") if CAMERA in values(settings(path.read_text()), "Before")]
        self.assertTrue(before)
        for path in before:
            self.assertFalse(delays_the_camera(path.read_text()), path.name)
        without = (UNITS / "sealcam-settings.service").read_text().replace("TimeoutStartSec=", "#")
        self.assertTrue(delays_the_camera(without))  # control

    def test_systemd_restarts_an_updater_that_hangs(self):
        unit = settings((UNITS / UPDATER).read_text())
        self.assertIn("WatchdogSec", unit)
        self.assertEqual(unit["Restart"], ["always"])


if __name__ == "__main__":
    unittest.main()
