"""页面路由 A page's route says which right it needs; who has not the right is refused before the view runs.

Rules: no route without a right (a test enumerates them); every POST carries its session's token and comes from this
site; a dangerous act carries the password again; a password somebody else gave is changed before anything else; nobody
works for a party that is suspended; an address with a character no database takes is no address.
"""

import hmac
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, g, redirect, request
from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.errors import Forbidden, FormExpired, InvalidQuery, NotConfirmed
from gateway.flows import sign_in
from gateway.flows.sign_in import Session
from gateway.web.desk import Desk
from gateway.web.pages.visit import Visit
from gateway.web.problems import Language, language_of

COOKIE, LANGUAGE_COOKIE = "xianjie_session", "xianjie_language"
THIS_HOST = "__Host-"
"""Before a cookie's name where all travels encrypted: then no neighbouring site can set it for us."""
CSRF, PASSWORD_AGAIN = "csrf", "password_again"
MUST_CHANGE = "/account"
SIGN_OUT = "/sign-out"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
OTHER_SITES = ("cross-site", "same-site")
ANYBODY = "signed_in"
"""Instead of a right: whoever is signed in."""

View = Callable[..., Response]
NEEDS: dict[str, "Right | str"] = {}
"""Endpoint → what it needs; `pages.routes` alone writes it."""


class Pages:
    """One module's pages under a common prefix."""

    def __init__(self, desk: Desk, name: str, prefix: str = "") -> None:
        self._desk = desk
        self.blueprint = Blueprint(name, __name__, url_prefix=prefix or None)

    def get(self, rule: str, right: Right | str) -> Callable[[View], View]:
        """A page to look at."""
        return self._route(rule, right, "GET", confirmed=False)

    def post(self, rule: str, right: Right | str, *, confirmed: bool = False) -> Callable[[View], View]:
        """A form. confirmed: a dangerous act, for which the password is entered again."""
        return self._route(rule, right, "POST", confirmed=confirmed)

    def _route(self, rule: str, right: Right | str, method: str, *, confirmed: bool) -> Callable[[View], View]:
        def register(view: View) -> View:
            @wraps(view)
            def guarded(**named: Any) -> Response:
                visit = visit_of(self._desk)
                require(visit, right)
                require_text()
                if method == "POST":
                    require_own_form(self._desk, visit.session)
                    if confirmed:
                        require_confirmed(visit)
                return view(visit, **named)

            NEEDS[f"{self.blueprint.name}.{view.__name__}"] = right
            self.blueprint.add_url_rule(
                rule, endpoint=view.__name__, view_func=must_change_first(guarded), methods=[method]
            )
            return view

        return register


def must_change_first(guarded: Callable[..., Response]) -> Callable[..., Response]:
    """Sends who still has a password somebody else gave to the page where it is changed."""

    @wraps(guarded)
    def view(**named: Any) -> Response:
        try:
            return guarded(**named)
        except _MustChange:
            return redirect(MUST_CHANGE, 303)

    return view


class _MustChange(Exception):
    """Not an error anybody sees: the redirect above."""


def is_secure(desk: Desk) -> bool:
    """Whether cookies may only travel encrypted."""
    return (desk.public_url or "").startswith("https://")


def cookie(desk: Desk, name: str) -> str:
    """A cookie's name as it is set here."""
    return f"{THIS_HOST}{name}" if is_secure(desk) else name


def visit_of(desk: Desk) -> Visit:
    """Who asks. Raises NotSignedIn."""
    now = desk.clock()
    session = sign_in.session_of(desk.context, request.cookies.get(cookie(desk, COOKIE)), now=now)
    g.session = session
    return Visit(desk=desk, session=session, now=now)


def require(visit: Visit, right: "Right | str") -> None:
    """Raises Forbidden for a right the account has not, or while its party is suspended."""
    if right != ANYBODY:
        if not visit.may(Right(right)):
            raise Forbidden
        _require_active_party(visit)
    if visit.session.must_change and request.path != SIGN_OUT and not request.path.startswith(MUST_CHANGE):
        raise _MustChange


def _require_active_party(visit: Visit) -> None:
    party_id = visit.account.party_id
    if party_id is not None:
        party = visit.snapshot.parties.get(party_id)
        if party is None or not party.active:
            raise Forbidden("party_suspended")


def require_text() -> None:
    """Raises InvalidQuery for a NUL anywhere: PostgreSQL takes none, and nobody types one."""
    named = request.view_args or {}
    given = [*named.values(), *request.args.values(), *request.form.values()]
    if any(isinstance(one, str) and "\0" in one for one in given):
        raise InvalidQuery("a NUL character")


def require_own_form(desk: Desk, session: Session | None, expected: str | None = None) -> None:
    """Raises FormExpired for a form that is not of this session, or that another site sent."""
    given = request.form.get(CSRF, "")
    wanted = session.csrf if session is not None else expected
    if not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise FormExpired
    origin = request.headers.get("Origin")
    if origin is not None and not _is_own(desk, origin):
        raise FormExpired
    if request.headers.get("Sec-Fetch-Site") in OTHER_SITES:
        raise FormExpired


def _is_own(desk: Desk, origin: str) -> bool:
    """Whether a page of this site sent it. A Host header is believed only where nothing was said about our address,
    and from this machine itself: a name that somebody makes lead here is not ours."""
    host = origin.partition("://")[2]
    if desk.public_url is not None and host == urlsplit(desk.public_url).netloc:
        return True
    named = urlsplit(f"//{request.host}").hostname
    return host == request.host and (desk.public_url is None or named in LOOPBACK)


def own_address(text: str) -> bool:
    """Whether it leads to a page of this site, however a browser reads it."""
    odd = "\\" in text or any(character <= " " or character == "\x7f" for character in text)
    return text.startswith("/") and not text.startswith("//") and not odd


def require_confirmed(visit: Visit) -> None:
    """Raises NotConfirmed unless the password was entered a moment ago or stands in this form."""
    if visit.session.is_confirmed(visit.now):
        return
    password = request.form.get(PASSWORD_AGAIN, "")
    if not password or not sign_in.confirm(visit.context, visit.session, password, now=visit.now):
        raise NotConfirmed


def chosen_language() -> Language:
    """As chosen here before, else as the browser asks; read once a request, for a page asks hundreds of times."""
    found: Language | None = g.get("language")
    if found is None:
        chosen = request.cookies.get(LANGUAGE_COOKIE)
        asked = language_of(request.headers.get("Accept-Language"))
        found = g.language = "en" if chosen == "en" else "zh" if chosen == "zh" else asked
    return found
