"""Telling Snakemake that results which came from elsewhere are made.

After ``dvc pull`` or ``dvc checkout`` every file has a new time, and Snakemake, which has no records of it, would
compute much of the study again. Records of provenance came along: where they show that the results are what this
configuration and this code make, Snakemake may take them as made.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

from vicious.provenance.expected import NOT_ASKED, Expected
from vicious.provenance.origin import of_other_code
from vicious.provenance.records import Record, read_record, records_below
from vicious.provenance.verify import Report, verify
from vicious.study import paths
from vicious.study.config import PARAMS_FILE, Params
from vicious.system.errors import ProvenanceError
from vicious.workflow.unlock import check_not_locked


def restore(params: Params, configuration: Path = PARAMS_FILE) -> Report:
    """Verify a scale's prepared data, results, tables and figures, and have Snakemake take them as made.

    What is missing is not made; `snakemake` does that afterwards. Run in the project's root folder; configuration that
    was given on Snakemake's command line is not known here.

    Args:
        params: the configuration.
        configuration: the file that it came from, for messages.

    Raises:
        ProvenanceError: there are no results; or some are not what the configuration and the code make, and nothing was
            touched.
        StudyRunningError: Snakemake may be at work here.
    """
    check_not_locked(Path())
    places = [place for place in map(Path, paths.built(params.scale)) if place.is_dir()]
    if not places:
        raise ProvenanceError(f"there are no results of scale {params.scale} here: pull or copy them first")
    report = verify(places, params, configuration)
    expected = Expected(params, configuration)
    other = sorted(path for place in places for path in records_below(place) if _of_other_code(path, expected))
    # what is not asked for Snakemake does not look at
    findings = [*report.findings, *(one for one in report.noted if one.kind != NOT_ASKED)]
    if findings or other:
        lines = [*map(str, findings), *(f"made by other code: {path}" for path in other)]
        folder = " ".join(map(str, places))
        missing = any(one.kind == "missing" for one in findings)
        pull = "`dvc pull` brings what is missing, if a remote has it; " if missing else ""
        raise ProvenanceError(
            "these results are not what this configuration and this code make:",
            *lines,
            f"nothing was touched; {pull}`vicious discard {folder}` deletes them, then run `vicious restore` again",
        )
    _touch()
    return report


def _of_other_code(path: Path, expected: Expected) -> bool:
    record = read_record(path)
    return isinstance(record, Record) and expected.step(path) is not None and of_other_code(record)


def _touch() -> None:
    """Have Snakemake record every job of the study as done, in the order of the DAG; it reports errors itself."""
    if importlib.util.find_spec("snakemake") is None:
        raise ProvenanceError(
            "the results are sound, but Snakemake is not installed: `make env` installs it; then run this again"
        )
    command = [sys.executable, "-P", "-m", "snakemake", "--touch", "--forceall", "--cores", "1", "--quiet", "all"]
    if subprocess.run(command, check=False).returncode != 0:
        raise ProvenanceError("snakemake could not take the results as made: see its message above")
