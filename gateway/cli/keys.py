"""密钥 `xianjie keys`: make key pairs, register parties' public keys, rotate with an overlap, revoke at once and see
what was accepted with a key, bring the data keys under the present master key."""

import json
import secrets
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import click
from sqlalchemy import Connection

from gateway.app import MATCHING_SECRET, held_path, load_key, refuse_example_key
from gateway.cli.console import (
    TAKES_A_FINGERPRINT,
    Installation,
    json_option,
    print_json,
    refuse_existing,
    say,
    table,
    with_installation,
)
from gateway.cli.install import write_private
from gateway.domain.calendar import CHINA
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.encryption import EncryptionKey
from gateway.envelope.keyring import ENCRYPTION, Keyring, PublicKey, SigningKey
from gateway.errors import ConfigError
from gateway.flows.context import Context
from gateway.flows.rekey import rekey
from gateway.matching.keyed import LAYER, MIN_SECRET
from gateway.store import directory, inbox, log, sealing, vault
from gateway.store.inbox import AcceptedWith

X25519 = "X25519"
ENDED = ("key_revoked", "key_expired")


def moment(text: str) -> datetime:
    """A day or a moment of ISO 8601; without a zone it is China's. ValueError for anything else."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=CHINA)


@click.group()
def keys() -> None:
    """密钥 Key pairs and the keyring."""


@keys.command()
@click.argument("party_id")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="私钥文件 private key, mode 0600")
@click.option(
    "--alg",
    type=click.Choice([*(alg.value for alg in Algorithm), X25519]),
    default=Algorithm.ED25519.value,
    show_default=True,
    help=f"{X25519}: 加密用,其余签名用 for encryption, the others sign",
)
def generate(party_id: str, out: Path, alg: str) -> None:
    """生成 A key pair: OUT keeps the private half, OUT.jwk the public half to hand to the administrator."""
    public = out.with_suffix(".jwk")
    if public == out:
        raise ConfigError(f"{out.name} would be the public half's name; end --out in .pem")
    refuse_existing(public)
    key = EncryptionKey.generate(party_id) if alg == X25519 else SigningKey.generate(Algorithm(alg), party_id)
    write_private(out, key.to_pem())
    use = {"use": ENCRYPTION} if alg == X25519 else {}
    jwk = {**key.public_jwk(), **use, "kid": key.kid, "party": party_id}
    public.write_text(json.dumps(jwk) + "\n", encoding="utf-8")
    say(f"{key.kid}\n私钥 private {out.name} · 公钥 public {public.name}")


@keys.command()
@click.argument("party_id")
@click.argument("jwk_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--days", type=click.IntRange(1, 3660), help="有效天数 valid for so many days")
@click.option("--since", type=moment, help="恢复期间补登:原登记时间 in recovery only: when it had been registered")
@with_installation
def register(
    installation: Installation, party_id: str, jwk_file: Path, days: int | None, since: datetime | None
) -> None:
    """登记 Believes a party's public key from now on; with a key for encryption it is written to encrypted."""
    with installation.open() as (context, clock):
        now = clock()
        beginning = now if since is None else _lost_beginning(context, since, now)
        key = read_jwk(jwk_file, party_id, installation, not_before=beginning, days=days)
        _refuse_ended(context.snapshot(now).keyring, key, now)
        context.store.write(lambda connection: directory.add_key(connection, key, now=now))
    say(f"已登记 registered {key.kid} for {party_id} ({key.use})")


@keys.command()
@click.argument("party_id")
@with_installation
def hold(installation: Installation, party_id: str) -> None:
    """代管 Makes a key for a party without one and keeps it here, to sign for its clerks in the portal; in place of one
    that was revoked or has ended another."""
    path = held_path(installation.config, party_id)
    beside = path.with_name(
        f"{path.name}.next"
    )  # registered before it is used: a try that fails is finished by another
    with installation.open() as (context, clock):
        now = clock()
        if party_id not in context.snapshot(now).parties:
            raise ConfigError(f"no party {party_id}; add it with `xianjie party add`")
        keyring, before = context.snapshot(now).keyring, context.held.get(party_id)
        if before is not None:
            _require_ended(keyring, before.kid, path.name, now)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        key = _begun(beside, party_id, keyring, installation, now)
        public = key.public_key(not_before=now)
        context.store.write(lambda connection: directory.add_key(connection, public, now=now))
        beside.replace(path)
    instead = "" if before is None else f" 接替 in place of {before.kid}"
    say(f"已代管 holding {key.kid} for {party_id}{instead}")
    say(f"每个节点放入 {path.name} 并重启 put it into every node's keys/held and restart `serve`")


@keys.command()
@click.argument("party_id")
@click.argument("jwk_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--overlap-days", type=click.IntRange(0, 365), default=14, show_default=True)
@with_installation
def rotate(installation: Installation, party_id: str, jwk_file: Path, overlap_days: int) -> None:
    """轮换 Registers a new key; the party's earlier keys of the same use end after the overlap."""
    with installation.open() as (context, clock):
        now = clock()
        key = read_jwk(jwk_file, party_id, installation, not_before=now, days=None)
        keyring = context.snapshot(now).keyring
        _refuse_ended(keyring, key, now)
        end = now + timedelta(days=overlap_days)
        others = [one for one in keyring.keys_of(party_id) if one.kid != key.kid and one.use == key.use]

        def write(connection: Connection) -> None:
            directory.add_key(connection, key, now=now)
            for one in others:
                if one.lapse_at(end) is None:  # those that end sooner anyway are not made to last
                    directory.end_key(connection, one.kid, at=end, now=now)

        context.store.write(write)
    say(f"已登记 registered {key.kid} ({key.use}); earlier keys end by {end:%Y-%m-%d %H:%M} UTC")


@keys.command(context_settings=TAKES_A_FINGERPRINT)
@click.argument("kid")
@click.option("--because", "--reason", "because", required=True, help="原因 kept on file")
@click.option(
    "--compromised-since",
    "since",
    type=moment,
    metavar="TIME",
    help="从何时起不可信 lists from then on, else everything",
)
@json_option
@with_installation
def revoke(installation: Installation, kid: str, because: str, since: datetime | None, as_json: bool) -> None:
    """吊销 Nothing new signed with the key is believed from now on; lists what was accepted with it."""
    with installation.open() as (context, clock):
        now = clock()
        context.store.write(
            lambda connection: directory.end_key(connection, kid, at=now, now=now, revoked_because=because)
        )
        context.directory.forget()
        keyring = context.snapshot(now).keyring
        key = keyring.find(kid)
        if key is not None and key.use == ENCRYPTION and keyring.encryption_key_of(key.party_id, now) is None:
            say(f"{key.party_id}: 无其他加密公钥,此后报文只签名不加密 has no other key to encrypt to")
        with context.store.reading() as connection:
            found = inbox.accepted_with(connection, kid, since=since or _ever(key))
    say(f"已吊销 revoked {kid}")
    _show_accepted(kid, found, as_json)


@keys.command(context_settings=TAKES_A_FINGERPRINT)
@click.argument("kid")
@click.option("--since", type=moment, metavar="TIME", help="从何时起 from then on, else everything")
@json_option
@with_installation
def accepted(installation: Installation, kid: str, since: datetime | None, as_json: bool) -> None:
    """凭此密钥接收的报文 Everything that was accepted because this key proved it."""
    with installation.open() as (context, clock):
        key = context.snapshot(clock()).keyring.find(kid)
        if key is None:
            raise ConfigError(f"no key {kid}")
        with context.store.reading() as connection:
            found = inbox.accepted_with(connection, kid, since=since or _ever(key))
    _show_accepted(kid, found, as_json)


def _ever(key: PublicKey | None) -> datetime:
    """A little before the key began: clocks differ."""
    return (key.not_before if key is not None else datetime(2000, 1, 1, tzinfo=CHINA)) - timedelta(days=1)


def _show_accepted(kid: str, found: list[AcceptedWith], as_json: bool) -> None:
    rows = [
        {
            "message_id": one.message_id,
            "type": one.type,
            "referral_id": one.referral_id or "",
            "at": one.received_at.isoformat(),
        }
        for one in found
    ]
    if as_json:
        print_json({"kid": kid, "accepted": rows})
        return
    say(f"凭此密钥接收 accepted with it: {len(rows)}")
    table(["报文 message", "类型 type", "移送 referral", "时间 at"], [list(row.values()) for row in rows])


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
                "use": key.use,
                "alg": key.alg.value,
                "not_before": key.not_before.isoformat(),
                "not_after": key.not_after.isoformat() if key.not_after else "",
                "state": key.lapse_at(now) or "usable",
            }
            for key in context.snapshot(now).keys
        ]
    if as_json:
        print_json(rows)
    else:
        table(["kid", "party", "use", "alg", "from", "to", "state"], [list(row.values()) for row in rows])


@keys.command()
@click.argument("out", type=click.Path(path_type=Path))
@with_installation
def publish(installation: Installation, out: Path) -> None:
    """公布 Writes the gateway's public keys (JWKS) for partners, the same as `GET /v1/keys`."""
    with installation.open() as (context, clock):
        now = clock()
        own = [key for key in context.snapshot(now).keyring.keys_of(context.party_id) if key.lapse_at(now) is None]
    found = [{**key.jwk, "kid": key.kid, "alg": key.alg.value, "use": key.use, "party": key.party_id} for key in own]
    out.write_text(json.dumps({"keys": found}, indent=2) + "\n", encoding="utf-8")
    say(f"已写出 wrote {out.name}")


@keys.command()
@json_option
@with_installation
def rewrap(installation: Installation, as_json: bool) -> None:
    """更换数据密钥 Brings every case's data key under the first key of `data.key`, and seals what stands open still."""
    wrapped, sealed = 0, 0
    after: str | None = ""
    with installation.open() as (context, clock):
        now = clock()
        while after is not None:
            changed, after = context.store.write(partial(vault.rewrap, after=after))
            wrapped += changed
        while count := context.store.write(lambda connection: sealing.seal_older(connection, now=now)):
            sealed += count
    if as_json:
        print_json({"rewrapped": wrapped, "sealed": sealed})
    say(f"已更换 rewrapped {wrapped} · 已封存 sealed {sealed}")
    say("旧密钥可从文件中删除 former keys may be taken out of the file")


@keys.command("rotate-matching")
@click.option("--who", required=True, help="操作人 who does it")
@click.option("--because", "--reason", "because", required=True, help="原因 kept on file")
@click.option("--leave-statements", is_flag=True, help="对账单明细保留原键 lines of statements keep their keys")
@json_option
@with_installation
def rotate_matching(installation: Installation, who: str, because: str, leave_statements: bool, as_json: bool) -> None:
    """更换比对密钥 Adds a layer to `matching.secret` and brings every key under it; stop `serve` and `work` first."""
    path = installation.config.keys / MATCHING_SECRET
    beside = path.with_name(f"{path.name}.next")
    with installation.open() as (context, clock):
        if not beside.exists():
            write_private(beside, context.matching_secret + LAYER + secrets.token_hex(MIN_SECRET).encode())
        done = rekey(
            context,
            beside.read_bytes().strip(),
            who=who,
            why=because,
            now=clock(),
            leave_statements=leave_statements,
        )
    beside.replace(path)
    if as_json:
        print_json({"changed": done.changed, "staying": done.staying, "decision_id": done.decision_id})
    say(f"已更换 keys changed {done.changed} · 保留 statement lines left {done.staying}")
    say("每个节点换上新文件并重启 copy matching.secret to every node and restart")


def _require_ended(keyring: Keyring, kid: str, name: str, now: datetime) -> None:
    """A held key is replaced only when nothing signed with it counts any more. Raises ConfigError."""
    registered = keyring.find(kid)
    if registered is None:
        raise ConfigError(
            f"{name} is there already and its key {kid} is not registered: register it, or take the file away"
        )
    if registered.lapse_at(now) not in ENDED:
        raise ConfigError(f"{name} is there already; nothing was overwritten. Revoke {kid} first to replace it")


def _begun(beside: Path, party_id: str, keyring: Keyring, installation: Installation, now: datetime) -> SigningKey:
    """The key an earlier try left, unless that was ended meanwhile; else a new one."""
    if beside.exists():
        left = load_key(beside, party_id, demo=installation.config.demo)
        registered = keyring.find(left.kid)
        if registered is None or registered.lapse_at(now) not in ENDED:
            return left
        beside.unlink()
    key = SigningKey.generate(Algorithm.ED25519, party_id)
    write_private(beside, key.to_pem())
    return key


def _lost_beginning(context: Context, since: datetime, now: datetime) -> datetime:
    """When a key that was lost with an older copy had begun: what it signed before that copy was restored counts.
    Raises ConfigError at any other time: nobody makes a key older than it is."""
    with context.store.reading() as connection:
        recovering = log.is_recovering(connection)
    if not recovering or since > now:
        raise ConfigError("--since is for a key that was lost with an older copy, and lies in the past")
    return since


def _refuse_ended(keyring: Keyring, key: PublicKey, now: datetime) -> None:
    """A key that was revoked or has ended never comes back. Raises ConfigError."""
    registered = keyring.find(key.kid)
    if registered is not None and (lapse := registered.lapse_at(now)) is not None:
        raise ConfigError(f"{key.kid} is registered and no longer usable ({lapse}); make a new key")


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
