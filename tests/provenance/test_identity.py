"""The identity of code by its meaning."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from vicious.provenance import identity
from vicious.provenance.identity import dynamic_lookups, forget, meaning, reached
from vicious.provenance.origin import of_other_code
from vicious.provenance.record import code_of, write_provenance
from vicious.provenance.records import Record, read_record
from vicious.study.config import load_params
from vicious.study.plan import Plan
from vicious.system.errors import ProvenanceError

REAL = identity._SOURCE

PACKAGE = {
    "__init__.py": "",
    "system/__init__.py": "",
    "system/errors.py": "class DataError(Exception): ...",
    "system/progress.py": "def tell(line): print(line)",
    "tables.py": "TABLE = {}\ndef register(f):\n    TABLE[f.__name__] = f\n    return f",
    "places.py": "def prepared(name):\n    return name + '.npz'\ndef unused():\n    return 1",
    "work.py": """
import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.linalg import eigh

from vicious import places
from vicious.system.errors import DataError
from vicious.system.progress import tell

if TYPE_CHECKING:
    from vicious.study import Params

log = logging.getLogger(__name__)
SCALE = 2.0
LOW, HIGH = 0.0, 1.0


@dataclass
class Box:
    '''A box.'''

    wide: float
    high: float = 3.0

    def area(self) -> float:
        return self.wide * self.high


def run(x: float, share=LOW):
    '''Do it.'''
    if x < 0:
        raise DataError(f"{x} is negative: " + hint(x)) from None
    log.info("running %s", x)
    warnings.warn("slow", stacklevel=2)
    tell("running")
    values, _ = np.linalg.eigh(helper(x))
    return places.prepared("a"), values * SCALE + share, Box(1.0).area()


def helper(x):
    return eigh(np.eye(3) * x)


def hint(x):
    return f"did you mean {-x}?"


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n > 0 and even(n - 1)
""",
}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A made-up package that may be edited."""
    root = tmp_path / "vicious"
    monkeypatch.setattr(identity, "_SOURCE", root)
    write(root, PACKAGE)
    yield root
    forget()


def write(root: Path, files: Any) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    forget()


def of(root: Path, files: Any, *entries: Any) -> str:
    write(root, files)
    return meaning(*entries)


def edited(root: Path, file: str, old: str, new: str, *entries: str) -> tuple[Any, Any]:
    """The meaning before and after a file is edited."""
    text = (root / file).read_text()
    assert old in text
    before = of(root, {}, *entries)
    return before, of(root, {file: text.replace(old, new)}, *entries)


@pytest.mark.parametrize(
    ("old", "new", "also"),
    [
        ("'''Do it.'''", "'''Does\n    it.'''", {}),
        ("    '''Do it.'''\n", "", {}),
        ("SCALE = 2.0", "# why\nSCALE = 2.0\n'''What it is.'''", {}),
        ("SCALE = 2.0", "SCALE: float = (2.00)", {}),
        ("SCALE", "FACTOR", {}),
        ("LOW", "LOWEST", {}),
        ("x: float, share=LOW", "x: 'np.ndarray', share: float = LOW", {}),
        ("wide: float", "wide: int", {}),
        ("-> float", "-> 'Params'", {}),
        (" is negative: ", " is below 0: ", {}),
        (" + hint(x)) from None", ")", {}),
        ("running %s", "at work on %s", {}),
        ('    log.info("running %s", x)\n', "", {}),
        ('    log.info("running %s", x)\n', "    logging.info('z')\n", {}),
        ('    warnings.warn("slow", stacklevel=2)\n', "", {}),
        ('    tell("running")\n', "", {}),
        ("did you mean", "perhaps", {}),
        ("import numpy as np", "import numpy as numeric", {"np.": "numeric."}),
        ("import numpy as np", "import numpy", {"np.": "numpy."}),
        (
            "from numpy.linalg import eigh",
            "from numpy.linalg import eigh as eigh_of",
            {"return eigh(": "return eigh_of("},
        ),
        ("from vicious.study import Params", "from vicious.studies import Study", {}),
        ("    from vicious.study import Params", "    pass\nelse:\n    pass", {}),
        ("def odd", "def unused():\n    return TABLE[1]\n\n\ndef odd", {}),
        ("return n == 0", "return n == 1", {}),
        ("helper", "covariance", {}),
    ],
)
def test_what_does_not_change_what_is_computed_does_not_count(source: Any, old: str, new: str, also: Any) -> None:
    text = (source / "work.py").read_text().replace(old, new)
    for name, other in also.items():
        text = text.replace(name, other)
    assert text != (source / "work.py").read_text()
    before = of(source, {}, "vicious.work:run")
    assert of(source, {"work.py": text}, "vicious.work:run") == before


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_line_endings_do_not_count(source: Any, ending: str) -> None:
    before = of(source, {}, "vicious.work:run")
    for file in source.rglob("*.py"):
        file.write_bytes(file.read_bytes().replace(b"\n", ending.encode()))
    assert of(source, {}, "vicious.work:run") == before


def test_git_is_told_to_keep_line_endings_whatever_its_settings() -> None:
    assert "* text=auto eol=lf" in (REAL.parents[1] / ".gitattributes").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("work.py", "SCALE = 2.0", "SCALE = 2"),
        ("work.py", "SCALE = 2.0", "SCALE = 2.0\nSCALE = 3.0"),
        ("work.py", "LOW, HIGH", "HIGH, LOW"),
        ("work.py", "share=LOW", "share=HIGH"),
        ("work.py", "x: float, share", "share, x"),
        ("work.py", "if x < 0", "if x <= 0"),
        ("work.py", "raise DataError(", "raise ValueError("),
        ("work.py", "wide: float\n    high: float = 3.0", "high: float = 3.0\n    wide: float"),
        ("work.py", "high: float = 3.0", "high: float"),
        ("work.py", "high: float = 3.0", "high: ClassVar[float] = 3.0"),
        ("work.py", "high: float = 3.0", "high = 3.0"),
        ("work.py", "wide * self.high", "wide + self.high"),
        ("work.py", "@dataclass", "@dataclass(frozen=True)"),
        ("work.py", "from numpy.linalg import eigh", "from scipy.linalg import eigh"),
        ("work.py", "np.eye(3)", "np.ones(3)"),
        ("work.py", "np.eye(3)", "np.eye('3')"),
        ("work.py", 'prepared("a")', 'prepared("b")'),
        ("places.py", ".npz", ".npy"),
        ("places.py", "def prepared(name):", "@cache\ndef prepared(name):"),
    ],
)
def test_what_changes_what_is_computed_counts(source: Any, file: str, old: str, new: str) -> None:
    before, after = edited(source, file, old, new, "vicious.work:run")
    assert before != after


def test_it_is_16_hex_digits_and_the_order_of_entries_does_not_matter(source: Any) -> None:
    one = meaning("vicious.work:run", "vicious.places:unused")
    assert len(one) == 16
    assert int(one, 16) >= 0
    assert one == meaning("vicious.places:unused", "vicious.work:run") != meaning("vicious.work:run")


def test_an_entry_may_be_named_where_it_is_imported(source: Any) -> None:
    assert of(source, {"a.py": "from vicious.places import prepared"}, "vicious.a:prepared") == meaning(
        "vicious.places:prepared"
    )


def test_a_method_may_be_an_entry_without_its_class(source: Any) -> None:
    write(
        source,
        {
            "a.py": "class A:\n    x: int = 1\n    def run(self):\n        return self.y(2)\n"
            "    def y(self):\n        return 3"
        },
    )
    for old, counts in (("1", False), ("2", True), ("3", True)):
        before, after = edited(source, "a.py", old, "7", "vicious.a:A.run")
        assert (before != after) == counts, old
    assert reached("vicious.a:A.run") == ["vicious.a:A.run", "vicious.a:A.y"]


def test_only_what_is_reached_counts(source: Any) -> None:
    before, after = edited(source, "places.py", "return 1", "return 2", "vicious.work:run")
    assert before == after
    assert "vicious.work:hint" not in reached("vicious.work:run")
    assert {"vicious.places:prepared", "vicious.work:Box", "vicious.work:SCALE"} < set(reached("vicious.work:run"))


def test_definitions_that_call_each_other_count_together(source: Any) -> None:
    before, after = edited(source, "work.py", "n == 0 or", "n == 1 or", "vicious.work:odd")
    assert before != after


def test_two_definitions_of_one_name_are_not_mixed_up(source: Any) -> None:
    write(source, {"one.py": "def f():\n    return 1", "two.py": "def f():\n    return 2"})
    both = "from vicious import one, two\ndef run():\n    return one.f() - two.f()"
    assert of(source, {"a.py": both}, "vicious.a:run") != of(
        source, {"a.py": both.replace("one.f() - two.f()", "two.f() - one.f()")}, "vicious.a:run"
    )


PLACED = "def run():\n    return 0, {}('a')"


@pytest.mark.parametrize(
    ("imports", "used"),
    [
        ("from vicious import places", "places.prepared"),
        ("from vicious import places as p", "p.prepared"),
        ("from vicious.places import prepared", "prepared"),
        ("from vicious.places import prepared as named", "named"),
        ("import vicious.places", "vicious.places.prepared"),
        ("import vicious.places as there", "there.prepared"),
        ("from . import places", "places.prepared"),
        ("from .places import prepared", "prepared"),
        ("from vicious.inner import prepared", "prepared"),
        ("from vicious.inner import moved", "moved.renamed"),
        ("from vicious import inner", "inner.moved.renamed"),
    ],
)
def test_the_way_to_a_definition_does_not_count(source: Any, imports: str, used: str) -> None:
    write(
        source,
        {
            "inner/__init__.py": "from vicious.places import prepared",
            "inner/moved.py": "def renamed(name):\n    return name + '.npz'",
        },
    )
    before = of(source, {"a.py": "from vicious.places import prepared\n" + PLACED.format("prepared")}, "vicious.a:run")
    after = of(source, {"a.py": f"{imports}\n{PLACED.format(used)}"}, "vicious.a:run")
    inside = of(source, {"a.py": f"def run():\n    {imports}\n    return 0, {used}('a')"}, "vicious.a:run")
    assert before == after == inside


def test_a_local_name_hides_that_of_the_module(source: Any) -> None:
    write(source, {"a.py": "from vicious.places import prepared\nN = 1\n"})
    shadowed = {
        "an argument": "def run(N):\n    return N",
        "a variable": "def run(x):\n    N = x\n    return N",
        "a comprehension": "def run(x):\n    return [N for N in x]",
        "a lambda": "def run(x):\n    return lambda N: N",
        "a handler": "def run(x):\n    try:\n        x()\n    except OSError as N:\n        return N",
        "a match": "def run(x):\n    match x:\n        case [N, *_]:\n            return N",
        "a walrus": "def run(x):\n    return (N := x) and N",
        "an import": "def run(x):\n    import json as N\n    return N.dumps(x)",
        "an enclosing function": "def run(N):\n    def inner():\n        return N\n    return inner",
        "a class's name is seen in methods": "class run:\n    def f(self, N):\n        return N",
    }
    for text in shadowed.values():
        write(source, {"a.py": f"N = 1\n{text}"})
        assert reached("vicious.a:run") == ["vicious.a:run"], text
    seen = {
        "a method does not see the class's names": "class run:\n    N = 0\n    def f(self):\n        return N",
        "the first iterable": "def run(x):\n    return [N for N in N]",
        "global": "def run(x):\n    global N\n    N = x",
        "a name not yet bound in a class": "class run:\n    N = N",
        "a default": "def run(N=N):\n    return N",
        "a decorator": "class run:\n    @N\n    def f(self):\n        return 0",
        "a base": "class run(N):\n    pass",
        "an attribute that is set": "def run(x):\n    N.x = x",
    }
    for text in seen.values():
        write(source, {"a.py": f"N = 1\n{text}"})
        assert reached("vicious.a:run") == ["vicious.a:N", "vicious.a:run"], text


@pytest.mark.parametrize(
    "binding",
    [
        "X = 1",
        "X: int = 1",
        "X, Y = 1, 2",
        "X = Y = 1",
        "X = 0\nX += 1",
        "if Y:\n    X = 1\nY = 0",
        "try:\n    from json import X\nexcept ImportError:\n    X = 1",
        "for X in range(1):\n    pass",
        "with open('1') as X:\n    pass",
        "X = 0\ndef setter():\n    global X\n    X = 1",
        "(X := 1)",
    ],
)
def test_every_kind_of_binding_is_followed(source: Any, binding: str) -> None:
    write(source, {"a.py": f"{binding}\ndef run():\n    return X"})
    before, after = edited(source, "a.py", "1", "7", "vicious.a:run")
    assert before != after


@pytest.mark.parametrize(
    "effect",
    [
        "TABLE['x'] = 1",
        "TABLE.update(x=1)",
        "for one in 'ab':\n    TABLE[one] = 1",
        "if TABLE:\n    TABLE[0] = 1",
        "TABLE |= {0: 1}",
        "with TABLE:\n    f(1)",
        "try:\n    f(1)\nfinally:\n    pass",
        "assert TABLE == 1",
        "del TABLE[1]",
        "TABLE['x'] = other\ndef other():\n    return 1",
        "from vicious.tables import register\n@register\ndef other():\n    return 1",
        "import vicious.tables as t\n@t.register(1)\nclass other:\n    pass",
    ],
)
def test_statements_with_effects_count_in_every_module_that_is_loaded(source: Any, effect: str) -> None:
    write(source, {"a.py": "from vicious.middle import f\ndef run():\n    return f()"})
    write(source, {"middle.py": "import vicious.far as _\ndef f():\n    return 0"})
    for file in ("a.py", "middle.py", "far.py"):
        text = (source / file).read_text() if file != "far.py" else ""
        write(source, {"far.py": "", file: f"{text}\nTABLE = {{}}\n{effect}"})
        before, after = edited(source, file, "1", "7", "vicious.a:run")
        assert before != after, file
        write(source, {file: text})


def test_effects_of_a_package_and_of_a_module_that_a_function_imports_count(source: Any) -> None:
    write(source, {"box/__init__.py": "print(1)", "box/one.py": "print(2)", "box/two.py": "print(3)"})
    write(source, {"a.py": "def run():\n    import vicious.box.one"})
    for file, counts in (("box/__init__.py", True), ("box/one.py", True), ("box/two.py", False)):
        before, after = edited(source, file, "print(", "print(9, ", "vicious.a:run")
        assert (before != after) == counts, file


def test_the_order_of_effects_counts_and_that_of_definitions_does_not(source: Any) -> None:
    effects = of(source, {"a.py": "T = {}\nT['x'] = 1\nT['y'] = 2\ndef run():\n    return T"}, "vicious.a:run")
    assert effects != of(source, {"a.py": "T = {}\nT['y'] = 2\nT['x'] = 1\ndef run():\n    return T"}, "vicious.a:run")
    one, two = "def f():\n    return 1\n", "def g():\n    return f()\n"
    assert of(source, {"a.py": one + two}, "vicious.a") == of(source, {"a.py": two + one}, "vicious.a")


@pytest.mark.parametrize(
    "nothing", ["if __name__ == '__main__':\n    print(1)", "log.info(1)", "'''1'''", "__all__ = ['a1']"]
)
def test_what_a_whole_module_does_not_mean(source: Any, nothing: str) -> None:
    text = "import logging\ndef f():\n    return 0\nlog = logging.getLogger('b')\n"
    assert of(source, {"a.py": text}, "vicious.a") == of(source, {"a.py": text + nothing}, "vicious.a")
    assert of(source, {"a.py": text}, "vicious.a") == of(source, {"a.py": text.split("log =")[0]}, "vicious.a")


def test_a_whole_module_is_its_definitions_by_name(source: Any) -> None:
    one = of(source, {"a.py": "def f():\n    return 1", "b.py": "def f():\n    return 1"}, "vicious.a")
    assert one == meaning("vicious.b")
    assert one != of(source, {"a.py": "def g():\n    return 1"}, "vicious.a")
    assert one != of(source, {"a.py": "def f():\n    return 1\ndef g():\n    return 1"}, "vicious.a")


def test_a_module_passed_as_a_value_is_taken_whole(source: Any) -> None:
    write(source, {"a.py": "from vicious import places\ndef run():\n    return list(places)"})
    before, after = edited(source, "places.py", "return 1", "return 2", "vicious.a:run")
    assert before != after
    write(
        source,
        {
            "a.py": "from vicious import box\ndef run():\n    return list(box)",
            "box/__init__.py": "from .in_it import f",
        },
    )
    write(source, {"box/in_it.py": "def f():\n    return 1"})
    before, after = edited(source, "box/in_it.py", "return 1", "return 2", "vicious.a:run")
    assert before != after


def test_an_import_that_depends_follows_every_choice(source: Any) -> None:
    chosen = "    if x:\n        from vicious.one import f\n    else:\n        from vicious.two import f\n"
    chosen = f"def run(x):\n{chosen}    return f()"
    write(source, {"a.py": chosen, "one.py": "def f():\n    return 1", "two.py": "def f():\n    return 2"})
    for file in ("one.py", "two.py"):
        before, after = edited(source, file, "return", "return -", "vicious.a:run")
        assert before != after


def test_the_text_of_an_error_does_not_count_wherever_it_is_made(source: Any) -> None:
    text = "def run(x):\n    assert x, 'why'\n    return DataError(f'text {x}')"
    text = f"from vicious.system.errors import DataError\n{text}"
    write(source, {"a.py": text})
    before, after = edited(source, "a.py", "text", "words", "vicious.a:run")
    assert before == after
    before, after = edited(source, "a.py", "why", "wherefore", "vicious.a:run")
    assert before == after


def test_modules_that_only_report_are_not_followed(source: Any) -> None:
    write(
        source,
        {"provenance/__init__.py": "", "provenance/record.py": "def write(x):\n    return 1", "__init__.py": "V = '1'"},
    )
    write(
        source,
        {"a.py": "from vicious import V\nfrom vicious.provenance.record import write\ndef run():\n    return write(V)"},
    )
    for file, old in (("provenance/record.py", "1"), ("__init__.py", "1")):
        before, after = edited(source, file, old, "2", "vicious.a:run")
        assert before == after


@pytest.mark.parametrize(
    ("text", "entry", "named"),
    [
        ("from vicious.places import missing\ndef run():\n    return missing()", "vicious.a:run", "missing"),
        ("from vicious import places\ndef run():\n    return places.missing()", "vicious.a:run", "missing"),
        ("def run():\n    from vicious.places import missing", "vicious.a:run", "missing"),
        ("import vicious.nowhere\ndef run():\n    return 0", "vicious.a:run", "vicious.nowhere"),
        ("from vicious.places import *\ndef run():\n    return 0", "vicious.a:run", "import \\*"),
        ("", "vicious.a:run", "run"),
        ("", "vicious.nowhere", "vicious.nowhere"),
        ("from numpy import run", "vicious.a:run", "no definition"),
        ("", "vicious.system.errors:DataError", "no definition"),
    ],
)
def test_what_does_not_exist_is_an_error(source: Any, text: str, entry: str, named: str) -> None:
    with pytest.raises(ProvenanceError, match=named):
        of(source, {"a.py": text}, entry)


def test_a_package_that_answers_for_any_name_is_followed_there(source: Any) -> None:
    write(
        source,
        {
            "a.py": "def __getattr__(name):\n    return 1",
            "b.py": "from vicious import a\ndef run():\n    return a.any, a.__file__",
        },
    )
    before, after = edited(source, "a.py", "1", "2", "vicious.b:run")
    assert before != after


def test_dynamic_lookups_are_found(source: Any) -> None:
    text = """
import importlib
import sys
from importlib import import_module as load
from vicious.system import registry
from vicious.system.registry import find
def a(x, n): return getattr(x, n)
def b(x): return getattr(x, 'fixed', None)
def c(): return globals()
def d(n): return load(n)
class E:
    def f(self, n): return [find('p', one) for one in n]
def g(): return sys.modules['x']
def h(globals): return globals()
def i(n): return map(registry.find, n)
Z = vars(c)
"""
    write(source, {"a.py": text, "system/registry.py": "def find(a, b): ...", "system/errors.py": "x = globals()"})
    assert dynamic_lookups() == [f"vicious.a:{one}" for one in ("", "E.f", "a", "c", "d", "g", "i")]


# The real package


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the real package that may be edited."""
    root = tmp_path / "vicious"
    shutil.copytree(REAL, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(identity, "_SOURCE", root)
    forget()
    yield root
    forget()


ENTRIES = {
    "prepare": "vicious.steps.prepare:Prepare.run",
    "train": "vicious.steps.train_vicious:TrainVicious.run",
    "assess": "vicious.steps.assess_risk:AssessRisk.run",
    "evaluate": "vicious.steps.evaluate_defense:EvaluateDefense.run",
    "figure": "vicious.report.figures.accuracy_risk_plane",
}


def meanings() -> dict[Any, Any]:
    forget()
    return {name: meaning(entry) for name, entry in ENTRIES.items()}


def changed(before: Any) -> set[Any]:
    return {name for name, after in meanings().items() if after != before[name]}


def test_the_whole_package_reformatted_and_without_words_means_the_same(copy: Any) -> None:
    before = meanings()
    for file in copy.rglob("*.py"):
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if (
                isinstance(body, list)
                and body
                and isinstance(body[0], ast.Expr)
                and isinstance(body[0].value, ast.Constant)
            ):
                body[0].value = ast.Constant("Other words.")
        file.write_text(f"# unparsed\n{ast.unparse(tree)}\n")
    assert not changed(before)


def test_an_error_s_text_and_a_new_file_change_nothing(copy: Any) -> None:
    before = meanings()
    for file in (copy / "training").glob("*.py"):
        file.write_text(file.read_text().replace('Error(f"', 'Error(f"oh dear, '))
    (copy / "training/another.py").write_text("LEARNING_RATE = 3\nprint('loaded')\n")
    (copy / "defense/another.py").write_text("def score(evidence):\n    return 3\n")
    assert not changed(before)


def test_a_moved_and_renamed_module_changes_nothing(copy: Any) -> None:
    before = meanings()
    (copy / "training/losses.py").rename(copy / "metrics/objectives.py")
    for file in copy.rglob("*.py"):
        text = file.read_text().replace("vicious.training.losses", "vicious.metrics.objectives")
        file.write_text(
            text.replace("from vicious.training import losses", "from vicious.metrics import objectives as losses")
        )
    assert not changed(before)
    assert "vicious.metrics.objectives:reconstruction_loss" in reached(ENTRIES["train"])


def test_a_constant_of_the_loss_changes_training_and_not_preparation(copy: Any) -> None:
    before = meanings()
    losses = copy / "training/losses.py"
    losses.write_text(losses.read_text().replace("HUBER_WEIGHT = 5.0", "HUBER_WEIGHT = 6.0"))
    assert changed(before) == {"train"}


def test_a_changed_detector_changes_what_that_detector_scores_alone(copy: Any) -> None:
    folder = copy / "defense/detectors"
    before, scores = meanings(), {one: meaning(f"vicious.defense.detectors.{one}") for one in ("entropy", "margin")}
    (folder / "entropy.py").write_text((folder / "entropy.py").read_text().replace("return ", "return 2 * "))
    assert not changed(before)
    assert meaning("vicious.defense.detectors.entropy") != scores["entropy"]
    assert meaning("vicious.defense.detectors.margin") == scores["margin"]


def rewired(source: str) -> str:
    """A step's file in which ``run`` has each setting where it had another one."""
    tree = ast.parse(source)
    (kind,) = [one for one in tree.body if isinstance(one, ast.ClassDef)]
    (run,) = [one for one in kind.body if isinstance(one, ast.FunctionDef) and one.name == "run"]
    used = [one for one in ast.walk(run) if isinstance(one, ast.Attribute) and ast.unparse(one.value) == "self"]
    settings = {one.attr: one.attr for one in used if one.attr != "entries"}
    swapped = dict(zip(settings, [*list(settings)[1:], "another"], strict=True))
    for one in used:
        one.attr = swapped.get(one.attr, one.attr)
    return ast.unparse(tree)


def test_results_are_stale_once_a_steps_class_hands_its_settings_on_otherwise(copy: Path, tmp_path: Path) -> None:
    planned = Plan(load_params(REAL.parents[1] / "params.yaml").model_copy(update={"scale": "smoke"})).rules
    steps = {rule: one[0].step for rule, one in planned.items() if (copy / f"steps/{rule}.py").exists()}
    assert {"fetch", "prepare", "train_attack", "evaluate_defense", "summarize", "check_complete"} < steps.keys()
    for rule, step in steps.items():
        write_provenance(tmp_path / f"{rule}.json", step, 1.0)
    records = {rule: read_record(tmp_path / f"{rule}.json") for rule in steps}
    assert not [rule for rule, record in records.items() if of_other_code(cast(Record, record))]
    for rule in steps:
        file = copy / f"steps/{rule}.py"
        file.write_text(rewired(file.read_text(encoding="utf-8")), encoding="utf-8")
    forget()
    assert [rule for rule, record in records.items() if not of_other_code(cast(Record, record))] == []


@pytest.mark.parametrize(
    ("file", "old", "new", "rules"),
    [
        ("steps/__init__.py", 'getattr(step, "threads", 1)', "1", ("prepare", "train_honest", "main_table")),
        ("steps/_training.py", "step.seed, step.epoch_images", "step.epochs, step.epoch_images", ("train_attack",)),
        ("steps/_training.py", '"width": step.width', '"width": step.depth', ("train_honest", "train_vicious")),
        ("study/artifacts.py", "self.label or self.ARTIFACT.label", "self.ARTIFACT.label", ("main_table", "gallery")),
        ("study/artifacts.py", "in self.ARTIFACT.inputs}", "in ()}", ("main_table", "gallery")),
    ],
)
def test_what_steps_share_between_settings_and_code_counts(
    copy: Path, file: str, old: str, new: str, rules: tuple[str, ...]
) -> None:
    planned = Plan(load_params(REAL.parents[1] / "params.yaml").model_copy(update={"scale": "smoke"})).rules
    before = {rule: code_of(planned[rule][0].step) for rule in rules}
    text = (copy / file).read_text(encoding="utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new), encoding="utf-8")
    forget()
    assert [rule for rule in rules if code_of(planned[rule][0].step) == before[rule]] == []


_FIELDS = "fields of its own class"
_OF_SCALE = "settings from params.yaml, which are in a step's settings"
_COMMANDS = "the command line: a step's entries do not reach it"
_ENTRY = "the file is an entry of the step whose settings name it"
SAFE = {
    "vicious.__main__:main": _COMMANDS,
    "vicious.attacks.assess:summarise": "an attribute of Whitening, which is reached whole",
    "vicious.api:detectors": "all of them, which no step reaches",
    "vicious.auditing.audit:run_audit": "all detectors, which no step reaches",
    "vicious.auditing.model:_loaded": "formats of models, which no step reaches",
    "vicious.auditing.page:_detector": "a detector's words, which no step reaches",
    "vicious.claims:_read": "a claim's words and rule, which no step reaches",
    "vicious.claims:claims": "the names of claims, which no step reaches",
    "vicious.cli:_app": _COMMANDS,
    "vicious.cli:_examples": _COMMANDS,
    "vicious.data.datasets:all_datasets": "facts for plans and labels; the file of a step's dataset is its entry",
    "vicious.data.datasets:find_dataset": _ENTRY,
    "vicious.defense.detector:Evidence.__post_init__": _FIELDS,
    "vicious.defense.detector:find_detector": _ENTRY,
    "vicious.defense.evaluation.evaluate:evaluate_defense": _FIELDS,
    "vicious.metrics.measures:facts": _ENTRY,
    "vicious.metrics.measures:function": _ENTRY,
    "vicious.metrics.measures:names": _ENTRY,
    "vicious.metrics.risk:save_covariance": "fields of Covariance, which the code that makes one reaches whole",
    "vicious.mitigations:Outputs.mitigation": _ENTRY,
    "vicious.mitigations:parse_outputs": _ENTRY,
    "vicious.models.architecture:Model._file": _ENTRY,
    "vicious.models.architecture:Model.build": _ENTRY,
    "vicious.models.architecture:Model.larger": _ENTRY,
    "vicious.models.architecture:Model.condition": _ENTRY,
    "vicious.models.architecture:Model.fit": _ENTRY,
    "vicious.models.architecture:Model.fit_flops": "what a fit costs, which no result depends on",
    "vicious.models.architecture:_size": _ENTRY,
    "vicious.models.architecture:_with_scale": _ENTRY,
    "vicious.models.architecture:can_compute_more": "whether a file has a budget or a fit, an entry then",
    "vicious.models.architecture:model_is_fitted": "whether a file has a fit, which is an entry then",
    "vicious.models.architecture:model": "settings, which the plan resolves into those of a step",
    "vicious.models.architecture:needs_finished_target": "whether a file has a fit or a condition, an entry then",
    "vicious.models.architecture:parts_of": "the names of a file's entries",
    "vicious.models.hidden:_map_gaps": _ENTRY,
    "vicious.report.adaptive:": "names of penalties and codes alone, in the order of rows",
    "vicious.report.mitigations:": "names of kinds of outputs alone, in the order of rows",
    "vicious.report.mitigations:_meaning": "the first line of a docstring, words for a caption",
    "vicious.report.mitigations:Treated.groups": _FIELDS,
    "vicious.steps:Step._files": _COMMANDS,
    "vicious.steps:Step.options": _COMMANDS,
    "vicious.steps:commands": _COMMANDS,
    "vicious.steps:step_class": _COMMANDS,
    "vicious.study.artifacts:ArtifactStep.run": _ENTRY,
    "vicious.study.artifacts:known": _COMMANDS,
    "vicious.study.config:Defense._variants_exist": _FIELDS,
    "vicious.study.config:Params.study": _FIELDS,
    "vicious.study.config:_changed": _OF_SCALE,
    "vicious.study.plan:_of_data": _OF_SCALE,
    "vicious.study.plan:_schedule": _OF_SCALE,
    "vicious.study.plan:_training": _OF_SCALE,
    "vicious.training.penalty:new_penalty": _ENTRY,
    "vicious.training.recipe:find_recipe": _ENTRY,
    "vicious.system.registry:_places": "folders of files, which are entries of their own",
    "vicious.system.registry:find": _ENTRY,
    "vicious.system.settings:NameIn.valid": _COMMANDS,
    "vicious.workflow.following:_field": "what Snakemake says of a job, which no step reaches",
}
"""Every look-up by a computed name, and why the identity of code may do without it."""


def test_every_dynamic_lookup_of_the_package_is_known_to_be_safe() -> None:
    forget()
    assert dynamic_lookups() == sorted(SAFE)


def test_an_errors_text_is_put_together_where_it_is_raised() -> None:
    """Text in a variable would count, and another word in a message would make results stale."""
    found = []
    for file in sorted(REAL.rglob("*.py")):
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                nodes = list(ast.walk(function))
                raised = {id(one) for node in nodes if isinstance(node, ast.Raise) for one in ast.walk(node)}
                loaded = [one for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)]
                elsewhere = {one.id for one in loaded if id(one) not in raised}
                texts = [one for one in nodes if isinstance(one, ast.Assign) and isinstance(one.value, ast.JoinedStr)]
                names = {target.id for one in texts for target in one.targets if isinstance(target, ast.Name)}
                found += [f"{file.name}:{function.name}: {name}" for name in sorted(names - elsewhere)]
    assert found == []
