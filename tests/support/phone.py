# SPDX-License-Identifier: Apache-2.0
"""A phone for tests, with the second implementation of the protocol, and a mailbox that a test can make hostile."""
import hashlib
import http.client
import http.server
import pathlib
import re
import secrets
import ssl
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "conformance"))
from sealcam1 import link, wire  # noqa: E402

PATH = re.compile(r"/link/1/([0-9a-f]{32})(/descriptor|/enrollment)?")
TYPE = "application/cbor"


def make_certificate(folder, name="app"):
    """A self-signed certificate for 127.0.0.1: the paths of certificate and key."""
    import datetime
    import ipaddress
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    key = wire.private_key(secrets.token_bytes(31))
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=300))
                   .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
                   .sign(key, hashes.SHA256()))
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return paths


class Phone:
    """The keys of one browser, and its side of a link."""

    def __init__(self):
        self.identity, self.hpke = wire.private_key(secrets.token_bytes(31)), wire.private_key(secrets.token_bytes(31))
        self.public, self.id = wire.public_bytes(self.identity), wire.identity(wire.public_bytes(self.identity))
        self.text = wire.text_of(self.id)

    def descriptor(self, **more):
        return link.make_device_descriptor(self.identity, self.hpke, **more)

    def message(self, code, **more):
        return link.make_descriptor(code, self.descriptor(**more))

    def open(self, code, message):
        return link.enrollment(message, code, self.public, self.hpke)

    def join(self, address, seconds=20.0, message=None):
        """Leaves the descriptor and waits for the enrollment. Returns its content."""
        url, code = split(address)
        status, _ = request(url, "POST", slot_path(code, "descriptor"), message or self.message(code))
        if status != 204:
            raise ConnectionError(f"the mailbox answers the descriptor with {status}")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status, body = request(url, "GET", slot_path(code, "enrollment"))
            if status == 200:
                return self.open(code, body)
            if status != 204:
                raise ConnectionError(f"the mailbox answers the request for the enrollment with {status}")
            time.sleep(0.1)
        raise TimeoutError("no enrollment")


def split(address):
    """Host and port of an address of `sealcam phone link`, and its code."""
    url = urllib.parse.urlsplit(address)
    if url.scheme != "https" or url.path != "/" or not url.fragment.startswith("link/"):
        raise ValueError(f"not an address of a link: {address}")
    return (url.hostname, url.port or 443), url.fragment.removeprefix("link/")


def slot_path(code, what=None):
    return f"/link/1/{link.Keys(code).slot.hex()}" + (f"/{what}" if what else "")


def request(at, method, path, body=None, authority=None):
    """Status and body of the answer. Without `authority`, the certificate is not checked."""
    context = ssl.create_default_context(cafile=authority)
    if authority is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(*at, context=context, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": TYPE} if body is not None else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Mailbox:
    """The mailbox of the protocol page, without limits. `intercept(method, what, slot)` may return a status instead, or None."""

    def __init__(self, folder, owner_public=None):
        self.slots, self.openings, self.requests = {}, 0, []
        self.names = []  # which clients sent (SNI); None: a client sent none
        self.owner_public, self.intercept = owner_public, lambda method, what, slot: None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                found = PATH.fullmatch(self.path)
                status, content = (404, b"") if not found else outer.handle(self.command, found[2], found[1], body, self.headers)
                if status is None:  # the connection ends without an answer
                    self.close_connection = True
                    return
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Type", TYPE)
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # an owner that a test killed
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*make_certificate(folder, "mailbox"))
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.address = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def handle(self, method, what, slot, body, headers):
        self.requests.append((method, what))
        status = self.intercept(method, what, slot)
        if status == "lost":  # handled, and the answer is lost
            self.respond(method, what, slot, body, headers)
            return None, b""
        return (status, b"") if status is not None else self.respond(method, what, slot, body, headers)

    def respond(self, method, what, slot, body, headers):
        if method != "GET" and headers.get("Content-Type") != TYPE:
            return 415, b""
        if what is None:
            return self.open(method, slot, body), b""
        if slot not in self.slots:
            return 404, b""
        box, name = self.slots[slot], what[1:]
        if method == "GET":
            return (200, box[name]) if name in box else (204, b"")
        if (method, name) not in (("POST", "descriptor"), ("PUT", "enrollment")):
            return 405, b""
        if name in box:
            return 409, b""
        box[name] = body
        return 204, b""

    def open(self, method, slot, body):
        try:
            public = wire.decode(wire.parse_envelope(body)[1])[2]
            found = link.opening(body, self.owner_public or public)
        except wire.Rejected:
            return 403
        if method != "PUT" or found["slot"].hex() != slot or abs(found["time"] / 1e6 - time.time()) > 600:
            return 403
        if slot in self.slots:
            return 409
        self.slots[slot] = {}
        self.openings += 1
        return 204


def login_matches(authorization_login, password):
    """Whether the salted hash [salt, hash] is that of this password."""
    salt, expected = authorization_login
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101, 64) == expected
