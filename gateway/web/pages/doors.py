"""门户入口 Signing in and out, one's own password and codes, the language, the vendored files, pages for errors."""

import secrets
from urllib.parse import quote

from flask import Response as FlaskResponse
from flask import g, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from gateway.domain.access import Account
from gateway.errors import ConfigError, InputRefused, NotConfirmed, NotFound, NotSignedIn, SignInRefused, XianjieError
from gateway.flows import accounts, sign_in
from gateway.flows.passwords import enrolment_uri
from gateway.store.accounts import BROWSER_KNOWN
from gateway.web import access_log
from gateway.web.desk import Desk
from gateway.web.pages import provider, tour
from gateway.web.pages.routes import (
    ANYBODY,
    COOKIE,
    CSRF,
    LANGUAGE_COOKIE,
    PASSWORD_AGAIN,
    Pages,
    cookie,
    is_secure,
    own_address,
    require_own_form,
    visit_of,
)
from gateway.web.pages.shown import home
from gateway.web.pages.visit import Visit
from gateway.web.problems import CONTENT_LANGUAGE

FORM_COOKIE, BROWSER_COOKIE = "xianjie_form", "xianjie_browser"
MOST_COOKIE = 100
PREFIXES = ("/console", "/agency", "/court", "/account", "/sign-in", "/sign-out", "/language", "/tour")
"""Addresses of people, not of programs: an error there is a page."""
SECRETS = frozenset({"old", "new", "again", "code", "secret", "password"})
"""Fields whose content is never written into a page."""
YEAR = 365 * 86400
ISSUER = "Xianjie"


def is_page() -> bool:
    """Whether the address that is asked for is a person's."""
    path = request.path
    return any(path == one or path.startswith(f"{one}/") for one in PREFIXES)


def blueprints(desk: Desk) -> list[Pages]:
    """The doors."""
    pages = Pages(desk, "doors")
    _sign_in(desk, pages)
    provider.add(desk, pages, next_of=_safe_next, signed_in=set_session)
    _leave(desk, pages)
    _account(desk, pages)
    if desk.tour is not None:
        tour.add(pages, desk.tour)
    return [pages]


def set_session(desk: Desk, response: Response, token: str) -> Response:
    """The cookie of who just signed in: no script reads it, no other site sends it, it ends with the browser."""
    _set(desk, response, COOKIE, token)
    _drop(desk, response, FORM_COOKIE)
    return response


def _set(desk: Desk, response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
    response.set_cookie(
        cookie(desk, name),
        value,
        max_age=seconds,
        httponly=True,
        samesite="Strict",
        secure=is_secure(desk),
        path="/",
    )


def _drop(desk: Desk, response: Response, name: str) -> None:
    response.delete_cookie(cookie(desk, name), path="/", secure=is_secure(desk), httponly=True, samesite="Strict")


def _safe_next(text: str, account: Account) -> str:
    """An address of this site that was asked for before signing in, else the beginning."""
    mine = (f"/{account.row.desk.value}", "/account")
    path = text.partition("?")[0]
    ours = own_address(text) and any(path == one or path.startswith(f"{one}/") for one in mine)
    return text if ours else home(account)


def _sign_in(desk: Desk, pages: Pages) -> None:
    routes = pages.blueprint

    @routes.get("/sign-in")
    def sign_in_page() -> Response:
        return _ask(desk, request.args.get("next", ""))

    @routes.post("/sign-in")
    def sign_in_form() -> Response:
        require_own_form(desk, None, request.cookies.get(cookie(desk, FORM_COOKIE)))
        form = request.form
        browser = request.cookies.get(cookie(desk, BROWSER_COOKIE), "")[:MOST_COOKIE] or secrets.token_urlsafe(32)
        try:
            token = sign_in.sign_in(
                desk.context,
                form.get("name", "").strip(),
                form.get("password", ""),
                form.get("code", ""),
                now=desk.clock(),
                browser=browser,
            )
        except SignInRefused as error:
            access_log.note(error_code=error.code)
            return _ask(desk, form.get("next", ""), name=form.get("name", ""), refused=error)
        sign_in.leave(desk.context, request.cookies.get(cookie(desk, COOKIE)))
        session = sign_in.session_of(desk.context, token, now=desk.clock())
        response = redirect(_safe_next(form.get("next", ""), session.account), 303)
        _set(desk, response, BROWSER_COOKIE, browser, seconds=int(BROWSER_KNOWN.total_seconds()))
        return set_session(desk, response, token)


def _leave(desk: Desk, pages: Pages) -> None:
    @pages.post("/sign-out", ANYBODY)
    def sign_out(visit: Visit) -> Response:
        sign_in.sign_out(visit.context, visit.session, now=visit.now)
        response = redirect("/sign-in?said=signed_out", 303)
        _drop(desk, response, COOKIE)
        response.headers["Clear-Site-Data"] = '"cache"'
        return response

    @pages.blueprint.get("/language/<chosen>")
    def language(chosen: str) -> Response:
        if chosen not in CONTENT_LANGUAGE:
            raise NotFound
        asked = request.args.get("next", "/sign-in")
        response = redirect(asked if own_address(asked) else "/sign-in", 303)
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=YEAR, samesite="Lax", secure=is_secure(desk), path="/")
        return response


def _ask(desk: Desk, next_: str, *, name: str = "", refused: XianjieError | None = None) -> Response:
    g.form_token = request.cookies.get(cookie(desk, FORM_COOKIE), "")[:MOST_COOKIE] or secrets.token_urlsafe(24)
    status = 200 if refused is None else refused.status
    shown = {"next": next_, "name": name, "refused": refused, "provider": desk.provider, "tour": desk.tour}
    response: FlaskResponse = make_response(render_template("pages/sign_in.html", **shown), status)
    _set(desk, response, FORM_COOKIE, g.form_token)
    return response


def _account(desk: Desk, pages: Pages) -> None:
    @pages.get("/account", ANYBODY)
    def account(visit: Visit) -> Response:
        return _own(visit)

    @pages.post("/account/password", ANYBODY)
    def change_password(visit: Visit) -> Response:
        old, new, again = (request.form.get(name, "") for name in ("old", "new", "again"))
        try:
            if new != again:
                raise InputRefused("两次输入的新密码不同 the two new passwords differ")
            token = accounts.change_password(visit.context, visit.session, old, new, now=visit.now)
        except (SignInRefused, ConfigError) as error:
            return _own(visit, refused=error)
        return set_session(desk, visit.back("/account", "password_changed"), token)

    @pages.post("/account/codes", ANYBODY, confirmed=True)
    def set_up_codes(visit: Visit) -> Response:
        try:
            token = accounts.enrol(
                visit.context,
                visit.session,
                request.form.get("secret", ""),
                request.form.get("code", ""),
                now=visit.now,
                present=request.form.get("present", ""),
            )
        except SignInRefused as error:
            return _own(visit, refused=error)
        return set_session(desk, visit.back("/account", "codes_set_up"), token)


def _own(visit: Visit, refused: XianjieError | None = None) -> Response:
    secret = accounts.offer_secret()
    uri = enrolment_uri(secret, visit.account.name, ISSUER)
    return visit.page(
        "pages/account.html", status=200 if refused is None else 400, secret=secret, uri=uri, refused=refused
    )


def error_page(desk: Desk, error: XianjieError, instance: str | None) -> Response:
    """An error as a page. Who is not signed in is led to the door."""
    if isinstance(error, NotSignedIn) and request.method == "GET":
        asked = request.full_path.rstrip("?")
        return redirect(f"/sign-in?next={quote(asked, safe='')}", 303)
    visit = None
    try:
        visit = visit_of(desk)
    except XianjieError:
        g.pop("session", None)
    kept = _typed() if isinstance(error, NotConfirmed) and visit is not None else None
    shown = {"error": error, "instance": instance, "visit": visit, "kept": kept}
    response = make_response(render_template("pages/error.html", **shown), error.status)
    response.headers["Cache-Control"] = "no-store"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _typed() -> list[tuple[str, str]] | None:
    """What a form carried whose password was wrong, to be sent once more with the right one; None where it carried a
    file or a secret, which no page gives back."""
    names = set(request.form) - {CSRF, PASSWORD_AGAIN}
    if request.files or names & SECRETS:
        return None
    return [(name, value) for name in request.form if name in names for value in request.form.getlist(name)]
