"""疑点 Keyed by what they are about: a second run changes nothing, what is cured closes, what comes back reopens."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from gateway.domain.lifecycle import FindingState
from gateway.domain.reconciliation.values import Finding
from gateway.store import findings
from gateway.store import tables as t
from gateway.store.engine import Store
from gateway.store.findings import Changes, Kept

NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


def a_finding(code: str = "DUP_PAYMENT", referral_id: str | None = "r-1", **changes: object) -> Finding:
    honest = Finding(
        code=code,
        rule_id="A05",
        referral_id=referral_id,
        need_id=None,
        subject="s",
        evidence={"payments": ["p-1", "p-2"], "文号": "（2026）黔01司救执1号"},
        stake_fen=2_000_000,
        must_act="cn/court/520100",
        due_at=LATER,
    )
    return replace(honest, **changes)  # type: ignore[arg-type]


def settle(store: Store, *found: Finding, of: Sequence[str | None] = ("r-1",), now: datetime = NOW) -> Changes:
    return store.write(lambda c: findings.settle(c, of, [(finding, "v1") for finding in found], now=now))


def on_file(store: Store, *, only_open: bool = False) -> list[Kept]:
    with store.reading() as connection:
        return findings.listed(connection, only_open=only_open)


def test_a_finding_is_kept_as_it_was_found(store: Store) -> None:
    assert settle(store, a_finding()) == Changes(opened=1)
    (kept,) = on_file(store)
    assert kept == Kept(
        finding=a_finding(),
        rulebook="v1",
        state=FindingState.OPEN,
        opened_at=NOW,
        closed_at=None,
        closed_because=None,
    )


def test_a_second_run_over_the_same_facts_changes_nothing(store: Store) -> None:
    settle(store, a_finding())
    assert settle(store, a_finding(), now=LATER) == Changes(unchanged=1)
    assert on_file(store)[0].opened_at == NOW


def test_what_is_no_longer_seen_is_closed_as_cured_and_stays_on_file(store: Store) -> None:
    settle(store, a_finding())
    assert settle(store, now=LATER) == Changes(closed=1)
    assert on_file(store, only_open=True) == []
    (kept,) = on_file(store)
    assert (kept.state, kept.closed_at, kept.closed_because) == (FindingState.CLOSED, LATER, "cured")


def test_what_comes_back_is_reopened_visibly_and_not_opened_twice(store: Store) -> None:
    settle(store, a_finding())
    settle(store)
    assert settle(store, a_finding(), now=LATER) == Changes(reopened=1)
    (kept,) = on_file(store)
    assert (kept.state, kept.opened_at, kept.closed_at) == (FindingState.OPEN, NOW, None)


def test_what_a_person_decided_is_not_overwritten_by_a_run(store: Store) -> None:
    settle(store, a_finding())
    decided = t.findings.update().values(state=FindingState.DECIDED.value)
    store.write(lambda c: c.execute(decided))
    assert settle(store, now=LATER) == Changes()
    assert settle(store, a_finding(), now=LATER) == Changes(unchanged=1)
    assert on_file(store)[0].state is FindingState.DECIDED


def test_what_a_person_closed_stays_closed_when_it_is_seen_again(store: Store) -> None:
    settle(store, a_finding())
    closed = t.findings.update().values(state=FindingState.CLOSED.value, closed_because="EXPLAINED")
    store.write(lambda c: c.execute(closed))
    assert settle(store, a_finding(), now=LATER) == Changes(unchanged=1)
    assert on_file(store)[0].closed_because == "EXPLAINED"


def test_a_run_over_some_referrals_leaves_the_others_alone(store: Store) -> None:
    settle(store, a_finding(), a_finding(referral_id="r-2"), of=["r-1", "r-2"])
    assert settle(store, of=["r-2"]) == Changes(closed=1)
    assert [kept.finding.referral_id for kept in on_file(store, only_open=True)] == ["r-1"]


def test_what_belongs_to_no_referral_is_settled_apart(store: Store) -> None:
    gap = a_finding("SEQ_GAP", None)
    settle(store, gap, of=[None])
    settle(store, a_finding())
    assert settle(store, a_finding()) == Changes(unchanged=1)
    assert settle(store, of=[None]) == Changes(closed=1)
    assert [kept.finding.code for kept in on_file(store, only_open=True)] == ["DUP_PAYMENT"]


def test_findings_can_be_listed_by_code_and_counted(store: Store) -> None:
    settle(store, a_finding(), a_finding("MM_AMOUNT"), a_finding("MM_AMOUNT", subject="other"))
    with store.reading() as connection:
        assert findings.open_counts(connection) == {"DUP_PAYMENT": 1, "MM_AMOUNT": 2}
        assert len(findings.listed(connection, code="MM_AMOUNT")) == 2
        assert len(findings.listed(connection, limit=1)) == 1


def test_two_processes_that_find_the_same_thing_keep_it_once(store: Store, other: Store) -> None:
    if not store.is_sqlite:
        # the other process commits between this one's look and its write
        def overtaken(connection: sa.Connection) -> Changes:
            if not on_file(store):
                connection.execute(sa.select(t.findings)).all()
                settle(other, a_finding())
                connection.execute(t.findings.insert().values(_same_key()))
            return findings.settle(connection, ["r-1"], [(a_finding(), "v1")], now=NOW)

        assert store.write(overtaken) == Changes(unchanged=1)
    settle(store, a_finding())
    settle(other, a_finding())
    assert len(on_file(store)) == 1


def _same_key() -> dict[str, object]:
    return {
        "key": a_finding().key,
        "code": "DUP_PAYMENT",
        "rule_id": "A05",
        "rulebook": "v1",
        "subject": "s",
        "evidence": "{}",
        "stake_fen": 0,
        "must_act": "operator",
        "state": "open",
        "opened_at": 0,
    }


# --- evidence ---


def decide(store: Store, decided_as: str, state: FindingState = FindingState.DECIDED) -> None:
    store.write(lambda c: c.execute(t.findings.update().values(state=state.value, decided_as=decided_as)))


def history(store: Store) -> list[tuple[str, str, str | None]]:
    with store.reading() as connection:
        return [(row.what, row.state, row.decided_as) for row in connection.execute(sa.select(t.finding_changes))]


def test_other_evidence_of_what_nobody_decided_is_taken_and_what_was_said_is_kept(store: Store) -> None:
    settle(store, a_finding())
    more = a_finding(evidence={"payments": ["p-1", "p-2", "p-3"]}, stake_fen=3_000_000)
    assert settle(store, more, now=LATER) == Changes(updated=1)
    (kept,) = on_file(store)
    assert (kept.finding, kept.state, kept.opened_at) == (more, FindingState.OPEN, NOW)
    assert history(store) == [("evidence", "open", None)]
    assert settle(store, more) == Changes(unchanged=1)


def test_other_evidence_reopens_what_was_decided_and_says_so(store: Store) -> None:
    settle(store, a_finding())
    decide(store, "FALSE_MATCH", FindingState.CLOSED)
    assert settle(store, a_finding(), now=LATER) == Changes(unchanged=1)
    more = a_finding(evidence={"payments": ["p-1", "p-3"]})
    assert settle(store, more, now=LATER) == Changes(reopened=1)
    (kept,) = on_file(store)
    assert (kept.state, kept.finding, kept.decided_as, kept.closed_at) == (FindingState.OPEN, more, None, None)
    assert history(store) == [("new_evidence", "closed", "FALSE_MATCH")]


def test_where_a_thing_stands_is_no_new_evidence(store: Store) -> None:
    settle(store, a_finding(evidence={"other_need": "r-2:1", "other_state": "accepted"}))
    decide(store, "EXPLAINED")
    later = a_finding(evidence={"other_need": "r-2:1", "other_state": "handed_off", "other_office": "o-1"})
    assert settle(store, later) == Changes(unchanged=1)
    assert on_file(store)[0].finding.evidence["other_state"] == "accepted"


def test_who_must_act_until_when_follows_while_it_is_open_and_is_no_change_of_evidence(store: Store) -> None:
    settle(store, a_finding())
    moved = a_finding(must_act="operator", due_at=NOW)
    assert settle(store, moved) == Changes(unchanged=1)
    assert on_file(store)[0].finding == moved
    assert history(store) == []


def test_evidence_kept_before_there_were_digests_is_compared_all_the_same(store: Store) -> None:
    settle(store, a_finding())
    store.write(lambda c: c.execute(t.findings.update().values(evidence_digest=None)))
    assert settle(store, a_finding()) == Changes(unchanged=1)
    assert history(store) == []
