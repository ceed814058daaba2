"""What a leaf says: one spelling per entry, and nothing but ids, codes, times and digests."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedJson, TooLarge
from gateway.evidence.entry import (
    Entry,
    EntryKind,
    canonical,
    cutoff_entry,
    decision_digest,
    decision_entry,
    directory_entry,
    message_entry,
    read,
    receipt_entry,
    recovery_entry,
)

NOW = datetime(2026, 11, 3, 8, 0, 0, 123456, tzinfo=UTC)
DIGEST = sha256(b"jws").hexdigest()
MESSAGE = message_entry(
    message_id="m-1",
    source="cn/court/520100",
    recipient="cn/gateway/520000",
    message_type="referral.submitted",
    digest=DIGEST,
    at=NOW,
    about="r-1",
)
ENTRIES = [
    MESSAGE,
    receipt_entry(
        message_id="m-1", rung="submission", verdict="accepted", issuer="cn/gateway/520000", digest=DIGEST, at=NOW
    ),
    decision_entry(decision_id="d-1", what="hold_released", digest=DIGEST, at=NOW),
    directory_entry(ref="cn/court/520100", what="party_added", digest=DIGEST, at=NOW),
    cutoff_entry(cutoff_id="2026-11-03", digest=DIGEST, at=NOW),
    recovery_entry(recovery_id="2", size=17, root=bytes(32), at=NOW, epoch=2, origin="cn/gateway/520000/2"),
]


def test_a_message_is_spelled_in_one_way() -> None:
    assert MESSAGE.to_bytes() == (
        b'{"about":"r-1","at":"2026-11-03T08:00:00.123Z","digest":"' + DIGEST.encode() + b'",'
        b'"from":"cn/court/520100","id":"m-1","kind":"message","to":"cn/gateway/520000",'
        b'"type":"referral.submitted","v":1}'
    )


def test_a_receipt_names_the_message_it_answers() -> None:
    assert ENTRIES[1].to_bytes() == (
        b'{"at":"2026-11-03T08:00:00.123Z","digest":"' + DIGEST.encode() + b'","from":"cn/gateway/520000",'
        b'"kind":"receipt","of":"m-1","rung":"submission","v":1,"verdict":"accepted"}'
    )


def test_the_same_moment_in_another_zone_is_the_same_entry() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=8)))
    assert (
        ENTRIES[2].to_bytes()
        == decision_entry(decision_id="d-1", what="hold_released", digest=DIGEST, at=there).to_bytes()
    )


@given(
    st.sampled_from(ENTRIES),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=100),
    st.from_regex(r"[!#-\[\]-~]{1,200}", fullmatch=True),
    st.integers(0, 2**53 - 1),
)
def test_the_bytes_are_those_of_the_canonical_json(entry: Entry, ref: str, text: str, number: int) -> None:
    changed = {name: text if name in ("to", "what", "rung") else value for name, value in entry.fields.items()}
    changed |= {"size": number} if entry.kind is EntryKind.RECOVERY else {}
    made = Entry(kind=entry.kind, ref=ref, fields=changed)
    name = "of" if entry.kind is EntryKind.RECEIPT else "id"
    assert canonical({"v": 1, "kind": entry.kind.value, name: ref, **changed}) == made.to_bytes()
    assert made == read(made.to_bytes())


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.kind for entry in ENTRIES])
def test_an_entry_is_read_back_as_it_was(entry: Entry) -> None:
    assert read(entry.to_bytes()) == entry


def test_an_office_s_chinese_id_is_spelled_in_ascii() -> None:
    entry = directory_entry(ref="南明民政", what="office_changed", digest=DIGEST, at=NOW)
    assert b'"id":"\\u5357\\u660e\\u6c11\\u653f"' in entry.to_bytes()
    assert entry == read(entry.to_bytes())


def test_a_message_about_no_referral_has_no_such_field() -> None:
    entry = message_entry(
        message_id="m", source="a/b/c", recipient="a/b/d", message_type="clue.submitted", digest=DIGEST, at=NOW
    )
    assert b"about" not in entry.to_bytes()
    assert read(entry.to_bytes()).fields.keys() == {"from", "to", "type", "digest", "at"}


@pytest.mark.parametrize(
    "changed",
    [
        {"to": "张三"},
        {"to": "two words"},
        {"to": 'a"b'},
        {"to": "a\\b"},
        {"to": "a\n"},
        {"to": ""},
        {"to": "x" * 201},
        {"digest": DIGEST.upper()},
        {"digest": DIGEST[:-1]},
        {"name": "anything"},
        {"type": 5},
        {"type": True},
    ],
)
def test_what_is_no_id_code_or_digest_cannot_be_written(changed: dict[str, str | int]) -> None:
    with pytest.raises(ValueError, match="entry"):
        Entry(kind=EntryKind.MESSAGE, ref="m-1", fields={**MESSAGE.fields, **changed})


def test_a_field_that_is_missing_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="other fields"):
        Entry(kind=EntryKind.CUTOFF, ref="c", fields={"digest": DIGEST})
    with pytest.raises(ValueError, match="ref"):
        cutoff_entry(cutoff_id="two words", digest=DIGEST, at=NOW)
    with pytest.raises(ValueError, match="size"):
        recovery_entry(recovery_id="2", size=-1, root=bytes(32), at=NOW)


@pytest.mark.parametrize(
    "raw, rule",
    [
        (b"", "syntax"),
        (b"[]", "not_object"),
        (b'{"v":1}', "entry"),
        (b'{"kind":["message"],"v":1}', "entry"),
        (MESSAGE.to_bytes() + b" ", "not_canonical"),
        (MESSAGE.to_bytes().replace(b'":', b'": '), "not_canonical"),
        (MESSAGE.to_bytes().replace(b'"v":1', b'"v":2'), "not_canonical"),
        (MESSAGE.to_bytes().replace(b',"v":1', b""), "not_canonical"),
        (MESSAGE.to_bytes().replace(b'"m-1"', b'"\\u006d-1"'), "not_canonical"),
        (MESSAGE.to_bytes().replace(b'"id"', b'"of"'), "entry"),
        (MESSAGE.to_bytes().replace(b'"message"', b'"rumour"'), "entry"),
        (MESSAGE.to_bytes().replace(b'"m-1"', b"7"), "entry"),
        (MESSAGE.to_bytes().replace(b'"v":1', b'"v":1,"x":"y"'), "entry"),
        (MESSAGE.to_bytes().replace(b'"v":1', b'"v":1,"v":1'), "duplicate_key"),
    ],
)
def test_any_other_spelling_is_refused_by_its_rule(raw: bytes, rule: str) -> None:
    with pytest.raises(MalformedJson) as caught:
        read(raw)
    assert rule == caught.value.note


def test_an_entry_is_never_long() -> None:
    with pytest.raises(TooLarge):
        read(b'{"a":"' + b"x" * 9000 + b'"}')


def test_a_decision_is_fixed_by_its_digest_and_not_disclosed() -> None:
    record = {
        "decision_id": "d-1",
        "at_ms": 1_762_156_800_123,
        "who": "clerk-7",
        "what": "hold_released",
        "subject": "r-1",
        "why": "同名不同人",
    }
    spelled = (
        b'{"at":1762156800123,"decision_id":"d-1","subject":"r-1","what":"hold_released","who":"clerk-7",'
        b'"why":"\\u540c\\u540d\\u4e0d\\u540c\\u4eba"}'
    )
    assert sha256(spelled).hexdigest() == decision_digest(**record)
    assert decision_digest(**record) != decision_digest(**{**record, "why": "同名"})
