"""The rings and the ladder of docs/architecture.md, as setup.cfg's contracts, and what those cannot say."""

import ast
import subprocess
import sys

from tests.architecture.sources import ROOT, Source, imported_packages, parse, shipped_sources

WIRE_SHAPES_MAY_IMPORT = {"marshmallow", "schemas"}


def foreign_imports(source: Source, allowed: set[str]) -> list[str]:
    """Imports that are neither of the standard library nor below an allowed dotted name."""
    return [
        f"{source.name}:{line} {name}"
        for name, line in imported_packages(source.tree).items()
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not any(name == prefix or name.startswith(f"{prefix}.") for prefix in allowed)
    ]


def test_every_import_contract_is_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_domain_imports_the_standard_library_itself_and_the_errors_only() -> None:
    domain = [source for source in shipped_sources() if source.name.startswith("gateway/domain/")]
    assert domain
    assert [line for source in domain for line in foreign_imports(source, {"gateway.domain", "gateway.errors"})] == []


def test_errors_import_nothing_of_ours_and_no_library() -> None:
    errors = [source for source in shipped_sources() if source.name.startswith("gateway/errors/")]
    assert errors
    assert [line for source in errors for line in foreign_imports(source, {"gateway.errors"})] == []


def test_wire_shapes_import_marshmallow_and_themselves_only() -> None:
    shapes = [source for source in shipped_sources() if source.name.startswith("schemas/")]
    assert [line for source in shapes for line in foreign_imports(source, WIRE_SHAPES_MAY_IMPORT)] == []


def test_no_file_imports_relatively_so_that_every_import_names_its_ring() -> None:
    relative = [
        f"{source.name}:{node.lineno}"
        for source in shipped_sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_a_library_in_the_domain_would_be_found() -> None:
    source = parse("import json\nif True:\n    from sqlalchemy.orm import Session\n", name="gateway/domain/bad.py")
    assert foreign_imports(source, {"gateway.domain"}) == ["gateway/domain/bad.py:3 sqlalchemy.orm"]


def test_a_package_with_a_similar_name_is_not_taken_for_an_allowed_one() -> None:
    source = parse("import gateway.domain_extra\n", name="gateway/domain/bad.py")
    assert foreign_imports(source, {"gateway.domain"}) == ["gateway/domain/bad.py:1 gateway.domain_extra"]
