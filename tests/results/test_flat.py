"""The study's numbers as flat JSON: finite or null with a reason, one level deep."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vicious.results.flat import flatten, write_metrics
from vicious.results.schema import MEASURES, SUMMARY
from vicious.system.errors import DataError


def row(
    role: str = "honest",
    attack: str = "posthoc",
    outputs: str = "logits",
    beta_r: float = 0.0,
    seed: int = 0,
    **values: Any,
) -> dict[Any, Any]:
    measured = {"accuracy": 0.5, "psnr": 10.0 + seed, "ssim": 0.25, "risk": 1.0, "risk95": 0.5, "top1": 0.2}
    told = {
        "dataset": "mnist",
        "task": "mnist",
        "role": role,
        "attack": attack,
        "outputs": outputs,
        "beta_r": beta_r,
        "seed": seed,
    }
    return {**told, "status": "ok", "reason": "", **measured, **values}


def failed(**values: Any) -> dict[Any, Any]:
    numbers: dict[str, Any] = dict.fromkeys(MEASURES, np.nan)
    return row(**numbers, status="failed", reason="the loss is nan", **values)


def test_each_model_and_attack_has_its_means_over_seeds() -> None:
    frame = pd.DataFrame([row(seed=0), row(seed=1), row("vicious", "joint", "softmax", 0.3), row(outputs="softmax")])
    flat = flatten(frame)
    assert flat["mnist/honest/posthoc-logits/psnr"] == 10.5
    assert flat["mnist/honest/posthoc-logits/psnr_std"] == pytest.approx(np.std([10, 11], ddof=1))
    assert flat["mnist/honest/posthoc-logits/seeds"] == 2
    assert flat["mnist/vicious-softmax-beta0.3/joint/psnr"] == 10.0
    assert "mnist/vicious-softmax-beta0.3/joint/psnr_std" not in flat, "one seed has no spread"
    assert flat["mnist/honest/posthoc-softmax/seeds"] == 1


def test_what_failed_is_null_with_a_reason_and_does_not_enter_a_mean() -> None:
    flat = flatten(pd.DataFrame([row(seed=0), failed(seed=1), failed(role="vicious", attack="joint", beta_r=1.0)]))
    honest, vicious = "mnist/honest/posthoc-logits", "mnist/vicious-logits-beta1/joint"
    assert (flat[f"{honest}/psnr"], flat[f"{honest}/seeds"], flat[f"{honest}/failed"]) == (10.0, 1, 1)
    assert (flat[f"{vicious}/psnr"], flat[f"{vicious}/seeds"]) == (None, 0)
    assert flat[f"{vicious}/reason"] == "the loss is nan"


def test_what_a_model_does_not_have_is_left_out() -> None:
    flat = flatten(pd.DataFrame([row("autoencoder", "joint", beta_r=1.0, accuracy=np.nan)]))
    assert "mnist/autoencoder-logits/joint/accuracy" not in flat
    assert flat["mnist/autoencoder-logits/joint/psnr"] == 10.0


def test_the_file_is_flat_finite_json(tmp_path: Path) -> None:
    frame = pd.DataFrame([row(), failed(role="vicious", attack="joint", beta_r=1.0)]).reindex(
        columns=list(SUMMARY.columns)
    )
    frame.to_csv(tmp_path / "main.csv", index=False)
    write_metrics(tmp_path / "main.csv", tmp_path / "metrics.json")
    content = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert all(value is None or isinstance(value, str) or math.isfinite(value) for value in content.values())
    assert content["mnist/vicious-logits-beta1/joint/psnr"] is None


@pytest.mark.parametrize("text", ["", "task,role\nmnist,honest\n"])
def test_a_damaged_summary_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "main.csv").write_text(text)
    with pytest.raises(DataError, match=r"(cannot read|is missing).* again"):
        write_metrics(tmp_path / "main.csv", tmp_path / "metrics.json")
    assert not (tmp_path / "metrics.json").exists()


def test_an_attack_models_name_stands_where_it_does_in_paths() -> None:
    frame = pd.DataFrame([row(attack=attack) for attack in ("posthoc", "posthoc-kernel_ridge", "best")])
    names = {key.rsplit("/", 1)[0].removeprefix("mnist/honest/") for key in flatten(frame)}
    assert names == {"posthoc-logits", "posthoc-logits-kernel_ridge", "best-logits"}
