"""How a code is hidden in the outputs and found again."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator

from vicious.models.hidden import PACKAGE, Hiding, hide, reveal
from vicious.system.registry import names

LOGITS = torch.from_numpy(np.random.default_rng(0).normal(scale=3, size=(50, 7)))
CODES = names(PACKAGE)


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
    torch.testing.assert_close(reveal(hidden, code, multilabel), LOGITS, atol=1e-6, rtol=1e-6)


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
        torch.testing.assert_close(reveal(hidden, code, False), logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("code", CODES)
def test_a_model_that_hides_has_gradients(code: Any) -> None:
    linear = torch.nn.Linear(4, 5)
    model = Hiding(linear, code, multilabel=False)
    model(torch.randn(6, 4, generator=Generator().manual_seed(0))).square().sum().backward()
    assert linear.weight.grad is not None
    assert torch.isfinite(linear.weight.grad).all()
    assert linear.weight.grad.abs().sum() > 0
