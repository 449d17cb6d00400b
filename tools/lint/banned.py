"""Calls that the project does not make, by the table in banned.txt."""
import pathlib
import re

from source import C_SUFFIXES, Finding

TABLE = pathlib.Path(__file__).resolve().parent / "banned.txt"
CODE_FOLDERS = ("src", "include", "tests", "bench", "examples")
CALL = re.compile(r"(?<![\w.])(?<!->)([A-Za-z_]\w*)\s*\(")


def read_table(text):
    """{name or prefix*: (in src only, modules that may, instead)}"""
    rules = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        names, where, modules, instead = (part.strip() for part in line.split("|"))
        allowed = set() if modules == "-" else set(modules.split(","))
        for name in names.split():
            rules[name] = (where == "src", allowed, instead)
    return rules


def check(tree):
    """No banned call outside the modules that may make it."""
    rules = read_table(TABLE.read_text())
    prefixes = [name[:-1] for name in rules if name.endswith("*")]
    for source in tree.select(C_SUFFIXES, *CODE_FOLDERS):
        module = tree.module_of(source.path)
        own = {block.name for block in source.blocks() if block.text.startswith("static")}
        for match in CALL.finditer(source.code):
            name = match.group(1)
            if name in own:
                continue
            rule = rules.get(name)
            if rule is None:
                prefix = next((p for p in prefixes if name.startswith(p)), None)
                rule = rules[prefix + "*"] if prefix else None
            if rule is None:
                continue
            only_src, allowed, instead = rule
            if (only_src and module is None) or module in allowed:
                continue
            where = f" outside {', '.join(sorted(allowed))}" if allowed else ""
            yield Finding(source.path, source.line_of(match.start(1)),
                          f"{name} is not called{where}: use {instead}")
