"""What the demonstration is made of: one of its agencies is written to, and writes, so that nobody else can read it."""

from pathlib import Path

from gateway.app import build_context
from gateway.cli.demo_world import CHANNELS, ENCRYPTED, GATEWAY, agency_toml, make_world, party_of
from gateway.sandbox.agency_config import read_config


def test_one_agency_registered_a_key_for_encryption_and_holds_its_other_half(tmp_path: Path) -> None:
    world = make_world(tmp_path, f"sqlite:///{tmp_path / 'xianjie.db'}")
    context = build_context(world.config)
    try:
        keyring, now = context.snapshot(world.clock()).keyring, world.clock()
    finally:
        context.store.close()
    asked = {agency: keyring.encryption_key_of(party_of(agency), now) for agency in CHANNELS}
    assert [agency for agency, key in asked.items() if key is not None] == [ENCRYPTED]
    for agency, key in asked.items():
        config = read_config(agency_toml(world, agency, "http://127.0.0.1:1"))
        own = config.desks[party_of(agency)].decryption
        assert (own.kid if own else None) == (key.kid if key else None)
        assert config.keyring.encryption_key_of(GATEWAY, now) is not None


def test_its_data_key_is_its_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        make_world(tmp_path / name, f"sqlite:///{tmp_path / name / 'xianjie.db'}")
    keys = {(tmp_path / name / "keys" / "data.key").read_bytes() for name in ("one", "two")}
    assert len(keys) == 2
