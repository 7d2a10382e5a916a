"""How a dump becomes a file and is read again: sealed, whole, in order, under its key and no other."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.backups import sealing
from dbvigil.backups.dumping import Pace
from dbvigil.backups.errors import BackupError, DamagedBackup
from dbvigil.backups.files import Folder, is_physical, name_of
from dbvigil.backups.packing import Packer, check_whole, unpacked
from dbvigil.backups.sealing import CHUNK, MAGIC, Sealer, SealError, key_id, unsealed

KEY, OTHER = "first key of at least 32 characters", "other key of at least 32 characters"
SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5)


def sealed(data: bytes, key: str = KEY, pieces: int = 1000) -> bytes:
    file = io.BytesIO()
    sealer = Sealer(file, key)
    for place in range(0, len(data), pieces):
        sealer.write(data[place : place + pieces])
    sealer.close()
    return file.getvalue()


def opened(data: bytes, *keys: str) -> bytes:
    return b"".join(unsealed(io.BytesIO(data), keys or (KEY,)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pieces", [7001, 10 * CHUNK])
def test_what_was_sealed_is_opened(size: int, pieces: int) -> None:
    data = random.Random(size).randbytes(size)
    found = sealed(data, pieces=pieces)
    assert opened(found) == data
    assert opened(found, OTHER, KEY) == data
    assert data[:32] not in found or size < 32


def test_the_same_twice_is_not_the_same_sealed() -> None:
    assert sealed(b"rows") != sealed(b"rows")


def test_another_key_opens_nothing_and_names_the_one_that_would() -> None:
    with pytest.raises(SealError, match=f"sealed under key {key_id(KEY)}, which is none of those given"):
        opened(sealed(b"rows"), OTHER)
    assert KEY[:6] not in key_id(KEY)
    assert len(key_id(KEY)) == 16


@given(st.integers(0, 2 * CHUNK + 200), st.integers(1, 255))
def test_any_byte_that_was_changed_is_noticed(place: int, change: int) -> None:
    data = bytearray(SEALED)
    data[place % len(data)] ^= change
    with pytest.raises(SealError):
        opened(bytes(data))


SEALED = sealed(bytes(2 * CHUNK + 100))


@pytest.mark.parametrize(
    "length", [0, 5, len(MAGIC) + 40, len(SEALED) - 1, len(SEALED) - 117, CHUNK + 16 + 57, 57]
)
def test_what_was_cut_off_is_noticed(length: int) -> None:
    with pytest.raises(SealError):
        opened(SEALED[:length])


def test_chunks_that_change_places_or_files_are_noticed() -> None:
    head, size = len(MAGIC) + 40, CHUNK + 16
    first, second, rest = (
        SEALED[head : head + size],
        SEALED[head + size : head + 2 * size],
        SEALED[head + 2 * size :],
    )
    for body in (second + first + rest, first + first + rest, second + rest, first + second + rest + rest):
        with pytest.raises(SealError):
            opened(SEALED[:head] + body)
    other = sealed(bytes(2 * CHUNK + 100))
    with pytest.raises(SealError):
        opened(other[:head] + SEALED[head:])


def test_the_module_alone_opens_a_file(tmp_path: Path) -> None:
    copy = tmp_path / "alone.py"
    copy.write_text(Path(sealing.__file__).read_text())
    file = tmp_path / "file"
    file.write_bytes(sealed(b"rows" * 50_000))
    command = [sys.executable, "-I", str(copy), str(file)]
    done = subprocess.run(command, input=KEY.encode() + b"\n", capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"rows" * 50_000, b"")
    done = subprocess.run(command, input=OTHER.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"which is none of those given" in done.stderr


def packed(path: Path, data: bytes, key: str = "") -> Packer:
    packer = Packer(path, key)
    for place in range(0, len(data), 100_000):
        packer.write(data[place : place + 100_000])
    packer.close()
    return packer


@pytest.mark.parametrize("key", ["", KEY])
def test_what_was_packed_is_unpacked(tmp_path: Path, key: str) -> None:
    data, path = b"INSERT INTO t VALUES (1);\n" * 100_000, tmp_path / "file"
    packer = packed(path, data, key)
    assert b"".join(unpacked(path, (key,))) == data
    assert packer.plain == len(data)
    assert packer.size == path.stat().st_size < len(data) / 10
    check_whole(path, packer.sha256)
    with pytest.raises(DamagedBackup, match="its SHA-256 is not the one"):
        check_whole(path, "0" * 64)
    with pytest.raises(DamagedBackup, match="the file cannot be read: No such file"):
        check_whole(tmp_path / "lost", packer.sha256)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        Packer(path)


def test_gunzip_reads_what_is_not_sealed(tmp_path: Path) -> None:
    packed(tmp_path / "file", b"SELECT 1;\n" * 1000)
    done = subprocess.run(
        ["gzip", "-dc"], input=(tmp_path / "file").read_bytes(), capture_output=True, check=True
    )
    assert done.stdout == b"SELECT 1;\n" * 1000


@pytest.mark.parametrize("key", ["", KEY])
def test_what_goes_on_or_ends_early_is_damaged(tmp_path: Path, key: str) -> None:
    path = tmp_path / "file"
    packed(path, random.Random(1).randbytes(600_000), key)
    whole = path.read_bytes()
    for data in (whole[:-1], whole[: len(whole) // 2], whole + b"x", whole + bytes(500_000), b"", b"no dump"):
        path.write_bytes(data)
        with pytest.raises(DamagedBackup, match="file: "):
            list(unpacked(path, (key,)))


@pytest.mark.parametrize("key", ["", KEY])
def test_memory_stays_flat_however_large_the_dump(tmp_path: Path, key: str) -> None:
    path, block = tmp_path / "file", bytes(1024 * 1024)
    tracemalloc.start()
    packer = Packer(path, key)
    for _ in range(60):
        packer.write(block)
    packer.close()
    assert sum(map(len, unpacked(path, (key,)))) == 60 * len(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


def test_a_backup_is_kept_with_its_manifest_or_not_at_all(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "kept")
    folder.prepare()
    work = folder.work(7)
    (work / "dump").write_bytes(b"rows")
    relative = name_of("shop", 7, datetime(2026, 1, 31, 3, 15, tzinfo=UTC), sealed=True)
    assert relative == "shop/shop-20260131T031500Z-7.sql.gz.sealed"
    folder.keep(work / "dump", relative, {"held": {}})
    folder.clear(7)
    assert folder.holds(relative)
    assert folder.manifest(relative) == {"held": {}}
    assert sorted(path.name for path in folder.path.rglob("*")) == [
        "shop", "shop-20260131T031500Z-7.sql.gz.sealed", "shop-20260131T031500Z-7.sql.gz.sealed.json",
    ]  # fmt: skip
    folder.remove(relative)
    folder.remove(relative)
    assert not folder.holds(relative)
    with pytest.raises(DamagedBackup, match="the manifest cannot be read"):
        folder.manifest(relative)


def test_what_a_dead_process_left_is_removed(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (folder.work(7) / "dump").write_bytes(b"half")
    assert list(folder.work(7).iterdir()) == []


@pytest.mark.parametrize("relative", ["", "../else", "shop/../../else"])
def test_no_row_leads_out_of_the_folder(tmp_path: Path, relative: str) -> None:
    with pytest.raises(BackupError, match="names no file of this folder"):
        Folder(tmp_path).place(relative)


def test_names_of_databases_are_no_paths() -> None:
    at = datetime(2026, 1, 31, tzinfo=UTC)
    assert name_of("../a b/c", 1, at, sealed=False) == "_a_b_c/_a_b_c-20260131T000000Z-1.sql.gz"
    assert name_of("..", 1, at, sealed=False).startswith("_/_-")
    for sealed, end in ((False, ""), (True, ".sealed")):
        copied = name_of("shop", 1, at, sealed=sealed, physical=True)
        assert copied == f"shop/shop-20260131T000000Z-1.mbstream.gz{end}"
        assert is_physical(copied)
        assert not is_physical(name_of("shop", 1, at, sealed=sealed))
    assert not is_physical("shop.mbstream.gz/shop-20260131T000000Z-1.sql.gz")


def test_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(BackupError, match="may be written by others"):
        Folder(tmp_path).prepare()
    (tmp_path / "file").touch()
    with pytest.raises(BackupError, match="DB_BACKUP_FOLDER cannot be used"):
        Folder(tmp_path / "file" / "below").prepare()
    tmp_path.chmod(0o700)


def test_a_pace_is_kept_without_a_clock_of_its_own() -> None:
    now, pauses = [100.0], list[float]()

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    pace = Pace(1000.0, lambda: now[0], pause)
    pace.after(500)
    pace.after(2000)
    now[0] += 60
    pace.after(100)
    assert pauses == [pytest.approx(0.5), pytest.approx(2.0), pytest.approx(0.1)]
    Pace(0.0, lambda: now[0], pause).after(10**9)
    assert len(pauses) == 3
