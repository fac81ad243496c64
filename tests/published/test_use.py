"""Published models in commands, as their user types them."""

import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest
from prepared_by_hand import write_prepared
from tiny_study import HONEST, VICIOUS

from vicious import cli
from vicious.published.publish import publish
from vicious.study.config import Params
from vicious.system.files import read_json

DATA = "data/prepared/smoke/mnist"
SIZES = "--depth 10 --width 1 --epochs 1 --batch-images 24 --learning-rate 0.001 --seed 0"


@pytest.fixture
def clone(params: Params) -> None:
    """Published models and prepared data alone."""
    publish(params)
    shutil.rmtree("results")


def command(line: str) -> int:
    return cli.main(shlex.split(line))


def test_assess_risk_measures_a_published_pair_as_the_card_says(clone: None) -> None:
    model = f"models/smoke/{VICIOUS}"
    assert (
        command(
            f"assess-risk --data {DATA} --covariance {DATA}/covariance.safetensors --target {model}/target.safetensors "
            f"--attack {model}/joint.safetensors --outputs logits --out mine --gallery-images 4 --estimator truncated "
            "--cutoff 1.2e-7"
        )
        == 0
    )
    found = read_json("mine/risk-joint.json")
    joint = read_json(f"{model}/card.json")["leaks"][1]
    assert [found[key] for key in ("psnr", "ssim", "risk", "top1")] == [
        joint[key] for key in ("psnr", "ssim", "risk", "top1")
    ]


def test_train_attack_attacks_a_published_model(clone: None) -> None:
    model = f"models/smoke/{HONEST}"
    attack = f"--data {DATA} --target {model}/target.safetensors --outputs logits"
    assert command(f"train-attack {attack} --attack-model linear_ridge --out mine/ridge.safetensors {SIZES}") == 0
    assert (
        command(
            f"assess-risk --data {DATA} --covariance {DATA}/covariance.safetensors --target {model}/target.safetensors "
            "--attack mine/ridge.safetensors --attack-model linear_ridge --outputs logits --out mine "
            "--gallery-images 4 --estimator truncated --cutoff 1.2e-7"
        )
        == 0
    )
    best = read_json(f"{model}/card.json")["leaks"][0]
    assert best["choices"]["psnr"] == "posthoc-linear_ridge"
    assert read_json("mine/risk-ridge.json")["psnr"] == best["psnr"]


def test_evaluate_defense_judges_a_published_model(clone: None) -> None:
    model = f"models/smoke/{VICIOUS}"
    assert (
        command(
            f"evaluate-defense --data {DATA} --target {model}/target.safetensors --out mine/detection.csv "
            "--detectors entropy linear_decodability --user-images 16 --draws 2"
        )
        == 0
    )
    rows = pd.read_csv("mine/detection.csv")
    assert set(rows["detector"]) == {"entropy", "linear_decodability"}
    assert set(rows["status"]) == {"ok"}


@pytest.mark.parametrize(
    "line",
    [
        "assess-risk --covariance {data}/covariance.safetensors --attack {model}/joint.safetensors --outputs logits "
        "--out mine --gallery-images 4 --estimator truncated --cutoff 1.2e-7",
        f"train-attack --outputs logits --attack-model linear_ridge --out mine/ridge.safetensors {SIZES}",
        "evaluate-defense --out mine/detection.csv --detectors entropy --user-images 16 --draws 2",
    ],
    ids=lambda line: line.split()[0],
)
def test_other_data_than_the_models_own_are_refused_in_a_line(
    clone: None, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model, other = f"models/smoke/{VICIOUS}", write_prepared(Path("other"), classes=10, counts=(96, 21, 32))
    words = line.format(data=DATA, model=model)
    assert command(f"{words} --data {other} --target {model}/target.safetensors") == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"error: {model}/target.safetensors was trained on other data than other (MNIST): ")
    assert not Path("mine").exists()
