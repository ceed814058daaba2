"""A whole gateway for tests: real store, real keys, real adapters, and partners that sign like real ones.

Default: the High Court of the prefecture 520100 and one office an agency in Nanming (520102): civil affairs and the
disabled persons' federation are pushed to, the women's federation has a mailbox. The clock stands until moved.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from adapters.civil_affairs.adapter import CivilAffairs
from adapters.disabled_persons.adapter import DisabledPersons
from adapters.womens_federation.adapter import WomensFederation
from gateway.domain.agreement import Channel, Office, Party, PartyKind
from gateway.domain.calendar import load_calendar
from gateway.domain.coexistence import load_coexistence
from gateway.domain.masking import load_mask_floor
from gateway.domain.programmes import load_programmes
from gateway.domain.regions import load_regions
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.encryption import EncryptionKey, decrypt, is_encrypted
from gateway.envelope.keyring import Keyring, SigningKey
from gateway.envelope.message import Envelope, new_id
from gateway.envelope.signing import MESSAGE_TYP, VerifiedMessage, sign, verify
from gateway.evidence.receipt import Receipt, ReceiptVerdict, Rung, issue, read
from gateway.flows.accept import accept
from gateway.flows.context import Context
from gateway.flows.deliver import Courier, Delivered, deliver
from gateway.flows.dispatch import Dispatched, dispatch
from gateway.store import directory, findings, referrals, sealing
from gateway.store import tables as t
from gateway.store.directory import Directory
from gateway.store.engine import Store
from gateway.store.migrate import is_current, migrate
from gateway.store.tables import metadata
from gateway.store.vault import Vault
from gateway.transport.answer import Answer, NoAnswer, NoAnswerReason
from schemas.fields import format_moment
from tests.builders import an_id_number

GATEWAY = "cn/gateway/520000"
COURT = "cn/court/520100"
NEIGHBOUR = "cn/court/520300"
CIVIL_AFFAIRS = "civil_affairs-520102"
DISABLED_PERSONS = "disabled_persons-520102"
WOMENS_FEDERATION = "womens_federation-520102"
VAULT = Vault(b"a data key for tests, 32 bytes!!")
"""Any other installation's would not open a row."""
START = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
"""09:00 in China on a Tuesday without holidays near."""

_FILLED = " UNION ALL ".join(f"SELECT '{one}' WHERE EXISTS (SELECT 1 FROM {one})" for one in metadata.tables)
_FIRST: dict[str, sa.Engine] = {}

AGREEMENT = """
document = "黔高法〔2022〕98号"
version = 1
title = "测试用会签文件"
valid_from = 2022-08-05
parties = ["cn/*"]
programmes = ["*"]
matching_authorised = true
impact_assessment = "测试评估"
allow_synthetic = true
sample = true
"""


@dataclass
class Partner:
    """A party with its key; numbers and signs its own messages."""

    party_id: str
    key: SigningKey
    seq: int = 0

    def sign(self, type_: str, data: Any, *, now: datetime, typ: str = MESSAGE_TYP, **fields: Any) -> bytes:
        """One signed message to the gateway."""
        self.seq += 1
        members: dict[str, Any] = {
            "id": new_id(now),
            "source": self.party_id,
            "type": type_,
            "time": now,
            "recipient": GATEWAY,
            "seq": self.seq,
            "data": data,
            **fields,
        }
        return sign(Envelope(**members).to_payload(), self.key, typ).encode()


@dataclass
class PushOffice:
    """A pushed-to office: verifies, remembers, answers each message with a signed relay receipt.

    `fault` turns one request into something else: it gets the body and returns an Answer or raises NoAnswer.
    """

    partner: Partner
    world: "World"
    received: list[VerifiedMessage] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    fault: Callable[[bytes], Answer | None] | None = None
    verdict: ReceiptVerdict = ReceiptVerdict.ACCEPTED
    decryption: tuple[EncryptionKey, ...] = ()

    def push(self, body: bytes) -> Answer:
        """What the office's server does with one request."""
        self.bodies.append(body)
        if self.fault is not None:
            answer = self.fault(body)
            if answer is not None:
                return answer
        return Answer(status=200, body="\n".join(self.receipt(line) for line in body.split(b"\n")).encode())

    def receipt(self, raw: bytes) -> str:
        """The office's own signed receipt for one message, opened first where it is encrypted."""
        jws = decrypt(raw, self.decryption) if is_encrypted(raw) else raw
        message = verify(jws, self.world.keyring, recipient=self.partner.party_id, now=self.world.now)
        self.received.append(message)
        return issue(message, key=self.partner.key, now=self.world.now, rung=Rung.RELAY, verdict=self.verdict)


class World:
    """The gateway, its court and its offices."""

    def __init__(self, url: str, *, agreement: str = AGREEMENT) -> None:
        self.now = START
        self.url = url
        self.store = Store(url, vault=VAULT)
        alike(self.store.engine)
        if not is_current(self.store):
            migrate(self.store)
        self._beginning: list[Callable[[sa.Connection], object]] | None = []
        self.partners: dict[str, Partner] = {}
        gateway = self._join(GATEWAY, PartyKind.GATEWAY, "520000")
        self.court = self._join(COURT, PartyKind.COURT, "520100")
        self.neighbour = self._join(NEIGHBOUR, PartyKind.COURT, "520300")
        self.auditor = self._join("cn/auditor/520000", PartyKind.AUDITOR, "520000")
        self.context = a_context(self.store, gateway.key)
        self.load_agreement(agreement)
        self.offices: dict[str, PushOffice] = {}
        self.add_office("civil_affairs", Channel.PUSH)
        self.add_office("disabled_persons", Channel.PUSH)
        self.add_office("womens_federation", Channel.MAILBOX)
        beginning, self._beginning = self._beginning, None
        self.store.write(lambda c: [work(c) for work in beginning])

    @property
    def keyring(self) -> Keyring:
        """Every registered key, as the gateway knows them."""
        return self.context.snapshot(self.now).keyring

    def close(self) -> None:
        """Stops the writer."""
        self.store.close()

    def twin(self) -> Context:
        """Another gateway process over the same database; close its store."""
        store = Store(self.url, vault=VAULT)
        return replace(self.context, store=store, directory=Directory(store, self.context.programmes))

    def refer(self, court: Partner | None = None, **changes: Any) -> Receipt:
        """The court's referral with one thing changed, accepted."""
        return self.accept((court or self.court).sign("referral.submitted", a_referral_body(**changes), now=self.now))

    def dispatch(self) -> Dispatched:
        """One run."""
        return dispatch(self.context, now=self.now)

    def deliver(self, office_id: str = CIVIL_AFFAIRS) -> Delivered:
        """One turn of one lane."""
        return deliver(self.context, office_id, self.courier())

    def hand_over(self, office_id: str = CIVIL_AFFAIRS, **changes: Any) -> VerifiedMessage:
        """A referral accepted, dispatched and delivered; the office's handoff."""
        self.refer(**changes)
        self.dispatch()
        self.deliver(office_id)
        return self.offices[office_id].received[-1]

    def answer(self, handoff: VerifiedMessage, status: str, *, office_id: str = CIVIL_AFFAIRS, **more: Any) -> Receipt:
        """Civil affairs answers the handoff's first need, one second later than before."""
        return self.accept(self.answer_bytes(handoff, status, office_id=office_id, **more))

    def answer_bytes(
        self,
        handoff: VerifiedMessage,
        status: str,
        *,
        office_id: str = CIVIL_AFFAIRS,
        at: datetime | None = None,
        envelope: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> bytes:
        """The signed answer, not yet sent; `more` are fields of the result."""
        self.wait(timedelta(seconds=1))
        need_id = handoff.envelope.data["xj_items"][0]["xj_need"]
        result = {"xj_need": need_id, "xj_status": status, "xj_at": format_moment(at or self.now), **more}
        body = {"xj_handoff": handoff.envelope.data["xj_handoff"], "xj_results": [result]}
        return self.reply(office_id, handoff, "handoff.outcome", body, **(envelope or {}))

    def states(self, referral_id: str = "r-1") -> list[str]:
        """The states of a referral's needs, in the court's order."""
        with self.store.reading() as connection:
            found = referrals.needs_of(connection, [referral_id]).get(referral_id, [])
        return [row["state"] for row in found]

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """Every row of a table, oldest first; sealed texts are opened."""
        with self.store.reading() as connection:
            found = [
                dict(row)
                for row in connection.execute(sa.select(table).order_by(table.c[0], *table.primary_key)).mappings()
            ]
            if table is t.inbox:
                opened = sealing.inbound(connection, found)
                found = [row | {"jws": opened.get((row["source"], row["message_id"]), row["jws"])} for row in found]
            if table is t.outbox:
                sent = sealing.outbound(connection, found)
                found = [row | ({"jws": q.jws} if (q := sent.get(row["message_id"])) else {}) for row in found]
        return found

    def change(self, statement: sa.Executable) -> None:
        """What somebody with the database's password could do."""
        self.store.write(lambda connection: connection.execute(statement))

    def open_codes(self) -> list[str]:
        """Codes of the open findings."""
        with self.store.reading() as connection:
            return [kept.finding.code for kept in findings.listed(connection)]

    def wait(self, span: timedelta) -> None:
        """Moves the clock."""
        self.now += span

    def load_agreement(self, text: str) -> None:
        """Loads another version of the agreement."""
        programmes, now = self.context.programmes, self.now
        self._write(lambda c: directory.load_agreement(c, text, programmes=programmes, now=now))

    def add_office(
        self, agency: str, channel: Channel, region: str = "520102", *, name_zh: str = "", **more: Any
    ) -> PushOffice:
        """Registers an office with a party of its own."""
        party_id = f"cn/agency/{agency}.{region}"
        partner = self._join(party_id, PartyKind.AGENCY, region, name_zh)
        office = Office(
            office_id=f"{agency}-{region}",
            party_id=party_id,
            agency=agency,
            region=region,
            channel=channel,
            name_zh=name_zh or f"测试单位{agency} {region}",
            url=f"https://{agency}-{region}.invalid/messages" if channel is Channel.PUSH else None,
            **more,
        )
        self.put_office(office)
        self.offices[office.office_id] = PushOffice(partner=partner, world=self)
        return self.offices[office.office_id]

    def add_court(self, party_id: str, region: str, name_zh: str = "") -> Partner:
        """Registers a court, unless it is there."""
        return self.partners.get(party_id) or self._join(party_id, PartyKind.COURT, region, name_zh)

    def put_office(self, office: Office) -> None:
        """Adds or changes an office."""
        self._write(lambda c: directory.put_office(c, office, now=self.now))

    def change_office(self, office_id: str, **changes: Any) -> None:
        """Changes some particulars of an office."""
        self.put_office(replace(self.context.snapshot(self.now).offices[office_id], **changes))

    def courier(self, owner: str = "worker-1") -> Courier:
        """Pushes to the simulated offices."""
        return Courier(push=self._push, owner=owner, clock=lambda: self.now, jitter=lambda: 0.0)

    def accept(self, raw: bytes) -> Receipt:
        """Sends a message as its party would and proves the receipt."""
        done = accept(raw, self.context, now=self.now)
        return read(done.receipt.encode(), self.keyring, recipient=done.party_id, issuer=GATEWAY, now=self.now)

    def reply(self, office_id: str, message: VerifiedMessage, type_: str, data: Any, **fields: Any) -> bytes:
        """An office's signed answer to a message it got."""
        return self.offices[office_id].partner.sign(
            type_,
            data,
            now=fields.pop("now", self.now),
            in_reply_to=message.envelope.id,
            in_reply_to_digest=message.digest,
            conversation_id=message.envelope.conversation_id,
            **fields,
        )

    def _push(self, url: str, body: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
        office_id = url.removeprefix("https://").partition(".invalid")[0]
        office = self.offices.get(office_id)
        if office is None:
            raise NoAnswer(NoAnswerReason.NO_CONNECTION, may_have_arrived=False)
        return office.push(body)

    def _write(self, work: Callable[[sa.Connection], object]) -> None:
        """At once, or with the rest of the beginning in one commit."""
        if self._beginning is not None:
            self._beginning.append(work)
            return
        self.store.write(work)
        self.context.directory.forget()

    def _join(self, party_id: str, kind: PartyKind, region: str, name_zh: str = "") -> Partner:
        partner = Partner(party_id=party_id, key=SigningKey.generate(Algorithm.ED25519, party_id))
        party = Party(party_id=party_id, kind=kind, name_zh=name_zh or f"测试单位{party_id[3:]}", region=region)
        public = partner.key.public_key(not_before=START - timedelta(days=1000))
        now = self.now

        def write(connection: Any) -> None:
            directory.add_party(connection, party, now=now)
            directory.add_key(connection, public, now=now)

        self._write(write)
        self.partners[party_id] = partner
        return partner


def a_context(store: Store, key: SigningKey) -> Context:
    """A gateway process over a database, with the shipped rules and every adapter."""
    programmes = load_programmes()
    return Context(
        party_id=GATEWAY,
        key=key,
        matching_secret=b"a secret for tests, 32 bytes long",
        store=store,
        directory=Directory(store, programmes),
        adapters={one.agency: one for one in (CivilAffairs(), DisabledPersons(), WomensFederation())},
        regions=load_regions(),
        programmes=programmes,
        coexistence=load_coexistence(),
        shipped_calendar=load_calendar(),
        mask_floor=load_mask_floor(),
    )


def migrated(url: str) -> None:
    """Makes every table."""
    store = Store(url)
    migrate(store)
    store.close()


def emptied(url: str) -> str:
    """A migrated database without a row: much cheaper than a new one where that means copying files."""
    with _eraser(url).begin() as connection:
        filled = set(connection.exec_driver_sql(_FILLED).scalars())
        for table in reversed(metadata.sorted_tables):
            if table.name in filled:
                connection.execute(table.delete())
    return url


@cache
def _eraser(url: str) -> sa.Engine:
    """Holds no connection between two tests."""
    return sa.create_engine(url, poolclass=sa.NullPool)


def alike(engine: sa.Engine) -> None:
    """What a statement compiles to is the same on every engine of a kind, and is compiled once in a process."""
    first = _FIRST.setdefault(engine.dialect.name, engine)
    engine.dialect = engine.pool._dialect = first.dialect
    engine._compiled_cache = first._compiled_cache


def a_referral_body(**changes: Any) -> dict[str, Any]:
    """What the court sends by default: a decision to assist, and the minimum living guarantee asked for."""
    honest: dict[str, Any] = {
        "referral_id": "r-1",
        "agreement_document": "黔高法〔2022〕98号",
        "recipient_region": "520102",
        "case_number": "（2026）黔01司救执1号",
        "original_case_group": "（2025）黔0102民初1号",
        "concluded_on": "2026-03-02",
        "decision": "ASSIST",
        "decided_amount_fen": 2_000_000,
        "ground_code": "G6",
        "assessment": "REFER",
        "person": {
            "name": "测试甲",
            "id_type": "111",
            "id_number": an_id_number(),
            "sex": "2",
            "birth_date": "1986-01-01",
            "phone": "13900000000",
            "household_registration_region": "520102",
            "residence": "测试路1号",
        },
        "needs": [{"programme": "MLG", "note": "无固定收入"}],
        "survey": {
            "mode": "ON_SITE",
            "date": "2026-02-20",
            "investigators": ["测试法官", "测试书记员"],
            "summary": "入户核实,家庭收入低于当地低保标准。",
        },
        "verification_authorization": {
            "ref": "测试授权1号",
            "signed_at": "2026-02-20",
            "scope": "家庭经济状况核对",
        },
        "legal_basis": "STATUTORY_DUTY",
        "notice_given_at": "2026-03-02",
        "contact": {"name": "测试法官", "phone": "0851-00000000"},
    }
    return _another_name(honest["person"], honest | changes)


def _another_name(default: Mapping[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Somebody with another number is somebody else, with a name of his own: nobody is taken for another."""
    person = body.get("person")
    number = person.get("id_number") if isinstance(person, dict) else None
    if not isinstance(number, str) or person.get("name") != default["name"]:
        return body
    if len(number) < len(default["id_number"]) or number == default["id_number"] or not number.isascii():
        return body
    return body | {"person": person | {"name": default["name"] + number[-4:]}}
