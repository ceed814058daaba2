"""The definition once more in plain Python, the slow and obvious way: what both engines are held against."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from gateway.bulk.columns import Doubt
from gateway.bulk.rules import RuleRows

Row = Mapping[str, Any]
GIVEN, ENDED = ("PAID", "ACTIVE"), ("STOPPED", "RETURNED", "DECEASED")


def reconcile(expectations: Sequence[Row], lines: Sequence[Row], rules: RuleRows) -> set[Doubt]:
    """Every doubt."""
    return {*_between(expectations, lines), *_within(lines, rules)}


def _id(line: Row) -> str:
    return f"{line['statement_id']}:{line['line']}"


def _between(expectations: Sequence[Row], lines: Sequence[Row]) -> Iterator[Doubt]:
    for e in expectations:
        named = [one for one in lines if one["need_id"] == e["need_id"]]
        by_person = [
            one
            for one in lines
            if one["need_id"] is None
            and e["person_key"] is not None
            and (one["person_key"], one["programme"], one["agency"]) == (e["person_key"], e["programme"], e["agency"])
        ]
        mine = named + by_person
        paid = sum(one["amount_fen"] for one in mine if one["status"] == "PAID")
        given = any(one["status"] in GIVEN for one in mine)
        ended = any(one["status"] in ENDED for one in mine)
        first = min(map(_id, named or by_person), default=None)
        common = {
            "expectation_id": e["expectation_id"],
            "need_id": e["need_id"],
            "person_key": e["person_key"],
            "programme": e["programme"],
        }
        told = e["status"] in ("PAID", "APPROVED")
        if not mine and told:
            yield Doubt(
                code="MISS_ABSENT_FROM_STATEMENT", **common, month=e["m_from"], ours_fen=e["amount_fen"], rule_id="A05"
            )
        if given and e["status"] == "ASKED":
            yield Doubt(code="MM_ROSTER", line_id=first, **common, theirs_fen=paid, rule_id="law5")
        theirs = {"line_id": first, **common, "ours_fen": e["amount_fen"], "theirs_fen": paid}
        persons = [one["person_key"] for one in named if one["person_key"] is not None]
        household = min((one["household_key"] for one in named if one["household_key"] is not None), default=None)
        another = e["person_key"] is not None and any(one != e["person_key"] for one in persons)
        if another and (None in (e["household_key"], household) or e["household_key"] != household):
            yield Doubt(code="MM_PERSON", **theirs, rule_id="A05")
        if (given and e["status"] in ("REFUSED", "ENDED")) or (told and ended and not given):
            yield Doubt(code="MM_STATUS", **theirs, rule_id="law9")
        alike = [o for o in expectations if all(o[k] == e[k] for k in ("person_key", "programme", "agency"))]
        # lines that name the person alone may be of either need
        is_shared = bool(by_person) and len(alike) > 1
        if e["status"] == "PAID" and given and paid > 0 and paid != e["amount_fen"] and not is_shared:
            yield Doubt(code="MM_AMOUNT", **theirs, rule_id="A05")
    known = {e["need_id"] for e in expectations}
    strange: dict[str, list[Row]] = defaultdict(list)
    for one in lines:
        if one["need_id"] is not None and one["need_id"] not in known:
            strange[one["need_id"]].append(one)
    for need_id, mine in strange.items():
        if any(one["status"] in GIVEN for one in mine):
            yield Doubt(
                code="MM_ROSTER",
                line_id=min(map(_id, mine)),
                need_id=need_id,
                person_key=min((one["person_key"] for one in mine if one["person_key"] is not None), default=None),
                theirs_fen=sum(one["amount_fen"] for one in mine if one["status"] == "PAID"),
                rule_id="law5",
            )


def _within(lines: Sequence[Row], rules: RuleRows) -> Iterator[Doubt]:
    given = [one for one in lines if one["status"] in GIVEN and one["person_key"] is not None]
    persons: dict[str, list[Row]] = defaultdict(list)
    for one in given:
        persons[one["person_key"]].append(one)
    for key, mine in persons.items():
        yield from _of_person(key, mine, rules)
    accounts: dict[str, list[Row]] = defaultdict(list)
    for one in given:
        if one["account_key"] is not None and one["status"] == "PAID":
            accounts[one["account_key"]].append(one)
    for mine in accounts.values():
        if len({one["household_key"] or one["person_key"] for one in mine}) > 1:
            ids = sorted(map(_id, mine))
            total = sum(one["amount_fen"] for one in mine)
            yield Doubt(code="SHARED_ACCOUNT", line_id=ids[-1], other_line_id=ids[0], theirs_fen=total, rule_id="A05")
    dead = [one for one in lines if one["status"] == "DECEASED" and one["person_key"] and one["m_from"] is not None]
    for key in {one["person_key"] for one in dead}:
        died = min(one["m_from"] for one in dead if one["person_key"] == key)
        late: dict[str, list[Row]] = defaultdict(list)
        for one in persons.get(key, ()):
            if one["status"] == "PAID" and one["m_from"] > died:
                late[one["programme"]].append(one)
        for programme, mine in late.items():
            yield Doubt(
                code="PAID_DECEASED",
                line_id=min(map(_id, mine)),
                person_key=key,
                programme=programme,
                month=min(one["m_from"] for one in mine),
                theirs_fen=sum(one["amount_fen"] for one in mine),
                rule_id="A05",
            )


def _of_person(key: str, mine: Sequence[Row], rules: RuleRows) -> Iterator[Doubt]:
    once = dict(rules.one_time)
    same: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    names = ("programme", "office_id", "m_from", "m_until", "paid_on", "amount_fen")
    for one in mine:
        if one["status"] == "PAID":
            same[tuple(one[name] for name in names)].append(one)
    for fact, told in same.items():
        if len(told) > 1:
            ids = sorted(map(_id, told))
            yield Doubt(
                code="DUP_PAYMENT",
                line_id=ids[-1],
                other_line_id=ids[0],
                person_key=key,
                programme=fact[0],
                month=fact[2],
                theirs_fen=fact[5],
                rule_id="A05",
            )
    pairs: dict[tuple[str, str, str], list[tuple[Row, Row]]] = defaultdict(list)
    forbidden = {(a, b): rule for a, b, rule in rules.exclusive}
    for one, other in combinations(sorted(mine, key=_id), 2):
        if not (one["m_from"] <= other["m_until"] and other["m_from"] <= one["m_until"]):
            continue
        a, b = one["programme"], other["programme"]
        if a == b and one["office_id"] != other["office_id"] and a not in once:
            pairs["DUP_SAME_PROGRAMME_PERIOD", a, "CX14"].append((one, other))
        low, high = (one, other) if a < b else (other, one)
        if a != b and (low["programme"], high["programme"]) in forbidden:
            rule = forbidden[low["programme"], high["programme"]]
            name = f"{low['programme']}+{high['programme']}"
            pairs["DUP_EXCLUSIVE_PROGRAMMES", name, rule].append((low, high))
    for (code, programme, rule), found in pairs.items():
        yield Doubt(
            code=code,
            line_id=max(_id(one) for pair in found for one in pair),
            other_line_id=min(_id(one) for pair in found for one in pair),
            person_key=key,
            programme=programme,
            month=min(max(a["m_from"], b["m_from"]) for a, b in found),
            theirs_fen=min(one["amount_fen"] for pair in found for one in pair),
            rule_id=rule,
        )
    for programme, rule in once.items():
        told = [one for one in mine if one["programme"] == programme]
        if len({one["m_from"] for one in told}) > 1 or len({one["office_id"] for one in told}) > 1:
            ids = sorted(map(_id, told))
            yield Doubt(
                code="DUP_ONE_TIME_REPEATED",
                line_id=ids[-1],
                other_line_id=ids[0],
                person_key=key,
                programme=programme,
                month=max(one["m_from"] for one in told),
                theirs_fen=min(one["amount_fen"] for one in told),
                rule_id=rule,
            )
