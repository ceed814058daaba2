"""离线介质收发 A mailbox leaves on a stick, replies come back on another, receipts go out on a third; on both engines.

The office without a network is the women's federation. Its replies are signed as its client would sign them; each test
breaks one thing about the stick, the messages on it, or the gateway that takes it.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.envelope import stick, strict_json
from gateway.envelope.encryption import EncryptionKey, decrypt, encrypt, is_encrypted
from gateway.envelope.message import new_id
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.envelope.stick import Stick, StickItem, StickKind
from gateway.errors import ConfigError, InRecovery, StickRefused, StoreUnavailable
from gateway.evidence.receipt import Receipt
from gateway.evidence.receipt import read as read_receipt
from gateway.flows.mailbox import pull
from gateway.flows.stick import EXPORTED, TAKEN, Exported, Taken, export, take
from gateway.store import directory
from gateway.store import tables as t
from schemas.fields import format_moment
from tests.builders import an_id_number
from tests.gateway_world import (
    CIVIL_AFFAIRS,
    GATEWAY,
    WOMENS_FEDERATION,
    Partner,
    World,
    a_referral_body,
)

FEDERATION = "cn/agency/womens_federation.520102"
CIVIL = "cn/agency/civil_affairs.520102"
WHO = "测试管理员"


def fill(world: World, count: int, **changes: Any) -> None:
    for number in range(1, count + 1):
        world.refer(
            **{
                "referral_id": f"r-{number}",
                "needs": [{"programme": "PSY"}],
                "case_number": f"（2026）黔01司救执{number}号",
                "original_case_group": f"（2025）黔0102民初{number}号",
                "person": a_referral_body()["person"] | {"id_number": an_id_number(serial=number)},
                **changes,
            }
        )
    world.dispatch()


def exported(world: World, office_id: str = WOMENS_FEDERATION) -> Exported:
    return export(world.context, office_id, who=WHO, now=world.now)


def opened(world: World, file: bytes, kind: StickKind, recipient: str = FEDERATION) -> Stick:
    return stick.read(file, world.keyring, kind=kind, recipient=recipient, now=world.now)


def letters(world: World) -> list[VerifiedMessage]:
    """What the office finds on a fresh stick."""
    items = opened(world, exported(world).file, StickKind.MAILBOX).items
    return [verify(item.line, world.keyring, recipient=FEDERATION, now=world.now) for item in items]


def office(world: World) -> Partner:
    return world.partners[FEDERATION]


def a_reply(world: World, letter: VerifiedMessage, word: str = "受理", **more: Any) -> bytes:
    data = letter.envelope.data
    answer = {"事项编号": data["事项"][0]["事项编号"], "办理结果": word, "办理时间": format_moment(world.now), **more}
    body = {"转办编号": data["转办编号"], "反馈": [answer]}
    return world.reply(WOMENS_FEDERATION, letter, "handoff.outcome", body)


def replies(world: World, *raws: bytes, **changes: Any) -> bytes:
    """A stick of replies as the office makes it."""
    honest: dict[str, Any] = {
        "id": new_id(world.now),
        "kind": StickKind.REPLIES,
        "source": FEDERATION,
        "recipient": GATEWAY,
        "series": "journal-1",
        "made_at": world.now,
        "items": tuple(StickItem(id=id_of(world, raw), line=raw) for raw in raws),
    }
    made = Stick(**(honest | changes))
    return stick.write(made, world.partners[made.source].key)


def id_of(world: World, raw: bytes) -> str:
    return verify(raw, world.keyring, recipient=GATEWAY, now=world.now, check_time=False).envelope.id


def taken(world: World, raw: bytes) -> Taken:
    return take(world.context, raw, who=WHO, now=world.now)


def lines(world: World, done: Taken) -> list[bytes]:
    return [item.line for item in opened(world, done.file, StickKind.RECEIPTS).items]


def receipts(world: World, done: Taken) -> list[Receipt]:
    return [
        read_receipt(line, world.keyring, recipient=FEDERATION, issuer=GATEWAY, now=world.now)
        for line in lines(world, done)
    ]


def why_refused(world: World, raw: bytes) -> list[tuple[str, str]]:
    with pytest.raises(StickRefused) as caught:
        taken(world, raw)
    return [(problem.code, problem.pointer) for problem in caught.value.problems]


def nothing_was_taken(world: World) -> bool:
    came = [row for row in world.rows(t.inbox) if row["source"] == FEDERATION]
    return came == [] and [row for row in world.rows(t.decisions) if row["what"] == TAKEN] == []


# --- out ---


def test_all_that_waits_for_the_office_is_on_the_stick_as_it_would_be_pulled(world: World) -> None:
    fill(world, 3)
    made = exported(world)
    found = opened(world, made.file, StickKind.MAILBOX)
    assert [item.line.decode() for item in found.items] == [
        w for _, w in pull(world.context, FEDERATION, after=0, limit=9)
    ]
    assert (made.messages, made.left, made.recipient, found.source) == (3, 0, FEDERATION, GATEWAY)
    assert found.made_at == world.now


def test_nothing_leaves_the_mailbox_by_it_and_it_can_be_made_again(world: World) -> None:
    fill(world, 2)
    first, second = exported(world), exported(world)
    assert len(pull(world.context, FEDERATION, after=0, limit=9)) == 2
    lines_of = [[item.line for item in opened(world, made.file, StickKind.MAILBOX).items] for made in (first, second)]
    assert lines_of[0] == lines_of[1]


def test_what_was_answered_is_not_on_it(world: World) -> None:
    fill(world, 2)
    (first, second) = letters(world)
    world.accept(world.reply(WOMENS_FEDERATION, first, "handoff.retrieved", {}))
    assert [one.envelope.id for one in letters(world)] == [second.envelope.id]


def test_each_office_of_a_party_has_sticks_of_its_own(world: World) -> None:
    """The party pulls for both; a stick is carried to one desk."""
    here = world.context.snapshot(world.now).offices[WOMENS_FEDERATION]
    world.put_office(replace(here, office_id="second-desk", region="520103"))
    fill(world, 1)
    world.refer(
        referral_id="r-9",
        needs=[{"programme": "PSY"}],
        case_number="（2026）黔01司救执9号",
        original_case_group="（2025）黔0102民初9号",
        recipient_region="520103",
        person=a_referral_body()["person"]
        | {"id_number": an_id_number(serial=9), "household_registration_region": "520103"},
    )
    world.dispatch()
    sticks = [
        opened(world, exported(world, name).file, StickKind.MAILBOX) for name in (WOMENS_FEDERATION, "second-desk")
    ]
    assert [len(one.items) for one in sticks] == [1, 1]
    assert len(pull(world.context, FEDERATION, after=0, limit=9)) == 2
    assert sticks[0].series != sticks[1].series


def test_that_it_left_is_on_file_with_who_made_it_and_names_nobody(world: World) -> None:
    fill(world, 2)
    made = exported(world)
    (row,) = [row for row in world.rows(t.decisions) if row["what"] == EXPORTED]
    assert (row["who"], row["subject"], row["why"]) == (WHO, WOMENS_FEDERATION, f"2 {made.stick_id}")
    assert len([row for row in world.rows(t.log_leaves) if EXPORTED in row["entry"]]) == 1


def test_more_than_fits_waits_for_the_next(world: World) -> None:
    fill(world, 4)
    size = len(letters(world)[0].jws)  # a third more as it is stored
    made = export(world.context, WOMENS_FEDERATION, who=WHO, now=world.now, most_bytes=size * 3)
    assert (made.messages, made.left) == (2, 2)


@pytest.mark.parametrize(
    ("office_id", "note"),
    [("nobody-520102", "no office"), (CIVIL_AFFAIRS, "is pushed to")],
    ids=["unknown", "pushed to"],
)
def test_there_is_no_stick_for_an_office_without_a_mailbox(sqlite_world: World, office_id: str, note: str) -> None:
    with pytest.raises(ConfigError) as caught:
        exported(sqlite_world, office_id)
    assert note in caught.value.note
    assert sqlite_world.rows(t.decisions) == []


def test_a_gateway_that_lost_a_part_makes_no_stick_of_the_rest(world: World) -> None:
    fill(world, 1)
    world.change(t.log_head.update().values(recovering_since=1))
    with pytest.raises(InRecovery):
        exported(world)


def test_somebody_has_to_have_made_it(sqlite_world: World) -> None:
    with pytest.raises(ConfigError):
        export(sqlite_world.context, WOMENS_FEDERATION, who=" ", now=sqlite_world.now)


def test_for_an_office_with_a_key_for_encryption_nobody_else_can_read_the_stick(world: World) -> None:
    own = EncryptionKey.generate(FEDERATION)
    public = own.public_key(not_before=world.now - timedelta(days=1))
    world.store.write(lambda c: directory.add_key(c, public, now=world.now))
    world.context.directory.forget()
    fill(world, 1)
    (item,) = opened(world, exported(world).file, StickKind.MAILBOX).items
    assert is_encrypted(item.line)
    inside = verify(decrypt(item.line, [own]), world.keyring, recipient=FEDERATION, now=world.now)
    assert inside.envelope.id == item.id


# --- back ---


def test_replies_are_taken_like_any_other_and_each_gets_its_receipt(world: World) -> None:
    fill(world, 3)
    raws = [a_reply(world, letter) for letter in letters(world)]
    done = taken(world, replies(world, *raws))
    assert (done.accepted, done.replayed, done.refused, done.source) == (3, 0, (), FEDERATION)
    assert [one.message_id for one in receipts(world, done)] == [id_of(world, raw) for raw in raws]
    assert world.states("r-1") == ["accepted_by_agency"]
    assert pull(world.context, FEDERATION, after=0, limit=9) == []


def test_the_receipts_answer_the_stick_they_came_on(world: World) -> None:
    fill(world, 1)
    raw = replies(world, a_reply(world, letters(world)[0]))
    found = opened(world, taken(world, raw).file, StickKind.RECEIPTS)
    asked = opened(world, raw, StickKind.REPLIES, GATEWAY)
    assert (found.answers, found.series, found.recipient) == (asked.id, asked.series, FEDERATION)


def test_a_stick_taken_twice_gives_the_same_receipts_and_changes_nothing(world: World) -> None:
    fill(world, 2)
    raw = replies(world, *(a_reply(world, letter, "服务已提供") for letter in letters(world)))
    first = taken(world, raw)
    rows = world.rows(t.replies)
    world.wait(timedelta(days=9))
    again = taken(world, raw)
    assert (again.accepted, again.replayed) == (0, 2)
    assert lines(world, again) == lines(world, first)
    assert world.rows(t.replies) == rows


def test_what_also_came_over_the_network_is_one_message(world: World) -> None:
    fill(world, 1)
    reply = a_reply(world, letters(world)[0])
    over_the_network = world.accept(reply)
    done = taken(world, replies(world, reply))
    assert (done.accepted, done.replayed) == (0, 1)
    assert [one.jws for one in receipts(world, done)] == [over_the_network.jws]


def test_a_refused_reply_costs_no_other_its_receipt_and_is_told_with_its_reason(world: World) -> None:
    fill(world, 3)
    first, second, third = letters(world)
    raws = [a_reply(world, first), a_reply(world, second, "不予救助"), a_reply(world, third)]
    done = taken(world, replies(world, *raws))
    assert [(message_id, error.code) for message_id, error in done.refused] == [
        (id_of(world, raws[1]), "denied_without_reason")
    ]
    told = lines(world, done)
    problem = strict_json.loads(told[1])
    assert (problem["code"], problem["status"], problem["retryable"]) == ("denied_without_reason", 422, False)
    assert "不予救助" in problem["title"] and "denial" in problem["title"]
    assert [
        bool(read_receipt(told[at], world.keyring, recipient=FEDERATION, issuer=GATEWAY, now=world.now))
        for at in (0, 2)
    ]


def test_two_clerks_sticks_with_the_same_answer_have_one_effect(world: World) -> None:
    fill(world, 1)
    (letter,) = letters(world)
    paid = {"金额": "650.00", "起始日期": "2026-03-01", "截止日期": "2026-03-31", "领款人": "本人"}
    first, second = a_reply(world, letter, "已发放", **paid), a_reply(world, letter, "已发放", **paid)
    taken(world, replies(world, first))
    (receipt,) = receipts(world, taken(world, replies(world, second, series="journal-2")))
    assert [warning.code for warning in receipt.warnings] == ["repeats_earlier_answer"]
    assert world.rows(t.needs)[0]["paid_fen"] == 65_000


def test_replies_that_are_encrypted_to_the_gateway_are_taken_and_checked_alike(world: World) -> None:
    own = EncryptionKey.generate(GATEWAY)
    context = replace(world.context, decryption=(own,))
    fill(world, 1)
    reply = a_reply(world, letters(world)[0])
    wire = encrypt(reply, own.public_key(not_before=world.now - timedelta(days=1))).encode()
    wrong = replies(world, items=(StickItem(id="another", line=wire),))
    with pytest.raises(StickRefused):
        take(context, wrong, who=WHO, now=world.now)
    right = replies(world, items=(StickItem(id=id_of(world, reply), line=wire),))
    assert take(context, right, who=WHO, now=world.now).accepted == 1


def test_that_it_was_taken_is_on_file(world: World) -> None:
    fill(world, 1)
    raw = replies(world, a_reply(world, letters(world)[0]))
    taken(world, raw)
    (row,) = [row for row in world.rows(t.decisions) if row["what"] == TAKEN]
    assert (row["who"], row["subject"]) == (WHO, f"{FEDERATION} journal-1")
    assert row["why"].split()[0] == format_moment(world.now)


# --- refused as a whole ---


def test_a_stick_older_than_one_of_the_same_journal_is_refused(world: World) -> None:
    fill(world, 1)
    (letter,) = letters(world)
    older = replies(world, a_reply(world, letter))
    world.wait(timedelta(hours=1))
    taken(world, replies(world, a_reply(world, letter, "服务已提供")))
    assert why_refused(world, older) == [("stick_outdated", "")]


def test_a_stick_of_another_journal_stands_by_itself(world: World) -> None:
    fill(world, 2)
    first, second = letters(world)
    other = replies(world, a_reply(world, first), series="journal-2")
    world.wait(timedelta(hours=1))
    taken(world, replies(world, a_reply(world, second)))
    assert taken(world, other).accepted == 1


def test_a_stick_with_somebody_elses_message_is_refused_as_a_whole(world: World) -> None:
    fill(world, 1)
    other = world.partners[CIVIL].sign(
        "handoff.retrieved", {}, now=world.now, in_reply_to="x", in_reply_to_digest="ab" * 32
    )
    raw = replies(world, a_reply(world, letters(world)[0]), other)
    assert why_refused(world, raw) == [("stick_of_others", id_of(world, other))]
    assert nothing_was_taken(world)


def test_a_list_that_calls_a_message_by_another_name_is_refused_as_a_whole(world: World) -> None:
    fill(world, 1)
    reply = a_reply(world, letters(world)[0])
    raw = replies(world, items=(StickItem(id="another", line=reply),))
    assert why_refused(world, raw) == [("stick_altered", "another")]
    assert nothing_was_taken(world)


def test_a_stick_that_lost_a_message_is_refused_as_a_whole(world: World) -> None:
    fill(world, 2)
    raws = [a_reply(world, letter) for letter in letters(world)]
    head, first, second, _ = replies(world, *raws).split(b"\n")
    assert why_refused(world, b"\n".join([head, second, b""])) == [("stick_incomplete", id_of(world, first))]
    assert nothing_was_taken(world)


def test_a_stick_of_a_suspended_party_is_refused(world: World) -> None:
    fill(world, 1)
    raw = replies(world, a_reply(world, letters(world)[0]))
    world.store.write(lambda c: directory.set_party_active(c, FEDERATION, active=False, now=world.now))
    world.context.directory.forget()
    assert why_refused(world, raw) == [("stick_not_trusted", "")]


def test_a_mailbox_stick_is_no_stick_of_replies(world: World) -> None:
    fill(world, 1)
    assert why_refused(world, exported(world).file) == [("stick_of_another_kind", "")]


# --- whose outcome is not known ---


def test_while_the_database_is_away_nothing_is_answered_and_the_same_stick_goes_later(sqlite_world: World) -> None:
    world = sqlite_world
    fill(world, 2)
    raw = replies(world, *(a_reply(world, letter) for letter in letters(world)))
    twin = world.twin()
    twin.store.close()
    with pytest.raises(StoreUnavailable):
        take(twin, raw, who=WHO, now=world.now)
    assert taken(world, raw).accepted == 2
    with pytest.raises(StoreUnavailable):
        take(twin, raw, who=WHO, now=world.now)


def test_a_message_that_proves_nothing_is_refused_by_itself(world: World) -> None:
    """Signed by a key nobody registered: its place on the stick is the office's, so it gets the answer it would get."""
    fill(world, 2)
    first, second = letters(world)
    stranger = Partner(party_id=FEDERATION, key=type(office(world).key).generate(office(world).key.alg, FEDERATION))
    forged = stranger.sign(
        "handoff.retrieved", {}, now=world.now, in_reply_to=first.envelope.id, in_reply_to_digest=first.digest
    )
    good = a_reply(world, second)
    items = (StickItem(id="forged", line=forged), StickItem(id=id_of(world, good), line=good))
    done = taken(world, replies(world, items=items))
    assert [(message_id, error.code) for message_id, error in done.refused] == [("forged", "not_trusted")]
    assert (done.accepted, world.states("r-1")) == (1, ["routed"])
