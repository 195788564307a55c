# SPDX-License-Identifier: Apache-2.0
"""A headless Firefox for tests, controlled by its Marionette protocol: JSON with a length, over TCP on loopback."""
import base64
import json
import pathlib
import socket
import subprocess

from support.world import Failure, free_port, wait_for

HERE = pathlib.Path(__file__).resolve().parent
PREFERENCES = {"marionette.port": None, "datareporting.policy.dataSubmissionEnabled": False, "app.update.enabled": False,
               "browser.shell.checkDefaultBrowser": False, "network.captive-portal-service.enabled": False,
               "network.connectivity-service.enabled": False, "browser.aboutwelcome.enabled": False,
               "media.gmp-manager.updateEnabled": False, "extensions.update.enabled": False}


class Firefox:
    def __init__(self, folder, log):
        self.profile, port = pathlib.Path(folder) / "firefox", free_port()
        self.profile.mkdir()
        lines = {**PREFERENCES, "marionette.port": port}
        (self.profile / "user.js").write_text("".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in lines.items()))
        self.child = subprocess.Popen(["firefox-esr", "--headless", "--no-remote", "--marionette", "--profile", str(self.profile),
                                       "--width", "1280", "--height", "800"], stdin=subprocess.DEVNULL,
                                      stdout=open(log, "ab"), stderr=subprocess.STDOUT)

        def connect():
            if self.child.poll() is not None:
                raise Failure(f"Firefox ended:\n{pathlib.Path(log).read_text(errors='replace')[-2000:]}")
            try:
                return socket.create_connection(("127.0.0.1", port), 240)
            except OSError:
                return None

        self.connection = wait_for("Firefox accepts connections", connect, 120, step=0.2)
        self.number = 0
        self.receive()
        self.do("WebDriver:NewSession", capabilities={"alwaysMatch": {"webSocketUrl": False}})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def receive(self):
        length = b""
        while not length.endswith(b":"):
            length += self.connection.recv(1) or self.ended()
        message = b""
        while len(message) < int(length[:-1]):
            message += self.connection.recv(65536) or self.ended()
        return json.loads(message)

    @staticmethod
    def ended():
        raise Failure("Firefox closed the connection")

    def do(self, command, **arguments):
        self.number += 1
        text = json.dumps([0, self.number, command, arguments]).encode()
        self.connection.sendall(b"%d:" % len(text) + text)
        error, value = self.receive()[2:]
        if error:
            raise Failure(f"{command}: {error}")
        return value

    def open(self, address):
        self.do("WebDriver:Navigate", url=address)

    def run(self, script, *arguments):
        """Runs JavaScript in the page and returns its value."""
        return self.do("WebDriver:ExecuteScript", script=script, args=list(arguments))["value"]

    def read(self, function, *arguments):
        """Calls a function of readers.mjs in the page."""
        text = (HERE / "readers.mjs").read_text().replace("export function", "function")
        return self.run(f"{text}\nreturn {function}(...arguments);", *arguments)

    def screenshot(self, file):
        shot = self.do("WebDriver:TakeScreenshot", full=True)["value"]
        pathlib.Path(file).write_bytes(base64.b64decode(shot))
