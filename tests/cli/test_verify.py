"""`export` on the gateway's machine, `evidence` of a court, `verify` of anybody who holds a bundle, `verify --log`."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from gateway.evidence.bundle import read_bundle
from gateway.flows.evidence import WHAT
from gateway.store import log
from gateway.store import tables as t
from tests.bundle_builder import VECTORS
from tests.cli.installed import COURT, Installed, a_row, ndjson, run
from tests.cli.test_log import change, sign


@pytest.fixture
def case(installed: Installed) -> Iterator[Installed]:
    """One referral, accepted and handed over, the log signed."""
    with installed.serving():
        result = installed.send(ndjson(installed.folder / "rows.ndjson", a_row(1)))
        assert result.exit_code == 0, result.output
    installed.dispatch()
    sign(installed)
    yield installed


def referral_of(installed: Installed) -> str:
    with installed.context() as context, context.store.reading() as connection:
        found: str = connection.execute(t.referrals.select()).mappings().one()["referral_id"]
    return found


def exported(case: Installed, **changes: str) -> tuple[Path, Result]:
    out = case.folder / "evidence.zip"
    options = {"--out": str(out), "--who": "测试员", "--why": "审计抽查", **changes}
    return out, case.run("export", referral_of(case), *(word for pair in options.items() for word in pair))


def judged(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    result = run("verify", *arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


def test_an_exported_bundle_verifies_without_any_installation(case: Installed, tmp_path: Path) -> None:
    out, result = exported(case)
    assert result.exit_code == 0, result.output
    assert "不成立 refuted 0" in result.stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    code, found = judged(out)
    assert (code, found["holds"], found["referral_id"]) == (0, True, referral_of(case))
    assert found["fingerprint"] in result.stderr


def test_an_export_names_who_and_why_and_is_on_file(case: Installed) -> None:
    assert exported(case, **{"--why": " "})[1].exit_code == 2
    assert exported(case)[1].exit_code == 0
    with case.context() as context, context.store.reading() as connection:
        (row,) = connection.execute(t.decisions.select().where(t.decisions.c.what == WHAT)).mappings().all()
        assert [place.kind for place in log.places(connection, [row["decision_id"]])] == ["decision"]
    assert (row["who"], row["why"]) == ("测试员", "审计抽查")


def test_an_export_overwrites_nothing(case: Installed) -> None:
    out, _ = exported(case)
    before = out.read_bytes()
    assert exported(case)[1].exit_code == 2
    assert out.read_bytes() == before


def test_an_export_of_nobodys_referral_is_refused(case: Installed) -> None:
    out = case.folder / "none.zip"
    result = case.run("export", "r-none", "--out", out, "--who", "x", "--why", "y")
    assert result.exit_code == 1
    assert "referral_unknown" in result.stderr
    assert not out.exists()


def test_a_court_fetches_its_own_and_has_it_checked(case: Installed) -> None:
    out = case.folder / "fetched.zip"
    with case.serving():
        result = case.as_partner("court", COURT, "evidence", referral_of(case), "--out", out)
        strange = case.as_partner("court", COURT, "evidence", "r-none", "--out", case.folder / "none.zip")
    assert result.exit_code == 0, result.output
    assert judged(out)[0] == 0
    assert strange.exit_code == 1
    assert "referral_unknown" in strange.stderr


def test_what_is_refuted_is_told_and_ends_with_one() -> None:
    result = run("verify", VECTORS / "history_rewritten_fail" / "bundle.zip")
    assert result.exit_code == 1
    assert "tree 4 不是检查点之树的开头:日志被改写" in result.stdout
    assert "tree 4 is not the beginning of the checkpoint's tree: the log was rewritten" in result.stdout
    assert "证据不成立" in result.stdout


def test_one_language_is_enough() -> None:
    bundle = VECTORS / "whole_case_pass" / "bundle.zip"
    chinese, english = run("verify", bundle, "--lang", "zh").stdout, run("verify", bundle, "--lang", "en").stdout
    assert "证据成立" in chinese and "the evidence holds" not in chinese
    assert "the evidence holds" in english and "证据成立" not in english


def test_pinned_things_are_read_from_files() -> None:
    folder = VECTORS / "everything_pinned_pass"
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    vkeys = [word for vkey in expected["vkeys"] for word in ("--vkey", vkey)]
    given = ["--keys", folder / "pinned.json", "--checkpoint", folder / "checkpoint.txt", *vkeys]
    code, found = judged(folder / "bundle.zip", *given)
    proven = {conclusion["code"] for conclusion in found["conclusions"] if conclusion["standing"] == "proven"}
    assert code == 0
    assert {"keys_pinned", "log_key_pinned", "given_checkpoint_confirmed"} <= proven


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--log", str(VECTORS / "whole_case_pass" / "bundle.zip")],
        ["no-such-file.zip"],
        [str(VECTORS / "whole_case_pass" / "bundle.zip"), "--vkey", "nonsense"],
        [str(VECTORS / "whole_case_pass" / "bundle.zip"), "--keys", str(VECTORS / "whole_case_pass" / "bundle.zip")],
    ],
    ids=["nothing", "both", "no file", "no key", "no keys"],
)
def test_what_is_asked_wrongly_ends_with_two(arguments: list[str]) -> None:
    assert run("verify", *arguments).exit_code == 2


def test_every_broken_bundle_ends_with_one_and_every_other_with_nought() -> None:
    for name, code in (("bit_flipped_fail", 1), ("zip_bomb_fail", 1), ("just_handed_over_pass", 0)):
        assert run("verify", VECTORS / name / "bundle.zip").exit_code == code


def test_the_whole_log_is_walked_and_told(case: Installed) -> None:
    result = case.run("verify", "--log")
    assert result.exit_code == 0, result.output
    assert "逐条重读并重算哈希" in result.stdout
    assert json.loads(case.run("verify", "--log", "--json").stdout)["holds"] is True
    change(case, t.log_leaves.update().where(t.log_leaves.c.leaf_index == 3).values(entry="{}"))
    result = case.run("verify", "--log", "--lang", "en")
    assert result.exit_code == 1
    assert "the text is not the one that was hashed" in result.stdout
    (trouble,) = json.loads(case.run("verify", "--log", "--json").stdout)["troubles"]
    assert (trouble["kind"], trouble["first"], trouble["last"]) == ("leaf_altered", 3, 3)


def test_a_row_that_was_changed_before_the_export_is_told_by_it(case: Installed) -> None:
    change(case, t.inbox.delete().where(t.inbox.c.type == "referral.submitted"))
    out, result = exported(case)
    assert "日志记有报文" in result.stderr
    assert not [name for name in read_bundle(out.read_bytes()) if name.startswith("messages/") and "001" not in name]
    code, found = judged(out)
    refuted = {conclusion["code"] for conclusion in found["conclusions"] if conclusion["standing"] == "refuted"}
    assert (code, "message_withheld" in refuted) == (1, True)
