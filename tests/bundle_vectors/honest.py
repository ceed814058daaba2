"""Bundles in which nothing is refuted, and what they leave open."""

import json
from dataclasses import replace

from tests.bundle_builder import (
    COURT,
    GATEWAY,
    KEYS,
    WITNESS,
    brief,
    fixed_log_key,
    honest,
    minutes,
)
from tests.bundle_vectors.registry import directory_change, erase, passes


@passes(
    "完整一件:逾期后送达、签收、发放",
    "a whole case: late, then relayed, opened, paid",
    "keys_self_declared",
    "attempts_told",
)
def whole_case() -> bytes:
    return honest().build(paged=True)


@passes("刚刚转办,尚无部门办理", "just handed over: the agency has not answered yet", "rung_open")
def just_handed_over() -> bytes:
    return brief().build(paged=True)


def _pinned() -> bytes:
    keys = [{**key.public_jwk(), "kid": key.kid, "party": party_id} for party_id, key in KEYS.items()]
    return json.dumps({"keys": keys}).encode()


@passes(
    "密钥、日志公钥和检查点另行取得",
    "keys, the log's key and the checkpoint were obtained another way",
    given={"pinned.json": _pinned(), "checkpoint.txt": honest().checkpoint().encode()},
    keys="pinned.json",
    vkeys=[fixed_log_key(GATEWAY).vkey(), WITNESS.cosigner().vkey()],
    checkpoint="checkpoint.txt",
)
def everything_pinned() -> bytes:
    return honest().build(paged=True)


@passes("最后一份回执晚于检查点", "the last receipt came after the checkpoint", "leaf_after_checkpoint")
def checkpoint_lags() -> bytes:
    scene = brief()
    scene.size = len(scene.log) - 2
    return scene.build()


@passes("密钥轮换:旧密钥到期前签署", "a key that was rotated signed before its end", "rung_open")
def key_rotated() -> bytes:
    scene = brief()
    index = next(at for at, key in enumerate(scene.keys) if key.party_id == COURT)
    ended = replace(scene.keys[index], not_after=minutes(60))
    directory_change(scene, ended.kid, "key_ended", minutes(60))
    scene.keys[index] = ended
    return scene.build()


@passes("内容已依法删除,摘要仍可核对", "the content was erased; its digests still verify", "content_erased")
def content_erased() -> bytes:
    return erase(brief()).build()
