"""Small official-format datasets made by hand, the real ones where they are at hand, and a loopback web server."""

import errno
import gzip
import io
import os
import pickle
import struct
import subprocess
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vicious.data.datasets.celeba import ATTRIBUTES


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the real files (MNIST and Fashion-MNIST complete, subsets of CIFAR and Tiny ImageNet)."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real images are not at hand: {folder} is absent")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def jpeg(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def add_members(archive: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(archive, "w:gz") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def write_zip(archive: Path, members: dict[str, bytes]) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)


@dataclass
class Made:
    """A dataset made by hand: its root, the parts it was packed from, and a function that packs them (again)."""

    root: Path
    parts: dict[str, Any]
    pack: Callable[[], None]


def idx(array: np.ndarray, magic: int) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


@pytest.fixture
def mnist(tmp_path: Path, rng: np.random.Generator) -> Made:
    """30 train and 12 test images in MNIST's format; parts are the unpacked files' bytes."""
    root = tmp_path / "mnist root"
    parts = {}
    for prefix, n in (("train", 30), ("t10k", 12)):
        parts[f"{prefix}-images-idx3-ubyte.gz"] = idx(rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), 2051)
        parts[f"{prefix}-labels-idx1-ubyte.gz"] = idx(np.arange(n, dtype=np.uint8) % 10, 2049)

    def pack() -> None:
        folder = root / "MNIST/raw"
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in parts.items():
            (folder / name).write_bytes(gzip.compress(data, mtime=0))

    pack()
    return Made(root, parts, pack)


@pytest.fixture
def cifar10(tmp_path: Path, rng: np.random.Generator) -> Made:
    """Four images per batch in CIFAR-10's format; parts are the pickled members by name."""
    root = tmp_path / "cifar"
    root.mkdir()
    folder, parts = "cifar-10-batches-py", {}
    for number, name in enumerate(["data_batch_4", "test_batch", *(f"data_batch_{n}" for n in (1, 2, 3, 5))]):
        data = rng.integers(0, 256, (4, 3072), dtype=np.uint8)
        labels = [(number + step) % 10 for step in range(4)]
        parts[f"{folder}/{name}"] = pickle.dumps({b"data": data, b"labels": labels}, protocol=2)
    parts[f"{folder}/batches.meta"] = pickle.dumps({b"label_names": [b"class%d" % n for n in range(10)]}, protocol=2)

    def pack() -> None:
        add_members(root / "cifar-10-python.tar.gz", parts)

    pack()
    return Made(root, parts, pack)


@pytest.fixture
def tiny(tmp_path: Path) -> Made:
    """Tiny ImageNet with 200 classes, of which three have images: 12 train, 4 val; parts are the zip's members."""
    root, top = tmp_path / "tiny", "tiny-imagenet-200"
    wnids = [f"n{(number * 37) % 200:08d}" for number in range(200)]  # not in alphabetical order
    parts: dict[str, bytes] = {
        f"{top}/wnids.txt": "\n".join(wnids).encode(),
        f"{top}/words.txt": b"n00000037\tnewt, eft",
    }
    for label in (0, 1, 5):
        for number in (10, 2, 0, 1):
            image = np.full((64, 64, 3), (40 * label, 10 * number, 100), dtype=np.uint8)
            member = f"{top}/train/{wnids[label]}/images/{wnids[label]}_{number}.JPEG"
            parts[member] = jpeg(image[:, :, 0] if number == 2 else image)
    labels = [1, 0, 5, 1]
    for number, label in enumerate(labels):
        parts[f"{top}/val/images/val_{number}.JPEG"] = jpeg(np.full((64, 64, 3), 40 * label, dtype=np.uint8))
    lines = [f"val_{number}.JPEG\t{wnids[label]}\t0\t0\t9\t9\n" for number, label in enumerate(labels)]
    parts[f"{top}/val/val_annotations.txt"] = "".join(lines).encode()

    def pack() -> None:
        write_zip(root / "tiny-imagenet-200.zip", parts)

    pack()
    return Made(root, parts, pack)


@pytest.fixture
def celeba(tmp_path: Path, rng: np.random.Generator) -> Made:
    """Ten faces; parts are the images by name, and the lines of the two lists by their file names."""
    root, n = tmp_path / "faces", 10
    names = [f"{number:06d}.jpg" for number in range(1, n + 1)]
    labels = rng.integers(0, 2, (n, 40))
    rows = [
        f"{name} {' '.join('1' if value else '-1' for value in row)}" for name, row in zip(names, labels, strict=True)
    ]
    parts: dict[str, Any] = {
        "images": {
            name: jpeg(np.full((218, 178, 3), 20 * number, dtype=np.uint8)) for number, name in enumerate(names, 1)
        },
        "list_attr_celeba.txt": [str(n), " ".join(ATTRIBUTES), *rows],
        "list_eval_partition.txt": [f"{name} {split}" for name, split in zip(names, "0001020120", strict=True)],
        "labels": labels,
    }

    def pack() -> None:
        folder = root / "celeba"
        write_zip(folder / "img_align_celeba.zip", {f"img_align_celeba/{k}": v for k, v in parts["images"].items()})
        for name in ("list_attr_celeba.txt", "list_eval_partition.txt"):
            (folder / name).write_text("\n".join(parts[name]) + "\n")

    pack()
    return Made(root, parts, pack)


@dataclass
class Reply:
    """What the server does with one request.

    Attributes:
        status: HTTP status; a 200 becomes a 206 where a range is asked for and ``ranges`` is on.
        body: bytes of the whole file.
        kind: content type.
        ranges: whether ranges are honoured.
        cut: number of bytes after which the connection is closed, though more were promised.
        stall: seconds of silence before the body.
        length: whether the number of bytes is promised.
    """

    status: int = 200
    body: bytes = b""
    kind: str = "application/octet-stream"
    ranges: bool = True
    cut: int | None = None
    stall: float = 0.0
    length: bool = True


@pytest.fixture
def reply() -> type[Reply]:
    """The class itself, for tests to make replies of."""
    return Reply


@dataclass
class Server:
    """A web server on the loopback interface; the last reply of a path is repeated."""

    address: str
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def serve(self, path: str, *replies: Reply) -> str:
        """Queue replies for ``path``; returns its address."""
        self.replies[path] = list(replies)
        return self.address + path


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.requests.append((self.path, wanted))
            queue = state.replies.get(self.path, [Reply(404)])
            reply = queue.pop(0) if len(queue) > 1 else queue[0]
            body, status, start = reply.body, reply.status, 0
            if wanted and reply.ranges and status == 200:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                status = 206 if start < len(body) else 416
            self.send_response(status)
            self.send_header("Content-Type", reply.kind)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            elif status == 416:
                self.send_header("Content-Range", f"bytes */{len(body)}")
                start = len(body)
            if reply.length:
                self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            time.sleep(reply.stall)
            with suppress(OSError):  # the client may have given up
                self.wfile.write(body[start : None if reply.cut is None else start + reply.cut])

        def log_message(self, *args: object) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(f"http://127.0.0.1:{web.server_address[1]}")
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield state
    web.shutdown()
    web.server_close()


@pytest.fixture(params=["tmpfs", "simulated"])
def full_disk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose disk has room for 64 KiB, or (where none can be mounted) refuses to sync any file."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    if request.param == "simulated":

        def refuse(handle: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", refuse)
        yield folder
        return
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small file system cannot be mounted here (needs root)")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
