# SPDX-License-Identifier: Apache-2.0
"""A static HTTPS server for bundles, as a channel needs it: with ranges, because RAUC reads the parts of a bundle that it needs."""
import http.server
import pathlib
import re
import ssl
import threading
import time

import image_update


def certificates(folder, name):
    """Creates authority.pem, and server.pem with server.key.pem for the address `name`."""
    image_update.certificate(folder, "authority", "web authority of a test", 10)
    key, request, extensions = folder / "server.key.pem", folder / "server.csr", folder / "server.ext"
    extensions.write_text(f"subjectAltName=IP:{name}\nextendedKeyUsage=serverAuth\n")
    image_update.run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", f"/CN={name}",
                     "-out", request)
    image_update.run("openssl", "x509", "-req", "-in", request, "-extfile", extensions, "-CA", folder / "authority.pem", "-CAkey",
                     folder / "authority.key.pem", "-days", "10", "-out", folder / "server.pem")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, body):
        path = self.server.folder / pathlib.PurePath(self.path).name
        if not path.is_file():
            self.send_error(404)
            return
        size = path.stat().st_size
        first, last, code = 0, size - 1, 200
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last, code = int(found[1]), min(int(found[2] or size - 1), size - 1), 206
            if first > last:
                self.send_error(416)
                return
        self.send_response(code)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        if code == 206:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if not body:
            return
        with path.open("rb") as file:
            file.seek(first)
            left = last - first + 1
            while left > 0:
                part = file.read(min(left, 1 << 16))
                self.server.wait_turn(path.name, len(part))
                self.wfile.write(part)
                left -= len(part)
                self.server.sent[path.name] = self.server.sent.get(path.name, 0) + len(part)

    def log_message(self, *_):
        pass


class Http(http.server.ThreadingHTTPServer):
    lock = threading.Lock()

    def wait_turn(self, name, size):
        """Waits so long that all connections of a file together get no more than its limit of bytes a second."""
        if name not in self.limits:
            return
        with self.lock:
            begin = max(self.free.get(name, 0.0), time.monotonic())
            self.free[name] = begin + size / self.limits[name]
            end = self.free[name]
        time.sleep(max(0.0, end - time.monotonic()))


class Server:
    """Serves the files of `folder` at a port of 127.0.0.1. `sent`: {file name: bytes}. `limits`: {file name: bytes a second}."""

    def __init__(self, folder, certificate, key, limits=None):
        self.http = Http(("127.0.0.1", 0), Handler)
        self.http.daemon_threads, self.http.folder, self.http.sent = True, pathlib.Path(folder), {}
        self.http.limits, self.http.free = limits or {}, {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.port, self.sent = self.http.server_address[1], self.http.sent
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
