"""Words and calls the house does without: each rule is a small function, tried on a bad example and on the code."""

import ast
import re
from collections.abc import Callable, Iterator

import pytest

from tests.architecture.sources import ROOT, Source, parse, shipped_sources

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError|NotImplemented)\b")
MACHINE_PATH = re.compile(r"(?<![\w./<])/(home|root|work|Users)/\w")
VAGUE_NAME = re.compile(r"(Manager|Helper|Util|Utils|Service|Processor|Impl)$")
MAY_READ_THE_CLOCK = ("gateway/app.py", "gateway/cli/", "gateway/worker.py", "gateway/sandbox/")
MAY_PRINT = ("gateway/cli/",)
CLOCK_CALLS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
}
NAIVE_ANYWHERE = {"datetime.utcnow", "datetime.utcfromtimestamp", "datetime.today", "date.today"}

Rule = Callable[[Source], list[str]]


def unfinished(source: Source) -> list[str]:
    """Marks of work left for later."""
    return _lines(source, UNFINISHED)


def machine_paths(source: Source) -> list[str]:
    """Absolute paths of somebody's machine."""
    return _lines(source, MACHINE_PATH)


def clock_reads(source: Source) -> list[str]:
    """The clock read anywhere but where the process meets the world (Law 10)."""
    if source.name.startswith(MAY_READ_THE_CLOCK):
        return []
    return [_at(source, call) for call in _calls(source) if _dotted(call) in CLOCK_CALLS]


def naive_times(source: Source) -> list[str]:
    """Times without a zone, wherever they are made."""
    return [
        _at(source, call)
        for call in _calls(source)
        if _dotted(call) in NAIVE_ANYWHERE or (_dotted(call) == "datetime.now" and not (call.args or call.keywords))
    ]


def prints(source: Source) -> list[str]:
    """`print` outside the commands."""
    if source.name.startswith(MAY_PRINT):
        return []
    return [_at(source, call) for call in _calls(source) if isinstance(call.func, ast.Name) and call.func.id == "print"]


def vague_names(source: Source) -> list[str]:
    """Classes named after nothing in particular."""
    return [
        f"{source.name}:{node.lineno} {node.name}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and VAGUE_NAME.search(node.name)
    ]


def swallowed(source: Source) -> list[str]:
    """`except Exception: pass` and its kin (STYLE 9)."""
    return [
        f"{source.name}:{node.lineno}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and all(isinstance(statement, ast.Pass) for statement in node.body)
    ]


def docstrings(source: Source) -> list[str]:
    """A module without a docstring, or with one of more than twelve lines."""
    words = ast.get_docstring(source.tree, clean=False)
    if words is None:
        return [f"{source.name}: no module docstring"]
    length = len(words.strip().splitlines())
    return [f"{source.name}: module docstring of {length} lines"] if length > 12 else []


def _lines(source: Source, pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{source.name}:{number} {line.strip()}"
        for number, line in enumerate(source.text.splitlines(), start=1)
        if pattern.search(line)
    ]


def _calls(source: Source) -> Iterator[ast.Call]:
    return (node for node in ast.walk(source.tree) if isinstance(node, ast.Call))


def _dotted(call: ast.Call) -> str:
    """The last two words of what is called: `datetime.now` for `dt.datetime.now(...)`."""
    return ".".join(ast.unparse(call.func).split(".")[-2:])


def _at(source: Source, node: ast.expr) -> str:
    return f"{source.name}:{node.lineno} {ast.unparse(node)}"


RULES: list[Rule] = [
    unfinished,
    machine_paths,
    clock_reads,
    naive_times,
    prints,
    vague_names,
    swallowed,
    docstrings,
]

BROKEN: list[tuple[Rule, str]] = [
    (unfinished, "x = 1  # TO" + "DO later"),
    (unfinished, "raise NotImplemented" + "Error"),
    (machine_paths, "path = '/ho" + "me/someone/keys'"),
    (clock_reads, "now = datetime.now(UTC)"),
    (clock_reads, "now = dt.datetime.now(tz=dt.UTC)"),
    (clock_reads, "import time\nstart = time.time()"),
    (naive_times, "datetime.now()"),
    (naive_times, "datetime.datetime.utcnow()"),
    (prints, "print('hello')"),
    (vague_names, "class ReferralManager: ..."),
    (vague_names, "class _KeyHelper: ..."),
    (swallowed, "try:\n    f()\nexcept Exception:\n    pass"),
    (swallowed, "try:\n    f()\nexcept:\n    pass"),
    (docstrings, "x = 1"),
    (docstrings, '"""' + "line\n" * 13 + '"""'),
]

HARMLESS: list[tuple[Rule, str]] = [
    (machine_paths, "url = 'https://example.org/work/item'"),
    (machine_paths, "route = '/v1/referrals/<referral_id>'"),
    (clock_reads, "def due(now): return now + limit"),
    (clock_reads, "waited = time.monotonic() - start"),
    (prints, "self.print(report)"),
    (vague_names, "class ServiceWindow: ..."),
    (swallowed, "try:\n    f()\nexcept KeyError:\n    pass"),
    (docstrings, '"""' + "line\n" * 12 + '"""'),
]


def _name(value: object) -> str:
    return str(getattr(value, "__name__", ""))


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    assert "\n".join(line for source in shipped_sources() for line in rule(source)) == ""


@pytest.mark.parametrize(("rule", "text"), BROKEN, ids=_name)
def test_the_rule_finds_a_breach(rule: Rule, text: str) -> None:
    assert len(rule(parse(text, name="gateway/flows/example.py"))) == 1


@pytest.mark.parametrize(("rule", "text"), HARMLESS, ids=_name)
def test_the_rule_leaves_honest_code_alone(rule: Rule, text: str) -> None:
    assert rule(parse(text, name="gateway/flows/example.py")) == []


@pytest.mark.parametrize("name", ["gateway/app.py", "gateway/cli/demo.py", "gateway/worker.py", "gateway/sandbox/x.py"])
def test_the_outer_rings_may_read_the_clock_but_only_with_a_zone(name: str) -> None:
    assert clock_reads(parse("datetime.now(UTC)", name=name)) == []
    assert len(naive_times(parse("datetime.now()", name=name))) == 1


def test_no_shipped_data_file_names_a_path_of_somebodys_machine() -> None:
    texts = [path for package in ("gateway", "schemas", "adapters", "docs") for path in (ROOT / package).rglob("*")]
    kinds = {".csv", ".toml", ".md", ".json", ".xml", ".xsd", ".html", ".po"}
    named = [
        path.relative_to(ROOT).as_posix()
        for path in texts
        if path.suffix in kinds and MACHINE_PATH.search(path.read_text(encoding="utf-8"))
    ]
    assert named == []
