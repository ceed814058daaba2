"""Bundles with a member that is not in its shape."""

from gateway.envelope import strict_json
from gateway.evidence import bundle
from tests.bundle_builder import (
    COURT,
    GATEWAY,
    KEYS,
    Files,
    brief,
    fixed_key,
    honest,
)
from tests.bundle_vectors.registry import fails


@fails("json_too_deep", "attempts.json", "用极深的嵌套拖垮读取程序", "nested so deep that a careless reader falls over")
def nested_deep() -> bytes:
    return brief().build(members=lambda files: files.update({bundle.ATTEMPTS: b"[" * 4000 + b"]" * 4000}))


@fails("json_not_utf8", "participants.json", "文件不是 UTF-8 编码(GBK)", "a member in another encoding (GBK)")
def written_in_gbk() -> bytes:
    return brief().build(members=lambda files: files.update({bundle.PARTICIPANTS: '{"名":1}'.encode("gbk")}))


@fails(
    "shape_wrong", "readings.json/replies/0/amount_fen not_integer", "金额写成了文本", "an amount was written as text"
)
def amount_as_text() -> bytes:
    scene = honest()
    scene.replies[0]["amount_fen"] = "600.00"
    return scene.build()


@fails("entry_malformed", "log/entries.json #4", "存证条目换了一种写法", "an entry of the log in another spelling")
def entry_respelled() -> bytes:
    scene = brief()
    scene.log[4] = scene.log[4].replace(b'","', b'", "')
    return scene.build()


@fails(
    "key_kid_wrong",
    "keys.json " + KEYS[COURT].kid,
    "用法院密钥的编号挂上另一把公钥",
    "another key stands under the number of the court's",
)
def key_under_anothers_name() -> bytes:
    def members(files: Files) -> None:
        keys = strict_json.loads(files[bundle.KEYS])
        row = next(row for row in keys["keys"] if row["party"] == COURT)
        row["jwk"] = fixed_key(COURT, "other").public_jwk()
        files[bundle.KEYS] = strict_json.dumps(keys)

    return brief().build(members=members)


@fails(
    "key_is_private",
    "keys.json " + KEYS[GATEWAY].kid,
    "公钥文件里混入了私钥",
    "a private key stands among the public ones",
)
def private_key_inside() -> bytes:
    def members(files: Files) -> None:
        keys = strict_json.loads(files[bundle.KEYS])
        keys["keys"][0]["jwk"]["d"] = "AAAA"
        files[bundle.KEYS] = strict_json.dumps(keys)

    return brief().build(members=members)
