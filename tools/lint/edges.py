"""Who includes whom, and the shape of the tree: everything that follows from tools/layers.txt."""
import collections
import pathlib
import re

from source import C_LIKE_SUFFIXES, SCRIPT_SUFFIXES, Finding

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
SHARED_NAMES = {"README.md", "module.cmake", "run"}


def check_includes(tree):
    """Includes run down the layer table; siblings and private headers stay apart."""
    for source in tree.select(C_LIKE_SUFFIXES, "src", "include"):
        module = tree.module_of(source.path)
        for match in INCLUDE.finditer(source.raw):
            line = source.line_of(match.start())
            problem = include_problem(tree, source.path, module, match.group(1))
            if problem:
                yield Finding(source.path, line, problem)


def include_problem(tree, path, module, name):
    """What is wrong with one include of one file, or None."""
    if name.startswith(".") or "/../" in name:
        return f'"{name}": include as "module/file.h", from src/'
    if name.startswith("nilo/"):
        return None
    if path.startswith("include/"):
        return f'"{name}": a public header includes public headers only'
    target = tree.module_of("src/" + name)
    if target is None:
        return f'"{name}": include as "module/file.h", from src/'
    if target == module:
        return None
    if target not in tree.layers:
        return f'"{name}": no module {target} in tools/layers.txt'
    if module not in tree.layers:
        return None  # reported once, for its folder
    if pathlib.PurePosixPath(name).stem.endswith("_private"):
        return f'"{name}": a private header of {target} stays inside {target}'
    if tree.layers[target] > tree.layers[module]:
        return (f'"{name}": {module} (layer {tree.layers[module]}) may not include {target} '
                f"(layer {tree.layers[target]}): includes run downward")
    if tree.layers[target] == tree.layers[module]:
        return f'"{name}": {module} and {target} are siblings and do not include each other'
    return None


def check_modules(tree):
    """Every folder in src/ is a module of the layer table and has its README."""
    modules = {}
    for path in tree.paths:
        module = tree.module_of(path)
        if module:
            depth = 3 if path.startswith("src/lang/") else 2
            modules.setdefault("/".join(pathlib.PurePosixPath(path).parts[:depth]), module)
    for folder, module in sorted(modules.items()):
        if module not in tree.layers:
            yield Finding(folder, 1, f"module {module} is not in tools/layers.txt")
        if folder + "/README.md" not in tree.paths:
            yield Finding(folder, 1, "module without a README.md")


def check_names(tree):
    """File names are unique within src/ and within tests/, so that a name is an address."""
    for top in ("src", "tests"):
        seen = collections.defaultdict(list)
        for source in tree.select(C_LIKE_SUFFIXES | SCRIPT_SUFFIXES, top):
            name = pathlib.PurePosixPath(source.path).name
            if name not in SHARED_NAMES:
                seen[name].append(source.path)
        for name, paths in sorted(seen.items()):
            for path in paths[1:]:
                yield Finding(path, 1, f"the name {name} is taken by {paths[0]}")
