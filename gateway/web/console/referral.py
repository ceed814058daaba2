"""一案全程 One referral: its facts, its needs, everything that happened on one time line, and what may be done.

Rules: each look is on file before the page is made. The person is masked; in full only for a reason, once, on the
answer to that form; a minor's after a second person granted it. What is outside somebody's region is not there.
"""

from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.calendar import china_day
from gateway.domain.person import SENSITIVE_WOMEN_CLASSES
from gateway.domain.reconciliation.chain import CHAIN_NAMES, HouseholdChain
from gateway.domain.referral import Referral
from gateway.errors import IllegalMove, InvalidQuery, ReferralUnknown, SecondPersonNeeded, XianjieError
from gateway.flows import account, approve, operate, reveal
from gateway.flows.story import REFERRAL_VIEWED, Story, pairs_of, story
from gateway.store import referrals
from gateway.web.console.whose import name_of
from gateway.web.desk import Desk
from gateway.web.pages.asked import reason_of
from gateway.web.pages.carried import attachment
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.shown import rule_text
from gateway.web.pages.visit import Visit, require_found

HOME = "/console/referrals"
RELEASED = tells("hold_released", "已放行 {n} 项需求。", "{n} needs released.")
UPHELD = tells("hold_upheld", "已终止 {n} 项需求。", "{n} needs ended.")
REVEAL_ASKED = tells("reveal_asked", "申请已提交，等待第二人审批。", "Asked; a second person decides.")


def pages(desk: Desk) -> Pages:
    """The page, and what may be done from it."""
    found = Pages(desk, "referral", HOME)
    _looking(found)
    _revealing(found)
    _deciding(found)
    return found


def _looking(found: Pages) -> None:
    @found.get("/<referral_id>", Right.SEE_CASES)
    def referral(visit: Visit, referral_id: str) -> Response:
        court_seen(visit, referral_id)
        visit.log(REFERRAL_VIEWED, referral_id, "page")
        return _page(visit, referral_id)

    @found.post("/<referral_id>/household", Right.SEE_CASES)
    def household(visit: Visit, referral_id: str) -> Response:
        court_seen(visit, referral_id)
        try:
            chain = account.chain(
                visit.context, referral_id, who=visit.who, why=reason_of(visit.text("why")), now=visit.now
            )
        except InvalidQuery as error:
            return _page(visit, referral_id, refused=error)
        return visit.page(
            "console/household.html",
            referral_id=referral_id,
            chain=_seen_of(visit, chain),
            names=CHAIN_NAMES,
            name=lambda code: name_of(visit, code),
        )


def _revealing(found: Pages) -> None:
    @found.post("/<referral_id>/reveal", Right.REVEAL)
    def reveal_person(visit: Visit, referral_id: str) -> Response:
        is_minor = _is_sealed(visit, referral_id)
        try:
            signed = reveal.reveal(
                visit.context,
                visit.account,
                referral_id,
                is_minor=is_minor,
                why=reason_of(visit.text("why")),
                now=visit.now,
            )
        except XianjieError as error:
            return _page(visit, referral_id, refused=error)
        return _page(visit, referral_id, revealed=signed)

    @found.post("/<referral_id>/reveal/ask", Right.REVEAL)
    def ask_to_reveal(visit: Visit, referral_id: str) -> Response:
        court_seen(visit, referral_id)
        try:
            approve.ask(
                visit.context,
                visit.account,
                approve.REVEAL_SEALED,
                referral_id,
                why=reason_of(visit.text("why")),
                now=visit.now,
            )
        except InvalidQuery as error:
            return _page(visit, referral_id, refused=error)
        return visit.back(f"{HOME}/{referral_id}", REVEAL_ASKED)

    @found.post("/<referral_id>/evidence", Right.SEE_EVIDENCE)
    def download_evidence(visit: Visit, referral_id: str) -> Response:
        is_minor = _is_sealed(visit, referral_id)
        try:
            bundle = reveal.export_evidence(
                visit.context,
                visit.account,
                referral_id,
                is_minor=is_minor,
                why=reason_of(visit.text("why")),
                now=visit.now,
            )
        except XianjieError as error:
            return _page(visit, referral_id, refused=error)
        return attachment(bundle, "application/zip", f"evidence-{referral_id}.zip")


def _deciding(found: Pages) -> None:
    @found.post("/<referral_id>/release", Right.DECIDE)
    def release_hold(visit: Visit, referral_id: str) -> Response:
        return _decide(visit, referral_id, uphold=False)

    @found.post("/<referral_id>/uphold", Right.DECIDE, confirmed=True)
    def uphold_hold(visit: Visit, referral_id: str) -> Response:
        return _decide(visit, referral_id, uphold=True)


def _decide(visit: Visit, referral_id: str, *, uphold: bool) -> Response:
    court_seen(visit, referral_id)
    act = operate.uphold if uphold else operate.release
    try:
        count = act(visit.context, referral_id, who=visit.who, why=reason_of(visit.text("why")), now=visit.now)
    except (InvalidQuery, IllegalMove, ReferralUnknown) as error:
        return _page(visit, referral_id, refused=error)
    return visit.back(f"{HOME}/{referral_id}", UPHELD if uphold else RELEASED, n=str(count))


def court_seen(visit: Visit, referral_id: str) -> str:
    """The court of a referral in somebody's part of the exchange. Raises NotFound for any other."""
    with visit.context.store.reading() as connection:
        court = require_found(referrals.court_of(connection, [referral_id]).get(referral_id))
    return require_found(court if visit.sees_court(court) else None)


def _is_sealed(visit: Visit, referral_id: str) -> bool:
    """Whether the referral, which the visitor may see, is a minor's."""
    court_seen(visit, referral_id)
    with visit.context.store.reading() as connection:
        return referrals.is_minor(connection, referral_id)


def _page(
    visit: Visit, referral_id: str, *, refused: XianjieError | None = None, revealed: Referral | None = None
) -> Response:
    told = require_found(story(visit.context, referral_id, now=visit.now))
    signed = reveal.signed_referral(visit.context, referral_id, now=visit.now)
    return visit.page(
        "console/referral.html",
        refused=refused,
        told=told,
        row=told.row,
        signed=None if isinstance(signed, XianjieError) else signed,
        unreadable=signed if isinstance(signed, XianjieError) else None,
        revealed=revealed,
        sensitive=revealed is not None and revealed.person.women_class in SENSITIVE_WOMEN_CLASSES,
        name=lambda code: name_of(visit, code),
        because=pairs_of,
        rule_text=rule_text,
        age=lambda moment: (china_day(visit.now) - china_day(moment)).days,
        **_approval(visit, told, refused, is_minor=isinstance(signed, Referral) and signed.is_minor),
    )


def _approval(visit: Visit, told: Story, refused: XianjieError | None, *, is_minor: bool) -> dict[str, Any]:
    """How far a minor's person may be shown to this visitor. is_minor: as the court signed it."""
    sealed = is_minor or bool(told.row["is_minor"])
    if not sealed or not visit.may(Right.REVEAL):
        return {"sealed": sealed, "granted": None, "waiting": False, "needs_second": False}
    return {
        "sealed": True,
        "granted": reveal.granted(visit.context, visit.account, told.referral_id, now=visit.now),
        "waiting": reveal.asked(visit.context, visit.account, told.referral_id, now=visit.now),
        "needs_second": isinstance(refused, SecondPersonNeeded),
    }


def _seen_of(visit: Visit, chain: HouseholdChain) -> HouseholdChain:
    """The links of the referrals somebody sees."""
    if visit.courts is None:
        return chain
    with visit.context.store.reading() as connection:
        courts = referrals.court_of(connection, chain.referral_ids)
    return HouseholdChain(
        events=tuple(one for one in chain.events if visit.sees_court(courts.get(one.referral_id, "")))
    )
