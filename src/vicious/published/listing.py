"""What is published: the list, as a table or JSON, and the check of every hash."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vicious.published.card import CARD, Card, Leak, read_card
from vicious.study import paths
from vicious.system.errors import PublishedError, ViciousError
from vicious.system.escape import escaped
from vicious.system.files import digest

NOTHING = "no model is published here: `vicious publish-models` puts those of a finished study into the folder {}"
_BACK = "`git checkout -- {}` brings back what Git has, or publish it again"
_HEAD = ("name", "dataset", "role", "outputs", "beta_R", "seed", "accuracy", "best PSNR", "identified", "size", "path")
_RIGHT = ("beta_R", "seed", "accuracy", "best PSNR", "identified", "size")


@dataclass(frozen=True)
class Entry:
    """A folder of a published model.

    Attributes:
        folder: it.
        card: of the model; None where it is damaged.
        size: bytes of the folder's files.
        problem: what is wrong with the card, or "".
    """

    folder: Path
    card: Card | None
    size: int
    problem: str = ""


def entries(root: Path = paths.PUBLISHED) -> list[Entry]:
    """Every published model below a folder, by path; of damaged ones the reason."""
    return [_entry(folder, root) for folder in sorted(_folders(root))]


def _folders(root: Path) -> Iterator[Path]:
    for at, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if Path(at).name.startswith("seed") and any(not name.startswith(".") for name in files):
            yield Path(at)


def _entry(folder: Path, root: Path) -> Entry:
    size = sum(file.lstat().st_size for file in folder.iterdir())
    try:
        card = read_card(folder)
        if card.place != folder.relative_to(root):
            raise PublishedError(f"{folder / CARD} is the card of {root / card.place}: {_BACK.format(folder)}")
    except ViciousError as error:
        return Entry(folder, None, size, str(error))
    return Entry(folder, card, size)


def table(found: Sequence[Entry], root: Path = paths.PUBLISHED) -> str:
    """A line for each model under a heading, then those that are damaged."""
    if not found:
        return NOTHING.format(root)
    rows = [list(_HEAD), *(_cells(one, one.card) for one in found if one.card is not None)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = [name in _RIGHT for name in _HEAD]
    shape = list(zip(widths, right, strict=True))
    lines = [
        "  ".join(cell.rjust(n) if end else cell.ljust(n) for cell, (n, end) in zip(row, shape, strict=True)).rstrip()
        for row in rows
    ]
    damaged = [f"damaged: {one.problem}" for one in found if one.card is None]
    total = sum(one.size for one in found) / 1e6
    return "\n".join([*(lines if len(lines) > 1 else []), *damaged, f"{len(found)} models, {total:.2f} MB"])


def _cells(one: Entry, card: Card) -> list[str]:
    leak = card.strongest
    of_role = card.role if card.source == "official" else f"{card.role}, synthetic"
    values = [
        *(card.model, card.task, of_role, card.outputs or "-", f"{card.beta_r:g}", str(card.seed)),
        "-" if card.accuracy is None else f"{100 * card.accuracy:.2f}%",
        "-" if leak.psnr is None else f"{leak.psnr:.2f} dB",
        "-" if leak.top1 is None else f"{100 * leak.top1:.2f}%",
        *(f"{one.size / 1e6:.2f} MB", one.folder.as_posix()),
    ]
    return list(map(escaped, values))


def as_json(found: Sequence[Entry]) -> str:
    """The same as JSON: a list of objects; shares in [0, 1], PSNR in dB, sizes in bytes."""
    return json.dumps([_values(one) for one in found], indent=2, sort_keys=True)


def _values(one: Entry) -> dict[str, Any]:
    place = {"path": one.folder.as_posix(), "bytes": one.size}
    if one.card is None:
        return {**place, "damaged": one.problem}
    card, leak = one.card, one.card.strongest
    names = (
        "scale",
        "task",
        "model",
        "seed",
        "role",
        "outputs",
        "beta_r",
        "evades",
        "evasion",
        "source",
        "accuracy",
        "n",
    )
    facts = card.model_dump(mode="json", include=set(names))
    return {**place, **facts, **_read(leak), "data": card.fingerprint, "licence": card.licence}


def _read(leak: Leak) -> dict[str, Any]:
    return {"attack": leak.attack, "attacked_outputs": leak.outputs, "psnr": leak.psnr, "identified": leak.top1}


def check(found: Sequence[Entry]) -> list[str]:
    """What is wrong with published models, a line each: every hash is taken again, and every model loaded."""
    return [f"damaged: {problem}" for one in found for problem in _problems(one)]


def _problems(one: Entry) -> Iterator[str]:
    if one.card is None:
        yield one.problem
        return
    back = _BACK.format(one.folder)
    wrong = False
    for name, sha in sorted(one.card.files.items()):
        file = one.folder / name
        try:
            if Path(name).name != name or digest(file) != sha:
                wrong = True
                yield f"{file} is not what {CARD} says: {back}"
        except FileNotFoundError:
            wrong = True
            yield f"{file} is missing: {back}"
        except (OSError, ViciousError) as error:
            wrong = True
            yield f"{file} cannot be read ({error}): {back}"
    for file in sorted(one.folder.iterdir()):
        if file.name not in one.card.files and file.name != CARD and not file.name.startswith("."):
            yield f"{file} is not named by {CARD}: delete it"
    if not wrong:
        yield from _loaded(one.folder, one.card, back)


def _loaded(folder: Path, card: Card, back: str) -> Iterator[str]:
    """Whether the models can be loaded, belong together, and are what the card says."""
    from vicious.models.checkpoint import check_attacks, load_model, load_record

    target, joint = folder / "target.safetensors", folder / "joint.safetensors"
    try:
        load_model(target, "target")
        record = load_record(target)
        said = (card.task, card.outputs, card.beta_r, card.fingerprint, card.architecture, card.seed)
        names = ("task", "outputs", "beta_r", "data", "architecture")
        if said != (*(record[name] for name in names), record["schedule"]["seed"]):
            yield f"{folder / CARD} does not describe {target.name}: {back}"
        if card.attack_architecture is not None:
            load_model(joint, "attack")
            check_attacks(joint, target)
    except ViciousError as error:
        yield f"{error}; {back}"
