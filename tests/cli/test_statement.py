"""`xianjie statement`: an office fills in, checks and sends its ledger; the operator imports, lists and compares."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest
from click.testing import Result

from gateway.envelope.keyring import SigningKey
from gateway.envelope.message import Envelope, new_id
from gateway.envelope.signing import MESSAGE_TYP, sign
from gateway.flows.statement_intake import digest_of, on_disk
from tests.architecture.sources import ROOT
from tests.builders import an_id_number
from tests.cli.installed import GATEWAY, TODAY, Installed, party_of

AGENCY = "civil_affairs"
MONTH = f"{TODAY:%Y-%m}"
HEADING = "证件号码,项目,状态,金额（元）,发放日期,所属月起"


@pytest.fixture
def served(installed: Installed) -> Iterator[Installed]:
    with installed.serving():
        yield installed


def statement(made: Installed, *arguments: str | Path) -> Result:
    return made.as_partner(AGENCY, party_of(AGENCY), "statement", *arguments)


def a_ledger(made: Installed, *more: str) -> Path:
    good = f"{an_id_number()},MLG,已发放,600.00,{TODAY},{MONTH}"
    path = made.folder / "ledger.csv"
    path.write_text("\n".join([HEADING, good, *more]) + "\n", encoding="utf-8")
    return path


def send(made: Installed, path: Path, *more: str, statement_id: str = "s-1") -> Result:
    own = ("--id", statement_id, "--agreement", "黔高法〔2022〕98号", "--agency", AGENCY)
    return statement(made, "send", path, *own, "--from", MONTH, "--until", MONTH, *more)


def test_a_ledger_is_sent_read_and_compared(served: Installed) -> None:
    sent = send(served, a_ledger(served))
    assert (sent.exit_code, "已送达 received" in sent.stderr) == (0, True), sent.output
    assert served.run("statement", "reconcile").exit_code == 0
    told = json.loads(statement(served, "status", "s-1", "--json").stdout)
    assert (told["state"], told["read"], told["bad"], told["reconciled_at"] is None) == ("read", 1, 0, False)
    (listed,) = served.json("statement", "list")
    assert (listed["statement_id"], listed["party"], listed["good"]) == ("s-1", party_of(AGENCY), 1)


def test_the_same_command_again_sends_nothing_twice(served: Installed) -> None:
    path = a_ledger(served)
    send(served, path)
    again = send(served, path)
    assert (again.exit_code, len(served.json("statement", "list"))) == (0, 1), again.output


def test_bad_lines_are_named_before_and_after_sending(served: Installed) -> None:
    path = a_ledger(served, "x,MLG,发了,600,,", f"123,MLG,已发放,600.00,{TODAY},{MONTH}")
    checked = send(served, path, "--check", "--json")
    assert (checked.exit_code, json.loads(checked.stdout)["bad_lines"]) == (
        1,
        [{"line": 3, "code": "unknown_code", "pointer": "/status"}],
    )
    assert send(served, path).exit_code == 1
    served.run("statement", "reconcile")
    shown = statement(served, "status", "s-1")
    assert (shown.exit_code, "id_unusable" in shown.stdout) == (1, True)
    assert "529999" not in shown.output


def test_a_changed_file_under_the_same_number_is_refused(served: Installed) -> None:
    send(served, a_ledger(served))
    changed = send(served, a_ledger(served, f"{an_id_number(serial=7)},MLG,已发放,1.00,{TODAY},{MONTH}"))
    assert (changed.exit_code, "same_id_different_bytes" in changed.stderr) == (1, True)


def test_the_template_can_be_filled_and_sent(served: Installed) -> None:
    path = served.folder / "filled.xlsx"
    assert statement(served, "template", path).exit_code == 0
    book = openpyxl.load_workbook(path)
    page = book.worksheets[0]
    keys = [cell.value for cell in page[1]]
    row = {"id_number": an_id_number(), "programme": "MLG", "status": "已发放", "amount_yuan": "600"}
    for key, text in (row | {"paid_on": TODAY.isoformat()}).items():
        page.cell(row=3, column=keys.index(key) + 1, value=text)
    book.save(path)
    assert send(served, path).exit_code == 0
    served.run("statement", "reconcile")
    assert served.json("statement", "status", "s-1")["good"] == 1


def a_manifest(installed: Installed, path: Path, count: int) -> Path:
    """As the office's own system would sign it."""
    digest, size = digest_of(on_disk(path)())
    data = {
        "statement_id": "s-1",
        "agreement_document": "黔高法〔2022〕98号",
        "agency": AGENCY,
        "covers": "PAID",
        "period_from": MONTH,
        "period_to": MONTH,
        "complete": True,
        "format": "CSV",
        "lines": count,
        "size": size,
        "sha256": digest,
    }
    key = SigningKey.load_pem((installed.folder / AGENCY / "own.pem").read_bytes(), party_of(AGENCY))
    now = datetime.now(UTC)
    envelope = Envelope(
        id=new_id(now), source=party_of(AGENCY), type="statement.submitted", time=now, recipient=GATEWAY, data=data
    )
    manifest = installed.folder / "manifest.jws"
    manifest.write_text(sign(envelope.to_payload(), key, MESSAGE_TYP), encoding="ascii")
    return manifest


def test_the_operator_imports_a_file_with_its_signed_manifest(installed: Installed) -> None:
    path = a_ledger(installed)
    manifest = a_manifest(installed, path, 1)
    refused = installed.run("statement", "import", path)
    assert (refused.exit_code, "statement_differs" in refused.stderr) == (1, True)
    assert installed.run("statement", "import", path, "--manifest", manifest).exit_code == 0
    again = installed.json("statement", "import", path)
    assert (again["read"], again["opened"]) == (1, 0)


def test_an_import_that_was_killed_goes_on_where_it_ended(installed: Installed) -> None:
    good = f"MLG,已发放,600.00,{TODAY},{MONTH}"
    born = [date(1950, 1, 1) + timedelta(days=number // 99) for number in range(5_999)]
    people = (an_id_number(day, serial=number % 99) for number, day in enumerate(born))
    path = a_ledger(installed, *(f"{person},{good}" for person in people))
    arguments = ("statement", "import", str(path), "--manifest", str(a_manifest(installed, path, 6_000)))
    environment = {**os.environ, "XIANJIE_CONFIG": str(installed.config_path), "PYTHONPATH": str(ROOT)}
    # the manifest's commit, then the first batch's: killed before anybody knows that it is durable
    killed = subprocess.run(
        [sys.executable, "-m", "gateway.cli", *arguments],
        env={**environment, "XIANJIE_FAILPOINT": "store.committed:2:kill"},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (half,) = installed.json("statement", "list")
    assert (half["state"], half["read"]) == ("awaiting_lines", 5_000)
    done = installed.json("statement", "import", path)
    assert (done["read"], done["bad"]) == (6_000, 0)
    assert installed.run("cutoff").exit_code == 0
