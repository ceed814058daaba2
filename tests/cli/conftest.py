"""A fresh installation for each test, copied from one that the commands made once."""

import shutil
from pathlib import Path

import pytest

from tests.cli.installed import Installed, install


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Never changed after it was made."""
    folder = tmp_path_factory.mktemp("installed")
    install(folder)
    return folder


@pytest.fixture
def installed(made_once: Path, tmp_path: Path) -> Installed:
    """Gateway, court and offices; paths in a configuration start at its file, so a copy works as it is."""
    folder = tmp_path / "world"
    shutil.copytree(made_once, folder)
    return Installed(folder)
