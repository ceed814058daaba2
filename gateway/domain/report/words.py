"""报表用语 Words of the report's lines, Chinese and English, for codes no rule table names in both languages."""

from gateway.domain.lifecycle import FindingState
from gateway.domain.person import SpecificGroup
from gateway.domain.referral import Decision, ReferralAssessment
from gateway.domain.report.facts import Label
from gateway.domain.rules import read_table

DECISIONS: dict[Decision, Label] = {
    Decision.NOT_ASSIST: ("不予救助", "Not assisted"),
    Decision.SUSPENDED: ("中止办理", "Suspended"),
    Decision.TERMINATED: ("终结办理", "Terminated"),
}
GROUPS: dict[SpecificGroup, Label] = {
    SpecificGroup.MINOR: ("未成年人", "Minors"),
    SpecificGroup.ELDERLY: ("老年人", "Elderly"),
    SpecificGroup.WOMAN: ("妇女", "Women"),
    SpecificGroup.DISABLED: ("残疾人", "Disabled"),
}
GROUNDS: dict[str, Label] = {
    "G1": ("受犯罪侵害重伤或严重残疾", "Serious injury by crime"),
    "G2": ("受犯罪侵害急需救治", "Urgent treatment after crime"),
    "G3": ("被害人死亡的近亲属", "Dependants of a dead victim"),
    "G4": ("财产遭受重大损失", "Great loss of property"),
    "G5": ("受打击报复", "Retaliation"),
    "G6": ("赡养扶养抚育费执行不能", "Support not enforceable"),
    "G7": ("民事侵权人身伤害", "Bodily harm by tort"),
    "G8": ("其他", "Other"),
    "GP": ("涉诉信访", "Petition"),
}
REFUSALS: dict[str, Label] = {
    "X1": ("有重大过错", "Major fault"),
    "X2": ("拒不配合查明事实", "Refuses the facts"),
    "X3": ("虚伪陈述或伪证", "False evidence"),
    "X4": ("放弃或拒绝赔偿", "Waived compensation"),
    "X5": ("困难非案件所致", "Not caused by the case"),
    "X6": ("已获合理补偿救助", "Already assisted"),
    "X7": ("法人或其他组织", "Legal entity"),
    "X8": ("其他", "Other"),
}
ASSESSMENTS: dict[ReferralAssessment, Label] = {
    ReferralAssessment.REFER: ("移送", "Referred"),
    ReferralAssessment.NO_NEED: ("无社会救助需求", "No need"),
    ReferralAssessment.PERSON_DECLINES: ("本人不愿意", "Person declines"),
    ReferralAssessment.ALREADY_COVERED: ("已享受社会救助", "Already covered"),
}
FINDING_STATES: dict[FindingState, Label] = {
    FindingState.OPEN: ("待分派", "Open"),
    FindingState.ASSIGNED: ("待核实", "Assigned"),
    FindingState.DECIDED: ("已认定", "Decided"),
    FindingState.CLOSED: ("已办结", "Closed"),
}
NOT_STATED: Label = ("未填写", "Not stated")


def case_types() -> dict[str, Label]:
    """By code name, in the order of the table."""
    return {row["code_name"]: (row["name_zh"], row["english"].capitalize()) for row in read_table("case_types")}


def named(kind: str) -> dict[str, Label]:
    """The words of one kind of `words.csv`, by code, in its order."""
    found = (row for row in read_table("words") if row["kind"] == kind)
    return {row["code"]: (row["zh"], row["en"].capitalize()) for row in found}


def worded(words: dict[str, Label], code: str | None) -> Label:
    """The words of a code; the code itself where the table has none."""
    return NOT_STATED if code is None else words.get(code, (code, code))
