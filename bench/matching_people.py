"""合成人口 Populations with truth for measuring the comparison of persons: who is whom is known, the seed gives it all.

Four of five rows are people, the fifth is a second record of one of them with what registers really hold: traditional
characters, 15 digits, full-width digits, a number missing, mistyped, transposed or of another paper, the guardian's
number used for the child, a second valid number, slips in names and birth dates, moves and new telephones. Traps:
twins, siblings, namesakes with one birthday, two people under one number. All numbers begin with 529999; nobody is
real.
"""

import csv
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

from gateway.domain.rules import read_table
from gateway.sandbox.people import resident_id

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏"
    "苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫雷龙黎史陶贺毛郝顾龚邵万"
    "覃武钱戴严莫孔向常汤"
)
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国文志海燕春梅玲小晓雪辉鹏飞宇浩然"
    "子涵梓轩欣怡诗雨佳琪思远博文俊凯嘉豪泽天一凡可馨若曦美琳慧颖婷倩莹萍翠凤云莲珍贞莉素青荣爱"
    "香月瑞凡佩嘉琼勤璐璇晴瑶怀学祥才发武新利清彬富顺信子杰良博宏言若鸣朋斌栋维启克伦翔旭鹏泽晨"
    "辰士以建家致树炎德行时泰盛雄琛钧冠策腾榕风航弘"
)
TRADITIONAL = dict(
    zip(
        "张刘陈杨黄赵吴孙马罗郑谢许韩邓冯萧叶苏吕卢钟姜谭陆韦贾邹龙贺龚万钱严汤伟丽强军艳杰涛华玉兰红国志晓辉鹏飞宇泽凤云莲贞爱荣学发",
        "張劉陳楊黃趙吳孫馬羅鄭謝許韓鄧馮蕭葉蘇呂盧鍾薑譚陸韋賈鄒龍賀龔萬錢嚴湯偉麗強軍艷傑濤華玉蘭紅國誌曉輝鵬飛宇澤鳳雲蓮貞愛榮學發",
        strict=True,
    )
)
FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９ｘ")
FIRST, LAST = date(1938, 1, 1), date(2021, 12, 31)


@dataclass(frozen=True, slots=True)
class Row:
    """One record. truth: who it is."""

    truth: int
    name: str
    id_type: str
    id_number: str
    birth: str
    sex: str
    region: str
    phone: str
    certificate: str
    guardian: str
    guardian_number: str
    what: str


COLUMNS = tuple(field.name for field in fields(Row))
CHANGES = (
    ("clean", 38), ("traditional", 8), ("fifteen", 4), ("full_width", 4), ("name_slip", 5), ("no_number", 9),
    ("mistyped", 5), ("transposed", 3), ("passport", 4), ("no_number_name_slip", 2), ("no_number_birth_slip", 2),
    ("certificate", 4), ("guardians_number", 2), ("second_number", 1), ("moved", 6), ("new_phone", 3),
)  # fmt: skip


def population(size: int, seed: int) -> Iterator[Row]:
    """So many rows, in mixed order of people and second records."""
    rng = Random(seed)
    counties = [row["code"] for row in read_table("regions") if row["level"] == "county" and not row["replaced_by"]]
    known, taken, truth = list[Row](), Numbers(), 0
    names, weights = zip(*CHANGES, strict=True)
    while size > 0:
        if known and rng.random() < 0.2:
            yield _again(rng, known[rng.randrange(len(known))], rng.choices(names, weights)[0], counties)
            size -= 1
            continue
        for row in _people(rng, truth, known, counties, taken)[:size]:
            truth += 1
            size -= 1
            if len(known) < 400_000:
                known.append(row)
            else:
                known[rng.randrange(400_000)] = row
            yield row


class Numbers:
    """Resident ids that nobody else has."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def number(self, rng: Random, birth: date, sex: str) -> str:
        """A free one of that birth date."""
        for _ in range(400):
            found = resident_id(birth, rng.randrange(1, 499) * 2 + (sex == "1"))
            if found not in self._taken:
                self._taken.add(found)
                return found
        raise ValueError("no number is left")


def _people(rng: Random, truth: int, known: list[Row], counties: list[str], taken: Numbers) -> list[Row]:
    """Mostly one; sometimes one who is easily taken for another."""
    kind, first = rng.random(), _person(rng, truth, counties, taken)
    if kind < 0.008:
        return [first, _sibling(rng, first, truth + 1, first.birth, taken)]
    if kind < 0.03:
        other = (date.fromisoformat(first.birth) + timedelta(days=rng.randrange(400, 2000))).isoformat()
        return [first, _sibling(rng, first, truth + 1, other, taken)]
    if kind < 0.035 and known:
        model = known[rng.randrange(len(known))]
        born = date.fromisoformat(model.birth)
        number = taken.number(rng, born, first.sex)
        return [replace(first, name=model.name, birth=model.birth, id_number=number, what="namesake")]
    if kind < 0.036 and known:
        model = known[rng.randrange(len(known))]
        return [replace(first, id_number=model.id_number, birth=model.birth, certificate="", what="one_number")]
    return [first]


def _person(rng: Random, truth: int, counties: list[str], taken: Numbers) -> Row:
    birth = FIRST + timedelta(days=rng.randrange((LAST - FIRST).days))
    sex = "1" if rng.random() < 0.52 else "2"
    surname = SURNAMES[min(int(rng.expovariate(1 / 18)), len(SURNAMES) - 1)]
    number = taken.number(rng, birth, sex)
    minor = birth.year > 2004
    mothers = date(birth.year - rng.randrange(20, 35), rng.randrange(1, 13), rng.randrange(1, 29))
    mother = taken.number(rng, mothers, "2") if minor else ""
    return Row(
        truth=truth,
        name=surname + _given(rng),
        id_type="111",
        id_number=number,
        birth=birth.isoformat(),
        sex=sex,
        region=counties[min(int(rng.expovariate(1 / 30)), len(counties) - 1)],
        phone=_phone(rng) if rng.random() < 0.9 else "",
        certificate=f"{number}{rng.randrange(1, 8)}{rng.randrange(1, 5)}" if rng.random() < 0.15 else "",
        guardian=SURNAMES[rng.randrange(40)] + _given(rng) if minor else "",
        guardian_number=mother,
        what="person",
    )


def _given(rng: Random) -> str:
    last = len(GIVEN) - 1
    one = GIVEN[min(int(rng.expovariate(1 / 45)), last)]
    return one if rng.random() < 0.18 else one + GIVEN[min(int(rng.expovariate(1 / 45)), last)]


def _phone(rng: Random) -> str:
    return f"13{rng.randrange(10**8, 10**9)}"


def _sibling(rng: Random, first: Row, truth: int, birth: str, taken: Numbers) -> Row:
    """Twin or younger sibling: surname, county, telephone and guardian in common."""
    sex = "1" if rng.random() < 0.5 else "2"
    shared = first.name[:2] if rng.random() < 0.4 else first.name[0]
    number = taken.number(rng, date.fromisoformat(birth), sex)
    name = shared + GIVEN[rng.randrange(len(GIVEN))]
    what = "twin" if birth == first.birth else "sibling"
    if name == first.name:
        name += "二"
    return replace(first, truth=truth, name=name, id_number=number, birth=birth, sex=sex, certificate="", what=what)


def _again(rng: Random, row: Row, what: str, counties: list[str]) -> Row:
    """A second record of somebody; second numbers take serials that no first one has."""
    row = replace(row, what=what)
    if rng.random() < 0.15:
        row = replace(row, phone=_phone(rng))
    if rng.random() < 0.05:
        row = replace(row, region=counties[rng.randrange(len(counties))])
    if rng.random() < 0.05:
        row = replace(row, sex="")
    return _CHANGE[what](rng, row)


def _traditional(_: Random, row: Row) -> Row:
    return replace(row, name="".join(TRADITIONAL.get(letter, letter) for letter in row.name))


def _fifteen(_: Random, row: Row) -> Row:
    number = row.id_number
    return replace(row, id_number=number[:6] + number[8:17]) if number[6:8] == "19" else row


def _full_width(_: Random, row: Row) -> Row:
    return replace(row, id_number=row.id_number.translate(FULL_WIDTH), name=f"{row.name[0]} {row.name[1:]}")


def _name_slip(rng: Random, row: Row) -> Row:
    at = rng.randrange(1, len(row.name))
    letter = GIVEN[rng.randrange(len(GIVEN))]
    return replace(row, name=row.name[:at] + letter + row.name[at + 1 :])


def _no_number(_: Random, row: Row) -> Row:
    return replace(row, id_type="", id_number="", certificate="")


def _birth_slip(rng: Random, row: Row) -> Row:
    year, month, day = row.birth.split("-")
    if int(day) <= 12 and day != month and rng.random() < 0.5:
        return replace(_no_number(rng, row), birth=f"{year}-{day}-{month}")
    tens = day[0] + str((int(day[1]) + rng.randrange(1, 8)) % 9 + (day[0] == "0"))
    try:
        return replace(_no_number(rng, row), birth=date.fromisoformat(f"{year}-{month}-{tens}").isoformat())
    except ValueError:
        return replace(_no_number(rng, row), birth=f"{year}-{month}-15")


def _mistyped(rng: Random, row: Row) -> Row:
    at = rng.randrange(17)
    digit = str((int(row.id_number[at]) + rng.randrange(1, 10)) % 10)
    return replace(row, id_number=row.id_number[:at] + digit + row.id_number[at + 1 :], certificate="")


def _transposed(rng: Random, row: Row) -> Row:
    number = row.id_number
    pairs = [at for at in range(6, 16) if number[at] != number[at + 1]]
    at = rng.choice(pairs)
    return replace(row, id_number=number[:at] + number[at + 1] + number[at] + number[at + 2 :], certificate="")


def _passport(rng: Random, row: Row) -> Row:
    return replace(row, id_type="414", id_number=f"E{rng.randrange(10**7, 10**8)}", certificate="")


def _certificate(rng: Random, row: Row) -> Row:
    """Another paper, but the disability certificate holds the resident id."""
    return replace(_passport(rng, row), certificate=f"{row.id_number}41")


def _guardians_number(_: Random, row: Row) -> Row:
    if not row.guardian_number:
        return row
    return replace(row, id_number=row.guardian_number, birth="", certificate="")


def _second_number(_: Random, row: Row) -> Row:
    born = date.fromisoformat(row.birth)
    return replace(row, id_number=resident_id(born, 998 + (row.sex == "1")), certificate="")


def _unchanged(_: Random, row: Row) -> Row:
    return row


_CHANGE = {
    "clean": _unchanged,
    "traditional": _traditional,
    "fifteen": _fifteen,
    "full_width": _full_width,
    "name_slip": _name_slip,
    "no_number": _no_number,
    "mistyped": _mistyped,
    "transposed": _transposed,
    "passport": _passport,
    "no_number_name_slip": lambda rng, row: _name_slip(rng, _no_number(rng, row)),
    "no_number_birth_slip": _birth_slip,
    "certificate": _certificate,
    "guardians_number": _guardians_number,
    "second_number": _second_number,
    "moved": lambda rng, row: replace(row, region="520502", phone=_phone(rng)),
    "new_phone": lambda rng, row: replace(row, phone=_phone(rng)),
}


def write(path: Path, size: int, seed: int) -> None:
    """The population as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(asdict(row) for row in population(size, seed))
