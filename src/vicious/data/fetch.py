"""Bringing the official files of a dataset below one root folder, and knowing that they are the official ones.

A file gets its final name only after its hash was checked; until then its bytes lie in ``<name>.part`` beside it, where
the next run resumes. A file that somebody placed by hand passes the same check.
"""

import fcntl
import hashlib
import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vicious import __version__
from vicious.data.facts import Dataset, OfficialFile
from vicious.data.formats.leftovers import is_leftover
from vicious.data.unpacked import measure, unpacked_images
from vicious.system.errors import ConfigError, DataError, DownloadError
from vicious.system.files import best_effort, check_regular, open_regular, storage_errors
from vicious.system.progress import Progress, tell

if TYPE_CHECKING:
    import requests

ATTEMPTS = 3
"""Tries per mirror that bring no new bytes before the next mirror's turn."""
BACK_OFF = 1.0
"""Seconds before the second try; doubles with each further one."""
TIMEOUTS = (10.0, 60.0)
"""Seconds without a connection, and without a single new byte, after which a try has failed."""

_PIECE = 1 << 16
_LOCK = ".fetch.lock"
_GZIP = b"\x1f\x8b"
_WEB_PAGE = "a web page (of a quota, a virus scan or a login, perhaps) instead of the file"


@dataclass(frozen=True)
class VerifiedFile:
    """A file that was found to be what it should be.

    Attributes:
        path: where it lies below the data root.
        size: bytes.
        md5, sha256: hexadecimal hashes of its bytes. An unpacked folder has no MD5; its SHA-256 is that of
            :func:`~vicious.data.unpacked.measure`.
        official: whether these are the official distribution's bytes, as far as size and MD5 tell.
        how: what was checked, in words.
    """

    path: str
    size: int
    md5: str
    sha256: str
    official: bool
    how: str


@dataclass(frozen=True)
class _Expected:
    """What a file must be: ``size`` is None where the user's own checksum replaces the official pair."""

    file: OfficialFile
    root: Path
    algorithm: str
    hash: str
    size: int | None

    def __str__(self) -> str:
        size = "" if self.size is None else f"{self.size} bytes, "
        return f"{size}{self.algorithm} {self.hash}"

    @property
    def path(self) -> Path:
        return self.root / self.file.path

    @property
    def most(self) -> int:
        """The most bytes that the file may have."""
        return self.file.most if self.size is None else self.size

    def is_there(self) -> bool:
        return os.path.lexists(self.path) or self.is_unpacked()

    def is_unpacked(self) -> bool:
        return bool(self.file.unpacked) and not os.path.lexists(self.path) and (self.root / self.file.unpacked).is_dir()


def fetch(dataset: Dataset, root: Path, *, download: bool, checksums: Mapping[str, str]) -> list[VerifiedFile]:
    """Check the official files of ``dataset`` below ``root`` and, if allowed, download those that are missing.

    Nothing is written unless something is downloaded, so a read-only root will do for complete data.

    Args:
        root: folder with torchvision's layout.
        download: whether missing files may be downloaded.
        checksums: "md5:<hex>", "sha256:<hex>" or the bare digits, by file name or path below ``root``; such a file
            is checked against that instead of the official size and MD5. This is how a subset is accepted.

    Returns:
        One entry per official file, in the dataset's order.

    Raises:
        ConfigError: a checksum is not one.
        DataError: a file that is there is wrong, or files are missing and must not be downloaded.
        DownloadError: no mirror delivered a file.
        StorageError: the disk is full or may not be written.
    """
    expected = [_expected(file, root, checksums) for file in dataset.files]
    verified = {one.file.path: _verify(one) for one in expected if one.is_there()}
    missing = [one for one in expected if one.file.path not in verified]
    if missing and not download:
        raise DataError(
            f"{dataset.title}: {len(missing)} file(s) are missing below {root}, and downloading is off.",
            *_by_hand(dataset, missing, root, "Place them there by hand"),
        )
    if missing:
        with storage_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            with _alone(root):
                _download_all(dataset, missing, root)
        verified |= {one.file.path: _verify(one) for one in missing}
    for one in expected:
        if one.is_unpacked():
            _check_unpacked(root, one.file)
    return [verified[one.file.path] for one in expected]


# What is there


def _expected(file: OfficialFile, root: Path, checksums: Mapping[str, str]) -> _Expected:
    key = file.path if file.path in checksums else file.name
    if key not in checksums:
        return _Expected(file, root, "md5", file.md5, file.size)
    match = re.fullmatch(r"(?:(md5|sha256):)?([0-9a-f]+)", str(checksums[key]).strip().lower())
    algorithm = {32: "md5", 64: "sha256"}.get(len(match[2])) if match else None
    if match is None or algorithm is None or match[1] not in (None, algorithm):
        raise ConfigError(
            f"data.checksums.{key} is {checksums[key]!r}: expected md5: and 32, or sha256: and 64 hexadecimal digits"
        )
    return _Expected(file, root, algorithm, match[2], None)


def _verify(expected: _Expected) -> VerifiedFile:
    """Check one file that is there; raises a DataError that says what was found, and how to go on."""
    file, path = expected.file, expected.path
    if expected.is_unpacked():
        return _verify_unpacked(expected)
    md5, sha256, size, head = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0, b""
    try:
        with open_regular(path) as content:
            if (found := os.fstat(content.fileno()).st_size) > file.most:
                raise DataError(
                    f"{path} is not the expected file: expected {expected}; it has {found} bytes. Replace it"
                )
            while piece := content.read(1 << 20):
                head = head or piece[:512]
                size += len(piece)
                md5.update(piece)
                sha256.update(piece)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): put the file itself there, readable") from error
    hashes = {"md5": md5.hexdigest(), "sha256": sha256.hexdigest()}
    if hashes[expected.algorithm] != expected.hash or expected.size not in (None, size):
        raise DataError(_mismatch(expected, size, hashes["md5"], head))
    official = (size, hashes["md5"]) == (file.size, file.md5)
    how = f"{expected.algorithm} named in the config" if expected.size is None else "official size and md5"
    return VerifiedFile(file.path, size, **hashes, official=official, how=how)


def _verify_unpacked(expected: _Expected) -> VerifiedFile:
    folder = expected.root / expected.file.unpacked
    try:
        size, sha256 = measure(folder)
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error}): put the images themselves there, readable") from error
    how = "unpacked folder: number of images; the hash is of what was found"
    return VerifiedFile(expected.file.unpacked, size, "", sha256, False, how)


def _mismatch(expected: _Expected, size: int, md5: str, head: bytes) -> str:
    path = expected.path
    if _is_web_page(head):
        return f"{path} is {_WEB_PAGE}: delete it, and download it again or place the right file there ({expected})"
    cut_off = expected.size is not None and size < expected.size
    return (
        f"{path} is not the expected file: expected {expected}; found {size} bytes, md5 {md5}. "
        f"{'It may be an incomplete copy. ' if cut_off else ''}"
        "Replace it by the official file (or delete it and download). To accept exactly this file, a subset for "
        f'instance, set the config key data.checksums.{expected.file.path} to "md5:{md5}"'
    )


def _is_web_page(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith((b"<!doctype", b"<html"))


def _check_unpacked(root: Path, file: OfficialFile) -> None:
    """No official hash of an unpacked folder is known, but it must hold as many images as the official list has
    lines."""
    folder = root / file.unpacked
    with open_regular(root / file.listing) as lines:
        listed = sum(1 for line in lines if line.strip())
    found = len(unpacked_images(folder))
    if found != listed:
        raise DataError(
            f"{folder} holds {found} images, but {file.listing} lists {listed}: unpack {file.name} "
            f"there again, or put the zip itself at {root / file.path}"
        )


def _by_hand(dataset: Dataset, missing: Sequence[_Expected], root: Path, invitation: str) -> list[str]:
    lines = [f"{invitation} (see {dataset.homepage}), below {root}:"]
    lines += [f"  {one.file.path}  ({one})" for one in missing]
    folders = [one.file.unpacked for one in missing if one.file.unpacked]
    lines += [f"  (the unpacked folder {folder} may stand in for the zip)" for folder in folders]
    lines += [hint for one in missing if (hint := _in_another_form(one.path))]
    return [*lines, "then run the same command again."]


def _in_another_form(path: Path) -> str:
    """A line on a file that lies beside ``path`` under nearly its name: unpacked, or with other dots; "" for none."""
    wanted = _letters(path.name)
    with suppress(OSError):
        near = [one for one in path.parent.iterdir() if _letters(one.name) == wanted and not is_leftover(one.name)]
        inside = [two for one in near if one.is_dir() for two in one.iterdir() if _letters(two.name) == wanted]
        for found in sorted(one for one in [*near, *inside] if one.is_file()):
            with found.open("rb") as file:
                packed = file.read(2) == _GZIP
            old, new = shlex.quote(str(found)), shlex.quote(str(path))
            how = f"mv {old} {new}" if packed or path.suffix != ".gz" else f"gzip -nc {old} > {new}"
            return f"  ({found} lies there; bring it into the form that is read: {how})"
    return ""


def _letters(name: str) -> str:
    return re.sub("[-._ ]", "", name.lower().removesuffix(".gz"))


# Downloading


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold the root's lock, so that two runs never write the same ``.part``; waits for another run to finish."""
    root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            _size(root / _LOCK)
            lock = stack.enter_context((root / _LOCK).open("a"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                tell(f"waiting for another process that downloads to {root}")
                fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            tell(f"warning: {root} cannot be locked ({error.strerror}): let no other process download to it meanwhile")
        yield


def _download_all(dataset: Dataset, missing: Sequence[_Expected], root: Path) -> None:
    """Try each mirror of each file until the file is there."""
    reasons: list[str] = []
    failed: list[_Expected] = []
    dead: dict[str, str] = {}  # hosts that no connection reached, so that later files do not wait for them again
    for one in missing:
        if one.is_there():  # another process brought it while this one waited for the lock
            continue
        why = []
        for url in one.file.mirrors:
            reason = dead.get(urlsplit(url).netloc) or _try_mirror(one, url, dead)
            if not reason:
                break
            why.append(f"  {url}: {reason}")
        else:
            failed.append(one)
            reasons += [f"{one.file.path}:", *(why or ["  no address: the list of mirrors is empty"])]
    if failed:
        raise DownloadError(
            f"{dataset.title}: no mirror delivered {len(failed)} file(s).",
            *reasons,
            *_by_hand(dataset, failed, root, "Run the same command again later, or place by hand"),
        )


class _Refused(Exception):
    """This mirror will not deliver: no use in trying it again."""


class _Interrupted(Exception):
    """A try failed in a way that may pass."""


def _try_mirror(expected: _Expected, url: str, dead: dict[str, str]) -> str:
    """Download from one mirror, with retries; the reason of failure, or "" on success."""
    failures, afresh = 0, False
    part = expected.path.with_name(f"{expected.path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    while True:
        download, before = _Download(part, expected), _size(part)
        try:
            download.fill(url)
        except _Refused as error:
            return str(error)
        except _Interrupted as error:
            # A slow host that is cut off again and again still gets there, as long as each try brings bytes.
            failures = 1 if _size(part) > before else failures + 1
            if failures >= ATTEMPTS:
                if not download.answered:
                    dead[urlsplit(url).netloc] = f"{error} (not tried again)"
                return f"{error}, {ATTEMPTS} times"
            time.sleep(BACK_OFF * 2 ** (failures - 1))
            continue
        if _hash(part, expected.algorithm) == expected.hash:
            part.replace(expected.path)
            return ""
        part.unlink()
        if not download.resumed or afresh:
            return f"served other bytes than the official ones (expected {expected})"
        afresh = True  # the part may have been stale: once more from the start


def _hash(path: Path, algorithm: str) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _size(path: Path) -> int:
    """Bytes of a file to write to, 0 where it is not there; raises DataError where it is no regular file."""
    return check_regular(path).st_size if path.exists() else 0


class _Download:
    """One try to fill ``<name>.part``, from where an earlier one ended."""

    def __init__(self, part: Path, expected: _Expected) -> None:
        self.part, self.expected = part, expected
        self.resumed = False  # whether bytes of an earlier try were used
        self.answered = False  # whether the server answered at all

    def fill(self, url: str) -> None:
        """Bring what is missing; raises _Refused or _Interrupted where the file is not complete, as far as lengths
        tell."""
        import requests
        import urllib3
        from requests import exceptions

        _check_proxy(url)
        try:
            complete = self._request(url)
        except (exceptions.InvalidURL, exceptions.MissingSchema) as error:
            raise _Refused(f"not an address ({error})") from error
        except exceptions.InvalidSchema as error:
            if "SOCKS" in str(error):
                raise _Refused(
                    f"{str(error).rstrip('.')}: install PySocks, or change the proxy{_settings(url)}"
                ) from error
            raise _Refused(f"not an http(s) address ({error})") from error
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise _Interrupted("timed out") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            about = isinstance(error, (exceptions.ProxyError, exceptions.SSLError, exceptions.InvalidProxyURL))
            hint = _OWN_CERTIFICATES if "CERTIFICATE_VERIFY_FAILED" in str(error) else ""
            raise _Interrupted(f"{_cause(error)}{hint}{_settings(url) if about else ''}") from error
        except OSError as error:  # requests' own for a bundle of certificates that is not there
            if not str(error).startswith("Could not find a suitable TLS CA"):
                raise
            raise _Refused(f"{error}{_settings(url)}") from error
        if not complete:
            raise _Interrupted("the connection closed before the end")

    def _request(self, url: str) -> bool:
        """One request; whether the part is complete now, as far as lengths tell."""
        import requests

        start = _size(self.part)
        # "identity": a host that packs on the fly would make ranges and hashes meaningless
        headers = {"User-Agent": f"vicious/{__version__}", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUTS) as response:
            self.answered = True
            status, span = response.status_code, response.headers.get("Content-Range", "")
            if status == 416 and start:
                return self._range_refused(span, start)
            answer = f"{status} {response.reason or ''}".rstrip()
            if status in (408, 425, 429) or status >= 500:
                raise _Interrupted(answer)
            if status not in (200, 206):
                raise _Refused(answer + (_settings(url) if status == 407 else ""))
            self.resumed = status == 206
            if self.resumed and not span.startswith(f"bytes {start}-"):
                raise _Refused("answers with another range than the one asked for")
            return self._receive(response, start if self.resumed else 0)

    def _range_refused(self, span: str, start: int) -> bool:
        """No bytes are left: the part is complete, unless it is longer than the file."""
        total = span.rpartition("/")[2]
        self.resumed = True
        if total == str(start) or (not total.isdigit() and start == self.expected.size):
            return True
        self.part.unlink()
        raise _Interrupted("the partial download was not a part of this file, and was dropped")

    def _receive(self, response: "requests.Response", start: int) -> bool:
        web_page = _Refused(f"served {_WEB_PAGE}; not kept")
        if response.headers.get("Content-Type", "").lower().startswith("text/html"):
            raise web_page
        # raw and not decoded: some hosts call a .gz file an encoding, and it would arrive unpacked
        pieces = response.raw.stream(_PIECE, decode_content=False)
        first = next(pieces, b"")
        if start == 0 and _is_web_page(first[:512]):
            raise web_page
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else None
        size, most = self.expected.size, self.expected.most
        if total is not None and (total > most or size not in (None, total)):
            raise _Refused(f"offers {total} bytes, the file has {f'at most {most}' if size is None else size}")
        done, label = start, f"{self.expected.file.name} from {urlsplit(response.url).netloc}"
        with (
            Progress(total - start if total else None, label, "B") as progress,
            self.part.open("ab" if start else "wb") as file,
        ):
            for piece in chain([first], pieces):
                file.write(piece)
                done += len(piece)
                progress.advance(len(piece))
                if done > most:
                    return True  # no use in filling the disk: the hash will tell that it is another file
            file.flush()
            with best_effort():
                os.fsync(file.fileno())
        return done == total if total is not None else done > 0


_PROXIES = (None, "http", "https", "socks4", "socks4a", "socks5", "socks5h")
_CERTIFICATES = ("requests_ca_bundle", "curl_ca_bundle", "sslkeylogfile")
_PASSWORD = r"(?<=//).*@|^(?!\w+://|/).*@"
_OWN_CERTIFICATES = "; where a network has certificates of its own, REQUESTS_CA_BUNDLE names their file"


def _check_proxy(url: str) -> None:
    """Raise :class:`_Refused` where the environment's proxy for an address is no address itself.

    Libraries below tell of it as if the mirror's address were wrong, or end in an error of their own.
    """
    from requests.utils import get_environ_proxies, select_proxy
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return
    try:
        parsed = parse_url(proxy)
        sound = parsed.scheme in _PROXIES and bool(parsed.host)
    except LocationParseError:
        sound = False
    if not sound:
        raise _Refused(f"the proxy is no address such as http://host:port{_settings(url)}")


def _settings(url: str) -> str:
    """The environment's variables that decide on the proxy and the certificates of an address, without passwords."""
    names = ("all_proxy", f"{urlsplit(url).scheme}_proxy", *_CERTIFICATES)
    found = [name for name in os.environ if name.lower() in names]
    told = [f"{name}={re.sub(_PASSWORD, '***@', os.environ[name])}" for name in sorted(found)]
    return f" (set in the environment: {', '.join(told)})" if told else ""


def _cause(error: BaseException) -> str:
    """The innermost reason in a chain of network errors, in a few words."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return f"{type(error).__name__}: {error}".rstrip(": ")
