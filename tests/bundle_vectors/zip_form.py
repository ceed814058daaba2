"""Bundles whose file is not the one the gateway gave."""

import stat
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO

from gateway.evidence import bundle
from gateway.evidence.bundle import read_bundle, write_bundle
from tests.bundle_builder import (
    Files,
    brief,
)
from tests.bundle_vectors.registry import fails


def _zip(
    files: Files, *, change: Callable[[zipfile.ZipInfo], object] = str, extra: Mapping[str, bytes] | None = None
) -> bytes:
    """As `write_bundle` does it, but for what is changed."""
    whole = BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, content in [*sorted(files.items()), *(extra or {}).items()]:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            change(info)
            archive.writestr(info, content)
    return whole.getvalue()


@fails("zip_unreadable", "", "不是 zip 文件", "not a zip at all")
def not_a_zip() -> bytes:
    return b"evidence of referral r-2026-0001\n" * 4


@fails("zip_cut_short", "", "传输中断,文件不完整", "cut short on the way")
def cut_short() -> bytes:
    return brief().build()[:9_000]


@fails("zip_bytes_before", "", "zip 之前夹带了字节", "bytes were put before the zip")
def bytes_before() -> bytes:
    return b"#!/bin/sh\n" + brief().build()


@fails("zip_bytes_behind", "", "zip 之后附加了字节", "bytes were put behind the zip")
def bytes_behind() -> bytes:
    return brief().build() + b"\n"


@fails("zip_not_canonical", "", "改了文件的时间戳", "a member's time stamp was changed")
def time_stamp_changed() -> bytes:
    def change(info: zipfile.ZipInfo) -> None:
        if info.filename == bundle.PAGE:
            info.date_time = (2026, 3, 3, 9, 0, 0)

    return _zip(read_bundle(brief().build()), change=change)


@fails(
    "member_repeated",
    "messages/001.jws",
    "同名文件两份,不同软件会读到不同内容",
    "one name twice: two programs would read two things",
)
def same_name_twice() -> bytes:
    return _zip(read_bundle(brief().build()), extra={"messages/001.jws": b"other"})


@fails("member_name_unsafe", "../../keys/gateway.pem", "解压时会写到文件夹之外", "would be unpacked outside its folder")
def path_traversal() -> bytes:
    return _zip(read_bundle(brief().build()), extra={"../../keys/gateway.pem": b"x"})


@fails("member_unknown", "notes.txt", "夹带了格式之外的文件", "a member the format does not have")
def member_of_no_kind() -> bytes:
    return _zip(read_bundle(brief().build()), extra={"notes.txt": b"please pay"})


@fails("member_is_no_file", "keys.json", "用符号链接代替文件", "a symbolic link instead of a file")
def symbolic_link() -> bytes:
    def change(info: zipfile.ZipInfo) -> None:
        if info.filename == bundle.KEYS:
            info.external_attr = (stat.S_IFLNK | 0o777) << 16

    return _zip(read_bundle(brief().build()), change=change)


@fails("member_too_large", "summary.txt", "压缩炸弹:很小的文件展开后极大", "a zip bomb: small here, huge when unpacked")
def zip_bomb() -> bytes:
    raw = brief().build()
    place = raw.rindex(b"summary.txt") - 46 + 24
    return raw[:place] + (2**31).to_bytes(4, "little") + raw[place + 4 :]


@fails("member_compressed", "messages/001.jws", "解包后又重新压缩", "unpacked and packed again with compression")
def packed_again() -> bytes:
    def change(info: zipfile.ZipInfo) -> None:
        if info.filename == "messages/001.jws":
            info.compress_type = zipfile.ZIP_DEFLATED

    return _zip({**read_bundle(brief().build()), "messages/001.jws": b"x"}, change=change)


@fails("member_damaged", "receipts/001.jws", "存储介质损坏,校验和不符", "a damaged disk: the checksum differs")
def bit_flipped() -> bytes:
    raw = brief().build()
    place = raw.index(read_bundle(raw)["receipts/001.jws"]) + 200
    return raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


@fails("member_missing", "log/checkpoint.txt", "整份检查点不见了", "the checkpoint is not there at all")
def checkpoint_missing() -> bytes:
    files = read_bundle(brief().build())
    del files[bundle.CHECKPOINT]
    return write_bundle(files)
