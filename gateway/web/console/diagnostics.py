"""诊断页 How the installation runs, each thing with what to do, and the same as one file to hand on.

The file holds no secret, no personal data, no address and no path; that it was taken is on file.
"""

import json
from contextlib import suppress

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.errors import InRecovery
from gateway.flows.diagnose import diagnose, report
from gateway.flows.health import Health
from gateway.web.desk import Desk
from gateway.web.pages.routes import Pages
from gateway.web.pages.visit import Visit

HOME = "/console/diagnostics"
_TAGS = {Health.GOOD: "good", Health.ATTENTION: "wait", Health.BAD: "bad"}


def pages(desk: Desk) -> Pages:
    """The page and the file."""
    found = Pages(desk, "diagnostics", HOME)

    @found.get("", Right.DIAGNOSE)
    def diagnostics(visit: Visit) -> Response:
        return visit.page("console/diagnostics.html", found=diagnose(visit.context, now=visit.now), tags=_TAGS)

    @found.post("/report", Right.DIAGNOSE)
    def diagnostic_report(visit: Visit) -> Response:
        made = report(diagnose(visit.context, now=visit.now))
        with suppress(InRecovery):  # nothing is put on file then, and this is when one wants to look; no data is shown
            visit.log("diagnostics_exported", visit.context.party_id, made["worst"])
        response = Response(json.dumps(made, ensure_ascii=False, indent=2) + "\n", mimetype="application/json")
        name = f"xianjie-diagnostics-{visit.now:%Y%m%d-%H%M}.json"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    return found
