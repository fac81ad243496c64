"""Publishing: chosen models of a finished study go into the folder that Git keeps, each with its records and a card."""

import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from vicious.data.datasets import find_dataset
from vicious.provenance.expected import Expected
from vicious.provenance.origin import of_other_code
from vicious.provenance.records import Record, read_record
from vicious.published.card import CARD, PAGE, SHOWN, Card, Leak, page, read_content, sha256, write_card
from vicious.steps import Step
from vicious.study import grid, paths
from vicious.study.config import PARAMS_FILE, Params
from vicious.study.plan import Plan
from vicious.system.errors import PublishedError, ViciousError
from vicious.system.files import digest, storage_errors, write_bytes
from vicious.system.interrupt import held_back
from vicious.system.typed_json import UntypedError, read_typed
from vicious.workflow.unlock import check_not_locked

MOST_MB = 20.0
"""Megabytes (10^6 bytes) that all published models may take."""
_SHOWN = 20


@dataclass(frozen=True, eq=False)
class Training:
    """The training of a target model in a plan.

    Attributes:
        name: of its folder: ``mnist/honest/seed0``.
        names: what stands in its file names: task, model and seed.
        one: the model, its task and its seed.
        step: that trains it.
    """

    name: str
    names: Mapping[str, str]
    one: grid.Training
    step: Step

    @property
    def record(self) -> Path:
        """Its record of provenance."""
        return self.step.writes()[0].with_name(f"{self.step.rule()}.provenance.json")

    @property
    def files(self) -> list[Path]:
        """What the training wrote, its record last."""
        return [*self.step.writes(), self.record]


@dataclass(frozen=True)
class _Chosen:
    """A model that may be published.

    Attributes:
        card: of which ``files`` lacks the page.
        files: its contents, by name.
        place: its folder.
        stale: whether other code than that of today made it.
    """

    card: Card
    files: dict[str, bytes]
    place: Path
    stale: bool


def trainings(params: Params) -> list[Training]:
    """Every training of a target model that a configuration asks for."""
    known = {_names(one): one for one in grid.trainings(params)}
    rules = Plan(params).rules
    found = []
    for planned in (one for rule in ("train_honest", "train_vicious") for one in rules.get(rule, ())):
        key = (planned.names["task"], planned.names["model"], planned.names["seed"])
        found.append(Training("{}/{}/seed{}".format(*key), planned.names, known[key], planned.step))
    return found


def _names(one: grid.Training) -> tuple[str, str, str]:
    return one.task.folder, str(one.model), str(one.seed)


def publish(
    params: Params,
    models: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    most_mb: float = MOST_MB,
    configuration: Path = PARAMS_FILE,
    targets_only: bool = False,
) -> list[str]:
    """Copy trained models of a scale into the folder of published models, each with its records and a card.

    A folder appears whole, or not at all. One that is there already is replaced. Others stay.

    Args:
        params: the configuration that the models are of, and the scale.
        models: names of models as their folders have them, such as ``mnist/honest``, with ``*`` for anything; one that
            names a folder stands for all below it. None: all that attacks were assessed on.
        leave_out: names of models that are not published, likewise.
        most_mb: megabytes that all published models may take, those that are there already included.
        configuration: the file that ``params`` came from, for messages.
        targets_only: without the attack model that was trained with a target model, and takes several times as much.

    Returns:
        A line for each model, and one for all.

    Raises:
        PublishedError: there is no such model; one failed, was not assessed, is damaged, altered, or of another
            configuration; or they take too many megabytes. Then nothing is written.
        StorageError: a file cannot be written.
        StudyRunningError: Snakemake may be at work here.
    """
    check_not_locked(Path())
    wanted = _wanted(params, models, leave_out)
    _check_size(params, wanted, most_mb, targets_only)
    cells: dict[grid.Training, list[grid.Cell]] = {}
    for cell in grid.attacks(params):
        cells.setdefault(cell.target, []).append(cell)
    expected = Expected(params, configuration)
    chosen, refused = [], []
    for training in wanted:
        try:
            chosen.append(_read(training, params, cells.get(training.one, []), expected, targets_only))
        except ViciousError as error:
            refused.append(f"{training.name}: {error}")
    if refused:
        more = [f"and {len(refused) - _SHOWN} more"] if len(refused) > _SHOWN else []
        raise PublishedError(
            f"{len(refused)} of {len(wanted)} models cannot be published, so none was:",
            *(f"  {one}" for one in [*refused[:_SHOWN], *more]),
            "mend these, or leave them out by --leave-out",
        )
    lines = [_write(one) for one in chosen]
    total = sum(_sizes().values()) / 1e6
    return [*lines, f"{len(chosen)} models; {paths.PUBLISHED} takes {total:.2f} MB: `git add {paths.PUBLISHED}`"]


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a model's name, or a folder above it, is one of some patterns."""
    above = [name, *(str(folder) for folder in Path(name).parents if folder.name)]
    return any(fnmatchcase(one, pattern.rstrip("/")) for pattern in patterns for one in above)


def _wanted(params: Params, models: Sequence[str], leave_out: Sequence[str]) -> list[Training]:
    """The models that are asked for, and built."""
    every = trainings(params)
    assessed = {one.target for one in grid.attacks(params)}
    for pattern in (*models, *leave_out):
        if not any(matches(one.name, [pattern]) for one in every):
            example = f"such as {every[0].name}" if every else "and none is asked for"
            raise PublishedError(f"the study has no model {pattern} at scale {params.scale}: give a name {example}")
    there = [one for one in every if one.step.writes()[0].is_file()]
    for pattern in models:
        if not any(matches(one.name, [pattern]) for one in there):
            raise PublishedError(
                f"{pattern} is not built at scale {params.scale}: run `snakemake` first, or `dvc pull`"
            )
    named = [one for one in there if (matches(one.name, models) if models else one.one in assessed)]
    if not named:
        raise PublishedError(f"no model of scale {params.scale} is built here: run `snakemake` first, or `dvc pull`")
    wanted = [one for one in named if not matches(one.name, leave_out)]
    if not wanted:
        raise PublishedError("--leave-out leaves no model to publish: give fewer names there")
    return wanted


def _read(
    training: Training, params: Params, cells: Sequence[grid.Cell], expected: Expected, targets_only: bool
) -> _Chosen:
    """A model, checked; raises a ViciousError that says why it cannot be published."""
    from vicious.models.checkpoint import check_attacks, failure, load_record

    weights = training.step.writes()[0]
    reason = failure(weights)
    if reason is not None:
        raise PublishedError(f"its training failed: {reason}")
    target = load_record(weights)
    joint = next((file for file in training.step.writes() if file.name == "joint.safetensors"), None)
    attack = None
    if joint is not None:
        failure(joint)
        check_attacks(joint, weights)
        attack = load_record(joint)
    record = _record(training.record)
    fault = expected.difference(training.step, record)
    if fault is not None:
        raise PublishedError(f"it is of another configuration ({fault[1]}): name yours by --file or --config")
    files = {
        name: found for name, found in _contents(training, record) if not (targets_only and _of_attack(Path(name)))
    }
    if targets_only:
        attack = None
    leaks, first = _leaks(params, training, cells)
    behind = _behind(training.record)
    dataset = find_dataset(target["dataset"])
    card = Card(
        scale=params.scale,
        task=target["task"],
        model=training.names["model"],
        seed=target["schedule"]["seed"],
        role="adaptive" if target.get("evasion") else target["role"],
        outputs=target["outputs"],
        beta_c=target["beta_c"],
        beta_r=target["beta_r"],
        recipe=target.get("recipe"),
        evades=target.get("evades", ""),
        evasion=target.get("evasion", 0.0),
        source=target["source"],
        split_seed=_only(behind.get("prepare", {}).get("split_seed", []), int),
        checksums=_only(behind.get("fetch", {}).get("checksum", []), list) or [],
        fingerprint=target["data"],
        images=target["n"],
        licence="MIT, drawn by this project" if target["source"] == "synthetic" else dataset.licence,
        k=target["architecture"]["outputs"],
        architecture=target["architecture"],
        parameters=target["parameters"],
        attack_architecture=None if attack is None else attack["architecture"],
        attack_parameters=None if attack is None else attack["parameters"],
        schedule=target["schedule"],
        selected_epoch=target["selected_epoch"],
        accuracy=None if target["role"] == "autoencoder" else first.get("accuracy"),
        n=first["n"],
        leaks=leaks,
        commit=record.code.commit,
        dirty=record.code.dirty,
        code=record.code.hash,
        libraries=record.libraries,
        finished=record.finished,
        files={name: sha for name, (_, sha) in files.items()},
    )
    text = page(card).encode()
    contents = {name: content for name, (content, _) in files.items()} | {PAGE: text}
    card = card.model_copy(update={"files": {**card.files, PAGE: sha256(text)}})
    place = paths.published(params.scale, training.names["task"], card.model, training.names["seed"])
    return _Chosen(card, contents, place, of_other_code(record))


def _of_attack(file: Path) -> bool:
    """Whether a training's file is of the attack model that was trained with its target model."""
    return file.stem == "joint"


def _record(path: Path) -> Record:
    found = read_record(path)
    if isinstance(found, str):
        raise PublishedError(f"{path} cannot be read ({found}): train the model again")
    return found


def _contents(training: Training, record: Record) -> Iterator[tuple[str, tuple[bytes, str]]]:
    """Content and SHA-256 of each file, as the record of provenance says them."""
    for file in training.files:
        content = read_content(file)
        sha = sha256(content)
        if file != training.record and (record.outputs or {}).get(str(file)) != sha:
            raise PublishedError(f"{file} is not what {training.record} says was written: train the model again")
        yield file.name, (content, sha)


class _Behind(BaseModel):
    """What a record of provenance says of the steps before its own."""

    settings_behind: dict[str, dict[str, list[Any]]] = {}


def _behind(path: Path) -> dict[str, dict[str, list[Any]]]:
    try:
        return read_typed(path, _Behind).settings_behind
    except UntypedError as error:
        raise PublishedError(f"{error}: train the model again") from None


def _only(values: Sequence[Any], kind: type) -> Any:
    """The one value of a setting; None where there are none or several, or it is of another type."""
    return values[0] if len(values) == 1 and isinstance(values[0], kind) else None


def _leaks(params: Params, training: Training, cells: Sequence[grid.Cell]) -> tuple[list[Leak], Mapping[str, Any]]:
    """What the best and the original's attacks read, and the record of the first of these that has results."""
    from vicious.results.assessments import read_assessments

    # the best attack, and the original's with the study's means
    shown = [cell for cell in cells if cell.attack == grid.Attack(cell.attack.outputs, cell.attack.kind)]
    own = training.one.model.outputs
    outputs: list[str] = [own] if own is not None else list(params.cell(training.one.task.dataset).outputs)
    shown = [cell for cell in shown if cell.attack.outputs in outputs] or shown
    outputs += [cell.attack.outputs for cell in shown]
    order = ("best", "joint", "posthoc")
    shown.sort(key=lambda cell: (outputs.index(cell.attack.outputs), order.index(cell.attack.kind)))
    weights, leaks, good = training.step.writes()[0], [], []
    for cell in shown:
        file = _assessment(params, cell)
        if not file.is_file():
            raise PublishedError(f"it has no assessment: `snakemake -- {file}` makes it")
        _check_read(file, weights)
        (found,) = read_assessments([file])
        good += [found.record] if found.ok else []
        leaks.append(_leak(cell, found.record, _digest(file)))
    if not good:
        raise PublishedError("it has no assessment" + (": every attack failed" if shown else " in this study"))
    return leaks, good[0]


def _leak(cell: grid.Cell, record: Mapping[str, Any], sha: str) -> Leak:
    measured = {name: record.get(name) for name in (*SHOWN, "top1_chance", "n")} if record["status"] == "ok" else {}
    choices = {name: attack for name, attack in record.get("choices", {}).items() if name in SHOWN}
    return Leak(
        outputs=cell.attack.outputs,
        attack=cell.attack.kind,
        **measured,
        choices=choices,
        rivals=len(record.get("rivals", [])),
        reason=record["reason"],
        assessment=sha,
    )


def _assessment(params: Params, cell: grid.Cell) -> Path:
    task, model, seed = _names(cell.target)
    return paths.assessment(params.scale, task=task, model=model, seed=seed, attack=str(cell.attack))


def _check_read(assessment: Path, weights: Path, of_best: bool = False) -> None:
    """Refuse an assessment that is not of these weights, or was altered; the best attack's is made of others."""
    path = assessment.with_suffix(".provenance.json")
    record, again = _record(path), f"`snakemake -- {assessment}` makes it again once it is deleted"
    if (record.outputs or {}).get(str(assessment)) != _digest(assessment):
        raise PublishedError(f"{assessment} is not what {path} says was written: {again}")
    read = record.inputs.get(str(weights))
    if read is not None and read != _digest(weights):
        raise PublishedError(f"{assessment} was measured on other weights than {weights}: {again}")
    if read is not None:
        return
    beside = [file for file in map(Path, record.inputs) if file.parent == assessment.parent]
    rivals = [file for file in beside if file.suffix == ".json"]
    if of_best or not rivals:
        raise PublishedError(f"{assessment} was not measured on {weights}: {again}")
    for file in rivals:
        if record.inputs[str(file)] != _digest(file):
            raise PublishedError(f"{assessment} was made from another {file.name} than lies beside it: {again}")
        _check_read(file, weights, of_best=True)


def _digest(file: Path) -> str:
    return sha256(read_content(file))


def _sizes() -> dict[Path, int]:
    """Bytes of every file among the published models."""
    found = (file for file in paths.PUBLISHED.rglob("*") if file.is_file())
    return {file: file.lstat().st_size for file in found}


def _check_size(params: Params, wanted: Sequence[Training], most_mb: float, targets_only: bool) -> None:
    """Refuse too many megabytes before anything is read, and say what takes them."""
    taken = {
        one: _OF_CARD
        + sum(file.stat().st_size for file in one.files if file.is_file() and not (targets_only and _of_attack(file)))
        for one in wanted
    }
    replaced = [paths.published(params.scale, **one.names) for one in wanted]
    kept = sum(size for file, size in _sizes().items() if file.parent not in replaced)
    if kept + sum(taken.values()) <= most_mb * 1e6:
        return
    beside = f", beside {kept / 1e6:.2f} MB that are there already" if kept else ""
    by: dict[str, Callable[[Training], str]] = {
        "seed": lambda one: f"*/seed{one.names['seed']}",
        "model": lambda one: f"*/{one.names['model']}",
        "dataset": lambda one: one.one.task.folder,
    }
    raise PublishedError(
        f"{len(wanted)} models take {sum(taken.values()) / 1e6:.2f} MB{beside}, and --most-mb is {most_mb:g}: leave "
        "out some by --leave-out, or their attack models by --targets-only, such as",
        *(f"  by {kind}: {', '.join(_largest(taken, group))}" for kind, group in by.items()),
    )


_OF_CARD = 8_000
"""Bytes of a card, about."""


def _largest(taken: Mapping[Training, int], group: Callable[[Training], str]) -> list[str]:
    sums: dict[str, int] = {}
    for one, size in taken.items():
        sums[group(one)] = sums.get(group(one), 0) + size
    largest = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:5]
    return [f"'{name}' ({size / 1e6:.2f} MB)" for name, size in largest]


def _write(one: _Chosen) -> str:
    """Put a model in its place, all files at once; returns what was done."""
    size = sum(map(len, one.files.values())) / 1e6
    words = f"{one.place} ({size:.2f} MB)"
    words += "; made by other code than that of today: no build takes it as made" if one.stale else ""
    parent, name = one.place.parent, one.place.name
    with storage_errors(one.place):
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f".{name}.????????.part"):  # of a process that was killed
            shutil.rmtree(left)
        made, old = (parent / f".{name}.{secrets.token_hex(4)}.part" for _ in range(2))
        made.mkdir()
        try:
            for file, content in one.files.items():
                write_bytes(made / file, content)
            write_card(one.card, made)
            if _same(made, one.place):
                return f"there already: {words}"
            with held_back():
                if one.place.exists():
                    one.place.rename(old)
                try:
                    made.rename(one.place)
                except OSError:
                    if old.exists():
                        old.rename(one.place)
                    raise
        finally:
            with held_back():
                for folder in (made, old):
                    shutil.rmtree(folder, ignore_errors=True)
    return f"published: {words}"


def _same(one: Path, other: Path) -> bool:
    """Whether two folders of models hold the same."""
    try:
        here, there = ({file.name: digest(file) for file in folder.iterdir()} for folder in (one, other))
    except (OSError, ViciousError):
        return False
    return here == there and CARD in there
