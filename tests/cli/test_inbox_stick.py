"""离线经办 A clerk without a network: `inbox --stick`, `mailbox export`, `mailbox import`, `inbox receipts`.

Nothing listens while the clerk works: an attempt to reach the gateway would fail the test. Only the administrator, who
carries the files, has the database.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result

from gateway.cli.partner import make_client
from gateway.store import tables as t
from tests.cli.installed import GATEWAY, Installed, fill, mode, party_of
from tests.cli.test_inbox import HELPED, ON_THE_WAY, cells, handed_over, replies, states
from tests.cli.test_run import serve

OFFICE = "womens_federation-520102"


@dataclass
class Carried:
    """An installation, and the bag in which sticks are carried between its two ends."""

    installed: Installed
    bag: Path
    journeys: int = 0

    def mailbox(self, name: str = "", office: str = OFFICE) -> Path:
        """The gateway's stick for the office."""
        out = self.bag / (name or self._name("mailbox"))
        self.installed.done("mailbox", "export", office, "--out", out)
        return out

    def taken(self, replies_: Path) -> tuple[Result, Path]:
        """The gateway takes replies; its receipts."""
        out = self.bag / self._name("receipts")
        return self.installed.run("mailbox", "import", replies_, "--out", out), out

    def clerk(self, stick: Path, *arguments: str | Path, **changes: str) -> Result:
        return self.installed.inbox("--stick", stick, *arguments, **changes)

    def ok(self, stick: Path, *arguments: str | Path, **changes: str) -> Result:
        result = self.clerk(stick, *arguments, **changes)
        assert result.exit_code == 0, result.output
        return result

    @property
    def out(self) -> Path:
        """The clerk's stick of replies."""
        return self.bag / "replies.stick"

    def _name(self, kind: str) -> str:
        self.journeys += 1
        return f"{kind}-{self.journeys}.stick"


@pytest.fixture
def carried(installed: Installed, tmp_path: Path) -> Carried:
    """Two handoffs wait for the office; then the network is gone."""
    with installed.serving():
        handed_over(installed, 1, 2)
    bag = tmp_path / "bag"
    bag.mkdir()
    return Carried(installed, bag)


def on_stick(carried: Carried, stick: Path, **changes: str) -> list[tuple[str, str]]:
    """(referral, state) as the clerk's list has them."""
    return [
        (row["referral"], row["state"]) for row in json.loads(carried.ok(stick, "list", "--json", **changes).stdout)
    ]


def settle(carried: Carried, receipts: Path, **changes: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(carried.installed.inbox("receipts", receipts, "--json", **changes).stdout)
    return found


def left_mailbox(installed: Installed) -> int:
    with installed.context() as context, context.store.reading() as connection:
        counted = sa.select(sa.func.count()).where(t.outbox.c.state == "retrieved")
        return int(connection.execute(counted).scalar_one())


# --- the whole way ---


def test_the_whole_way_there_and_back(carried: Carried) -> None:
    stick = carried.mailbox()
    assert on_stick(carried, stick) == [("r-1", "new"), ("r-2", "new")]
    opened = carried.ok(stick, "open", "1", "--out", carried.out)
    assert ("测试甲" in opened.stdout, "prepared 1" in opened.stderr) == (True, True)
    carried.ok(stick, "answer", "1", "--code", "服务已提供", "--out", carried.out)
    sheet = carried.bag / "sheet.xlsx"
    carried.ok(stick, "sheet", sheet)
    assert cells(sheet, "need_id") == ["r-2:1"]
    carried.ok(stick, "import", fill(sheet, ON_THE_WAY), "--out", carried.out)
    assert (on_stick(carried, stick), states(carried.installed)) == (
        [("r-1", "prepared"), ("r-2", "prepared")],
        ["routed", "routed"],
    )
    taken, receipts = carried.taken(carried.out)
    assert (taken.exit_code, "已接收 accepted 3" in taken.stderr) == (0, True), taken.output
    assert states(carried.installed) == ["assisted", "accepted_by_agency"]
    assert settle(carried, receipts)["accepted"] == 3
    assert on_stick(carried, stick) == [("r-1", "answered"), ("r-2", "answered")]
    assert left_mailbox(carried.installed) == 2


def test_answers_that_wait_for_their_receipts_stay_on_every_new_stick(carried: Carried) -> None:
    stick = carried.mailbox()
    for number in ("1", "2"):
        carried.ok(stick, "answer", number, "--code", "受理", "--out", carried.out)
    found = json.loads(carried.ok(stick, "answer", "1", "--code", "受理", "--out", carried.out, "--json").stdout)
    assert (found["prepared"], found["sent_before"], found["on_stick"]) == (0, 1, 2)
    taken, receipts = carried.taken(carried.out)
    settle(carried, receipts)
    again = json.loads(carried.ok(stick, "answer", "1", "--code", "服务已提供", "--out", carried.out, "--json").stdout)
    assert (taken.exit_code, again["on_stick"]) == (0, 1)


def test_by_stick_or_by_network_it_is_one_answer(carried: Carried) -> None:
    """Prepared for the stick, then the network came back: the same bytes go there, and the stick finds them there."""
    stick = carried.mailbox()
    said = ("answer", "1", "--code", "受理")
    carried.ok(stick, *said, "--out", carried.out)
    with carried.installed.serving():
        online = carried.installed.inbox(*said)
        assert (online.exit_code, "已报送 sent 1" in online.stderr) == (0, True), online.output
    taken, receipts = carried.taken(carried.out)
    assert "accepted before 1" in taken.stderr
    assert (settle(carried, receipts)["accepted_before"], len(replies(carried.installed))) == (1, 1)


def test_sticks_read_and_taken_twice_are_harmless(carried: Carried) -> None:
    stick = carried.mailbox()
    carried.ok(stick, "answer", "1", "--code", "服务已提供", "--out", carried.out)
    first, receipts = carried.taken(carried.out)
    second, again = carried.taken(carried.out)
    assert [first.exit_code, second.exit_code] == [0, 0]
    assert [settle(carried, one)["accepted"] for one in (receipts, receipts, again)] == [1, 0, 0]
    assert len(replies(carried.installed)) == 1


def test_two_clerks_with_copies_of_one_stick_have_one_effect(carried: Carried) -> None:
    stick, other = carried.mailbox(), {"XIANJIE_JOURNAL": str(carried.bag / "colleague.sqlite")}
    said = ("answer", "1", "--code", "已发放", "--amount", "650", "--payee", "本人")
    carried.ok(stick, *said, "--out", carried.out)
    carried.ok(stick, *said, "--out", carried.bag / "colleague.stick", **other)
    _, mine = carried.taken(carried.out)
    _, theirs = carried.taken(carried.bag / "colleague.stick")
    assert settle(carried, mine)["warnings"] == []
    assert [one["code"] for one in settle(carried, theirs, **other)["warnings"]] == ["repeats_earlier_answer"]
    with carried.installed.context() as context, context.store.reading() as connection:
        assert connection.scalar(sa.select(t.needs.c.paid_fen).where(t.needs.c.need_id == "r-1:1")) == 65_000


def test_what_the_gateway_refuses_comes_back_with_its_reason_and_can_be_answered_anew(carried: Carried) -> None:
    """Somebody wrote into the grey part: the answer names a need its handoff does not have."""
    stick, sheet = carried.mailbox(), carried.bag / "sheet.xlsx"
    carried.ok(stick, "sheet", sheet)
    carried.ok(stick, "import", fill(sheet, {**HELPED, "need_id": "r-2:1"}, HELPED), "--out", carried.out)
    taken, receipts = carried.taken(carried.out)
    assert (taken.exit_code, "[schema_invalid]" in taken.stderr) == (1, True), taken.output
    told = carried.installed.inbox("receipts", receipts)
    assert (told.exit_code, "[schema_invalid]" in told.stderr, "refused 1" in told.stderr) == (1, True, True)
    assert on_stick(carried, stick) == [("r-1", "new"), ("r-2", "answered")]
    carried.ok(stick, "import", fill(sheet, {**HELPED, "need_id": "r-1:1"}, HELPED), "--out", carried.out)
    _, receipts = carried.taken(carried.out)
    assert settle(carried, receipts)["accepted"] == 1
    with carried.installed.context() as context, context.store.reading() as connection:
        numbers = list(
            connection.execute(sa.select(t.inbox.c.seq).where(t.inbox.c.type == "handoff.outcome")).scalars()
        )
    assert sorted(numbers) == [1, 2]


# --- out ---


def test_the_stick_is_its_owners_and_is_not_written_over_another(carried: Carried) -> None:
    stick = carried.mailbox()
    before = stick.read_bytes()
    again = carried.installed.run("mailbox", "export", OFFICE, "--out", stick)
    assert (mode(stick), again.exit_code, stick.read_bytes() == before) == (0o600, 2, True)


def test_what_was_made_is_told_to_machines(carried: Carried) -> None:
    found = carried.installed.json("mailbox", "export", OFFICE, "--out", carried.bag / "x.stick")
    assert (found["messages"], found["left"], found["to"]) == (2, 0, party_of("womens_federation"))


@pytest.mark.parametrize("office", ["nobody-520102", "civil_affairs-520102"])
def test_an_office_that_has_no_mailbox_gets_no_stick(carried: Carried, office: str) -> None:
    out = carried.bag / "x.stick"
    result = carried.installed.run("mailbox", "export", office, "--out", out)
    assert (result.exit_code, out.exists()) == (2, False)


def test_who_made_and_took_a_stick_is_on_file(carried: Carried) -> None:
    stick = carried.bag / "x.stick"
    carried.installed.done("mailbox", "export", OFFICE, "--out", stick, "--who", "测试管理员")
    carried.ok(stick, "answer", "1", "--code", "受理", "--out", carried.out)
    carried.installed.done("mailbox", "import", carried.out, "--out", carried.bag / "r.stick", "--who", "测试管理员")
    with carried.installed.context() as context, context.store.reading() as connection:
        found = connection.execute(sa.select(t.decisions.c.what).where(t.decisions.c.who == "测试管理员")).scalars()
        assert list(found) == ["stick_exported", "stick_taken"]


# --- the clerk's side ---


def test_answers_need_to_know_where_to(carried: Carried) -> None:
    stick = carried.mailbox()
    for arguments in (("open", "1"), ("answer", "1", "--code", "受理")):
        result = carried.clerk(stick, *arguments)
        assert (result.exit_code, "--out" in result.output) == (2, True)
    assert on_stick(carried, stick) == [("r-1", "new"), ("r-2", "new")]


def test_a_look_and_a_check_need_no_stick_of_replies(carried: Carried) -> None:
    stick = carried.mailbox()
    assert "测试甲" in carried.ok(stick, "open", "1", "--peek").stdout
    carried.ok(stick, "answer", "1", "--code", "受理", "--check")
    assert on_stick(carried, stick) == [("r-1", "new"), ("r-2", "new")]


@pytest.mark.parametrize("there", ["other work", "the mailbox"])
def test_only_an_own_stick_of_replies_is_written_over(carried: Carried, there: str) -> None:
    stick = carried.mailbox()
    out = stick if there == "the mailbox" else carried.bag / "work.xlsx"
    if out is not stick:
        out.write_bytes(b"somebody's work")
    before = out.read_bytes()
    result = carried.clerk(stick, "answer", "1", "--code", "受理", "--out", out)
    assert (result.exit_code, out.read_bytes() == before) == (2, True), result.output
    assert on_stick(carried, stick)[0] == ("r-1", "new")


def test_a_stick_that_cannot_be_written_is_told_and_the_answer_goes_onto_the_next(carried: Carried) -> None:
    stick = carried.mailbox()
    result = carried.clerk(stick, "answer", "1", "--code", "受理", "--out", carried.bag / "no" / "such" / "x.stick")
    assert (result.exit_code, "cannot be written" in result.stderr) == (2, True), result.output
    found = json.loads(carried.ok(stick, "answer", "1", "--code", "受理", "--out", carried.out, "--json").stdout)
    assert (found["sent_before"], found["on_stick"]) == (1, 1)


def test_a_denial_without_reasons_is_stopped_before_it_is_carried_anywhere(carried: Carried) -> None:
    stick = carried.mailbox()
    sheet = carried.bag / "sheet.xlsx"
    carried.ok(stick, "sheet", sheet)
    result = carried.clerk(stick, "import", fill(sheet, {**HELPED, "result": "不予救助"}, HELPED), "--out", carried.out)
    assert (result.exit_code, "[denied_without_reason]" in result.stderr, "/reason [required]" in result.stderr) == (
        1,
        True,
        True,
    )
    assert on_stick(carried, stick) == [("r-1", "new"), ("r-2", "prepared")]


def test_the_old_flags_ask_for_the_commands_when_there_is_a_stick(carried: Carried) -> None:
    stick = carried.mailbox()
    assert [carried.clerk(stick, *flags).exit_code for flags in ((), ("--retrieved",))] == [0, 2]
    assert carried.clerk(stick, "--reply", stick, "--agency", "womens_federation").exit_code == 2
    assert carried.clerk(stick, "receipts", stick).exit_code == 2


def test_no_address_is_needed_and_the_rest_is_asked_for_by_name(carried: Carried) -> None:
    stick = carried.mailbox()
    assert carried.clerk(stick, "list", XIANJIE_URL="").exit_code == 0
    missing = carried.clerk(stick, "list", XIANJIE_GATEWAY_KEYS="")
    assert (missing.exit_code, "--gateway-keys" in missing.stderr, "--url" in missing.stderr) == (2, True, False)


def test_without_a_stick_there_is_no_stick_of_replies(carried: Carried) -> None:
    result = carried.installed.inbox("answer", "1", "--code", "受理", "--out", carried.out)
    assert (result.exit_code, carried.out.exists()) == (2, False)


# --- refused ---


def refusal(result: Result) -> str:
    """The reason's code, as it is told."""
    assert result.exit_code == 1, result.output
    (line,) = [line for line in result.stderr.splitlines() if "[stick_" in line and "[stick_refused]" not in line]
    return line.partition("[")[2].partition("]")[0]


def altered(line: bytes) -> bytes:
    """With another letter in its signature, whichever stood there."""
    return line[:-9] + (b"B" if line[-9:-8] == b"A" else b"A") + line[-8:]


def test_each_way_a_mailbox_stick_can_be_wrong_is_told_and_nothing_is_used(carried: Carried) -> None:
    stick = carried.mailbox()
    whole = stick.read_bytes()
    first, second, third, _ = whole.split(b"\n")
    made = {
        "stick_cut": whole[:-40],
        "stick_incomplete": b"\n".join([first, third, b""]),
        "stick_disordered": b"\n".join([first, third, second, b""]),
        "stick_has_more": whole + second + b"\n",
        "stick_altered": b"\n".join([first, altered(second), third, b""]),
        "stick_unreadable": b"PK\x03\x04\n",
        "stick_not_trusted": first[:-4] + b"AAAA" + whole[len(first) :],
    }
    bad = carried.bag / "bad.stick"
    for code, raw in made.items():
        bad.write_bytes(raw)
        result = carried.clerk(bad, "list")
        told = [line for line in result.stderr.splitlines() if f"[{code}]" in line]
        assert (result.exit_code, result.stdout, bool(told)) == (1, "", True), (code, result.output)
    assert on_stick(carried, stick) == [("r-1", "new"), ("r-2", "new")]


def test_an_older_stick_is_refused_after_a_newer_one_was_read(carried: Carried) -> None:
    older, newer = carried.mailbox(), carried.mailbox()
    carried.ok(older, "list")
    carried.ok(newer, "list")
    assert refusal(carried.clerk(older, "list")) == "stick_outdated"
    carried.ok(newer, "list")


def test_a_refusal_for_machines_holds_its_reason(carried: Carried) -> None:
    stick = carried.mailbox()
    stick.write_bytes(stick.read_bytes()[:-9])
    for flags in (("list", "--json"), ("--json", "list")):
        found = json.loads(carried.clerk(stick, *flags).stdout)
        assert found == {"refused": "stick_refused", "errors": [{"pointer": "", "code": "stick_cut"}]}


def test_a_stick_for_another_office_is_refused(carried: Carried) -> None:
    stick = carried.mailbox()
    result = carried.installed.inbox("--stick", stick, "list", agency="civil_affairs")
    assert refusal(result) == "stick_for_another"


def test_replies_receipts_and_mailboxes_are_told_apart(carried: Carried) -> None:
    stick = carried.mailbox()
    carried.ok(stick, "answer", "1", "--code", "受理", "--out", carried.out)
    taken, receipts = carried.taken(stick)
    assert (refusal(taken), receipts.exists()) == ("stick_of_another_kind", False)
    assert refusal(carried.installed.inbox("receipts", carried.out)) == "stick_of_another_kind"
    assert refusal(carried.clerk(carried.out, "list")) == "stick_of_another_kind"


def test_a_damaged_stick_of_replies_is_refused_and_answers_nothing(carried: Carried) -> None:
    stick = carried.mailbox()
    for number in ("1", "2"):
        carried.ok(stick, "answer", number, "--code", "受理", "--out", carried.out)
    bad = carried.bag / "bad.stick"
    bad.write_bytes(carried.out.read_bytes()[:-10])
    taken, receipts = carried.taken(bad)
    assert (refusal(taken), receipts.exists(), replies(carried.installed)) == ("stick_cut", False, [])


def test_receipts_are_not_written_over_anything(carried: Carried) -> None:
    stick = carried.mailbox()
    carried.ok(stick, "answer", "1", "--code", "受理", "--out", carried.out)
    result = carried.installed.run("mailbox", "import", carried.out, "--out", stick)
    assert (result.exit_code, replies(carried.installed)) == (2, [])


def test_what_is_said_of_sticks_names_nobody(carried: Carried) -> None:
    stick = carried.mailbox()
    shown = carried.ok(stick, "list").output
    shown += carried.ok(stick, "answer", "1", "--code", "受理", "--text", "测试甲不在家", "--out", carried.out).stderr
    taken, receipts = carried.taken(carried.out)
    shown += taken.output + carried.installed.inbox("receipts", receipts).output
    assert [secret for secret in ("测试甲", "529999", "13900000000") if secret in shown] == []


# --- other processes ---


def test_a_poll_at_a_gateway_in_another_process_ends_when_a_third_one_puts_a_letter(installed: Installed) -> None:
    own = installed.folder / "womens_federation"
    with serve(installed):
        client = make_client(
            url=installed.url,
            party=party_of("womens_federation"),
            key=own / "own.pem",
            gateway=GATEWAY,
            gateway_keys=installed.folder / "gateway-keys.json",
            journal=own / "journal.sqlite",
        )
        found: list[str | None] = []
        waiting = threading.Thread(target=lambda: found.extend(m.envelope.subject for m in client.inbox(wait=25)))
        waiting.start()
        handed_over(installed, 1)
        waiting.join(60)
        assert (found, waiting.is_alive()) == (["r-1"], False)


def test_a_served_gateway_and_a_carried_stick_agree(installed: Installed, tmp_path: Path) -> None:
    """A stick made while the gateway serves; one answer goes by wire, the other by hand."""
    carried = Carried(installed, tmp_path)
    with serve(installed):
        handed_over(installed, 1, 2)
        stick = carried.mailbox()
        assert installed.inbox("answer", "1", "--code", "服务已提供").exit_code == 0
        carried.ok(stick, "answer", "2", "--code", "服务已提供", "--out", carried.out)
        taken, receipts = carried.taken(carried.out)
        assert taken.exit_code == 0, taken.output
        assert settle(carried, receipts)["accepted"] == 1
        assert json.loads(installed.inbox("list", "--json").stdout) == []
    assert states(installed) == ["assisted", "assisted"]
