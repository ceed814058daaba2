"""占位报文 The wire shapes of a reservation (WIRE §2): asked before a grant, confirmed or released after it.

Either a need of the gateway's (`need_id`), or a person the agency knows itself. Months are `YYYY-MM`; a one-off grant
names the month it is to be made in. Amounts are integer fen.
"""

from schemas.fields import Code, Fen, MessageId, Nest, StrictSchema, Text
from schemas.referral import ID_TYPES

MONTH = r"(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])"


class ReservedPersonSchema(StrictSchema):
    """Whom the grant is for, by number."""

    id_type = Code(ID_TYPES, required=True)
    id_number = Text(max=40, required=True)


class ReservationRequestSchema(StrictSchema):
    """`reservation.requested`."""

    reservation_id = MessageId(required=True)
    need_id = Text(max=64)
    agreement_document = Text(max=100)
    person = Nest(ReservedPersonSchema)
    programme = Text(max=20, pattern=r"[A-Z0-9_]+", required=True)
    from_month = Text(max=7, pattern=MONTH, required=True)
    until_month = Text(max=7, pattern=MONTH)
    amount_fen = Fen()


class ReservationEndSchema(StrictSchema):
    """`reservation.confirmed` and `reservation.released`."""

    reservation_id = MessageId(required=True)
    amount_fen = Fen()


RESERVATION_REQUEST = ReservationRequestSchema()
RESERVATION_END = ReservationEndSchema()
