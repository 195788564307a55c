# SPDX-License-Identifier: Apache-2.0
"""The frame of a test that runs the programs with scripts/support/world.py: options, a world, checks, and the exit code."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from support.world import Failure, World  # noqa: E402


def expect(condition, failure):
    """The test fails with the text `failure` unless the condition is true."""
    if not condition:
        raise Failure(failure)


def require(condition, text):
    """Prints the promise `text` if the condition is true. The test fails with it otherwise."""
    expect(condition, text)
    print(f"ok: {text}")


def run_test(document, test, **options):
    """Runs `test(world, options)` in a world below a temporary folder, and ends the process with the result as exit code.

    `options` are the options of the command line beside --build and --keep, with their default values."""
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--keep", metavar="DIR", help="use DIR for logs and state, and keep it")
    for name, default in options.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help="default: %(default)s")
    chosen = parser.parse_args()
    prefix = f"sealcam-{pathlib.Path(sys.argv[0]).stem}-"
    try:
        with tempfile.TemporaryDirectory(prefix=prefix) as folder, World(chosen.build, chosen.keep or folder) as world:
            code = test(world, chosen)
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
    sys.exit(code)


def quiet(*argv):
    """Runs a program that must succeed without a warning. Returns its standard output."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=120)
    expect(done.returncode == 0 and not done.stderr.strip(), f"{argv[0]}: {done.returncode} {done.stderr}")
    return done.stdout


def count_pictures(video):
    return int(json.loads(quiet("ffprobe", "-v", "warning", "-count_packets", "-show_streams", "-of", "json", video))["streams"][0]
               ["nb_read_packets"])


def psnr(world, file, size, number):
    """Compares the file with the pictures of the fake source `number`. Returns the figures of sealcam-psnr."""
    done = subprocess.run([str(world.program("sealcam-psnr")), str(file), "--size", size, "--camera", str(number), "--least", "30"],
                          capture_output=True, text=True, timeout=120)
    expect(done.returncode == 0, f"{file.name} differs from the pictures of the sensor: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


class RecordingHub:
    """A hub of account 'a' that records into `folder`. `world.start(hub.device)` starts it. `settings`: more of `recordings`."""

    def __init__(self, world, **settings):
        self.world, self.device = world, world.hub("a", "hub")
        self.folder = world.folder / "recordings"
        self.folder.mkdir()
        self.config = world.folder / "hub.json"
        self.config.write_text(json.dumps({"recordings": {"folder": str(self.folder), **settings}}))
        self.device.process.argv += ["--config", str(self.config)]

    def files(self):
        return sorted(self.folder.glob("*/*/*.seal"))

    def command(self, *args, check=True, zone=None):
        """Runs `sealcam-hub recordings` and returns the finished process. `zone`: of the machine, as in TZ."""
        done = subprocess.run([str(self.world.program("sealcam-hub")), "--state", str(self.device.state), "--config", str(self.config),
                               "recordings", *map(str, args)], capture_output=True, text=True, timeout=120,
                              env={**os.environ, **({"TZ": zone} if zone else {})})
        expect(not check or done.returncode == 0, f"recordings {' '.join(map(str, args))}: {done.returncode} {done.stderr}")
        return done

    def verify(self):
        """The result of `recordings verify`, also if it found faults."""
        done = self.command("verify", "--json", check=False)
        result = json.loads(done.stdout)
        expect((done.returncode == 0) == (not result["faults"]), f"verify exits with {done.returncode} and has {result['faults']}")
        return result
