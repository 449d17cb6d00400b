"""Lengths of functions and files, with a ratchet that only turns one way.

tools/lint/ratchet.txt holds today's exceptions, one a line: `function PATH NAME LINES` or
`file PATH LINES`. A size above the limit is a finding unless it is listed with exactly that number:
what grew is a finding, and so is what shrank until its line is lowered or removed.
"""
import pathlib

from source import C_LIKE_SUFFIXES, C_SUFFIXES, SCRIPT_SUFFIXES, Finding

RATCHET = "tools/lint/ratchet.txt"
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 1000
HEADER_LINES_MAX = 400


def read_ratchet(tree):
    """{key: (lines, line in the ratchet)}; a key is ("function", path, name) or ("file", path)."""
    path = tree.root / RATCHET
    entries = {}
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        words = line.split()
        if words and not line.startswith("#"):
            entries[tuple(words[:-1])] = (int(words[-1]), number)
    return entries


def measure(tree):
    """Yields (key, lines, limit, place) of everything that has a size."""
    for source in tree.select(C_LIKE_SUFFIXES | SCRIPT_SUFFIXES):
        lines = len(source.lines) - (source.lines[-1] == "")
        limit = HEADER_LINES_MAX if source.suffix == ".h" else FILE_LINES_MAX
        yield ("file", source.path), lines, limit, 1
        if source.suffix in C_SUFFIXES:
            for block in source.blocks():
                if block.kind == "function":
                    yield (("function", source.path, block.name), block.lines, FUNCTION_LINES_MAX,
                           block.first)


def check(tree):
    """Functions of at most 70 lines, files 1,000, headers 400, but for what the ratchet holds."""
    ratchet = read_ratchet(tree)
    used = set()
    for key, lines, limit, place in measure(tree):
        held, _ = ratchet.get(key, (None, 0))
        what = f"function {key[2]}" if key[0] == "function" else pathlib.PurePosixPath(key[1]).name
        if lines <= limit:
            continue
        used.add(key)
        if held is None:
            yield Finding(key[1], place, f"{what} has {lines} lines, the limit is {limit}")
        elif lines > held:
            yield Finding(key[1], place, f"{what} grew from {held} to {lines} lines (limit {limit})")
        elif lines < held:
            yield Finding(RATCHET, ratchet[key][1], f"{what} shrank to {lines} lines: lower its line")
    for key, (_, number) in ratchet.items():
        if key not in used:
            yield Finding(RATCHET, number, f"{' '.join(key)} is within its limit: remove the line")
