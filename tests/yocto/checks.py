# SPDX-License-Identifier: Apache-2.0
"""What has to hold between board/yocto/meta-sealcam and the rest of the repository. Each check gives its complaints."""
import fnmatch
import hashlib
import pathlib
import re

import recipes

# What CMake calls it: the recipe it comes from in openembedded-core and meta-openembedded. None: no recipe is needed.
PROVIDERS = {
    "Threads": None, "PkgConfig": None, "nlohmann_json": "nlohmann-json", "CLI11": "cli11", "Boost": "boost", "MbedTLS": "mbedtls",
    "libcbor": "libcbor", "libavcodec": "ffmpeg", "libavformat": "ffmpeg", "libavutil": "ffmpeg", "libswscale": "ffmpeg",
    "libv4l2": "v4l-utils", "libcamera": "libcamera", "libsystemd": "systemd", "libqrencode": "qrencode", "libgpiod": "libgpiod",
}

# In whose layers the recipes are, and the classes that recipes inherit: as read there, for wrynose and blacksail.
COLLECTIONS = {
    "boost": "core", "ffmpeg": "core", "systemd": "core", "libcamera": "multimedia-layer", "mbedtls": "networking-layer",
} | {name: "openembedded-layer" for name in ("cli11", "libcbor", "libgpiod", "nlohmann-json", "qrencode", "v4l-utils")}
FOLDERS = {"core": "meta", "openembedded-layer": "meta-oe", "networking-layer": "meta-networking", "multimedia-layer": "meta-multimedia"}
CLASSES = {"cmake", "core-image", "externalsrc", "features_check", "packagegroup", "pkgconfig", "systemd", "useradd"}


class World:
    """The repository, or a copy of it."""

    def __init__(self, top, tree=None):
        self.top = pathlib.Path(top)
        self.tree = tree and pathlib.Path(tree)
        self.layer = self.top / "board/yocto/meta-sealcam"
        self.recipes = {p.name: recipes.Recipe(p) for p in sorted(self.layer.glob("recipes-*/*/*.bb*"))}
        self.archive = next(r for name, r in self.recipes.items() if re.fullmatch(r"sealcam_[\d.]+\.bb", name))
        self.checkout = self.recipes["sealcam_git.bb"]

    def version(self):
        return re.search(r"project\(sealcam VERSION ([\d.]+)", (self.top / "CMakeLists.txt").read_text())[1]


def layer(world):
    text = (world.layer / "conf/layer.conf").read_text()
    series = re.search(r'LAYERSERIES_COMPAT_sealcam = "(.*)"', text)[1].split()
    kas = (world.top / "board/yocto/raspberrypi4-64.yml").read_text()
    branch = re.search(r"branch: (\w+)", kas)[1]
    if branch not in series:
        yield f"the kas file builds {branch}, the layer is for {series}"
    for recipe in world.recipes.values():
        if not recipe.get("SUMMARY") and recipe.path.suffix == ".bb":
            yield f"{recipe.path.name} has no SUMMARY"
    names = names_of_others(world)
    for name in names - COLLECTIONS.keys():
        yield f"{name}: in which layer is that?"
    collections = {COLLECTIONS[name] for name in names & COLLECTIONS.keys()}
    if set(re.search(r'LAYERDEPENDS_sealcam = "(.*)"', text)[1].split()) != collections:
        yield f"the layer's dependencies are others than the recipes need: {sorted(collections)}"
    for folder in [FOLDERS[name] for name in sorted(collections)] + ["meta-python"]:  # others of them need meta-python
        if not re.search(rf"^ +{folder}:$", kas, re.M):
            yield f"the kas file is without {folder}"
    readme = (world.layer / "README.md").read_text()
    for line in re.findall(r"(?:LICENSE_FLAGS_ACCEPTED|PREFERRED_PROVIDER|INIT_MANAGER).*", kas):
        if f"    {line}\n" not in readme:
            yield f"the kas file has {line}, README.md another configuration"
    if not re.search(r"maintainer: [^@\s]+@[^@\s]+.*patch", readme, re.I):
        yield "README.md does not say who maintains the layer and where patches go"


def names_of_others(world):
    """The recipes of other layers that these recipes need or append to."""
    appended = {r.get("PN") for r in world.recipes.values() if r.path.suffix == ".bbappend"}
    optional = world.archive.get("PACKAGECONFIG[libcamera]").split(",")[2].split()
    return appended | set(world.archive.get("DEPENDS").split()) | set(optional)


def language(world):
    """What was taken out of these releases, and what they warn of. The parser itself wants spaces around `=`."""
    for recipe in world.recipes.values():
        for unknown in set(recipe.inherits) - CLASSES:
            yield f"{recipe.path.name} inherits {unknown}; it needs what differs between architectures" if unknown == "allarch" else \
                f"{recipe.path.name} inherits {unknown}, which nobody looked up"
        if "WORKDIR" in "".join(file.read_text() for file in recipe.files):
            yield f"{recipe.path.name} names WORKDIR; sources are in UNPACKDIR"
        if recipe.path.suffix == ".bb" and "core-image" not in recipe.inherits and recipe.get("EXCLUDE_FROM_WORLD") != "1":
            yield f"{recipe.path.name}: a world build without FFmpeg's licence flag ends here"


def hashed(world):
    """What decides whether the checkout is built again: all that a build reads."""
    text = (world.top / "CMakeLists.txt").read_text()
    wanted = {"CMakeLists.txt", "LICENSE"} | {name.split("/")[0] for name in re.findall(r"add_subdirectory\(([\w/]+)\)", text)} - {"tests"}
    wanted |= {f"board/{entry.name}" for entry in (world.top / "board").iterdir() if entry.name != "yocto"}
    given = set(world.checkout.get("SEALCAM_SOURCES").split())
    if wanted != given:
        yield f"sealcam_git.bb hashes not or needlessly {sorted(wanted ^ given)}"


def files_named(world):
    for recipe in world.recipes.values():
        for name in re.findall(r"file://(\S+)", recipe.get("SRC_URI")):
            if not (recipe.path.parent / "files" / name).is_file():
                yield f"{recipe.path.name} names {name}, which is not there"
    named = {n for r in world.recipes.values() for n in re.findall(r"file://(\S+)", r.get("SRC_URI"))}
    for file in world.layer.glob("recipes-*/*/files/*"):
        if file.name not in named:
            yield f"{file.name} is in no SRC_URI"
    kickstart = world.recipes["sealcam-image-camera.bb"].get("WKS_FILE:rpi")
    if not (world.layer / "files/wic" / kickstart).is_file():
        yield f"{kickstart} is not there"


def licence(world):
    for recipe in (world.archive, world.checkout):
        wanted = re.fullmatch(r"file://LICENSE;md5=(\w+)", recipe.get("LIC_FILES_CHKSUM"))
        if not wanted or wanted[1] != hashlib.md5((world.top / "LICENSE").read_bytes()).hexdigest():
            yield f"{recipe.path.name}: the licence's checksum is another one"


def version(world):
    if world.archive.get("PV") != world.version():
        yield f"{world.archive.path.name}: the project is {world.version()}"
    if world.checkout.get("PV") != world.version() + "+git":
        yield f"{world.checkout.path.name}: the project is {world.version()}"


def dependencies(world):
    text = (world.top / "firmware/cmake/dependencies.cmake").read_text()
    names = re.findall(r"^ *find_package\((\w+)", text, re.M) + re.findall(r"^ *pkg_check_modules\(\w+[^)]*?(lib\w+)(?:>=[\d.]+)?\)", text, re.M)
    unknown = [n for n in names if n not in PROVIDERS]
    if unknown:
        yield f"CMake looks for {unknown}; which recipe is that?"
    wanted = {PROVIDERS[n] for n in names if PROVIDERS.get(n)}
    recipe = world.archive
    optional = set(recipe.get("PACKAGECONFIG[libcamera]").split(",")[2].split())
    given = set(recipe.get("DEPENDS").split()) | optional
    if wanted - given:
        yield f"CMake looks for {sorted(wanted - given)}, which the recipe does not name"
    if given - wanted:
        yield f"the recipe names {sorted(given - wanted)}, which CMake does not look for"
    if (world.top / "firmware/cmake/dependencies.cmake").read_text().count("pkg_check_modules(") != len(
            re.findall(r"pkg_check_modules\(\w+[^)]*?lib\w+", text)):
        yield "a pkg_check_modules is not understood"


def users(world):
    for device in ("camera", "hub"):
        wanted = {}
        for line in (world.top / f"board/common/sealcam-{device}.sysusers").read_text().splitlines():
            if user := re.fullmatch(r'u (\S+) - "[^"]*"(?: (\S+))?', line):
                wanted[user[1]] = [user[2] or "/", set()]
            elif member := re.fullmatch(r"m (\S+) (\S+)", line):
                wanted[member[1]][1].add(member[2])
            elif line and not line.startswith("#"):
                yield f"sealcam-{device}.sysusers: not understood: {line}"
        given = {}
        for one in world.archive.get(f"USERADD_PARAM:sealcam-{device}").split(";"):
            words = one.split()
            groups = set(words[words.index("--groups") + 1].split(",")) if "--groups" in words else set()
            given[words[-1]] = [words[words.index("--home-dir") + 1], groups]
        if wanted != given:
            yield f"sealcam-{device}: sysusers.d has {wanted}, the recipe {given}"


def units(world):
    for recipe in world.recipes.values():
        for package in recipe.get("SYSTEMD_PACKAGES").split() or [recipe.get("PN")]:
            for unit in recipe.get(f"SYSTEMD_SERVICE:{package}").split():
                places = [world.top / "board/common" / unit, recipe.path.parent / "files" / unit]
                found = [p for p in places if p.is_file()]
                if not found:
                    yield f"{recipe.path.name}: the unit {unit} is not there"
                elif "[Install]" not in found[0].read_text():
                    yield f"{unit} cannot be enabled"
                if unit not in recipe.get(f"FILES:{package}"):
                    yield f"{unit} is not in the package {package}"


def state_partition(world):
    appliance = world.recipes["sealcam-appliance_1.0.bb"].path.parent / "files"
    mount = (appliance / "var-lib-sealcam.mount").read_text()
    label = re.search(r"^What=/dev/disk/by-label/(\S+)$", mount, re.M)[1]
    if f"systemd-fsck@dev-disk-by\\x2dlabel-{label.replace('-', chr(92) + 'x2d')}.service" not in mount:
        yield "another partition is looked over than is mounted"
    kickstart = (world.layer / "files/wic/sealcam-raspberrypi.wks").read_text()
    if f"--label {label} " not in kickstart:
        yield f"no card has a partition {label}"
    if "Requires=var-lib-sealcam.mount" not in (appliance / "sealcam-camera-state.conf").read_text():
        yield "the camera starts without its state"


def image(world):
    recipe = world.recipes["sealcam-image-camera.bb"]
    if "read-only-rootfs" not in recipe.get("IMAGE_FEATURES").split():
        yield "the root can be written"
    missing = {"allow-empty-password", "allow-root-login", "empty-root-password", "ssh-server-dropbear",
               "ssh-server-openssh"} - set(recipe.get("IMAGE_FEATURES:remove").split())
    if missing:
        yield f"{sorted(missing)} could be had from outside"
    if "sealcam_no_login" not in recipe.get("IMAGE_QA_COMMANDS"):
        yield "logins are not looked for"
    # OE-Core's classes are inherited after the recipe: what += adds comes first, before root's password is locked.
    if "sealcam_mask_logins" not in recipe.get("ROOTFS_POSTPROCESS_COMMAND") or (
            "ROOTFS_POSTPROCESS_COMMAND", ":append") not in recipe.operators:
        yield "logins are masked too early or not at all"


def packages(world):
    """Needs a tree that cmake --install made."""
    recipe, tree = world.archive, world.tree
    module = next(tree.glob("usr/lib/**/sealcam/sealcam-replay.so"))
    recipe.values["libdir"] = "/" + str(module.parent.parent.relative_to(tree))  # Debian's sysroot has multiarch folders
    names = recipe.get("PACKAGES").split() + [recipe.get("PN")]
    unused = {(package, entry) for package in names for entry in recipe.get(f"FILES:{package}").split()}
    for file in sorted(p for p in tree.rglob("*") if not p.is_dir() or p.is_symlink()):
        path = "/" + str(file.relative_to(tree))
        claims = [(package, entry) for package in names for entry in recipe.get(f"FILES:{package}").split()
                  if fnmatch.fnmatchcase(path, entry) or path.startswith(entry + "/")]
        if len(claims) != 1:
            yield f"{path} is in {len(claims)} packages: {claims}"
        unused.difference_update(claims)
    for package, entry in sorted(unused):
        yield f"{package} names {entry}, which is not installed"


STATIC = [layer, language, hashed, files_named, licence, version, dependencies, users, units, state_partition, image]
