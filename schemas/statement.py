"""对账单报文 The wire shapes of a statement (WIRE §2): the signed manifest, and one line of the ledger beside it.

The manifest names the file by length and SHA-256 of its bytes; the file travels apart (`PUT …/lines`), or, where it is
text and small, inline. Months are `YYYY-MM`, amounts integer fen. A line names whom or what it is about by the
gateway's own ids, by an identity number, or both.
"""

from schemas.fields import Code, Fen, Flag, ListOf, MessageId, RegionCode, Sha256, StrictSchema, Text, Whole
from schemas.referral import ID_TYPES
from schemas.reservation import MONTH

FORMATS = ("NDJSON", "CSV", "XLSX")
COVERS = ("PAID", "ROSTER")
STATUSES = ("PAID", "APPROVED", "ACTIVE", "STOPPED", "RETURNED", "DECEASED")
PAYEES = ("BENEFICIARY", "GUARDIAN", "AGENT", "HOUSEHOLD", "OTHER")
INLINE_BYTES = 200 * 1024
"""As much as goes with the manifest into one message of at most 256 KiB."""
CODE = r"[A-Za-z0-9_.-]+"


class StatementManifestSchema(StrictSchema):
    """`statement.submitted`. size: bytes of the file; lines: of the ledger, without its heading."""

    statement_id = MessageId(required=True)
    agreement_document = Text(max=100, required=True)
    agency = Text(max=40, pattern=r"[a-z_]+", required=True)
    office = Text(max=100)
    region = RegionCode()
    period_from = Text(max=7, pattern=MONTH, required=True)
    period_to = Text(max=7, pattern=MONTH, required=True)
    covers = Code(COVERS, required=True)
    complete = Flag(required=True)
    programmes = ListOf(Text(max=20, pattern=r"[A-Z0-9_]+"), min=1, max=100, unique=True)
    format = Code(FORMATS, required=True)
    lines = Whole(max=100_000_000, required=True)
    size = Whole(max=2**40, required=True)
    sha256 = Sha256(required=True)
    replaces = MessageId()
    inline = Text(min=0, max=INLINE_BYTES, lines=True)


class StatementLineSchema(StrictSchema):
    """One line of a ledger. programme: ours, or the agency's own code (`abax6002`)."""

    need_id = Text(max=64, pattern=r"[A-Za-z0-9._:-]+")
    handoff_id = MessageId()
    case_number = Text(max=60)
    id_type = Code(ID_TYPES)
    id_number = Text(max=40)
    name = Text(max=100)
    programme = Text(max=20, pattern=CODE)
    status = Code(STATUSES, required=True)
    amount_fen = Fen()
    paid_on = Text(max=10, pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
    month_from = Text(max=7, pattern=MONTH)
    month_until = Text(max=7, pattern=MONTH)
    payee = Code(PAYEES)
    account = Text(max=64)
    office = Text(max=100)


STATEMENT_MANIFEST = StatementManifestSchema()
STATEMENT_LINE = StatementLineSchema()
