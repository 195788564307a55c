# SPDX-License-Identifier: Apache-2.0
"""The parts of a card image that its updates need: the authority that signs them, their channel, and the two contents of autoboot.txt."""
import datetime
import json
import pathlib
import re
import shutil

from image_parts import Failure, run

SECTOR = 512
DEVELOPMENT = "Sealcam development authority, not for releases"
# The authority is a certificate of an authority; a second one signs bundles (RAUC's check-purpose=codesign).
EXTENSIONS = {"authority": "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n",
              "signer": "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,codeSigning\n"}


def project_version(cmake):
    """Returns the version of the project from the text of CMakeLists.txt."""
    return re.search(r"^project\(sealcam VERSION (\d+\.\d+\.\d+)\b", cmake, re.M)[1]


def check_version(version):
    if not re.fullmatch(r"(0|[1-9]\d{0,8})(\.(0|[1-9]\d{0,8})){2}", version):
        raise Failure(f"'{version}' is not a version; use three numbers, such as 1.2.3")
    return version


def autoboot(text, slot):
    """Returns autoboot.txt for a slot, 'a' or 'b': `text` is that of slot a. It has the size of a sector, so that an update replaces
    exactly one sector."""
    other = {"2": "3", "3": "2"} if slot == "b" else {"2": "2", "3": "3"}
    text = re.sub(r"^((?:tryboot|boot)_partition=)([23])$", lambda m: m[1] + other[m[2]], text, flags=re.M)
    content = text.encode()
    if len(content) > SECTOR:
        raise Failure(f"autoboot.txt has {len(content)} bytes; {SECTOR} are possible")
    return content + b"\n" * (SECTOR - len(content))


def certificate(folder, name, subject, days, issuer=None):
    """Creates a key and a certificate in `folder`, signed by the certificate `issuer` in the same folder, or by itself."""
    key, request, extensions = folder / f"{name}.key.pem", folder / f"{name}.csr", folder / f"{name}.ext"
    run("openssl", "genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    key.chmod(0o600)
    run("openssl", "req", "-new", "-key", key, "-subj", f"/CN={subject}", "-out", request)
    extensions.write_text(EXTENSIONS["signer" if issuer else "authority"])
    signer = ("-CA", folder / f"{issuer}.pem", "-CAkey", folder / f"{issuer}.key.pem") if issuer else ("-signkey", key)
    # The clock of the machine may be late or early.
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    end = begin + datetime.timedelta(days=days)
    run("openssl", "x509", "-req", "-in", request, "-extfile", extensions, *signer, "-not_before", f"{begin:%Y%m%d%H%M%SZ}",
        "-not_after", f"{end:%Y%m%d%H%M%SZ}", "-out", folder / f"{name}.pem")
    request.unlink()
    extensions.unlink()


def development_authority(folder):
    """Returns the folder with authority.pem, signer.pem and signer.key.pem. Creates them once for this checkout."""
    folder = pathlib.Path(folder)
    if not (folder / "signer.pem").exists():
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True, mode=0o700)
        certificate(part, "authority", DEVELOPMENT, 7300)
        certificate(part, "signer", DEVELOPMENT.replace("authority", "signer"), 7200, "authority")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    return folder


def check_authority(path):
    """Checks that the file has certificates of authorities only. A certificate that signs bundles would work until it is renewed."""
    text = pathlib.Path(path).read_text()
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", text, re.S)
    if not blocks or "PRIVATE KEY" in text:
        raise Failure(f"{path} must have certificates of update authorities, and no key")
    for block in blocks:
        shown = run("openssl", "x509", "-noout", "-subject", "-ext", "basicConstraints", input=block)
        if "CA:TRUE" not in shown:
            raise Failure(f"{path}: {shown.splitlines()[0]} is not an authority (CA:TRUE); use the root's certificate")
    return "".join(blocks)


def channel_authorities(root, path):
    """Returns the certificates that may sign that of the channel's web server: those of `path`, or Debian's."""
    if path:
        return pathlib.Path(path).read_text()
    return "".join(p.read_text() for p in sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt")))


def arguments(parser):
    parser.add_argument("--update-authority", metavar="CERT", help="certificate of the authority of updates")
    parser.add_argument("--update-channel", metavar="URL", help="HTTPS URL of the bundle")
    parser.add_argument("--update-channel-authority", metavar="CERT", help="authorities for the web server instead of Debian's")
    parser.add_argument("--release", metavar="N.N.N", help="version of the image, for updates")


def check_kernel(version, options):
    """RAUC 1.13 rejects each bundle with Linux 6.19 and later, whose dm-verity reports one more value (https://github.com/rauc/rauc/issues/1842)."""
    major, minor = map(int, re.match(r"(\d+)\.(\d+)", version).groups())
    if options.update_channel and (major, minor) >= (6, 19):
        raise Failure(f"Debian 13's RAUC 1.13 cannot install bundles with Linux {version}, only with Linux before 6.19; build the image with an older "
                      "kernel, or without --update-channel (board/raspberrypi/README.md)")


def install(root, board, options, development, cmake):
    """Writes the files for updates into the root file system `root`. Returns a text that names version and authority."""
    authority = options.update_authority or development_authority(development) / "authority.pem"
    (root / "etc/rauc").mkdir(parents=True, exist_ok=True)
    (root / "etc/rauc/authority.pem").write_text(check_authority(authority))
    (root / "etc/rauc/channel.pem").write_text(channel_authorities(root, options.update_channel_authority))
    shutil.rmtree(root / "usr/share/ca-certificates", ignore_errors=True)
    folder = root / "usr/lib/sealcam"
    folder.mkdir(parents=True, exist_ok=True)
    text = (board.folder / "autoboot.txt").read_text()
    for slot in "ab":
        (folder / f"autoboot-{slot}.txt").write_bytes(autoboot(text, slot))
    update = {"board": board.name, "version": check_version(options.release or project_version(cmake))}
    if options.update_channel:
        if not re.fullmatch(r"https://[^\s/]+/\S+\.raucb", options.update_channel):
            raise Failure(f"the update channel '{options.update_channel}' is not the HTTPS URL of a bundle, such as "
                          "https://updates.example/sealcam-raspberrypi.raucb")
        if board.boot == "raspberrypi" and board.kernel != "vendor":
            raise Failure("with Debian's kernel, a Raspberry Pi cannot start the other slot once, so updates never become permanent: Debian's kernel does "
                          "not give 'tryboot' to the firmware; build the image with Raspberry Pi's archive, or without --update-channel "
                          "(board/raspberrypi/README.md)")
        update["channel"] = options.update_channel
    (folder / "update.json").write_text(json.dumps(update) + "\n")
    return (f"version {update['version']}; accepts updates of " +
            (str(authority) if options.update_authority else f"the {DEVELOPMENT}; releases need --update-authority"))
