"""Bundles whose files, seal or pages are not what the manifest says."""

from hashlib import sha256

from gateway.envelope import strict_json
from gateway.envelope.compact import encode_segment
from gateway.envelope.signing import MESSAGE_TYP, sign
from gateway.evidence import bundle
from gateway.evidence.bundle import read_bundle, write_bundle
from gateway.evidence.packing import SEAL_TYP
from tests.bundle_builder import (
    COURT,
    GATEWAY,
    KEYS,
    Files,
    brief,
    fixed_key,
    honest,
)
from tests.bundle_vectors.registry import fails, replaced


@fails("json_duplicate_key", "manifest.json", "清单中同一键出现两次", "the manifest has one key twice")
def manifest_with_a_key_twice() -> bytes:
    raw = brief().build()
    manifest = read_bundle(raw)[bundle.MANIFEST]
    return replaced(raw, bundle.MANIFEST, b'{"referral_id":"r-other",' + manifest[1:])


@fails("version_unknown", "manifest.json", "格式版本本程序不认识", "a version of the format this program does not know")
def version_of_tomorrow() -> bytes:
    return brief().build(manifest={"version": 2})


@fails(
    "file_altered",
    "messages/001.jws",
    "出具后改动了法院移送",
    "the court's referral was changed after the bundle was made",
)
def referral_changed_afterwards() -> bytes:
    raw = brief().build()
    jws = read_bundle(raw)["messages/001.jws"]
    return replaced(raw, "messages/001.jws", jws.replace(b"A", b"B", 1))


@fails(
    "file_size_wrong",
    "decisions.json",
    "出具后删短了决定记录",
    "the decisions were shortened after the bundle was made",
)
def decisions_emptied_afterwards() -> bytes:
    return replaced(honest().build(), bundle.DECISIONS, b'{"decisions":[]}\n')


@fails(
    "file_missing",
    "messages/002.jws",
    "出具后抽走了转办报文",
    "the handoff was taken out after the bundle was made",
    "paper_number_missing",
)
def handoff_taken_out_afterwards() -> bytes:
    files = read_bundle(honest().build())
    del files["messages/002.jws"]
    return write_bundle(files)


@fails("file_unlisted", "messages/003.jws", "出具后塞进一份报文", "a message was slipped in after the bundle was made")
def message_slipped_in_afterwards() -> bytes:
    raw = brief().build()
    return replaced(raw, "messages/003.jws", read_bundle(honest().build())["messages/003.jws"])


@fails("fingerprint_wrong", "manifest.json", "清单所载指纹是另一份证据的", "the fingerprint is another bundle's")
def fingerprint_of_another_bundle() -> bytes:
    return brief().build(manifest={"fingerprint": "00" * 32})


@fails("file_listed_twice", "keys.json", "清单把公钥文件列了两次", "the manifest lists the keys twice")
def listed_twice() -> bytes:
    files = read_bundle(brief().build())
    manifest = strict_json.loads(files[bundle.MANIFEST])
    manifest["files"].append(next(row for row in manifest["files"] if row["name"] == bundle.KEYS))
    return _resealed({**files, bundle.MANIFEST: strict_json.dumps(manifest)})


def _resealed(files: Files, typ: str = SEAL_TYP) -> bytes:
    seal = {"manifest_sha256": sha256(files[bundle.MANIFEST]).hexdigest()}
    return write_bundle({**files, bundle.SEAL: sign(strict_json.dumps(seal), KEYS[GATEWAY], typ).encode()})


@fails("paper_number_missing", "receipts/002.jws", "回执编号跳号,暗示抽走了一份", "the receipts skip a number")
def number_skipped() -> bytes:
    def members(files: Files) -> None:
        files["receipts/003.jws"] = files.pop("receipts/002.jws")

    return brief().build(members=members)


@fails(
    "seal_of_other_party",
    "manifest.jws",
    "清单由法院而非网关签名",
    "the court signed the manifest instead of the gateway",
)
def sealed_by_the_court() -> bytes:
    return brief().build(seal=KEYS[COURT])


@fails(
    "seal_of_other_manifest", "manifest.jws", "把另一份清单的签名移过来", "the seal of another manifest was put here"
)
def seal_of_another_bundle() -> bytes:
    return replaced(brief().build(), bundle.SEAL, read_bundle(honest().build())[bundle.SEAL])


@fails("signature_wrong", "manifest.jws", "清单的签名是伪造的", "the manifest's signature is forged")
def seal_forged() -> bytes:
    files = read_bundle(brief().build())
    head, payload, _ = files[bundle.SEAL].split(b".")
    return write_bundle({**files, bundle.SEAL: b".".join([head, payload, encode_segment(b"\x01" * 64)])})


@fails(
    "typ_wrong",
    "manifest.jws",
    "拿报文的签名冒充清单的签名",
    "a signature made for a message was used for the manifest",
)
def seal_of_another_kind() -> bytes:
    return _resealed(read_bundle(brief().build()), MESSAGE_TYP)


@fails("seal_malformed", "manifest.jws", "清单的签名头夹带自己的公钥", "the seal's header brings a key of its own")
def seal_brings_its_own_key() -> bytes:
    files = read_bundle(brief().build())
    key = fixed_key(GATEWAY, "own")
    header = {"alg": "Ed25519", "kid": key.kid, "typ": SEAL_TYP, "jwk": key.public_jwk()}
    payload = strict_json.dumps({"manifest_sha256": sha256(files[bundle.MANIFEST]).hexdigest()})
    signing_input = encode_segment(strict_json.dumps(header)) + b"." + encode_segment(payload)
    return write_bundle({**files, bundle.SEAL: signing_input + b"." + encode_segment(key.sign(signing_input))})


@fails("page_is_active", "summary.html", "摘要页含脚本", "the page for people has a script")
def page_with_a_script() -> bytes:
    def pages(files: Files) -> None:
        files[bundle.PAGE] += b"<script>alert(1)</script>\n"

    return brief().build(pages=pages, paged=True)


@fails("page_differs", "summary.html", "摘要页所写金额与证据不符", "the page tells another amount than the evidence")
def page_tells_another_amount() -> bytes:
    def pages(files: Files) -> None:
        files[bundle.PAGE] = files[bundle.PAGE].replace(b"20,000.00", b"30,000.00")

    return brief().build(pages=pages, paged=True)


@fails("page_differs", "summary.txt", "文本摘要隐去了尚未了结之处", "the plain summary leaves out what is still open")
def plain_page_leaves_out() -> bytes:
    def pages(files: Files) -> None:
        lines = files[bundle.PLAIN].decode().splitlines(keepends=True)
        files[bundle.PLAIN] = "".join(line for line in lines if not line.startswith("  - ")).encode()

    return brief().build(pages=pages, paged=True)
