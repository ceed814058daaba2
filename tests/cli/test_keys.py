"""密钥 `keys`: private halves stay with their owner, public ones are believed only when an administrator says so."""

import json
import shutil
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.envelope.algorithms import Algorithm, thumbprint
from gateway.envelope.keyring import SigningKey
from gateway.store import sealing
from gateway.store import tables as t
from tests.cli.installed import COURT, GATEWAY, Installed, a_row, mode, ndjson, party_of, run

EXAMPLES = Path(__file__).parents[2] / "keys_example"
VECTORS = Path(__file__).parents[1] / "vectors" / "envelope" / "encrypted.json"


def generate(out: Path, *more: str, party: str = COURT) -> Any:
    return run("keys", "generate", party, "--out", out, *more)


def listed(installed: Installed, party: str = COURT) -> dict[str, dict[str, str]]:
    return {one["kid"]: one for one in installed.json("keys", "list") if one["party_id"] == party}


def kid_of(public: Path) -> str:
    return str(json.loads(public.read_text())["kid"])


def a_new_key(installed: Installed, name: str, *, party: str = COURT) -> Path:
    assert generate(installed.folder / f"{name}.pem", party=party).exit_code == 0
    return installed.folder / f"{name}.jwk"


# --- generate ---


@pytest.mark.parametrize("alg", list(Algorithm))
def test_a_pair_of_every_algorithm_can_be_made_and_registered(installed: Installed, alg: Algorithm) -> None:
    result = generate(installed.folder / "new.pem", "--alg", alg.value)
    assert result.exit_code == 0, result.stderr
    assert mode(installed.folder / "new.pem") == 0o600
    assert SigningKey.load_pem((installed.folder / "new.pem").read_bytes(), COURT).alg is alg
    installed.done("keys", "register", COURT, installed.folder / "new.jwk")
    assert listed(installed)[kid_of(installed.folder / "new.jwk")]["alg"] == alg.value


def test_the_public_half_holds_nothing_private(tmp_path: Path) -> None:
    generate(tmp_path / "new.pem")
    public = json.loads((tmp_path / "new.jwk").read_text())
    assert set(public) == {"kty", "crv", "x", "kid", "party"}
    assert public["kid"] == thumbprint({name: public[name] for name in ("kty", "crv", "x")})


@pytest.mark.parametrize("there", ["new.pem", "new.jwk"])
def test_no_half_of_another_pair_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    assert generate(tmp_path / "new.pem").exit_code == 2
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(there, "mine")]


def test_the_private_half_is_never_written_under_the_public_ones_name(tmp_path: Path) -> None:
    assert generate(tmp_path / "new.jwk").exit_code == 2
    assert list(tmp_path.iterdir()) == []


# --- register ---


def test_a_private_key_handed_over_by_mistake_is_refused_and_not_shown(installed: Installed) -> None:
    file = installed.folder / "private.jwk"
    file.write_text(json.dumps({"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "d": "secret-secret"}))
    result = installed.run("keys", "register", COURT, file)
    assert (result.exit_code, "it holds a private key" in result.stderr) == (2, True)
    pem = installed.run("keys", "register", COURT, installed.folder / "court" / "own.pem")
    assert (pem.exit_code, "is no JWK" in pem.stderr) == (2, True)
    assert "secret-secret" not in result.output
    assert "PRIVATE" not in pem.output


def test_another_partys_key_is_refused(installed: Installed) -> None:
    of_court = installed.folder / "court" / "own.jwk"
    result = installed.run("keys", "register", party_of("civil_affairs"), of_court)
    assert (result.exit_code, f"is the key of {COURT}" in result.stderr) == (2, True)
    nameless = installed.folder / "nameless.jwk"
    nameless.write_text(json.dumps({k: v for k, v in json.loads(of_court.read_text()).items() if k != "party"}))
    result = installed.run("keys", "register", party_of("civil_affairs"), nameless)
    assert (result.exit_code, "belongs to another party" in result.stderr) == (2, True)


def test_a_key_of_a_party_nobody_knows_is_refused(installed: Installed) -> None:
    public = a_new_key(installed, "new", party="cn/court/none")
    result = installed.run("keys", "register", "cn/court/none", public)
    assert (result.exit_code, "xianjie party add" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "members",
    [
        [],
        {},
        {"kty": "OKP", "crv": "Ed448", "x": "A"},
        {"kty": "OKP", "crv": "Ed25519", "x": "too short"},
        {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
        {"kty": "EC", "crv": "SM2", "x": "A" * 43, "y": "A" * 43},
        {"keys": []},
    ],
)
def test_what_is_no_public_key_never_reaches_the_keyring(installed: Installed, members: Any) -> None:
    file = installed.folder / "odd.jwk"
    file.write_text(json.dumps(members))
    assert installed.run("keys", "register", COURT, file).exit_code == 2
    assert installed.run("doctor").exit_code == 0


def test_an_example_key_is_refused_outside_a_demonstration(installed: Installed) -> None:
    example = EXAMPLES / "court.jwk"
    text = installed.config_path.read_text(encoding="utf-8")
    installed.config_path.write_text(text.replace("demo = true", "demo = false"), encoding="utf-8")
    result = installed.run("keys", "register", COURT, example)
    assert (result.exit_code, result.stderr.partition(":")[0]) == (2, "example_key_refused")
    installed.config_path.write_text(text, encoding="utf-8")
    assert installed.run("keys", "register", COURT, example).exit_code == 0


def test_a_gateway_that_runs_on_an_example_key_does_not_start(installed: Installed) -> None:
    own = installed.folder / "gw" / "keys" / "gateway.pem"
    shutil.copy(EXAMPLES / "gateway.pem", own)
    own.chmod(0o600)
    text = installed.config_path.read_text(encoding="utf-8").replace("demo = true", "demo = false")
    installed.config_path.write_text(text, encoding="utf-8")
    assert installed.run("serve", "--port", "0").stderr.startswith("example_key_refused")


def test_a_key_may_be_registered_for_some_days_only(installed: Installed) -> None:
    public = a_new_key(installed, "new")
    installed.done("keys", "register", COURT, public, "--days", "30")
    ends = datetime.fromisoformat(listed(installed)[kid_of(public)]["not_after"])
    assert timedelta(days=29) < ends - datetime.now(UTC) <= timedelta(days=30)


# --- rotate ---


def test_a_rotated_key_still_counts_during_the_overlap(installed: Installed) -> None:
    (old,) = listed(installed)
    public = a_new_key(installed, "new")
    installed.done("keys", "rotate", COURT, public, "--overlap-days", "7")
    after = listed(installed)
    assert {one["state"] for one in after.values()} == {"usable"}
    assert after[kid_of(public)]["not_after"] == ""
    assert datetime.fromisoformat(after[old]["not_after"]) - datetime.now(UTC) <= timedelta(days=7)


def test_a_rotation_without_overlap_ends_the_old_key_at_once(installed: Installed) -> None:
    (old,) = listed(installed)
    public = a_new_key(installed, "new")
    installed.done("keys", "rotate", COURT, public, "--overlap-days", "0")
    assert {kid: one["state"] for kid, one in listed(installed).items()} == {
        old: "key_expired",
        kid_of(public): "usable",
    }


def test_a_second_rotation_never_makes_a_key_last_longer(installed: Installed) -> None:
    (old,) = listed(installed)
    installed.done("keys", "rotate", COURT, a_new_key(installed, "second"), "--overlap-days", "1")
    ends = listed(installed)[old]["not_after"]
    installed.done("keys", "rotate", COURT, a_new_key(installed, "third"), "--overlap-days", "30")
    assert listed(installed)[old]["not_after"] == ends


def test_a_key_that_was_revoked_never_comes_back(installed: Installed) -> None:
    (old,) = listed(installed)
    installed.done("keys", "rotate", COURT, a_new_key(installed, "new"))
    installed.done("keys", "revoke", old, "--reason", "遗失")
    for command in ("register", "rotate"):
        result = installed.run("keys", command, COURT, installed.folder / "court" / "own.jwk")
        assert (result.exit_code, "key_revoked" in result.stderr) == (2, True)
    assert sorted(one["state"] for one in listed(installed).values()) == ["key_revoked", "usable"]


# --- revoke ---


def test_nothing_signed_with_a_revoked_key_is_believed(installed: Installed) -> None:
    (old,) = listed(installed)
    installed.done("keys", "revoke", old, "--reason", "遗失")
    with installed.serving():
        result = installed.send(ndjson(installed.folder / "rows.ndjson", a_row(1)))
    assert (result.exit_code, "[not_trusted]" in result.stderr) == (1, True), result.stderr


def test_after_a_lost_key_the_same_rows_go_with_the_new_one(installed: Installed) -> None:
    (old,) = listed(installed)
    file = ndjson(installed.folder / "rows.ndjson", a_row(1))
    installed.done("keys", "revoke", old, "--reason", "遗失")
    with installed.serving():
        assert installed.send(file).exit_code == 1
    installed.done("keys", "register", COURT, a_new_key(installed, "new"))
    with installed.serving():
        result = installed.send(file, XIANJIE_KEY=str(installed.folder / "new.pem"))
    assert (result.exit_code, "accepted 1" in result.stderr) == (0, True), result.stderr


def test_a_key_nobody_knows_cannot_be_revoked(installed: Installed) -> None:
    result = installed.run("keys", "revoke", "none", "--reason", "遗失")
    assert (result.exit_code, "no key none" in result.stderr) == (2, True)
    assert installed.run("keys", "revoke", "none").exit_code == 2


# --- publish ---


def test_what_is_published_are_the_gateways_usable_keys(installed: Installed) -> None:
    own = listed(installed, GATEWAY)
    installed.done("keys", "publish", installed.folder / "jwks.json")
    published = json.loads((installed.folder / "jwks.json").read_text())["keys"]
    assert {one["kid"]: one["use"] for one in published} == {kid: one["use"] for kid, one in own.items()}
    assert sorted(one["use"] for one in published) == ["enc", "sig"]
    assert not any("d" in one for one in published)
    for kid in own:
        installed.done("keys", "revoke", kid, "--reason", "遗失")
    installed.done("keys", "publish", installed.folder / "jwks.json")
    assert json.loads((installed.folder / "jwks.json").read_text()) == {"keys": []}


# --- keys for encryption ---


def an_encryption_key(installed: Installed, name: str, *, party: str) -> Path:
    assert generate(installed.folder / f"{name}.pem", "--alg", "X25519", party=party).exit_code == 0
    return installed.folder / f"{name}.jwk"


def test_a_pair_for_encryption_is_made_and_registered_as_one(installed: Installed) -> None:
    public = an_encryption_key(installed, "enc", party=COURT)
    assert mode(installed.folder / "enc.pem") == 0o600
    assert set(json.loads(public.read_text())) == {"kty", "crv", "x", "use", "kid", "party"}
    installed.done("keys", "register", COURT, public)
    found = listed(installed)[kid_of(public)]
    assert (found["use"], found["alg"], found["state"]) == ("enc", "ECDH-ES", "usable")


def test_a_rotation_ends_only_keys_of_the_same_use(installed: Installed) -> None:
    (signing,) = listed(installed)
    first, second = (an_encryption_key(installed, name, party=COURT) for name in ("one", "two"))
    installed.done("keys", "register", COURT, first)
    installed.done("keys", "rotate", COURT, second, "--overlap-days", "0")
    states = {kid: one["state"] for kid, one in listed(installed).items()}
    assert states == {signing: "usable", kid_of(first): "key_expired", kid_of(second): "usable"}
    installed.done("keys", "rotate", COURT, a_new_key(installed, "new"), "--overlap-days", "0")
    states = {kid: one["state"] for kid, one in listed(installed).items()}
    assert (states[signing], states[kid_of(second)]) == ("key_expired", "usable")


def test_who_revokes_the_last_key_for_encryption_is_told_what_that_means(installed: Installed) -> None:
    public = an_encryption_key(installed, "enc", party=COURT)
    installed.done("keys", "register", COURT, public)
    result = installed.done("keys", "revoke", kid_of(public), "--because", "遗失")
    assert "has no other key to encrypt to" in result.stderr


def test_an_ended_key_for_encryption_never_comes_back(installed: Installed) -> None:
    public = an_encryption_key(installed, "enc", party=COURT)
    installed.done("keys", "register", COURT, public)
    installed.done("keys", "revoke", kid_of(public), "--because", "遗失")
    result = installed.run("keys", "register", COURT, public)
    assert (result.exit_code, "key_revoked" in result.stderr) == (2, True)


def test_the_published_vectors_key_is_refused_outside_a_demonstration(installed: Installed) -> None:
    vectors = json.loads(VECTORS.read_text("utf-8"))
    public, own = installed.folder / "vector.jwk", installed.folder / "gw" / "keys" / "encryption.pem"
    public.write_text(json.dumps(vectors["jwk"]))
    own.write_text(vectors["private_key_pem"])
    assert installed.run("keys", "list").exit_code == 0
    text = installed.config_path.read_text(encoding="utf-8").replace("demo = true", "demo = false")
    installed.config_path.write_text(text, encoding="utf-8")
    assert installed.run("serve", "--port", "0").stderr.startswith("example_key_refused")
    own.unlink()
    assert installed.run("keys", "register", COURT, public).stderr.startswith("example_key_refused")


# --- what was accepted with a key ---


@pytest.mark.parametrize("command", [("revoke", "--because", "遗失"), ("accepted",)])
def test_a_fingerprint_that_begins_with_a_dash_is_no_option(installed: Installed, command: tuple[str, ...]) -> None:
    name, *more = command
    for kid in ("-hkL9", "-9hkL", "--hkL"):
        result = installed.run("keys", name, kid, *more)
        assert "Usage" not in result.stdout
        assert kid in result.output


def test_a_revocation_lists_everything_accepted_with_the_key_since(installed: Installed) -> None:
    (old,) = listed(installed)
    public = a_new_key(installed, "new")
    installed.done("keys", "rotate", COURT, public)
    with installed.serving():
        assert installed.send(ndjson(installed.folder / "a.ndjson", a_row(1), a_row(2))).exit_code == 0
        new = str(installed.folder / "new.pem")
        assert installed.send(ndjson(installed.folder / "b.ndjson", a_row(3)), XIANJIE_KEY=new).exit_code == 0
    told = installed.json("keys", "revoke", old, "--because", "遗失")
    assert [one["referral_id"] for one in told["accepted"]] == ["r-1", "r-2"]
    assert {one["type"] for one in told["accepted"]} == {"referral.submitted"}
    assert told == installed.json("keys", "accepted", old)
    assert [one["referral_id"] for one in installed.json("keys", "accepted", kid_of(public))["accepted"]] == ["r-3"]


def test_only_what_came_after_the_key_was_lost_is_listed(installed: Installed) -> None:
    (old,) = listed(installed)
    with installed.serving():
        assert installed.send(ndjson(installed.folder / "a.ndjson", a_row(1))).exit_code == 0
    before = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    after = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert len(installed.json("keys", "accepted", old, "--since", before)["accepted"]) == 1
    assert installed.json("keys", "accepted", old, "--since", after)["accepted"] == []
    told = installed.json("keys", "revoke", old, "--because", "遗失", "--compromised-since", after)
    assert told["accepted"] == []
    assert "r-1" in installed.done("keys", "accepted", old).stdout


def test_a_moment_nobody_can_read_is_a_mistake_of_usage(installed: Installed) -> None:
    (old,) = listed(installed)
    assert installed.run("keys", "accepted", old, "--since", "yesterday").exit_code == 2
    assert installed.run("keys", "accepted", "none").exit_code == 2


# --- the data key ---


def data_key(installed: Installed) -> Path:
    return installed.folder / "gw" / "keys" / "data.key"


def test_a_new_data_key_takes_over_and_the_old_one_may_go(installed: Installed) -> None:
    with installed.serving():
        assert installed.send(ndjson(installed.folder / "a.ndjson", a_row(1))).exit_code == 0
    old, new = data_key(installed).read_text(), b64encode(bytes(range(32))).decode() + "\n"
    data_key(installed).write_text(new + old)
    assert installed.json("keys", "rewrap") == {"rewrapped": 1, "sealed": 0}
    assert installed.json("keys", "rewrap") == {"rewrapped": 0, "sealed": 0}
    data_key(installed).write_text(new)
    assert installed.dispatch() == 1


def test_the_environment_may_hold_the_data_key_and_wins(installed: Installed) -> None:
    key = data_key(installed).read_text().strip()
    data_key(installed).unlink()
    assert installed.run("keys", "list").exit_code == 2
    assert installed.run("keys", "list", env={"XIANJIE_DATA_KEY": key}).exit_code == 0
    assert installed.run("keys", "list", env={"XIANJIE_DATA_KEY": "short"}).exit_code == 2


def test_what_an_older_version_stored_as_it_was_is_sealed(installed: Installed) -> None:
    with installed.serving():
        assert installed.send(ndjson(installed.folder / "a.ndjson", a_row(1))).exit_code == 0
    with installed.context() as context, context.store.reading() as connection:
        (row,) = connection.execute(sa.select(t.inbox)).mappings().all()
        (jws,) = sealing.inbound(connection, [dict(row)]).values()
    with installed.context() as context:
        context.store.write(lambda connection: connection.execute(t.inbox.update().values(jws=jws)))
    assert installed.json("keys", "rewrap") == {"rewrapped": 0, "sealed": 1}
    with installed.context() as context, context.store.reading() as connection:
        assert connection.scalar(sa.select(t.inbox.c.jws)).startswith("xjv1:")
    assert installed.dispatch() == 1


# --- hold ---


def held(installed: Installed, party: str = COURT) -> Path:
    return installed.config_path.parent / "keys" / "held" / f"{party.replace('/', '~')}.pem"


def test_a_key_that_is_held_is_registered_and_its_owners_alone(installed: Installed) -> None:
    before = set(listed(installed))
    installed.done("keys", "hold", COURT)
    (kid,) = set(listed(installed)) - before
    assert listed(installed)[kid]["state"] == "usable"
    assert (mode(held(installed)), mode(held(installed).parent)) == (0o600, 0o700)
    assert SigningKey.load_pem(held(installed).read_bytes(), COURT).kid == kid
    with installed.context() as context:
        assert {party: key.kid for party, key in context.held.items()} == {COURT: kid}


def held_kid(installed: Installed) -> str:
    return SigningKey.load_pem(held(installed).read_bytes(), COURT).kid


def test_holding_twice_overwrites_nothing(installed: Installed) -> None:
    installed.done("keys", "hold", COURT)
    first, known = held(installed).read_bytes(), set(listed(installed))
    again = installed.run("keys", "hold", COURT)
    assert (again.exit_code, held(installed).read_bytes() == first) == (2, True)
    assert f"Revoke {held_kid(installed)} first" in again.stderr
    assert set(listed(installed)) == known


def rotated(installed: Installed, kid: str) -> None:
    """Ended at once by the party's next key."""
    installed.done("keys", "generate", COURT, "--out", installed.folder / "next.pem")
    installed.done("keys", "rotate", COURT, installed.folder / "next.jwk", "--overlap-days", "0")
    assert listed(installed)[kid]["state"] == "key_expired"


def revoked(installed: Installed, kid: str) -> None:
    installed.done("keys", "revoke", kid, "--because", "测试")


@pytest.mark.parametrize("end", [rotated, revoked])
def test_a_held_key_that_was_ended_is_replaced_and_stays_ended(installed: Installed, end: Any) -> None:
    installed.done("keys", "hold", COURT)
    first = held_kid(installed)
    end(installed, first)
    state = listed(installed)[first]["state"]
    assert f"in place of {first}" in installed.done("keys", "hold", COURT).stderr
    second = held_kid(installed)
    assert second != first
    assert (listed(installed)[first]["state"], listed(installed)[second]["state"]) == (state, "usable")
    assert [path.name for path in held(installed).parent.iterdir()] == [held(installed).name]
    assert mode(held(installed)) == 0o600
    assert installed.run("keys", "hold", COURT).exit_code == 2


def test_a_key_that_ends_later_is_not_replaced_yet(installed: Installed) -> None:
    installed.done("keys", "hold", COURT)
    installed.done("keys", "generate", COURT, "--out", installed.folder / "next.pem")
    installed.done("keys", "rotate", COURT, installed.folder / "next.jwk", "--overlap-days", "1")
    before = held_kid(installed)
    assert (installed.run("keys", "hold", COURT).exit_code, held_kid(installed)) == (2, before)


@pytest.mark.parametrize("is_registered", [False, True])
def test_a_try_that_was_cut_off_is_finished_by_the_next_with_the_same_key(
    installed: Installed, is_registered: bool
) -> None:
    installed.done("keys", "hold", COURT)
    first = held_kid(installed)
    revoked(installed, first)
    installed.done("keys", "generate", COURT, "--out", installed.folder / "left.pem")
    left = json.loads((installed.folder / "left.jwk").read_text(encoding="utf-8"))["kid"]
    if is_registered:
        installed.done("keys", "register", COURT, installed.folder / "left.jwk")
    (installed.folder / "left.pem").rename(held(installed).with_name(f"{held(installed).name}.next"))
    assert held_kid(installed) == first
    installed.done("keys", "hold", COURT)
    assert (held_kid(installed), listed(installed)[left]["state"]) == (left, "usable")
    assert [path.name for path in held(installed).parent.iterdir()] == [held(installed).name]


def test_a_key_a_try_left_and_that_was_revoked_meanwhile_is_not_used(installed: Installed) -> None:
    installed.done("keys", "generate", COURT, "--out", installed.folder / "left.pem")
    left = json.loads((installed.folder / "left.jwk").read_text(encoding="utf-8"))["kid"]
    installed.done("keys", "register", COURT, installed.folder / "left.jwk")
    revoked(installed, left)
    held(installed).parent.mkdir(mode=0o700)
    (installed.folder / "left.pem").rename(held(installed).with_name(f"{held(installed).name}.next"))
    installed.done("keys", "hold", COURT)
    assert held_kid(installed) != left
    assert listed(installed)[held_kid(installed)]["state"] == "usable"


def test_a_key_file_nobody_registered_is_left_alone(installed: Installed) -> None:
    held(installed).parent.mkdir(mode=0o700)
    installed.done("keys", "generate", COURT, "--out", held(installed))
    result = installed.run("keys", "hold", COURT)
    assert (result.exit_code, "is not registered" in result.stderr) == (2, True)


def test_nothing_is_held_for_a_party_that_is_not_there(installed: Installed) -> None:
    result = installed.run("keys", "hold", "cn/court/nowhere")
    assert (result.exit_code, "xianjie party add" in result.stderr) == (2, True)
    assert not held(installed, "cn/court/nowhere").exists()


def test_a_held_key_others_can_read_stops_the_gateway(installed: Installed) -> None:
    installed.done("keys", "hold", COURT)
    held(installed).chmod(0o644)
    result = installed.run("keys", "list")
    assert (result.exit_code, "chmod 600" in result.stderr) == (2, True)


@pytest.mark.parametrize("party", ["../../etc/x", "cn/court/../../x"])
def test_no_party_leads_out_of_the_folder_of_keys(installed: Installed, party: str) -> None:
    assert installed.run("keys", "hold", party).exit_code == 2
    assert sorted(path.name for path in installed.config_path.parent.rglob("*.pem") if "~" in path.name) == []
