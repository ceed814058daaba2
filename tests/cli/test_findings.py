"""疑点办理: a finding is told in words, assigned, decided and closed by people who say who they are and why."""

from collections.abc import Iterator

import pytest

from tests.cli.installed import Installed, a_row
from tests.cli.test_desk import LATER, WHO, refer


@pytest.fixture
def late(installed: Installed) -> Iterator[Installed]:
    """Two referrals nobody answered for ninety days."""
    refer(installed, a_row(1), a_row(2))
    installed.dispatch()
    installed.run("reconcile", env=LATER)
    yield installed


def keys(installed: Installed, *options: str) -> list[str]:
    return [row["key"] for row in installed.json("findings", *options)]


def test_a_finding_is_told_in_words_with_its_rule_and_its_history(late: Installed) -> None:
    key = keys(late, "--referral", "r-1")[0]
    late.done("findings", "assign", key, "--to", "张三", "--due", "2030-01-31", *WHO)
    shown = late.done("findings", "show", key)
    assert "MISS_NO_RECEIPT" in shown.stderr
    for text in (
        "需求最低生活保障（MLG）",
        "依据 rule  R07",
        "办理 must act",
        "finding_assigned",
        "to=张三 until=2030-01-31",
    ):
        assert text in shown.stdout
    told = late.json("findings", "show", key)
    assert (told["assigned_to"], told["assigned_due"], bool(told["en"])) == ("张三", "2030-01-31", True)
    assert late.run("findings", "show", "no|such|key|").exit_code == 2


def test_it_is_decided_closed_and_reopened_by_somebody_with_a_reason(late: Installed) -> None:
    key = keys(late, "--referral", "r-1")[0]
    assert late.run("findings", "close", key, *WHO).exit_code == 1
    assert late.run("findings", "decide", key, "--as", "RECOVERED", *WHO).exit_code == 2
    late.done("findings", "decide", key, "--as", "RECOVERED", "--recovered-fen", "100", *WHO)
    assert late.run("findings", "decide", key, "--as", "EXPLAINED", *WHO).exit_code == 1
    late.done("findings", "close", key, *WHO)
    (row,) = [row for row in late.json("findings", "--all") if row["key"] == key]
    assert (row["state"], row["decided_as"], row["recovered_fen"]) == ("closed", "RECOVERED", 100)
    late.done("findings", "reopen", key, *WHO)
    assert [one["what"] for one in late.json("findings", "show", key)["changes"]] == ["reopened"]
    late.done("cutoff")


def test_what_a_filter_names_is_shown_first_and_done_only_when_said_so(late: Installed) -> None:
    first = late.run("findings", "decide", "--code", "MISS_NO_RECEIPT", "--as", "EXPLAINED", *WHO)
    assert (first.exit_code, "would affect 2" in first.stderr) == (1, True)
    assert len(keys(late)) == 2
    late.done("findings", "decide", "--code", "MISS_NO_RECEIPT", "--as", "EXPLAINED", "--yes", *WHO)
    assert keys(late) == []
    assert len(keys(late, "--state", "decided")) == 2
    assert late.run("findings", "decide", "--as", "EXPLAINED", *WHO).exit_code == 2
    assert late.run("findings", "decide", "a|b|c|", "--code", "X", "--as", "EXPLAINED", *WHO).exit_code == 2


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--family", "missed"), 2),
        (("--family", "duplicate"), 0),
        (("--court", "cn/court/520100"), 2),
        (("--court", "cn/court/520300"), 0),
        (("--office", "civil_affairs-520102"), 2),
        (("--must-act", "operator", "--minors-first"), 2),
        (("--due-before", "2100-01-01"), 2),
        (("--due-before", "2000-01-01"), 0),
        (("--group", "MINOR"), 0),
        (("--assigned-to", "张三"), 0),
        (("--family", "missed", "--code", "DUP_PAYMENT"), 0),
    ],
)
def test_findings_are_asked_for_by_what_a_desk_needs(late: Installed, options: tuple[str, ...], count: int) -> None:
    assert len(keys(late, *options)) == count


def test_a_match_is_listed_disposed_of_resolved_and_appealed(installed: Installed) -> None:
    refer(installed, a_row(1))
    refer(installed, a_row(2, person=a_row(1)["person"]))
    installed.run("reconcile")
    installed.done("matches", "turn")
    (match,) = installed.json("matches", "list", "--state", "notified")
    match_id = match["match_id"]
    assert [one["referral"] for one in match["sides"]] == ["r-2", "r-1"]
    entered = installed.done("matches", "dispose", match_id, "--side", "A", "--as", "NOT_SAME_HELP", *WHO)
    assert "awaiting" in entered.stderr
    installed.done("matches", "resolve", match_id, "--as", "NOT_SAME_HELP", *WHO)
    assert installed.json("matches", "show", match_id)["state"] == "closed"
    (rate,) = installed.json("findings", "rates")
    assert (rate["false"], rate["percent"]) == (1, "100.0")
    assert "match_not_same_help" in installed.done("matches", "show", match_id).stdout
    installed.done("matches", "appeal", match_id, *WHO)
    installed.done("matches", "turn")
    assert installed.json("matches", "list")[0]["round"] == 2
    assert installed.run("matches", "show", "m-none").exit_code == 1


def test_the_notice_for_the_person_is_printed_and_the_view_is_on_file(installed: Installed) -> None:
    refer(installed, a_row(1))
    refer(installed, a_row(2, person=a_row(1)["person"]))
    installed.run("reconcile")
    installed.done("matches", "turn")
    (match,) = installed.json("matches", "list")
    printed = installed.done("matches", "notice", match["match_id"], "--side", "A", *WHO).stdout
    for text in ("重复救助核对情况告知", "最低生活保障", "minimum living guarantee", match["match_id"], "不会因此停止"):
        assert text in printed
    assert "r-1" not in printed
    only = installed.done("matches", "notice", match["match_id"], "--side", "A", "--lang", "en", *WHO).stdout
    assert "重复救助核对" not in only
    acts = installed.json("matches", "show", match["match_id"])["decisions"]
    assert [one["what"] for one in acts] == ["match_notice_viewed", "match_notice_viewed"]
