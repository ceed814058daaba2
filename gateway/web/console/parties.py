"""主体与密钥页 Parties with keys and offices; two people register a key, one revokes it at once.

Rules: a party's address writes `~` for each `/` of its id, so that what follows the id is never taken for a part of it.
Who manages keys reads no case: nothing here leads to one. What was accepted with a key is shown by message id before
the key is revoked. Whose part is a region sees that region's parties and the gateway.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.agreement import Office, Party, PartyKind
from gateway.envelope.keyring import PublicKey
from gateway.errors import ConfigError, ExampleKeyRefused, InputRefused, NotFound, SecondPersonNeeded, XianjieError
from gateway.flows import approve, keys
from gateway.flows.example import example_for
from gateway.flows.keys import KeyState, state_of
from gateway.store import key_uses
from gateway.store.approvals import Approval, ApprovalState
from gateway.web.console.reach import connection_test
from gateway.web.desk import Desk
from gateway.web.pages.asked import moment_of, row_of
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.visit import Visit

HOME = "/console/parties"
PAGE = 50
ASKED = tells("key_asked", "已提交，须由另一名密钥管理员批准。", "Asked: another key officer has to grant it.")
REGISTERED = tells("key_registered", "密钥已登记。", "The key is registered.")
REVOKED = tells("key_revoked", "密钥已吊销。", "The key is revoked.")
_WORST = (
    KeyState.REVOKED,
    KeyState.EXPIRED,
    KeyState.NOT_YET,
    KeyState.WITHIN_7,
    KeyState.WITHIN_30,
    KeyState.WITHIN_60,
    KeyState.GOOD,
)


@dataclass(frozen=True, kw_only=True)
class KeyRow:
    """One key with how it stands."""

    key: PublicKey
    state: KeyState


@dataclass(frozen=True, kw_only=True)
class PartyRow:
    """One party with its keys, those that count first, and its offices."""

    party: Party
    keys: tuple[KeyRow, ...]
    offices: tuple[Office, ...]

    @property
    def address(self) -> str:
        """Where its page is."""
        return address_of(self.party.party_id)

    @property
    def state(self) -> KeyState | None:
        """How its best signing key stands; None without one. What has a good key does not need attention for an old
        one."""
        found = [row.state for row in self.keys if row.key.use == "sig"]
        return max(found, key=_WORST.index, default=None)


def address_of(party_id: str) -> str:
    """A party's id as one segment of an address."""
    return party_id.replace("/", "~")


def pages(desk: Desk) -> Pages:
    """Every page of parties and keys."""
    found = Pages(desk, "parties", HOME)
    _looking(found)
    _registering(found)
    _revoking(found)
    _offices(found)
    return found


def _looking(found: Pages) -> None:
    @found.get("", Right.SEE_PARTIES)
    def parties(visit: Visit) -> Response:
        return _listed(visit)

    @found.get("/<named>", Right.SEE_PARTIES)
    def party(visit: Visit, named: str) -> Response:
        return _party(visit, named)

    @found.get("/<named>/keys/<kid>", Right.SEE_PARTIES)
    def key(visit: Visit, named: str, kid: str) -> Response:
        return _key(visit, named, kid)


def _registering(found: Pages) -> None:
    @found.post("/<named>/keys", Right.MANAGE_KEYS)
    def ask_for_key(visit: Visit, named: str) -> Response:
        party_id = _row(visit, named).party.party_id
        try:
            keys.ask(
                visit.context,
                visit.account,
                party_id,
                visit.text("jwk", keys.MOST_JWK + 1),
                days=_days(visit.text("days"), "days"),
                overlap_days=_days(visit.text("overlap_days"), "overlap_days"),
                why=visit.text("why"),
                now=visit.now,
            )
        except (ConfigError, ExampleKeyRefused) as error:
            return _party(visit, named, refused=error)
        return visit.back(f"{HOME}/{named}", ASKED)

    @found.post("/<named>/keys/<kid>/register", Right.MANAGE_KEYS, confirmed=True)
    def register_key(visit: Visit, named: str, kid: str) -> Response:
        party_id = _row(visit, named).party.party_id
        try:
            keys.register(visit.context, visit.account, party_id, kid, now=visit.now)
        except (ConfigError, ExampleKeyRefused, SecondPersonNeeded) as error:
            return _party(visit, named, refused=error)
        return visit.back(f"{HOME}/{named}", REGISTERED)


def _revoking(found: Pages) -> None:
    @found.post("/<named>/keys/<kid>/revoke", Right.MANAGE_KEYS, confirmed=True)
    def revoke_key(visit: Visit, named: str, kid: str) -> Response:
        _key_row(_row(visit, named), kid)
        try:
            keys.revoke(visit.context, kid, who=visit.who, why=visit.text("why"), now=visit.now)
        except ConfigError as error:
            return _key(visit, named, kid, refused=error)
        return visit.back(f"{HOME}/{named}/keys/{kid}", REVOKED)


def _offices(found: Pages) -> None:
    @found.post("/<named>/offices/<office_id>/test", Right.MANAGE_KEYS)
    def test_party_office(visit: Visit, named: str, office_id: str) -> Response:
        return connection_test(visit, _office(_row(visit, named), office_id), f"{HOME}/{named}")

    @found.get("/<named>/offices/<office_id>/example", Right.SEE_PARTIES)
    def example(visit: Visit, named: str, office_id: str) -> Response:
        row = _row(visit, named)
        office = _office(row, office_id)
        shown = example_for(visit.context, office, now=visit.now)
        return visit.page("console/party_example.html", row=row, office=office, example=shown)


def _days(text: str, field: str) -> int | None:
    """A number of days, or none. Raises ConfigError."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise InputRefused(f"天数须为整数 {field} is a whole number of days")
    return int(text)


def _listed(visit: Visit) -> Response:
    kind, only, begins, after = (visit.asked(name) for name in ("kind", "only", "begins", "after"))
    offices: dict[str, list[Office]] = {}
    for office in visit.snapshot.offices.values():
        offices.setdefault(office.party_id, []).append(office)
    parties = [party for party in visit.snapshot.parties.values() if _sees(visit, party)]
    mine = [_row_of(visit, party, offices.get(party.party_id, [])) for party in parties]
    wanted: dict[str, Callable[[PartyRow], bool]] = {
        "attention": lambda row: row.party.active and row.state is not KeyState.GOOD,
        "suspended": lambda row: not row.party.active,
    }
    chosen = sorted(
        (
            row
            for row in mine
            if kind in ("", row.party.kind.value)
            and row.party.party_id.startswith(begins)
            and (only not in wanted or wanted[only](row))
        ),
        key=lambda row: row.party.party_id,
    )
    page = [row for row in chosen if row.party.party_id > after][:PAGE]
    return visit.page(
        "console/parties.html",
        rows=page,
        next=page[-1].party.party_id if page and page[-1] is not chosen[-1] else None,
        count=len(chosen),
        attention=sum(wanted["attention"](row) for row in mine),
        chosen={"kind": kind, "only": only, "begins": begins},
    )


def _party(visit: Visit, named: str, *, refused: XianjieError | None = None) -> Response:
    row = _row(visit, named)
    shown: dict[str, Any] = {
        "row": row,
        "asked": [one for one in keys.asked(visit.context, row.party.party_id) if _is_open(one, visit.now)],
        "rule": approve.load_approval_rules()[approve.REGISTER_KEY],
        "typed": {name: visit.text(name, keys.MOST_JWK) for name in ("jwk", "days", "overlap_days", "why")},
        "earlier": sum(one.state in keys.COUNT for one in row.keys),
        "is_own": row.party.party_id == visit.context.party_id,
    }
    return visit.page("console/party.html", refused=refused, **shown)


def _is_open(one: Approval, now: datetime) -> bool:
    return one.state in (ApprovalState.ASKED, ApprovalState.GRANTED) and now < one.ends_at


def _key(visit: Visit, named: str, kid: str, *, refused: ConfigError | None = None) -> Response:
    """One key, and what was accepted with it since a moment: what a revocation is about."""
    row = _row(visit, named)
    one = _key_row(row, kid)
    since_text = visit.asked("since")
    since = moment_of(since_text, "since") if since_text else None
    before = row_of(visit.asked("before"))
    with visit.context.store.reading() as connection:
        found = key_uses.uses(connection, kid, since=since, before=before, limit=PAGE + 1)
        count = key_uses.count(connection, kid, since=since)
    shown: dict[str, Any] = {
        "row": row,
        "one": one,
        "uses": found[:PAGE],
        "older": found[PAGE - 1].row if len(found) > PAGE else None,
        "count": min(count, key_uses.MOST_COUNTED),
        "is_more": count > key_uses.MOST_COUNTED,
        "since": since_text,
        "why_given": visit.text("why"),
        "others": sum(of.state in keys.COUNT and of.key.use == one.key.use for of in row.keys if of is not one),
        "is_own": kid == visit.context.key.kid,
    }
    return visit.page("console/party_key.html", refused=refused, **shown)


def _row(visit: Visit, named: str) -> PartyRow:
    """The party an address names. Raises NotFound; also where two ids would share one address."""
    found = [one for one in visit.snapshot.parties.values() if address_of(one.party_id) == named]
    if len(found) != 1 or not _sees(visit, found[0]):
        raise NotFound
    return _row_of(visit, found[0], visit.snapshot.office_of(found[0].party_id))


def _row_of(visit: Visit, party: Party, offices: Sequence[Office]) -> PartyRow:
    found = [KeyRow(key=key, state=state_of(key, visit.now)) for key in visit.snapshot.keyring.keys_of(party.party_id)]
    found.sort(key=lambda row: (-_WORST.index(row.state), row.key.use, -row.key.not_before.timestamp()))
    return PartyRow(party=party, keys=tuple(found), offices=tuple(offices))


def _key_row(row: PartyRow, kid: str) -> KeyRow:
    for one in row.keys:
        if one.key.kid == kid:
            return one
    raise NotFound


def _office(row: PartyRow, office_id: str) -> Office:
    for one in row.offices:
        if one.office_id == office_id:
            return one
    raise NotFound


def _sees(visit: Visit, party: Party) -> bool:
    return party.kind is PartyKind.GATEWAY or party.region.startswith(visit.account.region)
