"""The tree that is checked, and C source seen as a checker needs it.

A `Tree` knows the files (those git would commit), the layer table, and reads each file once. A
`Source` keeps the text three ways, all with equal line numbers: `raw`; `code`, in which comments and
the insides of strings are blank; and `plain`, which is `code` without preprocessor lines. No parser: a
scan over braces is enough for function extents and top-level declarations in formatted C.
"""
import dataclasses
import pathlib
import re
import subprocess

C_SUFFIXES = {".c", ".h"}
C_LIKE_SUFFIXES = C_SUFFIXES | {".def", ".inc", ".y", ".re"}
SCRIPT_SUFFIXES = {".py", ".sh"}
TEXT_SUFFIXES = C_LIKE_SUFFIXES | SCRIPT_SUFFIXES | {".md", ".txt", ".cmake", ".json", ".toml", ""}
DATA_FOLDERS = ("tests/golden/", "tests/fuzz/corpus/", "samples/")
DATA_SUFFIXES_OF_TESTS = (".txt", ".csv", ".lp", ".json")

COMMENT_OR_STRING = re.compile(
    r'//(?:[^\n\\]|\\.)*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'', re.DOTALL)
PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.MULTILINE)
NOT_NEWLINE = re.compile(r"[^\n]")
NAME_BEFORE_PAREN = re.compile(r"([A-Za-z_]\w*)\s*\(")
NOT_NAMES = {"__attribute__", "_Alignas", "__typeof__", "typeof", "_Noreturn"}


@dataclasses.dataclass(frozen=True)
class Finding:
    path: str
    line: int
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}"


@dataclasses.dataclass(frozen=True)
class Block:
    """A top-level piece of C: a function's body, or a declaration up to its semicolon."""
    kind: str  # "function", "declaration", "type"
    name: str
    first: int  # line of its first word
    last: int  # line of its closing brace or semicolon
    text: str

    @property
    def lines(self):
        return self.last - self.first + 1


def blank(match):
    return NOT_NEWLINE.sub(" ", match.group(0))


def blank_keeping_quotes(match):
    text = match.group(0)
    if text[0] == "/":
        return blank(match)
    return text[0] + NOT_NEWLINE.sub(" ", text[1:-1]) + text[-1]


class Source:
    def __init__(self, path, raw):
        self.path = path
        self.raw = raw
        self.lines = raw.split("\n")
        self._code = None
        self._blocks = None

    @property
    def suffix(self):
        return pathlib.PurePosixPath(self.path).suffix

    @property
    def code(self):
        if self._code is None:
            self._code = COMMENT_OR_STRING.sub(blank_keeping_quotes, self.raw)
        return self._code

    @property
    def plain(self):
        return PREPROCESSOR.sub(blank, self.code)

    def line_of(self, offset):
        return self.raw.count("\n", 0, offset) + 1

    def blocks(self):
        """The top-level blocks in order."""
        if self._blocks is None:
            self._blocks = list(self._scan())
        return self._blocks

    def _scan(self):
        text = self.plain
        start = None  # offset of the current block's first character
        depth = 0
        head = None  # what stands before the outermost brace
        for match in re.finditer(r"[{};]|[^\s{};]+", text):
            token = match.group(0)
            if start is None and token != ";":
                start = match.start()
            if token == "{":
                if depth == 0 and head is None:
                    head = text[start:match.start()]
                depth += 1
            elif token == "}":
                depth = max(depth - 1, 0)
                if depth == 0 and start is not None and is_function_head(head or ""):
                    yield self._block("function", start, match.end(), head)
                    start = head = None
            elif token == ";" and depth == 0 and start is not None:
                kind = "declaration" if head is None else "type"
                yield self._block(kind, start, match.end(), head or text[start:match.start()])
                start = head = None

    def _block(self, kind, start, end, head):
        names = [n for n in NAME_BEFORE_PAREN.findall(head) if n not in NOT_NAMES]
        return Block(kind, names[0] if names else "", self.line_of(start), self.line_of(end - 1),
                     self.plain[start:end])


def is_function_head(head):
    """Whether the text before an outermost brace is a function's signature."""
    return head.rstrip().endswith(")") and "=" not in head


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self._sources = {}
        self.paths = self._list()
        self.layers = self._read_layers()

    def _list(self):
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=self.root,
                                capture_output=True, text=True)
        if listed.returncode == 0 and (self.root / ".git").exists():
            names = listed.stdout.splitlines()
        else:
            names = [str(path.relative_to(self.root)) for path in self.root.rglob("*")]
        return sorted(name for name in set(names) if (self.root / name).is_file())

    def _read_layers(self):
        table = self.root / "tools/layers.txt"
        rows = [line.split() for line in table.read_text().splitlines()
                if line and not line.startswith("#")] if table.exists() else []
        return {name: int(number) for name, number in rows}

    def source(self, path):
        if path not in self._sources:
            raw = (self.root / path).read_text(encoding="utf-8", errors="replace")
            self._sources[path] = Source(path, raw)
        return self._sources[path]

    def select(self, suffixes, *folders):
        """The sources with one of the suffixes, under one of the folders (all but data if none)."""
        for path in self.paths:
            if pathlib.PurePosixPath(path).suffix not in suffixes:
                continue
            if path.startswith(DATA_FOLDERS):
                continue
            if path.startswith("tests/") and path.endswith(DATA_SUFFIXES_OF_TESTS):
                continue
            if not folders or path.startswith(tuple(folder + "/" for folder in folders)):
                yield self.source(path)

    def module_of(self, path):
        """The module a path belongs to: src/store/x.c -> store, src/lang/sql/x.c -> sql."""
        parts = pathlib.PurePosixPath(path).parts
        if len(parts) < 3 or parts[0] != "src":
            return None
        return parts[2] if parts[1] == "lang" and len(parts) > 3 else parts[1]
