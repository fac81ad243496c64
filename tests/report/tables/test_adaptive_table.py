"""What it prints of servers that know of detectors."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from placed import place

from vicious.defense.evaluation.separation import separation
from vicious.report.tables import adaptive_table


@pytest.fixture
def inputs(made_up: ModuleType, servers: ModuleType, tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    def write(datasets: Any = ("mnist", "celeba"), scores: Any = None, **options: Any) -> tuple[Path, Path]:
        servers.summary(made_up, datasets, **options).to_csv(tmp_path / "defense.csv", index=False)
        scores = servers.detection(datasets) if scores is None else scores
        scores.to_csv(tmp_path / "detection.csv", index=False)
        return tmp_path / "defense.csv", tmp_path / "detection.csv"

    return write


def cells(text: str, server: Any) -> dict[str, str]:
    """The cells of the first line of a server, by heading."""
    head, _, *lines = (line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("|"))
    return next(cells for line in lines if (cells := dict(zip(head, line, strict=True)))["Server"] == server)


def test_a_line_for_each_server(inputs: Callable[..., tuple[Path, Path]], tmp_path: Path) -> None:
    csv, text, latex = adaptive_table.write(*inputs(synthetic=("mnist",)), place(adaptive_table, tmp_path / "out"))
    words = text.read_text(encoding="utf-8")
    lines = [line for line in words.splitlines() if line.startswith("|")][2:]
    servers = [line.split(" | ")[1] for line in lines]
    assert servers == ["honest", "vicious", "linear evasion 0.1", "linear evasion 1", "folded", "shuffled"] * 2
    assert lines[0].startswith("| MNIST (synthetic stand-in) | honest | 3 |")
    assert [line.split(" | ")[0] for line in lines[6:8]] == ["| CelebA", "| "]
    assert "n = 200" in words
    assert latex.read_text(encoding="utf-8").count(r"\toprule") == 1
    assert set(pd.read_csv(csv)["n_user"]) == {50, 200}


def test_numbers_are_those_of_the_results(
    inputs: Callable[..., tuple[Path, Path]], made_up: ModuleType, servers: ModuleType, tmp_path: Path
) -> None:
    csv, *_ = adaptive_table.write(*inputs(("mnist",)), place(adaptive_table, tmp_path / "out"))
    table: Any = pd.read_csv(csv).set_index(["server", "detector", "n_user"])
    summary = servers.summary(made_up, ("mnist",))
    honest = summary.loc[summary["role"] == "honest"].set_index("seed")["psnr"]
    evading = summary.loc[summary["evasion"] == 1.0].iloc[0]
    row = table.loc[("vicious, linear evasion 1", "own_decoder", 200)]
    assert row["psnr_mean"] == pytest.approx(evading["psnr"])
    assert row["gain_mean"] == pytest.approx(evading["psnr"] - honest[0])
    assert row["accuracy_mean"] == pytest.approx(100 * evading["accuracy"])
    scores = servers.detection(("mnist",))
    expected = separation(scores.loc[scores["beta_r"] != 0.3]).set_index(["server", "detector", "n_user"])["auroc"]
    for key, auroc in expected.items():
        assert table.loc[key, "auroc"] == pytest.approx(auroc)
    vicious = summary.loc[(summary["beta_r"] == 1.0) & (summary["evasion"] == 0)].set_index("seed")["psnr"]
    row = table.loc[("vicious", "entropy", 50)]
    assert (row["psnr_n"], row["vicious_models"], row["models"]) == (3, 3, 3)
    assert row["gain_sd"] == pytest.approx((vicious - honest).std())


def test_hidden_codes_print_the_measures_of_the_model_hidden(
    inputs: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    _, text, _ = adaptive_table.write(*inputs(("mnist",), seeds=1), place(adaptive_table, tmp_path / "out"))
    words = text.read_text(encoding="utf-8")
    hidden, plain = cells(words, "shuffled"), cells(words, "vicious")
    for name in ("Accuracy (%)", "PSNR (dB)", "PSNR gain (dB)", "R95"):
        assert hidden[name] == plain[name]


def test_honest_models_have_no_auroc_and_the_share_of_those_held_out(
    inputs: Callable[..., tuple[Path, Path]], servers: ModuleType, tmp_path: Path
) -> None:
    _, text, _ = adaptive_table.write(*inputs(("mnist",)), place(adaptive_table, tmp_path / "out"))
    honest = cells(text.read_text(encoding="utf-8"), "honest")
    assert honest["PSNR gain (dB)"] == honest["AUROC, own decoder"] == "–"
    assert float(honest["Flagged (%)"].split()[0]) < 50


def test_the_detector_that_flags_most_is_named() -> None:
    rows = [{"detector": name, "flagged": share} for name, share in (("own_decoder", 40.0), ("effective_rank", 75.0))]
    assert adaptive_table._flagged(rows, "flagged") == "75.0 (effective)"
    assert adaptive_table._flagged([{"detector": "own_decoder", "flagged": 0.0}], "flagged") == "0.0"
    assert adaptive_table._flagged([{"detector": "own_decoder", "flagged": np.nan}], "flagged") is None


def test_failures_are_shown(
    inputs: Callable[..., tuple[Path, Path]], servers: ModuleType, made_up: ModuleType, tmp_path: Path
) -> None:
    failed = [("mnist", "own_decoder", "vicious, linear evasion 1", 0), ("mnist", "own_decoder", "vicious", 2)]
    paths = inputs(("mnist",), servers.detection(("mnist",), failed=failed), failed=(("mnist", "vicious", 0),))
    _, text, _ = adaptive_table.write(*paths, place(adaptive_table, tmp_path / "out"))
    words = text.read_text(encoding="utf-8")
    assert cells(words, "linear evasion 1")["AUROC, own decoder"] == "failed"
    assert cells(words, "vicious")["AUROC, own decoder"].endswith("(1 failed)")
    assert cells(words, "linear evasion 1")["PSNR (dB)"] == "failed (1 of 1 seeds)"
    assert "(1/3 failed)" in cells(words, "vicious")["PSNR (dB)"]
    assert "linear evasion 1), seed 0: loss is not finite, step 12 & 50% of grad\\_norm" in words


def test_servers_that_were_not_judged_keep_their_line(
    inputs: Callable[..., tuple[Path, Path]], servers: ModuleType, tmp_path: Path
) -> None:
    scores = servers.detection(("mnist",), evasion=(0.1,))
    csv, text, _ = adaptive_table.write(*inputs(("mnist",), scores), place(adaptive_table, tmp_path / "out"))
    line = cells(text.read_text(encoding="utf-8"), "linear evasion 1")
    assert line["Models"] == "0"
    assert line["AUROC, linear decodability"] == "–"
    assert pd.read_csv(csv).loc[lambda frame: frame["server"] == "vicious, linear evasion 1", "detector"].isna().all()


def test_the_same_inputs_give_the_same_bytes(inputs: Callable[..., tuple[Path, Path]], tmp_path: Path) -> None:
    given = inputs(("mnist",))
    one, two = (adaptive_table.write(*given, place(adaptive_table, tmp_path / name)) for name in ("a", "b"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
