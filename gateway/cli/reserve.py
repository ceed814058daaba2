"""占位 `xianjie reserve ask|confirm|release`: an agency asks before it grants; `xianjie reservations` lists them.

The gateway's signed receipt is the answer: reserved until a time, or what stands against it. Exit 0 reserved, confirmed
or released; 1 in conflict or refused; 3 the gateway could not be reached (run it again: the same bytes go).
"""

import sys
from typing import Any

import click

from gateway.cli.console import (
    DONE,
    FINDINGS,
    Installation,
    json_option,
    print_json,
    say,
    table,
    with_installation,
    yuan,
)
from gateway.cli.partner import make_client, partner_options
from gateway.client import Sent
from gateway.domain.lifecycle import ReservationState
from gateway.store import reservations as store

MONTH = click.DateTime(formats=["%Y-%m"])
STATE_WORDS = {
    ReservationState.RESERVED: "已占位 reserved",
    ReservationState.CONFLICT: "有冲突 in conflict",
    ReservationState.CONFIRMED: "已确认 confirmed",
    ReservationState.RELEASED: "已释放 released",
    ReservationState.EXPIRED: "已失效 expired",
}


@click.group()
def reserve() -> None:
    """占位 Before granting, ask: the help is reserved for this office, or it is told what stands against it."""


@reserve.command()
@click.argument("reservation_id")
@click.option("--need", help="需求编号 a need that was handed to this office")
@click.option("--id-type", default="111", show_default=True, help="证件类型 of a person the gateway did not send")
@click.option("--id-number-file", type=click.File(encoding="utf-8"), help="证件号码文件 holds the number; - reads it")
@click.option("--agreement", help="会签文件 with --id-number-file: the agreement that authorises matching")
@click.option("--programme", required=True, help="项目代码 e.g. MLG")
@click.option("--from", "first", type=MONTH, required=True, metavar="YYYY-MM", help="起始月 first month")
@click.option("--until", "last", type=MONTH, metavar="YYYY-MM", help="截止月 last month; without it on and on")
@click.option("--fen", type=click.IntRange(min=0), help="金额(分) amount")
@partner_options
@json_option
def ask(
    reservation_id: str,
    need: str | None,
    id_type: str,
    id_number_file: Any,
    agreement: str | None,
    programme: str,
    first: Any,
    last: Any,
    fen: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """申请占位 Asks for a programme and months, for a need or for a person."""
    number = None if id_number_file is None else id_number_file.read().strip()
    data = {
        "reservation_id": reservation_id,
        "need_id": need,
        "person": None if number is None else {"id_type": id_type, "id_number": number},
        "agreement_document": agreement,
        "programme": programme,
        "from_month": f"{first:%Y-%m}",
        "until_month": None if last is None else f"{last:%Y-%m}",
        "amount_fen": fen,
    }
    _send("reservation.requested", reservation_id, data, as_json=as_json, options=options)


@reserve.command()
@click.argument("reservation_id")
@partner_options
@json_option
def confirm(reservation_id: str, as_json: bool, **options: Any) -> None:
    """确认 The grant was made."""
    _send("reservation.confirmed", reservation_id, {"reservation_id": reservation_id}, as_json=as_json, options=options)


@reserve.command()
@click.argument("reservation_id")
@partner_options
@json_option
def release(reservation_id: str, as_json: bool, **options: Any) -> None:
    """释放 The grant will not be made, or did not come about."""
    _send("reservation.released", reservation_id, {"reservation_id": reservation_id}, as_json=as_json, options=options)


def _send(type_: str, reservation_id: str, data: dict[str, Any], *, as_json: bool, options: Any) -> None:
    given = {name: value for name, value in data.items() if value is not None}
    sent = make_client(**options).send(type_, given, effect=f"{type_}:{reservation_id}")
    answer = dict(sent.answer or {})
    if as_json:
        print_json({**answer, "message_id": sent.message_id, "replayed": sent.replayed})
    else:
        _tell(sent, answer)
    sys.exit(FINDINGS if answer.get("state") == ReservationState.CONFLICT.value else DONE)


def _tell(sent: Sent, answer: dict[str, Any]) -> None:
    state = ReservationState(answer["state"])
    until = f" · 有效至 until {answer['until']}" if "until" in answer else ""
    say(f"{answer['reservation_id']} {STATE_WORDS[state]}{until} · 回执 receipt of {sent.message_id}")
    if answer.get("conflicts"):
        table(
            ["疑点 finding", "规则 rule", "项目 programme", "月份 months", "部门 agency", "本方编号 own"],
            [
                [
                    one["code"],
                    one["rule_id"],
                    one.get("programme", "—"),
                    " – ".join(one[name] for name in ("from_month", "until_month") if name in one) or "—",
                    one.get("agency", "—"),
                    one.get("own", "—"),
                ]
                for one in answer["conflicts"]
            ],
        )


@click.command()
@click.option("--state", "states", multiple=True, type=click.Choice([state.value for state in ReservationState]))
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True)
@json_option
@with_installation
def reservations(installation: Installation, states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """占位台账 What agencies asked to grant, newest first."""
    with installation.open() as (context, _), context.store.reading() as connection:
        found = store.listed(connection, states=[ReservationState(state) for state in states], limit=limit)
    rows = [
        {
            "reservation_id": one.reservation_id,
            "party": one.party,
            "programme": one.programme,
            "from_month": one.from_month,
            "until_month": one.until_month,
            "need_id": one.need_id,
            "amount_fen": one.amount_fen,
            "state": one.state.value,
            "requested_at": one.requested_at.isoformat(),
            "reserved_until": None if one.reserved_until is None else one.reserved_until.isoformat(),
        }
        for one in found
    ]
    if as_json:
        print_json(rows)
        return
    table(
        ["占位 reservation", "部门 party", "项目", "月份 months", "元 yuan", "状态 state", "有效至 until"],
        [
            [
                one.reservation_id,
                one.party,
                one.programme,
                f"{one.from_month} – {one.until_month or '…'}",
                yuan(one.amount_fen),
                STATE_WORDS[one.state],
                "" if one.reserved_until is None else f"{one.reserved_until:%Y-%m-%d %H:%M}Z",
            ]
            for one in found
        ],
        empty="没有占位 no reservations",
    )


COMMANDS = (reserve, reservations)
