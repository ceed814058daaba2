"""Old ledgers: aid granted before the gateway is imported once, compared for ever, and covered by the cut-off."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from gateway.errors import AgreementUnknown, ConfigError
from gateway.flows.cutoff import cut_off
from gateway.flows.ledger import Imported, import_ledger
from gateway.flows.reconcile import reconcile_all
from gateway.store import findings
from gateway.store import tables as t
from tests.gateway_world import AGREEMENT, World, a_referral_body

DOCUMENT = "黔高法〔2022〕98号"
HEADING = "救助机关,机关类别,救助案号,原案件案号,姓名,证件号码,决定日期,金额（元）\n"
FIRST, FINAL = "（2025）黔0102民初1号", "（2025）黔01民终9号"


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


def ledger(*, group: str = FIRST, number: str | None = None, day: str = "2015-04-01", more: str = "") -> bytes:
    number = number or a_referral_body()["person"]["id_number"]
    line = f"贵阳市人民检察院,检察院,筑检救助〔2015〕3号,{group},测试,{number},{day},8000\n"
    return (HEADING + line + more).encode()


def take(world: World, raw: bytes, name: str = "old.csv", document: str = DOCUMENT) -> Imported:
    return import_ledger(world.context, raw, name, document=document, who="王某", why="旧账入库", now=world.now)


def found(world: World) -> list[str]:
    reconcile_all(world.context, now=world.now)
    with world.store.reading() as connection:
        return [kept.finding.code for kept in findings.listed(connection) if kept.finding.code.startswith("DUP_")]


def test_paid_2015_asked_again_is_held_and_found(world: World) -> None:
    take(world, ledger(group=f"{FINAL}；{FIRST}"))
    receipt = world.refer(original_case_group=FINAL)
    assert "D01" in receipt.holds
    assert ["DUP_SAME_ORIGINAL_CASE"] == found(world)
    assert () == cut_off(world.context, now=world.now).troubles


def test_a_ledger_that_comes_later_is_found_and_the_same_file_changes_nothing(world: World) -> None:
    world.refer(original_case_group=FIRST)
    first = take(world, ledger())
    assert (True, 1, 0, 0) == (first.is_new, first.imported, first.repeated, first.refused)
    assert ["DUP_SAME_ORIGINAL_CASE"] == found(world)
    again = take(world, ledger())
    assert (False, 1, first.ledger_id) == (again.is_new, again.imported, again.ledger_id)


def test_a_bad_line_costs_itself_and_one_that_is_there_is_not_kept_twice(world: World) -> None:
    take(world, ledger())
    bad = "法院,法院,（2015）黔01司救刑1号,x,测试,52010219000101001X,2015-04-01,8000\n"
    late = f"法院,法院,案2,{FIRST},测试,{a_referral_body()['person']['id_number']},2099-01-01,8000\n"
    done = take(world, ledger(more=bad + late))
    assert (0, 1, 2) == (done.imported, done.repeated, done.refused)
    assert ["already_there", "id_number_unusable", "day_in_future"] == [one.code for one in done.outcomes]


def test_numbers_of_persons_lie_in_no_column(world: World) -> None:
    take(world, ledger())
    with world.store.reading() as connection:
        (row,) = connection.execute(sa.select(t.ledger_aids)).mappings()
    assert a_referral_body()["person"]["id_number"] not in str(dict(row))


@pytest.mark.parametrize(
    "statement",
    [
        t.ledger_aids.update().values(amount_fen=1),
        t.ledger_aids.delete(),
        t.aid_ledgers.update().values(root="0" * 64),
        t.aid_ledgers.delete(),
        t.original_case_links.delete(),
    ],
    ids=["changed", "deleted", "root", "ledger", "links"],
)
def test_a_cut_off_names_lines_that_were_touched(world: World, statement: sa.Executable) -> None:
    take(world, ledger())
    world.store.write(lambda connection: connection.execute(statement))
    assert cut_off(world.context, now=world.now).wrong > 0


def test_only_an_agreement_that_authorises_matching_lets_a_ledger_in(database_url: str) -> None:
    world = World(
        database_url, agreement=AGREEMENT.replace("matching_authorised = true", "matching_authorised = false")
    )
    try:
        with pytest.raises(ConfigError):
            take(world, ledger())
        with pytest.raises(AgreementUnknown):
            take(world, ledger(), document="无此文件")
    finally:
        world.close()


def test_two_courts_stating_other_numbers_of_one_matter_are_one_matter(world: World) -> None:
    world.refer(referral_id="r-a", original_case_group=f"{FIRST}；{FINAL}")
    receipt = world.refer(
        world.neighbour, referral_id="r-b", original_case_group=FINAL, case_number="（2026）黔03司救民7号"
    )
    assert "D01" in receipt.holds
    world.refer(
        world.neighbour,
        referral_id="r-c",
        original_case_group="（2024）黔0302民初9号",
        case_number="（2026）黔03司救民8号",
    )
    assert ["DUP_SAME_ORIGINAL_CASE"] == [code for code in found(world) if code != "DUP_OPEN_REFERRAL"]
