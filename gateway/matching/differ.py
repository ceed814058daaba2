"""差异 How two texts differ: by one letter, by two neighbours exchanged, by the order of their parts; symmetric."""


def one_edit(one: str, other: str) -> bool:
    """Exactly one letter was replaced, left out or put in."""
    short, long = (one, other) if len(one) <= len(other) else (other, one)
    gap = len(long) - len(short)
    if gap > 1:
        return False
    start = _alike(short, long)
    return start < len(long) and short[start + 1 - gap :] == long[start + 1 :]


def transposed(one: str, other: str) -> bool:
    """Exactly two neighbours changed places."""
    if len(one) != len(other) or one == other:
        return False
    at = _alike(one, other)
    return (
        at + 1 < len(one) and one[at] == other[at + 1] and one[at + 1] == other[at] and one[at + 2 :] == other[at + 2 :]
    )


def other_order(one: str, other: str) -> bool:
    """The same letters, or the same words, in another order."""
    if len(one) != len(other) or one == other:
        return False
    if " " in one:
        return sorted(one.split()) == sorted(other.split())
    return sorted(one) == sorted(other)


def at_most_two_edits(one: str, other: str) -> bool:
    """One edit in each of at most two words of long names, in whatever order, or a pair of neighbours exchanged."""
    if transposed(one, other):
        return True
    words, others = one.split(), other.split()
    return _nearly(words, others) or _nearly(sorted(words), sorted(others))


def _nearly(words: list[str], others: list[str]) -> bool:
    if len(words) != len(others):
        return False
    differing = [(a, b) for a, b in zip(words, others, strict=True) if a != b]
    return 0 < len(differing) <= 2 and all(one_edit(a, b) or transposed(a, b) for a, b in differing)


def _alike(one: str, other: str) -> int:
    at = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        at += 1
    return at
