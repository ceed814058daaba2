"""协查、线索与通知 `xianjie inquiries|clues` (operator), `notices`, `answer-inquiry`, `clue` (courts and agencies).

A court asks with `xianjie send FILE.inquiry.asked.ndjson` and answers a clue with `FILE.clue.answered.ndjson`. What the
gateway says back (results, clues, reminders, news of needs) lies in the mailbox: `xianjie notices` tells it in words
and takes out what was read.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gateway.cli.console import (
    FINDINGS,
    Installation,
    json_option,
    print_json,
    say,
    table,
    with_installation,
)
from gateway.cli.days import DAY
from gateway.cli.notice_words import in_full, in_short
from gateway.cli.partner import make_client, partner_options
from gateway.client import Client
from gateway.domain.calendar import china_day, due_text
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import ConfigError
from gateway.flows.clue import is_overdue, since
from gateway.store import exchanges
from gateway.store.exchanges import NOT_ANSWERED
from schemas.exchanges import INQUIRY_ANSWERS

WORDS = {
    "inquiry.result": "协查结果 result of an inquiry",
    "inquiry.forwarded": "协查 an inquiry to answer",
    "clue.forwarded": "线索 a clue to answer",
    "clue.answer": "线索反馈 the court's answer to a clue",
    "referral.status": "办理进展 where needs stand",
    "referral.outcome": "办理结果 how needs ended",
    "follow_up.due": "回访提醒 a visit comes due",
    "handoff.reminder": "催办 a limit runs out",
    "match.notice": "重复核查 both sides are asked",
    "balance.digest": "每日简报 this morning's books",
}
_HANDOFFS = ("handoff.issued", "handoff.withdrawn", "handoff.amended")


@click.command()
@click.option("--open", "only_open", is_flag=True, help="只看未答复 only those somebody still owes an answer")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True)
@json_option
@with_installation
def inquiries(installation: Installation, only_open: bool, limit: int, as_json: bool) -> None:
    """协查台账 What courts asked, newest first: programme, office, answer, the day it is true of."""
    with installation.open() as (context, clock), context.store.reading() as connection:
        found, now = exchanges.page(connection, limit=limit), clock()
    rows = [
        {
            "inquiry_id": one.inquiry_id,
            "court": one.court,
            "programme": question.programme,
            "office_id": question.office_id,
            "answer": NOT_ANSWERED if question.answered is None else question.answered.answer,
            "as_of": None if question.answered is None else question.answered.as_of.isoformat(),
            "reason": question.unroutable,
            "due_at": None if one.due_at is None else one.due_at.isoformat(),
            "overdue": question.answered is None and one.due_at is not None and one.due_at < now,
        }
        for one in found
        for question in one.questions
        if not only_open or (question.answered is None and question.party is not None)
    ]
    if as_json:
        print_json(rows)
    else:
        table(
            ["协查 inquiry", "法院 court", "项目", "单位 office", "答复 answer", "截至 as of", "逾期 overdue"],
            [
                [
                    row["inquiry_id"],
                    row["court"],
                    row["programme"],
                    row["office_id"] or row["reason"],
                    row["answer"],
                    row["as_of"],
                    "是 yes" if row["overdue"] else "",
                ]
                for row in rows
            ],
            empty="没有协查 no inquiries",
        )
    sys.exit(FINDINGS if any(row["overdue"] for row in rows) else 0)


@click.command()
@click.option("--open", "only_open", is_flag=True, help="只看未办结 only those not answered to the end")
@json_option
@with_installation
def clues(installation: Installation, only_open: bool, as_json: bool) -> None:
    """线索台账 What agencies told courts, and what became of it."""
    with installation.open() as (context, clock), context.store.reading() as connection:
        now = clock()
        rows = [
            {
                "clue_id": one.clue_id,
                "agency": one.party,
                "court": one.court_asked,
                "region": one.region,
                "minor": one.is_minor,
                "received_at": one.received_at.isoformat(),
                "answer": one.answers[-1].code if one.answers else None,
                "must_act": None if since(one) is None else one.court_asked or "operator",
                "overdue": is_overdue(one, context, now),
            }
            for one in exchanges.every_clue(connection)
            if not only_open or since(one) is not None
        ]
    if as_json:
        print_json(rows)
    else:
        table(
            ["线索 clue", "部门 agency", "法院 court", "收到 received", "最近反馈 answer", "应办 must act", "逾期"],
            [
                [
                    row["clue_id"],
                    row["agency"],
                    row["court"],
                    china_day(datetime.fromisoformat(str(row["received_at"]))),
                    row["answer"],
                    row["must_act"],
                    "是 yes" if row["overdue"] else "",
                ]
                for row in rows
            ],
            empty="没有线索 no clues",
        )
    sys.exit(FINDINGS if any(row["overdue"] for row in rows) else 0)


@click.command()
@click.option("--take", "taken", multiple=True, metavar="MESSAGE_ID", help="取走 takes this one out of the mailbox")
@click.option("--show", "shown", metavar="MESSAGE_ID", help="打开 shows one in full, the person included")
@click.option("--take-all", is_flag=True, help="全部取走 takes out all that are shown")
@partner_options
@json_option
def notices(taken: tuple[str, ...], shown: str | None, take_all: bool, as_json: bool, **options: Any) -> None:
    """通知 What the gateway says to this court or agency, in words; handoffs are for `xianjie inbox`."""
    client = make_client(**options)
    found = [one for one in _everything(client) if one.envelope.type not in _HANDOFFS]
    if shown is not None:
        found = [one for one in found if one.envelope.id == shown]
    strange = sorted({*taken, *([shown] if shown else [])} - {one.envelope.id for one in found})
    if strange:
        raise ConfigError(f"not in the mailbox: {', '.join(strange)}")
    if as_json:
        print_json([_as_json(one) for one in found])
    elif shown is not None:
        table(["项 field", "内容 content"], [*_row_in_full(found[0])], empty="")
    else:
        table(
            ["报文 message", "内容 what", "事项 matter", "时间 at", "须于 reply by", "摘要 in short"],
            [_row(one) for one in found],
            empty="信箱里没有通知 no notices",
        )
    for one in found:
        if take_all or one.envelope.id in taken:
            client.take(one)
    if taken or take_all:
        say(f"已取走 taken {len(found) if take_all else len(taken)}")


def _as_json(one: VerifiedMessage) -> dict[str, Any]:
    envelope = one.envelope
    return {"message_id": envelope.id, "type": envelope.type, "subject": envelope.subject, "data": envelope.data}


def _row(one: VerifiedMessage) -> list[Any]:
    envelope = one.envelope
    return [
        envelope.id,
        WORDS.get(envelope.type, envelope.type),
        envelope.subject,
        f"{envelope.time:%Y-%m-%d %H:%M}Z",
        due_text(envelope.reply_by),
        in_short(envelope.type, _body(one)),
    ]


def _row_in_full(one: VerifiedMessage) -> list[list[Any]]:
    listed = zip(("报文 message", "内容 what", "事项 matter", "时间 at", "须于 reply by"), _row(one), strict=False)
    return [[label, text] for label, text in (*listed, *in_full(one.envelope.type, _body(one))) if text]


def _body(one: VerifiedMessage) -> dict[str, Any]:
    return one.envelope.data if isinstance(one.envelope.data, dict) else {}


def _everything(client: Client) -> list[VerifiedMessage]:
    """All that waits, page by page."""
    found: list[VerifiedMessage] = []
    after = 0
    while page := list(client.inbox(after=after)):
        found += page
        after = max(one.envelope.seq or 0 for one in page)
    return found


@click.command("answer-inquiry")
@click.argument("inquiry_id")
@click.option("--answer", "given", multiple=True, required=True, metavar="PROGRAMME=ANSWER", help="e.g. MLG=ACTIVE")
@click.option("--as-of", "as_of", type=DAY, help="截至 the day it is true of; today without it")
@partner_options
@json_option
def answer_inquiry(inquiry_id: str, given: tuple[str, ...], as_of: Any, as_json: bool, **options: Any) -> None:
    """答复协查 Answers an inquiry in the mailbox: ACTIVE, ENDED, NEVER or UNKNOWN; UNKNOWN is not NEVER."""
    day = china_day(datetime.now(UTC)) if as_of is None else as_of.date()
    answers = []
    for one in given:
        programme, _, said = one.partition("=")
        if said not in INQUIRY_ANSWERS:
            raise click.BadParameter(f"{one}: {' | '.join(INQUIRY_ANSWERS)}")
        answers.append({"programme": programme, "answer": said, "as_of": day.isoformat()})
    client = make_client(**options)
    asked = [one for one in _everything(client) if one.envelope.subject == inquiry_id]
    found = next((one for one in asked if one.envelope.type == "inquiry.forwarded"), None)
    if found is None:
        raise ConfigError(f"no inquiry {inquiry_id} waits in this mailbox")
    sent = client.answer(found, "inquiry.answered", {"inquiry_id": inquiry_id, "answers": answers})
    if as_json:
        print_json({"message_id": sent.message_id, "answers": answers})
    else:
        say(f"已答复 answered {inquiry_id} · {sent.message_id}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@partner_options
@json_option
def clue(file: Path, as_json: bool, **options: Any) -> None:
    """提供线索 Sends one clue (a JSON object as docs/wire.md has it) to the court of the person's region."""
    try:
        data = json.loads(file.read_text(encoding="utf-8-sig"))
        clue_id = str(data["clue_id"])
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file.name} is no clue: a JSON object with `clue_id`") from error
    sent = make_client(**options).send("clue.submitted", data, effect=f"clue.submitted:{clue_id}", subject=clue_id)
    if as_json:
        print_json({"message_id": sent.message_id, "warnings": [one.code for one in sent.warnings]})
    else:
        say(f"已报送 sent {clue_id} · {sent.message_id}")
        for one in sent.warnings:
            say(f"提示 warning {one.pointer} {one.code}")


COMMANDS = (inquiries, clues, notices, answer_inquiry, clue)
