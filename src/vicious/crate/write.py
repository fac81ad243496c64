"""Writing a crate: in place, into a folder, or as a ZIP archive."""

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from vicious.crate.citation import read_citation
from vicious.crate.graph import LOCK, README, SNAKEFILE, TERMS, Described, Held, metadata
from vicious.crate.jobs import Jobs, gather
from vicious.crate.parameters import parameters
from vicious.study import paths
from vicious.study.config import PARAMS_FILE, Params
from vicious.system.errors import CrateError
from vicious.system.files import atomic_path, digest, write_bytes, write_text
from vicious.workflow.unlock import check_not_locked

METADATA = "ro-crate-metadata.json"
PROJECT = (
    *(SNAKEFILE, "params.yaml", "dvc.yaml", LOCK, "pyproject.toml"),
    *(README, "CITATION.cff", "codemeta.json", "LICENSE", TERMS),
)
"""Files of the project that say what was run, and by which terms it may be used."""
WORKFLOW = Path("workflow")
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of all files in an archive: the first that the format can hold."""


def write(params: Params, out: Path = Path(), configuration: Path = PARAMS_FILE, agent: str = "") -> Path:
    """Write the crate of a configuration's scale, of what is built in this folder; the same results give the same
    bytes.

    Args:
        out: this folder: the metadata alone, beside the results; another one, which is new or empty, or a name that
            ends in .zip: the metadata with the small files, which are the workflow, summaries, tables, figures and the
            report page. The metadata comes last: a folder without it is no crate.
        configuration: the file that ``params`` came from.
        agent: who ran the study, if that is to be said.

    Returns:
        What was written: the metadata or the archive.

    Raises:
        ConfigError, CrateError: CITATION.cff or Snakefile is missing or lacks something, or a library is missing; the
            folder holds files.
        ProvenanceError: there are no results, or they are not what their records say.
        StorageError: it may not be written.
        StudyRunningError: Snakemake may be at work here.
    """
    check_not_locked(Path())
    in_place = out.suffix != ".zip" and out.resolve() == Path.cwd()
    if out.suffix != ".zip" and not in_place and out.is_dir() and any(out.iterdir()):
        raise CrateError(f"{out} holds files already: give a new folder, or a name that ends in .zip")
    jobs = gather(params, configuration)
    known = parameters(params) if jobs.configured else []
    study = Described(params.scale, jobs, known, read_citation(), agent)
    if in_place:
        held = _held([*_small(params.scale, jobs), *jobs.hashes, *(str(job.path) for job in jobs.jobs)], jobs.hashes)
        write_text(out / METADATA, _text(study, held))
        return out / METADATA
    held = _held(_small(params.scale, jobs), jobs.hashes)
    text = _text(study, held)
    if out.suffix == ".zip":
        _pack(text, held, out)
        return out
    for name in held:
        write_bytes(out / name, Path(name).read_bytes())
    write_text(out / METADATA, text)
    return out / METADATA


def _text(study: Described, held: Mapping[str, Held]) -> str:
    return json.dumps(metadata(study, held), indent=2, sort_keys=True, allow_nan=False) + "\n"


def _small(scale: str, jobs: Jobs) -> list[str]:
    """The files of a crate that is to be handed on."""
    workflow = [str(file) for file in WORKFLOW.rglob("*") if not any(one.startswith((".", "__")) for one in file.parts)]
    results = [
        name for job in jobs.jobs if job.stage in ("summaries", "figures") for name in (*job.outputs, str(job.path))
    ]
    return [*PROJECT, *workflow, *results, str(paths.report(scale))]


def _held(names: Iterable[str], hashes: Mapping[str, str]) -> dict[str, Held]:
    """Those of some files that are there, and lie in this folder."""
    found = {}
    for name in sorted(set(names)):
        file = Path(name)
        if file.is_file() and not file.is_absolute() and ".." not in file.parts:
            found[name] = Held(hashes.get(name) or digest(file), file.stat().st_size)
    return found


def _pack(text: str, held: Iterable[str], out: Path) -> None:
    with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (METADATA, *held):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, text if name == METADATA else Path(name).read_bytes())
