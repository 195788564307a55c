# SPDX-License-Identifier: Apache-2.0
"""Runs the cases of the corpus whose device under test is an owner's program: what it confirms from a camera's messages."""
from . import link, messages, wire
from .hub_runner import Case
from .wire import Rejected


class OwnerRunner:
    def __init__(self, case):
        self.case = Case(case)
        self.owner, self.camera = self.case.parties["owner"].public, self.case.parties["camera"].public
        start = case.get("start", {})
        self.version, self.hash = 0, None
        self.newest_command = start.get("command", 0)
        self.confirmed = self.command = 0
        self.contradicted = False
        if "roster" in start:
            self.sign(self.case.messages[start["roster"]])
        self.restart()

    def sign(self, message):
        roster = messages.roster(message, self.case.account, self.case.camera, self.owner)
        self.version, self.hash = roster["version"], roster["hash"]

    def restart(self):
        self.seen = None          # grants with the newest roster version
        self.two_hashes = self.deregistered = False

    def on_message(self, topic, message):
        account, camera, leaf, _ = messages.parse_topic(topic)
        if (account, camera) != (self.case.account, self.case.camera):
            return
        if leaf == "status":
            self.deregistered |= messages.status(message, account, camera, self.camera)["reset"]
        elif leaf == "grants":
            self.on_grants(messages.grants(message, account, camera, self.camera))

    def on_grants(self, grants):
        if grants["command"] and not grants["not_stored"]:
            self.command = max(self.command, min(grants["command"], self.newest_command))
        seen = self.seen
        if seen and seen["roster_version"] > grants["roster_version"]:
            return  # a replay: a camera never returns to an older roster
        if seen and seen["roster_version"] == grants["roster_version"] and seen["roster_hash"] != grants["roster_hash"]:
            self.two_hashes = True
        self.seen = grants
        if grants["roster_version"] > self.version:
            self.contradicted = True
        elif grants["roster_version"] == self.version:
            self.contradicted = grants["roster_hash"] != self.hash or self.two_hashes
            if not self.contradicted and not grants["not_stored"]:
                self.confirmed = self.version

    def verdict(self, event):
        judged = link.verdict(self.case, event)
        if judged is not None:
            return judged
        if event["do"] == "deliver":
            try:
                self.on_message(event["topic"], self.case.bytes_of(event))
            except Rejected:
                pass  # the owner's program ignores what it cannot verify
        elif event["do"] == "sign":
            self.sign(self.case.bytes_of(event))
        elif event["do"] == "restart":
            self.restart()
        elif event["do"] != "check":
            raise ValueError(f"unknown event '{event['do']}'")
        pending = self.confirmed != self.version or self.command != self.newest_command or self.contradicted
        return {"confirmed": self.confirmed, "pending": pending, "contradicted": self.contradicted, "command": self.command,
                "deregistered": self.deregistered}
