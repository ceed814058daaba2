"""演示导览 In a demonstration alone: who may sign in, and what to look at first."""

from flask import make_response, render_template
from werkzeug.wrappers import Response

from gateway.web.desk import Tour
from gateway.web.pages.routes import Pages


def add(pages: Pages, tour: Tour) -> None:
    """The page, and the same table at the door."""

    @pages.blueprint.get("/tour")
    def guided_tour() -> Response:
        response: Response = make_response(render_template("pages/tour.html", tour=tour, visit=None))
        return response
