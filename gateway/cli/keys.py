"""密钥 `xianjie keys`: make key pairs, register parties' public keys, rotate with an overlap, revoke at once."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import click
from sqlalchemy import Connection

from gateway.app import refuse_example_key
from gateway.cli.console import Installation, json_option, print_json, refuse_existing, say, table, with_installation
from gateway.cli.install import write_private
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.keyring import Keyring, PublicKey, SigningKey
from gateway.errors import ConfigError
from gateway.store import directory


@click.group()
def keys() -> None:
    """密钥 Key pairs and the keyring."""


@keys.command()
@click.argument("party_id")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="私钥文件 private key, mode 0600")
@click.option("--alg", type=click.Choice([alg.value for alg in Algorithm]), default=Algorithm.ED25519.value)
def generate(party_id: str, out: Path, alg: str) -> None:
    """生成 A key pair: OUT keeps the private half, OUT.jwk the public half to hand to the administrator."""
    public = out.with_suffix(".jwk")
    if public == out:
        raise ConfigError(f"{out.name} would be the public half's name; end --out in .pem")
    refuse_existing(public)
    key = SigningKey.generate(Algorithm(alg), party_id)
    write_private(out, key.to_pem())
    public.write_text(json.dumps({**key.public_jwk(), "kid": key.kid, "party": party_id}) + "\n", encoding="utf-8")
    say(f"{key.kid}\n私钥 private {out.name} · 公钥 public {public.name}")


@keys.command()
@click.argument("party_id")
@click.argument("jwk_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--days", type=click.IntRange(1, 3660), help="有效天数 valid for so many days")
@with_installation
def register(installation: Installation, party_id: str, jwk_file: Path, days: int | None) -> None:
    """登记 Believes a party's public key from now on."""
    with installation.open() as (context, clock):
        now = clock()
        key = read_jwk(jwk_file, party_id, installation, not_before=now, days=days)
        _refuse_ended(context.snapshot(now).keyring, key, now)
        context.store.write(lambda connection: directory.add_key(connection, key, now=now))
    say(f"已登记 registered {key.kid} for {party_id}")


@keys.command()
@click.argument("party_id")
@click.argument("jwk_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--overlap-days", type=click.IntRange(0, 365), default=14, show_default=True)
@with_installation
def rotate(installation: Installation, party_id: str, jwk_file: Path, overlap_days: int) -> None:
    """轮换 Registers a new key; the party's earlier keys end after the overlap."""
    with installation.open() as (context, clock):
        now = clock()
        key = read_jwk(jwk_file, party_id, installation, not_before=now, days=None)
        keyring = context.snapshot(now).keyring
        _refuse_ended(keyring, key, now)
        end = now + timedelta(days=overlap_days)
        earlier = [one.kid for one in keyring.keys_of(party_id) if one.kid != key.kid and one.usable_at(end)]

        def write(connection: Connection) -> None:
            directory.add_key(connection, key, now=now)
            for kid in earlier:  # those that end sooner anyway are not made to last
                directory.end_key(connection, kid, at=end, now=now)

        context.store.write(write)
    say(f"已登记 registered {key.kid}; earlier keys end by {end:%Y-%m-%d %H:%M} UTC")


@keys.command(context_settings={"ignore_unknown_options": True})  # a fingerprint may begin with a dash
@click.argument("kid")
@click.option("--reason", required=True, help="原因 kept on file")
@with_installation
def revoke(installation: Installation, kid: str, reason: str) -> None:
    """吊销 Nothing signed with the key is believed from now on."""
    with installation.open() as (context, clock):
        now = clock()
        context.store.write(
            lambda connection: directory.end_key(connection, kid, at=now, now=now, revoked_because=reason)
        )
    say(f"已吊销 revoked {kid}")


@keys.command("list")
@json_option
@with_installation
def list_keys(installation: Installation, as_json: bool) -> None:
    """列出 Every key ever registered."""
    with installation.open() as (context, clock):
        now = clock()
        rows = [
            {
                "kid": key.kid,
                "party_id": key.party_id,
                "alg": key.alg.value,
                "not_before": key.not_before.isoformat(),
                "not_after": key.not_after.isoformat() if key.not_after else "",
                "state": key.refusal_at(now) or "usable",
            }
            for key in context.snapshot(now).keys
        ]
    if as_json:
        print_json(rows)
    else:
        table(["kid", "party", "alg", "from", "to", "state"], [list(row.values()) for row in rows])


@keys.command()
@click.argument("out", type=click.Path(path_type=Path))
@with_installation
def publish(installation: Installation, out: Path) -> None:
    """公布 Writes the gateway's public keys (JWKS) for partners, the same as `GET /v1/keys`."""
    with installation.open() as (context, clock):
        now = clock()
        own = [key for key in context.snapshot(now).keyring.keys_of(context.party_id) if key.usable_at(now)]
    found = [{**key.jwk, "kid": key.kid, "alg": key.alg.value, "party": key.party_id} for key in own]
    out.write_text(json.dumps({"keys": found}, indent=2) + "\n", encoding="utf-8")
    say(f"已写出 wrote {out.name}")


def _refuse_ended(keyring: Keyring, key: PublicKey, now: datetime) -> None:
    """A key that was revoked or has ended never comes back. Raises ConfigError."""
    registered = keyring.find(key.kid)
    if registered is not None and not registered.usable_at(now):
        raise ConfigError(
            f"{key.kid} is registered and no longer usable ({registered.refusal_at(now)}); make a new key"
        )


def read_jwk(
    path: Path, party_id: str, installation: Installation, *, not_before: datetime, days: int | None
) -> PublicKey:
    """The party's public key from a JWK file. Raises ConfigError for any other, ExampleKeyRefused."""
    try:
        members = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path.name} is no JWK file") from error
    if not isinstance(members, dict):
        raise ConfigError(f"{path.name} is no JWK")
    named = members.get("party", party_id)
    if named != party_id:
        raise ConfigError(f"{path.name} is the key of {named}, not of {party_id}")
    end = None if days is None else not_before + timedelta(days=days)
    try:
        key = PublicKey.from_jwk(members, party_id, not_before=not_before, not_after=end)
    except ConfigError as error:
        raise ConfigError(f"{path.name}: {error.note}") from error
    refuse_example_key(key.kid, demo=installation.config.demo)
    return key


COMMANDS = (keys,)
