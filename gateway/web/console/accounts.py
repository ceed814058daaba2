"""账号页 Accounts: who may sign in as what.

What would make an administrator somebody else is asked for here, granted by a second person on the page of approvals,
and carried out here (`flows.account_requests` says why); what protects (disabling, ending sessions) is done at once. A
first password is shown on the answer to one form and nowhere else.
"""

from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Account, Right, Role, load_roles
from gateway.domain.agreement import PartyKind
from gateway.errors import ConfigError, Forbidden, IllegalMove, InputRefused, SecondPersonNeeded, XianjieError
from gateway.flows import account_requests, accounts, approve
from gateway.store import decisions
from gateway.store.approvals import ApprovalState
from gateway.store.clock import from_ms
from gateway.web.desk import Desk
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.visit import Visit

ROOT = "/console/accounts"
ONE = "/one/<name>"
PAGE = 50
MOST_PARTIES = 2000

ASKED = tells(
    "account_asked",
    "已提交申请：由另一名有权人员在“双人审批”中批准后，回到本页办理。",
    "Asked for: once another person has granted it under Approvals, carry it out here.",
)
CHANGED = tells("account_carried_out", "已办理；该账号的会话均已结束。", "Done; the account's sessions have ended.")
DISABLED = tells(
    "account_disabled", "账号已停用，会话均已结束。", "The account is disabled and its sessions have ended."
)
ENABLED = tells("account_enabled", "账号已启用。", "The account is let in again.")
ENDED = tells("account_sessions_ended", "已结束{n}个会话。", "{n} sessions ended.")


def pages(desk: Desk) -> Pages:
    """List, one account, the forms."""
    found = Pages(desk, "accounts", ROOT)
    _looking(found)
    _asking(found)
    _at_once(found)
    return found


def _looking(found: Pages) -> None:
    @found.get("", Right.MANAGE_ACCOUNTS)
    def account_list(visit: Visit) -> Response:
        return _listed(visit)

    @found.get("/new", Right.MANAGE_ACCOUNTS)
    def account_new(visit: Visit) -> Response:
        return visit.page("console/account_new.html", typed={}, **_choices(visit))

    @found.get(ONE, Right.MANAGE_ACCOUNTS)
    def account_one(visit: Visit, name: str) -> Response:
        return _one(visit, name)


def _asking(found: Pages) -> None:
    @found.post("/new", Right.MANAGE_ACCOUNTS, confirmed=True)
    def ask_new(visit: Visit) -> Response:
        try:
            account = _typed(visit, visit.text("name", 100))
            account_requests.ask_new(
                visit.context,
                visit.session,
                account,
                subject=_subject(visit),
                why=visit.text("why"),
                now=visit.now,
            )
        except ConfigError as error:
            typed = {key: visit.text(key) for key in ("name", "shown_as", "role", "party_id", "office_ids", "region")}
            typed |= {"sub": visit.text("sub"), "why": visit.text("why")}
            return visit.page("console/account_new.html", refused=error, typed=typed, **_choices(visit))
        return visit.back(ROOT, ASKED)

    @found.post(f"{ONE}/change", Right.MANAGE_ACCOUNTS, confirmed=True)
    def ask_change(visit: Visit, name: str) -> Response:
        def ask() -> None:
            accounts.find(visit.context, name)
            subject = _subject(visit) if visit.text("link") else None
            account_requests.ask_change(
                visit.context,
                visit.session,
                _typed(visit, name),
                subject=subject,
                why=visit.text("why"),
                now=visit.now,
            )

        return _done(visit, name, ask, ASKED)

    @found.post(f"{ONE}/reset", Right.MANAGE_ACCOUNTS, confirmed=True)
    def ask_reset(visit: Visit, name: str) -> Response:
        codes, why = bool(visit.text("codes")), visit.text("why")
        return _done(
            visit,
            name,
            lambda: account_requests.ask_reset(visit.context, visit.session, name, codes=codes, why=why, now=visit.now),
            ASKED,
        )

    @found.post("/requests/<approval_id>", Right.MANAGE_ACCOUNTS, confirmed=True)
    def carry_out(visit: Visit, approval_id: str) -> Response:
        try:
            done = account_requests.carry_out(visit.context, visit.session, approval_id, now=visit.now)
        except (ConfigError, Forbidden, IllegalMove, SecondPersonNeeded) as error:
            return _listed(visit, refused=error)
        if done.given:
            return visit.page("console/account_given.html", done=done)
        return visit.back(f"{ROOT}/one/{done.name}", CHANGED)


def _at_once(found: Pages) -> None:
    def active(visit: Visit, name: str, *, wanted: bool) -> Response:
        return _done(
            visit,
            name,
            lambda: accounts.set_active(
                visit.context,
                name,
                active=wanted,
                session=visit.session,
                who=visit.who,
                why=visit.text("why"),
                now=visit.now,
            ),
            ENABLED if wanted else DISABLED,
        )

    @found.post(f"{ONE}/disable", Right.MANAGE_ACCOUNTS, confirmed=True)
    def disable(visit: Visit, name: str) -> Response:
        return active(visit, name, wanted=False)

    @found.post(f"{ONE}/enable", Right.MANAGE_ACCOUNTS, confirmed=True)
    def enable(visit: Visit, name: str) -> Response:
        return active(visit, name, wanted=True)

    @found.post(f"{ONE}/end-sessions", Right.MANAGE_ACCOUNTS, confirmed=True)
    def end_sessions(visit: Visit, name: str) -> Response:
        try:
            count = accounts.end_sessions(
                visit.context, name, session=visit.session, who=visit.who, why=visit.text("why"), now=visit.now
            )
        except (ConfigError, Forbidden) as error:
            return _one(visit, name, refused=error)
        return visit.back(f"{ROOT}/one/{name}", ENDED, n=count)


def _done(visit: Visit, name: str, act: Callable[[], object], said: str) -> Response:
    """The act, and the account's page after it, with why it was refused where it was."""
    try:
        act()
    except (ConfigError, Forbidden) as error:
        return _one(visit, name, refused=error)
    return visit.back(f"{ROOT}/one/{name}", said)


def _typed(visit: Visit, name: str) -> Account:
    """The account the form describes. Raises ConfigError."""
    try:
        role = Role(visit.text("role"))
    except ValueError as error:
        raise InputRefused("角色须从列表中选择 a role is one of the list") from error
    offices = tuple(sorted(set(visit.text("office_ids", 2000).replace(",", " ").split())))
    return Account(
        name=name,
        shown_as=visit.text("shown_as", 101),
        role=role,
        party_id=visit.text("party_id", 100) or None,
        office_ids=offices,
        region=visit.text("region", 6),
    )


def _subject(visit: Visit) -> str:
    """`issuer|sub` for the provider's name of somebody that was typed; empty for none. Raises ConfigError."""
    sub, provider = visit.text("sub", 200), visit.desk.provider
    if not sub:
        return ""
    if provider is None:
        raise InputRefused("未配置统一身份认证 no identity provider is configured ([oidc])")
    return f"{provider.issuer}|{sub}"


def _choices(visit: Visit) -> dict[str, Any]:
    """What the form lets choose from."""
    kinds = (PartyKind.COURT, PartyKind.AGENCY)
    parties = [one for one in visit.snapshot.parties.values() if one.kind in kinds][:MOST_PARTIES]
    return {"roles": load_roles(), "parties": parties, "provider": visit.desk.provider}


def _listed(visit: Visit, refused: XianjieError | None = None) -> Response:
    asked = {key: visit.asked(key, 100) for key in ("begins", "role", "party_id", "after")}
    rows = accounts.page(visit.context, now=visit.now, limit=PAGE + 1, **asked)
    return visit.page(
        "console/accounts.html",
        refused=refused,
        rows=rows[:PAGE],
        older=rows[PAGE - 1]["name"] if len(rows) > PAGE else None,
        asked=asked,
        requests=account_requests.open_requests(visit.context, visit.account, now=visit.now),
        rules=approve.load_approval_rules(),
        granted=ApprovalState.GRANTED,
        alone=not account_requests.somebody_can_grant(visit.context, visit.account),
        locked=_is_locked(visit),
        roles=load_roles(),
    )


def _one(visit: Visit, name: str, refused: XianjieError | None = None) -> Response:
    row = accounts.shown(visit.context, name)
    account = accounts.find(visit.context, name)
    with visit.context.store.reading() as connection:
        history = decisions.latest_about(connection, account.who, limit=PAGE)
    return visit.page(
        "console/account.html",
        refused=refused,
        row=row,
        one=account,
        own=account.name == visit.account.name,
        locked=_is_locked(visit),
        history=[{**entry, "at": from_ms(entry["at"])} for entry in history],
        **_choices(visit),
    )


def _is_locked(visit: Visit) -> Callable[[Any], bool]:
    return lambda row: row["locked_until"] is not None and visit.now < from_ms(row["locked_until"])
