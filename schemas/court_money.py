"""法院资金与回访报文 What a court says of its own money and visits: disbursement plan, use, follow-up, standard amount.

All are court → gateway, about one referral of its own, each under an id that is used once. Amounts are integer fen.
Names of trustees, notes and addresses stay in the sealed message; what is kept outside it are codes, days and amounts.
"""

from schemas.fields import Code, Day, Fen, ListOf, MessageId, Nest, StrictSchema, Text, Whole

MODES = ("AT_ONCE", "INSTALMENTS", "THROUGH_GUARDIAN", "THROUGH_TRUSTEE")
PURPOSES = ("LIVING", "MEDICAL", "SCHOOLING", "CARE", "FUNERAL", "HOUSING", "OTHER")
IRREGULARITIES = ("DIVERTED", "WITHHELD", "PASSED_ON", "NOT_FOR_BENEFICIARY", "NO_ACCOUNT_GIVEN")
VISIT_MODES = ("ON_SITE", "PHONE", "VIDEO", "DOCUMENT")
SITUATIONS = ("STABLE", "STILL_POOR", "NEW_NEED", "MOVED", "DECEASED", "UNREACHABLE")
CIRCUMSTANCES = ("ENFORCEMENT_SUCCEEDED", "PETITION_RESUMED", "MISUSE_SEEN")
HARDSHIPS = ("ORDINARY", "SERIOUS", "EXTREME")


class InstalmentSchema(StrictSchema):
    """One instalment of a plan."""

    number = Whole(min=1, max=120, required=True)
    due_on = Day(required=True)
    amount_fen = Fen(min=1, required=True)


class PlanSchema(StrictSchema):
    """`disbursement.planned`: how the money is given out, and what for; a later plan takes the earlier one's place."""

    referral_id = MessageId(required=True)
    plan_id = MessageId(required=True)
    mode = Code(MODES, required=True)
    purposes = ListOf(Code(PURPOSES), max=7, unique=True, required=True)
    instalments = ListOf(Nest(InstalmentSchema), max=120)
    manager_name = Text(max=100)
    note = Text(max=1000, lines=True)


class SpentSchema(StrictSchema):
    """What was spent for one purpose."""

    purpose = Code(PURPOSES, required=True)
    amount_fen = Fen(required=True)


class UseReportSchema(StrictSchema):
    """`fund_use.reported`: what the money was used for within a period, as the court checked it."""

    referral_id = MessageId(required=True)
    report_id = MessageId(required=True)
    from_day = Day(required=True)
    to_day = Day(required=True)
    spent = ListOf(Nest(SpentSchema), max=50, required=True)
    irregularity = Code(IRREGULARITIES)
    irregular_fen = Fen()
    note = Text(max=2000, lines=True)


class VisitSchema(StrictSchema):
    """`follow_up.recorded`: one return visit and what was found."""

    referral_id = MessageId(required=True)
    visit_id = MessageId(required=True)
    visited_on = Day(required=True)
    mode = Code(VISIT_MODES, required=True)
    situation = Code(SITUATIONS, required=True)
    circumstances = ListOf(Code(CIRCUMSTANCES), max=3, unique=True)
    recovered_fen = Fen()
    next_visit_on = Day()
    visitors = ListOf(Text(max=100), max=10)
    note = Text(max=2000, lines=True)


class QuantificationSchema(StrictSchema):
    """`amount.quantified`: what the standard is computed from, and why the court decided otherwise."""

    referral_id = MessageId(required=True)
    quantification_id = MessageId(required=True)
    standard = Text(max=100, required=True)
    loss_fen = Fen(required=True)
    recovered_fen = Fen()
    hardship = Code(HARDSHIPS, required=True)
    dependants = Whole(max=20, required=True)
    deviation_reason = Text(max=1000, lines=True)


PLAN = PlanSchema()
USE_REPORT = UseReportSchema()
VISIT = VisitSchema()
QUANTIFICATION = QuantificationSchema()
