# SPDX-License-Identifier: Apache-2.0
"""The search for secrets at a broker."""
import pathlib
import re
import subprocess

from support.world import Failure

SSID = "Ann-and-nobody-else"
WIFI = "Correct-Horse-Battery-Staple-77"


def secrets_of(w, strings, cameras, hubs):
    """Returns {name: bytes}: names, pairing codes, private keys, the Wi-Fi network."""
    secrets = {}
    for device in cameras + hubs:
        secrets[f"name of {device.name}"] = device.label.encode()
        for number, scalar in enumerate(private_keys(device.state)):
            secrets[f"private key {number} of {device.name}"] = scalar
    for number, string in enumerate(strings):
        secrets[f"pairing code {number}"] = re.fullmatch(r"sealcam:1:[a-z2-7]{32}:([a-z2-7]+)@.*", string)[1].encode()
    secrets["new name"] = b"Ann's back door"
    secrets["Wi-Fi passphrase"], secrets["Wi-Fi name"] = WIFI.encode(), SSID.encode()
    return secrets


def private_keys(state):
    """Returns the scalars in a state folder: the last 32 bytes of PSA's files, and the TLS key as openssl prints it."""
    keys = [file.read_bytes()[-32:] for file in sorted((state / "keys").glob("*.psa_its"))]
    text = subprocess.run(["openssl", "ec", "-in", state / "tls.key", "-noout", "-text"],
                          capture_output=True, text=True, check=True).stdout
    scalar = re.search(r"priv:\s*((?:[0-9a-f]{2}[:\s]*)+)", text)[1]
    keys.append(bytes.fromhex(re.sub(r"[^0-9a-f]", "", scalar))[-32:])
    if len(keys) < 3:
        raise Failure(f"{state}: found {len(keys)} private keys, expected at least 3")
    return keys


def broker_memory(pid):
    """Returns the readable memory of a process."""
    out = bytearray()
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            fields = line.split()
            begin, end = (int(x, 16) for x in fields[0].split("-"))
            if "r" not in fields[1] or (len(fields) > 5 and fields[5] in ("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            try:
                memory.seek(begin)
                out += memory.read(end - begin)
            except OSError:
                continue  # a guard page
    return bytes(out)


def search(places, secrets):
    """Searches each secret as bytes and in hexadecimal. Returns [(name of the secret, place)]."""
    return [(what, where) for what, secret in secrets.items() for where, content in places.items()
            if secret in content or secret.hex().encode() in content]


def publish_and_find(w, secrets):
    """Publishes every secret as a retained message. Returns [(name, place)] of the secrets that the search does not find."""
    publisher = w.publish([(f"sealcam/1/published/{n}", secret) for n, secret in enumerate(secrets.values())])
    places = {"memory": broker_memory(w.broker.child.pid), "messages": publisher.output.read_bytes()}
    publisher.stop()
    w.broker.stop()  # writes its file when it ends
    places["file"] = (w.folder / "broker" / "mosquitto.db").read_bytes()
    found = set(search(places, secrets))
    return [(what, where) for what in secrets for where in places if (what, where) not in found]
