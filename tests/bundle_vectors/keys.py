"""Bundles whose keys, signatures or outside witnesses do not hold."""

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

from gateway.envelope import strict_json
from gateway.envelope.compact import Header, decode_segment, encode_header, encode_segment
from gateway.envelope.signing import MESSAGE_TYP, RECEIPT_TYP
from gateway.evidence.checkpoint import Checkpoint, sign_checkpoint
from tests.bundle_builder import (
    AGENCY,
    COURT,
    GATEWAY,
    KEYS,
    START,
    brief,
    fixed_key,
    fixed_log_key,
    minutes,
)
from tests.bundle_vectors.registry import directory_change, fails


@fails("key_of_two_parties", KEYS[COURT].kid, "同一密钥挂在两个主体名下", "one key under two parties")
def key_of_two_parties() -> bytes:
    scene = brief()
    scene.keys.append(replace(next(key for key in scene.keys if key.party_id == COURT), party_id=AGENCY))
    return scene.build()


@fails("key_party_unknown", KEYS[AGENCY].kid, "签名单位不在参与方名单中", "a signer is not among the participants")
def signer_unlisted() -> bytes:
    scene = brief()
    scene.participants = [one for one in scene.participants if one.party_id != AGENCY]
    return scene.build()


@fails("gateway_unknown", GATEWAY, "自称网关的其实是一家法院", "what claims to be the gateway is a court")
def gateway_is_a_court() -> bytes:
    scene = brief()
    scene.participants = [replace(one, kind="court") if one.party_id == GATEWAY else one for one in scene.participants]
    return scene.build()


@fails(
    "key_altered",
    KEYS[AGENCY].kid,
    "数据库中换掉了部门的公钥有效期,与登记存证不符",
    "the agency's key was changed in the database after it was logged",
)
def key_changed_after_registration() -> bytes:
    scene = brief()
    scene.keys[2] = replace(scene.keys[2], not_before=START - timedelta(days=900))
    return scene.build()


@fails(
    "key_revocation_hidden",
    KEYS[COURT].kid,
    "法院密钥的撤销已存证,却不告知",
    "the court's key was revoked by the log, and the bundle does not tell",
)
def revocation_hidden() -> bytes:
    scene = brief()
    kid = KEYS[COURT].kid
    directory_change(scene, kid, "key_revoked", minutes(-10))
    return scene.build()


@fails(
    "key_end_hidden",
    KEYS[AGENCY].kid,
    "部门密钥的停用已存证,却不告知",
    "the agency's key was ended by the log, and the bundle does not tell",
)
def end_of_key_hidden() -> bytes:
    scene = brief()
    kid = KEYS[AGENCY].kid
    directory_change(scene, kid, "key_ended", minutes(10))
    return scene.build()


@fails(
    "key_registered_after_use",
    KEYS[COURT].kid,
    "密钥登记晚于它签署的报文被收下",
    "the key was registered after its message had been accepted",
)
def key_registered_later() -> bytes:
    scene = brief(court_key={"logged": False})
    key = next(key for key in scene.keys if key.party_id == COURT)
    scene.keys.remove(key)
    scene.key(KEYS[COURT], at=minutes(2200))
    return scene.build()


@fails("signature_wrong", "messages/001.jws", "伪造法院签名", "the court's signature is forged")
def court_signature_forged() -> bytes:
    return brief(referral={"raw": _forged}).build()


def _forged(jws: bytes) -> bytes:
    head, payload, _ = jws.split(b".")
    return b".".join([head, payload, encode_segment(b"\x02" * 64)])


@fails("signature_wrong", "receipts/002.jws", "伪造部门回执的签名", "the agency's signature on a receipt is forged")
def agency_receipt_forged() -> bytes:
    return brief(relay={"raw": _forged}).build()


@fails(
    "key_unknown", "messages/001.jws", "用未登记的密钥签署移送", "the referral is signed with a key nobody registered"
)
def key_nobody_registered() -> bytes:
    return brief(referral={"key": fixed_key(COURT, "unregistered")}).build()


@fails(
    "key_revoked", "messages/001.jws", "移送签署时法院密钥已被撤销", "the court's key had been revoked when it signed"
)
def signed_with_a_revoked_key() -> bytes:
    return brief(court_key={"revoked_at": minutes(-60)}).build()


@fails(
    "key_expired",
    "receipts/002.jws",
    "部门回执签署时密钥已过期",
    "the agency's key had ended when it signed the receipt",
)
def signed_with_an_expired_key() -> bytes:
    return brief(agency_key={"not_after": minutes(60)}).build()


@fails(
    "key_not_yet_valid",
    "messages/001.jws",
    "移送签署时密钥尚未生效",
    "the court's key was not valid yet when it signed",
)
def signed_before_the_key_is_valid() -> bytes:
    return brief(court_key={"not_before": START + timedelta(days=1)}).build()


@fails("key_not_for_signing", "receipts/002.jws", "用只能加密的密钥签名", "signed with a key that is for encryption")
def signed_with_an_encryption_key() -> bytes:
    return brief(agency_key={"use": "enc"}).build()


@fails("algorithm_other", "messages/001.jws", "签名头改写了算法", "the header names another algorithm than the key's")
def algorithm_swapped() -> bytes:
    def raw(jws: bytes) -> bytes:
        _, payload, signature = jws.split(b".")
        header = Header(alg="ES256", kid=KEYS[COURT].kid, typ=MESSAGE_TYP)
        return b".".join([encode_header(header), payload, signature])

    return brief(referral={"raw": raw}).build()


@fails("typ_wrong", "messages/001.jws", "拿回执的签名冒充报文", "a signature made for a receipt is filed as a message")
def receipt_filed_as_a_message() -> bytes:
    return brief(referral={"typ": RECEIPT_TYP}).build()


@fails("source_other", "messages/001.jws", "部门用自己的密钥冒充法院", "the agency signs in the court's name")
def agency_speaks_for_the_court() -> bytes:
    return brief(referral={"key": KEYS[AGENCY]}).build()


@fails(
    "paper_unreadable",
    "messages/001.jws",
    "签名头含不允许的字段",
    "a message whose header holds what is not allowed",
    "receipt_of_unknown_message",
)
def header_with_a_jku() -> bytes:
    def raw(jws: bytes) -> bytes:
        head, payload, _ = jws.split(b".")
        header = {**strict_json.loads(decode_segment(head)), "jku": "https://example.invalid/keys"}
        signing_input = encode_segment(strict_json.dumps(header)) + b"." + payload
        return signing_input + b"." + encode_segment(KEYS[COURT].sign(signing_input))

    return brief(referral={"raw": raw}).build()


def _other_court() -> bytes:
    other = fixed_key(COURT, "true one")
    return json.dumps({"keys": [{**other.public_jwk(), "kid": other.kid, "party": COURT}]}).encode()


@fails(
    "key_not_pinned",
    KEYS[COURT].kid,
    "包内法院密钥不是法院亲自交来的那把",
    "the court's key is not the one the court itself handed over",
    given={"pinned.json": _other_court()},
    keys="pinned.json",
)
def court_key_exchanged() -> bytes:
    return brief().build()


@fails(
    "log_key_not_pinned",
    GATEWAY,
    "日志公钥不是另行取得的那把",
    "the log's key is not the one obtained another way",
    vkeys=[fixed_log_key("other").named(GATEWAY).vkey()],
)
def log_key_exchanged() -> bytes:
    return brief().build()


def _split_view() -> bytes:
    scene = brief()
    return sign_checkpoint(
        Checkpoint(origin=GATEWAY, size=len(scene.log), root=sha256(b"another history").digest()),
        fixed_log_key(GATEWAY),
    ).encode()


@fails(
    "log_split",
    "--checkpoint",
    "网关对审计出示过另一个历史",
    "the gateway had shown the auditor another history",
    given={"checkpoint.txt": _split_view()},
    checkpoint="checkpoint.txt",
)
def two_histories() -> bytes:
    return brief().build()


@fails(
    "given_checkpoint_invalid",
    "--checkpoint",
    "另行取得的检查点不是这个日志签的",
    "the checkpoint from elsewhere is not signed by this log",
    given={
        "checkpoint.txt": sign_checkpoint(
            Checkpoint(origin=GATEWAY, size=9, root=bytes(32)), fixed_log_key("somebody").named(GATEWAY)
        ).encode()
    },
    checkpoint="checkpoint.txt",
)
def checkpoint_from_nowhere() -> bytes:
    return brief().build()
