"""统一身份认证页 To the identity provider and back (OpenID Connect); who comes back linked to an account is signed in.

The answer to who comes back is a page that leads on, not a redirect: a browser that was sent here by another site would
not carry the session's cookie (`SameSite=Strict`) along a redirect.
"""

from collections.abc import Callable

from flask import make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from gateway.domain.access import Account
from gateway.errors import NotFound, SignInRefused
from gateway.flows import provider_sign_in, sign_in
from gateway.transport.provider import Provider
from gateway.web.desk import Desk
from gateway.web.pages.routes import COOKIE, Pages, cookie, is_secure

WAY_COOKIE = "xianjie_way"
PLACE, BACK = "/sign-in/provider", "/sign-in/provider/back"
MOST_NEXT, MOST_CODE = 500, 4000

SignedIn = Callable[[Desk, Response, str], Response]


def add(desk: Desk, pages: Pages, *, next_of: Callable[[str, Account], str], signed_in: SignedIn) -> None:
    """Both addresses. next_of: where somebody may go on; signed_in: sets what a browser keeps of a session."""
    routes = pages.blueprint

    @routes.get(PLACE)
    def provider() -> Response:
        asked, again = request.args.get("next", "")[:MOST_NEXT], request.args.get("again") == "1"
        way = provider_sign_in.set_out(asked, again=again)
        url = _provider(desk).begin(
            back=_back(desk), state=way.state, nonce=way.nonce, verifier=way.verifier, again=again
        )
        response = redirect(url, 303)
        response.set_cookie(
            cookie(desk, WAY_COOKIE),
            provider_sign_in.seal(desk.context, way, now=desk.clock()),
            max_age=int(provider_sign_in.GOOD_FOR.total_seconds()),
            httponly=True,
            samesite="Lax",  # the provider leads back here: `Strict` would not be sent
            secure=is_secure(desk),
            path="/",
        )
        return response

    @routes.get(BACK)
    def provider_back() -> Response:
        found, now = _provider(desk), desk.clock()
        sealed = request.cookies.get(cookie(desk, WAY_COOKIE))
        way = provider_sign_in.come_back(desk.context, sealed, request.args.get("state", ""), now=now)
        code = request.args.get("code", "")
        if not code or len(code) > MOST_CODE or request.args.get("iss", found.issuer) != found.issuer:
            raise SignInRefused
        proof = found.prove(
            code=code, back=_back(desk), nonce=way.nonce, verifier=way.verifier, again=way.again, now=now
        )
        token = sign_in.sign_in_as_subject(desk.context, proof.subject, now=now, proven_at=proof.proven_at)
        sign_in.leave(desk.context, request.cookies.get(cookie(desk, COOKIE)))
        account = sign_in.session_of(desk.context, token, now=now).account
        page = render_template("pages/signed_in.html", next=next_of(way.next, account))
        response = make_response(page)
        response.delete_cookie(cookie(desk, WAY_COOKIE), path="/", secure=is_secure(desk))
        return signed_in(desk, response, token)


def _provider(desk: Desk) -> Provider:
    if desk.provider is None:
        raise NotFound
    return desk.provider


def _back(desk: Desk) -> str:
    """As the provider knows it."""
    return (desk.public_url or request.url_root).rstrip("/") + BACK
