"""A made-up study: every job of a small scale is recorded, with files that hold a word each."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from records_by_hand import note_step, put

from vicious.study.config import Params, load_params
from vicious.study.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("Snakefile", "params.yaml", "README.md", "CITATION.cff", "DATA_LICENSES.md", "LICENSE", "requirements.lock")
FAILED = "results/smoke/assessments/mnist/honest/seed0/risk-posthoc-logits.json"
Build = Callable[..., Params]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Builds it in a folder of a given name, which becomes the working folder; one assessment says that it failed."""

    def built(name: str = "a study", *changes: str) -> Params:
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        for copied in COPIED:
            shutil.copy(ROOT / copied, copied)
        shutil.copytree(ROOT / "workflow", "workflow")
        params = load_params(Path("params.yaml"), ["scale=smoke", "datasets=[mnist]", *changes])
        steps = [one.step for one in Plan(params).steps]
        for step in steps:
            for file in step.writes():
                put(file, _content(str(file)))
        for step in (one for one in steps if one.record() is not None):
            read = [file for file in step.reads() if file.is_file()]
            note_step(step, read, step.writes(), seconds=2.0, libraries={"torch": "2.9.0", "python": "3.11.7"})
        put("results/smoke/report.html", "<title>all of it</title>")
        return params

    return built


@pytest.fixture
def study(build: Build) -> Params:
    """The configuration of the study in the working folder."""
    return build()


def _content(file: str) -> str:
    return json.dumps({"status": "failed", "reason": "no memory"}) if file == FAILED else f'"{file}"'


@pytest.fixture
def entities() -> Callable[[dict[str, Any]], dict[str, dict[str, Any]]]:
    """The entities of metadata, by their names, of which none is there twice."""

    def by_name(metadata: dict[str, Any]) -> dict[str, dict[str, Any]]:
        found = {one["@id"]: one for one in metadata["@graph"]}
        assert len(found) == len(metadata["@graph"])
        return found

    return by_name
