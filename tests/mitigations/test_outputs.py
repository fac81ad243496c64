"""What the user may send, by plain computations."""

import inspect
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from models_by_hand import G
from scipy.special import expit, softmax
from torch import Generator

from vicious import mitigations
from vicious.metrics.answers import answer_accuracy, calibration_error
from vicious.mitigations import LEAST, Outputs, parse_outputs, parse_trainable, probabilities_of, readable, transmit
from vicious.models.architecture import Architecture
from vicious.system.registry import names

LOGITS = torch.from_numpy(np.random.default_rng(0).normal(scale=3, size=(50, 7)))
ALL = (
    *("logits", "clip2", "softmax", "probabilities", "temperature4", "temperature0.1"),
    *("top3", "round2", "dither2", "noise0.1", "label"),
)


def test_every_kind_is_tested_and_none_hides_a_function() -> None:
    kinds = {parse_outputs(name).kind for name in ALL}
    assert kinds == set(names("vicious.mitigations"))
    assert not kinds & {name for name, value in vars(mitigations).items() if not inspect.ismodule(value)}
    assert torch.finfo(torch.float32).tiny == LEAST


def test_kinds_are_read_without_pytorch() -> None:
    code = "import sys; from vicious.mitigations import parse_outputs as parse; "
    code += f"[parse(name).width(7) for name in {ALL}]; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def sent(outputs: Any, multilabel: bool = False, seed: int = 0) -> np.ndarray:
    return transmit(LOGITS, outputs, multilabel, Generator().manual_seed(seed)).numpy()


def test_logits_and_probabilities() -> None:
    assert transmit(LOGITS, "logits") is LOGITS
    for name in ("softmax", "probabilities"):
        np.testing.assert_allclose(sent(name), softmax(LOGITS.numpy(), axis=1))
        np.testing.assert_allclose(sent(name, True), expit(LOGITS.numpy()))
    np.testing.assert_allclose(sent("temperature4"), softmax(LOGITS.numpy() / 4, axis=1))


def test_top_keeps_the_largest_and_nothing_else() -> None:
    p, found = softmax(LOGITS.numpy(), axis=1), sent("top3")
    order = np.argsort(-p, axis=1)
    np.testing.assert_allclose(np.take_along_axis(found, order, 1)[:, :3], np.take_along_axis(p, order, 1)[:, :3])
    assert (np.take_along_axis(found, order, 1)[:, 3:] == 0).all()
    np.testing.assert_allclose(sent("top99"), p)


def test_top_of_attributes_rounds_the_less_sure_ones() -> None:
    p, found = expit(LOGITS.numpy()), sent("top2", True)
    kept = np.argsort(-abs(p - 0.5), axis=1)[:, :2]
    for row in range(len(p)):
        for k in range(7):
            assert found[row, k] == pytest.approx(p[row, k] if k in kept[row] else float(p[row, k] >= 0.5))


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_rounding_leaves_that_many_values(bits: int) -> None:
    found, levels = sent(f"round{bits}"), 2**bits - 1
    np.testing.assert_allclose(found, np.round(softmax(LOGITS.numpy(), axis=1) * levels) / levels)
    assert len(np.unique(found)) <= 2**bits


@pytest.mark.parametrize("bits", [1, 3])
def test_dithered_values_are_levels_and_right_on_average(bits: int) -> None:
    p, levels = softmax(LOGITS.numpy(), axis=1), 2**bits - 1
    many = LOGITS.repeat(4000, 1, 1).flatten(0, 1)
    found = transmit(many, f"dither{bits}", generator=Generator().manual_seed(0)).numpy().reshape(4000, *p.shape)
    np.testing.assert_allclose(found * levels, np.round(found * levels), atol=1e-9)
    assert found.min() == 0
    assert found.max() == 1
    np.testing.assert_allclose(found.mean(0), p, atol=5 * 0.5 / levels / np.sqrt(4000))
    assert not np.array_equal(sent(f"dither{bits}", seed=0), sent(f"dither{bits}", seed=1))


def test_probabilities_of_cut_logits_are_no_surer_than_the_cut_allows() -> None:
    logits = LOGITS.numpy()
    centred = logits - logits.mean(1, keepdims=True)
    assert (np.abs(centred) > 2).any()
    np.testing.assert_allclose(sent("clip2"), softmax(np.clip(centred, -2, 2), axis=1))
    np.testing.assert_allclose(sent("clip2", True), expit(np.clip(logits, -2, 2)))
    shifted = transmit(LOGITS + torch.arange(50.0)[:, None], "clip2").numpy()
    np.testing.assert_allclose(shifted, sent("clip2"), atol=1e-9)
    np.testing.assert_allclose(sent("clip99"), softmax(logits, axis=1))


@pytest.mark.parametrize("outputs", ALL)
@pytest.mark.parametrize("multilabel", [False, True])
def test_what_is_sent_can_be_judged_as_an_answer(outputs: Any, multilabel: bool) -> None:
    labels = (LOGITS > 1).long() if multilabel else LOGITS.argmax(1)
    found = torch.from_numpy(sent(outputs, multilabel))
    assert 0 <= calibration_error(probabilities_of(found, outputs, multilabel), labels) <= 1
    if not parse_outputs(outputs).plain:  # of the study's own the logits are judged
        right = answer_accuracy(found, labels)
        assert right.shape == (50,)
        assert ((right >= 0) & (right <= 1)).all()
        assert right.mean() > 1 / 7


def test_a_server_that_trains_for_rounding_has_the_gradient_of_what_was_rounded() -> None:
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=(7,)))
    gradients = []
    for outputs in ("round2", "probabilities"):
        logits = LOGITS.clone().requires_grad_()
        (transmit(logits, outputs) * weights).sum().backward()
        assert logits.grad is not None
        gradients.append(logits.grad)
    torch.testing.assert_close(gradients[0], gradients[1])
    assert gradients[0].abs().max() > 0.01


@pytest.mark.parametrize("outputs", [name for name in ALL if name != "label"])
@pytest.mark.parametrize("multilabel", [False, True])
def test_what_can_be_trained_for_has_a_finite_gradient(outputs: Any, multilabel: bool) -> None:
    assert parse_trainable(outputs) == parse_outputs(outputs)
    extreme = torch.cat([LOGITS, torch.tensor([[300.0, -300.0, 0, 0, 0, 0, 0]], dtype=LOGITS.dtype)]).float()
    logits = extreme.requires_grad_()
    sent = transmit(logits, outputs, multilabel, Generator().manual_seed(0))
    readable(sent, outputs).square().mean().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad != 0).any()


def test_nobody_trains_for_labels() -> None:
    with pytest.raises(ValueError, match="no gradient"):
        parse_trainable("label")


def test_noise_has_its_size_is_drawn_anew_and_stays_in_range() -> None:
    half = torch.zeros(4000, 2)
    one, two = (transmit(half, "noise0.1", generator=Generator().manual_seed(seed)) for seed in (0, 1))
    assert one.std().item() == pytest.approx(0.1, rel=0.05)
    assert one.mean().item() == pytest.approx(0.5, abs=0.01)
    assert not torch.equal(one, two)
    loud = sent("noise5")
    assert loud.min() == 0
    assert loud.max() == 1
    np.testing.assert_array_equal(sent("noise0.1", seed=3), sent("noise0.1", seed=3))


def test_labels_are_one_hot_or_signs() -> None:
    np.testing.assert_array_equal(sent("label"), np.eye(7)[LOGITS.numpy().argmax(1)])
    np.testing.assert_array_equal(sent("label", True), LOGITS.numpy() >= 0)


@pytest.mark.parametrize("outputs", ALL)
@pytest.mark.parametrize("multilabel", [False, True])
def test_the_attack_model_reads_as_much_as_it_is_built_for(outputs: Any, multilabel: bool) -> None:
    shown = readable(torch.from_numpy(sent(outputs, multilabel)).float(), outputs)
    assert shown.shape == (50, parse_outputs(outputs).width(7))
    assert torch.isfinite(shown).all()
    attack = Architecture(G, 1, 7, multilabel, reads=outputs).build()
    assert attack(shown).shape == (50, 1, 32, 32)


def test_an_attacker_who_gets_probabilities_reads_their_logarithms_too() -> None:
    p = torch.from_numpy(sent("probabilities"))
    np.testing.assert_allclose(readable(p, "probabilities")[:, 7:], np.log(p.numpy()))
    assert readable(torch.zeros(1, 1), "temperature0.1")[0, 1].item() == pytest.approx(np.log(LEAST))
    cut = torch.tensor([[0.0, 1e-30, 0.5]])
    np.testing.assert_allclose(readable(cut, "top2"), [[0, 1e-30, 0.5, 0, np.log(1e-30), np.log(0.5)]], rtol=1e-5)
    np.testing.assert_allclose(readable(cut, "noise0.1")[:, 3:], np.log(cut.numpy() + 0.1), rtol=1e-5)
    assert readable(p, "softmax") is p


def test_what_was_sent_as_probabilities() -> None:
    np.testing.assert_allclose(probabilities_of(LOGITS, "logits"), softmax(LOGITS.numpy(), axis=1))
    np.testing.assert_allclose(probabilities_of(LOGITS, "logits", True), expit(LOGITS.numpy()))
    top = torch.from_numpy(sent("top1"))
    assert probabilities_of(top, "top1") is top


@pytest.mark.parametrize(("name", "expected"), [("top3", Outputs("top", 3)), ("noise0.25", Outputs("noise", 0.25))])
def test_names(name: str, expected: Any) -> None:
    assert parse_outputs(name) == expected


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sofmax", "names no outputs; did you mean 'softmax'"),
        ("", "names no outputs"),
        ("top", "needs a number"),
        ("label3", "takes no number"),
        ("top0", "above 0"),
        ("top1.5", "whole number"),
        ("round17", "at most 16 bits"),
        ("noise-1", "names no outputs"),
        ("noise0.10", "write the number as 0.1"),
        ("top03", "write the number as 3"),
    ],
)
def test_what_is_no_kind_of_outputs_is_refused(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_outputs(name)
