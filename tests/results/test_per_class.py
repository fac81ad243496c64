"""Measures by class and by attribute: means over images, then over seeds; failures keep their rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from assessments_by_hand import AUTOENCODER, HONEST, VICIOUS, Writer

from vicious.results.per_class import class_means, write_per_class
from vicious.results.schema import MEASURES, PER_ATTRIBUTE, PER_CLASS
from vicious.system.errors import DataError, MixedResultsError

IMAGES = 60


@pytest.fixture
def written(tmp_path: Path, assessment: Any) -> "_Writer":
    """Writes assessments; ``made(model, seed, ...)`` returns the summary's path, ``made.out()`` the two tables."""
    return _Writer(tmp_path, assessment)


class _Writer(Writer):
    def __call__(
        self,
        model: Any = VICIOUS,
        seed: int = 0,
        task: str = "mnist",
        k: int = 4,
        names: Any = (),
        reason: str = "",
        several: bool = False,
        **changes: Any,
    ) -> Path:
        record = self.assessment(task, model, seed, reason, IMAGES, k=k, label_names=list(names))
        record["target"]["architecture"]["multilabel"] = several
        generator = np.random.default_rng([seed, len(model[0])])
        rows = 0 if reason else IMAGES
        frame = pd.DataFrame({name: generator.random(rows).astype(np.float32) for name in MEASURES})
        if several:
            if not reason:
                record["attributes"] = [
                    {"attribute": name, "accuracy": 0.5 + index / 10, "balanced": 0.5, "majority": 0.7, "positives": 18}
                    for index, name in enumerate(names)
                ]
        else:
            # The last class has no image, the one before it most.
            frame.insert(0, "label", np.minimum(np.arange(rows) % (2 * k), k - 2))
        return self.write(record, frame, **changes)

    def out(self) -> tuple[Any, ...]:
        paths = self.folder / "per_class.csv", self.folder / "per_attribute.csv"
        write_per_class(self.files, *paths)
        return tuple(pd.read_csv(path, dtype={"label_name": str}) for path in paths)


def _images(file: Path) -> pd.DataFrame:
    return pd.read_parquet(file.with_suffix(".parquet")).astype(float)


def test_means_over_images_and_then_over_seeds(written: Any) -> None:
    images = [_images(written(seed=seed)) for seed in range(3)]
    classes, _ = written.out()
    assert list(classes.columns) == list(PER_CLASS.columns)
    for row in classes.loc[classes["n"] > 0].to_dict("records"):
        for name in MEASURES:
            seeds = [np.mean(frame[name][frame["label"] == row["label"]]) for frame in images]
            assert row[name] == pytest.approx(np.mean(seeds))
            assert row[f"{name}_sd"] == pytest.approx(np.std(seeds, ddof=1))
        assert row["n"] == (images[0]["label"] == row["label"]).sum()
        assert (row["seeds"], row["failed"]) == (3, 0)
    assert classes["n"].sum() == IMAGES


def test_a_class_without_test_images_keeps_its_row(written: Any) -> None:
    written(k=4)
    classes, _ = written.out()
    assert list(classes["label"]) == [0, 1, 2, 3]
    assert classes["n"].iloc[3] == 0
    assert classes["risk95"].iloc[3:].isna().all()


def test_a_single_seed_has_no_spread(written: Any) -> None:
    written()
    classes, _ = written.out()
    assert classes["risk95_sd"].isna().all()
    assert (classes["seeds"] == 1).all()


def test_classes_have_names_or_their_number(written: Any) -> None:
    written(task="cifar10", names=("cat", "dog", "frog", "NA"))
    written(task="mnist")
    classes = written.out()[0].fillna({"label_name": "NA"})
    assert list(classes.loc[classes["task"] == "cifar10", "label_name"]) == ["cat", "dog", "frog", "NA"]
    assert list(classes.loc[classes["task"] == "mnist", "label_name"]) == ["0", "1", "2", "3"]


def test_a_failed_seed_is_counted_and_left_out_of_the_mean(written: Any) -> None:
    images = _images(written(seed=0))
    written(seed=1, reason="the loss is nan, in epoch 2")
    row = written.out()[0].iloc[0]
    assert row["risk95"] == pytest.approx(images["risk95"][images["label"] == 0].mean())
    assert (row["seeds"], row["failed"]) == (1, 1)
    assert row["reason"] == "seed 1: the loss is nan, in epoch 2"


def test_a_cell_that_failed_throughout_has_a_row_without_numbers(written: Any) -> None:
    written(HONEST, reason="the loss is nan")
    written()
    classes, _ = written.out()
    (row,) = classes.loc[classes["role"] == "honest"].to_dict("records")
    assert (row["n"], row["seeds"], row["failed"]) == (0, 0, 1)
    assert all(np.isnan(row[name]) for name in ("label", *MEASURES))
    assert (classes["role"] == "vicious").sum() == 4


def test_an_autoencoder_has_no_accuracy(written: Any) -> None:
    written(AUTOENCODER)
    classes, _ = written.out()
    assert classes["accuracy"].isna().all()
    assert classes["psnr"].iloc[:3].notna().all()


def test_tasks_keep_their_order_and_cells_are_sorted(written: Any) -> None:
    for task in ("mnist", "cifar10"):
        for model in (VICIOUS, HONEST):
            written(model, task=task)
    classes, _ = written.out()
    cells = list(dict.fromkeys(zip(classes["task"], classes["role"], strict=True)))
    assert cells == [("mnist", "honest"), ("mnist", "vicious"), ("cifar10", "honest"), ("cifar10", "vicious")]


def test_without_attributes_the_second_table_is_its_header(written: Any) -> None:
    written()
    written.out()
    assert (written.folder / "per_attribute.csv").read_text() == ",".join(PER_ATTRIBUTE.columns) + "\n"


def test_attributes_have_a_row_for_each_seed_and_no_classes(written: Any) -> None:
    names = ("Bald", "Smiling")
    for seed in range(2):
        written(seed=seed, task="celeba", k=2, names=names, several=True)
    written(HONEST, task="celeba", k=2, names=names, several=True, reason="the loss is inf")
    written(AUTOENCODER, task="celeba", k=2, names=names, several=True)
    classes, attributes = written.out()
    assert classes.empty
    assert list(classes.columns) == list(PER_CLASS.columns)
    good = attributes.loc[attributes["role"] == "vicious"]
    assert list(good["attribute"]) == [*names, *names]
    assert list(good["accuracy"]) == [0.5, 0.6, 0.5, 0.6]
    assert (good["n"] == IMAGES).all()
    (failed,) = attributes.loc[attributes["role"] == "honest"].to_dict("records")
    assert (failed["n"], failed["status"], failed["reason"]) == (0, "failed", "the loss is inf")
    assert np.isnan(failed["accuracy"])
    assert set(attributes["role"]) == {"honest", "vicious"}


def test_of_several_attacks_on_a_model_attributes_have_one_row(written: Any) -> None:
    for attack in ("joint", "posthoc-other", "best"):
        written(("vicious", attack, "logits", 1.0), task="celeba", k=1, names=("Bald",), several=True)
    _, attributes = written.out()
    assert attributes[["role", "attribute"]].to_numpy().tolist() == [["vicious", "Bald"]]


def test_only_the_columns_that_are_needed_are_read(written: Any) -> None:
    file = written()
    frame = pd.read_parquet(file.with_suffix(".parquet"))
    odd: Any = [{"not": "a number"}] * len(frame)
    frame.assign(ridge=odd).to_parquet(file.with_suffix(".parquet"))
    assert class_means(file.with_suffix(".parquet"), 4)[:, 0].sum() == IMAGES


def test_two_results_of_a_cell_are_refused(written: Any) -> None:
    written()
    written.files.append(written.files[0])
    with pytest.raises(MixedResultsError, match="two results"):
        written.out()


def test_results_of_different_data_are_refused(written: Any) -> None:
    written()
    written(HONEST, data="another")
    with pytest.raises(MixedResultsError, match="mnist"):
        written.out()


def _no_file(file: Path) -> None:
    file.unlink()


def _no_json(file: Path) -> None:
    file.write_text("{")


def _no_key(file: Path) -> None:
    file.write_text('{"status": "ok", "target": {}}')


def _no_parquet(file: Path) -> None:
    file.with_suffix(".parquet").unlink()


def _damaged_parquet(file: Path) -> None:
    file.with_suffix(".parquet").write_bytes(b"PAR1 and no more")


def _no_column(file: Path) -> None:
    pd.read_parquet(file.with_suffix(".parquet")).drop(columns="risk95").to_parquet(file.with_suffix(".parquet"))


def _odd_label(file: Path) -> None:
    pd.read_parquet(file.with_suffix(".parquet")).assign(label=9).to_parquet(file.with_suffix(".parquet"))


def _fewer_images(file: Path) -> None:
    pd.read_parquet(file.with_suffix(".parquet")).iloc[1:].to_parquet(file.with_suffix(".parquet"))


@pytest.mark.parametrize(
    "damage",
    [_no_file, _no_json, _no_key, _no_parquet, _damaged_parquet, _no_column, _odd_label, _fewer_images],
)
def test_a_damaged_file_is_a_data_error_with_its_name_and_what_to_do(written: Any, damage: Any) -> None:
    damage(written())
    with pytest.raises(DataError, match=r"risk-joint\..*again"):
        written.out()
    assert not (written.folder / "per_class.csv").exists()


def test_names_that_do_not_fit_the_outputs_are_a_data_error(written: Any) -> None:
    written(names=("cat",))
    with pytest.raises(DataError, match="1 label names for 4 outputs"):
        written.out()


def test_attributes_without_an_accuracy_are_a_data_error(written: Any) -> None:
    written(task="celeba", k=1, names=("Bald",), several=True, attributes=[{"attribute": "Bald"}])
    with pytest.raises(DataError, match=r"attributes\.0\.accuracy is missing"):
        written.out()
