"""存证页 How the log stands, verifying from here, and who did what: ids and codes, no reasons."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from gateway.domain.access import Role
from gateway.flows.cutoff import cut_off
from gateway.flows.log import take_cosignatures, verify_log
from gateway.store import decisions
from gateway.store import tables as t
from gateway.web.site import create_site
from tests.gateway_world import COURT, NEIGHBOUR, World
from tests.log_world import LogWorld
from tests.web.people import Somebody, somebody

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def log(world: World) -> Iterator[LogWorld]:
    yield LogWorld(world)


@pytest.fixture
def site(world: World, log: LogWorld) -> Flask:
    return create_site(log.context, lambda: world.now, public_url=None)


@pytest.fixture
def auditor(world: World, site: Flask) -> Somebody:
    return somebody(world, site, Role.AUDITOR)


def decide(world: World, who: str, what: str, subject: str, why: str = "x") -> None:
    world.store.write(lambda c: decisions.put(c, who=who, what=what, subject=subject, why=why, now=world.now))


def test_the_page_tells_size_checkpoint_key_and_witnesses(log: LogWorld, auditor: Somebody) -> None:
    note = log.sign()
    take_cosignatures(log.context, log.cosign(note).splitlines(), now=log.world.now)
    text = auditor.get("/console/log").text
    assert log.head().root.hex() in text
    assert log.key.vkey() in text.replace("&#43;", "+")
    assert "witness.example/w1" in text
    assert "尚未签" in text  # the second witness


def test_a_log_that_was_never_signed_says_so(auditor: Somebody) -> None:
    text = auditor.get("/console/log").text
    assert "尚无" in text
    assert "尚未核对过" in text


def test_pages_speak_english(log: LogWorld, auditor: Somebody) -> None:
    log.sign()
    auditor.client.set_cookie("xianjie_language", "en")
    assert "Verify now" in auditor.get("/console/log").text
    assert "holds" in auditor.post("/console/log/verify").text
    for path in ("cutoffs", "pairs", "decisions"):
        assert auditor.get(f"/console/log/{path}").status_code == 200


def test_verifying_now_holds_and_is_on_file(log: LogWorld, auditor: Somebody) -> None:
    log.sign()
    answer = auditor.post("/console/log/verify")
    assert (answer.status_code, "成立" in answer.text) == (200, True)
    (kept,) = [row for row in log.world.rows(t.decisions) if row["what"] == "log_verified"]
    assert kept["who"] == "account:auditor"
    assert kept["why"].endswith("holds")


def test_verifying_now_sees_a_leaf_that_was_changed(log: LogWorld, auditor: Somebody) -> None:
    log.sign()
    leaf = t.log_leaves
    log.world.change(leaf.update().where(leaf.c.leaf_index == 2).values(entry="{}"))
    text = auditor.post("/console/log/verify").text
    assert "有误" in text
    assert "第 2 条的内容与其哈希不符" in text


def test_a_long_log_is_read_from_its_last_part_and_the_page_says_so(
    log: LogWorld, auditor: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.console.log_page.LEAVES", 300)
    log.grow_to(1000)
    log.sign()
    log.grow(5)
    text = auditor.post("/console/log/verify").text
    assert "前 512 条以其上的节点计入" in text
    assert "xianjie verify --log" in text
    assert "成立" in text


@pytest.mark.parametrize("leaf", [600, 1001])
def test_the_last_part_shows_what_was_changed_in_it(log: LogWorld, leaf: int) -> None:
    log.grow_to(1000)
    log.sign()
    log.grow(5)
    log.world.change(t.log_leaves.update().where(t.log_leaves.c.leaf_index == leaf).values(entry="{}"))
    verdict = verify_log(log.context, last=450)
    assert (verdict.begin, verdict.holds) == (512, False)


def test_the_last_part_does_not_hold_on_nodes_that_were_changed(log: LogWorld) -> None:
    log.grow_to(1000)
    log.sign()
    log.world.change(t.log_nodes.update().where(t.log_nodes.c.node_index == 0).values(hash=b"x" * 32))
    assert not verify_log(log.context, last=300).holds
    log.world.change(t.log_nodes.delete().where(t.log_nodes.c.node_index == 0))
    assert not verify_log(log.context, last=300).holds


@pytest.mark.parametrize("size", [255, 256, 257, 512, 70_000])
def test_the_last_part_of_an_honest_log_holds(log: LogWorld, size: int) -> None:
    log.grow_to(size)
    log.sign()
    verdict = verify_log(log.context, last=100)
    assert (verdict.holds, verdict.proven) == (True, size)


def test_cutoffs_are_listed_and_what_the_last_one_found(world: World, log: LogWorld, auditor: Somebody) -> None:
    world.refer()
    cut_off(log.context, now=world.now)
    world.change(t.needs.update().values(programme="TMP_U"))
    cut_off(log.context, now=world.now + timedelta(seconds=1))
    text = auditor.get("/console/log").text
    assert "不一致" in text
    assert "<code>needs</code>" in text
    assert auditor.get("/console/log/cutoffs").text.count("<tr>") == 3


def test_who_reads_no_case_is_not_told_whose_row_is_wrong(
    world: World, log: LogWorld, site: Flask, auditor: Somebody
) -> None:
    world.refer()
    world.change(t.needs.update().values(programme="TMP_U"))
    cut_off(log.context, now=world.now)
    assert "<code>r-1</code>" in auditor.get("/console/log").text
    assert "移送</th>" not in somebody(world, site, Role.KEY_OFFICER).get("/console/log").text


def test_pairs_show_who_never_committed(world: World, auditor: Somebody) -> None:
    world.refer()
    text = auditor.get("/console/log/pairs").text
    assert COURT in text
    assert "从未承诺" in text


def test_a_commitment_that_differed_is_shown(world: World, auditor: Somebody) -> None:
    world.refer()
    row = {
        "message_id": "c-1", "source": COURT, "recipient": "cn/gateway/520000", "cutoff_at": 1, "recorded_at": 1,
        "high_water": 1, "count": 2, "root": "a", "our_count": 1, "our_root": "b", "equal": False, "differences": "{}",
    }  # fmt: skip
    world.change(t.commitments.insert().values(**row))
    assert "不一致" in auditor.get("/console/log/pairs").text


def test_the_list_of_decisions_is_filtered_and_holds_no_reasons(world: World, auditor: Somebody) -> None:
    decide(world, "account:somebody", "chain_viewed", "r-7", "因为测试甲来电")
    decide(world, "account:other", "hold_released", "r-8")
    every = auditor.get("/console/log/decisions").text
    assert "r-7" in every
    assert "因为测试甲来电" not in every
    of_one = auditor.get("/console/log/decisions?account=somebody").text
    assert ("r-7" in of_one, "r-8" in of_one) == (True, False)
    of_kind = auditor.get("/console/log/decisions?what=hold_released").text
    assert ("r-7" in of_kind, "r-8" in of_kind) == (False, True)
    assert "没有符合条件" in auditor.get("/console/log/decisions?account=nobody").text


def test_pages_of_decisions_follow_each_other(world: World, auditor: Somebody, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.web.console.log_page.PAGE", 2)
    for number in range(5):
        decide(world, "account:somebody", "chain_viewed", f"subject-{number}")
    found, path = "", "/console/log/decisions?account=somebody"
    for _ in range(3):
        text = auditor.get(path).text
        found += text
        path = text.split('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    assert [found.count(f"subject-{number}<") for number in range(5)] == [1] * 5


@pytest.mark.parametrize("query", ["what=%3Cscript%3E", "account=%E5%BC%A0", "before=x", "before=-1"])
def test_a_bad_query_is_told(auditor: Somebody, query: str) -> None:
    assert auditor.get(f"/console/log/decisions?{query}").status_code == 400


def test_what_people_wrote_is_escaped(world: World, auditor: Somebody) -> None:
    decide(world, SCRIPT, "chain_viewed", SCRIPT)
    for path in ("/console/log", "/console/log/decisions"):
        assert SCRIPT not in auditor.get(path).text


def test_somebody_of_a_region_is_not_told_what_others_decided_about(world: World, site: Flask) -> None:
    world.refer()
    decide(world, "account:other", "chain_viewed", "r-1")
    mine = somebody(world, site, Role.AUDITOR, region="5201")
    assert "<code>r-1</code>" in mine.get("/console/log/decisions").text
    far = somebody(world, site, Role.AUDITOR, name="far-auditor", region="5203")
    assert "<code>r-1</code>" not in far.get("/console/log/decisions").text
    assert "<code>r-1</code>" not in far.get("/console/log").text
    assert COURT not in far.get("/console/log/pairs").text
    assert NEIGHBOUR not in far.get("/console/log/pairs").text  # nothing was exchanged with it


@pytest.mark.parametrize("role", [Role.COURT_CLERK])
def test_clerks_do_not_see_the_log(world: World, site: Flask, role: Role) -> None:
    person = somebody(world, site, role)
    for path in ("", "/cutoffs", "/pairs", "/decisions"):
        assert person.get(f"/console/log{path}").status_code == 403
    assert person.post("/console/log/verify").status_code == 403
