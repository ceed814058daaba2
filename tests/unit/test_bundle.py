"""The bundle as a file: one byte form, and nothing a stranger can write makes the reader fall over or fill up."""

import random
import struct
import zipfile
import zlib
from io import BytesIO

import pytest

from gateway.errors import BundleBroken, EvidenceTooLarge
from gateway.evidence import bundle
from gateway.evidence.bundle import MAX_BUNDLE, MAX_MEMBER, MAX_MEMBERS, read_bundle, write_bundle
from tests.bundle_builder import brief, honest


def refusal(raw: bytes) -> tuple[str, str]:
    """Rule and member."""
    with pytest.raises(BundleBroken) as caught:
        read_bundle(raw)
    return caught.value.note, str(caught.value.ids["subject"])


@pytest.fixture(scope="module")
def raw() -> bytes:
    return brief().build()


def test_what_was_written_is_read_again(raw: bytes) -> None:
    files = read_bundle(raw)
    assert raw == write_bundle(files)
    assert sorted(files) == list(files)


def test_the_same_evidence_is_the_same_bytes() -> None:
    assert honest().build(paged=True) == honest().build(paged=True)


def test_an_ordinary_unzip_program_reads_it(raw: bytes) -> None:
    with zipfile.ZipFile(BytesIO(raw)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == read_bundle(raw)


def test_more_than_a_reader_takes_is_not_written(raw: bytes) -> None:
    files = read_bundle(raw)
    with pytest.raises(EvidenceTooLarge):
        write_bundle({**files, "messages/001.jws": bytes(MAX_MEMBER + 1)})
    with pytest.raises(EvidenceTooLarge):
        write_bundle({**files, **{bundle.message_name(number): b"x" for number in range(1, MAX_MEMBERS)}})
    with pytest.raises(EvidenceTooLarge):
        write_bundle({**files, **{bundle.message_name(number): bytes(MAX_MEMBER) for number in range(1, 6)}})


def test_a_file_beyond_the_limit_is_not_even_opened() -> None:
    assert refusal(bytes(MAX_BUNDLE + 1)) == ("bundle_too_large", "")


def test_an_encrypted_member_is_refused(raw: bytes) -> None:
    place = raw.rindex(b"keys.json") - 46 + 8
    assert refusal(raw[:place] + b"\x01\x00" + raw[place + 2 :]) == ("member_encrypted", "keys.json")


def test_a_directory_of_a_million_members_is_refused_before_a_library_reads_it() -> None:
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 100_000
    begin = b"PK\x03\x04" + bytes(26)
    for count, size in ((100_000 % 65_536, len(directory)), (1, len(directory))):
        end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, size, len(begin), 0)
        assert refusal(begin + directory + end) == ("zip_too_many_members", "")


def test_a_zip_of_the_64_bit_kind_is_refused(raw: bytes) -> None:
    locator = b"PK\x06\x07" + bytes(16)
    assert refusal(raw[:-22] + locator + raw[-22:]) == ("zip_too_many_members", "")


def test_members_that_lie_upon_each_other_cannot_multiply_what_is_unpacked() -> None:
    content = bytes(MAX_MEMBER)
    checksum = zlib.crc32(content)
    begin = struct.pack("<4s5HL2L2H", b"PK\x03\x04", 20, 0, 0, 0, 33, checksum, len(content), len(content), 16, 0)
    body = begin + b"messages/001.jws" + content
    directory = b"".join(
        struct.pack(
            "<4s4B4HL2L5H2L",
            *(b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 33),
            *(checksum, len(content), len(content), 16, 0, 0, 0, 0, 0, 0),
        )
        + f"messages/{number:03d}.jws".encode()
        for number in range(1, 900)
    )
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 899, 899, len(directory), len(body), 0)
    assert refusal(body + directory + end)[0] == "zip_not_canonical"


def test_no_garbled_byte_makes_it_fall_over_or_is_overlooked(raw: bytes) -> None:
    chance = random.Random(20261125)
    for _ in range(400):
        place, value = chance.randrange(len(raw)), chance.randrange(1, 256)
        garbled = raw[:place] + bytes([raw[place] ^ value]) + raw[place + 1 :]
        refusal(garbled)


def test_no_cut_makes_it_fall_over_or_is_overlooked(raw: bytes) -> None:
    for length in range(0, len(raw), 61):
        refusal(raw[:length])
