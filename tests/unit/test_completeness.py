"""Two books over one numbered stream: equal roots prove it whole, unequal ones lead to the very number."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from math import ceil, log2
from typing import Any

import pytest
from marshmallow import ValidationError

from gateway.evidence.completeness import (
    IN_TRANSIT,
    LEEWAY,
    Bisection,
    Difference,
    DifferenceKind,
    Numbered,
    PairTree,
    is_subtree,
    judge,
    leaf_of,
    middle,
)
from gateway.evidence.merkle import EMPTY_ROOT, node_hash
from schemas.commitment import COMMITMENT, KINDS

NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 255, 256, 257, 511, 513, 1000]


def a_message(seq: int, **changes: Any) -> Numbered:
    honest = Numbered(seq=seq, message_id=f"m-{seq}", digest=sha256(str(seq).encode()).hexdigest())
    return replace(honest, **changes)


def a_book(count: int) -> list[Numbered]:
    return [a_message(seq) for seq in range(1, count + 1)]


def compared(ours: Sequence[Numbered], theirs: Sequence[Numbered], size: int) -> tuple[list[int], int]:
    """The numbers that differ, and how often the other side was asked."""
    search = Bisection(PairTree(ours).over, PairTree(theirs).over, size)
    return [leaf + 1 for leaf in search.differing()], search.asked


def most_asks(size: int) -> int:
    return 2 * ceil(log2(size)) + 2


# --- the tree ---


def test_a_leaf_is_the_hash_of_number_id_and_digest_a_line_each() -> None:
    message = a_message(7)
    expected = sha256(b"\x00" + f"7\nm-7\n{message.digest}\n".encode()).digest()
    assert leaf_of(7, [message]) == expected


def test_a_number_without_a_message_has_a_leaf_of_its_own() -> None:
    assert leaf_of(7, ()) == sha256(b"\x007\n-\n-\n").digest()
    assert leaf_of(7, ()) != leaf_of(8, ())


def test_two_messages_under_one_number_make_one_leaf_whatever_their_order() -> None:
    first, second = a_message(7, message_id="b"), a_message(7, message_id="a")
    assert leaf_of(7, [first, second]) == leaf_of(7, [second, first])
    assert leaf_of(7, [first, second]) not in (leaf_of(7, [first]), leaf_of(7, [second]))


def test_no_messages_make_the_empty_root() -> None:
    tree = PairTree([])
    assert (tree.high_water, tree.root(0)) == (0, EMPTY_ROOT)


def test_the_state_of_a_message_is_no_part_of_what_is_committed_to() -> None:
    book = a_book(5)
    moved = [replace(row, state="parked") for row in book]
    assert PairTree(book).root(5) == PairTree(moved).root(5)


def test_rows_may_come_in_any_order() -> None:
    book = a_book(20)
    mixed = random.Random(1).sample(book, len(book))
    assert PairTree(mixed).root(20) == PairTree(book).root(20)


@pytest.mark.parametrize("size", SIZES)
def test_the_root_over_a_beginning_is_the_root_of_that_beginning(size: int) -> None:
    assert PairTree(a_book(1000)).root(size) == PairTree(a_book(size)).root(size)


def test_a_range_is_hashed_from_its_two_halves() -> None:
    tree = PairTree(a_book(300))
    at = middle(0, 300)
    assert tree.root(300) == node_hash(tree.over(0, at), tree.over(at, 300))


def test_above_the_high_water_mark_there_are_numbers_without_a_message() -> None:
    book = a_book(10)
    assert PairTree(book).root(12) == PairTree(book, at_least=12).root(12)
    assert PairTree(book).root(12) != PairTree(book).root(10)


def test_a_number_that_was_given_counts_though_its_message_is_gone() -> None:
    tree = PairTree(a_book(9), at_least=10)
    assert (tree.high_water, tree.count(10)) == (10, 9)


def test_a_commitment_says_how_many_up_to_which_number_under_which_root() -> None:
    book = [row for row in a_book(10) if row.seq != 4]
    tree = PairTree(book)
    found = tree.commitment("cn/court/520100", "cn/gateway/520000", cutoff=NOW)
    assert (found.high_water, found.count, found.root) == (10, 9, tree.root(10).hex())
    shorter = tree.commitment("cn/court/520100", "cn/gateway/520000", cutoff=NOW, size=5)
    assert (shorter.high_water, shorter.count, shorter.root) == (5, 4, PairTree(book[:4]).root(5).hex())


def test_a_number_far_out_of_line_is_no_part_of_the_stream() -> None:
    book = a_book(3)
    wild = a_message(2**53 - 1)
    tree = PairTree([*book, wild])
    assert (tree.high_water, tree.root(3)) == (3, PairTree(book).root(3))
    assert not tree.reaches(3 + LEEWAY + 1)
    with pytest.raises(ValueError, match="out of line"):
        tree.root(3 + LEEWAY + 1)


def test_number_zero_is_no_number() -> None:
    assert PairTree([a_message(0), a_message(1)]).root(1) == PairTree([a_message(1)]).root(1)


def test_the_root_under_a_supposition_is_the_root_of_that_book() -> None:
    book = a_book(300)
    supposed = {17: [a_message(17, digest="0" * 64)], 200: [], 301: [a_message(301)]}
    changed = [row for row in book if row.seq not in (17, 200)] + [supposed[17][0], a_message(301)]
    assert PairTree(book).root_with(supposed, 301) == PairTree(changed).root(301)
    assert PairTree(book).root_with({}, 300) == PairTree(book).root(300)


# --- the search ---


def test_equal_books_are_proven_by_one_question() -> None:
    assert compared(a_book(1000), a_book(1000), 1000) == ([], 1)


def test_nothing_needs_no_question() -> None:
    assert compared([], [], 0) == ([], 0)


def without(book: list[Numbered], seq: int) -> list[Numbered]:
    return [row for row in book if row.seq != seq]


def other_bytes(book: list[Numbered], seq: int) -> list[Numbered]:
    return [replace(row, digest="f" * 64) if row.seq == seq else row for row in book]


def other_id(book: list[Numbered], seq: int) -> list[Numbered]:
    return [replace(row, message_id="another") if row.seq == seq else row for row in book]


def twice(book: list[Numbered], seq: int) -> list[Numbered]:
    return [*book, a_message(seq, message_id="second")]


HARMS = [without, other_bytes, other_id, twice]


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("size", SIZES)
def test_whatever_is_done_to_any_one_message_is_found_at_its_number(
    harm: Callable[[list[Numbered], int], list[Numbered]], size: int
) -> None:
    book = a_book(size)
    for seq in {1, 2, size // 2, size - 1, size} & set(range(1, size + 1)):
        for ours, theirs in ((harm(book, seq), book), (book, harm(book, seq))):
            found, asked = compared(ours, theirs, size)
            assert found == [seq]
            assert asked <= most_asks(size)


def test_one_difference_among_a_hundred_thousand_takes_few_questions() -> None:
    size = 100_000
    book = a_book(size)
    whole = PairTree(book)
    for seq in (1, 2, 65_536, 65_537, 77_777, size - 1, size):
        search = Bisection(PairTree(other_bytes(book, seq)).over, whole.over, size)
        assert [leaf + 1 for leaf in search.differing()] == [seq]
        assert search.asked <= most_asks(size) == 36


def test_many_differences_are_all_found_and_each_costs_at_most_its_path() -> None:
    chosen = random.Random(20260303)
    for _ in range(20):
        size = chosen.randrange(2, 3000)
        book = a_book(size)
        harmed = sorted(chosen.sample(range(1, size + 1), chosen.randrange(1, min(size, 30) + 1)))
        theirs = [row for row in book if row.seq not in harmed]
        found, asked = compared(book, theirs, size)
        assert found == harmed
        assert asked <= len(harmed) * most_asks(size)


def test_wholly_different_books_differ_everywhere() -> None:
    found, _ = compared(a_book(100), [], 100)
    assert found == list(range(1, 101))


def test_the_search_asks_for_subtrees_only() -> None:
    size, book = 777, a_book(777)
    asked: list[tuple[int, int]] = []
    theirs = PairTree(without(book, 500))

    def ask(start: int, stop: int) -> bytes:
        asked.append((start, stop))
        return theirs.over(start, stop)

    assert [*Bisection(PairTree(book).over, ask, size).differing()] == [499]
    assert all(is_subtree(start, stop) for start, stop in asked)
    assert not is_subtree(1, 3)
    assert not is_subtree(3, 3)


# --- the verdict ---


def kind_of(ours: Sequence[Numbered], theirs: Sequence[Numbered]) -> DifferenceKind | None:
    found = judge(7, ours, theirs)
    return None if found is None else found.kind


MINE = a_message(7)


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ([MINE], [MINE], None),
        ([], [], None),
        ([MINE], [], DifferenceKind.MISSING_THEIRS),
        ([], [MINE], DifferenceKind.MISSING_OURS),
        ([MINE], [replace(MINE, digest="f" * 64)], DifferenceKind.ALTERED),
        ([MINE], [replace(MINE, message_id="x")], DifferenceKind.ALTERED),
        ([MINE, replace(MINE, message_id="x")], [MINE], DifferenceKind.DOUBLED),
        ([MINE], [MINE, replace(MINE, message_id="x")], DifferenceKind.DOUBLED),
        ([], [replace(MINE, state="refused")], DifferenceKind.REFUSED),
    ],
)
def test_each_kind_of_difference_has_its_name(
    ours: list[Numbered], theirs: list[Numbered], kind: DifferenceKind | None
) -> None:
    assert kind_of(ours, theirs) == kind


@pytest.mark.parametrize("state", sorted(IN_TRANSIT))
def test_what_its_sender_still_has_under_way_is_not_lost(state: str) -> None:
    there = [replace(MINE, state=state)]
    assert kind_of([], there) == kind_of(there, []) == DifferenceKind.IN_TRANSIT
    assert not Difference(seq=7, kind=DifferenceKind.IN_TRANSIT).is_wrong


def test_a_change_is_a_change_also_while_the_message_is_under_way() -> None:
    assert kind_of([MINE], [replace(MINE, digest="f" * 64, state="unknown")]) == DifferenceKind.ALTERED


# --- its wire shape ---

HELD = {"message_id": "m-7", "digest": "a" * 64}
STREAM = {"source": "cn/court/520100", "recipient": "cn/gateway/520000", "high_water": 9, "count": 9, "root": "a" * 64}
BODY = {"cutoff": "2026-03-03T01:00:00.000Z", "streams": [STREAM]}


def test_a_commitment_travels_with_what_was_found() -> None:
    rows = [{"seq": 7, "kind": "altered", "ours": HELD, "theirs": HELD}, {"seq": 9, "kind": "in_transit"}]
    found = COMMITMENT.load({**BODY, "streams": [{**STREAM, "differences": rows, "more": 3}, STREAM]})
    assert (found["cutoff"], found["streams"][0]["differences"]) == (NOW, rows)


@pytest.mark.parametrize(
    "changed",
    [
        {"streams": []},
        {"streams": [STREAM] * 3},
        {"cutoff": "2026-03-03"},
        {"extra": 1},
        {"streams": [{**STREAM, "root": "A" * 64}]},
        {"streams": [{**STREAM, "high_water": -1}]},
        {"streams": [{**STREAM, "high_water": "9"}]},
        {"streams": [{**STREAM, "differences": [{"seq": 0, "kind": "altered"}]}]},
        {"streams": [{**STREAM, "differences": [{"seq": 1, "kind": "lost"}]}]},
        {"streams": [{**STREAM, "differences": [{"seq": 1, "kind": "altered", "ours": {"digest": "a" * 64}}]}]},
        {"streams": [{**STREAM, "differences": [{"seq": 1, "kind": "in_transit"}] * 301}]},
    ],
)
def test_a_commitment_of_another_shape_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        COMMITMENT.load({**BODY, **changed})


def test_the_kinds_on_the_wire_are_the_kinds_there_are() -> None:
    assert set(KINDS) == {kind.value for kind in DifferenceKind}
