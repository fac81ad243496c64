"""What is said of which findings."""

from typing import Any

import numpy as np
import pytest

from vicious.auditing.measured import Measure, Measures
from vicious.auditing.verdict import Verdict, judge
from vicious.defense.exact import Exact
from vicious.defense.excess import Against, Excess

MEASURES = Measures((Measure("identified", 0.38, 0.3, 0.46, 0.1, 0.01),), 100, np.zeros(200))


def judged(lows: Any, p: float = 0.001, images: int = 200, why_not: str = "") -> Verdict:
    families: Any = ("convolutional", "perceptron")
    against = tuple(
        Against(family, 0.9, 0.2, low + 0.05, low, low + 0.1) for family, low in zip(families, lows, strict=False)
    )
    return judge(
        Exact(p, 0.3, 0.0, 999, images, images), Excess(0.4, 0.3, 0.5, images, against, why_not), MEASURES, images
    )


@pytest.mark.parametrize(
    ("lows", "p", "answer", "code"),
    [
        ((0.1, 0.05), 0.001, "evidence", 2),
        ((0.1, -0.05), 0.001, "no evidence", 0),
        ((-0.1, -0.2), 0.001, "no evidence", 0),
        ((0.1, 0.05), 0.3, "no evidence", 0),
        ((), 0.001, "undecided", 0),
    ],
)
def test_the_answer_follows_from_students_and_the_exact_test(lows: Any, p: float, answer: str, code: int) -> None:
    found = judged(lows, p, why_not="" if lows else "there are 30 images; students need at least 40")
    assert (found.answer, found.exit_code) == (answer, code)


def test_no_comparison_says_why() -> None:
    found = judged((), why_not="there are 30 images; students need at least 40")
    assert found.headline == "No verdict: there are 30 images; students need at least 40."


def test_a_leak_beyond_the_label_is_never_called_vicious() -> None:
    for lows in ((0.1, 0.05), (-0.1, -0.2)):
        words = " ".join((judged(lows).headline, *judged(lows).sentences))
        assert "vicious" not in words.lower()
        assert "leaks beyond the predicted label" in words
        assert "38% are recognised among 100" in words


def test_limits_are_said_where_nothing_is_found() -> None:
    assert any("no proof of safety" in one for one in judged((-0.1, -0.2)).sentences)
    assert not any("no proof of safety" in one for one in judged((0.1, 0.2)).sentences)
    assert any("50 images are few" in one for one in judged((-0.1, -0.2), images=50).sentences)


def test_without_an_exact_test_nothing_is_evidence() -> None:
    found = judge(None, Excess(0.4, 0.3, 0.5, 50), MEASURES, 50)
    assert (found.answer, found.exit_code) == ("undecided", 0)
    assert any("nothing beyond the label can be tested" in one for one in found.sentences)
