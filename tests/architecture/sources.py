"""What the fitness tests read: the shipped packages' files, parsed once."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("gateway", "schemas", "adapters")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One Python file of ours."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Path from the root of the checkout, such as `gateway/errors.py`."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def module(self) -> str:
        """Dotted name, such as `gateway.errors`."""
        return self.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def shipped_sources() -> tuple[Source, ...]:
    """Every Python file of the three import packages, in path order."""
    return tuple(_read(path) for package in SHIPPED for path in sorted((ROOT / package).rglob("*.py")))


def _read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path=path, text=text, tree=ast.parse(text, filename=str(path)))


def parse(text: str, *, name: str = "gateway/example.py") -> Source:
    """A source made up by a test, as if it stood at `name`."""
    return Source(path=ROOT / name, text=text, tree=ast.parse(text))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported_packages(tree: ast.Module) -> dict[str, int]:
    """Absolute dotted names imported anywhere in the file (type-checking blocks, too), each with its first line."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.setdefault(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.setdefault(node.module, node.lineno)
    return found
