"""Original test images and their reconstructions, for the page's slider."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from vicious.report.galleries import load_gallery, read_galleries
from vicious.results.schema import BEST
from vicious.study import grid
from vicious.study.config import Params
from vicious.study.plan import assessments
from vicious.webpage import words
from vicious.webpage.pictures import strip

EXPERIMENT: grid.Experiment = "main"
SHOWN = 8
"""Images of each attack at most."""


@dataclass(frozen=True)
class Card:
    """The first test images, and what one attack makes of them.

    Attributes:
        dataset, outputs, beta_r, attack: by which cards are chosen, for readers.
        role: of the model that is attacked.
        seed: of that model.
        count: images.
        originals, reconstructions: the images beside each other, as addresses; "" where the attack failed.
        psnr: mean over these images in dB, for readers.
    """

    dataset: str
    outputs: str
    beta_r: str
    attack: str
    role: str
    seed: int
    count: int = 0
    originals: str = ""
    reconstructions: str = ""
    psnr: str = ""


def groups(params: Params) -> list[list[Card]]:
    """A card for each dataset, kind of outputs, model and attack, that of the first seed; in groups of the same dataset
    and outputs.

    Empty where no assessment is there, as in a clone, which has numbers and figures alone.
    """
    cells = grid.cells(params, EXPERIMENT)
    planned = assessments(params, cells)
    single = [file for file, cell in zip(planned, cells, strict=True) if cell.attack.kind != BEST and file.is_file()]
    if not single:
        return []
    # the best attack's gallery is another's, whose assessment must be there, too
    summary = read_galleries(planned if all(file.is_file() for file in planned) else single)
    alike = ["task", "outputs", "role", "beta_r", "attack"]
    rows = summary.sort_values("seed", kind="stable").drop_duplicates(alike).to_dict("records")
    cards = [_card(row) for row in sorted(rows, key=words.place)]
    return [list(group) for _, group in groupby(cards, key=lambda card: (card.dataset, card.outputs))]


def _card(row: Mapping[Any, Any]) -> Card:
    role = str(row["role"])
    about = (
        words.dataset(row["task"], row["source"]),
        str(row["outputs"]),
        words.beta(role, row["beta_r"]),
        words.attack(row["attack"]),
        role,
        int(row["seed"]),
    )
    gallery = load_gallery(row["gallery"]) if row["status"] == "ok" else None
    if gallery is None:
        return Card(*about)
    shown = gallery.first(SHOWN)
    psnr = shown.psnr()
    pictures = strip(shown.originals), strip(shown.reconstructions)
    return Card(*about, len(shown.originals), *pictures, "∞" if math.isinf(psnr) else f"{psnr:.1f}")
