"""Images of a user, in every form in which they come."""

import io
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fuzzing import mutants
from graphs_by_hand import evil_pickle
from PIL import Image
from torchvision.transforms import v2

from vicious.auditing.images import chosen, read_images
from vicious.system.errors import AuditError, ViciousError


def picture(height: int = 20, width: int = 30, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Smooth random pixels, uint8 (H, W, C) or (H, W)."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(256, size=(4, 4, 3), dtype=np.uint8)).resize((width, height))
    return np.asarray(coarse.convert("L" if channels == 1 else "RGB"))


def encoded(pixels: np.ndarray, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def fill(folder: Path, number: int = 3, **options: Any) -> list[np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    found = [picture(seed=seed, **options) for seed in range(number)]
    for at, one in enumerate(found):
        (folder / f"{at}.png").write_bytes(encoded(one))
    return found


def test_images_of_their_own_size_are_read_exactly(tmp_path: Path) -> None:
    expected = fill(tmp_path / "a")
    found = read_images(tmp_path / "a")
    assert (found.names, found.notes) == (("0.png", "1.png", "2.png"), ())
    assert found.pixels.dtype == np.float32
    np.testing.assert_array_equal(found.pixels, np.stack(expected).transpose(0, 3, 1, 2) / np.float32(255))


@pytest.mark.parametrize("size", [(8, 8), (32, 24), (50, 50)])
def test_resizing_is_torchvisions(tmp_path: Path, size: tuple[int, int]) -> None:
    (one,) = fill(tmp_path / "a", 1)
    found = read_images(tmp_path / "a", 3, *size).pixels[0]
    resize = v2.Resize(size, interpolation=v2.InterpolationMode.BILINEAR, antialias=True)
    of_picture = np.asarray(resize(Image.fromarray(one))).transpose(2, 0, 1) / np.float32(255)
    np.testing.assert_array_equal(found, of_picture)
    of_tensor = resize(torch.from_numpy(one.copy()).permute(2, 0, 1)).numpy() / np.float32(255)
    np.testing.assert_allclose(found, of_tensor, atol=1.01 / 255)


def test_grey_and_colour_become_each_other(tmp_path: Path) -> None:
    (one,) = fill(tmp_path / "a", 1)
    grey = np.asarray(Image.fromarray(one).convert("L")) / np.float32(255)
    np.testing.assert_array_equal(read_images(tmp_path / "a", 1, 20, 30).pixels[0, 0], grey)
    (one,) = fill(tmp_path / "b", 1, channels=1)
    assert read_images(tmp_path / "b").pixels.shape == (1, 1, 20, 30)
    np.testing.assert_array_equal(read_images(tmp_path / "b", 3).pixels[0], np.stack([one / np.float32(255)] * 3))


def test_every_mode_shows_the_same_picture(tmp_path: Path) -> None:
    rgb = Image.fromarray(picture())
    grey = rgb.convert("L")
    exact = {"rgb.png": rgb, "rgb.bmp": rgb, "rgb.tiff": rgb, "opaque.png": rgb.convert("RGBA")}
    for name, image in exact.items():
        image.save(tmp_path / name)
        np.testing.assert_array_equal(
            read_images(tmp_path / name).pixels[0], np.asarray(rgb).transpose(2, 0, 1) / np.float32(255), err_msg=name
        )
    near = {"cmyk.jpg": rgb.convert("CMYK"), "rgb.jpg": rgb, "rgb.webp": rgb, "palette.gif": rgb.quantize(256)}
    for name, image in near.items():
        image.save(tmp_path / name, quality=100)
        found = read_images(tmp_path / name).pixels[0]
        assert np.abs(found - np.asarray(rgb).transpose(2, 0, 1) / 255).mean() < 0.03, name
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    for name, image in {"grey.png": grey, "deep.png": deep, "deep.tiff": deep, "la.png": grey.convert("LA")}.items():
        image.save(tmp_path / name)
        np.testing.assert_array_equal(read_images(tmp_path / name).pixels[0, 0], np.asarray(grey) / np.float32(255))
    Image.fromarray(np.asarray(grey) / np.float32(255)).save(tmp_path / "float.tiff")
    np.testing.assert_allclose(read_images(tmp_path / "float.tiff").pixels[0, 0], np.asarray(grey) / 255, atol=1e-6)


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2, :, 3] = 255
    pixels[2, :, 3] = 128
    Image.fromarray(pixels).save(tmp_path / "a.png")
    palette = Image.fromarray(np.zeros((4, 4), np.uint8)).convert("P")
    palette.save(tmp_path / "b.png", transparency=0)
    found = read_images(tmp_path).pixels
    np.testing.assert_allclose(found[0, 0, :, 0], [0, 0, 127 / 255, 1], atol=1e-3)
    assert found[1].min() == 1


def test_images_are_turned_as_their_camera_says(tmp_path: Path) -> None:
    one = Image.fromarray(picture())
    tag = Image.Exif()
    tag[0x0112] = 6  # a quarter turn
    one.save(tmp_path / "a.png", exif=tag)
    expected = np.asarray(one.rotate(-90, expand=True)).transpose(2, 0, 1) / np.float32(255)
    np.testing.assert_array_equal(read_images(tmp_path / "a.png").pixels[0], expected)


def test_the_own_size_is_the_most_common_one_and_capped(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    (tmp_path / "odd.png").write_bytes(encoded(picture(7, 7)))
    assert read_images(tmp_path).pixels.shape == (4, 3, 20, 30)
    (tmp_path / "large").mkdir()
    (tmp_path / "large/a.png").write_bytes(encoded(picture(100, 200)))
    assert read_images(tmp_path / "large").pixels.shape == (1, 3, 32, 64)


def test_a_folder_is_read_in_order_without_leftovers_and_links_to_outside(tmp_path: Path) -> None:
    home = tmp_path / "home"
    fill(home / "b")
    fill(home / "a/inner", 1)
    fill(home / ".hidden")
    fill(tmp_path / "outside")
    (home / ".b.png").write_bytes(encoded(picture()))
    (home / "b/._0.png").write_bytes(b"macOS")
    (home / "b/notes.txt").write_text("no image")
    (home / "b/link.png").symlink_to(tmp_path / "outside/0.png")
    (home / "b/loop.png").symlink_to(home / "b/loop.png")
    (home / "b/within.png").symlink_to(home / "b/0.png")
    (home / "outside").symlink_to(tmp_path / "outside")
    os.mkfifo(home / "pipe.png")
    (home / "damaged.png").write_bytes(encoded(picture())[:-60])
    found = read_images(home)
    assert found.names == ("a/inner/0.png", "b/0.png", "b/1.png", "b/2.png", "b/within.png")
    notes = " ".join(found.notes)
    assert "no images by their names: 1" in notes
    assert "could not be used: 2 (2 damaged or no image)" in notes


def test_a_zip_is_read_as_a_folder_and_nothing_is_unpacked(tmp_path: Path) -> None:
    expected = fill(tmp_path / "a")
    file = tmp_path / "images.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for at, name in enumerate(("b/1.png", "../../escape.png", "/absolute.png")):
            archive.writestr(name, encoded(expected[at]))
        archive.writestr("__MACOSX/._1.png", b"leftover")
        archive.writestr("readme.md", b"text")
    before = sorted(tmp_path.rglob("*"))
    found = read_images(file)
    assert found.names == ("/absolute.png", "b/1.png")  # .. is a hidden folder's name
    np.testing.assert_array_equal(found.pixels[1], expected[0].transpose(2, 0, 1) / np.float32(255))
    assert sorted(tmp_path.rglob("*")) == before


def test_images_are_evenly_chosen(tmp_path: Path) -> None:
    fill(tmp_path, 9)
    found = read_images(tmp_path, most=3)
    assert found.names == ("0.png", "3.png", "6.png")
    assert "3 of 9 images" in found.notes[0]
    assert len(read_images(tmp_path, most=9).names) == 9
    with pytest.raises(AuditError, match="at least 1"):
        read_images(tmp_path, most=0)
    for number in (1, 5, 100):
        assert len(set(chosen(number, 7))) == min(number, 7)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize(
    ("kind", "scale"),
    [("uint8", 255), ("int64", 255), ("uint16", 65535), ("float32", 1), ("float64", 255), ("float16", 1), ("bool", 1)],
)
def test_arrays_are_told_apart_by_their_values(tmp_path: Path, suffix: str, kind: str, scale: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(2, size=(5, 6, 7)) * scale if kind == "bool" else rng.integers(scale + 1, size=(5, 6, 7))
    stored = (rng.random((5, 6, 7)) * scale if kind.startswith("float") else values).astype(kind)
    file = tmp_path / f"a{suffix}"
    np.save(file, stored) if suffix == ".npy" else np.savez_compressed(file, stored)
    found = read_images(file)
    assert found.names == ("0", "1", "2", "3", "4")
    np.testing.assert_allclose(found.pixels[:, 0], stored.astype(np.float64) / scale, atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 6, 7), (5, 6, 7, 1), (5, 6, 7, 3), (5, 1, 6, 7), (5, 3, 6, 7), (5, 3, 6, 3)])
def test_axes_of_arrays_are_told_apart(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).random(shape)
    np.save(tmp_path / "a.npy", values)
    found = read_images(tmp_path / "a.npy").pixels
    if values.ndim == 3:
        values = values[:, None]
    elif shape[1] not in (1, 3):
        values = values.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found, values, atol=1e-6)


def test_an_array_is_resized_and_recoloured_as_pictures_are(tmp_path: Path) -> None:
    one = picture()
    np.save(tmp_path / "a.npy", one[None])
    (tmp_path / "a.png").write_bytes(encoded(one))
    found = read_images(tmp_path / "a.npy", 1, 12, 12).pixels
    np.testing.assert_allclose(found, read_images(tmp_path / "a.png", 1, 12, 12).pixels, atol=2 / 255)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((2, 4, 4), np.nan), "NaN"),
        (np.full((2, 4, 4), -1.0), "from -1 to -1"),
        (np.full((2, 4, 4), 300), "from 300 to 300"),
        (np.zeros((4, 4)), "shape"),
        (np.zeros((2, 5, 4, 6)), "no axis"),
        (np.zeros((0, 4, 4)), "shape"),
        (np.array([["a"]]), "type <U1"),
        (np.zeros((2, 4, 4), complex), "complex"),
    ],
)
def test_arrays_of_no_images_are_refused(tmp_path: Path, array: np.ndarray, words: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(AuditError, match=words):
        read_images(tmp_path / "a.npy")


def test_pickled_arrays_are_never_opened(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (2, 4, 4)})
    evil = header.getvalue() + evil_pickle(touched)
    (tmp_path / "a.npy").write_bytes(evil)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", evil)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(AuditError, match="pickled objects"):
            read_images(tmp_path / name)
    (tmp_path / "a.npz").write_bytes(evil_pickle(touched))
    with pytest.raises(AuditError, match=r"no \.npy or \.npz"):
        read_images(tmp_path / "a.npz")
    assert not touched.exists()


def test_one_of_several_arrays_is_chosen_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.ones((2, 4, 4)), labels=np.zeros(2))
    assert read_images(tmp_path / "a.npz").pixels.min() == 1
    np.savez(tmp_path / "a.npz", x=np.ones((2, 4, 4)), y=np.zeros(2))
    with pytest.raises(AuditError, match="arrays x, y"):
        read_images(tmp_path / "a.npz")


def bomb(width: int, height: int) -> bytes:
    """A small PNG that claims a size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(10_000, 10_000), (100_000, 100_000), (2**31 - 1, 2**31 - 1)])
def test_bombs_are_passed_over(tmp_path: Path, size: tuple[int, int]) -> None:
    fill(tmp_path, 1)
    (tmp_path / "bomb.png").write_bytes(bomb(*size))
    found = read_images(tmp_path)
    assert found.names == ("0.png",)
    assert "could not be used: 1" in found.notes[0]
    (tmp_path / "0.png").unlink()
    with pytest.raises(AuditError, match="no image that can be read"):
        read_images(tmp_path)


def test_a_large_photograph_is_decoded_in_part(tmp_path: Path) -> None:
    Image.new("RGB", (10_000, 6_000), (255, 0, 0)).save(tmp_path / "a.jpg")
    found = read_images(tmp_path, 3, 32, 32)
    np.testing.assert_allclose(found.pixels[0].mean((1, 2)), [1, 0, 0], atol=0.02)


def test_a_member_that_unpacks_to_too_much_is_passed_over(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.png", encoded(picture()))
        archive.writestr("bomb.png", bytes(80 << 20))
    found = read_images(tmp_path / "a.zip")
    assert "1 too large" in found.notes[0]


def test_encrypted_and_damaged_archives_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / "a")
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("0.png", encoded(picture()))
    sound = bytearray(file.read_bytes())
    sound[6] |= 1
    sound[sound.rindex(b"PK\x01\x02") + 8] |= 1
    file.write_bytes(sound)
    with pytest.raises(AuditError, match="encrypted"):
        read_images(file)
    file.write_bytes(sound[: len(sound) // 2])
    with pytest.raises(AuditError, match="damaged zip"):
        read_images(file)


def test_nothing_to_read_is_explained(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="missing"):
        read_images(tmp_path / "absent")
    with pytest.raises(AuditError, match="no image that can be read"):
        read_images(tmp_path)
    (tmp_path / "a.txt").write_text("no image")
    for place in (tmp_path, tmp_path / "a.txt"):
        with pytest.raises(AuditError, match="1 damaged or no image"):
            read_images(place)
    with zipfile.ZipFile(tmp_path / "a.zip", "w"):
        pass
    with pytest.raises(AuditError, match="no image that can be read"):
        read_images(tmp_path / "a.zip")


def test_ten_thousand_files_take_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").write_bytes(encoded(picture(64, 64), "JPEG"))
    for at in range(1, 10_000):
        (tmp_path / f"{at}.jpg").hardlink_to(tmp_path / "0.jpg")
    script = (
        "import re, sys, pathlib; from vicious.auditing.images import read_images\n"
        "found = read_images(pathlib.Path(sys.argv[1]), 3, 224, 224)\n"
        "print(len(found.names), int(re.search(r'VmHWM:\\s+(\\d+)', "
        "pathlib.Path('/proc/self/status').read_text())[1]) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )
    number, megabytes = map(int, done.stdout.split())
    assert number == 2000
    assert megabytes < 2000


def test_more_than_fits_into_memory_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    with pytest.raises(AuditError, match="--images"):
        read_images(tmp_path, 3, 10_000, 10_000)


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "tiff", "webp", "npy", "npz", "zip"])
def test_damaged_ones_are_read_or_explained(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"a.{kind}"
    if kind in ("npy", "npz"):
        np.save(file, picture()[None]) if kind == "npy" else np.savez_compressed(file, picture()[None])
    elif kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("0.png", encoded(picture()))
    else:
        Image.fromarray(picture()).save(file)
    for content in mutants(file.read_bytes(), 60):
        file.write_bytes(content)
        try:
            found = read_images(file)
        except ViciousError as error:
            assert str(error)  # noqa: PT017
        else:
            assert 0 <= found.pixels.min() <= found.pixels.max() <= 1
