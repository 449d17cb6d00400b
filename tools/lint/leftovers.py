"""What was left behind: marks of unfinished work, code in comments, untidy ends of lines, dead links."""
import os
import pathlib
import re

from source import C_SUFFIXES, COMMENT_OR_STRING, TEXT_SUFFIXES, Finding

MARK = re.compile(r"\b(TODO|FIXME|XXX|HACK|TBD)\b")
ABOUT_MARKS = ("tools/lint/", "tests/lint/")
STATEMENT = re.compile(
    r"^(?:(?:if|for|while|switch)\s*\(.*\)\s*[{;]?.*[;{]"
    r"|(?:do|else)\s*\{|(?:break|continue|return);|return [\w\->.()\[\]]+(?: \S{1,2} \S+)*;"
    r"|\}?\s*(?:else\b.*)?[{}];?"
    r"|(?:const\s+|static\s+|struct\s+)*[A-Za-z_][\w\->.\[\]*& ]*\s(?:[+\-*/|&^]|<<|>>)?=\s.*;"
    r"|[A-Za-z_][\w\->.\[\]]*\(.*\);"
    r"|#\s*(?:include|define|if|ifdef|ifndef|endif)\b.*)$")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def check_marks(tree):
    """No mark of unfinished work: what is left to do is done, or is an issue."""
    for source in tree.select(TEXT_SUFFIXES):
        if source.path.startswith(ABOUT_MARKS) or source.path == "LICENSE":
            continue
        for number, line in enumerate(source.lines, 1):
            match = MARK.search(line)
            if match:
                yield Finding(source.path, number, f"leftover mark {match.group(1)}")


def check_commented_code(tree):
    """No code in comments: git remembers it."""
    for source in tree.select(C_SUFFIXES):
        for match in COMMENT_OR_STRING.finditer(source.raw):
            text = match.group(0)
            if not text.startswith(("//", "/*")):
                continue
            first = source.line_of(match.start())
            for offset, line in enumerate(text.split("\n")):
                stripped = line.strip().removeprefix("/*").removesuffix("*/").strip()
                stripped = stripped.lstrip("*/").strip()
                if stripped and STATEMENT.match(stripped):
                    yield Finding(source.path, first + offset, f"code in a comment: {stripped}")


def check_whitespace(tree):
    """Lines end without blanks, files with one line end, and no line end is CR LF."""
    for source in tree.select(TEXT_SUFFIXES):
        for number, line in enumerate(source.lines, 1):
            if line != line.rstrip():
                what = "CR LF" if line.endswith("\r") else "blanks at the end of the line"
                yield Finding(source.path, number, what)
        if source.raw and (not source.raw.endswith("\n") or source.raw.endswith("\n\n")):
            yield Finding(source.path, len(source.lines), "the file does not end with one line end")


def check_links(tree):
    """A link from one page to another leads somewhere."""
    for source in tree.select({".md"}):
        folder = pathlib.PurePosixPath(source.path).parent
        for number, line in enumerate(source.lines, 1):
            for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
                if ":" in target:
                    continue
                path = os.path.normpath(folder / target)
                if not (tree.root / path).exists():
                    yield Finding(source.path, number, f"the link {target} leads nowhere")
