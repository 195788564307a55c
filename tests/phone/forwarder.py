# SPDX-License-Identifier: Apache-2.0
"""A network in front of the broker's listener for phones, which a phone can leave."""
import socket
import threading


class Forwarder:
    """Carries TCP connections from one port of loopback to another one. After leave(), the connections of before carry nothing more and do not end,
    as after a change of the phone's address. New connections work."""

    def __init__(self, port, target):
        self.target, self.network, self.opened = target, 0, 0
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def leave(self):
        self.network += 1

    def accept(self):
        while True:
            client = self.listener.accept()[0]
            self.opened += 1
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=(source, sink, self.network), daemon=True).start()

    def carry(self, source, sink, network):
        try:
            while data := source.recv(65536):
                if network == self.network:
                    sink.sendall(data)
            if network == self.network:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one side ended
