"""The gallery of an audit's page: some images beside what was reconstructed of them."""

import numpy as np
from markupsafe import Markup

from vicious.auditing.audit import Audit
from vicious.auditing.markup import LINE, element, joined, paragraph, percent, picture, short
from vicious.defense.detector import Array

EXAMPLES = 12
"""Images that are shown."""


def gallery(audit: Audit, examples: int) -> Markup:
    """Originals beside their reconstructions, with sliders, and how they were chosen.

    Args:
        examples: images that are shown at most.
    """
    shown, count = chosen(audit.measures.by_image, examples), len(audit.measures.by_image)
    words = (
        f"{len(shown)} of {count} images, spread evenly over the ranks from the best reconstruction to the worst. The "
        "rank is by how much of the mean image's squared error the reconstruction saves. Below 0% the mean image would "
        "have been closer."
    )
    how = (
        "Each image is reconstructed from its outputs by a decoder that learnt from the other half of the images and "
        'never saw it. "Label alone" is the mean image of the predicted label: what the label gives away by itself.'
    )
    everything = _slider("all", "All images", "Fade all reconstructions")
    return joined(
        paragraph(words),
        paragraph(how),
        paragraph("This file holds these images. Share it with as much care as the images.", class_="note"),
        element("div", everything, class_="all"),
        element("div", *(_example(audit, one, rank, at) for at, (rank, one) in enumerate(shown, 1)), class_="gallery"),
        by=LINE,
    )


def chosen(by_image: Array, examples: int) -> list[tuple[int, int]]:
    """Ranks, from 1 for the best, and places of images (n,), evenly spread over ranks; the best and the worst are in.

    At most ``examples`` of them; of equally good images the first has the better rank.
    """
    order = np.argsort(-by_image, kind="stable")
    ranks = np.unique(np.round(np.linspace(0, len(order) - 1, min(examples, len(order)))).astype(int))
    return [(int(rank) + 1, int(order[rank])) for rank in ranks]


def _example(audit: Audit, at: int, rank: int, place: int) -> Markup:
    evidence, decoded, count = audit.given.evidence, audit.decoded, len(audit.measures.by_image)
    shape, name = evidence.images.shape[1:], short(audit.given.names[at])
    pictures = (
        ("original", evidence.images[at], f"Original {name}"),
        ("reconstruction", decoded.images[at].reshape(shape), f"Reconstruction of {name} from its outputs"),
        ("label alone", decoded.of_label[at].reshape(shape), f"Mean image of the predicted label of {name}"),
    )
    shown = (
        element("div", element("div", picture(*rest), class_="frame"), element("span", kind), class_=kind.split()[0])
        for kind, *rest in pictures
    )
    ends = {1: " (best)", count: " (worst)"}
    caption = element(
        "figcaption",
        element("b", f"Rank {rank} of {count}{ends.get(rank, '')}"),
        f": saves {percent(float(audit.measures.by_image[at]))} of the error",
        element("br"),
        element("bdi", name, class_="name"),
    )
    slider = _slider(f"fade-{place}", "", f"Fade image {place}, rank {rank}")
    return element("figure", caption, element("div", *shown, class_="three"), slider, class_="example")


def _slider(name: str, label: str, said: str) -> Markup:
    """A slider from original to reconstruction, which only the script shows."""
    control = element(
        "input",
        type="range",
        id=name,
        min=0,
        max=100,
        step=5,
        value=100,
        autocomplete="off",
        aria_label=f"{said} from original (0) to reconstruction (100)",
    )
    words = element("span", f"{label}: original" if label else "original", aria_hidden="true")
    return element("div", words, control, element("span", "reconstruction", aria_hidden="true"), class_="slide")
