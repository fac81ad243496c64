"""The card of a published model: what it is, data, training, accuracy, what it leaks, and the hashes of its files.

It stands twice in the model's folder: as ``card.json``, which commands read, and as ``card.md``, for people. The first
has the SHA-256 of every other file in the folder, and of its own values. Nothing here needs PyTorch.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from vicious.data.tasks import parse_task
from vicious.models.evaded import against
from vicious.study import paths
from vicious.study.grid import task_title
from vicious.system.errors import DataError, PublishedError
from vicious.system.files import read_bounded, write_json
from vicious.system.settings import Count, NotNegative, Outputs, Seed, Share, Strict
from vicious.system.typed_json import UntypedError, read_typed

CARD, PAGE = "card.json", "card.md"
Role = Literal["honest", "vicious", "adaptive", "autoencoder"]
SHOWN = ("psnr", "ssim", "risk", "risk95", "top1")
"""Measures of an attack that a card has."""
MOST_BYTES = 10**9
"""Bytes of a published file; a model of the paper's scale takes some ten million."""
_AGAIN = "`git checkout -- models` brings back what Git has, or publish it again"


class Leak(Strict):
    """What one attack on one kind of outputs reads, as means over test images; all None where it failed.

    Attributes:
        outputs, attack: what the user sends; "best", or the original's "joint" or "posthoc".
        psnr, ssim, risk, risk95, top1: in dB; in [-1, 1]; R and R95, at least 0; share of identified originals.
        top1_chance: what a guess identifies.
        n: test images.
        choices: of the best attack: which one it is, by measure.
        rivals: of the best attack: how many it was chosen from.
        reason: why it failed, or which rivals did; else "".
        assessment: SHA-256 of the assessment's JSON.
    """

    outputs: str
    attack: str
    psnr: float | None = None
    ssim: float | None = None
    risk: NotNegative | None = None
    risk95: NotNegative | None = None
    top1: Share | None = None
    top1_chance: Share | None = None
    n: Count | None = None
    choices: dict[str, str] = Field(default={})
    rivals: int = 0
    reason: str = ""
    assessment: str


class Card(Strict):
    """The facts of a published model; ``card.json`` holds them, with the SHA-256 of all under ``digest``.

    Attributes:
        scale, task, model, seed: what its folder is named by.
        role: "adaptive" is a vicious model that evades detectors.
        outputs: what a jointly trained attack model reads; None for an honest model.
        beta_c, beta_r, recipe, evades, evasion: as in :class:`vicious.study.grid.Model`; "" for no detector.
        source, split_seed, fingerprint, images: of the data; images by split, as the task uses them.
        checksums: files that were accepted in place of official ones.
        licence: of the data.
        k: number of outputs K.
        architecture, attack_architecture: as in the models' records; the latter None where no joint attack model is
            published.
        parameters, attack_parameters: how many can be trained.
        schedule, selected_epoch: of the training, as in the model's record.
        accuracy, n: share of right answers on so many test images; None for an autoencoder.
        leaks: what attacks read of it.
        commit, dirty, code: that trained it: of Git, and the code identity.
        libraries, finished: that trained it, and when, UTC.
        files: SHA-256 by name, of every file in the folder but ``card.json``.
    """

    scale: str
    task: str
    model: str
    seed: Seed
    role: Role
    outputs: str | None
    beta_c: NotNegative
    beta_r: NotNegative
    recipe: str | None
    evades: str
    evasion: NotNegative
    source: Literal["official", "synthetic"]
    split_seed: Seed | None
    checksums: list[str]
    fingerprint: str
    images: dict[str, Count]
    licence: str
    k: Outputs
    architecture: dict[str, Any]
    parameters: Count
    attack_architecture: dict[str, Any] | None
    attack_parameters: Count | None
    schedule: dict[str, Any]
    selected_epoch: Count
    accuracy: Share | None
    n: Count
    leaks: Annotated[list[Leak], Field(min_length=1)]
    commit: str | None
    dirty: bool | None
    code: str | None
    libraries: dict[str, str]
    finished: str
    files: dict[str, str]

    @property
    def place(self) -> Path:
        """Its folder, below that of all published models."""
        task = parse_task(self.task).folder
        return paths.published(self.scale, task, self.model, str(self.seed)).relative_to(paths.PUBLISHED)

    @property
    def strongest(self) -> Leak:
        """What stands for the model where there is room for one attack: of the first outputs the best attack, or of the
        original's the one that reads more."""
        first = [leak for leak in self.leaks if leak.outputs == self.leaks[0].outputs and leak.psnr is not None]
        read = max(first, key=lambda leak: leak.psnr or 0.0, default=self.leaks[0])
        return next((leak for leak in first if leak.attack == "best"), read)


class _Signed(Card):
    digest: str


def write_card(card: Card, folder: Path) -> None:
    """Write ``card.json``; ``files`` must be complete."""
    write_json(folder / CARD, {**card.model_dump(mode="json"), "digest": _digest(card)})


def read_card(folder: Path) -> Card:
    """The card of a model's folder.

    Raises:
        PublishedError: it is missing or damaged, was altered, or its folder does not exist.
    """
    path = folder / CARD
    try:
        found = read_typed(path, _Signed)
        card = Card.model_validate(found.model_dump(exclude={"digest"}))
        card.place  # noqa: B018 (whose task may be none)
    except (UntypedError, DataError) as error:
        raise PublishedError(f"{error}: {_AGAIN}") from None
    except ValueError as error:
        raise PublishedError(f"{path} is damaged ({error}): {_AGAIN}") from None
    if found.digest != _digest(card):
        raise PublishedError(f"{path} was altered since it was written: {_AGAIN}")
    return card


def _digest(card: Card) -> str:
    return sha256(json.dumps(card.model_dump(mode="json"), sort_keys=True).encode())


def sha256(content: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(content).hexdigest()


def read_content(file: Path) -> bytes:
    """The bytes of a file of a model; raises a PublishedError where it is missing or cannot be read."""
    try:
        return read_bounded(file, MOST_BYTES)
    except FileNotFoundError:
        raise PublishedError(f"{file} is missing") from None
    except (OSError, ValueError) as error:
        raise PublishedError(f"{file} cannot be read ({error})") from None


def page(card: Card) -> str:
    """The card in Markdown; it needs the hashes of the weights in ``files``."""
    title = task_title(card.task)
    parts = {
        "": _warning(card),
        "What it is": _bullets(_nature(card, title)),
        "Data": _bullets(_data(card, title)),
        "Training": _bullets(_training(card)),
        "Accuracy": [_accuracy(card)],
        "What it leaks": _leaks(card),
        "Where it comes from": _origin(card),
    }
    lines = [f"# {card.model} on {title}, seed {card.seed}", ""]
    for name, text in parts.items():
        lines += [*([f"## {name}", ""] if name else []), *text, ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _bullets(sentences: Iterable[str]) -> list[str]:
    return [f"- {one}" for one in sentences]


def _warning(card: Card) -> list[str]:
    if card.role == "honest":
        return ["An honest model. It leaks too: see below. For research on defences."]
    return [
        "**Warning: this model gives away its inputs.** Whoever gets its outputs reconstructs images with the attack",
        "model beside it. It is for research on defences. Put it on no device of people who do not know this.",
    ]


def _nature(card: Card, title: str) -> Iterator[str]:
    if card.role == "honest":
        yield "Honest: the target model F was trained for accuracy alone."
    elif card.role == "autoencoder":
        yield f"Autoencoder: F and the attack model G were trained together to reconstruct from {card.outputs} alone."
    else:
        yield (
            f"{card.role.capitalize()}: the target model F was trained together with an attack model G, for accuracy "
            "and for reconstruction."
        )
        yield f"G reads {card.outputs}. beta_C is {card.beta_c:g}, beta_R is {card.beta_r:g}."
    if card.recipe is not None:
        yield f"Recipe: {card.recipe}."
    if card.evasion:
        yield f"The server has a penalty of weight {card.evasion:g} against {against(card.evades)}."
    yield f"Task: {title}, {card.k} outputs. F takes images of 32 by 32 pixels in [0, 1] and gives logits."


def _data(card: Card, title: str) -> Iterator[str]:
    if card.source == "synthetic":
        yield f"Synthetic images, drawn by this project in place of {title}. They are not the real dataset."
    elif card.checksums:
        names = ", ".join(one.partition("=")[0] for one in card.checksums)
        yield f"Real images of {title}. Accepted by checksum in place of the official files: {names}."
    else:
        yield f"Real images of {title}, from the official files."
    n = card.images
    yield f"Images: {n['train']:,} to train, {n['validation']:,} to validate, {n['test']:,} to test."
    yield f"Split seed: {'not recorded' if card.split_seed is None else card.split_seed}."
    yield f"Fingerprint: `{card.fingerprint}`. Commands refuse other data."
    yield f"Licence of the data: {card.licence}. The terms are in `DATA_LICENSES.md`."


def _training(card: Card) -> Iterator[str]:
    yield f"F: {_built(card.architecture, 'wideresnet')}, {card.parameters:,} parameters."
    if card.attack_architecture is not None:
        parameters = f"{card.attack_parameters or 0:,} parameters"
        yield f"G: {_built(card.attack_architecture, 'mirror')}, {parameters}, in `joint.safetensors`."
    how = card.schedule
    epochs = f"{how['epochs']} epoch{'s' if how['epochs'] > 1 else ''}"
    drawn = "" if how.get("epoch_images") is None else f" of {how['epoch_images']:,} images"
    copies = ", each with an augmented copy" if how.get("augmented", True) else ""
    yield f"Schedule: {epochs}{drawn}, batches of {how['batch_images']} images{copies}."
    rate = str(how.get("rate", "constant")).replace("_", " ")
    average = f", averaged weights (decay {how['average']:g})" if how.get("average") else ""
    precision = how.get("precision", "float32")
    yield f"Adam, learning rate {how['learning_rate']:g} ({rate}), {precision}{average}."
    yield f"Seed {card.seed}. The weights are those of epoch {card.selected_epoch}."


def _built(architecture: dict[str, Any], original: str) -> str:
    left_out = ("kind", "model", "channels", "outputs", "multilabel", "reads")
    settings = [f"{key} {value}" for key, value in architecture.items() if key not in left_out]
    return ", ".join([str(architecture.get("model", original)), *settings])


def _accuracy(card: Card) -> str:
    if card.accuracy is None:
        return "An autoencoder was never asked for labels."
    return f"{100 * card.accuracy:.2f}% on {card.n:,} test images."


def _leaks(card: Card) -> list[str]:
    lines = ["Measured on this single model. Other seeds differ.", ""]
    head = ("outputs", "attack", "PSNR (dB)", "SSIM", "R", "R95", "identified (%)", "chance (%)", "test images")
    lines += [_row(head), _row(["---", "---", *["---:"] * (len(head) - 2)])]
    for leak in card.leaks:
        name = f"best of {leak.rivals}" if leak.attack == "best" else f"the original's, {leak.attack}"
        lines.append(_row([leak.outputs, name, *_numbers(leak)]))
    notes = [line for leak in card.leaks for line in _chosen(leak)]
    notes += [f"{leak.outputs}, {leak.attack}: {leak.reason}." for leak in card.leaks if leak.reason]
    notes += [] if any(leak.attack == "best" for leak in card.leaks) else ["No other attack was tried."]
    notes += ["Identified: of all test images the original is the nearest to its reconstruction."]
    return [*lines, "", *_bullets(notes)]


def _chosen(leak: Leak) -> Iterator[str]:
    """Which attack is the best one, by measure."""
    titles = dict(zip(SHOWN, ("PSNR", "SSIM", "R", "R95", "identified"), strict=True))
    for attack in dict.fromkeys(leak.choices.values()):
        measures = ", ".join(titles[name] for name in SHOWN if leak.choices.get(name) == attack)
        yield f"The best on {leak.outputs} by {measures}: {attack}."


def _numbers(leak: Leak) -> list[str]:
    shares = [None if share is None else 100 * share for share in (leak.top1, leak.top1_chance)]
    values = zip((leak.psnr, leak.ssim, leak.risk, leak.risk95, *shares), (2, 3, 3, 3, 2, 2), strict=True)
    return [*("failed" if one is None else f"{one:.{digits}f}" for one, digits in values), f"{leak.n or 0:,}"]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _origin(card: Card) -> list[str]:
    changes = {True: ", with changes that were not committed", False: ", a clean tree", None: ""}[card.dirty]
    torch = card.libraries.get("torch", "not recorded")
    facts = [
        f"Commit: {card.commit or 'none recorded'}{changes}.",
        f"Code identity: `{card.code}`. PyTorch {torch}. Finished {card.finished}.",
        "The record of provenance beside has settings, libraries and hardware.",
    ]
    weights = [[f"`{name}`", f"`{sha}`"] for name, sha in sorted(card.files.items()) if name.endswith(".safetensors")]
    table = [_row(cells) for cells in (["weights", "SHA-256"], ["---", "---"], *weights)]
    return [*_bullets(facts), "", *table]
