import struct
import zipfile

import pytest

from rlattack.errors import RefusedFile
from rlattack.policies.archive import Archive, read_file


def test_members_are_read_whole(make_zip):
    path = make_zip({"data": b"{}", "policy.pth": b"123"}, packing=zipfile.ZIP_DEFLATED)
    archive = Archive(read_file(path), "zip")
    assert archive.names == ["data", "policy.pth"]
    assert archive.read("policy.pth") == b"123"


@pytest.mark.parametrize("name", ["../data", "/etc/passwd", "a/../../data", "a\\b", "C:data", "data/.."])
def test_member_that_points_outside_is_refused(make_zip, name):
    raw = make_zip({name: b"x"}).read_bytes()
    with pytest.raises(RefusedFile, match="points outside the zip"):
        Archive(raw, "zip")


def test_null_byte_in_a_name_is_refused(make_zip):
    raw = make_zip({"data_.txt": b"x"}).read_bytes().replace(b"data_.txt", b"data\0.txt")
    with pytest.raises(RefusedFile, match="points outside the zip"):
        Archive(raw, "zip")


def test_two_members_of_one_name_are_refused(make_zip):
    raw = make_zip({"data": b"x", "dat_": b"y"}).read_bytes().replace(b"dat_", b"data")
    with pytest.raises(RefusedFile, match="same name"):
        Archive(raw, "zip")


def test_too_many_members_are_refused(make_zip):
    raw = make_zip({f"{i}": b"" for i in range(4097)}).read_bytes()
    with pytest.raises(RefusedFile, match="more than 4096 members"):
        Archive(raw, "zip")


def test_zip_bomb_is_refused_by_its_ratio(make_zip):
    raw = make_zip({"data": bytes(20_000_000)}, packing=zipfile.ZIP_DEFLATED).read_bytes()
    with pytest.raises(RefusedFile, match="a zip bomb"):
        Archive(raw, "zip")


def test_large_total_is_refused(make_zip, monkeypatch):
    monkeypatch.setattr("rlattack.policies.archive.LARGEST", 1000)
    raw = make_zip({"a": bytes(600), "b": bytes(600)}).read_bytes()
    with pytest.raises(RefusedFile, match="when unpacked, expected at most"):
        Archive(raw, "zip")


def test_member_that_grows_beyond_its_declared_size_is_not_read_on(make_zip):
    raw = bytearray(make_zip({"data": bytes(5_000_000)}, packing=zipfile.ZIP_DEFLATED).read_bytes())
    central = raw.index(b"PK\x01\x02")
    raw[central + 24 : central + 28] = struct.pack("<I", 100)  # the size when unpacked, as the directory declares it
    with pytest.raises(RefusedFile, match="data is damaged"):
        Archive(bytes(raw), "zip").read("data")


def test_member_larger_than_asked_for_is_refused(make_zip):
    with pytest.raises(RefusedFile, match="expected at most"):
        Archive(make_zip({"data": bytes(100)}).read_bytes(), "zip").read("data", largest=10)


def test_encrypted_member_is_refused(make_zip):
    raw = bytearray(make_zip({"data": b"x"}).read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(RefusedFile, match="is encrypted"):
        Archive(bytes(raw), "zip")


def test_other_packing_than_deflate_is_refused(make_zip):
    with pytest.raises(RefusedFile, match="not deflate"):
        Archive(make_zip({"data": b"x"}, packing=zipfile.ZIP_LZMA).read_bytes(), "zip")


@pytest.mark.parametrize("keep", [0, 10, -30])
def test_truncated_zip_is_refused(make_zip, keep):
    raw = make_zip({"data": b"x" * 100}).read_bytes()
    with pytest.raises(RefusedFile, match="not a zip, or a truncated one"):
        Archive(raw[:keep], "zip")


def test_zip_truncated_after_a_zip_within_it_is_refused(make_zip):
    inner = make_zip({"inner": b"x"}).read_bytes()
    raw = make_zip({"policy.pth": inner, "data": b"x"}).read_bytes()
    with pytest.raises(RefusedFile, match="truncated, or something stands before the zip"):
        Archive(raw[: raw.index(inner) + len(inner)], "zip")


def test_damaged_member_is_refused(make_zip):
    raw = make_zip({"data": b"xxxx"}).read_bytes().replace(b"xxxx", b"xyxx")
    with pytest.raises(RefusedFile, match="data is damaged"):
        Archive(raw, "zip").read("data")


def test_missing_member_is_named(make_zip):
    with pytest.raises(RefusedFile, match="expected a member 'data', got a"):
        Archive(make_zip({"a": b""}).read_bytes(), "zip").read("data")


def test_missing_file_and_folder_are_refused(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(RefusedFile, match="expected a file"):
            read_file(path)


def test_large_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("rlattack.policies.archive.LARGEST", 10)
    (tmp_path / "file").write_bytes(bytes(11))
    with pytest.raises(RefusedFile, match="expected at most"):
        read_file(tmp_path / "file")
