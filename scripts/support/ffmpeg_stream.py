# SPDX-License-Identifier: Apache-2.0
"""Plain ffmpeg on a slow link, for comparison: the same clip, size, rate and bitrate in MPEG-TS over TLS 1.3, to a server that
notes when each picture has arrived."""
import socket
import ssl
import subprocess
import threading
import time

PACKET = 188
CLOCK = 90_000
MAX_TIME = 90_000  # seconds; time stamps of MPEG-TS have 33 bits, which are 95,443 s


def start_time():
    return time.time() % MAX_TIME


class Receiver:
    """`arrived` gets (arrival, time timestamp) of each picture that is complete; both in seconds since the epoch."""

    def __init__(self, folder, address, arrived):
        self.arrived = arrived
        key, certificate = folder / "ffmpeg.key", folder / "ffmpeg.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                        "-out", certificate, "-subj", "/CN=broker.test", "-days", "2"], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.server = socket.create_server(address)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.server.accept()
            threading.Thread(target=self.receive, args=(connection,), daemon=True).start()

    def receive(self, connection):
        try:
            connection.settimeout(20)
            stream = self.context.wrap_socket(connection, server_side=True)
            rest, current, last = b"", None, 0.0
            while data := stream.recv(65536):
                now = time.time()
                rest += data
                while len(rest) >= PACKET:
                    packet, rest = rest[:PACKET], rest[PACKET:]
                    timestamp = self.timestamp_of(packet)
                    if timestamp is not None:
                        if current is not None:
                            self.arrived(last, current)
                        current = timestamp
                    last = now
        except (OSError, ValueError):
            pass  # the next connection continues

    @staticmethod
    def timestamp_of(packet):
        """The time of a picture that begins in this packet, else None (ISO/IEC 13818-1, clauses 2.4.3.2 and 2.4.3.6)."""
        if packet[0] != 0x47:
            raise ValueError("no MPEG-TS packet")
        if not packet[1] & 0x40 or not packet[3] & 0x10:
            return None
        at = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
        if packet[at:at + 3] != b"\0\0\1" or packet[at + 3] & 0xF0 != 0xE0 or not packet[at + 7] & 0x80:
            return None
        b = packet[at + 9:at + 14]
        ticks = (b[0] >> 1 & 7) << 30 | b[1] << 22 | (b[2] >> 1) << 15 | b[3] << 7 | b[4] >> 1
        now = time.time()
        return now - (now - ticks / CLOCK + MAX_TIME / 2) % MAX_TIME + MAX_TIME / 2


def send(clip, size, rate, bitrate, address, running):
    """Runs ffmpeg and starts it again when it ends, as a service manager does."""
    width, height = size.split("x")
    while running():
        process = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-nostdin", "-stream_loop", "-1", "-readrate", str(rate / 10), "-r", str(rate), "-i", clip, "-an",
             "-vf", f"scale={width}:{height}:flags=fast_bilinear,format=yuv420p", "-c:v", "libx264", "-preset", "superfast",
             "-tune", "zerolatency", "-bf", "0", "-b:v", str(bitrate), "-maxrate", str(bitrate), "-bufsize", str(bitrate // 2),
             "-g", str(2 * rate), "-output_ts_offset", f"{start_time():.3f}", "-muxdelay", "0", "-muxpreload", "0", "-f", "mpegts",
             f"tls://{address[0]}:{address[1]}?verify=0"])
        while process.poll() is None and running():
            time.sleep(0.2)
        process.kill()
        process.wait()
        time.sleep(0.5)
