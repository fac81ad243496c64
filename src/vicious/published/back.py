"""Putting published models back among a study's results, so that a build need not train them."""

from pathlib import Path

from vicious.provenance.expected import Expected
from vicious.provenance.origin import made_otherwise
from vicious.provenance.records import Record, read_record
from vicious.published.card import Card, read_card, read_content, sha256
from vicious.published.publish import Training, trainings
from vicious.study import paths
from vicious.study.config import PARAMS_FILE, Params
from vicious.system.errors import PublishedError, ViciousError
from vicious.system.files import digest, write_bytes
from vicious.workflow.unlock import check_not_locked


def put_back(params: Params, configuration: Path = PARAMS_FILE) -> list[str]:
    """Copy published models of a scale, with their records, to where its training would write them.

    Only what a build would make to the byte is taken: made with these settings, by this code, from the prepared data
    that lie here. What is there already stays. The record of provenance comes last.

    Args:
        params: what is asked for, and the scale.
        configuration: the file that ``params`` came from, for messages.

    Returns:
        A line for each published model that is asked for, and one for all.

    Raises:
        PublishedError: no model of this scale is published, or none of them is asked for.
        StudyRunningError: Snakemake may be at work here.
    """
    check_not_locked(Path())
    expected, lines, taken = Expected(params, configuration), [], 0
    asked = [one for one in trainings(params) if _place(params, one).is_dir()]
    if not asked:
        raise PublishedError(
            f"no model that {configuration} asks for at scale {params.scale} lies in {paths.PUBLISHED}: "
            "`vicious models` lists those there are"
        )
    for one in asked:
        place = _place(params, one)
        try:
            if any(file.exists() for file in one.files):
                lines.append(f"left {place}: {one.step.writes()[0].parent} holds a model already")
                continue
            contents = _contents(one, place, expected)
        except ViciousError as error:
            lines.append(f"left {place}: {error}")
            continue
        for file, content in contents.items():
            write_bytes(file, content)
        taken += 1
        lines.append(f"put back {place}")
    return [*lines, f"{taken} of {len(asked)} published models put back"]


def _place(params: Params, one: Training) -> Path:
    return paths.published(params.scale, **one.names)


def _contents(one: Training, place: Path, expected: Expected) -> dict[Path, bytes]:
    """What goes where, in this order; raises a ViciousError that says why a model is not taken."""
    card, path = read_card(place), place / one.record.name
    record = read_record(path)
    if isinstance(record, str):
        raise PublishedError(f"{path} cannot be read ({record})")
    reason = made_otherwise(one.record, record, expected)
    if reason is not None:
        raise PublishedError(reason)
    for name, sha in record.inputs.items():
        if not Path(name).is_file():
            dataset = one.one.task.dataset
            raise PublishedError(f"{name} is missing: `snakemake --cores 1 -- data_{dataset}` makes it; then try again")
        if digest(name) != sha:
            raise PublishedError(f"{name} is not what it was made from")
    if any(file.name not in card.files for file in one.files if file != one.record):
        raise PublishedError("the attack model that was trained with it is not published: a build trains both again")
    return {file: _content(file, place / file.name, card, record, one.record) for file in one.files}


def _content(file: Path, published: Path, card: Card, record: Record, path: Path) -> bytes:
    content = read_content(published)
    sha = sha256(content)
    if sha != card.files.get(file.name) or (file != path and sha != (record.outputs or {}).get(str(file))):
        raise PublishedError(f"{published} was altered: `vicious models --check` says more")
    return content
