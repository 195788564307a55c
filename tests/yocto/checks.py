# SPDX-License-Identifier: Apache-2.0
"""Checks that compare board/yocto/meta-sealcam with the rest of the repository. Each check yields the faults that it finds."""
import fnmatch
import hashlib
import json
import pathlib
import re

import recipes
import requirements

# Name of a package in CMake: its recipe in openembedded-core or meta-openembedded. None: no recipe is needed.
PROVIDERS = {
    "Threads": None, "PkgConfig": None, "nlohmann_json": "nlohmann-json", "CLI11": "cli11", "Boost": "boost", "MbedTLS": "mbedtls",
    "libcbor": "libcbor", "libavcodec": "ffmpeg", "libavformat": "ffmpeg", "libavutil": "ffmpeg", "libswscale": "ffmpeg",
    "libv4l2": "v4l-utils", "libcamera": "libcamera", "libsystemd": "systemd", "libqrencode": "qrencode", "libgpiod": "libgpiod",
    "sqlite3": "sqlite3",
}

FOLDERS = {"core": "meta", "openembedded-layer": "meta-oe", "networking-layer": "meta-networking", "multimedia-layer": "meta-multimedia"}


class World:
    """The repository, or a copy of it."""

    def __init__(self, top, tree=None):
        self.top = pathlib.Path(top)
        self.tree = tree and pathlib.Path(tree)
        self.layer = self.top / "board/yocto/meta-sealcam"
        self.configuration = recipes.Recipe(self.layer / "conf/layer.conf")
        self.distro = recipes.Recipe(self.layer / "conf/distro/sealcam-distro.conf")
        settings = {"SEALCAM_FFMPEG": self.configuration.get("SEALCAM_FFMPEG"), "DISTRO_FEATURES": self.distro.get("DISTRO_FEATURES")}
        self.recipes = {p.name: recipes.Recipe(p, settings) for p in sorted(self.layer.glob("recipes-*/*/*.bb*"))}
        self.series = json.loads((pathlib.Path(__file__).parent / "series.json").read_text())
        self.archive = next(r for name, r in self.recipes.items() if re.fullmatch(r"sealcam_[\d.]+\.bb", name))
        self.checkout = self.recipes["sealcam_git.bb"]

    def version(self):
        return re.search(r"project\(sealcam VERSION ([\d.]+)", (self.top / "CMakeLists.txt").read_text())[1]


def layer(world):
    names = world.configuration.get("LAYERSERIES_COMPAT_sealcam").split()
    kas = (world.top / "board/yocto/raspberrypi4-64.yml").read_text()
    branch = re.search(r"branch: (\w+)", kas)[1]
    if branch not in names:
        yield f"the kas file builds {branch}, but the layer supports {names}"
    if world.series.keys() != set(names):
        yield f"series.json has the series {sorted(world.series)}, but the layer supports {names}"
    for recipe in world.recipes.values():
        if not recipe.get("SUMMARY") and recipe.path.suffix == ".bb":
            yield f"{recipe.path.name} has no SUMMARY"
    used = external_recipes(world)
    for series, facts in world.series.items():
        if unknown := used - facts["recipes"].keys():
            yield f"series.json has no facts of {sorted(unknown)} in {series}; add them with read_series.py"
        collections = {facts["recipes"][name]["layer"] for name in used if name in facts["recipes"]}
        if set(world.configuration.get("LAYERDEPENDS_sealcam").split()) != collections:
            yield f"LAYERDEPENDS differs from the layers that the recipes need in {series}: {sorted(collections)}"
    for folder in [FOLDERS[name] for name in sorted(collections)] + ["meta-python"]:  # meta-multimedia and meta-networking need meta-python
        if not re.search(rf"^ +{folder}:$", kas, re.M):
            yield f"the kas file lacks {folder}"
    yield from lock_file(world, kas, branch)
    if world.distro.get("DISTRO") in {r.get("PN") for r in world.recipes.values()} | set(world.archive.get("PACKAGES").split()):
        yield "the name of the distro is also the name of a recipe or package, which becomes an override"
    if f"distro: {world.distro.get('DISTRO')}\n" not in kas:
        yield "the kas file has another distro"
    readme = (world.layer / "README.md").read_text()
    for line in re.findall(r"LICENSE_FLAGS_ACCEPTED.*", kas) + [f'DISTRO = "{world.distro.get("DISTRO")}"']:
        if f"    {line}\n" not in readme:
            yield f"the kas file has {line}, but README.md has another configuration"
    if not re.search(r"maintainer: [^@\s]+@[^@\s]+.*patch", readme, re.I):
        yield "README.md does not name the maintainer and the address for patches"
    if (world.layer / "LICENSE").read_bytes() != (world.top / "LICENSE").read_bytes():
        yield "the layer's LICENSE differs from the project's"
    if not (world.layer / "SECURITY.md").is_file():
        yield "the layer has no SECURITY.md"


def lock_file(world, kas, branch):
    """Each repository of the kas file has a fixed commit: the one that series.json was read from."""
    text = (world.top / "board/yocto/raspberrypi4-64.lock.yml").read_text()
    locked = dict(re.findall(r"^    ([\w-]+):\n      commit: ([0-9a-f]{40})$", text, re.M))
    required = {name for name, body in re.findall(r"^  ([\w-]+):.*\n((?:    .*\n)+)", kas, re.M) if "url:" in body}
    if locked.keys() != required:
        yield f"the lock file has {sorted(locked)}, but the kas file {sorted(required)}"
    for name, commit in locked.items():
        if world.series[branch]["repositories"].get(name, {}).get("commit") != commit:
            yield f"the lock file has another commit of {name} than series.json; run read_series.py with the locked layers"


def external_recipes(world):
    """Returns the recipes of other layers that these recipes need or append to."""
    appended = {r.get("PN") for r in world.recipes.values() if r.path.suffix == ".bbappend"}
    optional = world.archive.get("PACKAGECONFIG[libcamera]").split(",")[2].split()
    return appended | set(world.archive.get("DEPENDS").split()) | set(optional)


def language(world):
    """Finds features that these releases removed or warn about. The parser in recipes.py also requires spaces around `=`."""
    for recipe in world.recipes.values():
        if "allarch" in recipe.inherits:
            yield f"{recipe.path.name} inherits allarch, but it depends on the architecture"
        if "WORKDIR" in "".join(file.read_text() for file in recipe.files):
            yield f"{recipe.path.name} uses WORKDIR; use UNPACKDIR for sources"
        if recipe.path.suffix == ".bb" and "core-image" not in recipe.inherits and recipe.get("EXCLUDE_FROM_WORLD") != "1":
            yield f"{recipe.path.name}: a world build without FFmpeg's license flag fails; set EXCLUDE_FROM_WORLD"


def hashed(world):
    """SEALCAM_SOURCES contains all files that a build reads, so that each change starts a new build."""
    text = (world.top / "CMakeLists.txt").read_text()
    required = {"CMakeLists.txt", "LICENSE"} | {name.split("/")[0] for name in re.findall(r"add_subdirectory\(([\w/]+)\)", text)} - {"tests"}
    required |= {f"board/{entry.name}" for entry in (world.top / "board").iterdir() if entry.name != "yocto"}
    given = set(world.checkout.get("SEALCAM_SOURCES").split())
    if required != given:
        yield f"SEALCAM_SOURCES of sealcam_git.bb lacks or needlessly contains {sorted(required ^ given)}"


def files_named(world):
    for recipe in world.recipes.values():
        for name in re.findall(r"file://(\S+)", recipe.get("SRC_URI")):
            if not (recipe.path.parent / "files" / name).is_file():
                yield f"{recipe.path.name} names {name}, which does not exist"
    named = {n for r in world.recipes.values() for n in re.findall(r"file://(\S+)", r.get("SRC_URI"))}
    for file in world.layer.glob("recipes-*/*/files/*"):
        if file.name not in named:
            yield f"no SRC_URI contains {file.name}"
    image = world.recipes["sealcam-image-camera.bb"]
    named = {value for key, value in image.values.items() if key.startswith("WKS_FILE:")}
    existing = {file.name for file in (world.layer / "files/wic").iterdir()}
    if named != existing:
        yield f"the image names {sorted(named)}, but the kickstart files are {sorted(existing)}"
    if any(name.startswith("WKS_FILE") and operator != "?=" for name, operator in image.operators):
        yield "WKS_FILE of the image cannot be replaced in local.conf; use ?="


def license(world):
    for recipe in (world.archive, world.checkout):
        required = re.fullmatch(r"file://LICENSE;md5=(\w+)", recipe.get("LIC_FILES_CHKSUM"))
        if not required or required[1] != hashlib.md5((world.top / "LICENSE").read_bytes()).hexdigest():
            yield f"{recipe.path.name}: the checksum of the license is wrong"


def version(world):
    if world.archive.get("PV") != world.version():
        yield f"{world.archive.path.name}: the version of the project is {world.version()}"
    if world.distro.get("DISTRO_VERSION") != world.version():
        yield f"{world.distro.path.name}: the version of the project is {world.version()}"
    if world.checkout.get("PV") != world.version() + "+git":
        yield f"{world.checkout.path.name}: the version of the project is {world.version()}"


PKG_CONFIG = r"^ *pkg_check_modules\(\w+(?: REQUIRED| IMPORTED_TARGET)* (\w+)(?:>=[\d.]+)?\)"


def dependencies(world):
    text = (world.top / "firmware/cmake/dependencies.cmake").read_text()
    names = re.findall(r"^ *find_package\((\w+)", text, re.M) + re.findall(PKG_CONFIG, text, re.M)
    unknown = [n for n in names if n not in PROVIDERS]
    if unknown:
        yield f"CMake uses {unknown}; add the recipe to PROVIDERS"
    required = {PROVIDERS[n] for n in names if PROVIDERS.get(n)}
    recipe = world.archive
    optional = set(recipe.get("PACKAGECONFIG[libcamera]").split(",")[2].split())
    given = set(recipe.get("DEPENDS").split()) | optional
    if required - given:
        yield f"CMake uses {sorted(required - given)}, which DEPENDS of the recipe lacks"
    if given - required:
        yield f"DEPENDS of the recipe contains {sorted(given - required)}, which CMake does not use"
    if text.count("pkg_check_modules(") != len(re.findall(PKG_CONFIG, text, re.M)):
        yield "this test does not understand a call of pkg_check_modules"


def users(world):
    for device in ("camera", "hub"):
        required = {}
        for line in (world.top / f"board/common/sealcam-{device}.sysusers").read_text().splitlines():
            if user := re.fullmatch(r'u (\S+) - "[^"]*"(?: (\S+))?', line):
                required[user[1]] = [user[2] or "/", set()]
            elif member := re.fullmatch(r"m (\S+) (\S+)", line):
                required[member[1]][1].add(member[2])
            elif line and not line.startswith("#"):
                yield f"sealcam-{device}.sysusers: unknown line: {line}"
        given = {}
        for one in world.archive.get(f"USERADD_PARAM:sealcam-{device}").split(";"):
            arguments = one.split()
            groups = set(arguments[arguments.index("--groups") + 1].split(",")) if "--groups" in arguments else set()
            given[arguments[-1]] = [arguments[arguments.index("--home-dir") + 1], groups]
        if required != given:
            yield f"sealcam-{device}: sysusers.d has {required}, the recipe {given}"


def units(world):
    for recipe in world.recipes.values():
        for package in recipe.get("SYSTEMD_PACKAGES").split() or [recipe.get("PN")]:
            for unit in recipe.get(f"SYSTEMD_SERVICE:{package}").split():
                places = [world.top / "board/common" / unit, recipe.path.parent / "files" / unit]
                found = [p for p in places if p.is_file()]
                if not found:
                    yield f"{recipe.path.name}: the unit {unit} does not exist"
                elif "[Install]" not in found[0].read_text():
                    yield f"{unit} has no section [Install]"
                if unit not in recipe.get(f"FILES:{package}"):
                    yield f"{unit} is not in the package {package}"


def state_partition(world):
    image_init = world.recipes["sealcam-image-init_1.0.bb"].path.parent / "files"
    mount = (image_init / "var-lib-sealcam.mount").read_text()
    label = re.search(r"^What=/dev/disk/by-label/(\S+)$", mount, re.M)[1]
    if f"systemd-fsck@dev-disk-by\\x2dlabel-{label.replace('-', chr(92) + 'x2d')}.service" not in mount:
        yield "the mount unit requires the file system check of another partition"
    for kickstart in (world.layer / "files/wic").iterdir():
        parts = [line.split() for line in kickstart.read_text().splitlines() if line.startswith("part ")]
        if ["--label", label] != next((p[p.index("--label"):][:2] for p in parts if label in p), None):
            yield f"{kickstart.name}: the image has no partition {label}"
        if len({p[p.index("--ondisk") + 1] for p in parts}) != 1:
            yield f"{kickstart.name}: the partitions are on different disks"
        for part in parts:
            if part[1].startswith("/") and part[1] != "/" and not ("--use-label" in part and "nofail" in part[-1]):
                yield f"{kickstart.name}: without {part[1]} on the disk of this name, the board does not start; use --use-label and nofail"
    required = {"e2fsprogs-e2fsck", "util-linux-fsck"} - set(world.recipes["sealcam-image-init_1.0.bb"].get("RDEPENDS:sealcam-image-init").split())
    if required:
        yield f"the mount requires {sorted(required)}, which RDEPENDS lacks"
    if "Requires=var-lib-sealcam.mount" not in (image_init / "sealcam-camera-state.conf").read_text():
        yield "the camera does not require its state partition"


def image(world):
    recipe = world.recipes["sealcam-image-camera.bb"]
    if "read-only-rootfs" not in recipe.get("IMAGE_FEATURES").split():
        yield "the root file system is writable"
    missing = {"allow-empty-password", "allow-root-login", "empty-root-password", "ssh-server-dropbear",
               "ssh-server-openssh"} - set(recipe.get("IMAGE_FEATURES:remove").split())
    if missing:
        yield f"IMAGE_FEATURES:remove lacks {sorted(missing)}"
    if "sealcam_no_login" not in recipe.get("IMAGE_QA_COMMANDS"):
        yield "the image is not checked for logins"
    # OE-Core's classes are inherited after the recipe, and they lock root's password. A command that += adds runs too early.
    if "sealcam_mask_logins" not in recipe.get("ROOTFS_POSTPROCESS_COMMAND") or (
            "ROOTFS_POSTPROCESS_COMMAND", ":append") not in recipe.operators:
        yield "logins are masked too early or not at all"


def packages(world):
    """Each installed file is in exactly one package. Needs a tree from `cmake --install`."""
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


STATIC = [layer, language, hashed, files_named, license, version, dependencies, users, units, state_partition, image, requirements.circles,
          requirements.packages, requirements.license_flags, requirements.optional, requirements.known,
          requirements.versions]
