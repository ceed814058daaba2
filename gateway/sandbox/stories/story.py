"""案例 One told case: synthetic people, what courts and agencies say of them, and what must be found.

A story is played by a `Stage`, the demonstration's or a test's, that sends signed messages as the parties and shows
what each was sent. `play` is a generator: each `yield` lets the mail be delivered. All stories are played side by side,
so each uses ids that begin with `story-<name>-` and people of its own (`person`), and asks for nothing of another.
Their households live in two counties whose offices are played by the stage alone; no office answers by itself there.
Cases are concluded in 2022, outside the period the synthetic province publishes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol

from gateway.envelope.signing import VerifiedMessage
from gateway.sandbox.formats import FORMATS, AskedNeed, OfficeAnswer
from gateway.sandbox.people import resident_id

COURT, BASIC_COURT, OTHER_COURT, HIGH_COURT = "cn/court/520100", "cn/court/520102", "cn/court/520300", "cn/court/520000"
HOME, ELSEWHERE = "520103", "520111"
"""Two counties of one prefecture."""
COUNTIES = (HOME, ELSEWHERE)
AGENCIES = ("civil_affairs", "disabled_persons", "womens_federation")
AGREEMENT = "黔高法〔2022〕98号"
CONCLUDED = date(2022, 9, 6)
PREFIX = "story-"
_JSON = "application/json"
_FIRST_BIRTH = date(1962, 1, 1)


def party_of(agency: str, county: str = HOME) -> str:
    """The agency of one of the two counties, e.g. `cn/agency/civil_affairs.520103`."""
    return f"cn/agency/{agency}.{county}"


def office_of(agency: str, county: str = HOME) -> str:
    """Its office, e.g. `civil_affairs-520103`."""
    return f"{agency}-{county}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What the gateway's receipt said of a message."""

    message_id: str
    holds: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Stage(Protocol):
    """What plays a story."""

    @property
    def now(self) -> datetime:
        """The moment, aware."""

    def send(
        self,
        party: str,
        type_: str,
        data: Any,
        *,
        subject: str | None = None,
        answers: VerifiedMessage | None = None,
        content_type: str = _JSON,
    ) -> Told:
        """One signed message of a party, accepted; answers: what it names by id and digest. Raises its refusal."""

    def heard(self, party: str, type_: str, matter: str) -> list[VerifiedMessage]:
        """What a party (a court or an agency of the two counties) was sent of one type about one matter, in order."""

    def put(self, party: str, path: str, body: bytes, content_type: str) -> None:
        """One authenticated `PUT` of a party to the gateway's address, e.g. a statement's lines."""

    def operate(self, action: str, **fields: Any) -> None:
        """What the gateway's operator does, by name (`cli.demo_stage.OPERATIONS`), e.g. the import of an old ledger."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """One case. finds: finding codes that must stand open once each when all is told; later: those that stand besides
    when nothing moves for sixty days. Nothing else may be found of it. half_year: those that must stand after half a
    year, beside what else a case gathers that lies for so long. A story that finds nothing is a look-alike."""

    name: str
    zh: str
    en: str
    play: Callable[[Stage, "Story"], Iterator[None]]
    finds: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    half_year: tuple[str, ...] = ()

    def id(self, what: object) -> str:
        """An id of this story's own."""
        return f"{PREFIX}{self.name}-{what}"

    @property
    def serial(self) -> int:
        """What its case numbers begin with."""
        return int.from_bytes(sha256(self.name.encode()).digest()[:3], "big") % 90_000 + 10_000

    def person(self, number: int = 1, *, born: date | None = None, sex: str = "1", **more: Any) -> dict[str, Any]:
        """An invented person of this story, the same at every call. Everybody has a name and a number of his own; born
        None: an adult. more: further members, as the wire has them."""
        seed = int.from_bytes(sha256(f"{self.name}:{number}".encode()).digest()[:4], "big")
        birth = born or _FIRST_BIRTH + timedelta(days=seed % 9000)
        serial = 2 + 2 * (seed // 9000 % 498) + (sex == "1")
        return {
            "name": f"样例{_word(seed)}",
            "id_type": "111",
            "id_number": resident_id(birth, serial),
            "sex": sex,
            "birth_date": birth.isoformat(),
            "household_registration_region": HOME,
            "residence": "贵阳市云岩区样例街道1号（合成地址）",
            **more,
        }

    def referral(self, number: int = 1, *, needs: Sequence[str] = ("MLG",), **changes: Any) -> dict[str, Any]:
        """The body of a `referral.submitted`: a decision to assist and needs by programme. changes: members put in
        their place; one that is None is left out."""
        serial = self.serial + number
        body: dict[str, Any] = {
            "referral_id": self.id(number),
            "agreement_document": AGREEMENT,
            "recipient_region": HOME,
            "case_number": f"（2022）黔01司救执{serial}号",
            "original_case_group": f"（2021）黔0103执{serial}号",
            "concluded_on": CONCLUDED.isoformat(),
            "decision": "ASSIST",
            "decided_amount_fen": 2_000_000,
            "ground_code": "G6",
            "assessment": "REFER" if needs else "NO_NEED",
            "person": self.person(),
            "needs": [{"programme": code} for code in needs],
            "survey": {
                "mode": "ON_SITE",
                "date": (CONCLUDED - timedelta(days=20)).isoformat(),
                "investigators": ["样例法官", "样例书记员"],
                "summary": "入户核实，家庭收入低于当地低保标准（合成内容）。",
            },
            "verification_authorization": {
                "ref": f"样例授权{serial}",
                "signed_at": (CONCLUDED - timedelta(days=20)).isoformat(),
                "scope": "家庭经济状况核对",
            },
            "legal_basis": "STATUTORY_DUTY",
            "notice_given_at": CONCLUDED.isoformat(),
            "contact": {"name": "样例法官", "phone": "0850-0000000"},
        }
        return {name: value for name, value in (body | changes).items() if value is not None}

    def refer(self, stage: Stage, *, court: str = COURT, **changes: Any) -> Told:
        """Sends `referral(**changes)`."""
        body = self.referral(**changes)
        return stage.send(court, "referral.submitted", body, subject=body["referral_id"])


def handoff(stage: Stage, matter: str, agency: str = "civil_affairs", county: str = HOME) -> VerifiedMessage:
    """The newest handoff an agency has of a referral. Raises LookupError when there is none yet."""
    found = stage.heard(party_of(agency, county), "handoff.issued", matter)
    if not found:
        raise LookupError(f"no handoff of {matter} at {agency} {county}")
    return found[-1]


def answer(
    stage: Stage,
    sent: VerifiedMessage,
    *codes: "Said",
    agency: str = "civil_affairs",
    county: str = HOME,
    type_: str = "handoff.outcome",
    need: int = 0,
) -> Told:
    """The agency answers one need of a handoff, in its own format."""
    form = FORMATS[agency]
    asked = form.read(sent.envelope.data)
    written = form.write(asked, [said.about(asked.needs[need], stage.now) for said in codes])
    return stage.send(
        party_of(agency, county),
        type_,
        written,
        subject=sent.envelope.subject,
        answers=sent,
        content_type=form.content_type,
    )


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer: a common code of `sandbox.formats`, or the agency's own (raw). fields: those of OfficeAnswer; ago:
    how long before the stage's moment it is dated."""

    code: Any
    raw: str | None = None
    ago: timedelta = timedelta(0)
    fields: Mapping[str, Any] | None = None

    def about(self, need: AskedNeed, now: datetime) -> OfficeAnswer:
        """As the format writes it."""
        return OfficeAnswer(need=need, code=self.code, at=now - self.ago, raw_code=self.raw, **(self.fields or {}))


def _word(seed: int) -> str:
    stems, branches = "春夏秋冬东南西北山川", "一二三四五六七八九十"
    return f"{stems[seed % 10]}{branches[seed // 10 % 10]}{stems[seed // 100 % 10]}{branches[seed // 1000 % 10]}"
