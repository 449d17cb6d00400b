#!/usr/bin/env python3
"""The checks of make lint, each shown good and bad samples side by side.

A sample is a small tree, given as {path: text}; a row says which lines the check must report in it.
"""
import pathlib
import sys
import tempfile
import textwrap
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tools/lint"))
sys.path.insert(0, str(TOP / "tools"))

import banned  # noqa: E402
import contracts  # noqa: E402
import edges  # noqa: E402
import external  # noqa: E402
import leftovers  # noqa: E402
import run_tests  # noqa: E402
import sizes  # noqa: E402
from source import Source, Tree  # noqa: E402

LAYERS = "base 0\nos 1\nwire 1\nstore 5\nsql 10\ninfluxql 10\n"


def long_function(name, lines):
    return f"int {name}(void) {{\n" + "  ;\n" * (lines - 2) + "}\n"


# name of the row, check, files, expected (path, line) pairs
ROWS = [
    ("an include downward", edges.check_includes,
     {"src/store/a.c": '#include "base/err.h"\n#include "store/b_private.h"\n#include <stdio.h>\n'}, []),
    ("an include upward", edges.check_includes,
     {"src/base/a.c": '#include "base/err.h"\n#include "store/store.h"\n'}, [("src/base/a.c", 2)]),
    ("an include of a sibling", edges.check_includes,
     {"src/os/a.h": '#include "wire/json.h"\n'}, [("src/os/a.h", 1)]),
    ("an include of a sibling language", edges.check_includes,
     {"src/lang/sql/a.y": '#include "lang/influxql/ast.h"\n'}, [("src/lang/sql/a.y", 1)]),
    ("an include of another module's private header", edges.check_includes,
     {"src/store/a.c": '#include "base/x_private.h"\n'}, [("src/store/a.c", 1)]),
    ("an include of a module that is not in the table", edges.check_includes,
     {"src/store/a.c": '#include "soup/x.h"\n'}, [("src/store/a.c", 1)]),
    ("includes that do not start at src", edges.check_includes,
     {"src/store/a.c": '#include "b.h"\n#include "../base/err.h"\n'},
     [("src/store/a.c", 1), ("src/store/a.c", 2)]),
    ("an include that is only a comment's", edges.check_includes,
     {"src/base/a.c": '/* see "store/store.h" */\n'}, []),
    ("a public header that includes an inner one", edges.check_includes,
     {"include/nilo/nilo.h": '#include "nilo/store.h"\n#include "base/err.h"\n'},
     [("include/nilo/nilo.h", 2)]),
    ("a module with its README", edges.check_modules,
     {"src/base/README.md": "# base\n", "src/base/a.c": "\n", "src/lang/sql/README.md": "# sql\n"}, []),
    ("a module without one, and one that is unknown", edges.check_modules,
     {"src/base/a.c": "\n", "src/soup/README.md": "# soup\n"}, [("src/base", 1), ("src/soup", 1)]),
    ("names that differ, and READMEs", edges.check_names,
     {"src/base/a.c": "", "src/os/b.c": "", "src/base/README.md": "", "src/os/README.md": "",
      "tests/unit/base/a.c": ""}, []),
    ("a name used twice", edges.check_names,
     {"src/base/a.c": "", "src/os/a.c": ""}, [("src/os/a.c", 1)]),
    ("calls that are allowed", banned.check,
     {"src/os/a.c": "int f(void) { return open(p, 0) + pthread_create(x); }\n",
      "src/store/b.c": "int g(void) { return file->read(x) + ops.close(y) + os_file_open(z); }\n",
      "src/base/c.c": "void *h(void) { return malloc(3); } /* not strcpy(a, b) */\n",
      "src/base/d.c": 'const char *s = "system(1)"; int time; int (*write)(int);\n',
      "tests/unit/base/e.c": "int i(void) { return open(p, 0); }\n",
      "src/store/f.c": "static int bind(int x) {\n  return x;\n}\nint j(void) { return bind(1); }\n"}, []),
    ("unsafe calls, in tests too", banned.check,
     {"src/os/a.c": "void f(void) {\n  strcpy(a, b);\n  x = atoi(c);\n}\n",
      "tests/unit/base/e.c": "void g(void) { sprintf(a, b); }\n"},
     [("src/os/a.c", 2), ("src/os/a.c", 3), ("tests/unit/base/e.c", 1)]),
    ("the system called from above os", banned.check,
     {"src/store/a.c": "void f(void) {\n  pthread_mutex_lock(m);\n  fsync(1);\n  time(NULL);\n"
                       "  malloc(1);\n}\n"},
     [("src/store/a.c", line) for line in (2, 3, 4, 5)]),
    ("sizes at their limits", sizes.check,
     {"src/base/a.c": long_function("f", 70), "src/base/a.h": "\n" * 400, "src/base/b.c": "\n" * 1000}, []),
    ("sizes above their limits", sizes.check,
     {"src/base/a.c": "int x;\n" + long_function("f", 71), "src/base/a.h": "\n" * 401,
      "tools/b.py": "\n" * 1001},
     [("src/base/a.c", 2), ("src/base/a.h", 1), ("tools/b.py", 1)]),
    ("an exception that stands", sizes.check,
     {"src/base/a.c": long_function("f", 90), sizes.RATCHET: "function src/base/a.c f 90\n"}, []),
    ("an exception that grew", sizes.check,
     {"src/base/a.c": long_function("f", 91), sizes.RATCHET: "function src/base/a.c f 90\n"},
     [("src/base/a.c", 1)]),
    ("an exception that shrank, and one that is gone", sizes.check,
     {"src/base/a.c": long_function("f", 80),
      sizes.RATCHET: "# why\nfunction src/base/a.c f 90\nfile src/base/a.c 1001\n"},
     [(sizes.RATCHET, 2), (sizes.RATCHET, 3)]),
    ("contracts above, beside, and above a group", contracts.check,
     {"src/base/a.h": textwrap.dedent("""\
        #ifndef A
        #define A
        struct a;
        /* Opens. */
        int a_open(struct a **a);
        /* Closes, and
         * frees. */
        void a_close(struct a *a);
        void a_free(struct a *a);
        int a_size(const struct a *a); /* bytes */
        static inline int a_zero(void) { return 0; }
        typedef int (*a_visit)(void);
        _Static_assert(sizeof(int) == 4, "int");
        // The version.
        extern const char a_version[];
        #endif
        """)}, []),
    ("contracts that are missing", contracts.check,
     {"src/base/a.h": textwrap.dedent("""\
        /* The essay. */

        int a_open(int a);
        /* ---- a section is no contract ---- */
        int a_close(int a);
        /* Described. */
        int a_read(int a);

        extern int a_global;
        struct a {
          int x; /* metres */
        };
        int a_write(struct a *a,
                    int b);
        """)}, [("src/base/a.h", line) for line in (3, 5, 9, 13)]),
    ("text without marks", leftovers.check_marks,
     {"src/base/a.c": "/* mktemp makes names from XXXXXX; a todo list is a thing */\n"}, []),
    ("marks", leftovers.check_marks,
     {"src/base/a.c": "int x;\n/* TODO: more */\n", "docs/b.md": "FIXME\n"},
     [("src/base/a.c", 2), ("docs/b.md", 1)]),
    ("comments in words", leftovers.check_commented_code,
     {"src/base/a.c": "/* Sets x = 3 where it was 4; returns it. */\n"
                      "// for every row of the batch, once;\n// return value of err_set\n"
                      '/* `return err_set(err, ERR_PARSE, "x")` is one line; so is this. */\n'
                      'const char *s = "// x = 3;";\n'}, []),
    ("code in comments", leftovers.check_commented_code,
     {"src/base/a.c": "// x = 3;\n/* y->z += 1; */\n/*\n * if (x) {\n *   f(x, y);\n * }\n"
                      " * return a + b;\n */\n"},
     [("src/base/a.c", line) for line in (1, 2, 4, 5, 6, 7)]),
    ("tidy ends", leftovers.check_whitespace, {"a.md": "a\nb\n", "b.md": ""}, []),
    ("untidy ends", leftovers.check_whitespace,
     {"a.md": "a \nb\n", "b.md": "a", "c.md": "a\n\n"}, [("a.md", 1), ("b.md", 1), ("c.md", 3)]),
    ("links that lead somewhere", leftovers.check_links,
     {"docs/a.md": "[b](b.md#x) [c](../c.md) [d](https://x.y/z) `[e](e.md)`\n", "docs/b.md": "", "c.md": ""}, []),
    ("a link that leads nowhere", leftovers.check_links,
     {"docs/a.md": "\n[b](c.md)\n", "c.md": ""}, [("docs/a.md", 2)]),
    ("a header that compiles alone", external.check_headers,
     {"src/base/a.h": "#ifndef A\n#define A\n#include <stdint.h>\nint64_t a(void);\n#endif\n"}, []),
    ("a header that does not", external.check_headers,
     {"src/base/a.h": "#ifndef A\n#define A\n\nint64_t a(void);\n#endif\n"}, [("src/base/a.h", 4)]),
]


class Samples(unittest.TestCase):
    """One test a row, made below."""


def sample_test(check, files, expected):
    def test(self):
        with tempfile.TemporaryDirectory() as folder:
            for path, text in {"tools/layers.txt": LAYERS, **files}.items():
                target = pathlib.Path(folder, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
            found = sorted((f.path, f.line) for f in check(Tree(folder)))
            self.assertEqual(found, sorted(expected))
    return test


for row_name, row_check, row_files, row_expected in ROWS:
    setattr(Samples, f"test {row_name}", sample_test(row_check, row_files, row_expected))


class Scanning(unittest.TestCase):
    def test_blocks_have_their_extents(self):
        source = Source("a.c", textwrap.dedent("""\
            #define M(x) \\
              { x }
            static const int t[] = {1, 2};
            struct s {
              int (*f)(int);
            };
            /* a { in a comment */
            __attribute__((noinline)) static int
            f(int a) {
              if (a) { return '{'; }
              return "}"[0];
            }
            int g(void);
            """))
        self.assertEqual([(b.kind, b.name, b.first, b.last) for b in source.blocks()],
                         [("type", "", 3, 3), ("type", "", 4, 6), ("function", "f", 8, 12),
                          ("declaration", "g", 13, 13)])

    def test_the_table_of_banned_functions_reads(self):
        rules = banned.read_table(banned.TABLE.read_text())
        self.assertEqual(rules["pthread_*"][:2], (True, {"os"}))
        self.assertEqual(rules["strcpy"][:2], (False, set()))


class Counting(unittest.TestCase):
    def case(self, status, output):
        case = run_tests.ElementTree.Element("testcase", name="x", status=status)
        run_tests.ElementTree.SubElement(case, "system-out").text = output
        return run_tests.count_case(case)

    def test_cases_of_a_program_are_counted(self):
        rows = [
            ("run", "[  PASSED  ] 3 test(s).\n", (3, 0)),
            ("run", "[  PASSED  ] 3 test(s).\n[  PASSED  ] 2 test(s).\n", (5, 0)),
            ("run", "4 inputs replayed\n", (1, 0)),
            ("fail", "[  PASSED  ] 3 test(s).\n[  FAILED  ] 2 test(s), listed below:\n", (3, 2)),
            ("fail", "killed\n", (0, 1)),
        ]
        for status, output, expected in rows:
            self.assertEqual(self.case(status, output), expected, output)


if __name__ == "__main__":
    result = unittest.TextTestRunner(stream=sys.stdout).run(
        unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]))
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
