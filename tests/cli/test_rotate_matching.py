"""更换比对密钥 `xianjie keys rotate-matching`: the file gets a line more, and the same people are found."""

from tests.cli.installed import Installed, a_row, ndjson

WHO = ("--who", "测试员", "--because", "按年度更换")


def test_the_file_gets_a_layer_and_a_break_before_its_change_is_made_good(installed: Installed) -> None:
    with installed.serving():
        assert installed.send(ndjson(installed.folder / "a.ndjson", a_row(1))).exit_code == 0
    path = installed.folder / "gw" / "keys" / "matching.secret"
    former = path.read_bytes()
    assert installed.json("keys", "rotate-matching", *WHO)["changed"] > 0
    after = path.read_bytes()
    assert after.startswith(former + b"\n")
    assert not path.with_name("matching.secret.next").exists()
    # as if the machine had stopped between the commit and the change of the file
    path.with_name("matching.secret.next").write_bytes(after)
    path.with_name("matching.secret.next").chmod(0o600)
    path.write_bytes(former)
    assert installed.json("keys", "rotate-matching", *WHO)["changed"] == 0
    assert path.read_bytes() == after
