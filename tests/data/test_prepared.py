"""What is refused as a prepared dataset."""

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from fuzzing import mutants

from vicious.data.prepared import PreparedDataset, load_prepared
from vicious.system.errors import DataError


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": -1}, "channels: should be 1 or 3, found -1"),
        ({"classes": 10**9}, "classes: should be less than or equal to 100000"),
        ({"multilabel": "no"}, "multilabel: should be a valid boolean, found 'no'"),
        ({"label_names": None}, "label_names: should be a valid"),
        ({"label_names": ["a"]}, "label names for all classes or none"),
        ({"n": {"train": 1}}, "expected n of each split"),
        ({"n": {"train": 1, "validation": 1, "test": "1"}}, r"n\.test: should be a valid integer"),
        ({"n": {"train": 1, "validation": 1, "test": 10**12}}, r"n\.test: should be less than"),
        ({"mean": [0.5, 0.5]}, "a mean and a std for each channel"),
        ({"mean": [300.0]}, r"mean\.0: should be less than or equal to 1"),
        ({"std": 3}, "std: should be a valid"),
        ({"name": "../mnist"}, r"name: '../mnist' is not valid"),
        ({"name": []}, "name: should be a valid string"),
        ({"source": "mine"}, "source: should be 'official' or 'synthetic'"),
        ({"split_seed": 0.5}, "split_seed: should be a valid integer"),
        ({"files": [1]}, r"files\.0: should be"),
        ({"more": 1}, "more: "),
    ],
)
def test_facts_of_another_type_or_range_are_refused(prepared: PreparedDataset, changes: Any, words: str) -> None:
    path = prepared.folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(DataError, match=words) as caught:
        load_prepared(prepared.folder)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith("run the prepare step again")


@pytest.mark.fuzz
def test_mutants_of_the_facts_are_read_or_refused(prepared: PreparedDataset) -> None:
    path = prepared.folder / "dataset.json"
    for mutant in mutants(path.read_bytes(), 600):
        path.write_bytes(mutant)
        with suppress(DataError):
            data = load_prepared(prepared.folder)
            for split in ("train", "validation", "test"):
                data.images(split)
                data.labels(split)


@pytest.mark.parametrize("images", [2**62, 2**63, 2**70])
def test_an_array_that_says_it_is_larger_than_any_memory_is_refused(prepared: PreparedDataset, images: int) -> None:
    path = prepared.folder / "test_labels.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<i8", "fortran_order": False, "shape": (images,)})
    with pytest.raises(DataError, match=r"test_labels\.npy is damaged"):
        prepared.labels("test")


@pytest.mark.fuzz
def test_mutants_of_the_arrays_are_read_or_refused(prepared: PreparedDataset) -> None:
    for path, read in (
        (prepared.folder / "test_labels.npy", prepared.labels),
        (prepared.folder / "test_images.npy", prepared.images),
    ):
        sound = path.read_bytes()
        for header in mutants(sound[:128], 300):
            path.write_bytes(header + sound[128:])
            with suppress(DataError):
                read("test")
