"""Every function and object that a header offers says what it promises."""
import re

from source import Finding

SECTION = re.compile(r"^/\* *-+.*-+ *\*/$")
TRANSPARENT = re.compile(r"^\s*#")


def check(tree):
    """An extern in a header has a comment directly above it, beside it, or above its group."""
    for source in tree.select({".h"}, "src", "include"):
        covered_through = 0  # last line of a group whose head has a comment
        for block in source.blocks():
            above = line_above(source, block.first)
            covered = is_comment_end(source.lines[above - 1]) if above else False
            covered = covered or (above and above == covered_through)
            covered = covered or "*/" in source.lines[block.last - 1] or "//" in source.lines[
                block.last - 1]
            if covered:
                covered_through = block.last
            elif is_extern(block):
                yield Finding(source.path, block.first,
                              f"{block.name or 'this extern'} has no contract comment above it")


def line_above(source, first):
    """The number of the nearest line above that is no preprocessor line; 0 if there is none."""
    above = first - 1
    while above and TRANSPARENT.match(source.lines[above - 1]):
        above -= 1
    return above


def is_comment_end(line):
    text = line.strip()
    return (text.endswith("*/") and not SECTION.match(text)) or text.startswith("//")


def is_extern(block):
    if block.kind != "declaration":
        return False
    first = re.match(r"\w*", block.text)[0]
    if first in ("typedef", "static", "_Static_assert", "static_assert"):
        return False
    return "(" in block.text or first == "extern"
