# SPDX-License-Identifier: Apache-2.0
"""What must never be at a broker, and the search for it."""
import pathlib
import re
import subprocess

from support.world import Failure

SSID = "Ann-and-nobody-else"
WIFI = "Correct-Horse-Battery-Staple-77"


def secrets_of(w, strings, cameras, hubs):
    """{what: bytes}: names, pairing codes, private keys, the Wi-Fi passphrase."""
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
    """The scalars in a state folder: the last 32 bytes of PSA's files, and the TLS key as openssl reads it."""
    keys = [file.read_bytes()[-32:] for file in sorted((state / "keys").glob("*.psa_its"))]
    text = subprocess.run(["openssl", "ec", "-in", state / "tls.key", "-noout", "-text"],
                          capture_output=True, text=True, check=True).stdout
    scalar = re.search(r"priv:\s*((?:[0-9a-f]{2}[:\s]*)+)", text)[1]
    keys.append(bytes.fromhex(re.sub(r"[^0-9a-f]", "", scalar))[-32:])
    if len(keys) < 3:
        raise Failure(f"{state}: {len(keys)} private keys were found, not three")
    return keys


def broker_memory(pid):
    """All that the process can read of itself but what other files hold."""
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
    """[(what, where)]: each secret as its bytes and in hexadecimal digits."""
    return [(what, where) for what, secret in secrets.items() for where, content in places.items()
            if secret in content or secret.hex().encode() in content]


def plant_and_find(w, secrets):
    """Puts every secret into the broker as a retained message; [(what, where)] of what the search then misses."""
    planter = w.plant([(f"sealcam/1/planted/{n}", secret) for n, secret in enumerate(secrets.values())])
    places = {"memory": broker_memory(w.broker.child.pid), "messages": planter.output.read_bytes()}
    planter.stop()
    w.broker.stop()  # writes its file at its end
    places["file"] = (w.folder / "broker" / "mosquitto.db").read_bytes()
    found = set(search(places, secrets))
    return [(what, where) for what in secrets for where in places if (what, where) not in found]
