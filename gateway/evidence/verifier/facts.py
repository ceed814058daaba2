"""报文要素 What is known of each message of the case: from the message itself, or from its leaf where it was erased."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.evidence.contents import Contents, Leaf, Paper
from gateway.evidence.entry import EntryKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One message. name: its member, or its leaf where the content is erased; at: when it was taken or made."""

    message_id: str
    source: str
    recipient: str
    type: str
    digest: str
    name: str
    at: datetime
    leaf: Leaf | None
    paper: Paper | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Every message of the case, by source and id."""

    gateway: str
    all: Mapping[tuple[str, str], Fact]

    def find(self, source: str, message_id: str | None) -> Fact | None:
        """The message a party sent under that id."""
        return self.all.get((source, message_id or ""))

    def named(self, message_id: str | None) -> list[Fact]:
        """Every message with that id, whoever sent it; ids are unique per sender only."""
        return [fact for fact in self.all.values() if fact.message_id == message_id]

    @property
    def inbound(self) -> Iterator[Fact]:
        """What others sent."""
        return (fact for fact in self.all.values() if fact.source != self.gateway)


def facts_of(contents: Contents) -> Facts:
    """Papers first; leaves only where the manifest says that the case was erased."""
    found = {
        key: Fact(
            message_id=paper.envelope.id,
            source=paper.envelope.source,
            recipient=paper.envelope.recipient,
            type=paper.envelope.type,
            digest=paper.digest,
            name=paper.name,
            at=contents.logged_at(paper),
            leaf=contents.leaf_of.get(paper.digest),
            paper=paper,
        )
        for key, paper in contents.by_id.items()
    }
    for leaf in contents.leaves if contents.erased_at is not None else ():
        if leaf.entry.kind is EntryKind.MESSAGE:
            found.setdefault((_text(leaf, "from"), leaf.entry.ref), _erased(leaf))
    return Facts(gateway=contents.gateway, all=found)


def _erased(leaf: Leaf) -> Fact:
    return Fact(
        message_id=leaf.entry.ref,
        source=_text(leaf, "from"),
        recipient=_text(leaf, "to"),
        type=_text(leaf, "type"),
        digest=_text(leaf, "digest"),
        name=f"log #{leaf.index}",
        at=leaf.at,
        leaf=leaf,
        paper=None,
    )


def _text(leaf: Leaf, name: str) -> str:
    return str(leaf.entry.fields[name])
