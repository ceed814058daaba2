"""安装 `init`, `migrate`, `doctor`: an installation is made whole or not at all, and says what it lacks."""

import json
import os
import sqlite3
import sys
from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.installed import GATEWAY, NOWHERE, TODAY, Installed, a_row, mode, ndjson, party_of, run


def init(folder: Path, *more: str) -> Any:
    return run("init", folder, "--party", GATEWAY, "--region", "520000", *more)


def checks(installed: Installed, **env: str) -> dict[str, tuple[bool, str]]:
    """What `doctor` says, by the English name of each check."""
    found = json.loads(installed.run("doctor", "--json", env=env).stdout)
    return {one["what"].partition(" ")[2]: (one["ok"], one["note"]) for one in found}


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- init ---


def test_a_new_installation_is_its_owners_alone(tmp_path: Path) -> None:
    result = init(tmp_path / "gw")
    assert result.exit_code == 0, result.output
    found = sorted(path for path in (tmp_path / "gw").rglob("*") if path.is_file())
    assert [path.name for path in found if path.suffix in (".pem", ".key", ".secret", ".toml", ".db")] == [
        "data.key",
        "encryption.pem",
        "gateway.pem",
        "log.pem",
        "matching.secret",
        "xianjie.db",
        "xianjie.toml",
    ]
    assert {oct(mode(path)) for path in found} == {"0o600"}


@pytest.mark.parametrize(
    "there", ["xianjie.toml", "keys/gateway.pem", "keys/matching.secret", "keys/data.key", "keys/encryption.pem"]
)
def test_nothing_that_is_there_is_overwritten_and_nothing_is_left(tmp_path: Path, there: str) -> None:
    kept = tmp_path / there
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(b"mine")
    result = init(tmp_path)
    assert (result.exit_code, Path(there).name in result.stderr) == (2, True)
    assert files_of(tmp_path) == {there: b"mine"}


def test_a_second_init_changes_nothing(installed: Installed) -> None:
    before = files_of(installed.folder / "gw")
    assert init(installed.folder / "gw").exit_code == 2
    assert files_of(installed.folder / "gw") == before


@pytest.mark.parametrize(
    ("database", "code"),
    [
        ("mysql://somewhere/else", 2),
        ("sqlite:////no/such/folder/xianjie.db", 3),
        ("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1", 3),
    ],
)
def test_an_init_that_fails_can_be_tried_again(tmp_path: Path, database: str, code: int) -> None:
    assert init(tmp_path, "--database", database).exit_code == code
    assert files_of(tmp_path) == {}
    assert init(tmp_path).exit_code == 0


def test_what_is_typed_cannot_break_the_configuration(tmp_path: Path) -> None:
    assert init(tmp_path, "--database", 'sqlite:///a"b\\c.db').exit_code == 0
    assert (tmp_path / 'a"b\\c.db').is_file()
    assert run("--config", tmp_path / "xianjie.toml", "party", "list").exit_code == 0


def test_a_relative_database_lies_beside_its_configuration(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert COURT_LINE in installed.done("party", "list").stdout
    relative = os.path.relpath(installed.config_path, elsewhere)
    assert COURT_LINE in run("party", "list", env={"XIANJIE_CONFIG": relative}).stdout
    assert list(elsewhere.iterdir()) == []


COURT_LINE = "cn/court/520100"


# --- migrate ---


def test_migrating_twice_is_harmless(installed: Installed) -> None:
    said = {installed.done("migrate").stderr for _ in range(2)}
    assert len(said) == 1
    assert COURT_LINE in installed.done("party", "list").stdout


def test_commands_on_a_database_that_was_never_migrated_say_so(tmp_path: Path, installed: Installed) -> None:
    empty = {"XIANJIE_DB": f"sqlite:///{tmp_path / 'empty.db'}"}
    for command in (("serve", "--port", "0"), ("work",)):
        result = installed.run(*command, env=empty)
        assert (result.exit_code, "xianjie migrate" in result.stderr) == (2, True)
    assert checks(installed, **empty)["database"] == (False, "SQLite, run `xianjie migrate`")


# --- configuration ---


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("prot = 8420", "[gateway] has no `prot`; known are party_id"),
        ('port = "8420"', "`port` must be a int"),
        ("threads = 2", "`threads` is at least"),
        ('allow_addresses = ["ten"]', "`allow_addresses` lists networks"),
        ("[gatway]\n", "unknown section gatway"),
        ("port = = 1", "not TOML"),
    ],
)
def test_a_configuration_that_says_something_else_is_refused_by_name(
    installed: Installed, line: str, says: str
) -> None:
    lines = [one for one in installed.config_path.read_text(encoding="utf-8").splitlines() if "port =" not in one]
    lines.insert(2, line)
    installed.config_path.write_text("\n".join(lines), encoding="utf-8")
    result = installed.run("party", "list")
    assert (result.exit_code, says in result.stderr) == (2, True), result.stderr


def test_beyond_this_machine_a_gateway_must_know_its_address(installed: Installed) -> None:
    text = installed.config_path.read_text(encoding="utf-8").replace('"127.0.0.1"', '"0.0.0.0"')
    installed.config_path.write_text(text, encoding="utf-8")
    assert "public_url" in installed.run("doctor").stdout


def test_no_configuration_is_told_with_what_to_do(tmp_path: Path) -> None:
    result = run("--config", tmp_path / "none.toml", "findings")
    assert result.exit_code == 2
    assert "xianjie init" in result.stderr


# --- doctor ---


def test_a_whole_installation_is_in_order(installed: Installed) -> None:
    result = installed.run("doctor")
    assert result.exit_code == 0, result.stdout
    assert "✗" not in result.stdout
    assert len(checks(installed)) == 18


def test_doctor_without_a_configuration_says_what_is_missing(tmp_path: Path) -> None:
    result = run("--config", tmp_path / "none.toml", "doctor")
    assert result.exit_code == 1
    assert "✗ 配置 configuration: no configuration at none.toml" in result.stdout


def test_doctor_sees_a_key_that_others_can_read(installed: Installed) -> None:
    (installed.folder / "gw" / "keys" / "gateway.pem").chmod(0o644)
    assert checks(installed)["configuration"] == (
        False,
        "gateway.pem can be read by others; run: chmod 600 gateway.pem",
    )


def test_doctor_sees_a_matching_secret_that_is_too_short(installed: Installed) -> None:
    (installed.folder / "gw" / "keys" / "matching.secret").write_bytes(b"short")
    ok, note = checks(installed)["configuration"]
    assert (ok, note) == (False, "matching.secret: the matching secret needs at least 32 bytes")


def test_doctor_sees_an_adapter_that_leads_nowhere(installed: Installed) -> None:
    text = installed.config_path.read_text(encoding="utf-8").replace("adapter:CivilAffairs", "adapter:Nobody")
    installed.config_path.write_text(text, encoding="utf-8")
    ok, note = checks(installed)["configuration"]
    assert (ok, note.startswith("adapter civil_affairs:")) == (False, True)


def test_doctor_sees_a_database_that_cannot_be_opened(installed: Installed) -> None:
    gone = {"XIANJIE_DB": "postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1"}
    assert checks(installed, **gone)["database"][0] is False


def test_doctor_sees_a_database_that_is_none(installed: Installed) -> None:
    (installed.folder / "gw" / "xianjie.db").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    assert checks(installed)["database"][0] is False


def test_doctor_sees_that_the_gateways_own_key_was_revoked(installed: Installed) -> None:
    (own,) = [key for key in installed.json("keys", "list") if (key["party_id"], key["use"]) == (GATEWAY, "sig")]
    installed.done("keys", "revoke", own["kid"], "--reason", "测试")
    assert checks(installed)["own key"] == (False, "key_revoked")


def test_doctor_sees_another_key_file_than_the_one_registered(installed: Installed) -> None:
    own = installed.folder / "gw" / "keys" / "gateway.pem"
    own.unlink()
    installed.done("keys", "generate", GATEWAY, "--out", own)
    assert checks(installed)["own key"] == (False, "not registered")


def test_doctor_sees_another_data_key_than_the_one_the_rows_are_sealed_with(installed: Installed) -> None:
    with installed.serving():
        assert installed.send(ndjson(installed.folder / "a.ndjson", a_row(1))).exit_code == 0
    assert checks(installed)["data key"][0] is True
    (installed.folder / "gw" / "keys" / "data.key").write_text(b64encode(bytes(32)).decode())
    assert checks(installed)["data key"] == (False, "the data key is not the one this database was written with")
    assert installed.run("serve", "--port", "0").exit_code == 2
    assert installed.run("work").exit_code == 2


def test_doctor_sees_that_nobody_can_encrypt_to_the_gateway(installed: Installed) -> None:
    (installed.folder / "gw" / "keys" / "encryption.pem").unlink()
    assert checks(installed)["key for encryption"][0] is False


def test_doctor_sees_that_no_agreement_is_in_force(installed: Installed) -> None:
    text = (installed.folder / "agreement.toml").read_text(encoding="utf-8")
    ended = text.replace("version = 1", "version = 2").replace("# valid_to = 2027-08-04", "valid_to = 2022-08-06")
    (installed.folder / "agreement.toml").write_text(ended, encoding="utf-8")
    installed.done("agreement", "load", installed.folder / "agreement.toml")
    assert checks(installed)["agreements"] == (False, "none valid: run `xianjie agreement load FILE`")


def test_doctor_sees_an_agency_nobody_answers_for(installed: Installed) -> None:
    with sqlite3.connect(installed.folder / "gw" / "xianjie.db") as connection:
        connection.execute("delete from offices where agency = 'womens_federation'")
    assert checks(installed)["offices"] == (False, "2; none for womens_federation")


def test_doctor_sees_a_party_without_a_usable_key(installed: Installed) -> None:
    kids = [key["kid"] for key in installed.json("keys", "list") if key["party_id"] == party_of("civil_affairs")]
    installed.done("keys", "revoke", *kids, "--reason", "测试")
    assert checks(installed)["parties' keys"] == (False, f"none for {party_of('civil_affairs')}")


def test_doctor_sees_a_year_without_a_calendar(installed: Installed) -> None:
    far = timedelta(days=365 * 40).total_seconds()
    ok, note = checks(installed, XIANJIE_CLOCK_OFFSET_SECONDS=str(far))["calendar"]
    year = TODAY.year + 40
    assert (ok, note.startswith(f"{year}; no holiday notice for {year}")) == (False, True)


OIDC = {"issuer": "https://id.example.test", "client_id": "xianjie", "public_url": "https://gateway.example.test"}


def with_provider(installed: Installed, *, demo: bool = False, **changes: str) -> tuple[bool, str]:
    """What `doctor` says once an identity provider is configured so."""
    told = OIDC | changes
    text = installed.config_path.read_text(encoding="utf-8").replace("demo = true", f"demo = {str(demo).lower()}")
    before, _, rest = text.partition("[adapters]")
    rest = rest.partition("[oidc]")[0]
    own = f'public_url = "{told.pop("public_url")}"\n\n'
    named = "".join(f'{name} = "{value}"\n' for name, value in told.items() if value)
    installed.config_path.write_text(f"{before}{own}[adapters]{rest}\n[oidc]\n{named}", encoding="utf-8")
    found = checks(installed)
    return found.get("identity provider") or found["configuration"]


def test_doctor_says_what_to_register_at_the_identity_provider(installed: Installed) -> None:
    assert "identity provider" not in checks(installed)
    assert with_provider(installed) == (
        True,
        "https://id.example.test as xianjie, without a secret (a public client); "
        "register https://gateway.example.test/sign-in/provider/back there",
    )


def test_doctor_does_not_speak_of_a_secret_that_is_there(installed: Installed) -> None:
    (installed.folder / "gw" / "keys" / "oidc.secret").write_text("s-e-c-r-e-t", encoding="utf-8")
    ok, note = with_provider(installed, secret_file="keys/oidc.secret")
    assert (ok, "secret" in note) == (True, False)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"issuer": "http://127.0.0.1:8080"}, "`issuer` is plain http"),
        ({"issuer": "http://id.example.test"}, "`issuer` must be the provider's https address"),
        ({"client_id": ""}, "[oidc] needs `client_id`"),
        ({"public_url": ""}, "[oidc] needs [gateway] `public_url`"),
        ({"public_url": "http://gateway.example.test"}, "`public_url` is not https"),
        ({"public_url": "https://gateway.example.test/xianjie"}, "`public_url` must be scheme and host alone"),
        ({"public_url": "https://"}, "`public_url` must be scheme and host alone"),
        ({"secret_file": "keys/none"}, "`secret_file` keys/none cannot be read"),
    ],
    ids=str,
)
def test_doctor_sees_an_identity_provider_nobody_can_come_back_from(
    installed: Installed, changes: dict[str, str], says: str
) -> None:
    ok, note = with_provider(installed, **changes)
    assert (ok, says in note) == (False, True), note


def test_a_demonstration_may_have_its_identity_provider_on_this_machine(installed: Installed) -> None:
    ok, _ = with_provider(installed, demo=True, issuer="http://127.0.0.1:8080", public_url="http://localhost:8420")
    assert ok


def test_doctor_sees_that_the_extra_of_the_identity_provider_is_not_installed(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "authlib", None)
    ok, note = with_provider(installed)
    assert (ok, "pip install 'xianjie[oidc]'" in note) == (False, True)


def test_only_a_demonstration_moves_its_clock(installed: Installed) -> None:
    text = installed.config_path.read_text(encoding="utf-8").replace("demo = true", "demo = false")
    installed.config_path.write_text(text, encoding="utf-8")
    far = timedelta(days=365 * 40).total_seconds()
    assert checks(installed, XIANJIE_CLOCK_OFFSET_SECONDS=str(far))["calendar"][1].startswith(str(TODAY.year))


def test_help_and_version_need_no_configuration() -> None:
    assert run("--version").exit_code == 0
    commands = run("--help").stdout
    assert [name for name in ("init", "send", "inbox", "demo", "chain", "outbox") if name not in commands] == []
    assert NOWHERE not in commands
