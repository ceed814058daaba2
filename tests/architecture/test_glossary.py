"""One concept = one English noun = one Chinese term = one class, as `docs/glossary.md` lists them.

The page holds a table: English | 中文 | code | …; `code` is a dotted path, or — for a word that has no class.
"""

import ast
import importlib
from dataclasses import dataclass

import pytest

from tests.architecture.sources import ROOT, Source, shipped_sources

GLOSSARY = ROOT / "docs" / "glossary.md"
NO_CLASS = "—"

VOCABULARY = """
Referral 移送 · Inquiry 协查 · Clue 线索 · Handoff 转办 · Need 救助需求 · Programme 救助项目 ·
Office 承办单位 · Agency 部门 · Party 交换主体 · AgreementProfile 会签文件 · OriginalCase 原案件 ·
AssistanceCase 司法救助案件 · CaseNumber 案号 · Applicant 救助申请人 · Beneficiary 被救助人 ·
Guardian 监护人 · Agent 委托代理人 · Payee 领款人 · Household 共同生活家庭成员 ·
HouseholdRegistrationRegion 户籍所在地 · Residence 经常居住地 · AssistanceCommittee 司法救助委员会 ·
HandlingDepartment 承办部门 · Decision 救助决定 · Disbursement 发放 · AdvanceAssistance 先行救助 ·
JointAssistance 联动救助 · Custody 使用管护 · FollowUpVisit 回访 · Hearing 听证 ·
QuantificationStandard 量化标准 · BaselineWage 职工月平均工资 · AmountCap 三十六个月限额 · Receipt 回执 ·
Reply 反馈 · Outcome 办理结果 · Assistance 救助给付 · Statement 对账单 · Finding 疑点 · Ledger 台账 ·
Hold 人工核查 · Reservation 占位 · PublicNotice 公示 · VerificationAuthorization 核对授权书 ·
SpecificGroup 特定群体 · HouseholdChain 一户一条救助链
"""

# parts of a concept that is in the glossary, and the domain's own machinery: no word a clerk would say
NOT_A_CONCEPT = {
    "CourtPaymentRow",
    "FieldCode",
    "HandoffNeed",
    "HandoffRow",
    "InvalidValue",
    "Machine",
    "MemberFlags",
    "MemberRow",
    "Nearest",
    "NeedRow",
    "OfSomebody",
    "OfficeIndex",
    "QuestionCount",
    "ReferralRow",
    "Regions",
    "RelativeRow",
    "ReminderRow",
    "ReplyEntry",
    "ReplyRow",
    "ReportRow",
    "SentHandoff",
    "SentNeed",
    "Verdict",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the glossary."""

    english: str
    chinese: str
    code: str


def read_rows(text: str) -> list[Row]:
    """The lines of the table whose head is `| English | 中文 | code |`; other tables are not the glossary."""
    rows: list[Row] = []
    inside = False
    for line in text.splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|") or len(cells) < 3:
            inside = False
        elif cells[:2] == ["English", "中文"]:
            inside = True
        elif inside and set(cells[0]) - set(":-"):
            rows.append(Row(english=cells[0], chinese=cells[1], code=cells[2]))
    return rows


def vocabulary() -> dict[str, str]:
    """English noun → Chinese term."""
    words = VOCABULARY.replace("·", " ").split()
    return dict(zip(words[::2], words[1::2], strict=True))


def concept_classes(sources: tuple[Source, ...]) -> dict[str, str]:
    """Public classes of the domain that are no enumeration of codes: name → dotted path."""
    return {
        node.name: f"{source.module}.{node.name}"
        for source in sources
        if source.name.startswith("gateway/domain/")
        for node in source.tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not _is_enumeration(node)
    }


def _is_enumeration(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).endswith("Enum") for base in node.bases)


def domain_names(sources: tuple[Source, ...]) -> set[str]:
    """Every class of the domain, enumerations too."""
    return {
        node.name
        for source in sources
        if source.name.startswith("gateway/domain/")
        for node in source.tree.body
        if isinstance(node, ast.ClassDef)
    }


def resolve(dotted: str) -> object:
    """The module or class a dotted path names; ImportError or AttributeError when there is none."""
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError:
        module, _, name = dotted.rpartition(".")
        found: object = getattr(importlib.import_module(module), name)
        return found


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    assert GLOSSARY.is_file(), "docs/glossary.md is missing"
    found = read_rows(GLOSSARY.read_text(encoding="utf-8"))
    assert found, "docs/glossary.md has no table `| English | 中文 | code |`"
    return found


def test_every_dotted_path_of_the_glossary_imports(rows: list[Row]) -> None:
    broken = []
    for row in rows:
        if row.code == NO_CLASS:
            continue
        try:
            resolve(row.code)
        except (ImportError, AttributeError, ValueError):
            broken.append(f"{row.english}: {row.code}")
    assert broken == []


def test_no_word_stands_twice_in_either_language(rows: list[Row]) -> None:
    english, chinese = [row.english for row in rows], [row.chinese for row in rows]
    assert sorted({word for word in english if english.count(word) > 1}) == []
    assert sorted({word for word in chinese if chinese.count(word) > 1}) == []


def test_every_word_of_the_trade_that_has_a_class_is_in_the_glossary_under_its_chinese_term(rows: list[Row]) -> None:
    listed = {row.english: row for row in rows}
    with_class = {word: term for word, term in vocabulary().items() if word in domain_names(shipped_sources())}
    wrong = [
        f"{word} {term}"
        for word, term in with_class.items()
        if word not in listed or term not in listed[word].chinese or not listed[word].code.endswith(f".{word}")
    ]
    assert wrong == []


def test_every_public_class_of_the_domain_is_in_the_glossary(rows: list[Row]) -> None:
    listed = {row.code for row in rows}
    missing = [
        path
        for name, path in concept_classes(shipped_sources()).items()
        if path not in listed and name not in NOT_A_CONCEPT
    ]
    assert sorted(missing) == []


def test_every_exception_from_the_glossary_still_exists() -> None:
    assert sorted(NOT_A_CONCEPT - set(concept_classes(shipped_sources()))) == []


def test_only_the_glossarys_own_table_is_read() -> None:
    text = (
        "| other | table | here |\n|---|---|---|\n| a | b | c |\n\n"
        "| English | 中文 | code | note |\n|---|:--|---|---|\n"
        "| Need | 救助需求 | `gateway.domain.need.Need` | x |\n\nend\n"
    )
    assert read_rows(text) == [Row(english="Need", chinese="救助需求", code="gateway.domain.need.Need")]


def test_a_path_that_names_nothing_is_noticed() -> None:
    with pytest.raises(AttributeError):
        resolve("gateway.errors.NoSuchThing")
    with pytest.raises(ImportError):
        resolve("gateway.nowhere.Thing")
