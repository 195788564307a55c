# SPDX-License-Identifier: Apache-2.0
"""Checks of what recipes of the supported series require of each other, with meta-sealcam's appends applied. series.json has the facts of
the other layers; read_series.py renews them."""
import re


def appended(world, name):
    """Returns the append of a recipe. A recipe of Sealcam can contain the version or % in its name."""
    return next((r for r in world.recipes.values() if r.path.suffix == ".bbappend" and r.get("PN") == name), None)


def options(world, name, facts):
    """Returns the options of PACKAGECONFIG that add dependencies, with the append applied."""
    enabled = set(facts.get("enabled", []))
    if append := appended(world, name):
        enabled |= set(append.get("PACKAGECONFIG").split()) & facts["options"].keys()
        enabled -= set(append.get("PACKAGECONFIG:remove").split())
    return enabled


def graph(world, series):
    """Returns the names that each recipe requires to be built."""
    result = {}
    for name, facts in world.series[series]["recipes"].items():
        result[name] = set(facts["depends"]).union(*(facts["options"][o] for o in options(world, name, facts)))
    result["sealcam"] = set(world.archive.get("DEPENDS").split() + world.archive.get("PACKAGECONFIG[libcamera]").split(",")[2].split())
    return result


def circle(edges):
    """Returns the recipes of one circle, or None."""
    finished, path = set(), []

    def visit(name):
        if name in path:
            return path[path.index(name):] + [name]
        if name in finished:
            return None
        path.append(name)
        found = next(filter(None, map(visit, sorted(edges[name]))), None)
        path.pop()
        finished.add(name)
        return found

    return next(filter(None, map(visit, sorted(edges))), None)


def circles(world):
    for series in world.series:
        edges = graph(world, series)
        if unknown := set().union(*edges.values()) - edges.keys():
            yield f"series.json has no facts of {sorted(unknown)} in {series}; add them with read_series.py"
        elif found := circle(edges):
            yield f"{series}: these recipes require each other: {' -> '.join(found)}"


def packages(world):
    """Each package that Sealcam's recipes install comes from one of them or from a known recipe."""
    own = {"sealcam", "packagegroup-sealcam-camera", "sealcam-image-init"} | set(world.archive.get("PACKAGES").split())
    required = {name for recipe in world.recipes.values() for key in recipe.values if re.match("RDEPENDS|RRECOMMENDS", key)
                for name in recipe.get(recipe.expand(key)).split() if re.fullmatch(r"[a-z0-9.+-]+", name)}
    for series, facts in world.series.items():
        known = own | {"kernel-modules"} | {p for r in facts["recipes"].values() for p in r.get("packages", [])}
        if unknown := required - known:
            yield f"{series}: no known recipe makes the packages {sorted(unknown)}; add them to PACKAGES of read_series.py"


def license_flags(world):
    """The kas file accepts the license flags of the recipes that an image needs, and no others."""
    kas = (world.top / "board/yocto/raspberrypi4-64.yml").read_text()
    accepted = set(re.search(r'LICENSE_FLAGS_ACCEPTED \+= "(.*)"', kas)[1].split())
    for series, facts in world.series.items():
        edges, needed = graph(world, series), set()
        waiting = ["sealcam"]
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting += edges.get(name, [])
        flags = {f"{flag}_{n}" for n in needed & facts["recipes"].keys() for flag in facts["recipes"][n].get("license_flags", "").split()}
        if flags != accepted:
            yield f"{series}: the image needs the license flags {sorted(flags)}, but the kas file accepts {sorted(accepted)}"


def optional(world):
    """Adding the layer changes no recipe of other layers: an append only requires a file, if the distro has the feature sealcam."""
    for recipe in world.recipes.values():
        if recipe.path.suffix == ".bbappend":
            lines = [line for line in recipe.path.read_text().splitlines() if line and not line.startswith("#")]
            name = f"{recipe.get('PN')}-sealcam.inc"
            if lines != [f"require ${{@bb.utils.contains('DISTRO_FEATURES', 'sealcam', '{name}', '', d)}}"]:
                yield f"{recipe.path.name} takes effect without the distro feature sealcam"
    if "sealcam" not in world.archive.get("REQUIRED_DISTRO_FEATURES").split():
        yield "sealcam can be built without its changes to other recipes; REQUIRED_DISTRO_FEATURES lacks sealcam"


def classes(world):
    """Returns the classes that the recipes inherit."""
    return {name for recipe in world.recipes.values() for name in recipe.inherits}


def names(world):
    """Returns the variables that the layer sets and the kickstart sources that it uses. Both belong to other layers."""
    recipes = [*world.recipes.values(), world.configuration, world.distro]
    variables = {re.split(r"[:\[]", name)[0] for recipe in recipes for name, _ in recipe.operators}
    sources = {name for file in (world.layer / "files/wic").iterdir() for name in re.findall(r"--source (\S+)", file.read_text())}
    generic = r"SEALCAM_.*|.*_sealcam|PREFERRED_PROVIDER_.*"  # own names, and names with the name of a layer or recipe
    return {name for name in variables if not re.fullmatch(generic, name)} | sources


def known(world):
    """Each class exists in all series, and some file there has each variable. Otherwise a setting has no effect, without a message."""
    for series, facts in world.series.items():
        for kind, used in (("classes", classes(world)), ("names", names(world))):
            if unknown := used - facts[kind].keys():
                yield f"the layers of {series} do not have the {kind} {sorted(unknown)}; if they are right, run read_series.py"


def versions(world):
    """README.md names the versions of the series that were read."""
    readme = (world.layer / "README.md").read_text()
    table = [[cell.strip() for cell in line.strip("| ").split("|")] for line in readme.splitlines()
             if line.startswith(("| recipe |", "| `")) and line.count("|") == 2 + len(world.series)]
    header, rows = table[0] if table else [], table[1:]
    for series, facts in world.series.items():
        if series not in header:
            yield f"README.md has no versions of {series}"
            continue
        for row in rows:
            name, given = row[0].strip("`"), row[header.index(series)]
            version = facts["recipes"].get(name, {}).get("version")
            if version != given:
                yield f"README.md has {name} {given} in {series}, but series.json has {version}"
