"""账号 `xianjie account`: who signs in to the pages; the first people of an installation are made here.

Whoever may run this has the installation's keys and needs nobody's consent; in the pages the same takes two people
(`flows.account_requests`). A first password is printed once, on standard output, and must be changed.
"""

import getpass
from collections.abc import Callable
from typing import Any

import click

from gateway.cli.console import Installation, json_option, print_json, say, table, with_installation
from gateway.domain.access import Account, Role
from gateway.errors import ConfigError
from gateway.flows import accounts


@click.group()
def account() -> None:
    """账号 Accounts of the pages."""


def _reasoned(command: Callable[..., Any]) -> Callable[..., Any]:
    """Who does it and why, both kept on file."""
    because = click.option(
        "--because", "--reason", "because", default="命令行 by the command line", help="原因 kept on file"
    )
    return click.option("--who", help="操作人 who does it (default: this machine's user)")(because(command))


def _person(who: str | None) -> str:
    return who or f"user:{getpass.getuser()}"


@account.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="角色")
@click.option("--shown-as", help="显示名称 how the pages call somebody (default: the account's name)")
@click.option("--party", "party_id", help="所属主体 a clerk's court or agency")
@click.option("--office", "office_ids", multiple=True, help="承办单位 of an agency's clerk; none: all of its offices")
@click.option("--region", default="", help="所辖区域 console roles: leading 2, 4 or 6 digits; none: all")
@click.option("--subject", help="统一身份认证 the provider's `sub`; such an account has no password")
@_reasoned
@json_option
@with_installation
def add(
    installation: Installation,
    name: str,
    role: str,
    shown_as: str | None,
    party_id: str | None,
    office_ids: tuple[str, ...],
    region: str,
    subject: str | None,
    who: str | None,
    because: str,
    as_json: bool,
) -> None:
    """建立 A new account; prints its first password."""
    made = Account(
        name=name,
        shown_as=shown_as or name,
        role=Role(role),
        party_id=party_id,
        office_ids=office_ids,
        region=region,
    )
    linked = None if subject is None else _subject(installation, subject)
    with installation.open() as (context, clock):
        given = accounts.create(
            context, made, password=None, subject=linked, who=_person(who), why=because, now=clock()
        )
    _tell(name, given, as_json, f"已建立 made {name} ({role})")


@account.command("list")
@json_option
@with_installation
def list_(installation: Installation, as_json: bool) -> None:
    """列出 Every account, without its secrets."""
    with installation.open() as (context, _):
        rows = [
            {
                "name": row["name"],
                "role": row["role"],
                "scope": row["party_id"] or row["region"] or "",
                "offices": row["office_ids"],
                "active": row["active"],
                "codes": row["has_codes"],
                "password": row["has_password"],
                "subject": row["subject"] or "",
                "shown_as": row["shown_as"],
            }
            for row in accounts.every(context)
        ]
    if as_json:
        print_json(rows)
        return
    heads = ["账号 name", "角色 role", "范围 scope", "单位 offices", "启用 active", "动态口令 codes", "密码 password"]
    table([*heads, "统一认证 subject", "显示 shown as"], [list(row.values()) for row in rows])


@account.command("disable")
@click.argument("name")
@_reasoned
@with_installation
def disable(installation: Installation, name: str, who: str | None, because: str) -> None:
    """停用 Nobody signs in with it any more; its sessions end."""
    _set_active(installation, name, active=False, who=who, because=because)


@account.command("enable")
@click.argument("name")
@_reasoned
@with_installation
def enable(installation: Installation, name: str, who: str | None, because: str) -> None:
    """启用 It is let in again."""
    _set_active(installation, name, active=True, who=who, because=because)


def _set_active(installation: Installation, name: str, *, active: bool, who: str | None, because: str) -> None:
    with installation.open() as (context, clock):
        accounts.set_active(context, name, active=active, session=None, who=_person(who), why=because, now=clock())
    say(f"{name}: {'已启用 enabled' if active else '已停用 disabled'}")


@account.command("reset")
@click.argument("name")
@click.option("--codes", is_flag=True, help="动态口令也须重设 codes are set up anew as well")
@_reasoned
@json_option
@with_installation
def reset(installation: Installation, name: str, codes: bool, who: str | None, because: str, as_json: bool) -> None:
    """重置 A new first password; its sessions end."""
    with installation.open() as (context, clock):
        given = accounts.reset(context, name, codes=codes, session=None, who=_person(who), why=because, now=clock())
    _tell(name, given, as_json, f"已重置 reset {name}")


@account.command("link")
@click.argument("name")
@click.option("--subject", required=True, help="统一身份认证 the provider's `sub`; an empty one ends the link")
@_reasoned
@with_installation
def link(installation: Installation, name: str, subject: str, who: str | None, because: str) -> None:
    """关联 Who proves to the identity provider to be SUBJECT signs in as NAME."""
    linked = _subject(installation, subject) if subject else ""
    with installation.open() as (context, clock):
        found = accounts.find(context, name)
        accounts.change(context, found, session=None, subject=linked, who=_person(who), why=because, now=clock())
    say(f"{name}: {'已关联 linked' if linked else '已解除关联 no longer linked'}")


def _subject(installation: Installation, sub: str) -> str:
    """As it is kept. Raises ConfigError where no provider is configured."""
    provider = installation.config.provider
    if provider is None:
        raise ConfigError("no identity provider is configured: [oidc] `issuer`, `client_id`")
    return f"{provider.issuer}|{sub}"


def _tell(name: str, given: str, as_json: bool, said: str) -> None:
    say(said)
    if as_json:
        print_json({"name": name, "password": given or None})
    elif given:
        say("初始密码,仅显示一次 first password, shown this once:")
        click.echo(given)


COMMANDS = (account,)
