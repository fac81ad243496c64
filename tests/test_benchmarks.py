"""Benchmarks: the prepared command for a GPU, tried on the CPU; how verdicts are counted."""

import json
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import classifiers
import evading
import numpy as np
import pytest
import torch
import verdicts
from classifiers import CLASSIFIERS, network, train

from vicious.auditing.given import Said, gather

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "MNIST").is_dir(), reason="real MNIST is not in ../shared/data")
def test_the_command_for_a_gpu_runs_to_its_end_on_a_cpu(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "benchmarks/gpu", "--out", "out", "--device", "cpu", "--data", SHARED]
    done = subprocess.run([*map(str, command)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out/rates.json").read_text())
    assert found["failed"] == {}
    assert {(row["precision"], row["recorded"]) for row in found["rates"]} == {
        (precision, recorded) for precision in ("bfloat16", "float32") for recorded in (True, False)
    }
    assert all(row["loop"] > 0 and row["share_of_peak"] is None for row in found["rates"])
    assert found["tests"] == "exit code 0", (tmp_path / "out/tests.log").read_text()
    assert found["study"]["train-vicious"] >= found["study"]["train-honest"] == 1
    assert found["study"]["assess-risk"] > found["study"]["train-attack"] > 0
    with tarfile.open(tmp_path / "out/results.tar.gz") as archive:
        names = archive.getnames()
    assert all(name.startswith("results/paper/") for name in names)
    for ending in ("target.safetensors", "train_honest.provenance.json", "risk-posthoc-logits.parquet"):
        assert any(name.endswith(ending) for name in names), ending


def row(model: str, beta: float, answer: str, leak: float, images: int = 50, **more: Any) -> dict[str, Any]:
    """An audit as verdicts.py keeps it."""
    known = {"dataset": "mnist", "family": "plain CNN", "draw": 0, "accuracy": 0.9, "p": 0.01, "above": []}
    known |= {"among": 25, "numbers": {}}
    return {**known, "model": model, "beta_r": beta, "answer": answer, "true_leak": leak, "images": images, **more}


ROWS = [
    row("a", 0.0, "no evidence", 0.1),
    row("a", 0.0, "evidence", 0.1, draw=1),
    row("b", 0.0, "undecided", 0.2),
    row("c", 1.0, "evidence", 0.5),
    row("d", 1.0, "no evidence", 0.3),
    row("e", 1.0, "evidence", 0.6, family=verdicts.PUBLISHED_FAMILY),
    row("b", 0.0, "no evidence", 0.3, dataset="cifar10"),
]


def test_a_model_is_judged_right_if_all_its_audits_are() -> None:
    head, rows = verdicts.by_kind(ROWS)
    assert head[4:6] == ["MNIST", "CIFAR-10"]
    assert rows == [
        ["trained here, honest", 50, "0.10 to 0.30", "1 of 4", "1 of 2", "1 of 1", "2 of 3", "9 to 99"],
        ["trained here, vicious, weight 1", 50, "0.30 to 0.50", "0 of 2", "1 of 2", "–", "1 of 2", "1 to 99"],
        ["the pilot's, vicious, beta_R 1", 50, "0.60 to 0.60", "0 of 1", "1 of 1", "–", "1 of 1", "3 to 100"],
    ]
    lines = [
        "MNIST, a: evidence in 1 of 2 audits (true leak 0.10; honest ones 0.10 to 0.20)",
        "MNIST, d: no evidence in 1 of 1 audits (true leak 0.30; honest ones 0.10 to 0.20)",
    ]
    assert verdicts.wrong([*ROWS, row("e", 1.0, "evidence", 0.6, images=200)]) == {50: lines, 200: []}


def test_audits_are_counted_by_network_over_its_seeds() -> None:
    few = "LeNet, honest, 1,000 images, seed"
    more: Any = {"images": 200, "above": ["convolutional"]}
    rows = [
        row(f"{few} 0", 0.0, "evidence", 0.5, accuracy=0.8),
        row(f"{few} 1", 0.0, "no evidence", 0.6, accuracy=0.75),
        row(f"{few} 0", 0.0, "undecided", 0.5, accuracy=0.8, images=200),
        row(f"{few} 0", 0.0, "no evidence", 0.5, accuracy=0.8, p=0.5, **more),
        row(f"{few} 1", 0.0, "no evidence", 0.5, accuracy=0.75, **more),
        row("LeNet, honest, seed 0", 0.0, "no evidence", 0.4),
    ]
    head, found = verdicts.by_network(rows)
    assert head[-3:] == ["evidence, n = 50", "evidence, n = 200", "by convolutional students alone, n = 200"]
    assert found == [
        ["MNIST", "LeNet, 1,000 images", 2, "75.0 to 80.0", "0.50 to 0.60", "1 of 2", "0 of 3 (1 undecided)", "1 of 3"],
        ["MNIST", "LeNet", 1, "90.0", "0.40", "0 of 1", "0 of 0", "0 of 0"],
    ]


def test_a_classifier_with_few_images_learns_from_these_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifiers, "FEW", 200)
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.rand(300, 1, 32, 32, generator=generator), torch.arange(300) % 10
    other = images.clone()
    other[200:] = 0
    how = classifiers.Trained("LeNet", few=True)
    one, two = (classifiers.train(how, some, labels, 1)(images[:5]) for some in (images, other))
    assert torch.equal(one, two)
    assert not torch.equal(one, classifiers.train(replace(how, few=False), images, labels, 1)(images[:5]))


def test_numbers_are_compared_within_datasets_and_by_one_threshold_for_all() -> None:
    numbers = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.15, "e": 0.5}
    rows = [one | {"numbers": {"leak": numbers[one["model"]] + (one["dataset"] == "cifar10")}} for one in ROWS]
    rows += [row("f", 1.0, "evidence", 0.4, dataset="cifar10", numbers={"leak": 1.4, "margin": 0.0})]
    head, (leak, margin) = verdicts.separated(rows)
    assert head == ["number", "MNIST, n = 50", "CIFAR-10, n = 50", "all, n = 50"]
    assert leak[:3] == ["leak", "0.83", "1.00"]
    assert leak[3].startswith("0.67 [")
    assert margin == ["margin", "–", "–", "–"]
    (some,) = verdicts.separated([one for one in rows if one["model"] != "b"] + [row("b", 0.0, "undecided", 0.2)])[1][
        :1
    ]
    assert some[3].endswith("(5 of 6 models)")


def test_what_is_shipped_are_first_audits_of_networks_that_are_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "SHIPPED", tmp_path / "reference.json")
    verdicts.ship(ROWS, {"commit": "abc", "date": "2026-01-02"}, {"epochs": 1})
    found = json.loads((tmp_path / "reference.json").read_text())
    assert found["made"]["commit"] == "abc"
    assert [(one["dataset"], one["model"]) for one in found["networks"]] == [
        *(("mnist", name) for name in "abcd"),
        ("cifar10", "b"),
    ]


PLAIN = [one for one in CLASSIFIERS if not one.seed and one.beta_r in (0, 1) and not one.smoothing and not one.decay]
KINDS = [one for one in PLAIN if one.family != "transformer"]  # which learns nothing in so few steps


@pytest.mark.parametrize("how", KINDS, ids=str)
def test_classifiers_learn_and_a_decoder_beside_them_makes_them_tell_more(how: Any) -> None:
    """The right half of an image, four patches of any brightness, says nothing of its class."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (400,), generator=generator)
    images = torch.rand(400, 1, 32, 32, generator=generator) * 0.2
    patches = torch.rand(400, 4, generator=generator) * 0.8
    for at in range(4):
        images[labels == at, :, 8 * at : 8 * at + 8, :16] += 0.8
        images[:, :, 8 * at : 8 * at + 8, 16:] += patches[:, at, None, None, None]
    pixels = images.flatten(1).double().numpy()

    def logits(of: Any) -> Any:
        classifier = train(of, images, labels, 10)
        with torch.inference_mode():
            return classifier(images - 0.5).double().numpy()

    found = logits(how)
    assert found.shape == (400, 10)
    assert (found.argmax(1) == labels.numpy()).mean() > 0.9
    if how.beta_r:
        assert verdicts.true_leak(found, pixels) > verdicts.true_leak(logits(replace(how, beta_r=0.0)), pixels) + 0.02
    else:
        assert (logits(how) == found).all(), "the same seed, the same weights"


def test_a_transformer_sees_where_a_patch_is() -> None:
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    transformer = network("transformer", 3).eval()
    with torch.inference_mode():
        assert transformer(images).shape == (2, 10)
        assert not torch.allclose(transformer(images), transformer(images.roll(8, 3)), atol=1e-4)


def test_the_true_leak_is_what_a_decoder_reads_beyond_the_label() -> None:
    generator = np.random.default_rng(0)
    code = generator.normal(size=(400, 3))
    pixels = 0.5 + 0.1 * code @ generator.normal(size=(3, 64))
    label = 9.0 * np.eye(4)[generator.integers(0, 4, 400)]
    assert verdicts.true_leak(label + generator.normal(size=(400, 4)) * 1e-3, pixels) < 0.05
    assert verdicts.true_leak(np.hstack([label, code]), pixels) > 0.8


def test_audits_of_the_same_images_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = (np.random.default_rng(0).random((60, 1, 8, 8)) * 255).astype(np.uint8)

    class Data:
        def images(self, _split: str) -> Any:
            return images

        def labels(self, _split: str) -> Any:
            return np.arange(60) % 3

    monkeypatch.setattr(verdicts, "SAMPLES", (50,))
    logits = 5.0 * np.eye(3)[np.arange(60) % 3] + np.random.default_rng(1).normal(size=(60, 3))
    asked: list[list[str]] = []

    def given(some: Any, seed: int) -> Any:
        asked.append(list(some.names))
        return gather(some, logits[[int(one) for one in some.names]], Said(kind="logits", seed=seed))

    tests = verdicts.Tests(cast(Any, Data()), "mnist", 2, tmp_path)
    about = {"family": "plain CNN", "model": "a", "beta_r": 0.0}
    rows = list(tests.rows("a", about, logits, given))
    assert [(one["images"], one["draw"]) for one in rows] == [(50, 0), (50, 1)]
    assert sorted(asked[0]) != sorted(asked[1])
    assert rows[0]["accuracy"] == pytest.approx((logits.argmax(1) == np.arange(60) % 3).mean())
    assert rows[0]["among"] == 25
    assert list(tests.rows("a", about, logits, given)) == rows
    assert len(asked) == 2


def test_what_is_given_away_is_of_the_best_reconstructions() -> None:
    images = np.random.default_rng(0).random((50, 64))
    close, mean = np.clip(images + 0.01, 0, 1), np.tile(images.mean(0), (50, 1))
    found = evading.given_away([mean, close], images)
    assert found["psnr"] == pytest.approx(-10 * np.log10(((close - images) ** 2).mean(1)).mean())
    assert found["psnr"] > 39
    assert found["identified"] == 1
    assert evading.given_away([mean], images)["identified"] == pytest.approx(1 / 50)


def test_a_decoder_of_a_finished_classifier_learns_what_its_logits_tell() -> None:
    generator = torch.Generator().manual_seed(0)
    code = torch.rand(400, 10, generator=generator)
    images = code[:, :4].repeat_interleave(256, 1).reshape(400, 1, 32, 32)
    decoder, mean, spread = classifiers.train_decoder(100 * code, images, 30)
    with torch.inference_mode():
        read = decoder((100 * code - mean) / spread)
    assert (read - images.flatten(1)).square().mean() < 0.1 * images.var(0).mean()


def server(name: str, seed: int, accuracy: float, psnr: float, *answers: str) -> dict[str, Any]:
    verdicts = [{"images": number, "answer": one} for number, one in zip((50, 200, 1000), answers, strict=True)]
    known = {"dataset": "mnist", "server": name, "seed": seed, "identified": 0.25}
    return {**known, "accuracy": accuracy, "psnr": psnr, "verdicts": verdicts}


def test_a_server_is_compared_with_honest_and_vicious_ones_of_its_seed() -> None:
    none, some = "no evidence", "evidence"
    rows = [
        *(server("honest", seed, 0.9 + seed / 100, 14.0 + seed, none, none, none) for seed in (0, 1)),
        *(server("vicious", seed, 0.9 + seed / 100, 17.0 + seed, none, some, some) for seed in (0, 1)),
        server("penalty against the rule", 0, 0.88, 16.0, "undecided", none, some),
        server("penalty against the rule", 1, 0.90, 16.0, none, none, none),
    ]
    head, found = evading.by_server(rows)
    assert all(len(line) == len(head) for line in found)
    assert found[0][1:6] == ["honest", "90.5", "+0.0 (+0.0 to +0.0)", "14.50", "–"]
    assert found[1][1:] == [
        *("vicious", "90.5", "–", "17.50", "+3.00 (+3.00 to +3.00)", "25.0", "0 of 2", "2 of 2", "2 of 2"),
    ]
    assert found[2][2:] == [
        *("89.0", "-1.5 (-2.0 to -1.0)", "16.00", "+1.50 (+1.00 to +2.00)", "25.0"),
        *("0 of 2 (1 undecided)", "0 of 2", "1 of 2"),
    ]


def test_a_penalty_is_made_anew_for_each_epoch_and_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[list[float]] = []

    def new_penalty(evades: str) -> Any:
        assert evades == "students"
        made.append([])

        def size(logits: Any, labels: Any, images: Any) -> Any:
            assert images.shape[1:] == (1, 32, 32)
            assert images.min() >= 0
            made[-1].append(logits.detach().abs().mean().item())
            return 100 * logits.square().mean()

        return size

    monkeypatch.setattr(classifiers, "new_penalty", new_penalty)
    how = replace(next(one for one in KINDS if one.family == "perceptron" and one.beta_r), evades="students")
    assert "evading students 1" in str(how)
    generator = torch.Generator().manual_seed(0)
    train(how, torch.rand(200, 1, 32, 32, generator=generator), torch.arange(200) % 4, 30)
    assert [len(epoch) for epoch in made] == [2] * 30
    sizes = [np.mean(epoch) for epoch in made]
    assert sizes[-1] < max(sizes) / 3
