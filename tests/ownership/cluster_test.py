#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A cluster of three nodes of RabbitMQ 4 while cameras stream: each node is killed, stopped and separated from the others.

    cluster_test.py --build DIR

After each step all hubs show LIVE pictures again, and only those of their own camera. Prints one line of JSON for each step: the
longest time without a LIVE picture at each hub, and the retained messages that a new subscriber of each account receives at its node.
RabbitMQ does not share retained messages between its nodes, so the cameras and 'sealcam sync' publish them again.

$SEALCAM_RABBITMQ is the folder of the unpacked packages ('scripts/sdk rabbitmq ARCH').
"""
import argparse
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / folder) for folder in ("tests", "scripts")]
from ownership.cluster import HOSTS, NODES, START, Cluster, in_namespace  # noqa: E402
from ownership.household import check  # noqa: E402
from support.viewer import Viewer  # noqa: E402
from support.world import Failure, read_json, wait_for  # noqa: E402

SKIPPED = 77
LIMIT = 120  # seconds until LIVE
LEAVES = ("roster", "grants", "status")
MAX_ACCOUNTS = 60


class Home:
    """An account with a camera and a hub, and the client of the hub's page that counts pictures for the whole test."""

    def __init__(self, world, name, number):
        self.world, self.name, self.number = world, name, number
        self.camera = world.camera(name, f"camera{number}", {
            "source": {"backend": "fake", "size": "320x240", "rate": 10, "number": number},
            "encoder": {"bitrate": 200_000, "keyframe_interval": 10}}, f"Camera {number}")
        self.hub = world.hub(name, f"hub{number}")
        host = json.loads((self.camera.state / "enrollment.json").read_text())["broker"]["host"]
        check(all(json.loads((state / "enrollment.json").read_text())["broker"]["host"] == host for state in
                  (self.hub.state, world.folder / name)), f"the devices of {name} use several hosts")
        self.host = HOSTS.index(host) + 1
        # One command gives up after 5 s, which can pass on a busy machine.
        wait_for(f"the broker has all messages of {name}", lambda: not self.sync()["pending"] and
                 {"roster", "index"} <= set(self.retained(self.host)), LIMIT, step=1)
        world.start(self.hub)
        world.start(self.camera)
        wait_for(f"{self.hub.name} is ready", lambda: read_json(self.hub.status_file), 60, self.hub.process)
        self.viewer = Viewer(("127.0.0.1", self.hub.port), self.hub.access.file("view").read_text().strip()).start()
        self.probe = world.probe(f"probe{number}", self.hub, "--decode", "--expect-camera", number)

    def live(self):
        """[(time received, time of capture)] of the LIVE pictures."""
        return [(at, at - latency / 1000) for at, latency, live in list(self.viewer.seen) if live]

    def topics(self):
        base = f"sealcam/1/{self.world.accounts[self.name]}"
        return {**{leaf: f"{base}/{self.camera.id}/{leaf}" for leaf in LEAVES},
                "index": f"{base}/index/{self.hub.id}"}

    def retained(self, number):
        """{leaf: bytes}"""
        found = self.world.retained(self.name, number, list(self.topics().values()))
        return {leaf: found[topic] for leaf, topic in self.topics().items() if topic in found}

    def sync(self):
        out = self.world.owner(self.name, "sync", "--timeout", "15", "--json", check=False).strip()
        if not out:
            raise Failure(f"sync of {self.name} failed")
        return json.loads(out.splitlines()[-1])

    def max_gap(self, begin):
        times = [at for at, _ in self.live() if at >= begin - 1] + [time.time()]
        return round(max(after - before for before, after in zip(times, times[1:])), 1)

    def counts(self):
        return read_json(self.probe.result) or {}


class Run:
    def __init__(self, world, homes):
        self.world, self.homes = world, homes

    def at(self, host):
        return self.world.addresses.at[host]

    def all_live(self, since):
        for home in self.homes:
            wait_for(f"{home.hub.name} shows LIVE pictures", lambda home=home: any(taken > since for _, taken in home.live()), LIMIT,
                     home.hub.process)

    def step(self, name, act):
        """Does something, waits until pictures that were taken afterwards are LIVE at all hubs, and prints a line."""
        begin = time.time()
        act()
        self.all_live(time.time() + 1)
        row = {"step": name, "seconds": round(time.time() - begin, 1)}
        for home in self.homes:
            node = self.at(home.host).number
            row[home.name] = {"node": node, "max_gap_s": home.max_gap(begin), "retained": home.retained(node)}
        print(json.dumps(row), flush=True)
        for home in self.homes:
            # The camera publishes them after each connection.
            check({"grants", "status"} <= set(row[home.name]["retained"]), f"{name}: node {row[home.name]['node']} has no grants or "
                  f"status of {home.camera.name}")
        return row

    def synced(self, row):
        """The owners publish what their nodes do not have. Afterwards a new hub could begin at each of these nodes."""
        for home in self.homes:
            lost = {"roster", "index"} - set(row[home.name]["retained"])
            done = home.sync()
            check(bool(done["lost"] or done["lost_index"]) >= bool(lost), f"sync of {home.name} did not find {lost}")
            node = self.at(home.host).number
            have = set(home.retained(node))
            check({"roster", "index", "grants", "status"} <= have, f"after sync of {home.name}, node {node} has only {sorted(have)}")

    def gone(self, node, act):
        """Ends or separates a node, and waits until another node has its address."""
        act()
        others = self.world.nodes[node.number:] + self.world.nodes[:node.number - 1]
        self.world.addresses.wait(node.number, next(other for other in others if other is not node))

    def back(self, node, act):
        act()
        node.wait()
        self.world.wait_members()
        self.world.addresses.wait(node.number, node)

    def restart(self, node, number, verb):
        self.synced(self.step(f"{node.name} {verb}", lambda: self.gone(node, lambda: node.stop(number))))
        self.synced(self.step(f"{node.name} runs again", lambda: self.back(node, node.start)))


def revoke_without_a_node(w, run):
    """A device that is revoked while a node is down has no access to this node afterwards."""
    home = next(home for home in run.homes if home.host == 3)
    node = w.nodes[2]
    run.gone(node, lambda: node.stop(signal.SIGKILL))
    done = json.loads(w.run(w.program("sealcam"), "broker", "revoke", w.folder / "broker", home.hub.id, "--json"))
    check(done["reloaded"] and not done["cleared"], f"the retained messages of a node that is down are deleted: {done}")
    for number in (1, 2):
        check(w.rejects(home.hub.state, number, home.hub.id), f"node {number} accepts a revoked hub")
    run.back(node, node.start)
    check(w.rejects(home.hub.state, 3, home.hub.id), "the node that was down accepts a revoked hub")
    check(not w.rejects(w.folder / home.name, 3, w.accounts[home.name]), "node 3 rejects a device that was not revoked")  # control
    check(w.rejects(w.folder / home.name, 3, home.camera.id), "node 3 accepts the client id of another device")
    done = json.loads(w.run(w.program("sealcam"), "broker", "revoke", w.folder / "broker", home.hub.id, "--json"))
    check(done["cleared"] and done["topics"], f"the retained messages of the revoked hub are not deleted: {done}")
    lists = {(node.folder / "crl" / "bfbf4214.r0").read_bytes() for node in w.nodes}
    check(len(lists) == 1, "the nodes have different revocation lists")
    check("index" not in home.retained(3), "node 3 has a message for the revoked hub")
    # Its page has no LIVE picture any more.
    wait_for("the revoked hub has no connection", lambda: not any(at > time.time() - 5 for at, _ in home.live()), LIMIT)
    print(json.dumps({"step": "revoked while n3 was down", "topics": done["topics"]}), flush=True)


def run(w):
    for number in range(MAX_ACCOUNTS):
        w.account(f"account{number}")
    w.start_broker()
    memory = [node.evaluate("erlang:memory(total) div 1048576") for node in w.nodes]
    homes = []
    for name in w.accounts:
        # By the id, so a few accounts cover all hosts.
        w.owner(name, "account", "connect", "--broker", w.folder / "broker")
        host = json.loads((w.folder / name / "enrollment.json").read_text())["broker"]["host"]
        if any(HOSTS[home.host - 1] == host for home in homes):
            continue
        homes.append(Home(w, name, len(homes) + 1))
        if len(homes) == len(HOSTS):
            break
    check(len(homes) == len(HOSTS), "the accounts do not use all hosts")
    this = Run(w, homes)
    print(json.dumps({"memory_mib_of_erlang": memory}), flush=True)
    this.synced(this.step("start", lambda: None))
    for home in homes:
        other = home.host % len(NODES) + 1
        found = home.retained(other)
        check(not found, f"node {other} has {found} of an account that never used it; RabbitMQ shares retained messages")
    for node in w.nodes:
        this.restart(node, signal.SIGKILL, "killed")

    node = w.nodes[2]
    this.synced(this.step("n3 cannot reach the other nodes", lambda: this.gone(node, lambda: node.set_link("back", "down"))))
    this.synced(this.step("n3 can reach them again", lambda: this.back(node, lambda: node.set_link("back", "up"))))

    def vanish():
        node.set_link("back", "down")
        node.set_link("lan", "down")

    def appear():
        node.set_link("back", "up")
        node.set_link("lan", "up")

    this.synced(this.step("the machine of n3 vanishes", lambda: this.gone(node, vanish)))
    this.synced(this.step("the machine of n3 is there again", lambda: this.back(node, appear)))
    for node in w.nodes:  # rolling restart
        this.restart(node, signal.SIGTERM, "stopped")
    revoke_without_a_node(w, this)

    print(json.dumps({"memory_mib_of_erlang": [node.evaluate("erlang:memory(total) div 1048576") for node in w.nodes]}), flush=True)
    for home in homes:
        counts = home.counts()
        print(json.dumps({home.name: {key: counts.get(key) for key in ("live", "unexpected", "live_too_old", "out_of_order")}}), flush=True)
        check(counts.get("live", 0) > 100, f"{home.hub.name} showed {counts.get('live')} LIVE pictures")
        for key in ("unexpected", "live_too_old", "out_of_order"):
            check(counts[key] == 0, f"{home.hub.name}: {key} {counts[key]}")
        check(set(counts["cameras"]) == {home.camera.id}, f"{home.hub.name} showed other cameras: {sorted(counts['cameras'])}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--build", required=True)
    options = arguments.parse_args()
    if not os.environ.get("SEALCAM_RABBITMQ"):
        print("SKIPPED: RabbitMQ is not unpacked; run scripts/test cluster")
        return SKIPPED
    if not in_namespace():
        print("SKIPPED: this user may not make network namespaces")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="sealcam-cluster-") as folder:
        try:
            with Cluster(options.build, folder) as w:
                try:
                    run(w)
                except Failure:
                    for node in w.nodes:
                        print(f"the end of the log of {node.name}:\n{node.server.tail(15) if node.server else ''}")
                    for log in sorted(w.logs.glob("hub*.log")) + sorted(w.logs.glob("camera*.log")):
                        print(f"the end of {log.name}:\n" + "\n".join(log.read_text().splitlines()[-6:]))
                    raise
        except Failure as failure:
            print(f"FAILED: {failure}")
            return 1
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
