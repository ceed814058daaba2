"""门户入口 Signing in and out, one's own password and codes, the language, the vendored files, pages for errors."""

import secrets
from urllib.parse import quote, urlsplit

from flask import Response as FlaskResponse
from flask import g, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from gateway.domain.access import Account
from gateway.errors import ConfigError, NotConfirmed, NotFound, NotSignedIn, SignInRefused, XianjieError
from gateway.flows import accounts, sign_in
from gateway.flows.passwords import enrolment_uri
from gateway.web import access_log
from gateway.web.desk import Desk
from gateway.web.pages.routes import (
    ANYBODY,
    COOKIE,
    LANGUAGE_COOKIE,
    Pages,
    require_own_form,
    visit_of,
)
from gateway.web.pages.visit import Visit
from gateway.web.problems import CONTENT_LANGUAGE

FORM_COOKIE = "xianjie_form"
PREFIXES = ("/console", "/agency", "/court", "/account", "/sign-in", "/sign-out", "/language")
"""Addresses of people, not of programs: an error there is a page."""
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
    _account(pages)
    return [pages]


def is_secure(desk: Desk) -> bool:
    """Whether cookies may only travel encrypted."""
    return (desk.public_url or "").startswith("https://")


def set_session(desk: Desk, response: Response, token: str) -> Response:
    """The cookie of who just signed in: no script reads it, no other site sends it, it ends with the browser."""
    response.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=is_secure(desk), path="/")
    response.delete_cookie(FORM_COOKIE)
    return response


def home_of(account: Account) -> str:
    """Where somebody's work begins."""
    first = {"administrator": "/console", "key_officer": "/console/parties"}.get(account.role.value)
    return first or f"/{account.row.desk.value}"


def _safe_next(text: str, account: Account) -> str:
    """An address of this site that was asked for before signing in, else the beginning."""
    parts = urlsplit(text)
    ours = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc and "\\" not in text
    return text if ours and text.startswith(f"/{account.row.desk.value}") else home_of(account)


def _sign_in(desk: Desk, pages: Pages) -> None:
    routes = pages.blueprint

    @routes.get("/sign-in")
    def sign_in_page() -> Response:
        return _ask(desk, request.args.get("next", ""))

    @routes.post("/sign-in")
    def sign_in_form() -> Response:
        require_own_form(desk, None, request.cookies.get(FORM_COOKIE))
        form = request.form
        try:
            token = sign_in.sign_in(
                desk.context,
                form.get("name", "").strip(),
                form.get("password", ""),
                form.get("code", ""),
                now=desk.clock(),
            )
        except SignInRefused as error:
            access_log.note(error_code=error.code)
            return _ask(desk, form.get("next", ""), name=form.get("name", ""), refused=error)
        session = sign_in.session_of(desk.context, token, now=desk.clock())
        response = redirect(_safe_next(form.get("next", ""), session.account), 303)
        return set_session(desk, response, token)

    @pages.post("/sign-out", ANYBODY)
    def sign_out(visit: Visit) -> Response:
        sign_in.sign_out(visit.context, visit.session, now=visit.now)
        response = redirect("/sign-in?said=signed_out", 303)
        response.delete_cookie(COOKIE)
        response.headers["Clear-Site-Data"] = '"cache"'
        return response

    @routes.get("/language/<chosen>")
    def language(chosen: str) -> Response:
        if chosen not in CONTENT_LANGUAGE:
            raise NotFound
        asked = request.args.get("next", "/sign-in")
        ours = asked.startswith("/") and not asked.startswith(("//", "/\\")) and not urlsplit(asked).netloc
        response = redirect(asked if ours and "\\" not in asked else "/sign-in", 303)
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=YEAR, samesite="Lax", secure=is_secure(desk), path="/")
        return response


def _ask(desk: Desk, next_: str, *, name: str = "", refused: XianjieError | None = None) -> Response:
    g.form_token = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
    status = 200 if refused is None else refused.status
    page = render_template("pages/sign_in.html", next=next_, name=name, refused=refused, demo=None)
    response: FlaskResponse = make_response(page, status)
    response.set_cookie(FORM_COOKIE, g.form_token, httponly=True, samesite="Strict", secure=is_secure(desk), path="/")
    return response


def _account(pages: Pages) -> None:
    @pages.get("/account", ANYBODY)
    def account(visit: Visit) -> Response:
        return _own(visit)

    @pages.post("/account/password", ANYBODY)
    def change_password(visit: Visit) -> Response:
        old, new, again = (request.form.get(name, "") for name in ("old", "new", "again"))
        try:
            if new != again:
                raise ConfigError("the two new passwords differ")
            accounts.change_password(visit.context, visit.session, old, new, now=visit.now)
        except (SignInRefused, ConfigError) as error:
            return _own(visit, refused=error)
        return visit.back("/account", "password_changed")

    @pages.post("/account/codes", ANYBODY, confirmed=True)
    def set_up_codes(visit: Visit) -> Response:
        try:
            accounts.enrol(
                visit.context,
                visit.session,
                request.form.get("secret", ""),
                request.form.get("code", ""),
                now=visit.now,
            )
        except (SignInRefused, ValueError) as error:
            refused = error if isinstance(error, SignInRefused) else SignInRefused()
            return _own(visit, refused=refused)
        return visit.back("/account", "codes_set_up")


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
    shown = {"error": error, "instance": instance, "visit": visit, "again": isinstance(error, NotConfirmed)}
    response = make_response(render_template("pages/error.html", **shown), error.status)
    response.headers["Cache-Control"] = "no-store"
    return response
