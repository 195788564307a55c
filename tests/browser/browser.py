# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium for tests. It runs chromium.mjs, which needs playwright-core in the same folder."""
import json
import pathlib
import shutil
import subprocess
import time

from support.world import Failure

HERE = pathlib.Path(__file__).resolve().parent
SKIP = 77


def install(folder):
    """Installs playwright-core into `folder`, in the version of the lock file. Returns None, or the reason of a failure."""
    for name in ("package.json", "package-lock.json", "chromium.mjs", "readers.mjs"):
        shutil.copyfile(HERE / name, folder / name)
    if (folder / "node_modules/.package-lock.json").exists():
        return None
    for program in ("node", "npm", "chromium"):
        if not shutil.which(program):
            return f"{program} is not installed"
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], cwd=folder,
                          capture_output=True, text=True, timeout=120)
    return None if done.returncode == 0 else f"npm could not fetch playwright-core: {done.stderr.strip()[-300:]}"


class Browser:
    def __init__(self, folder, log):
        self.child = subprocess.Popen(["node", "chromium.mjs"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=open(log, "ab"), text=True, bufsize=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.child.stdin.close()
            self.child.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self.child.kill()
            self.child.wait()

    def do(self, command, **arguments):
        self.child.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        line = self.child.stdout.readline()
        if not line:
            raise Failure("the browser ended")
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(f"{command}: {answer['error']}")
        return answer["value"]

    def tile(self, camera):
        return next((tile for tile in self.do("tiles") if tile["camera"] == camera), None)

    def wait_state(self, camera, state, seconds):
        """Waits until the tile shows `state`. Returns the seconds that this took."""
        begun = time.monotonic()
        while True:
            tile = self.tile(camera)
            passed = time.monotonic() - begun
            if tile and tile["state"] == state:
                return passed
            if passed > seconds:
                raise Failure(f"the page shows {tile and tile['badge']} instead of {state} after {seconds:.0f} s")
            time.sleep(0.05)
