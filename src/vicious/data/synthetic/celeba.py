"""CelebA as a zip archive of aligned JPEG faces and two text files."""

from collections.abc import Iterator
from itertools import count as counting
from pathlib import Path

from vicious.data.catalog import CELEBA_ATTRIBUTES
from vicious.data.splits import SPLITS, Split
from vicious.data.synthetic.archives import add_member, jpeg, zip_writer
from vicious.data.synthetic.attributes import sample_attributes
from vicious.data.synthetic.faces import draw_face
from vicious.data.synthetic.plan import Plan
from vicious.system.files import write_text


def write_celeba(plan: Plan) -> list[Path]:
    """Write the archive and the lists of attributes and of splits; one image in memory at a time."""
    archive_path, attribute_path, partition_path = (plan.path(number) for number in range(3))
    rows = [f"{sum(plan.counts)}", " ".join(CELEBA_ATTRIBUTES) + " "]
    with zip_writer(archive_path) as archive:
        for name, split, index in _faces(plan):
            attributes = sample_attributes(plan.generator(split, "labels", index))
            image = draw_face(attributes, plan.generator(split, "image", index))
            add_member(archive, f"img_align_celeba/{name}", jpeg(image))
            rows.append(f"{name} {' '.join(' 1' if value else '-1' for value in attributes.tolist())}")
            plan.progress.advance(1)
    write_text(attribute_path, "".join(f"{row}\n" for row in rows))
    write_text(partition_path, "".join(f"{name} {SPLITS.index(split)}\n" for name, split, _ in _faces(plan)))
    return [archive_path, attribute_path, partition_path]


def _faces(plan: Plan) -> Iterator[tuple[str, Split, int]]:
    """File name, split and index within the split, in the order of the files."""
    number = counting(1)
    for split, count in zip(SPLITS, plan.counts, strict=True):
        for index in range(count):
            yield f"{next(number):06d}.jpg", split, index
