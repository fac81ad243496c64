"""Why a result failed, is not there, or would be made again, in words."""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from vicious.provenance.discard import altered
from vicious.provenance.expected import Expected, scale_of
from vicious.provenance.origin import made_otherwise
from vicious.provenance.records import Record, plain_name, read_record
from vicious.provenance.status import failed, state
from vicious.provenance.verify import hash_files
from vicious.study.artifacts import by_any_name
from vicious.study.config import PARAMS_FILE, Params
from vicious.study.paths import verified
from vicious.study.plan import Plan, Planned
from vicious.system.errors import ConfigError
from vicious.system.escape import escaped
from vicious.workflow.budget import duration
from vicious.workflow.unlock import at_work


def why(what: str, params: Params, configuration: Path = PARAMS_FILE) -> list[str]:
    """What is to be said of a result: lines.

    Args:
        what: a file of the study or its log, or a table's or figure's name or number.
        params: what is asked for, and the scale.
        configuration: the file that ``params`` came from, for messages.

    Raises:
        ConfigError: no step of this configuration makes it.
    """
    plan = Plan(params)
    one = _step(what, plan)
    return [escaped(line) for line in _lines(one, plan, Expected(params, configuration))]


def _step(what: str, plan: Plan) -> Planned:
    names, file = by_any_name(), plain_name(what)
    for one in plan.steps:
        if file in one.outputs or file == one.log:
            return one
        if what in names and one.step.command() == names[what].name:
            return one
    scale = scale_of(file)
    if scale not in (None, plan.scale):
        raise ConfigError(f"{what} is of scale {scale}: add --scale {scale}")
    if file == str(verified(plan.scale)):
        raise ConfigError(f"{what} is written by the study's last rule, once `vicious verify` finds all of it sound")
    if what in plan.left_out():
        raise ConfigError(f"{what} has nothing to show in this configuration: see scales.{plan.scale} in params.yaml")
    every = [*names, *(output for one in plan.steps for output in one.outputs)]
    near = "".join(f" did you mean {one}?" for one in get_close_matches(what, every, n=1))
    raise ConfigError(
        f"no step of scale {plan.scale} makes {what}:{near} give a file of the study, its log, or a table's or "
        "figure's name or number"
    )


def _lines(one: Planned, plan: Plan, expected: Expected) -> Iterator[str]:
    found = state(one, at_work(Path()))
    yield f"{one.outputs[0]}: {found}; it is made by `vicious {one.step.command()}`, which reports in {one.log}"
    makers = {file: other for other in plan.steps for file in other.outputs}
    absent = [file for file in map(str, one.step.reads()) if not Path(file).exists()]
    record = None if (path := one.step.record()) is None else read_record(path) if path.is_file() else None
    match found:
        case "running":
            yield "It was started, and something of this folder is at work: `vicious unlock` names it."
        case "interrupted":
            yield "Its job was killed. `snakemake` makes it again; a training goes on where it was."
        case "missing":
            gone = [file for file in one.outputs if not Path(file).is_file()]
            yield f"{len(gone)} of its {len(one.outputs)} files are missing, such as {gone[0]}."
            if not absent:
                yield f"All that it reads is there. `snakemake --cores all {one.outputs[0]}` makes it."
        case "failed":
            for file, reason in failed(one):
                yield f"{file} says: {reason}"
            causes = dict.fromkeys(
                file for other in map(makers.get, map(str, one.step.reads())) if other for file, _ in failed(other)
            )
            for file in causes:
                yield f"What it reads failed: `vicious why {file}`."
            if not causes:
                yield (
                    "Snakemake keeps it, since the failure is a result: tables show it. Change what caused it in "
                    "params.yaml; or, if it was an accident, delete these files, then run `snakemake` again."
                )
    for file in absent[:5]:
        by = makers.get(file)
        yield f"It reads {file}, which is missing" + (
            f": `vicious why {file}`." if by else ", and which no step makes."
        )
    if isinstance(record, str):
        yield f"Its record of provenance cannot be read ({record}): `vicious discard` deletes it."
    elif record is not None and path is not None:
        yield from _of_record(path, record, expected)


def _of_record(path: Path, record: Record, expected: Expected) -> Iterator[str]:
    commit = "a state without a commit" if record.code.commit is None else f"commit {record.code.commit[:9]}"
    took = "" if record.seconds is None else f" in {duration(record.seconds)}"
    changed = " with changes that were not committed" if record.code.dirty else ""
    yield f"What is there was made by {commit}{changed}{took}, and finished {record.finished}."
    current, _ = hash_files({*record.inputs, *(record.outputs or {})})
    reasons = [one for one in (made_otherwise(path, record, expected), altered(record, current)) if one]
    for reason in reasons:
        yield (
            f"It would be made again: {reason}. `snakemake` does it, with the options that you build with. If it was "
            f"made elsewhere, delete it first: `vicious discard {path.parent}`."
        )
    if not reasons:
        yield "It is what params.yaml and the code make, of what it reads now."
