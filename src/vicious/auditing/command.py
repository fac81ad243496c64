"""The command `vicious audit`: from files to a verdict, a record and a page."""

from dataclasses import dataclass
from pathlib import Path

from vicious.auditing.audit import run_audit
from vicious.auditing.given import Given, Said, gather, of_model
from vicious.auditing.images import Wanted, fitting, read_images
from vicious.auditing.loaded import Asked
from vicious.auditing.model import open_model
from vicious.auditing.outputs import read_labels, read_outputs
from vicious.auditing.page import page
from vicious.auditing.placing import place
from vicious.auditing.record import NAME, read_references, record
from vicious.auditing.reference import beside
from vicious.system.errors import AuditError
from vicious.system.files import check_writable, write_json, write_text

PAGE = "audit.html"


@dataclass(frozen=True)
class Command:
    """What the command line says beside the model and the images; see :func:`vicious.cli.audit`."""

    stored: Path | None = None
    labels: Path | None = None
    multilabel: bool | None = None
    reference: Path | None = None
    out: Path | None = None
    most: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class Done:
    """What the command prints, and how it ends."""

    lines: tuple[str, ...]
    exit_code: int


def run(model: Path, images: Path | None, command: Command, asked: Asked) -> Done:
    """Run an audit, write what is asked for, and say what was found.

    Args:
        model: the model's file; the images where outputs are stored.
        images: None where outputs are stored.

    Raises:
        AuditError: anything that was given cannot be used; the text says what to do.
        StorageError: the results cannot be written.
    """
    references = read_references(command.reference) if command.reference else []
    if command.out is not None:
        if command.out.exists() and not command.out.is_dir():
            raise AuditError(f"{command.out} is a file: --out takes a folder")
        command.out.mkdir(parents=True, exist_ok=True)
        check_writable(command.out)
    given, title = _stored(model, images, command, asked) if command.stored else _asked(model, images, command, asked)
    audit = run_audit(given)
    found = record(audit, title)
    placed, shipped = place(found, references), beside(found)
    lines = [f"{audit.verdict.answer}: {audit.verdict.headline}", *(f"- {one}" for one in audit.verdict.sentences)]
    lines += [f"  note: {one}" for one in given.notes]
    if command.out is not None:
        write_json(command.out / NAME, record(audit, title, placed, shipped))
        write_text(command.out / PAGE, page(audit, title, placed, shipped))
        lines.append(f"written to {command.out / PAGE} and {command.out / NAME}")
    else:
        lines.append("--out FOLDER writes a page with reconstructions, and all numbers.")
    return Done(tuple(lines), audit.verdict.exit_code)


def _asked(path: Path, images: Path | None, command: Command, asked: Asked) -> tuple[Given, str]:
    if images is None:
        raise AuditError(
            "give a model and images, as in: vicious audit model.onnx images/   "
            "(without a model: vicious audit --stored outputs.csv images/)"
        )
    model = open_model(path, asked)
    shape = model.channels, model.height, model.width
    found = read_images(images, *shape, fitting(command.most, shape))
    labels = read_labels(command.labels, found.names, model.classes) if command.labels else None
    return of_model(model, found, Said(labels, asked.kind, command.multilabel, command.seed)), model.name


def _stored(path: Path, images: Path | None, command: Command, asked: Asked) -> tuple[Given, str]:
    if images is not None or command.stored is None:
        raise AuditError("with --stored no model is asked: give the images alone")
    shape: Wanted = asked.shape or (None, None, None)
    if asked.shape and not (asked.shape[0] in (1, 3) and all(0 < side <= 1024 for side in asked.shape[1:])):
        raise AuditError(f"--shape {asked.shape}: 1 or 3 channels, and sides of 1 to 1024 pixels")
    found = read_images(path, *shape, command.most)
    outputs = read_outputs(command.stored, found.names)
    labels = read_labels(command.labels, found.names, outputs.values.shape[1]) if command.labels else None
    said = Said(labels, asked.kind, command.multilabel, command.seed)
    notes = outputs.notes
    if asked.shape is None:
        height, width = found.pixels.shape[2:]
        notes = (
            *notes,
            f"Images are compared at {height} x {width}: --shape says in what other size the model saw them.",
        )
    return gather(found, outputs.values, said, notes=notes), command.stored.name
