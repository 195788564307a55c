# SPDX-License-Identifier: Apache-2.0
"""R-PREKEY: grants to prekeys. R-ROSTER-6 and R-GRANT-6: a disk that is full does not delay a revocation."""
from cases.builder import CameraCase, granted


def camera(rule, name, kind, title, **more):
    return CameraCase(rule, name, kind, title, **more).use("hub-prekey-1", "hub-prekey-2")


def prekey(number):
    return {"number": number, "party": f"hub-prekey-{number}"}


c = camera("R-PREKEY-3", "next-epoch", "accept", "The grants of the next epoch are sealed to the newest prekey of an accepted request.")
c.request("hub", prekey=prekey(1), sent=[c.report(0, 1)], expect={"epoch": "E1"})
c.new_roster(2, grants=[granted("E2", ["hub with hub-prekey-1", "hub2"], 2)])
c = camera("R-PREKEY-2", "rejected-request", "reject", "A prekey in a rejected request is ignored.")
c.request("stranger", claims="hub", topic_hub="hub", prekey=prekey(1), result="bad_signature")
c.new_roster(2, grants=[granted("E2", roster=2)])
c = camera("R-PREKEY-2", "smaller-number", "reject", "A prekey with a smaller number than the stored one is ignored.")
c.request("hub", prekey=prekey(2), sent=[c.report(0, 1)])
c.run(61_000)
c.request("hub", prekey=prekey(1))
c.new_roster(2, grants=[granted("E2", ["hub with hub-prekey-2", "hub2"], 2)])
c = camera("R-PREKEY-2", "restart", "accept", "A camera stores prekeys durably.")
c.request("hub", prekey=prekey(1), sent=[c.report(0, 1)])
c.event("restart", {"grants": [granted("E2", ["hub with hub-prekey-1", "hub2"])]})
c = camera("R-PREKEY-3", "removed-hub", "accept", "A hub that leaves the roster loses its prekey.")
c.request("hub", prekey=prekey(1), sent=[c.report(0, 1)])
c.new_roster(2, ["hub2"], grants=[granted("E2", ["hub2"], 2)])
c.new_roster(3, grants=[granted("E3", roster=3)])
c = camera("R-PREKEY-4", "camera-begins-an-epoch", "accept", "A camera begins an epoch at once if a hub reports that it cannot open its grant.")
c.request("hub", prekey=prekey(1), cannot_open=True, expect={"grants": [granted("E2", ["hub with hub-prekey-1", "hub2"])], "epoch": "E2"})
c = camera("R-PREKEY-4", "number-0", "accept", "Without a prekey in the request, the camera seals to the key in the roster.")
c.request("hub", prekey=prekey(1), sent=[c.report(0, 1)])
c.request("hub", cannot_open=True, expect={"grants": [granted("E2")], "epoch": "E2"})

c = CameraCase("R-TOPIC-2", "camera", "accept", "A camera subscribes to the request topics of the active hubs on its roster, without wildcards.")
c.check(subscribed=["hub", "hub2"])
c.new_roster(2, ["hub2"], grants=[granted("E2", ["hub2"], 2)], subscribed=["hub2"])
c.new_roster(3, ["hub", "hub2"], grants=[granted("E3", roster=3)], subscribed=["hub", "hub2"])

c = camera("R-ROSTER-6", "full-disk", "reject", "A removed hub receives nothing more, also if the camera cannot store the roster. The grants say 'not stored'.")
c.first("hub")
c.event("storage", fails=["roster"])
c.new_roster(2, ["hub2"], roster=2, epoch="E2", grants=[granted("E2", ["hub2"], 2, True)])
c.request("hub", epoch="E2", result="unknown_hub")
c.event("storage", fails=[])
c.run(61_000, grants=[granted("E3", ["hub2"], 2)], roster=2)
c.event("restart", {"grants": [granted("E4", ["hub2"], 2)]})
c = camera("R-ROSTER-6", "full-disk-restart", "reject", "Until the roster is stored, a restart brings the old one back. This is what 'not stored' says.")
c.event("storage", fails=["roster"])
c.new_roster(2, ["hub2"], grants=[granted("E2", ["hub2"], 2, True)])
c.event("restart", {"grants": [granted("E3")], "roster": 1})
c = camera("R-PREKEY-4", "once-in-ten-seconds", "reject", "A hub can end an epoch in this way once in 10 s.")
c.request("hub", cannot_open=True, expect={"grants": [granted("E2")], "epoch": "E2"})
c.run(5000)
c.request("hub", epoch="E2", cannot_open=True, expect={"epoch": "E2"})
c.run(5000)
c.request("hub", epoch="E2", cannot_open=True, expect={"grants": [granted("E3")], "epoch": "E3"})
c = camera("R-PREKEY-4", "no-lease", "reject", "A request with field 8 starts no lease.")
c.request("hub", cannot_open=True, expect={"grants": [granted("E2")], "epoch": "E2"})
c.run(100)
c.capture("key")
c = camera("R-EPOCH-2", "full-disk", "reject", "Epochs begin from the reserved block of 256, although nothing can be stored.")
c.event("storage", fails=["epoch"])
c.new_roster(2, ["hub2"], roster=2, epoch="E2", grants=[granted("E2", ["hub2"], 2)])
