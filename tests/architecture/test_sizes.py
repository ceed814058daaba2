"""Small enough to read: files aim at 400 lines and functions at 60; 500 and 80 fail the build.

A migration is written once, as the list of what one release's tables are, and never changed again: nobody maintains
it, and splitting it into functions would only hide the list. Its file and its `upgrade` are not measured.
"""

from dataclasses import dataclass

import pytest

from tests.architecture.sources import Source, functions, parse, shipped_sources


@dataclass(frozen=True, kw_only=True, order=True)
class Size:
    """How long one file or function is."""

    lines: int
    what: str


FILE_AIM, FILE_LIMIT = 400, 500
FUNCTION_AIM, FUNCTION_LIMIT = 60, 80
MIGRATIONS = "gateway/store/migrations/versions/v"


def file_size(source: Source) -> Size:
    return Size(lines=len(source.text.splitlines()), what=source.name)


def function_sizes(source: Source) -> list[Size]:
    """Every function's length from `def` to its last line."""
    return [
        Size(lines=(node.end_lineno or node.lineno) - node.lineno + 1, what=f"{source.name}:{node.lineno} {node.name}")
        for node in functions(source.tree)
    ]


def table(sizes: list[Size]) -> str:
    return "\n".join(f"{size.lines:6d}  {size.what}" for size in sorted(sizes, reverse=True))


def is_migration(source: Source) -> bool:
    """Whether the file is one step of the database's history."""
    return source.name.startswith(MIGRATIONS) and not source.name.endswith("__init__.py")


def measured() -> list[Source]:
    """Every shipped file that is read and changed."""
    return [source for source in shipped_sources() if not is_migration(source)]


def report(capsys: pytest.CaptureFixture[str], heading: str, sizes: list[Size]) -> None:
    """Show what is longer than we aim at, without failing."""
    if sizes:
        with capsys.disabled():
            print(f"\n{heading}\n{table(sizes)}")


def test_no_file_is_longer_than_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [file_size(source) for source in measured()]
    report(capsys, f"Files above {FILE_AIM} lines", [size for size in sizes if size.lines > FILE_AIM])
    assert table([size for size in sizes if size.lines > FILE_LIMIT]) == ""


def test_no_function_is_longer_than_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [size for source in measured() for size in function_sizes(source)]
    report(capsys, f"Functions above {FUNCTION_AIM} lines", [size for size in sizes if size.lines > FUNCTION_AIM])
    assert table([size for size in sizes if size.lines > FUNCTION_LIMIT]) == ""


def test_a_migration_holds_its_two_steps_and_nothing_else() -> None:
    migrations = [source for source in shipped_sources() if is_migration(source)]
    assert migrations
    named = {function.name for source in migrations for function in functions(source.tree)}
    assert {name for name in named if not name.startswith("_")} <= {"upgrade", "downgrade"}


def test_a_method_is_measured_with_its_nested_functions_inside() -> None:
    source = parse("class A:\n    def outer(self):\n        def inner():\n            return 1\n        return inner\n")
    assert {(size.what.rpartition(" ")[2], size.lines) for size in function_sizes(source)} == {
        ("outer", 4),
        ("inner", 2),
    }
