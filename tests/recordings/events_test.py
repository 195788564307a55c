#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A camera detects motion. The hub keeps the event, shows it in API and metrics, and sends it to another program over HTTPS, without a
picture, and with the camera's name only if the owner allows it. A receiver with a wrong certificate receives nothing.

    events_test.py --build DIR
"""
import datetime
import http.server
import json
import pathlib
import ssl
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import require, run_test  # noqa: E402
from support.world import wait_for  # noqa: E402

NAME = "Front door"


class Receiver:
    """An HTTPS server with a certificate of its own."""

    def __init__(self, folder, label, name="localhost", *options):
        self.certificate, key = folder / f"{label}.pem", folder / f"{label}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=receiver", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", self.certificate,
                        *(options or ("-days", "2"))], check=True, capture_output=True, timeout=20)
        self.requests = requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                requests.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # the hub ends a connection whose certificate it rejects
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def settings(self, **more):
        return {"post_url": f"https://localhost:{self.server.server_port}/hook", "post_authority": str(self.certificate), **more}


def run(world, options):
    folder = world.folder
    world.account("a")
    world.start_broker()
    camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": "640x360", "rate": 15, "number": 5}}, NAME)
    hub = world.hub("a", "hub")
    config = folder / "hub.json"
    hub.process.argv += ["--config", str(config)]

    def read(path):
        request = urllib.request.Request(f"http://127.0.0.1:{hub.port}{path}", headers=hub.access.headers("view"))
        return urllib.request.urlopen(request, timeout=10).read()

    def events():
        now = datetime.datetime.now(datetime.timezone.utc)
        span = [(now + datetime.timedelta(minutes=m)).strftime("%Y-%m-%dT%H:%M:%SZ") for m in (-10, 1)]
        return json.loads(read(f"/api/events?from={span[0]}&to={span[1]}"))["events"]

    def metric(line):
        return f"sealcam_hub_{line}\n" in read("/metrics").decode()

    def run(settings, until, seconds=40):
        """Starts hub and camera with these settings of events until a condition is true."""
        config.write_text(json.dumps({"recordings": {"mode": "continuous"}, "events": settings}))
        world.start(hub)
        wait_for("the hub", hub.status, 10, hub.process)
        world.start(camera)
        wait_for("the event", until, seconds, hub.process)

    def stop():
        camera.process.stop()
        hub.process.stop()

    good = Receiver(folder, "good")
    run(good.settings(post_topic="sealcam-test"), lambda: good.requests)
    target, body = good.requests[0]
    message = json.loads(body)
    require(target == "/hook" and message["camera"] == camera.id and message["event"] == "motion", f"the receiver has {message}")
    require(message["topic"] == "sealcam-test" and "name" not in message and NAME not in body.decode(), "the message has no name")
    require(len(body) < 500, f"the message has {len(body)} bytes, which is no picture")
    wait_for("the API", events, 20, hub.process)
    event = events()[0]
    require(event["name"] == NAME and event["begin_us"] <= event["peak_us"] <= event["end_us"], f"the API has {event}")
    require(abs(event["begin_us"] - message["begin_us"]) < 5e6, "message and API have the same begin")
    require(read(f"/recordings/{camera.id}.jpg?at={event['peak_us']}")[:2] == b"\xff\xd8", "the peak is a picture")
    require(metric(f'camera_events_total{{camera="{camera.id}"}} 1') and metric('events_posted_total{result="sent"} 1'),
            "the metrics count one event and one message")
    camera.process.stop()
    wait_for("the end of the event", lambda: events()[0]["ended"], 40, hub.process)
    before = len(events())
    hub.process.stop()
    require(len(good.requests) == 1 and before == 1, "one event is one message")
    for file in hub.state.glob("recordings.db*"):
        file.unlink()
    named = Receiver(folder, "named")
    run(named.settings(post_names=True), lambda: named.requests)
    require(json.loads(named.requests[0][1])["name"] == NAME, "the message has the name if the owner allows it")
    wait_for("the events of the new index", lambda: len(events()) == before + 1, 30, hub.process)
    print("ok: an index that was deleted has the same events again")
    stop()

    today = datetime.datetime.now(datetime.timezone.utc)
    times = [(today - datetime.timedelta(days=d)).strftime("%Y%m%d%H%M%SZ") for d in (20, 10)]
    expired = Receiver(folder, "expired", "localhost", "-not_before", times[0], "-not_after", times[1])
    for wrong in (Receiver(folder, "other", "other.example"), expired):
        time.sleep(10)
        run(wrong.settings(), lambda: "an event was not accepted by" in hub.process.tail(40))
        require(not wrong.requests, f"a receiver with a wrong certificate ({wrong.certificate.stem}) receives nothing")
        stop()
        hub.process.log.write_text("")


if __name__ == "__main__":
    run_test(__doc__, run)
