"""日志簿: one effect, one message, whoever asks and whenever; numbers without a gap; nothing else counts."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.client.journal import ACCEPTED, PENDING, Ending, Entry, Journal
from gateway.client.values import Outgoing
from gateway.errors import ConfigError, FieldProblem

COURT, GATEWAY = "cn/court/520100", "cn/gateway/520000"


def wanted(effect: str = "r-1", **changes: Any) -> Outgoing:
    honest: dict[str, Any] = {"type": "referral.submitted", "data": {"referral_id": effect}, "effect": effect}
    return Outgoing(**(honest | changes))


def write(item: Outgoing, seq: int) -> tuple[str, str]:
    """Stands for signing: the bytes name effect and number."""
    write.count += 1  # type: ignore[attr-defined]
    return f"m-{write.count}", f"jws of {item.effect} number {seq}"  # type: ignore[attr-defined]


write.count = 0  # type: ignore[attr-defined]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def prepare(journal: Journal, *items: Outgoing, source: str = COURT) -> list[Entry]:
    return journal.prepare(source, GATEWAY, items, write)


def refuse(journal: Journal, entry: Entry, *, of_attempt: bool = False) -> None:
    journal.settle([Ending(message_id=entry.message_id, receipt=None, of_attempt=of_attempt)])


def accept(journal: Journal, entry: Entry) -> None:
    warning = FieldProblem(pointer="/data/person", code="normalised")
    journal.settle([Ending(message_id=entry.message_id, receipt="receipt", warnings=(warning,), holds=("A02",))])


def test_what_was_written_is_found_again_by_another_process(path: Path) -> None:
    (first,) = prepare(Journal(path), wanted())
    (again,) = prepare(Journal(path), wanted())
    assert (again.message_id, again.seq, again.jws, again.state) == (first.message_id, 1, first.jws, PENDING)


def test_nothing_is_kept_when_writing_fails(path: Path) -> None:
    journal = Journal(path)

    def fail(item: Outgoing, seq: int) -> tuple[str, str]:
        if item.effect == "r-2":
            raise ValueError
        return write(item, seq)

    with pytest.raises(ValueError):
        journal.prepare(COURT, GATEWAY, [wanted("r-1"), wanted("r-2")], fail)
    assert [entry.seq for entry in prepare(journal, wanted("r-3"), wanted("r-1"))] == [1, 2]


def test_a_receipt_is_kept_with_what_it_said(path: Path) -> None:
    journal = Journal(path)
    accept(journal, prepare(journal, wanted())[0])
    (kept,) = prepare(Journal(path), wanted())
    assert (kept.state, kept.receipt, kept.holds) == (ACCEPTED, "receipt", ("A02",))
    assert kept.warnings == (FieldProblem(pointer="/data/person", code="normalised"),)


def test_a_refused_effect_is_written_anew_with_its_old_number(path: Path) -> None:
    journal = Journal(path)
    first, second = prepare(journal, wanted("r-1"), wanted("r-2"))
    refuse(journal, first)
    (third,) = prepare(journal, wanted("r-1", data={"corrected": True}))
    assert (third.message_id != first.message_id, third.seq, third.changed) == (True, first.seq, False)
    assert prepare(journal, wanted("r-3"))[0].seq == second.seq + 1


def test_a_refusal_of_one_attempt_ends_a_message_only_when_there_was_no_other(path: Path) -> None:
    journal = Journal(path)
    (first,) = prepare(journal, wanted("r-1"))
    refuse(journal, first, of_attempt=True)
    (second,) = prepare(journal, wanted("r-1"))
    assert second.message_id != first.message_id
    prepare(journal, wanted("r-1"))
    refuse(journal, second, of_attempt=True)
    assert prepare(journal, wanted("r-1"))[0].message_id == second.message_id


def test_a_refusal_that_comes_late_takes_no_receipt_away(path: Path) -> None:
    journal = Journal(path)
    (entry,) = prepare(journal, wanted())
    accept(journal, entry)
    refuse(journal, entry)
    assert prepare(journal, wanted())[0].state == ACCEPTED
    assert prepare(journal, wanted("r-2"))[0].seq == 2


def test_a_refusal_told_twice_frees_one_number(path: Path) -> None:
    journal = Journal(path)
    (entry,) = prepare(journal, wanted())
    refuse(journal, entry)
    refuse(journal, entry)
    assert [one.seq for one in prepare(journal, wanted("r-2"), wanted("r-3"))] == [1, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"referral_id": "r-1", "more": 1}},
        {"type": "referral.withdrawn"},
        {"subject": "r-2"},
        {"in_reply_to": "m", "in_reply_to_digest": "d"},
        {"content_type": "application/xml"},
    ],
)
def test_whatever_the_gateway_would_see_differently_is_a_change(path: Path, change: dict[str, Any]) -> None:
    journal = Journal(path)
    prepare(journal, wanted())
    assert prepare(journal, wanted(**change))[0].changed is True
    assert prepare(journal, wanted(reference="another row"))[0].changed is False


def test_parties_and_gateways_are_numbered_apart(path: Path) -> None:
    journal = Journal(path)
    assert prepare(journal, wanted())[0].seq == 1
    assert prepare(journal, wanted(), source="cn/court/520300")[0].seq == 1
    assert journal.prepare(COURT, "cn/gateway/530000", [wanted()], write)[0].seq == 1


def test_threads_number_without_gap_or_double(path: Path) -> None:
    journals = [Journal(path), Journal(path)]
    seen: list[int] = []

    def work(at: int) -> None:
        seen.extend(prepare(journals[at % 2], wanted(f"r-{at}-{number}"))[0].seq for number in range(10))

    threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(1, 41))


def test_the_file_and_its_side_files_are_their_owners_alone(path: Path) -> None:
    prepare(Journal(path), wanted())
    with sqlite3.connect(path) as held:  # keeps the side files there
        held.execute("select count(*) from entries").fetchone()
        modes = {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()}
    assert set(modes.values()) == {"0o600"}


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.touch(mode=0o644)
    Journal(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_no_journal_is_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"somebody's letter, not a journal at all " * 200)
    before = path.read_bytes()
    with pytest.raises(ConfigError):
        Journal(path)
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(ConfigError):
        Journal(path.parent / "none" / "journal.sqlite")
