"""访问权限 Roles, rights and words: the tables are whole, the page about them says what they say."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import pytest

from gateway.config import load
from gateway.domain.access import Account, Desk, Right, Role, load_roles
from gateway.domain.agreement import Channel
from gateway.domain.lifecycle import (
    FindingState,
    HandoffState,
    MatchState,
    MessageState,
    NeedState,
    ReservationState,
    StatementState,
)
from gateway.domain.rules import read_table
from gateway.errors import ConfigError
from gateway.flows.approve import load_approval_rules
from gateway.store.approvals import ApprovalState

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
WORDS = {
    "need": NeedState,
    "handoff": HandoffState,
    "message": MessageState,
    "finding_state": FindingState,
    "reservation": ReservationState,
    "statement": StatementState,
    "match": MatchState,
    "channel": Channel,
    "approval": ApprovalState,
}
"""Kind of word → the states it must have a word for."""
READS_CASES = {Right.SEE_CASES, Right.REVEAL, Right.SEE_EVIDENCE}
HAS_KEYS_OR_ACCOUNTS = {Right.MANAGE_KEYS, Right.APPROVE_KEYS, Right.MANAGE_ACCOUNTS, Right.APPROVE_ACCOUNTS}


def roles_table() -> str:
    """As it stands in the page."""
    roles = load_roles().values()
    head = ["right", *(f"{row.zh} `{row.role.value}`" for row in roles)]
    lines = [head, ["---", *([":-:"] * len(roles))]]
    lines += [[f"`{right.value}`", *("✓" if right in row.rights else "" for row in roles)] for right in Right]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def approvals_table() -> str:
    """As it stands in the page."""
    lines = [["what", "事项", "asks", "grants", "hours"], ["---"] * 5]
    lines += [
        [
            f"`{rule.what}`",
            rule.zh,
            f"`{rule.ask.value}`",
            f"`{rule.grant.value}`",
            str(int(rule.valid.total_seconds() // 3600)),
        ]
        for rule in load_approval_rules().values()
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def missing(kind: str, states: Iterable[StrEnum]) -> list[str]:
    """States without a word in both languages."""
    found = {row["code"]: row for row in read_table("words") if row["kind"] == kind}
    return [
        one.value for one in states if one.value not in found or not (found[one.value]["zh"] and found[one.value]["en"])
    ]


def test_every_role_and_every_desk_is_in_the_table() -> None:
    assert set(load_roles()) == set(Role)
    assert {row.desk for row in load_roles().values()} == set(Desk)


def test_every_right_is_somebodys() -> None:
    assert frozenset().union(*(row.rights for row in load_roles().values())) == set(Right)


def test_who_has_keys_or_accounts_reads_no_case() -> None:
    both = [row.role for row in load_roles().values() if row.rights & READS_CASES and row.rights & HAS_KEYS_OR_ACCOUNTS]
    assert both == []


def test_a_clerk_has_one_right_and_no_console() -> None:
    clerks = {role: load_roles()[role] for role in (Role.COURT_CLERK, Role.AGENCY_CLERK)}
    assert {role: row.rights for role, row in clerks.items()} == {
        Role.COURT_CLERK: {Right.COURT_WORK},
        Role.AGENCY_CLERK: {Right.AGENCY_WORK},
    }
    assert Desk.CONSOLE not in {row.desk for row in clerks.values()}


def test_an_auditor_decides_and_sends_nothing() -> None:
    changing = {Right.DECIDE, Right.OPERATE_DELIVERY, Right.TAKE_STATEMENTS, *HAS_KEYS_OR_ACCOUNTS}
    assert load_roles()[Role.AUDITOR].rights & changing == set()


def test_what_takes_two_people_can_be_asked_and_granted_by_somebody() -> None:
    rights = [row.rights for row in load_roles().values()]
    for rule in load_approval_rules().values():
        assert any(rule.ask in one for one in rights), rule.what
        assert any(rule.grant in one for one in rights), rule.what


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": Role.COURT_CLERK},
        {"role": Role.RECONCILER, "party_id": "cn/court/520100"},
        {"role": Role.COURT_CLERK, "party_id": "cn/court/520100", "office_ids": ("x",)},
        {"role": Role.AGENCY_CLERK, "party_id": "cn/agency/x", "region": "52"},
    ],
    ids=str,
)
def test_an_account_that_cannot_be_is_not_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Account(name="one", shown_as="样例", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", WORDS)
def test_every_state_has_a_word_in_both_languages(kind: str) -> None:
    assert missing(kind, WORDS[kind]) == []


def test_no_word_stands_twice_and_none_is_empty() -> None:
    rows = read_table("words")
    keys = [(row["kind"], row["code"]) for row in rows]
    assert sorted({key for key in keys if keys.count(key) > 1}) == []
    assert [row for row in rows if not all(row.values())] == []


def test_what_people_do_to_accounts_has_words() -> None:
    found = {row["code"] for row in read_table("words") if row["kind"] == "account_act"}
    whats = [what for what in load_approval_rules() if what.endswith("_account")]
    assert {f"{what}_{end}" for what in whats for end in ("asked", "granted", "refused", "used")} <= found


@pytest.mark.parametrize("made", [roles_table, approvals_table])
def test_the_page_about_access_says_what_the_tables_say(made: object) -> None:
    assert callable(made)
    assert made() in PAGE.read_text(encoding="utf-8"), f"docs/access.md should hold:\n{made()}"


# --- the identity provider in the configuration ---

BASE = '[gateway]\nparty_id = "cn/gateway/520000"\ndatabase = "sqlite:///x.db"\n'
PUBLIC = BASE + 'public_url = "https://gateway.example.test"\n'


def configured(folder: Path, text: str, **environment: str) -> object:
    path = folder / "xianjie.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, environment).provider


def test_a_provider_is_read_with_its_secret_from_a_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "oidc.secret").write_text("from a file\n", encoding="utf-8")
    text = f'{PUBLIC}[oidc]\nissuer = "https://id.example.test"\nclient_id = "x"\nsecret_file = "oidc.secret"\n'
    found = configured(tmp_path, text)
    assert getattr(found, "secret", None) == "from a file"
    assert "from a file" not in repr(found)
    assert getattr(configured(tmp_path, text, XIANJIE_OIDC_SECRET="from outside"), "secret", None) == "from outside"


def test_without_the_section_there_is_no_provider(tmp_path: Path) -> None:
    assert configured(tmp_path, BASE) is None


@pytest.mark.parametrize(
    "text",
    [
        f'{BASE}[oidc]\nissuer = "https://id.example.test"\nclient_id = "x"\n',
        f'{PUBLIC}[oidc]\nissuer = "http://id.example.test"\nclient_id = "x"\n',
        f'{PUBLIC}[oidc]\nissuer = "https://id.example.test"\n',
        f'{PUBLIC}[oidc]\nissuer = "https://id.example.test"\nclient_id = "x"\nsecret = "here"\n',
        f'{PUBLIC}[oidc]\nissuer = "https://id.example.test"\nclient_id = 7\n',
        f'{PUBLIC}[oidc]\nissuer = "https://id.example.test"\nclient_id = "x"\nsecret_file = "nowhere"\n',
    ],
)
def test_a_provider_that_cannot_be_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="oidc"):
        configured(tmp_path, text)
