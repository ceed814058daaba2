"""证据 `xianjie export`, `xianjie evidence`, `xianjie verify`: a referral's evidence is given out, fetched, checked.

`verify BUNDLE` needs no installation, no network and no secret. Exit 0 nothing refuted, 1 something was, 2 usage;
what is only open never fails it. `verify --log` walks the whole log of this gateway.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from gateway.cli.console import (
    DONE,
    FINDINGS,
    Installation,
    json_option,
    print_json,
    refuse_existing,
    say,
    with_installation,
)
from gateway.cli.partner import make_client, partner_options, read_jwks
from gateway.errors import ConfigError
from gateway.evidence.bundle import MAX_BUNDLE
from gateway.evidence.checkpoint import MAX_NOTE_BYTES
from gateway.evidence.verifier.conclusions import Conclusion, Standing
from gateway.evidence.verifier.trust import Trusted, read_trusted_keys
from gateway.evidence.verifier.verify import Verification, verify_bundle
from gateway.flows.evidence import export as export_evidence
from gateway.flows.log import verify_log
from gateway.flows.log_verdict import LogVerdict, words_of
from gateway.store.witness import WitnessFile

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
MAX_KEYS = 2**20
_HEADINGS = {
    Standing.REFUTED: ("✗", "不成立", "refuted"),
    Standing.OPEN: ("?", "尚未证明", "open"),
    Standing.PROVEN: ("✓", "已证明", "proven"),
}
_WITNESSED = click.option(
    "--witnessed", type=click.IntRange(0), multiple=True, help="手中检查点的条数 size of a checkpoint held elsewhere"
)


@click.command()
@click.argument("bundle", required=False, type=FILE)
@click.option("--log", "whole_log", is_flag=True, help="核验本网关整个存证日志 the whole log of this gateway instead")
@click.option("--keys", type=FILE, help="另行取得的公钥 keys obtained another way: JWKS with `party`, or a keys.json")
@click.option(
    "--vkey", "vkeys", multiple=True, help="另行取得的日志公钥 the log's (or a witness's) key, name+hash+base64"
)
@click.option("--checkpoint", type=FILE, help="另行取得的检查点 a checkpoint obtained another way")
@click.option("--lang", type=click.Choice(["zh", "en"]), help="只用一种语言 one language only")
@json_option
@click.pass_obj
def verify(
    installation: Installation,
    bundle: Path | None,
    whole_log: bool,
    keys: Path | None,
    vkeys: tuple[str, ...],
    checkpoint: Path | None,
    lang: str | None,
    as_json: bool,
) -> None:
    """核验 Checks an evidence BUNDLE offline and says what is proven, what is open and what is refuted."""
    if (bundle is None) != whole_log:
        raise click.UsageError("给出一个证据包,或 --log give one BUNDLE, or --log")
    languages = ("zh", "en") if lang is None else (lang,)
    if bundle is None:
        _verify_log(installation, languages, as_json)
        return
    trusted = Trusted(
        keys=read_trusted_keys(_read(keys, MAX_KEYS)) if keys else (),
        vkeys=vkeys,
        checkpoint=_text(checkpoint) if checkpoint else None,
    )
    found = verify_bundle(_read(bundle, MAX_BUNDLE), trusted)
    if as_json:
        print_json(_as_json(found))
    else:
        _show(found, languages)
    sys.exit(DONE if found.holds else FINDINGS)


@click.command("export")
@click.argument("referral_id")
@click.option("--out", required=True, type=NEW_FILE, help="写入 where to")
@click.option("--who", required=True, help="调取人 who asks (kept on file)")
@click.option("--why", required=True, help="事由 why (kept on file)")
@_WITNESSED
@with_installation
def export_bundle(
    installation: Installation, referral_id: str, out: Path, who: str, why: str, witnessed: tuple[int, ...]
) -> None:
    """调取 Writes one referral's evidence bundle, on the gateway's own machine; each export is on file."""
    refuse_existing(out)
    with installation.open() as (context, clock):
        made = export_evidence(context, referral_id, who=who, why=why, now=clock(), witnessed=witnessed)
    _write(out, made)
    _tell(out, verify_bundle(made))


@click.command()
@click.argument("referral_id")
@click.option("--out", required=True, type=NEW_FILE, help="写入 where to")
@_WITNESSED
@partner_options
def evidence(referral_id: str, out: Path, witnessed: tuple[int, ...], **options: Any) -> None:
    """取证 Fetches the evidence bundle of an own referral (an auditor: of any) and checks it. Exit 1 when refuted."""
    refuse_existing(out)
    client = make_client(**options)
    made = client.evidence(referral_id, witnessed=witnessed)
    _write(out, made)
    found = verify_bundle(made, Trusted(keys=tuple(read_jwks(options["gateway_keys"], options["gateway"]))))
    _tell(out, found)
    sys.exit(DONE if found.holds else FINDINGS)


def _verify_log(installation: Installation, languages: Sequence[str], as_json: bool) -> None:
    bar = click.progressbar(length=1, label="核验日志 walking the log", file=sys.stderr)

    def told(walked: int, whole: int) -> None:
        bar.length = max(whole, 1)
        bar.update(walked - bar.pos)

    with installation.open() as (context, _), bar:
        verdict = verify_log(context, witness=WitnessFile(installation.config.state), told=told)
    if as_json:
        print_json(_log_json(verdict))
    else:
        _show_log(verdict, languages)
    sys.exit(DONE if verdict.holds else FINDINGS)


def _show_log(verdict: LogVerdict, languages: Sequence[str]) -> None:
    for zh, en in verdict.sentences():
        for language, text in (("zh", zh), ("en", en)):
            if language in languages:
                click.echo(text)


def _log_json(verdict: LogVerdict) -> dict[str, Any]:
    troubles = [{**asdict(one), "zh": words_of(one)[0], "en": words_of(one)[1]} for one in verdict.troubles]
    return {**asdict(verdict), "root": verdict.root.hex(), "holds": verdict.holds, "troubles": troubles}


def _show(found: Verification, languages: Sequence[str]) -> None:
    click.echo(f"移送 referral {found.referral_id or '—'}   指纹 fingerprint {found.fingerprint or '—'}")
    for standing, (mark, *names) in _HEADINGS.items():
        conclusions = found.of(standing)
        if conclusions:
            click.echo(f"\n{_in(languages, *names)} ({len(conclusions)})")
        for conclusion in conclusions:
            first, *rest = (getattr(conclusion, language) for language in languages)
            click.echo(f"  {mark} {first}")
            for text in rest:
                click.echo(f"    {text}")
    zh, en = ("证据成立", "the evidence holds") if found.holds else ("证据不成立", "the evidence does not hold")
    click.echo(f"\n{_in(languages, zh, en)}")


def _in(languages: Sequence[str], zh: str, en: str) -> str:
    return " ".join({"zh": zh, "en": en}[language] for language in languages)


def _as_json(found: Verification) -> dict[str, Any]:
    return {
        "referral_id": found.referral_id,
        "fingerprint": found.fingerprint,
        "holds": found.holds,
        "conclusions": [_conclusion(conclusion) for conclusion in found.conclusions],
    }


def _conclusion(conclusion: Conclusion) -> dict[str, str]:
    return {**asdict(conclusion), "standing": conclusion.standing.value}


def _tell(out: Path, found: Verification) -> None:
    counts = " · ".join(f"{zh} {en} {len(found.of(one))}" for one, (_, zh, en) in _HEADINGS.items())
    say(
        f"已写入 wrote {out.name} · 指纹 fingerprint {found.fingerprint}\n{counts}; 详见 see: xianjie verify {out.name}"
    )
    for conclusion in found.of(Standing.REFUTED):
        say(f"  ✗ {conclusion.zh} {conclusion.en}")


def _read(path: Path, most: int) -> bytes:
    """At most one byte more than may be: what is larger is refused without being read whole."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read ({type(error).__name__})") from error


def _text(path: Path) -> str:
    try:
        return _read(path, MAX_NOTE_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name} is not UTF-8 text") from error


def _write(path: Path, content: bytes) -> None:
    """Readable by its owner alone: the bundle holds people's data."""
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be written ({type(error).__name__})") from error


COMMANDS: tuple[click.Command, ...] = (verify, export_bundle, evidence)
