"""Training curves."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from legible import all_words, check_legible
from placed import place

from vicious.report.figures import training_curves
from vicious.system.errors import DataError, MixedResultsError
from vicious.system.files import write_json


@pytest.fixture
def curves(tmp_path: Path) -> Callable[..., list[Any]]:
    """Writes training curves with their records; returns the CSVs."""

    def write(
        tasks: Any = ("mnist",),
        seeds: int = 2,
        betas: Any = (1.0,),
        outputs: Any = ("logits",),
        epochs: int = 5,
        failed: Any = (),
        synthetic: Any = (),
    ) -> list[Any]:
        files = []
        for task in tasks:
            models = [("honest", None, 0.0), *(("posthoc", kind, 0.0) for kind in outputs)]
            models += [("vicious", kind, beta) for kind in outputs for beta in betas]
            models += [("autoencoder", kind, 1.0) for kind in outputs]
            for role, kind, beta in models:
                for seed in range(seeds):
                    folder = tmp_path / "models" / task / f"{role}-{kind}-{beta:g}" / f"seed{seed}"
                    ended = {(t, r, s): e for t, r, s, e in failed}.get((task, role, seed))
                    source = "synthetic" if task in synthetic else "official"
                    record = {
                        **{"dataset": task.split("-")[0], "task": task, "source": source, "role": role},
                        **{"outputs": kind, "beta_r": beta, "schedule": {"seed": seed, "epochs": epochs}},
                        **({"selected_epoch": max(1, epochs - 1)} if ended is None else {"failure": "loss is nan"}),
                    }
                    files.append(_curve(folder, record, epochs if ended is None else ended))
        return files

    return write


def _curve(folder: Path, record: Any, epochs: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    epoch = np.arange(1, epochs + 1)
    fall, role = np.exp(-epoch / 3), record["role"]
    columns = {"epoch": epoch, "train_loss": fall + 0.1}
    if role in ("vicious", "autoencoder"):
        columns |= {"train_classification": 2 * fall + 0.1, "train_reconstruction": fall + 0.3}
    if role in ("honest", "vicious"):
        columns["validation_accuracy"] = 0.9 - fall / 2
    if role != "honest":
        columns |= {"validation_ssim": 0.7 - fall, "validation_mse": fall}
    columns["selection"] = fall
    file = folder / ("posthoc-logits.csv" if role == "posthoc" else "target.csv")
    # As training writes it: a curve without an epoch has the one column.
    pd.DataFrame(columns if epochs else {"epoch": np.array([])}).to_csv(file, index=False)
    write_json(file.with_suffix(".json"), record)
    return file


def _lines(ax: Any) -> list[Any]:
    return [line for line in ax.lines if line.get_marker() == "None"]


def test_shows_each_seeds_values_and_its_selected_epoch(curves: Any) -> None:
    figure = training_curves.draw(training_curves.load_curves(curves()))
    assert [ax.get_title() for ax in figure.axes] == [panel.title for panel in training_curves._PANELS]
    # Panels: honest and vicious; then the three kinds of attack.
    assert [len(_lines(ax)) for ax in figure.axes] == [4, 6, 4, 6]
    fall = np.exp(-np.arange(1, 6) / 3)
    np.testing.assert_allclose(_lines(figure.axes[0])[0].get_ydata(), 100 * (0.9 - fall / 2), rtol=1e-6)
    # The loss of an honest model is L_C, that of a post-hoc attack L_R; a vicious model's is split.
    classification, reconstruction = ([line.get_ydata() for line in _lines(figure.axes[index])] for index in (2, 3))
    np.testing.assert_allclose(classification, [fall + 0.1] * 2 + [2 * fall + 0.1] * 2, rtol=1e-6)
    np.testing.assert_allclose(reconstruction, [fall + 0.1] * 2 + [fall + 0.3] * 4, rtol=1e-6)
    (dots,) = figure.axes[0].collections
    assert list(np.asarray(dots.get_offsets())[:, 0]) == [4] * 4


def test_of_six_tasks_is_legible_and_names_failures(made_up: ModuleType, curves: Any, tmp_path: Path) -> None:
    failed = (("cifar10", "vicious", 1, 2), *(("celeba", "honest", seed, 0) for seed in range(2)))
    files = curves(made_up.ALL, 2, (1.0, 3.0), ("logits", "softmax"), failed=failed, synthetic=("cifar100",))
    found = training_curves.load_curves(files)
    figure = training_curves.draw(found)
    check_legible(figure)
    assert figure.get_size_inches()[1] < 9
    words = all_words(figure)
    for part in ("CIFAR-100\n(synthetic\nstand-in)", "Failed: CIFAR-10, vicious", "CelebA, honest, seed 0, 1"):
        assert part in words
    assert "reads softmax" in words
    told = str(training_curves.text(found))
    assert "CIFAR-10, vicious (logits, beta_R = 1), seed 1: loss is nan" in told
    assert "synthetic stand-in (CIFAR-100)" in told
    assert "beta_R = 1, 3." in told


def test_draws_a_failed_training_as_far_as_it_went(curves: Any) -> None:
    figure = training_curves.draw(training_curves.load_curves(curves(failed=(("mnist", "vicious", 0, 2),))))
    dots, crosses = figure.axes[0].collections
    assert (len(np.asarray(dots.get_offsets())), [at for at, _ in np.asarray(crosses.get_offsets())]) == (3, [2])
    assert sorted(len(line.get_xdata()) for line in _lines(figure.axes[0])) == [2, 5, 5, 5]
    assert "failed" in all_words(figure)


def test_shows_a_single_epoch_as_a_point(curves: Any) -> None:
    figure = training_curves.draw(training_curves.load_curves(curves(seeds=1, epochs=1, synthetic=("mnist",))))
    check_legible(figure)
    for ax in figure.axes:
        assert sum(len(np.asarray(dots.get_offsets())) for dots in ax.collections)
        assert all(tick == int(tick) for tick in ax.get_xticks())
    assert all_words(figure).count("synthetic") == 1


def test_draws_when_everything_failed_at_once(curves: Any, tmp_path: Path) -> None:
    failed = tuple(("mnist", role, 0, 0) for role in ("honest", "posthoc", "vicious", "autoencoder"))
    files = curves(seeds=1, failed=failed)
    figure = training_curves.draw(training_curves.load_curves(files))
    check_legible(figure)
    assert all("failed" in [text.get_text() for text in ax.texts] for ax in figure.axes)
    written = training_curves.write(files, place(training_curves, tmp_path / "out"))
    assert [path.name for path in written] == ["training_curves.pdf", "training_curves.png", "training_curves.md"]


def test_says_what_was_not_trained(curves: Any) -> None:
    files = [file for file in curves() if "honest" in str(file)]
    figure = training_curves.draw(training_curves.load_curves(files))
    assert [text.get_text() for text in figure.axes[1].texts] == ["not run"]


def test_leaves_out_values_that_are_none(curves: Any) -> None:
    files = curves(seeds=1)
    frame = pd.read_csv(files[0]).astype(float)
    frame.loc[1, "validation_accuracy"] = np.nan
    frame.to_csv(files[0], index=False)
    figure = training_curves.draw(training_curves.load_curves(files))
    assert sorted(len(line.get_xdata()) for line in _lines(figure.axes[0])) == [4, 5]


def test_has_the_same_bytes_twice(curves: Any, tmp_path: Path) -> None:
    files = curves(seeds=1)
    one, two = (
        training_curves.write(order, place(training_curves, tmp_path / name))
        for name, order in (("a", files), ("b", files[::-1]))
    )
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_refuses_a_curve_given_twice_and_mixed_sources(curves: Any) -> None:
    files = curves()
    with pytest.raises(MixedResultsError, match="two training curves of MNIST, honest, seed 0"):
        training_curves.load_curves([*files, files[0]])
    record = json.loads(files[0].with_suffix(".json").read_text())
    write_json(files[0].with_suffix(".json"), record | {"source": "synthetic"})
    with pytest.raises(MixedResultsError, match="mix data sources"):
        training_curves.load_curves(files)


def test_needs_a_curve() -> None:
    with pytest.raises(DataError, match="no training curve"):
        training_curves.load_curves([])


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".csv", None),
        (".csv", ""),
        (".csv", "epoch,train_loss\n1,low\n"),
        (".csv", "train_loss\n1\n"),
        (".csv", "epoch,train_loss\n1,2\n"),
        (".json", None),
        (".json", "{"),
        (".json", "[]"),
        (".json", '{"task": "mnist"}'),
    ],
)
def test_a_damaged_curve_or_record_is_a_data_error_with_its_name(curves: Any, suffix: str, content: Any) -> None:
    file = curves()[0].with_suffix(suffix)
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(DataError, match=rf"target\{suffix}.*run `snakemake` again"):
        training_curves.load_curves([file.with_suffix(".csv")])


def test_an_unknown_role_is_a_data_error(curves: Any) -> None:
    file = curves()[0]
    record = json.loads(file.with_suffix(".json").read_text())
    write_json(file.with_suffix(".json"), record | {"role": "kind"})
    with pytest.raises(DataError, match="unknown role kind"):
        training_curves.load_curves([file])
