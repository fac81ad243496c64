"""Run a step, and record where its results come from."""

import time
from pathlib import Path

from vicious.provenance.identity import meaning
from vicious.provenance.record import check_code, code_of, write_provenance
from vicious.steps import Step, perform


def run_step(step: Step, provenance: Path | None = None, code: str | None = None) -> None:
    """Run a step.

    Args:
        provenance: where its record goes, if anywhere.
        code: the code identity that it must have.

    Raises:
        ProvenanceError: the code here has another one.
    """
    start = time.monotonic()
    if provenance is not None:
        code_of(step)  # of now, whatever becomes of the files while it runs
    if code is not None:
        check_code(step, code)
    measured = perform(step, meaning)
    if provenance is not None:
        write_provenance(provenance, step, time.monotonic() - start, measured)
