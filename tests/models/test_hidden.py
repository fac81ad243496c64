"""How a code is hidden in the outputs and found again."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Generator

from vicious.models.codes.keyed import GRID, KNOTS
from vicious.models.hidden import PACKAGE, Hiding, hide, reveal
from vicious.system.registry import names

LOGITS = torch.from_numpy(np.random.default_rng(0).normal(scale=3, size=(50, 7)))
CODES = names(PACKAGE)
ROUNDED = {"keyed": 1 / GRID}
"""By how much what comes back may differ, of codes that round a gap."""


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("multilabel", [False, True])
def test_a_hidden_code_keeps_the_answer_and_comes_back(code: Any, multilabel: bool) -> None:
    hidden = hide(LOGITS, code, multilabel)
    if multilabel:
        assert torch.equal(hidden >= 0, LOGITS >= 0)
    else:
        assert torch.equal(hidden.argmax(1), LOGITS.argmax(1))
        torch.testing.assert_close(hidden.amax(1), LOGITS.amax(1))
    assert (hidden - LOGITS).abs().mean() > 0.5
    atol = ROUNDED.get(code, 0) + 1e-6
    torch.testing.assert_close(reveal(hidden, code, multilabel), LOGITS, atol=atol, rtol=1e-6)


def test_shifted_gaps_are_an_affine_function_of_gaps_that_the_class_chooses() -> None:
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


def test_shuffled_gaps_are_the_same_gaps_in_an_order_of_the_class() -> None:
    hidden = hide(LOGITS, "shuffled", False)
    torch.testing.assert_close(hidden.sort(1).values, LOGITS.sort(1).values)
    label = LOGITS.argmax(1)
    moved: dict[Any, Any] = {}
    for row in range(50):
        where = tuple(torch.isclose(hidden[row][:, None], LOGITS[row]).long().argmax(1).tolist())
        moved.setdefault(int(label[row]), set()).add(where)
    assert all(len(orders) == 1 for orders in moved.values())
    assert len(set.union(*moved.values())) > 1


@pytest.mark.parametrize("code", CODES)
def test_two_classes_or_a_tie_have_an_answer(code: Any) -> None:
    tied = torch.zeros(3, 5, dtype=torch.float64)
    for logits in (LOGITS[:, :2], tied):
        hidden = hide(logits, code, False)
        assert torch.isfinite(hidden).all()
        torch.testing.assert_close(reveal(hidden, code, False), logits, atol=ROUNDED.get(code, 0) + 1e-5, rtol=0)


@pytest.mark.parametrize("code", CODES)
def test_a_model_that_hides_has_gradients(code: Any) -> None:
    linear = torch.nn.Linear(4, 5)
    model = Hiding(linear, code, multilabel=False)
    model(torch.randn(6, 4, generator=Generator().manual_seed(0))).square().sum().backward()
    assert linear.weight.grad is not None
    assert torch.isfinite(linear.weight.grad).all()
    assert linear.weight.grad.abs().sum() > 0


def answers(n: int, seed: int) -> torch.Tensor:
    """Logits (n, 5) whose gaps tell an image: the same few patterns again and again, with a nonce that differs."""
    generator = np.random.default_rng(seed)
    patterns = 8 + 4 * generator.random((3, 4))
    gaps = np.hstack([generator.normal(10, 3, (n, 1)).clip(1), patterns[generator.integers(3, size=n)][:, 1:]])
    return torch.from_numpy(np.insert(20 - gaps, 2, 20.0, axis=1))


def test_encrypted_gaps_are_the_same_random_ones_whatever_the_image() -> None:
    logits = answers(4000, 0)
    hidden = hide(logits, "keyed", False)
    gaps = (20 - hidden)[:, [1, 3, 4]].numpy()
    known, shares = zip(*KNOTS, strict=True)
    for column in gaps.T:
        assert stats.kstest(column, lambda x: np.interp(x, known, shares)).pvalue > 1e-3
    apart = np.corrcoef(gaps.T)[np.triu_indices(3, 1)]
    assert np.abs(apart).max() < 4 / np.sqrt(len(gaps))
    for one in np.unique(logits[:, 1].numpy()):  # of each pattern
        mine = logits[:, 1].numpy() == one
        assert stats.ks_2samp(gaps[mine, 0], gaps[~mine, 0]).pvalue > 1e-3


def test_with_another_nonce_nothing_comes_back() -> None:
    logits = answers(200, 1)
    hidden = hide(logits, "keyed", False)
    torch.testing.assert_close(reveal(hidden, "keyed", False), logits, atol=1e-3, rtol=0)
    hidden[:, 0] += 2 / GRID
    assert (reveal(hidden, "keyed", False) - logits)[:, 1].abs().mean() > 1


def test_encrypted_outputs_come_back_in_float32() -> None:
    logits = answers(500, 2).float()
    found = reveal(hide(logits, "keyed", False), "keyed", False)
    torch.testing.assert_close(found, logits, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("largest", "within"), [(30.0, 1e-3), (100.0, 0.3)])
def test_large_gaps_come_back_in_float32(largest: float, within: float) -> None:
    gaps = np.random.default_rng(0).uniform(0.1, largest, (2000, 6))
    logits = torch.from_numpy(np.insert(20 - gaps, 3, 20.0, axis=1)).float()
    torch.testing.assert_close(reveal(hide(logits, "keyed", False), "keyed", False), logits, atol=within, rtol=0)


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_smallest_gap_leaves_the_answer(multilabel: bool) -> None:
    """The first gap is the nonce, and is rounded."""
    gaps = np.random.default_rng(0).uniform(5, 20, (200, 6))
    gaps[:, 0] = 10.0 ** np.random.default_rng(1).uniform(-7, -3, 200)
    logits = torch.from_numpy(-gaps if multilabel else np.insert(20 - gaps, 3, 20.0, axis=1)).float()
    if not multilabel:
        logits[:, 0] = torch.nextafter(logits[:, 3], torch.tensor(-1e9))  # the nearest value below the largest
    hidden = hide(logits, "keyed", multilabel)
    if multilabel:
        assert torch.equal(hidden >= 0, logits >= 0)
    else:
        assert torch.equal(hidden.argmax(1), logits.argmax(1))
    torch.testing.assert_close(reveal(hidden, "keyed", multilabel), logits, atol=1e-3, rtol=0)
