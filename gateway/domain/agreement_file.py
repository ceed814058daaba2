"""会签文件的文本 Reads an agreement profile from the TOML file an administrator loads.

Every key is checked and an unknown key is refused, so that a misspelt mask never silently opens a field. `limits` and
`masks` may be left out: the shipped sample tables apply, and the profile says so. Errors are `ConfigError` naming the
key and what was expected; nothing is half-loaded.
"""

import tomllib
from collections.abc import Mapping
from datetime import date
from typing import Any

from gateway.domain.agreement import AgreementProfile, AmountRule
from gateway.domain.deadlines import Limit, limits_from_rows, load_limits
from gateway.domain.masking import MASKABLE, load_default_masks
from gateway.domain.programmes import Programme
from gateway.errors import ConfigError

_KEYS = {
    "document": str,
    "version": int,
    "title": str,
    "valid_from": date,
    "valid_to": date,
    "parties": list,
    "programmes": list,
    "limit": list,
    "masks": dict,
    "matching_authorised": bool,
    "impact_assessment": str,
    "severe_includes_mental_grades": bool,
    "allow_synthetic": bool,
    "agencies_see_each_other": bool,
    "amounts": dict,
    "sample": bool,
}
_REQUIRED = ("document", "version", "title", "valid_from", "parties", "programmes")


def read_agreement(text: str, programmes: Mapping[str, Programme]) -> AgreementProfile:
    """The profile a file's text describes. Raises ConfigError."""
    try:
        members = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"agreement: not TOML ({error})") from error
    _check_keys(members)
    return AgreementProfile(
        document=members["document"],
        version=members["version"],
        title_zh=members["title"],
        valid_from=members["valid_from"],
        valid_to=members.get("valid_to"),
        parties=tuple(_texts(members, "parties")),
        programmes=_programmes(members, programmes),
        limits=_limits(members),
        masks=_masks(members),
        matching_authorised=members.get("matching_authorised", False),
        impact_assessment=members.get("impact_assessment"),
        severe_includes_mental_grades=members.get("severe_includes_mental_grades", False),
        allow_synthetic=members.get("allow_synthetic", False),
        agencies_see_each_other=members.get("agencies_see_each_other", False),
        amounts=_amounts(members.get("amounts", {})),
        sample=members.get("sample", False),
    )


def _check_keys(members: Mapping[str, Any]) -> None:
    for key in _REQUIRED:
        if key not in members:
            raise ConfigError(f"agreement: `{key}` is missing")
    for key, value in members.items():
        if key not in _KEYS:
            raise ConfigError(f"agreement: `{key}` is not a known key; known are {', '.join(_KEYS)}")
        if type(value) is not _KEYS[key]:
            raise ConfigError(f"agreement: `{key}` must be a {_KEYS[key].__name__}")
    if members["version"] < 1:
        raise ConfigError("agreement: `version` starts at 1")
    if members.get("valid_to") is not None and members["valid_to"] < members["valid_from"]:
        raise ConfigError("agreement: `valid_to` is before `valid_from`")
    if members.get("matching_authorised") and not members.get("impact_assessment"):
        raise ConfigError("agreement: `matching_authorised` needs `impact_assessment` (rule P06: name the assessment)")


def _texts(members: Mapping[str, Any], key: str) -> list[str]:
    found = members[key]
    if not isinstance(found, list) or not found or not all(isinstance(item, str) and item for item in found):
        raise ConfigError(f"agreement: `{key}` must be a list of texts, not empty")
    return found


def _programmes(members: Mapping[str, Any], known: Mapping[str, Programme]) -> frozenset[str]:
    named = _texts(members, "programmes")
    if named == ["*"]:
        return frozenset(known)
    unknown = sorted(set(named) - set(known))
    if unknown:
        raise ConfigError(f"agreement: unknown programmes {', '.join(unknown)}")
    return frozenset(named)


def _limits(members: Mapping[str, Any]) -> tuple[Limit, ...]:
    rows = members.get("limit")
    if rows is None:
        return load_limits()
    return limits_from_rows([{key: str(value) for key, value in row.items()} for row in rows])


def _masks(members: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    masks = dict(load_default_masks())
    for agency, fields in members.get("masks", {}).items():
        if not isinstance(fields, list):
            raise ConfigError(f"agreement: `masks.{agency}` must be a list of field names")
        unknown = sorted(set(fields) - set(MASKABLE))
        if unknown:
            raise ConfigError(f"agreement: `masks.{agency}` names unknown fields {', '.join(unknown)}")
        masks[agency] = frozenset(fields)
    return masks


def _amounts(members: Mapping[str, Any]) -> AmountRule:
    unknown = sorted(set(members) - {"months", "wage_scope", "wage"})
    if unknown:
        raise ConfigError(f"agreement: `amounts` has unknown keys {', '.join(unknown)}")
    wages: dict[tuple[str, int], int] = {}
    for row in members.get("wage", []):
        try:
            wages[(str(row["region"]), int(row["year"]))] = int(row["monthly_fen"])
        except (KeyError, ValueError) as error:
            raise ConfigError("agreement: each `amounts.wage` needs region, year, monthly_fen") from error
    scope = members.get("wage_scope", "province")
    if scope not in ("province", "prefecture"):
        raise ConfigError("agreement: `amounts.wage_scope` is `province` or `prefecture`")
    return AmountRule(months=members.get("months", 36), wage_scope=scope, monthly_wage_fen=wages)
