"""收件 One row a message for ever; ids are unique per sender, and numbers tell a gap."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import IntegrityError

from gateway.store import inbox
from gateway.store.engine import Store
from gateway.store.inbox import Earlier, Inbound, Numbering

NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)


def a_message(**changes: object) -> Inbound:
    honest: dict[str, object] = {
        "source": "cn/court/520100",
        "message_id": "m-1",
        "type": "referral.submitted",
        "digest": "d" * 64,
        "subject": "r-1",
        "seq": 1,
        "received_at": NOW,
        "kid": "k",
        "jws": "the.very.bytes",
        "receipt": "the.first.receipt",
    }
    return Inbound(**(honest | changes))  # type: ignore[arg-type]


def put(store: Store, *messages: Inbound) -> None:
    store.write(lambda connection: inbox.put(connection, messages))


def test_the_first_receipt_is_found_again_under_sender_and_id(store: Store) -> None:
    put(store, a_message())
    key = ("cn/court/520100", "m-1")
    with store.reading() as connection:
        assert inbox.earlier(connection, [key]) == {
            key: Earlier(digest="d" * 64, receipt="the.first.receipt", received_at=a_message().received_at)
        }
        assert inbox.bytes_of(connection, [key]) == {key: "the.very.bytes"}


def test_another_partys_message_of_the_same_id_is_another_message(store: Store) -> None:
    put(store, a_message(), a_message(source="cn/court/520300", jws="other.bytes.here"))
    with store.reading() as connection:
        assert inbox.bytes_of(connection, [("cn/court/520300", "m-1")]) == {
            ("cn/court/520300", "m-1"): "other.bytes.here"
        }
        assert inbox.earlier(connection, [("cn/court/520500", "m-1")]) == {}


def test_the_same_key_twice_fails_and_leaves_nothing_of_its_transaction(store: Store) -> None:
    put(store, a_message())
    with pytest.raises(IntegrityError):
        put(store, a_message(message_id="m-2"), a_message())
    with store.reading() as connection:
        assert inbox.earlier(connection, [("cn/court/520100", "m-2")]) == {}


def test_asking_about_nothing_asks_nothing(store: Store) -> None:
    with store.reading() as connection:
        assert inbox.earlier(connection, []) == {}
        assert inbox.bytes_of(connection, []) == {}
    put(store)


def test_a_gap_in_a_partys_numbers_shows(store: Store) -> None:
    put(store, a_message(message_id="a", seq=1), a_message(message_id="b", seq=3))
    put(store, a_message(message_id="c", seq=None), a_message(source="cn/court/520300", message_id="d", seq=None))
    with store.reading() as connection:
        assert inbox.numberings(connection) == [Numbering(source="cn/court/520100", last=3, count=2)]


def test_a_number_used_twice_does_not_hide_a_gap(store: Store) -> None:
    put(store, *(a_message(message_id=f"m-{at}", seq=seq) for at, seq in enumerate((1, 1, 3))))
    with store.reading() as connection:
        (found,) = inbox.numberings(connection)
    assert (found.last, found.count) == (3, 2)
