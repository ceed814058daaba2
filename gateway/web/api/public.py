"""公开接口 What everybody may read: our public keys, who exchanges here, the interface, the meaning of every error.

Everything is rendered here, without anything from the internet.
"""

from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request

from gateway.domain.field_codes import load_field_codes
from gateway.errors import every_error
from gateway.flows import participants
from gateway.web.api.openapi import describe
from gateway.web.desk import Desk


def blueprint(desk: Desk) -> Blueprint:
    """The five routes."""
    routes = Blueprint("public", __name__)
    registry = participants.registry(desk.context)

    @routes.get("/v1/keys")
    def get_keys() -> Response:
        now = desk.clock()
        own = [key for key in desk.context.snapshot(now).keys if key.party_id == desk.context.party_id]
        shown = [
            {**key.jwk, "kid": key.kid, "alg": key.alg.value, "use": key.use, "party": key.party_id}
            for key in own
            if key.lapse_at(now) is None
        ]
        return jsonify({"keys": shown})

    @routes.get("/v1/participants")
    def get_participants() -> Response:
        found = registry(desk.clock())
        response = Response(found.jws, content_type="application/jose")
        response.set_etag(found.version)
        response.headers["Cache-Control"] = "no-cache"  # may be kept, must be asked for again
        response.make_conditional(request)
        return response

    @routes.get("/v1/openapi.json")
    def get_openapi() -> Response:
        return jsonify(describe())

    @routes.get("/docs")
    def get_docs() -> Response:
        return _page("docs.html", api=describe())

    @routes.get("/docs/errors")
    def get_errors() -> Response:
        return _page("errors.html", errors=every_error(), fields=load_field_codes().values())

    return routes


def _page(template: str, **shown: Any) -> Response:
    return Response(render_template(template, **shown), content_type="text/html; charset=utf-8")
