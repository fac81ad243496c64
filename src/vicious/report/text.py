"""The words around an artifact: a short caption, and notes below."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from vicious.report import frames
from vicious.report.frames import Group

UNITS = "Accuracy in %, PSNR in dB; SSIM, R and R95 have no unit."
"""A caption's sentence."""
UNITS_IDENTIFIED = UNITS.replace("Accuracy", "Accuracy and identified")
"""The same where there is a column of identified images."""
ABOUT_RISK = "R and R95: larger is worse for privacy; guessing the mean image gives R = 1 by definition."
ABOUT_RISK95 = "R95: R on the leading components that explain 95% of the variance."
ABOUT_SEEDS = (
    "Spread: standard deviation over seeds, none for a single seed. Seeds without a result count as failed and are "
    "left out of the mean."
)
"""Notes that several artifacts share."""


@dataclass(frozen=True)
class Text:
    """The words around an artifact, in plain text; ``beta_R``, ``beta_C``, ``R95`` and ± are typeset.

    Attributes:
        caption: what is shown, n and units; at most 60 words.
        notes: how to read it, and the settings used, a line each. Empty ones are left out.
        failed: why cells have no result, a line each.
    """

    caption: str
    notes: Sequence[str] = ()
    failed: Sequence[str] = ()

    def below(self) -> str:
        notes = "".join(f"- {markdown(note)}\n" for note in self.notes if note)
        failed = "".join(f"- {markdown(note)}\n" for note in self.failed)
        parts = [notes, f"Without a result:\n\n{failed}" if failed else ""]
        return "\n".join(part for part in parts if part)

    def __str__(self) -> str:
        """All of it, in plain text."""
        failed = f"Without a result: {'; '.join(self.failed)}." if self.failed else ""
        return " ".join(filter(None, [self.caption, *self.notes, failed]))


def about(summary: pd.DataFrame, found: Sequence[Group] | None = None) -> tuple[str, ...]:
    """The notes of all that shows accuracy and R over seeds: which R, what the spread is, and the conditions."""
    conditions = frames.conditions(summary, accuracy=True, risk=True, found=found)
    return f"R is {frames.risk_words(summary)}. {ABOUT_RISK95} {ABOUT_RISK}", ABOUT_SEEDS, conditions


def identified(images: Iterable[tuple[str, int | None]]) -> str:
    """A note on the column of identified images, with what a guess reaches.

    Args:
        images: tasks with their number of test images, None or 0 where unknown.
    """
    chance = frames.listed("A guess", ((task, f"{frames.PERCENT / n:.2g}%") for task, n in images if n))
    what = "Identified: of all test images, the original is the nearest to its reconstruction, by distance of pixels."
    return f"{what} {chance}".rstrip()


def counts(found: Iterable[Group]) -> str:
    """A caption's sentence: ``Mean ± s.d. over n = 3 seeds; 10,000 test images.``"""
    shown = list(found)
    images = sorted({group.images for group in shown if group.images is not None})
    of_images = f"; {span([f'{number:,}' for number in images])} test images" if images else ""
    spread = frames.spread(shown)
    return f"{spread[0].upper() if spread.startswith('mean') else 'Shown: ' + spread[0]}{spread[1:]}{of_images}."


def best_attack(summary: pd.DataFrame) -> str:
    """A caption's sentence, after a space: ``Best attack on every model.``; "" where another attack is shown."""
    line = frames.attack_line(summary)
    return f" {line.capitalize()}." if line else ""


def span(values: Sequence[object]) -> str:
    """Sorted values as ``5``, or as their ends, ``3 to 5``."""
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def escape_markdown(text: str) -> str:
    """``text`` with the signs that Markdown would act on made literal, and the study's symbols typeset."""
    for sign in "\\|*<>`":
        text = text.replace(sign, "\\" + sign)
    return text.replace("beta_R", "β_R").replace("beta_C", "β_C")


def markdown(text: str) -> str:
    """``text`` as Markdown beyond a table, where more signs act."""
    return re.sub(r"(?<!β)_|[\[\]~]", r"\\\g<0>", escape_markdown(text))
