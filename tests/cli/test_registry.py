"""名录 `party`, `office`, `agreement`: what an administrator registers, changes and cannot get wrong by a slip."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.installed import COURT, GATEWAY, NOWHERE, Installed, a_row, ndjson, party_of, put_office


def parties(installed: Installed) -> dict[str, dict[str, Any]]:
    return {one["party_id"]: one for one in installed.json("party", "list")}


def offices(installed: Installed) -> dict[str, dict[str, Any]]:
    return {one["office_id"]: one for one in installed.json("office", "list")}


def add_party(installed: Installed, party_id: str, *, kind: str = "court", name: str = "测试单位") -> Any:
    return installed.run("party", "add", party_id, "--kind", kind, "--name", name, "--region", "520300")


# --- parties ---


def test_every_party_is_listed_with_its_kind_and_its_keys(installed: Installed) -> None:
    assert {party: (one["kind"], one["keys"]) for party, one in parties(installed).items()} == {
        GATEWAY: ("gateway", 1),
        COURT: ("court", 1),
        party_of("civil_affairs"): ("agency", 1),
        party_of("disabled_persons"): ("agency", 1),
        party_of("womens_federation"): ("agency", 1),
    }


def test_the_same_party_again_changes_nothing_and_another_under_its_id_is_refused(installed: Installed) -> None:
    assert [add_party(installed, "cn/court/520300").exit_code for _ in range(2)] == [0, 0]
    other = add_party(installed, "cn/court/520300", kind="agency")
    assert (other.exit_code, "registered already" in other.stderr) == (2, True)
    assert parties(installed)["cn/court/520300"]["kind"] == "court"


def test_a_new_party_is_told_what_comes_next(installed: Installed) -> None:
    assert "xianjie keys register cn/court/520300" in add_party(installed, "cn/court/520300").stderr


def test_a_kind_that_does_not_exist_is_a_matter_of_usage(installed: Installed) -> None:
    assert add_party(installed, "cn/court/520300", kind="tribunal").exit_code == 2


def test_nothing_of_a_suspended_party_is_believed_until_it_is_resumed(installed: Installed) -> None:
    file = ndjson(installed.folder / "rows.ndjson", a_row(1))
    installed.done("party", "suspend", COURT)
    assert parties(installed)[COURT]["active"] is False
    with installed.serving():
        refused = installed.send(file)
        assert (refused.exit_code, "[not_trusted]" in refused.stderr) == (1, True), refused.stderr
    installed.done("party", "resume", COURT)
    with installed.serving():
        assert installed.send(file).exit_code == 0


def test_a_party_nobody_knows_cannot_be_suspended(installed: Installed) -> None:
    result = installed.run("party", "suspend", "cn/court/none")
    assert (result.exit_code, "no party cn/court/none" in result.stderr) == (2, True)


# --- offices ---


def test_an_office_is_changed_by_putting_it_again(installed: Installed) -> None:
    put_office(installed, "civil_affairs", "mailbox")
    changed = offices(installed)["civil_affairs-520102"]
    assert (changed["channel"], changed["url"]) == ("mailbox", "")
    assert len(offices(installed)) == 3


def test_an_office_stays_paused_whatever_else_is_changed(installed: Installed) -> None:
    installed.done("office", "pause", "civil_affairs-520102")
    put_office(installed, "civil_affairs", "mailbox")
    assert offices(installed)["civil_affairs-520102"]["paused"] is True
    installed.done("office", "resume", "civil_affairs-520102")
    assert offices(installed)["civil_affairs-520102"]["paused"] is False


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"--agency": "post_office"}, "no adapter for post_office; known are civil_affairs"),
        ({"--party": "cn/agency/none"}, "no agency cn/agency/none"),
        ({"--party": COURT}, f"no agency {COURT}"),
        ({"--channel": "push"}, "a push office needs a url"),
        ({"--region": "520102"}, "civil_affairs-520102 serves civil_affairs in 520102 already"),
    ],
)
def test_an_office_that_could_not_work_is_refused(installed: Installed, changes: dict[str, str], says: str) -> None:
    honest = {"--party": party_of("civil_affairs"), "--agency": "civil_affairs"}
    honest |= {"--region": "520103", "--channel": "mailbox"}
    options = [text for pair in (honest | changes).items() for text in pair]
    result = installed.run("office", "put", "new", *options)
    assert (result.exit_code, says in result.stderr) == (2, True), result.stderr
    assert "new" not in offices(installed)


def test_an_office_nobody_knows_cannot_be_paused(installed: Installed) -> None:
    assert installed.run("office", "pause", "none").exit_code == 2
    assert installed.run("office", "resume", "none").exit_code == 2


def test_lists_are_tables_for_people_too(installed: Installed) -> None:
    shown = installed.done("office", "list").stdout.splitlines()
    assert shown[0].split() == ["office_id", "agency", "region", "channel", "paused", "party_id", "url"]
    assert sorted(line.split()[0] for line in shown[1:]) == sorted(offices(installed))
    assert NOWHERE in installed.done("office", "list").stdout


# --- agreements ---


def edited(installed: Installed, old: str, new: str) -> Path:
    file = installed.folder / "agreement.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    return file


def test_the_same_agreement_again_changes_nothing(installed: Installed) -> None:
    installed.done("agreement", "load", installed.folder / "agreement.toml")
    assert [one["version"] for one in installed.json("agreement", "list")] == [1]


def test_a_changed_agreement_needs_a_higher_version(installed: Installed) -> None:
    file = edited(installed, "会签文件样例", "会签文件修订")
    refused = installed.run("agreement", "load", file)
    assert (refused.exit_code, "raise `version` to 2" in refused.stderr) == (2, True)
    installed.done("agreement", "load", edited(installed, "version = 1", "version = 2"))
    found = installed.json("agreement", "list")
    assert [(one["version"], one["in_use"]) for one in found] == [(1, False), (2, True)]


def test_a_sample_is_refused_outside_a_demonstration(installed: Installed) -> None:
    text = installed.config_path.read_text(encoding="utf-8").replace("demo = true", "demo = false")
    installed.config_path.write_text(text, encoding="utf-8")
    result = installed.run("agreement", "load", edited(installed, "version = 1", "version = 2"))
    assert (result.exit_code, "for demonstrations only" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", "agreement.toml is not UTF-8 text"),
        (b"version = = 1", "agreement: not TOML"),
        (b"version = 1", "agreement: `document` is missing"),
    ],
)
def test_a_file_that_is_no_agreement_is_refused(installed: Installed, content: bytes, says: str) -> None:
    file = installed.folder / "agreement.toml"
    file.write_bytes(content)
    result = installed.run("agreement", "load", file)
    assert (result.exit_code, says in result.stderr) == (2, True), result.stderr


def test_every_error_says_what_to_do_in_both_languages(installed: Installed) -> None:
    lines = installed.run("party", "suspend", "cn/court/none").stderr.splitlines()
    assert lines[0].startswith("config_invalid: ")
    assert [line[:3] for line in lines[1:]] == ["  →", "  →"]
