"""行政区划 GB/T 2260 regions: what a code names, what lies above it, what replaced it.

Rules: counties and prefectures are listed for Guizhou, provinces for the whole country, so a county code of another
province is unknown here while its province is not. An id keeps the code of its first issue, so a code under an
abolished prefecture is abolished even where the table has no row for it. The table knows one edition (2024-11) and no
dates of change: `exists_at` says so where it matters. Which office serves a region is `domain.routing`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache

from gateway.domain.rules import read_table
from gateway.errors import ConfigError

CODE_FORM = re.compile(r"[1-9][0-9]{5}")
EDITION = date(2024, 11, 1)
"""The month the county list was read for: a code absent from it does not exist from then on."""


class RegionLevel(StrEnum):
    """层级."""

    PROVINCE = "province"
    PREFECTURE = "prefecture"
    COUNTY = "county"


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """行政区划. replaced_by: the code that took over where this one was abolished, else None."""

    code: str
    name_zh: str
    level: RegionLevel
    parent: str
    replaced_by: str | None = None

    def __post_init__(self) -> None:
        if not CODE_FORM.fullmatch(self.code) or _level_of(self.code) is not self.level:
            raise ConfigError(f"region {self.code}: code and level do not agree", ids={"region": self.code})


Ancestry = tuple[Region | None, Region | None, Region | None]
"""(county, prefecture, province), each None where the table does not know it or the code stands above it."""


class Regions:
    """The loaded list; immutable after construction."""

    def __init__(self, rows: Iterable[Region]) -> None:
        """ConfigError when a code comes twice or a replacement is not in the list."""
        self._by_code: dict[str, Region] = {}
        for region in rows:
            if region.code in self._by_code:
                raise ConfigError(f"region {region.code} is listed twice", ids={"region": region.code})
            self._by_code[region.code] = region
        for region in self._by_code.values():
            self._current(region)

    def get(self, code: str) -> Region | None:
        """The region with exactly this code, abolished or not; None when it is not listed."""
        return self._by_code.get(code)

    def ancestors(self, code: str) -> Ancestry:
        """What `code` belongs to today: (county, prefecture, province), every level after its replacement.

        A county under an abolished prefecture keeps county None: which county took it over is not in the table.
        """
        if not CODE_FORM.fullmatch(code):
            return None, None, None
        start = self._followed(code)
        level = _level_of(start)
        county = self._by_code.get(start) if level is RegionLevel.COUNTY else None
        prefecture = None if level is RegionLevel.PROVINCE else self._at(county.parent if county else f"{start[:4]}00")
        province = self._at(prefecture.parent if prefecture else f"{start[:2]}0000")
        return county, prefecture, province

    def province_of(self, code: str) -> Region | None:
        """The province-level region of any code, known county or not."""
        return self.ancestors(code)[2]

    def contains(self, outer: str, inner: str) -> bool:
        """Whether `inner` is `outer` or lies within it today."""
        above = self.ancestors(inner)
        wanted = self._followed(outer)
        return any(region is not None and region.code == wanted for region in above)

    def is_abolished(self, code: str) -> bool:
        """Whether the code was replaced, or stands under a prefecture that was (and has no row of its own)."""
        region = self._by_code.get(code) or self._by_code.get(f"{code[:4]}00")
        return region is not None and region.replaced_by is not None

    def exists_at(self, code: str, day: date) -> bool:
        """Whether a paper of that day may name the code.

        A listed region: always (its founding date is not in the table). An abolished one: before the edition only.
        """
        if code not in self._by_code:
            return self.is_abolished(code) and day < EDITION
        return not self.is_abolished(code) or day < EDITION

    def _followed(self, code: str) -> str:
        region = self._by_code.get(code)
        return code if region is None else self._current(region).code

    def _at(self, code: str) -> Region | None:
        region = self._by_code.get(code)
        return None if region is None else self._current(region)

    def _current(self, region: Region) -> Region:
        seen = {region.code}
        while region.replaced_by is not None:
            following = self._by_code.get(region.replaced_by)
            if following is None or following.code in seen:
                raise ConfigError(f"region {region.code}: its replacement leads nowhere", ids={"region": region.code})
            seen.add(following.code)
            region = following
        return region


@cache
def load_regions() -> Regions:
    """The shipped list, read once and shared (it cannot be changed)."""
    return Regions(regions_from_rows(read_table("regions")))


def regions_from_rows(rows: Iterable[Mapping[str, str]]) -> list[Region]:
    """Regions from table rows; ConfigError for a level that does not exist."""
    try:
        return [
            Region(
                code=row["code"],
                name_zh=row["name_zh"],
                level=RegionLevel(row["level"]),
                parent=row["parent"],
                replaced_by=row["replaced_by"] or None,
            )
            for row in rows
        ]
    except ValueError as wrong:
        raise ConfigError("region table: unknown level", ids={"table": "regions"}) from wrong


def _level_of(code: str) -> RegionLevel:
    if code.endswith("0000"):
        return RegionLevel.PROVINCE
    return RegionLevel.PREFECTURE if code.endswith("00") else RegionLevel.COUNTY
