"""密钥文件 Whose key files are believed to be their owner's alone."""

from pathlib import Path

import pytest

from gateway.app import may_be_read_by_others
from gateway.config import load

ROOT, SERVICE, SOMEBODY = 0, 10_420, 1_000


@pytest.mark.parametrize(
    ("mode", "owner", "us", "refused"),
    [
        (0o600, SERVICE, SERVICE, False),
        (0o400, SERVICE, SERVICE, False),
        (0o640, SERVICE, SERVICE, True),
        (0o604, SERVICE, SERVICE, True),
        (0o600, ROOT, ROOT, False),
        (0o640, ROOT, ROOT, True),
        # as systemd hands credentials to a service: root's, readable by an access list that shows as the group's bit
        (0o440, ROOT, SERVICE, False),
        (0o640, ROOT, SERVICE, False),
        (0o660, ROOT, SERVICE, True),
        (0o444, ROOT, SERVICE, True),
        (0o640, SOMEBODY, SERVICE, True),
    ],
)
def test_a_key_is_its_owners_alone_or_roots_handed_to_a_service(mode: int, owner: int, us: int, refused: bool) -> None:
    assert may_be_read_by_others(0o100000 | mode, owner=owner, us=us) is refused


def test_the_environment_may_say_where_the_keys_are(tmp_path: Path) -> None:
    file = tmp_path / "xianjie.toml"
    file.write_text('[gateway]\nparty_id = "cn/gateway/520000"\ndatabase = "sqlite:///x.db"\n', encoding="utf-8")
    assert load(file, {}).keys == tmp_path / "keys"
    assert load(file, {"XIANJIE_KEYS": "/run/credentials/x"}).keys == Path("/run/credentials/x")
