"""名录核对 Parties, keys, offices and agreements are what the log says was registered, ended, revoked or changed.

A key that has no leaf was slipped in; one that was revoked and counts again, an office with another address, a party
that was suspended and is active: each is named.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from gateway.evidence.entry import EntryKind
from gateway.flows.audit.logged import read_leaf
from gateway.flows.audit.trouble import Trouble, What
from gateway.store import audit_rows, log
from gateway.store import directory_leaves as leaves
from gateway.store import tables as t

Said = dict[str, dict[str, str]]
"""ref → what was last said of it → digest; a later suspension takes a resumption's place, and so on."""
_OPPOSITE = {
    leaves.PARTY_SUSPENDED: leaves.PARTY_RESUMED,
    leaves.PARTY_RESUMED: leaves.PARTY_SUSPENDED,
    leaves.OFFICE_PAUSED: leaves.OFFICE_RESUMED,
    leaves.OFFICE_RESUMED: leaves.OFFICE_PAUSED,
}


def directory_troubles(connection: Connection) -> Iterator[Trouble]:
    """Every row of the directory, and every ref the log knows."""
    parties = audit_rows.whole(connection, t.parties)
    keys = audit_rows.whole(connection, t.party_keys)
    offices = audit_rows.whole(connection, t.offices)
    agreements = audit_rows.whole(connection, t.agreements)
    said = _said(connection)
    for row in parties:
        mine = said.pop(row["party_id"], {})
        active = leaves.PARTY_SUSPENDED not in mine
        yield from _row("parties", row["party_id"], mine.get(leaves.PARTY_ADDED), leaves.of_party(row))
        if bool(row["active"]) != active:
            yield Trouble(table="parties", ref=row["party_id"], what=What.ALTERED, column="active")
    for row in keys:
        yield from _key(row, said.pop(row["kid"], {}))
    for row in offices:
        mine = said.pop(row["office_id"], {})
        yield from _row("offices", row["office_id"], mine.get(leaves.OFFICE_CHANGED), leaves.of_office(row))
        if bool(row["paused"]) != (leaves.OFFICE_PAUSED in mine):
            yield Trouble(table="offices", ref=row["office_id"], what=What.ALTERED, column="paused")
    for row in agreements:
        ref = leaves.agreement_ref(row["sha256"])
        yield from _row("agreements", ref, said.pop(ref, {}).get(leaves.AGREEMENT_LOADED), leaves.of_body(row["body"]))
    for ref, mine in said.items():
        yield Trouble(table=_table_of(mine), ref=ref, what=What.MISSING)


def _said(connection: Connection) -> Said:
    found: Said = {}
    for place in log.of_kind(connection, EntryKind.DIRECTORY.value):
        leaf = read_leaf(place)
        if leaf is None:
            continue
        what = str(leaf.fields["what"])
        mine = found.setdefault(leaf.ref, {})
        mine.pop(_OPPOSITE.get(what, ""), None)
        mine[what] = str(leaf.digest)
    return found


def _row(table: str, ref: str, logged: str | None, present: str) -> Iterator[Trouble]:
    if logged is None:
        yield Trouble(table=table, ref=ref, what=What.UNLOGGED)
    elif logged != present:
        yield Trouble(table=table, ref=ref, what=What.ALTERED)


def _key(row: Mapping[str, Any], mine: Mapping[str, str]) -> Iterator[Trouble]:
    kid = row["kid"]
    yield from _row("party_keys", kid, mine.get(leaves.KEY_REGISTERED), leaves.of_key(row))
    for column, what in (("not_after", leaves.KEY_ENDED), ("revoked_at", leaves.KEY_REVOKED)):
        expected = mine.get(what, leaves.of_moment(kid, None))
        if leaves.of_moment(kid, row[column]) != expected:
            yield Trouble(table="party_keys", ref=kid, what=What.ALTERED, column=column)


def _table_of(mine: Mapping[str, str]) -> str:
    tables = {leaves.PARTY_ADDED: "parties", leaves.KEY_REGISTERED: "party_keys", leaves.OFFICE_CHANGED: "offices"}
    return next((table for what, table in tables.items() if what in mine), "agreements")
