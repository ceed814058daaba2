"""协查、线索与通知 As a court, an agency's clerk and the operator run them."""

import json
from collections.abc import Iterator

import pytest

from gateway.cli.partner import make_client
from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.court_desk import answer_clues, clue_answer
from tests.cli.installed import COURT, GATEWAY, TODAY, Installed, ndjson, party_of

PERSON = {
    "name": "样例甲",
    "id_type": "111",
    "id_number": "529999199001010019",
    "birth_date": "1990-01-01",
    "household_registration_region": "520102",
}
AGENCY = "womens_federation"


@pytest.fixture
def served(installed: Installed) -> Iterator[Installed]:
    with installed.serving():
        yield installed


def test_a_court_asks_a_clerk_answers_and_the_court_reads_the_result(served: Installed) -> None:
    asked = {
        "inquiry_id": "i-1",
        "agreement_document": "黔高法〔2022〕98号",
        "case_number": f"（{TODAY.year}）黔01司救执1号",
        "person": PERSON,
        "programmes": ["CAN2"],
        "legal_basis": "STATUTORY_DUTY",
        "notice_given_at": TODAY.isoformat(),
    }
    sent = served.send(ndjson(served.folder / "a.inquiry.asked.ndjson", asked))
    assert sent.exit_code == 0, sent.output
    answered = served.as_partner(AGENCY, party_of(AGENCY), "answer-inquiry", "i-1", "--answer", "CAN2=ENDED")
    assert answered.exit_code == 0, answered.output
    assert served.as_partner(AGENCY, party_of(AGENCY), "notices", "--json").stdout.strip() == "[]"
    told = served.as_partner("court", COURT, "notices", "--take-all")
    assert ("两癌救助（CAN2） 曾享受已停 ended" in told.stdout, "样例" in told.stdout) == (True, False), told.output
    assert served.as_partner("court", COURT, "notices", "--json").stdout.strip() == "[]"
    (row,) = served.json("inquiries")
    assert (row["programme"], row["answer"], row["overdue"]) == ("CAN2", "ENDED", False)


def test_a_clue_is_sent_answered_and_listed(served: Installed) -> None:
    file = served.folder / "clue.json"
    clue = {"clue_id": "k-1", "person": PERSON, "circumstances": ["OTHER"], "legal_basis": "STATUTORY_DUTY"}
    file.write_text(json.dumps(clue), encoding="utf-8")
    sent = served.as_partner(AGENCY, party_of(AGENCY), "clue", file)
    assert sent.exit_code == 0, sent.output
    (waiting,) = json.loads(served.as_partner("court", COURT, "notices", "--json").stdout)
    listed = served.as_partner("court", COURT, "notices").stdout
    opened = served.as_partner("court", COURT, "notices", "--show", waiting["message_id"]).stdout
    assert ("样例甲" in listed, "样例甲" in opened, "其他 other" in opened, "{" in opened) == (False, True, True, False)
    answer = {"clue_id": "k-1", "code": "INFORMED_PERSON"}
    assert served.send(ndjson(served.folder / "a.clue.answered.ndjson", answer)).exit_code == 0
    (row,) = served.json("clues", "--open")
    assert (row["answer"], row["must_act"]) == ("INFORMED_PERSON", COURT)


def test_an_answer_nobody_gives_and_a_message_that_is_not_there_are_told(served: Installed) -> None:
    wrong = served.as_partner(AGENCY, party_of(AGENCY), "answer-inquiry", "i-9", "--answer", "CAN2=PERHAPS")
    assert wrong.exit_code == 2
    none = served.as_partner("court", COURT, "notices", "--take", "nothing")
    assert (none.exit_code, "not in the mailbox" in none.stderr) == (2, True)


def test_a_simulated_court_answers_the_clue_in_its_mailbox_once(served: Installed) -> None:
    file = served.folder / "clue.json"
    clue = {"clue_id": "k-2", "person": PERSON, "circumstances": ["OTHER"], "legal_basis": "STATUTORY_DUTY"}
    file.write_text(json.dumps(clue | {"court": COURT}), encoding="utf-8")
    assert served.as_partner(AGENCY, party_of(AGENCY), "clue", file).exit_code == 0
    own = served.folder / "court"
    client = make_client(
        url=served.url,
        party=COURT,
        key=own / "own.pem",
        gateway=GATEWAY,
        gateway_keys=served.folder / "gateway-keys.json",
        journal=own / "journal.sqlite",
    )
    assert [answer_clues(client, Behaviour()) for _ in range(2)] == [1, 0]
    (row,) = served.json("clues")
    assert row["answer"] == clue_answer(clue, Behaviour())["code"]
    told = served.as_partner(AGENCY, party_of(AGENCY), "notices", "--json")
    assert [one["type"] for one in json.loads(told.stdout)] == ["clue.answer"]
