"""到访 One request of somebody who is signed in: who, when, in which language, which part of the exchange is his."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from gateway.domain.access import Account, Right
from gateway.domain.access import Desk as Sort
from gateway.domain.agreement import Office, PartyKind
from gateway.errors import NotFound, XianjieError
from gateway.flows.context import Context
from gateway.flows.sign_in import Session
from gateway.store import agency_desk, decisions
from gateway.store.directory import Snapshot
from gateway.web.desk import Desk

T = TypeVar("T")
LETTERS = "/agency/letters"


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Handed to every page's view."""

    desk: Desk
    session: Session
    now: datetime

    @property
    def context(self) -> Context:
        """What the flows need."""
        return self.desk.context

    @property
    def account(self) -> Account:
        """Who asks."""
        return self.session.account

    @property
    def who(self) -> str:
        """As decisions name him."""
        return self.account.who

    def may(self, right: Right) -> bool:
        """Whether he has the right."""
        return self.account.may(right)

    @cached_property
    def snapshot(self) -> Snapshot:
        """The directory as it stands."""
        return self.context.snapshot(self.now)

    @cached_property
    def courts(self) -> tuple[str, ...] | None:
        """The courts whose referrals he sees at the console; None: all."""
        if not self.account.region:
            return None
        found = self.snapshot.parties.values()
        return tuple(
            one.party_id for one in found if one.kind is PartyKind.COURT and one.region.startswith(self.account.region)
        )

    def sees_court(self, court: str) -> bool:
        """Whether that court's referrals are in his part."""
        return self.courts is None or court in self.courts

    @cached_property
    def offices(self) -> tuple[Office, ...]:
        """The offices an agency's clerk works for."""
        own = self.snapshot.office_of(self.account.party_id or "")
        wanted = self.account.office_ids
        return tuple(one for one in own if not wanted or one.office_id in wanted)

    def log(self, what: str, subject: str, why: str) -> None:
        """Keeps what was looked at, searched or exported as a decision with its leaf, before it is shown."""
        self.context.store.write(
            lambda connection: decisions.put(
                connection, who=self.who, what=what, subject=subject[:200], why=why[:500], now=self.now
            )
        )

    def page(
        self, template: str, *, refused: XianjieError | None = None, status: int | None = None, **shown: Any
    ) -> Response:
        """A rendered page. refused: why a form was not taken, told on top; what was typed is shown again by the
        template. status: where it is another than follows from that."""
        if status is None:
            status = 200 if refused is None else refused.status if refused.status < 500 else 400
        text = render_template(template, visit=self, refused=refused, head_counts=self._head_counts(), **shown)
        response: Response = make_response(text, status)
        return response

    def _head_counts(self) -> dict[str, int]:
        """By address, what waits there: the head of an agency's pages counts letters nobody has taken."""
        party = self.account.party_id
        if self.account.row.desk is not Sort.AGENCY or party is None:
            return {}
        offices, whole = [one.office_id for one in self.offices], not self.account.office_ids
        with self.context.store.reading() as connection:
            return {LETTERS: agency_desk.untaken_letters(connection, party, offices, whole=whole)}

    def back(self, path: str, said: str | None = None, **query: Any) -> Response:
        """After a form was taken: another page, and what it says first (`pages.said`)."""
        asked: Mapping[str, Any] = {**query, **({} if said is None else {"said": said})}
        kept = {key: value for key, value in asked.items() if value not in (None, "")}
        mark = "&" if "?" in path else "?"
        return redirect(f"{path}{mark}{urlencode(kept)}" if kept else path, 303)

    def text(self, name: str, most: int = 500) -> str:
        """One field of the form, without blanks around it; the end of a line is one character, as it was typed."""
        return (request.form.get(name) or "").replace("\r\n", "\n").strip()[:most]

    def asked(self, name: str, most: int = 200) -> str:
        """One member of the query."""
        return (request.args.get(name) or "").strip()[:most]


def require_found(found: T | None) -> T:
    """Raises NotFound for nothing, so that what is another's and what is not there answer alike."""
    if found is None:
        raise NotFound
    return found
