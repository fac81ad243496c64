"""Official bytes or a clear error: mirrors, resume, time-outs, web pages, hashes, files placed by hand."""

import dataclasses
import errno
import fcntl
import gzip
import hashlib
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from vicious.data import fetch as module
from vicious.data.datasets import find_dataset
from vicious.data.facts import Dataset
from vicious.data.fetch import VerifiedFile, fetch
from vicious.system.errors import ConfigError, DataError, DownloadError, StorageError

CONTENT = os.urandom(300_000)
NAME = "cifar-10-python.tar.gz"
PAGE = b"<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>"


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def declared(dataset: str, contents: dict[str, bytes], **mirrors: tuple[str, ...]) -> Dataset:
    """The dataset as if its official files were these; ``mirrors`` by path, none of the others."""
    spec = find_dataset(dataset)
    files = [dataclasses.replace(file, mirrors=mirrors.get(file.path, ())) for file in spec.files]
    pretended = [
        dataclasses.replace(file, size=len(contents[file.path]), md5=md5(contents[file.path]))
        for file in files
        if file.path in contents
    ]
    return dataclasses.replace(spec, files=tuple(pretended))


CIFAR = declared("cifar10", {NAME: CONTENT})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACK_OFF", 0.01)
    monkeypatch.setattr(module, "TIMEOUTS", (10.0, 10.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def download(root: Path, *urls: str, checksums: dict[str, str] | None = None) -> list[VerifiedFile]:
    return fetch(declared("cifar10", {NAME: CONTENT}, **{NAME: urls}), root, download=True, checksums=checksums or {})


def leftovers(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file() and path.name != ".fetch.lock")


# Downloading


def test_download_verifies_and_names_the_file_last(tmp_path: Path, server: Any, reply: Any) -> None:
    root = tmp_path / "a new root"
    (file,) = download(root, server.serve("/a", reply(body=CONTENT)))
    assert (root / NAME).read_bytes() == CONTENT
    assert leftovers(root) == [NAME]
    assert file == VerifiedFile(
        NAME, len(CONTENT), md5(CONTENT), hashlib.sha256(CONTENT).hexdigest(), True, "official size and md5"
    )
    assert file.official is True
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((root / NAME).stat().st_mode) == 0o666 & ~umask
    download(root, "http://127.0.0.1:1/never-asked")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [403, 404, 410])
def test_refusal_goes_to_the_next_mirror_at_once(tmp_path: Path, server: Any, reply: Any, status: int) -> None:
    """The original MNIST host answers 403 (vision#1938)."""
    download(tmp_path, server.serve("/no", reply(status)), server.serve("/yes", reply(body=CONTENT)))
    assert [path for path, _ in server.requests] == ["/no", "/yes"]
    assert leftovers(tmp_path) == [NAME]


@pytest.mark.parametrize("status", [503, 500, 429])
def test_busy_server_is_asked_again(tmp_path: Path, server: Any, reply: Any, status: int) -> None:
    download(tmp_path, server.serve("/a", reply(status), reply(status), reply(body=CONTENT)))
    assert len(server.requests) == 3
    assert leftovers(tmp_path) == [NAME]


def test_busy_server_is_given_up_after_three_tries(tmp_path: Path, server: Any, reply: Any) -> None:
    with pytest.raises(DownloadError) as error:
        download(tmp_path, server.serve("/busy", reply(503)), server.serve("/no", reply(403)))
    assert [path for path, _ in server.requests] == ["/busy"] * 3 + ["/no"]
    message = str(error.value)
    assert f"{server.address}/busy: 503 Service Unavailable, 3 times" in message
    assert f"{server.address}/no: 403 Forbidden" in message
    assert "or place by hand" in message
    assert f"{NAME}  ({len(CONTENT)} bytes, md5 {md5(CONTENT)})" in message
    assert CIFAR.homepage in message
    assert leftovers(tmp_path) == []


def test_cut_connection_is_resumed(tmp_path: Path, server: Any, reply: Any) -> None:
    download(tmp_path, server.serve("/a", reply(body=CONTENT, cut=100_000), reply(body=CONTENT)))
    assert [wanted for _, wanted in server.requests] == [None, "bytes=100000-"]
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_many_cuts_are_no_failure_while_bytes_come(tmp_path: Path, server: Any, reply: Any) -> None:
    download(tmp_path, server.serve("/a", reply(body=CONTENT, cut=50_000)))
    assert len(server.requests) == 6
    assert leftovers(tmp_path) == [NAME]


def test_partial_download_of_an_earlier_run_is_resumed(tmp_path: Path, server: Any, reply: Any) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:1234])
    download(tmp_path, server.serve("/a", reply(body=CONTENT)))
    assert [wanted for _, wanted in server.requests] == ["bytes=1234-"]
    assert leftovers(tmp_path) == [NAME]


@pytest.mark.parametrize("ranges", [True, False])
def test_stale_partial_download_is_dropped_and_tried_afresh(
    tmp_path: Path, server: Any, reply: Any, ranges: bool
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(b"x" * 1234)
    download(tmp_path, server.serve("/a", reply(body=CONTENT, ranges=ranges)))
    assert [wanted for _, wanted in server.requests] == ["bytes=1234-", None][: 2 if ranges else 1]
    assert leftovers(tmp_path) == [NAME]


@pytest.mark.parametrize("part", [CONTENT, CONTENT + b"more", b"x" * len(CONTENT)], ids=["whole", "longer", "other"])
def test_partial_download_with_nothing_left_to_ask_for(tmp_path: Path, server: Any, reply: Any, part: bytes) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(part)
    download(tmp_path, server.serve("/a", reply(body=CONTENT)))
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert leftovers(tmp_path) == [NAME]


def test_silent_server_times_out_and_the_next_mirror_serves(
    tmp_path: Path, server: Any, reply: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUTS", (10.0, 1.5))
    started = time.monotonic()
    silent = server.serve("/silent", reply(body=CONTENT, stall=30))
    download(tmp_path, silent, server.serve("/b", reply(body=CONTENT)))
    assert [path for path, _ in server.requests] == ["/silent"] * 3 + ["/b"]
    assert time.monotonic() - started < 10


def test_wrong_bytes_are_not_kept_and_the_next_mirror_serves(tmp_path: Path, server: Any, reply: Any) -> None:
    wrong = server.serve("/wrong", reply(body=b"x" * len(CONTENT)))
    with pytest.raises(DownloadError, match="/wrong: served other bytes than the official ones"):
        download(tmp_path, wrong)
    assert leftovers(tmp_path) == []
    download(tmp_path, wrong, server.serve("/b", reply(body=CONTENT)))
    assert [path for path, _ in server.requests] == ["/wrong", "/wrong", "/b"]


def test_file_of_another_size_is_refused_before_it_is_loaded(tmp_path: Path, server: Any, reply: Any) -> None:
    with pytest.raises(DownloadError, match=f"offers 5 bytes, the file has {len(CONTENT)}"):
        download(tmp_path, server.serve("/a", reply(body=b"12345")))
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
@pytest.mark.parametrize("body", [PAGE, b"\n <html>scan</html>", PAGE.ljust(len(CONTENT))])
def test_web_page_in_place_of_the_file(tmp_path: Path, server: Any, reply: Any, kind: str, body: bytes) -> None:
    """A quota or virus-scan page saved as CelebA's zip (vision#1920, #8338)."""
    with pytest.raises(DownloadError, match=r"served a web page \(of a quota, .*not kept"):
        download(tmp_path, server.serve("/a", reply(body=body, kind=kind)))
    assert len(server.requests) == 1
    assert leftovers(tmp_path) == []


def test_dead_hosts_and_bad_addresses(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{unused.getsockname()[1]}/{NAME}"
        with pytest.raises(DownloadError) as error:
            download(tmp_path, dead, f"{dead}?again", "ftp://127.0.0.1/x", "no address")
    message = str(error.value)
    assert f"{dead}: ConnectionRefusedError: [Errno 111] Connection refused, 3 times" in message
    assert f"{dead}?again: ConnectionRefusedError: [Errno 111] Connection refused (not tried again)" in message
    assert "ftp://127.0.0.1/x: not an http(s) address" in message
    assert "no address: not an address" in message
    assert leftovers(tmp_path) == []


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without proxies and certificates."""
    for name in list(os.environ):
        if name.lower().endswith(("_proxy", "_ca_bundle", "sslkeylogfile")):
            monkeypatch.delenv(name)
    return monkeypatch


SOUND_PROXIES = ["http://me:secret@127.0.0.1:9", "127.0.0.1:9", "socks5://127.0.0.1:9", "https://127.0.0.1:9"]
BAD_PROXIES = ["http://127.0.0.1:abc", "http://me:secret@", "ftp://127.0.0.1:9", "://", "http://[::1", "http://:9"]


@pytest.mark.parametrize(("name", "scheme"), [("HTTPS_PROXY", "https"), ("http_proxy", "http"), ("ALL_PROXY", "http")])
@pytest.mark.parametrize("value", [*SOUND_PROXIES, *BAD_PROXIES])
def test_a_proxy_that_fails_is_named_by_its_variable(
    tmp_path: Path, unset: pytest.MonkeyPatch, name: str, scheme: str, value: str
) -> None:
    unset.setenv(name, value)
    with pytest.raises(DownloadError, match=rf"environment: {name}={re.escape(value.partition('me:')[0])}") as error:
        download(tmp_path, f"{scheme}://nowhere.invalid/x")
    message = str(error.value)
    assert "secret" not in message
    assert "not an http(s) address" not in message
    assert "not an address" not in message
    assert ("no address such as http://host:port" in message) == (value in BAD_PROXIES)


def test_a_proxy_that_is_not_used_is_not_blamed(tmp_path: Path, unset: pytest.MonkeyPatch, server: Any) -> None:
    unset.setenv("http_proxy", "://")
    unset.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(DownloadError, match="404 Not Found") as error:
        download(tmp_path, f"{server.address}/none")
    assert "http_proxy" not in str(error.value)


def test_a_proxy_that_wants_a_password_is_named(
    tmp_path: Path, unset: pytest.MonkeyPatch, server: Any, reply: Any
) -> None:
    server.serve("http://nowhere.invalid/x", reply(407))
    unset.setenv("http_proxy", server.address)
    with pytest.raises(DownloadError, match=rf"407 .*http_proxy={server.address}"):
        download(tmp_path, "http://nowhere.invalid/x")


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_are_not_there_are_named_by_their_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for other in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    with pytest.raises(DownloadError, match=rf"{name}=.*none.pem"):
        download(tmp_path, "https://127.0.0.1:9/x")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_networks_own_certificates_have_a_variable(tmp_path: Path, unset: pytest.MonkeyPatch) -> None:
    key, certificate, subject = tmp_path / "key.pem", tmp_path / "certificate.pem", "/CN=127.0.0.1"
    made = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj {subject} -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*made.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    content = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT

    def answer(listening: socket.socket) -> None:
        while listening.fileno() >= 0:
            with suppress(OSError), context.wrap_socket(listening.accept()[0], server_side=True) as talk:
                talk.recv(4096)
                talk.sendall(content)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answer, args=[listening], daemon=True).start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/x"
        with pytest.raises(DownloadError, match="REQUESTS_CA_BUNDLE names their file"):
            download(tmp_path / "data", url)
        unset.setenv("REQUESTS_CA_BUNDLE", str(key))
        with pytest.raises(DownloadError, match=rf"environment: REQUESTS_CA_BUNDLE={key}"):
            download(tmp_path / "data", url)
        unset.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        download(tmp_path / "data", url)


def test_what_can_be_had_is_kept_when_one_file_fails(tmp_path: Path, server: Any, reply: Any) -> None:
    contents = {"celeba/img_align_celeba.zip": b"zip", "celeba/list_attr_celeba.txt": b"list"}
    mirrors = {
        "celeba/img_align_celeba.zip": (server.serve("/zip", reply(body=PAGE, kind="text/html")),),
        "celeba/list_attr_celeba.txt": (server.serve("/list", reply(body=b"list", kind="text/plain")),),
    }
    with pytest.raises(DownloadError) as error:
        fetch(declared("celeba", contents, **mirrors), tmp_path, download=True, checksums={})
    assert "unpacked folder celeba/img_align_celeba may stand in" in str(error.value)
    assert "list_attr" not in str(error.value)
    assert leftovers(tmp_path) == ["list_attr_celeba.txt"]


def test_full_disk_leaves_nothing_under_the_final_name(full_disk: Path, server: Any, reply: Any) -> None:
    with pytest.raises(StorageError, match="the disk is full"):
        download(full_disk, server.serve("/a", reply(body=CONTENT)))
    assert not (full_disk / NAME).exists()
    assert len(server.requests) == 1


def test_one_process_downloads_and_the_other_finds_the_file(tmp_path: Path, server: Any, reply: Any) -> None:
    url = server.serve("/a", reply(body=CONTENT, stall=0.3))
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(download(tmp_path, url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1
    assert len(results) == 3
    assert results[0] == results[1] == results[2]


def test_killed_download_is_resumed(tmp_path: Path, server: Any, reply: Any, launch: Any) -> None:
    """A partial download under its final name would be taken for complete (torchvision; pytorch#740)."""
    url = server.serve("/a", reply(body=CONTENT, cut=200_000, stall=0.0), reply(body=CONTENT, stall=30))
    code = (
        "import sys\nfrom pathlib import Path\nfrom vicious.data import fetch as f\n"
        "from dataclasses import replace\nfrom vicious.data.datasets import find_dataset\n"
        "cifar = find_dataset('cifar10')\n"
        "f.BACK_OFF = 0\nf.fetch(replace(cifar, files=(replace(cifar.files[0], mirrors=[sys.argv[2]]),)), "
        f"Path(sys.argv[1]), download=True, checksums={{{NAME!r}: {md5(CONTENT)!r}}})"
    )
    process = launch([sys.executable, "-c", code, str(tmp_path), url], stderr=subprocess.DEVNULL)
    while len(server.requests) < 2:
        time.sleep(0.01)
        assert process.poll() is None
    process.kill()
    process.wait()
    assert leftovers(tmp_path) == [f"{NAME}.part"]
    download(tmp_path, server.serve("/b", reply(body=CONTENT)), checksums={NAME: md5(CONTENT)})
    assert server.requests[-1] == ("/b", "bytes=200000-")


def test_ended_while_it_is_hashed_a_download_leaves_its_part_alone_and_is_complete(
    tmp_path: Path, server: Any, reply: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: Any) -> str:
        raise KeyboardInterrupt

    url = server.serve("/a", reply(body=CONTENT))
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(module, "_hash", ended)
        download(tmp_path, url)
    assert leftovers(tmp_path) == [f"{NAME}.part"]
    download(tmp_path, url)
    assert leftovers(tmp_path) == [NAME]
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert server.requests[-1][1] == f"bytes={len(CONTENT)}-", "nothing was downloaded again"


# Files that are there


def test_missing_files_are_all_listed_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        fetch(find_dataset("celeba"), tmp_path / "none", download=False, checksums={"list_attr_celeba.txt": "0" * 64})
    message = str(error.value)
    assert "celeba/img_align_celeba.zip  (1443490838 bytes, md5 00d2c5bc6d35e252742224ab0c1e8fcb)" in message
    assert f"celeba/list_attr_celeba.txt  (sha256 {'0' * 64})" in message
    assert "celeba/list_eval_partition.txt  (2836386 bytes" in message
    assert "unpacked folder celeba/img_align_celeba may stand in" in message
    assert str(tmp_path) in message
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize(
    "name",
    [
        "train-images-idx3-ubyte",
        "train-images.idx3-ubyte",
        "train-images.idx3-ubyte.gz",
        "train-images-idx3-ubyte/train-images-idx3-ubyte",
    ],
)
def test_idx_file_beside_in_another_form_is_named_with_the_command_that_mends_it(
    tmp_path: Path, dataset: str, name: str, mnist: Any
) -> None:
    spec = find_dataset(dataset)
    folder = (tmp_path / "a root" / spec.files[0].path).parent
    beside = folder / name
    beside.parent.mkdir(parents=True)
    data = mnist.parts["train-images-idx3-ubyte.gz"]
    beside.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    (folder / f"._{Path(name).name}").write_bytes(b"")
    with pytest.raises(DataError) as error:
        fetch(spec, tmp_path / "a root", download=False, checksums={})
    (line,) = (line for line in str(error.value).splitlines() if "lies there" in line)
    assert str(beside) in line
    subprocess.run(["bash", "-c", line.partition("read: ")[2][:-1]], check=True)
    assert gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes()) == data


def test_wrong_file_placed_by_hand(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"a subset")
    for allowed in (True, False):
        with pytest.raises(DataError) as error:
            fetch(CIFAR, tmp_path, download=allowed, checksums={})
        message = str(error.value)
        assert f"expected {len(CONTENT)} bytes, md5 {md5(CONTENT)}; found 8 bytes, md5 {md5(b'a subset')}" in message
        assert f'data.checksums.{NAME} to "md5:{md5(b"a subset")}"' in message
    assert leftovers(tmp_path) == [NAME]


def test_web_page_placed_by_hand(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(PAGE)
    with pytest.raises(DataError, match=r"is a web page .*delete it"):
        fetch(CIFAR, tmp_path, download=False, checksums={})


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
@pytest.mark.parametrize("prefix", [True, False])
def test_subset_is_accepted_by_its_checksum(tmp_path: Path, algorithm: str, prefix: bool) -> None:
    (tmp_path / NAME).write_bytes(b"a subset")
    digest = hashlib.new(algorithm, b"a subset").hexdigest()
    (file,) = fetch(CIFAR, tmp_path, download=False, checksums={NAME: f"{algorithm}:{digest}" if prefix else digest})
    assert (file.official, file.how) == (False, f"{algorithm} named in the config")
    with pytest.raises(DataError, match=f"expected {algorithm} 0+; found 8 bytes"):
        fetch(CIFAR, tmp_path, download=False, checksums={NAME: "0" * len(digest)})


def test_same_file_name_in_two_datasets_needs_the_path(tmp_path: Path, mnist: Any) -> None:
    with pytest.raises(DataError) as error:
        fetch(find_dataset("mnist"), mnist.root, download=False, checksums={})
    assert 'data.checksums.MNIST/raw/train-images-idx3-ubyte.gz to "md5:' in str(error.value)
    paths = [file.path for file in find_dataset("mnist").files]
    checksums = {path: md5((mnist.root / path).read_bytes()) for path in paths}
    assert [
        file.path for file in fetch(find_dataset("mnist"), mnist.root, download=False, checksums=checksums)
    ] == paths


@pytest.mark.parametrize("form", [bytes, gzip.compress])
def test_the_checksums_that_are_offered_lead_to_images(mnist: Any, form: Any) -> None:
    """Whoever follows the messages ends with data that is read, whether the files are packed or not."""
    spec, checksums = find_dataset("mnist"), dict[str, str]()
    for file in spec.files:
        (mnist.root / file.path).write_bytes(form(mnist.parts[file.name]))
    for _ in spec.files:
        with pytest.raises(DataError) as error:
            fetch(spec, mnist.root, download=False, checksums=checksums)
        offered = re.search(r'data\.checksums\.(\S+) to "(md5:\w+)"', str(error.value))
        assert offered
        checksums[offered[1]] = offered[2]
    fetch(spec, mnist.root, download=False, checksums=checksums)
    assert [len(split.labels) for split in spec.read(mnist.root).splits.values()] == [30, 12]


@pytest.mark.parametrize("value", ["", "md5:", "md5:xyz", "sha256:" + "0" * 32, "sha1:" + "0" * 40, "0" * 40])
def test_checksum_that_is_none(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match=f"data.checksums.{NAME} is .*expected md5: and 32"):
        fetch(CIFAR, tmp_path, download=False, checksums={NAME: value})


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(DataError, match=r"cannot be read: it is a folder\."):
        fetch(CIFAR, tmp_path, download=True, checksums={})


def test_unpacked_celeba(tmp_path: Path) -> None:
    partition = b"1.jpg 0\n2.jpg 1\n3.jpg 2\n"
    lists = {"celeba/list_attr_celeba.txt": b"attributes", "celeba/list_eval_partition.txt": partition}
    celeba = declared("celeba", {"celeba/img_align_celeba.zip": b"zip", **lists})
    folder = tmp_path / "celeba/img_align_celeba"
    folder.mkdir(parents=True)
    for path, data in lists.items():
        (tmp_path / path).write_bytes(data)
    for number in (1, 2):
        (folder / f"{number}.jpg").write_bytes(b"12345")
        (folder / f"._{number}.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"holds 2 images, but celeba/list_eval_partition.txt lists 3: unpack"):
        fetch(celeba, tmp_path, download=True, checksums={})
    (folder / "3.jpg").write_bytes(b"12345")
    images, *others = fetch(celeba, tmp_path, download=True, checksums={})
    how = "unpacked folder: number of images; the hash is of what was found"
    listing = "for one in *.jpg; do sha256sum -z $one; done | sha256sum"
    hashed = subprocess.run(["bash", "-c", listing], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert images == VerifiedFile("celeba/img_align_celeba", 15, "", hashed.split()[0], False, how)
    assert all(file.official for file in others)
    assert not (tmp_path / ".fetch.lock").exists()


def test_complete_data_needs_no_writing(real_data: Path) -> None:
    """The shared data is read-only; no lock and no folder is asked for there."""
    before = sorted(real_data.rglob("*"))
    for dataset in ("mnist", "fashion_mnist"):
        assert all(file.official for file in fetch(find_dataset(dataset), real_data, download=True, checksums={}))
    assert sorted(real_data.rglob("*")) == before


def test_read_only_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Any, reply: Any) -> None:
    opened = os.open

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise OSError(30, "Read-only file system")

    def refuse_to_write(path: Any, flags: int, *arguments: Any, **options: Any) -> Any:
        return refuse() if flags & (os.O_WRONLY | os.O_RDWR) else opened(path, flags, *arguments, **options)

    (tmp_path / NAME).write_bytes(b"altered")
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse_to_write)
        patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(DataError, match="is not the expected file"):
            fetch(CIFAR, tmp_path, download=True, checksums={})
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(StorageError, match="read-only: choose a folder that can be written"):
            download(tmp_path / "other", server.serve("/a", reply(body=CONTENT)))
    assert server.requests == []


@pytest.mark.parametrize("code", [errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK])
def test_a_folder_that_cannot_be_locked_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with module._alone(tmp_path):
        pass
    assert "warning" in capsys.readouterr().err


def test_a_second_download_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / ".fetch.lock").open("a") as first, (tmp_path / ".fetch.lock").open("a") as third:
        fcntl.flock(first, fcntl.LOCK_EX)
        released, told = threading.Event(), []

        def release() -> None:
            released.set()
            fcntl.flock(first, fcntl.LOCK_UN)

        def tell(words: str) -> None:
            told.append(words)
            threading.Timer(0.2, release).start()

        monkeypatch.setattr(module, "tell", tell)
        with module._alone(tmp_path):
            assert released.is_set()
            with pytest.raises(BlockingIOError):
                fcntl.flock(third, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(third, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert told == [f"waiting for another process that downloads to {tmp_path}"]
