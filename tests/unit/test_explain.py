"""疑点说明 Every code has its sentence in both languages, and a sentence says what the evidence says."""

import re

import pytest

from gateway.domain.reconciliation.explain import explain, members, rules, templates
from gateway.domain.reconciliation.values import Finding
from gateway.domain.rules import read_table

CODES = [row["code"] for row in read_table("findings")]


def a_finding(code: str, rule_id: str = "A05", **evidence: object) -> Finding:
    return Finding(
        code=code,
        rule_id=rule_id,
        referral_id="r-1",
        need_id="r-1:1",
        subject="s",
        evidence=evidence,
        stake_fen=123_456,
        must_act="operator",
    )


def test_every_code_of_the_table_has_its_sentences() -> None:
    assert [] == [code for code in CODES if code not in templates()]
    assert [] == [code for code in templates() if code not in CODES]


@pytest.mark.parametrize("code", sorted(templates()))
def test_a_sentence_can_be_said_whatever_the_evidence_holds(code: str) -> None:
    told = explain(a_finding(code))
    for text in (told.zh, told.en):
        assert text
        assert not re.search(r"[\[\]{}]", text)
    assert re.search(r"[\u4e00-\u9fff]", told.zh)
    assert not re.search(r"[\u4e00-\u9fff]", told.en.replace("元", ""))


def test_money_dates_and_programmes_are_said_as_people_read_them() -> None:
    told = explain(a_finding("PAID_AFTER_STOP", programme="MLG", paid_at="2026-03-03T01:00:00+00:00"))
    assert "最低生活保障（MLG）" in told.zh
    assert "2026-03-03 09:00" in told.zh
    assert "1,234.56元" in told.zh
    assert "CNY 1,234.56" in told.en
    assert "2026-03-03 09:00" in told.en


def test_what_is_not_there_is_left_out_or_said_to_be_missing_and_never_guessed() -> None:
    without = explain(a_finding("DUP_SAME_ORIGINAL_CASE", "D01", other_court="cn/court/520300", decided_fen=1))
    assert "审结" not in without.zh
    assert "（未记录）" in without.zh
    assert "cn/court/520300" in without.en


def test_the_rule_is_named_with_its_source() -> None:
    told = explain(a_finding("DUP_SAME_ORIGINAL_CASE", "D01"))
    assert (told.rule_zh, bool(told.source)) == (rules()["D01"]["zh"], True)


def test_a_code_or_rule_nobody_wrote_about_is_told_by_its_name() -> None:
    told = explain(a_finding("BRAND_NEW", "Z99"))
    assert ("BRAND_NEW" in told.zh, "BRAND_NEW" in told.en, told.rule_zh) == (True, True, "Z99")


def test_both_sides_values_are_listed_with_their_names() -> None:
    listed = list(members(a_finding("MM_STATUS", ours="in_progress", theirs="CLOSED")))
    assert listed == [("我方", "ours", "in_progress"), ("对方", "theirs", "CLOSED")]
