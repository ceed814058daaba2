"""证据包 The wire shapes of an evidence bundle's JSON members (docs/evidence.md).

Unknown fields are refused, lists are bounded; what the ids and digests mean is the verifier's question. A public key's
own members are read by `envelope.keyring`.
"""

from typing import Any

from schemas.fields import (
    Code,
    Day,
    Fen,
    Flag,
    ListOf,
    MessageId,
    Moment,
    Nest,
    OpenObject,
    PartyId,
    Sha256,
    StrictSchema,
    Text,
    Token,
    Whole,
)
from schemas.receipt import RUNGS, VERDICTS

FORMAT = "xianjie-evidence"
VERSION = 1
MOST = 2_000
MOST_HASHES = 64
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999."""


class MemberName(Token):
    """A member's name: letters, digits, point, underscore, slash; whether the format has it is asked elsewhere."""

    PATTERN = r"[a-z0-9_./]{1,60}"


class Kept(Text):
    """A text as somebody typed it into the gateway: any characters, only its length is bounded."""

    def read(self, value: Any) -> str:
        if type(value) is not str:
            raise self.make_error("not_text")
        if len(value) > self.max:
            raise self.make_error("too_long")
        return value


class HashText(Token):
    """A 32-byte hash as base64, as C2SP writes it."""

    PATTERN = r"[A-Za-z0-9+/]{43}="


class LogName(Token):
    """The log's origin: a party id, with the epoch behind it after a recovery."""

    PATTERN = r"[a-z]{2}/[a-z_]+/[A-Za-z0-9_.-]{1,64}(?:/[0-9]{1,6})?"


class FileSchema(StrictSchema):
    """One member that the manifest lists."""

    name = MemberName(required=True)
    sha256 = Sha256(required=True)
    size = Whole(required=True)


class ExportSchema(StrictSchema):
    """Who asked for the bundle and why; the decision that keeps it on file."""

    decision_id = MessageId(required=True)
    who = Kept(max=100, required=True)
    why = Kept(max=500, required=True)


class ManifestSchema(StrictSchema):
    """`manifest.json`. fingerprint: over the evidence without the two summaries; page: the summaries' edition."""

    format = Code([FORMAT], required=True)
    version = Whole(required=True)
    referral_id = MessageId(required=True)
    gateway = PartyId(required=True)
    origin = LogName(required=True)
    epoch = Whole(min=1, required=True)
    tree_size = Whole(required=True)
    made_at = Moment(required=True)
    export = Nest(ExportSchema, required=True)
    erased_at = Moment()
    page = Whole(required=True)
    fingerprint = Sha256(required=True)
    files = ListOf(Nest(FileSchema), max=2 * MOST, required=True)


class SealSchema(StrictSchema):
    """The payload of `manifest.jws`."""

    manifest_sha256 = Sha256(required=True)


class DecisionSchema(StrictSchema):
    """One decision, view or export, as the log's digest covers it; `at` in milliseconds since 1970."""

    decision_id = MessageId(required=True)
    at = Whole(max=_LAST_MS, required=True)
    who = Text(max=100, required=True)
    what = Text(max=40, required=True)
    subject = Kept(max=400, required=True)
    why = Text(max=500, required=True, lines=True)


class DecisionsSchema(StrictSchema):
    """`decisions.json`."""

    decisions = ListOf(Nest(DecisionSchema), max=MOST, required=True)


class AttemptSchema(StrictSchema):
    """One try to hand a message over; a fact the gateway tells, no evidence against the partner."""

    message_id = MessageId(required=True)
    number = Whole(min=1, required=True)
    started_at = Moment(required=True)
    finished_at = Moment()
    outcome = Text(max=20)
    http_status = Whole(max=999)
    error = Text(max=64)


class AttemptsSchema(StrictSchema):
    """`attempts.json`."""

    attempts = ListOf(Nest(AttemptSchema), max=2 * MOST, required=True)


class ReadingSchema(StrictSchema):
    """How the gateway read one answer about one need; the answer itself is among the messages."""

    message_id = MessageId(required=True)
    need_id = MessageId()
    code = Text(max=30)
    at = Moment(required=True)
    applied = Flag(required=True)
    problem = Text(max=40)
    reason = Text(max=40)
    programme = Text(max=20)
    amount_fen = Fen()
    starts_on = Day()
    ends_on = Day()
    next_due = Day()


class RungSchema(StrictSchema):
    """A rung whose evidence is an agency's message instead of a receipt of its own."""

    message_id = MessageId(required=True)
    rung = Code(RUNGS, required=True)
    verdict = Code(VERDICTS, required=True)
    reason_code = Text(max=64)
    issuer = PartyId(required=True)
    at = Moment(required=True)
    evidence_id = MessageId(required=True)


class NeedStandingSchema(StrictSchema):
    """Where the gateway says that one need stands."""

    need_id = MessageId(required=True)
    programme = Text(max=20, required=True)
    state = Text(max=30, required=True)
    since = Moment(required=True)


class JudgementSchema(StrictSchema):
    """A finding with what it can be computed from again: the row of the rule table and the inputs (same-help.md)."""

    key = Kept(max=400, required=True)
    code = Text(max=40, required=True)
    rule_id = Text(max=20, required=True)
    state = Text(max=20, required=True)
    opened_at = Moment(required=True)
    rule_row = OpenObject(required=True)
    inputs = OpenObject(required=True)


class ReadingsSchema(StrictSchema):
    """`readings.json`. judgements: only in a bundle for an auditor, since they tell of other courts' cases."""

    needs = ListOf(Nest(NeedStandingSchema), max=MOST, required=True)
    replies = ListOf(Nest(ReadingSchema), max=MOST, required=True)
    rungs = ListOf(Nest(RungSchema), max=MOST, required=True)
    judgements = ListOf(Nest(JudgementSchema), max=MOST)


class LeafSchema(StrictSchema):
    """One leaf of the log: its canonical text."""

    index = Whole(required=True)
    entry = Text(max=4096, required=True)


class EntriesSchema(StrictSchema):
    """`log/entries.json`."""

    entries = ListOf(Nest(LeafSchema), max=2 * MOST, required=True)


class InclusionSchema(StrictSchema):
    """RFC 9162 §2.1.3: from the leaf up to the checkpoint's root."""

    index = Whole(required=True)
    proof = ListOf(HashText(), max=MOST_HASHES, required=True)


class ConsistencySchema(StrictSchema):
    """RFC 9162 §2.1.4: the tree of `size` is the beginning of the checkpoint's."""

    size = Whole(required=True)
    root = Sha256(required=True)
    proof = ListOf(HashText(), max=MOST_HASHES, required=True)


class ProofsSchema(StrictSchema):
    """`log/proofs.json`."""

    tree_size = Whole(required=True)
    inclusion = ListOf(Nest(InclusionSchema), max=2 * MOST, required=True)
    consistency = ListOf(Nest(ConsistencySchema), max=MOST, required=True)


class KeySchema(StrictSchema):
    """A public key with its party and validity."""

    kid = Token(required=True)
    party = PartyId(required=True)
    use = Code(["sig", "enc"], required=True)
    jwk = OpenObject(required=True)
    not_before = Moment(required=True)
    not_after = Moment()
    revoked_at = Moment()


class LogKeySchema(StrictSchema):
    """C2SP verifier keys: the log's own, and those of the witnesses whose cosignatures it takes."""

    vkey = Text(max=400, required=True)
    witnesses = ListOf(Text(max=400), max=20, required=True)


class KeysSchema(StrictSchema):
    """`keys.json`."""

    keys = ListOf(Nest(KeySchema), max=500, required=True)
    log = Nest(LogKeySchema, required=True)


class ParticipantSchema(StrictSchema):
    """A party named in the bundle."""

    party_id = PartyId(required=True)
    kind = Code(["court", "agency", "gateway", "auditor"], required=True)
    name_zh = Kept(max=200, required=True)
    region = Text(max=6, required=True)


class ParticipantsSchema(StrictSchema):
    """`participants.json`."""

    participants = ListOf(Nest(ParticipantSchema), max=500, required=True)


MANIFEST, SEAL = ManifestSchema(), SealSchema()
DECISIONS, ATTEMPTS, READINGS = DecisionsSchema(), AttemptsSchema(), ReadingsSchema()
ENTRIES, PROOFS = EntriesSchema(), ProofsSchema()
KEYS, PARTICIPANTS = KeysSchema(), ParticipantsSchema()
