"""What the user may send, by plain computations; and how a code is hidden in it and found again."""

from typing import get_args

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from torch import Generator

from vicious.models.attack import AttackModel
from vicious.models.checkpoint import Architecture
from vicious.models.hidden import Hiding, hide, reveal
from vicious.models.kinds import Code, Outputs, parse_outputs, parse_trainable
from vicious.models.outputs import LEAST, probabilities_of, readable, transmit

LOGITS = torch.from_numpy(np.random.default_rng(0).normal(scale=3, size=(50, 7)))
ALL = ("logits", "softmax", "probabilities", "temperature4", "temperature0.1", "top3", "round2", "noise0.1", "label")


def sent(outputs, multilabel=False, seed=0):
    return transmit(LOGITS, outputs, multilabel, Generator().manual_seed(seed)).numpy()


def test_logits_and_probabilities():
    assert transmit(LOGITS, "logits") is LOGITS
    for name in ("softmax", "probabilities"):
        np.testing.assert_allclose(sent(name), softmax(LOGITS.numpy(), axis=1))
        np.testing.assert_allclose(sent(name, True), expit(LOGITS.numpy()))
    np.testing.assert_allclose(sent("temperature4"), softmax(LOGITS.numpy() / 4, axis=1))


def test_top_keeps_the_largest_and_nothing_else():
    p, found = softmax(LOGITS.numpy(), axis=1), sent("top3")
    order = np.argsort(-p, axis=1)
    np.testing.assert_allclose(np.take_along_axis(found, order, 1)[:, :3], np.take_along_axis(p, order, 1)[:, :3])
    assert (np.take_along_axis(found, order, 1)[:, 3:] == 0).all()
    np.testing.assert_allclose(sent("top99"), p)


def test_top_of_attributes_rounds_the_less_sure_ones():
    p, found = expit(LOGITS.numpy()), sent("top2", True)
    kept = np.argsort(-abs(p - 0.5), axis=1)[:, :2]
    for row in range(len(p)):
        for k in range(7):
            assert found[row, k] == pytest.approx(p[row, k] if k in kept[row] else float(p[row, k] >= 0.5))


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_rounding_leaves_that_many_values(bits):
    found, levels = sent(f"round{bits}"), 2**bits - 1
    np.testing.assert_allclose(found, np.round(softmax(LOGITS.numpy(), axis=1) * levels) / levels)
    assert len(np.unique(found)) <= 2**bits


def test_a_server_that_trains_for_rounding_has_the_gradient_of_what_was_rounded():
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=(7,)))
    gradients = []
    for outputs in ("round2", "probabilities"):
        logits = LOGITS.clone().requires_grad_()
        (transmit(logits, outputs) * weights).sum().backward()
        gradients.append(logits.grad)
    torch.testing.assert_close(gradients[0], gradients[1])
    assert gradients[0].abs().max() > 0.01


@pytest.mark.parametrize("outputs", [name for name in ALL if name != "label"])
@pytest.mark.parametrize("multilabel", [False, True])
def test_what_can_be_trained_for_has_a_finite_gradient(outputs, multilabel):
    assert parse_trainable(outputs) == parse_outputs(outputs)
    extreme = torch.cat([LOGITS, torch.tensor([[300.0, -300.0, 0, 0, 0, 0, 0]], dtype=LOGITS.dtype)]).float()
    logits = extreme.requires_grad_()
    sent = transmit(logits, outputs, multilabel, Generator().manual_seed(0))
    readable(sent, outputs).square().mean().backward()
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad != 0).any()


def test_nobody_trains_for_labels():
    with pytest.raises(ValueError, match="no gradient"):
        parse_trainable("label")


def test_noise_has_its_size_is_drawn_anew_and_stays_in_range():
    half = torch.zeros(4000, 2)
    one, two = (transmit(half, "noise0.1", generator=Generator().manual_seed(seed)) for seed in (0, 1))
    assert one.std().item() == pytest.approx(0.1, rel=0.05)
    assert one.mean().item() == pytest.approx(0.5, abs=0.01)
    assert not torch.equal(one, two)
    loud = sent("noise5")
    assert loud.min() == 0
    assert loud.max() == 1
    np.testing.assert_array_equal(sent("noise0.1", seed=3), sent("noise0.1", seed=3))


def test_labels_are_one_hot_or_signs():
    np.testing.assert_array_equal(sent("label"), np.eye(7)[LOGITS.numpy().argmax(1)])
    np.testing.assert_array_equal(sent("label", True), LOGITS.numpy() >= 0)


@pytest.mark.parametrize("outputs", ALL)
@pytest.mark.parametrize("multilabel", [False, True])
def test_the_attack_model_reads_as_much_as_it_is_built_for(outputs, multilabel):
    shown = readable(torch.from_numpy(sent(outputs, multilabel)).float(), outputs)
    assert shown.shape == (50, parse_outputs(outputs).width(7))
    assert torch.isfinite(shown).all()
    attack = Architecture("attack", 10, 1, 1, 7, multilabel, reads=outputs).build()
    assert isinstance(attack, AttackModel)
    assert attack(shown).shape == (50, 1, 32, 32)


def test_an_attacker_who_is_told_probabilities_reads_their_logarithms_too():
    p = torch.from_numpy(sent("probabilities"))
    np.testing.assert_allclose(readable(p, "probabilities")[:, 7:], np.log(p.numpy()))
    assert readable(torch.zeros(1, 1), "temperature0.1")[0, 1].item() == pytest.approx(np.log(LEAST))
    cut = torch.tensor([[0.0, 1e-30, 0.5]])
    np.testing.assert_allclose(readable(cut, "top2"), [[0, 1e-30, 0.5, 0, np.log(1e-30), np.log(0.5)]], rtol=1e-5)
    np.testing.assert_allclose(readable(cut, "noise0.1")[:, 3:], np.log(cut.numpy() + 0.1), rtol=1e-5)
    assert readable(p, "softmax") is p


def test_what_was_sent_as_probabilities():
    np.testing.assert_allclose(probabilities_of(LOGITS, "logits"), softmax(LOGITS.numpy(), axis=1))
    np.testing.assert_allclose(probabilities_of(LOGITS, "logits", True), expit(LOGITS.numpy()))
    top = torch.from_numpy(sent("top1"))
    assert probabilities_of(top, "top1") is top


@pytest.mark.parametrize(("name", "expected"), [("top3", Outputs("top", 3)), ("noise0.25", Outputs("noise", 0.25))])
def test_names(name, expected):
    assert parse_outputs(name) == expected


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sofmax", "names no outputs"),
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
def test_what_is_no_kind_of_outputs_is_refused(name, words):
    with pytest.raises(ValueError, match=words):
        parse_outputs(name)


CODES = get_args(Code)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("multilabel", [False, True])
def test_a_hidden_code_keeps_the_answer_and_comes_back(code, multilabel):
    hidden = hide(LOGITS, code, multilabel)
    if multilabel:
        assert torch.equal(hidden >= 0, LOGITS >= 0)
    else:
        assert torch.equal(hidden.argmax(1), LOGITS.argmax(1))
        torch.testing.assert_close(hidden.amax(1), LOGITS.amax(1))
    assert (hidden - LOGITS).abs().mean() > 0.5
    torch.testing.assert_close(reveal(hidden, code, multilabel), LOGITS, atol=1e-6, rtol=1e-6)


def test_shifted_gaps_are_an_affine_function_of_gaps_that_the_class_chooses():
    hidden, label = hide(LOGITS, "shifted", False), LOGITS.argmax(1)
    gaps, moved = (each.amax(1, keepdim=True) - each for each in (LOGITS, hidden))
    lines = []
    for one in label.unique():
        others = torch.arange(LOGITS.shape[1]) != one
        x, y = (each[label == one][:, others].flatten().numpy() for each in (gaps, moved))
        slope, offset = np.polyfit(x, y, 1)
        np.testing.assert_allclose(y, slope * x + offset, rtol=1e-9)
        lines.append((slope, offset))
    slopes, offsets = zip(*lines, strict=True)
    assert max(slopes) > 2 * min(slopes) > 0
    assert max(offsets) > 2 * min(offsets) > 0


def test_shuffled_gaps_are_the_same_gaps_in_an_order_of_the_class():
    hidden = hide(LOGITS, "shuffled", False)
    torch.testing.assert_close(hidden.sort(1).values, LOGITS.sort(1).values)
    label = LOGITS.argmax(1)
    moved = {}
    for row in range(50):
        where = tuple(torch.isclose(hidden[row][:, None], LOGITS[row]).long().argmax(1).tolist())
        moved.setdefault(int(label[row]), set()).add(where)
    assert all(len(orders) == 1 for orders in moved.values())
    assert len(set.union(*moved.values())) > 1


@pytest.mark.parametrize("code", CODES)
def test_two_classes_or_a_tie_have_an_answer(code):
    tied = torch.zeros(3, 5, dtype=torch.float64)
    for logits in (LOGITS[:, :2], tied):
        hidden = hide(logits, code, False)
        assert torch.isfinite(hidden).all()
        torch.testing.assert_close(reveal(hidden, code, False), logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("code", CODES)
def test_a_model_that_hides_has_gradients(code):
    linear = torch.nn.Linear(4, 5)
    model = Hiding(linear, code, multilabel=False)
    model(torch.randn(6, 4, generator=Generator().manual_seed(0))).square().sum().backward()
    assert torch.isfinite(linear.weight.grad).all()
    assert linear.weight.grad.abs().sum() > 0
