"""What data claim of themselves is checked before it is read: sizes of images, of files, and of what these unpack to.

No file, however small, takes more than a stated amount of memory, and nothing but regular files is opened.
"""

import dataclasses
import gzip
import hashlib
import io
import json
import os
import re
import signal
import struct
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from vicious.data import facts
from vicious.data.datasets import find_dataset
from vicious.data.facts import ROOM
from vicious.data.fetch import fetch
from vicious.data.formats.images import MOST_OF_ONE, decode
from vicious.data.formats.raw import RawDataset
from vicious.data.formats.tar import MEMBERS, read_member
from vicious.data.prepare import prepare
from vicious.data.prepared import load_prepared
from vicious.data.source import obtain, read_source
from vicious.data.synthetic.plan import write_synthetic
from vicious.data.unpacked import measure
from vicious.system.errors import DataError
from vicious.system.files import digest, open_regular, read_json
from vicious.system.progress import Progress

MEGABYTE = 1 << 20
ZEROS = gzip.compress(bytes(MEGABYTE))
"""One megabyte, packed; gzip files may follow each other."""


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """What waits or reads for ever fails instead."""

    def ring(*_: Any) -> None:
        raise TimeoutError("the test takes too long")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def read_all(dataset: str, root: Path) -> None:
    for split in find_dataset(dataset).read(root).splits.values():
        for _ in split.images(np.arange(len(split))):
            pass


def refused(dataset: str, root: Path, message: str, megabytes: int = 40) -> None:
    """Reading ends in this error, with at most so much memory, and soon."""
    start = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=message):
            read_all(dataset, root)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * MEGABYTE
    assert time.monotonic() - start < 30


# Sizes of images


@pytest.mark.parametrize("sides", [(0, 0), (1, 1), (29, 31), (28, 0), (2**16, 2**16)])
def test_an_idx_file_with_images_of_another_size(mnist: Any, sides: tuple[int, int]) -> None:
    name = "train-images-idx3-ubyte.gz"
    mnist.parts[name] = struct.pack(">4I", 2051, 30, *sides) + bytes(min(30 * sides[0] * sides[1], 10**6))
    mnist.pack()
    refused("mnist", mnist.root, rf"{name}: its images have {sides[0]} x {sides[1]} pixels, expected 28 x 28")


def encoded(width: int, height: int, kind: str = "JPEG", mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, kind, **options)
    return buffer.getvalue()


def claiming(width: int, height: int) -> bytes:
    """A JPEG file of 64 x 64 pixels whose header states another size."""
    sound = encoded(64, 64)
    at = sound.index(b"\xff\xc0") + 5
    return sound[:at] + struct.pack(">2H", height, width) + sound[at + 4 :]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3000, 10), (64, 63), (178, 218)])
def test_a_photograph_of_another_size(tiny: Any, width: int, height: int) -> None:
    name = "tiny-imagenet-200/val/images/val_2.JPEG"
    for data in (encoded(width, height), claiming(width, height)):
        tiny.parts[name] = data
        tiny.pack()
        message = rf"200.zip: the image {name} is {width} x {height} pixels wide and high, expected 64 x 64"
        refused("tiny_imagenet", tiny.root, message)


def test_the_size_is_checked_before_pixels_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JpegImageFile, "load", lambda self: pytest.fail("it was decoded"))
    for side, message in ((9000, "is 9000 x 9000 pixels"), (65500, "cannot be decoded .*exceeds limit")):
        with pytest.raises(DataError, match=f"the image y {message}"):
            decode(find_dataset("tiny_imagenet"), claiming(side, side), Path("x"), "y")


def test_a_face_that_lies_on_its_side(celeba: Any) -> None:
    celeba.parts["images"]["000003.jpg"] = encoded(218, 178)
    celeba.pack()
    refused("celeba", celeba.root, r"the image 000003\.jpg is 218 x 178 pixels wide and high, expected 178 x 218")


# Formats of images


@pytest.mark.parametrize("kind", ["PNG", "EPS", "GIF", "TIFF", "BMP", "PPM", "WEBP"])
def test_only_jpeg_is_decoded(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    ran = tmp_path / "ran"
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch {ran}\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ghostscript.parent}:{os.environ['PATH']}")
    tiny.parts["tiny-imagenet-200/val/images/val_1.JPEG"] = encoded(64, 64, kind)
    tiny.pack()
    refused("tiny_imagenet", tiny.root, r"val_1\.JPEG cannot be decoded")
    assert not ran.exists()


EXIF = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x02\xff\xff\xff\xff\0\0\0\0" * 5000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (encoded(64, 64)[:300], "cannot be decoded"),
        (b"\xff\xd8\xff\xe0", "cannot be decoded"),
        (encoded(64, 64).replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x10"), "cannot be decoded"),
        (encoded(64, 64).replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"), "cannot be decoded"),
        (encoded(64, 64).replace(b"\xff\xc0", b"\xff\xcb"), "cannot be decoded"),
        (encoded(64, 64) + bytes(MOST_OF_ONE), f"more than {MOST_OF_ONE}"),
    ],
    ids=["cut off", "a header", "16 bits", "12 bits", "arithmetic", "a long tail"],
)
def test_a_jpeg_file_that_is_none_of_the_datasets(tiny: Any, data: bytes, message: str) -> None:
    tiny.parts["tiny-imagenet-200/val/images/val_1.JPEG"] = data
    tiny.pack()
    refused("tiny_imagenet", tiny.root, rf"val_1\.JPEG .*{message}")


@pytest.mark.parametrize("kind", [struct.error, MemoryError, KeyError, RecursionError, EOFError])
def test_any_error_of_the_decoder_is_explained(tiny: Any, monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise kind("unexpected")

    monkeypatch.setattr(Image, "open", fail)
    refused("tiny_imagenet", tiny.root, r"\.JPEG cannot be decoded \('?unexpected'?\)")


def test_a_jpeg_file_with_odd_but_harmless_parts_is_read(tiny: Any) -> None:
    for data in (encoded(64, 64, exif=EXIF), encoded(64, 64, mode="CMYK"), encoded(64, 64, progressive=True)):
        tiny.parts["tiny-imagenet-200/val/images/val_1.JPEG"] = data
        tiny.pack()
        read_all("tiny_imagenet", tiny.root)


# Small files that unpack to much


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, sparse: bytes = b"") -> bytes:
    """One header of a tar archive; ``sparse`` is where an old GNU archive lists what is between holes."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size, kind
    data = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    if sparse:
        data[386 : 386 + len(sparse)] = sparse
        data[148:156] = b"        "
        data[148:156] = b"%06o\0 " % sum(data)
    return bytes(data)


BATCH = "cifar-10-batches-py/batches.meta"
HOLE = b"%011o\0%011o\0" % (2**32 - 512, 512) + bytes(24 * 3) + b"\0" + b"%011o\0" % 2**32
ENDLESS = b"%011o\0%011o\0" % (1, 1) * 4 + b"\1" + b"%011o\0" % 2**32
TAR_BOMBS = {
    "a hole": ([header(BATCH, 512, tarfile.GNUTYPE_SPARSE, HOLE), bytes(1024)], 0, "is sparse, which is refused"),
    "a list of holes": (
        [header("x", 0, tarfile.GNUTYPE_SPARSE, ENDLESS), *[(ENDLESS[:24] * 21).ljust(512, b"\1")] * 10**4],
        0,
        "is sparse, which is refused",
    ),
    "a long name": ([header("././@LongLink", 2**31 - 1, tarfile.GNUTYPE_LONGNAME)], 2048, "are larger than all of the"),
    "a long header": ([header("x", 2**31 - 1, tarfile.XHDTYPE)], 2048, "are larger than all of the"),
    "a large member": ([header(BATCH, 2**31)], 2048, "are larger than all of the official archive's"),
    "large members": ([header("x", 2**27), bytes(2**27)] * 2, 0, "are larger than all of the official archive's"),
    "a member beyond the end": ([header(BATCH, 2**27)], 1, "of 134217728 bytes"),
    "many members": ([header("x") * MEMBERS], 0, f"it has more than {MEMBERS} members"),
    "a negative size": ([header(BATCH).replace(b"00000000000\0", b"-0000000512\0")], 0, "cannot be read"),
    "no header": ([b"x" * 512], 0, "a header of a member holds"),
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("kind", TAR_BOMBS)
def test_a_tar_archive_that_unpacks_to_much(tmp_path: Path, kind: str, packed: bool) -> None:
    """Megabytes: the last member read is at most as large as the archive."""
    parts, zeros, message = TAR_BOMBS[kind]
    data = [gzip.compress(part) if packed else part for part in parts] + [ZEROS if packed else b""] * zeros
    with (tmp_path / "cifar-10-python.tar.gz").open("wb") as file:
        file.writelines(data)
    refused("cifar10", tmp_path, message, 140 if kind == "a member beyond the end" else 12)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_members_are_those_of_pythons_own_reader(tmp_path: Path, form: int, mode: Any) -> None:
    contents = {"a": b"", "folder/b": b"b" * 511, "./c": b"c" * 512, "d" * 90 + "/e" * 30: b"e", "ünï": b"u" * 513}
    path = tmp_path / "x.tar"
    with tarfile.open(path, mode, format=form) as tar:
        for number, (name, data) in enumerate(contents.items()):
            for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
                other = tarfile.TarInfo(name)
                other.type, other.linkname = kind, "/etc/passwd"
                tar.addfile(other)
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), number + 0.5  # which pax keeps in a header of its own
            tar.addfile(entry, io.BytesIO(data))
    for name, data in contents.items():
        # No dataset has a longer name, or one that is not of ASCII letters
        if (len(name) <= 100 or form == tarfile.USTAR_FORMAT) and (name.isascii() or form != tarfile.PAX_FORMAT):
            assert read_member(path, name.removeprefix("./"), 10**6) == data
    with pytest.raises(DataError, match="the member nothing is missing"):
        read_member(path, "nothing", 10**6)


@pytest.mark.parametrize("name", ["train-labels-idx1-ubyte.gz", "train-images-idx3-ubyte.gz"])
def test_an_idx_file_that_unpacks_to_much(mnist: Any, name: str) -> None:
    sides = (28, 28) if "images" in name else ()
    start = struct.pack(f">{2 + len(sides)}I", 2051 if sides else 2049, 2**30, *sides)
    path = mnist.root / "MNIST/raw" / name
    path.write_bytes(gzip.compress(start) + ZEROS * 1024)
    refused("mnist", mnist.root, "promises 1073741824 images, the official file has 60000", 12)
    start = struct.pack(f">{2 + len(sides)}I", 2051 if sides else 2049, 30, *sides)
    path.write_bytes(gzip.compress(start) + ZEROS * 1024)
    refused("mnist", mnist.root, "but more than", 12)


def lied(archive: Path, member: str, size: int) -> None:
    """State another unpacked size of a member."""
    data = bytearray(archive.read_bytes())
    for start, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        place = 0
        while (place := data.find(start, place)) >= 0:
            name = place + (30 if start == b"PK\3\4" else 46)
            if data[name : name + len(member)] == member.encode():
                data[place + at : place + at + 4] = struct.pack("<I", size)
            place += 4
    archive.write_bytes(data)


@pytest.mark.parametrize("member", ["wnids.txt", "words.txt", "val/val_annotations.txt", "val/images/val_0.JPEG"])
@pytest.mark.parametrize("way", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("stated", [None, 1000])
def test_a_zip_archive_that_unpacks_to_much(tiny: Any, member: str, way: int, stated: int | None) -> None:
    name, archive = f"tiny-imagenet-200/{member}", tiny.root / "tiny-imagenet-200.zip"
    tiny.parts.pop(name)
    tiny.pack()
    with zipfile.ZipFile(archive, "a", way, compresslevel=1) as file, file.open(name, "w") as large:
        for _ in range(64):
            large.write(bytes(MEGABYTE))
    if stated:
        lied(archive, name, stated)
    refused("tiny_imagenet", tiny.root, rf"{name} |Bad CRC-32 for file '{name}'")


@pytest.mark.parametrize("member", ["wnids.txt", "val/images/val_0.JPEG"])
def test_the_stated_size_of_a_member_is_checked_before_it_is_read(tiny: Any, member: str) -> None:
    lied(tiny.root / "tiny-imagenet-200.zip", f"tiny-imagenet-200/{member}", 2**31 - 1)
    refused("tiny_imagenet", tiny.root, rf"{member} has 2147483647 bytes, more than")


def test_a_zip_archive_with_a_long_list_of_members(tiny: Any) -> None:
    entry = b"PK\1\2" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"x"
    entries = entry * (40 * MEGABYTE // len(entry))
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(entries), 0, 0)
    (tiny.root / "tiny-imagenet-200.zip").write_bytes(entries + end)
    refused("tiny_imagenet", tiny.root, "the list of its members is too long")


@pytest.mark.parametrize("name", ["list_attr_celeba.txt", "list_eval_partition.txt"])
def test_lists_of_faces_that_are_too_long(celeba: Any, name: str) -> None:
    path = celeba.root / "celeba" / name
    sound = path.read_text().rstrip("\n")
    path.write_text(sound + " 1" * 30_000_000)
    refused("celeba", celeba.root, f"{name}: it has a line of 1000 bytes or more", 4)
    path.write_text(f"{sound}\n" + f"{sound.splitlines()[-1]}\n" * (300_000 if "attr" in name else 5_000_000))
    refused("celeba", celeba.root, f"{name}: it has more than 202601 lines", 80)


def test_a_face_with_too_many_bytes_in_a_folder(celeba: Any) -> None:
    folder = unpacked(celeba)
    with (folder / "000001.jpg").open("ab") as file:
        file.truncate(2**40)
    raw = reopened(celeba)
    with pytest.raises(DataError, match=rf"000001\.jpg has more than {MOST_OF_ONE} bytes"):
        list(raw.splits["train"].images(np.arange(1)))


@pytest.mark.parametrize("promised", [True, False])
def test_a_download_stops_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Any, reply: Any, promised: bool
) -> None:
    """With a checksum of the user's, too, where the size is not known; the host may say how much it sends, or not."""
    monkeypatch.setattr(facts, "ROOM", 1000)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    name, body = "cifar-10-python.tar.gz", b"x" * 10 * MEGABYTE
    spec = find_dataset("cifar10")
    url = server.serve("/a", reply(body=body, length=promised))
    spec = dataclasses.replace(spec, files=(dataclasses.replace(spec.files[0], size=5, mirrors=(url,)),))
    largest = 0

    def received(self: Any, amount: int, note: str = "") -> None:
        nonlocal largest
        largest += amount

    monkeypatch.setattr(Progress, "advance", received)
    checksums = {name: hashlib.sha256(body).hexdigest()}
    message = "offers 10485760 bytes, the file has at most 1005" if promised else "served other bytes"
    with pytest.raises(DataError, match=message):
        fetch(spec, tmp_path, download=True, checksums=checksums)
    assert largest <= MEGABYTE
    assert not list(tmp_path.glob("cifar*"))


def test_a_file_that_is_too_large_is_not_even_hashed(mnist: Any) -> None:
    spec = find_dataset("mnist")
    with (mnist.root / spec.files[0].path).open("ab") as file:
        file.truncate(2**40)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is not the expected file.* has 1099511627776"):
        fetch(spec, mnist.root, download=False, checksums={spec.files[0].name: "0" * 32})


def test_the_official_files_are_within_the_limits(real_data: Path) -> None:
    for name in ("mnist", "fashion_mnist", "cifar10", "cifar100", "tiny_imagenet"):
        for file in find_dataset(name).files:
            path = real_data / file.path
            unpacked_size = 0
            if path.suffix == ".gz":
                with gzip.open(path) as packed:
                    while piece := packed.read(MEGABYTE):
                        unpacked_size += len(piece)
            assert max(path.stat().st_size, unpacked_size) < file.most
    assert ROOM > 60_000 * 28 * 28  # an unpacked file, which may lie in place of the packed one


# What is no regular file


def link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("a pipe"))
    path.symlink_to("a pipe")


SPECIAL: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (os.mkfifo, "it is a named pipe"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a device"),
    "folder": (Path.mkdir, "it is a folder"),
    "link to a pipe": (link_to_a_pipe, "it is a named pipe"),
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_only_regular_files_are_read(tmp_path: Path, kind: str) -> None:
    make, message = SPECIAL[kind]
    path = tmp_path / "one.json"
    make(path)
    for read in (open_regular, read_json, digest, read_source):
        with pytest.raises(DataError, match=rf"one\.json cannot be read: {message}\. Put the file itself there"):
            read(path)


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "cifar100", "tiny_imagenet", "celeba"])
def test_no_dataset_is_read_from_special_files(tmp_path: Path, name: str, kind: str) -> None:
    make, message = SPECIAL[kind]
    spec = find_dataset(name)
    write_synthetic(spec, tmp_path, 3, 1, 2)
    sums = {file.path: digest(tmp_path / file.path) for file in spec.files}
    for file in spec.files:
        if file.unpacked and kind == "folder":  # which no step reads under this name, since fetch refuses it
            continue
        path = tmp_path / file.path
        kept = path.rename(path.with_name("kept"))
        make(path)
        for read in (lambda: read_all(name, tmp_path), lambda: fetch(spec, tmp_path, download=True, checksums=sums)):
            with pytest.raises(DataError, match=rf"{re.escape(file.name)} (cannot be read: {message}|.*is missing)"):
                read()
        for left in (path, path.with_name("a pipe")):
            left.rmdir() if left.is_dir() else left.unlink(missing_ok=True)
        kept.rename(path)
    read_all(name, tmp_path)


@pytest.mark.parametrize("kind", SPECIAL)
def test_no_face_is_read_from_a_special_file(celeba: Any, kind: str) -> None:
    make, message = SPECIAL[kind]
    folder = unpacked(celeba)
    (folder / "000001.jpg").unlink()
    make(folder / "000001.jpg")
    with pytest.raises(DataError, match=rf"000001\.jpg cannot be read: {message}"):
        measure(folder)
    with pytest.raises(DataError, match=rf"000001\.jpg cannot be read: {message}"):
        list(reopened(celeba).splits["train"].images(np.arange(1)))


@pytest.mark.parametrize("kind", SPECIAL)
def test_no_download_is_written_to_a_special_file(tmp_path: Path, kind: str) -> None:
    make, message = SPECIAL[kind]
    for name in (".fetch.lock", "cifar-10-python.tar.gz.part"):
        root = tmp_path / name
        root.mkdir()
        make(root / name)
        with pytest.raises(DataError, match=rf"{re.escape(name)} cannot be read: {message}"):
            fetch(find_dataset("cifar10"), root, download=True, checksums={})


@pytest.mark.parametrize("kind", SPECIAL)
def test_no_prepared_array_is_read_from_a_special_file(prepared: Any, kind: str) -> None:
    make, message = SPECIAL[kind]
    path = prepared.folder / "train_images.npy"
    path.unlink()
    make(path)
    with pytest.raises(DataError, match=rf"train_images\.npy cannot be read: {message}"):
        load_prepared(prepared.folder).images("train")


# What was verified is what is read


def unpacked(celeba: Any) -> Path:
    """Put the faces into the folder that may stand in for the zip archive, which goes."""
    archive = celeba.root / "celeba/img_align_celeba.zip"
    with zipfile.ZipFile(archive) as file:
        file.extractall(archive.parent)
    archive.unlink()
    return Path(archive.with_suffix(""))


def reopened(celeba: Any) -> RawDataset:
    read = find_dataset("celeba").read_unpacked
    assert read is not None
    return read(celeba.root)


@pytest.fixture
def verified(celeba: Any, tmp_path: Path) -> Path:
    """The record of an unpacked folder."""
    unpacked(celeba)
    record, spec = tmp_path / "source.json", find_dataset("celeba")
    lists = {file.path: f"md5:{digest(celeba.root / file.path, 'md5')}" for file in spec.files[1:]}
    obtain(spec, "official", celeba.root, record, download=False, checksums=lists, counts=None)
    return record


def test_a_zip_that_appears_after_the_folder_was_verified_is_not_read(
    celeba: Any, verified: Path, tmp_path: Path
) -> None:
    def prepared(out: Path) -> bytes:
        found = read_source(verified)
        counts = {"train": None, "validation": None, "test": None}
        spec = find_dataset("celeba")
        prepare(spec, celeba.root, out, source="official", split_seed=0, files=found["files"], **counts)
        return bytes(load_prepared(out).images("train"))

    before = prepared(tmp_path / "before")
    white = Image.new("RGB", (178, 218), "white")
    for name in celeba.parts["images"]:
        buffer = io.BytesIO()
        white.save(buffer, "JPEG")
        celeba.parts["images"][name] = buffer.getvalue()
    celeba.pack()
    assert prepared(tmp_path / "after") == before


@pytest.mark.parametrize("change", ["replaced", "swapped", "renamed", "added", "removed", "gone"])
def test_a_folder_that_was_altered_since_it_was_verified(celeba: Any, verified: Path, change: str) -> None:
    read_source(verified)
    folder = celeba.root / "celeba/img_align_celeba"
    first, second, spare = (folder / f"{name}.jpg" for name in ("000001", "000002", "000099"))
    match change:
        case "replaced":
            data = bytearray(first.read_bytes())
            data[-10] ^= 1
            first.write_bytes(data)
        case "swapped":
            first.rename(spare)
            second.rename(first)
            spare.rename(second)
        case "renamed":
            first.rename(spare)
        case "added":
            spare.write_bytes(b"")
        case "removed":
            first.unlink()
        case _:
            folder.rename(folder.with_name("other"))
    with pytest.raises(DataError, match=r"img_align_celeba (was altered|is missing) since it was fetched"):
        read_source(verified)


def test_leftovers_in_the_folder_change_nothing(celeba: Any, verified: Path) -> None:
    for name in ("._000001.jpg", ".DS_Store", "Thumbs.db"):
        (celeba.root / "celeba/img_align_celeba" / name).write_bytes(b"x")
    read_source(verified)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 100_000, "9" * 5000, "", "\xff"])
def test_a_json_file_that_is_none_is_a_value_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "one.json"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(ValueError, match=r"."):
        read_json(path)
    with pytest.raises(DataError, match="is damaged"):
        read_source(path)


@pytest.mark.parametrize(
    "change",
    [
        {"files": 3},
        {"files": [3]},
        {"files": [{"path": "f", "size": -1, "sha256": ""}]},
        {"files": [{"path": "f", "size": "1", "sha256": ""}]},
        {"files": [{"path": "f", "size": 1}]},
        {"files": [{"path": "a" * 5000, "size": 1, "sha256": ""}]},
        {"files": [{"path": "\0", "size": 1, "sha256": ""}]},
        {"files": [{"path": "/dev/zero", "size": 1, "sha256": ""}]},
        {"files": [{"path": ".", "size": 1, "sha256": ""}]},
        {"root": 3},
        {"root": "\0"},
        {"source": "another"},
        {"dataset": None},
    ],
)
def test_a_record_of_files_that_is_none_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / "f").write_bytes(b"x")
    sound = {"path": "f", "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    record = {"dataset": "mnist", "source": "official", "root": str(tmp_path), "files": [sound]}
    path = tmp_path / "records" / "source.json"
    path.parent.mkdir()
    path.write_text(json.dumps(record))
    assert read_source(path)["files"] == [sound]
    path.write_text(json.dumps(record | change))
    with pytest.raises(DataError):
        read_source(path)
