"""Stored outputs and labels, matched with images."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fuzzing import mutants
from graphs_by_hand import Evil

from vicious.auditing.outputs import read_labels, read_outputs
from vicious.system.errors import AuditError, ViciousError

NAMES = ("a/0.png", "a/1.png", "b/2.png")
VALUES = np.random.default_rng(0).normal(size=(3, 4))


def store(file: Path, values: Any = VALUES, /, **columns: Any) -> Path:
    """Write values, and columns of a table beside them."""
    array = np.asarray(values)
    match file.suffix:
        case ".npy":
            np.save(file, array)
        case ".npz":
            np.savez(file, outputs=array, other=np.zeros(2))
        case _:
            frame = pd.DataFrame(array.reshape(len(array), -1)).rename(columns=str).assign(**columns)
            frame.to_csv(file, index=False) if file.suffix == ".csv" else frame.to_parquet(file)
    return file


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".parquet"])
def test_rows_are_those_of_the_images_in_order(tmp_path: Path, suffix: str) -> None:
    found = read_outputs(store(tmp_path / f"a{suffix}"), NAMES)
    assert found.values.dtype == np.float64
    np.testing.assert_allclose(found.values, VALUES, rtol=1e-12)
    assert "in the order of the images" in found.notes[0]
    with pytest.raises(AuditError, match=r"3 rows, but there are 2 images"):
        read_outputs(tmp_path / f"a{suffix}", NAMES[:2])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_image_may_be_called_like_a_missing_value(tmp_path: Path, suffix: str) -> None:
    names = ("NA", "nan", "null")
    file = store(tmp_path / f"a{suffix}", VALUES[[2, 0, 1]], file=["null", "NA", "nan"])
    np.testing.assert_allclose(read_outputs(file, names).values, VALUES)
    for absent in ("", "NA", "NaN", "-nan", "#N/A", "<NA>"):
        file.with_suffix(".csv").write_text(f"file,a,b\nNA,1,2\nnan,2,{absent}\nnull,4,5\n")
        with pytest.raises(AuditError, match=r"the output 1 of nan is nan"):
            read_outputs(file.with_suffix(".csv"), names)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("column", ["file", "Name", "image", "path"])
@pytest.mark.parametrize("part", ["whole", "name", "stem", "windows"])
def test_rows_are_matched_by_names(tmp_path: Path, suffix: str, column: str, part: str) -> None:
    names = {
        "whole": NAMES,
        "name": [name.split("/")[1] for name in NAMES],
        "stem": ["0", "1", "2"],
        "windows": [name.replace("/", "\\") for name in NAMES],
    }[part]
    rows = [2, 0, 1, 0]
    named = [*(names[row] for row in rows[:3]), "another.png"]
    file = store(tmp_path / f"a{suffix}", VALUES[rows], **{column: named})
    found = read_outputs(file, NAMES)
    np.testing.assert_allclose(found.values, VALUES, rtol=1e-12)
    assert column in found.notes[0]


def test_names_that_do_not_fit_are_explained(tmp_path: Path) -> None:
    file = store(tmp_path / "a.csv", file=["x.png", "y.png", "z.png"])
    with pytest.raises(AuditError, match=r"no row for 3 of 3 images, such as 'a/0\.png'.*'x\.png'"):
        read_outputs(file, NAMES)
    store(file, VALUES[[0, 0, 1, 2]], file=[NAMES[0], *NAMES])
    with pytest.raises(AuditError, match=r"'a/0\.png' twice"):
        read_outputs(file, NAMES)
    store(file, file=NAMES, image=NAMES)
    with pytest.raises(AuditError, match="several columns that name images"):
        read_outputs(file, NAMES)


def test_images_of_the_same_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    names = ("a/0.png", "b/0.png", "b/1.png")
    file = store(tmp_path / "a.csv", VALUES[[1, 0, 2]], file=["b/0.png", "a/0.png", "b/1.png"])
    np.testing.assert_allclose(read_outputs(file, names).values, VALUES, rtol=1e-12)


def test_rows_of_an_array_are_those_of_its_chosen_images(tmp_path: Path) -> None:
    file = store(tmp_path / "a.npy", np.arange(20).reshape(10, 2))
    np.testing.assert_array_equal(read_outputs(file, ("0", "4", "8")).values[:, 0], [0, 8, 16])


def test_tables_without_a_heading_and_with_row_numbers_are_read(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.csv", VALUES, delimiter=",")
    np.testing.assert_allclose(read_outputs(tmp_path / "a.csv", NAMES).values, VALUES)
    pd.DataFrame(VALUES).to_csv(tmp_path / "a.csv")
    np.testing.assert_allclose(read_outputs(tmp_path / "a.csv", NAMES).values, VALUES)
    pd.DataFrame(VALUES).rename(columns=str).set_index(pd.Index(NAMES, name="file")).to_parquet(tmp_path / "a.parquet")
    np.testing.assert_allclose(read_outputs(tmp_path / "a.parquet", NAMES[::-1]).values, VALUES[::-1])


def test_half_precision_is_read(tmp_path: Path) -> None:
    found = read_outputs(store(tmp_path / "a.npy", VALUES.astype(np.float16)), NAMES)
    np.testing.assert_array_equal(found.values, VALUES.astype(np.float16).astype(np.float64))


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".parquet"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_named(tmp_path: Path, suffix: str, bad: float) -> None:
    values = VALUES.copy()
    values[1, 2] = bad
    with pytest.raises(AuditError, match=r"output 2 of a/1\.png is (nan|inf)"):
        read_outputs(store(tmp_path / f"a{suffix}", values), NAMES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p,q\n1,2\n3\n4,5\n", "output 1 of a/1.png is nan"),
        ("p,q\n1,2\n3,4,5\n4,5\n", "damaged"),
        ("p,q\n1,2,3\n1,2,3\n1,2,3\n", "damaged"),
        ("p,q\n1,2\n3,cat\n4,5\n", "column 'q' holds 'cat'"),
        ("file\na/0.png\na/1.png\nb/2.png\n", "no column of numbers"),
        ("p,q\n", "no rows"),
        ("", "no table"),
        ("\0\0\0", ""),
    ],
)
def test_tables_that_are_none_are_explained(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(AuditError) as error:
        read_outputs(tmp_path / "a.csv", NAMES)
    assert words in str(error.value)


def test_other_files_are_explained(tmp_path: Path) -> None:
    for array, words in ((np.zeros((3, 2, 2)), "shape"), (np.array(["a"] * 3), "type"), (np.zeros((0, 2)), "shape")):
        with pytest.raises(AuditError, match=words):
            read_outputs(store(tmp_path / "a.npy", array), NAMES)
    for name, words in (("a.xlsx", "no known format"), ("absent.csv", "cannot be read")):
        (tmp_path / "a.xlsx").touch()
        with pytest.raises(AuditError, match=words):
            read_outputs(tmp_path / name, NAMES)
    pd.DataFrame({"p": [[1.0], [2.0], [3.0]]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(AuditError, match="column 'p' is of type"):
        read_outputs(tmp_path / "a.parquet", NAMES)
    with pytest.raises(ViciousError, match=r"named pipe|folder"):
        read_outputs(tmp_path, NAMES)


def test_pickled_outputs_are_never_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([Evil(tmp_path / "touched")] * 3), allow_pickle=True)
    with pytest.raises(AuditError, match="pickled objects"):
        read_outputs(tmp_path / "a.npy", NAMES)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".parquet", ".txt"])
def test_labels_are_classes_or_attributes(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"a{suffix}"
    for labels, classes in (
        (np.array([2, 0, 1]), 3),
        (np.array([[0, 1], [1, 1], [0, 0]]), 2),
        (np.array([1, 0, 1]), 1),
    ):
        np.savetxt(file, labels, fmt="%d") if suffix == ".txt" else store(file, labels)
        found = read_labels(file, NAMES, classes)
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, 3], "from 0 to 3, but the model has 3 outputs"),
        ([-1, 0, 1], "from -1"),
        ([0.5, 1, 2], "no whole numbers"),
        ([np.nan, 1, 2], "no whole numbers"),
        ([[0, 1]] * 3, "3 attributes"),
        ([[0, 1, 2]] * 3, "0 or 1"),
        (["cat", "dog", "cat"], "number the classes from 0"),
        ([0, 1], "2 rows, but there are 3 images"),
    ],
)
def test_what_is_no_label_is_explained(tmp_path: Path, labels: Any, words: str) -> None:
    with pytest.raises(AuditError, match=words):
        read_labels(store(tmp_path / "a.csv", labels), NAMES, 3)


def test_labels_of_text_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    for text, words in (("cat\ndog\ncat\n", "no text of numbers"), ("", "empty"), ("1 2\n3\n4 5\n", "no text")):
        file.write_text(text)
        with pytest.raises(AuditError, match=words):
            read_labels(file, NAMES, 3)


@pytest.mark.fuzz
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".parquet"])
def test_damaged_ones_are_read_or_explained(tmp_path: Path, suffix: str) -> None:
    file = store(tmp_path / f"a{suffix}")
    for content in mutants(file.read_bytes(), 100):
        file.write_bytes(content)
        try:
            found = read_outputs(file, NAMES)
        except ViciousError as error:
            assert str(error)  # noqa: PT017
        else:
            assert np.isfinite(found.values).all()


def test_columns_of_labels_and_numbers_are_no_outputs(tmp_path: Path) -> None:
    file = tmp_path / "o.csv"
    file.write_text("id,Label,a,b\n7,1,0.5,2\n8,0,1.5,3\n")
    found = read_outputs(file, ("x", "y"))
    np.testing.assert_array_equal(found.values, [[0.5, 2], [1.5, 3]])
    assert "No outputs are in id, Label." in found.notes[0]


def test_names_that_look_like_numbers_stay_names(tmp_path: Path) -> None:
    file = tmp_path / "o.csv"
    file.write_text("file,a\n001,1.5\n002,2.5\n")
    np.testing.assert_array_equal(read_outputs(file, ("002", "001")).values, [[2.5], [1.5]])
