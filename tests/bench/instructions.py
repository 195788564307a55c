#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the guest instructions on arm64 under qemu-aarch64: one frame (seal and sign, verify and open), and motion.

QEMU logs each translated block that it enters. With one instruction per block, the log has one line per instruction. The
script runs the program with and without rounds of the work. The difference contains neither the start nor the end of the
program.
"""
import argparse
import json
import pathlib
import subprocess

SIZES = {"8 KiB": 8 * 1024, "145 KiB": 145 * 1024}
WORKS = {"seal": "seal and sign", "open": "verify and open"}
PER_SECOND = 30
HEIGHTS = (720, 1080)  # of the pictures in which the detector looks for motion
MOTION_PER_SECOND = 5
MAX_FOR_MOTION = 30e6  # instructions a second
CLOCK = 1e9
CYCLES_PER_INSTRUCTION = 1.25


def lines_of(build, sysroot, preload, *arguments):
    argv = ["qemu-aarch64", "-L", sysroot, "-cpu", "cortex-a53", "-one-insn-per-tb", "-d", "exec,nochain",
            "-D", "/dev/stderr"]
    if preload:
        argv += ["-E", f"LD_PRELOAD={preload}"]
    child = subprocess.Popen([*argv, build / "tests/bench/frame_cost", *map(str, arguments)], stderr=subprocess.PIPE)
    count = 0
    while block := child.stderr.read(1 << 20):
        count += block.count(b"\nTrace ")
    if child.wait() != 0:
        raise SystemExit(f"frame_cost {' '.join(map(str, arguments))} ended with {child.returncode}")
    if count < 100_000:
        raise SystemExit("QEMU logged no instructions: is this another version of it?")
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="folder of the arm64 build")
    parser.add_argument("--sysroot", required=True)
    parser.add_argument("--rounds", type=int, default=2, help="number of frames per run; signing needs a random number of instructions")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    preload = options.build / "tests/bench/no_crypto_instructions.so"
    rows = []
    for crypto, library in (("none (Pi 3, 4, Zero 2 W)", preload), ("AES, SHA-2", None)):
        for size_name, size in SIZES.items():
            start = lines_of(options.build, options.sysroot, library, "seal", size, 0)
            for work, title in WORKS.items():
                total = lines_of(options.build, options.sysroot, library, work, size, options.rounds)
                count = (total - start) / options.rounds
                share = count * PER_SECOND * CYCLES_PER_INSTRUCTION / CLOCK
                rows.append({"crypto_instructions": crypto, "work": title, "size": size_name,
                             "instructions": round(count), "share": round(share, 4)})
                if not options.json:
                    print(f"{crypto:26} {title:16} {size_name:>8} {count / 1e6:9.2f} million  {share:7.1%}", flush=True)
    for height in HEIGHTS:
        start, total = (lines_of(options.build, options.sysroot, None, "motion", height, rounds) for rounds in (0, options.rounds))
        count = (total - start) / options.rounds * MOTION_PER_SECOND
        rows.append({"work": "motion", "height": height, "instructions_per_second": round(count)})
        if not options.json:
            print(f"motion in pictures of {height} lines: {count / 1e6:.1f} million a second", flush=True)
    if options.json:
        print(json.dumps(rows))
    else:
        print(f"share: of one core at 1 GHz, {PER_SECOND} frames a second, if an instruction takes "
              f"{CYCLES_PER_INSTRUCTION} cycles on average")
    for row in rows:
        if row["work"] == "motion" and row["instructions_per_second"] > MAX_FOR_MOTION:
            raise SystemExit(f"error: motion in pictures of {row['height']} lines needs {row['instructions_per_second'] / 1e6:.1f} million instructions a "
                             f"second; the limit is {MAX_FOR_MOTION / 1e6:.0f} million")


if __name__ == "__main__":
    main()
