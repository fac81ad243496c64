"""Restoring: results that a build would make otherwise are refused, however sound they are."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from records_by_hand import note_step, put

from vicious.provenance import restore as module
from vicious.provenance.restore import restore
from vicious.study.config import Params
from vicious.study.plan import Plan
from vicious.system.errors import ProvenanceError

ROOT = Path(__file__).resolve().parents[2]
SUMMARY = "results/smoke/summaries/main.provenance.json"


@pytest.fixture
def touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smoke: Params) -> list[bool]:
    """A summary of one dataset in a project; lists each time that Snakemake would take results as made."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    note_step(Plan(smoke).by_record[SUMMARY].step, [], [put("results/smoke/summaries/main.csv", "1")])
    times: list[bool] = []
    monkeypatch.setattr(module, "_touch", lambda: times.append(True))
    return times


def test_what_is_asked_for_is_taken_as_made_and_what_is_not_is_passed_over(touched: Any, smoke: Params) -> None:
    assert restore(smoke).noted == []
    fewer = smoke.model_copy(update={"datasets": ["celeba"]})
    step = Plan(smoke).by_record["results/smoke/summaries/tradeoff.provenance.json"].step
    note_step(step, [], [put("results/smoke/summaries/tradeoff.csv", "1")])
    note_step(Plan(fewer).by_record[SUMMARY].step, [], ["results/smoke/summaries/main.csv"])
    assert [one.kind for one in restore(fewer).noted] == ["not in this configuration"]
    assert touched == [True, True]


def test_a_summary_built_in_part_is_refused(touched: Any, smoke: Params) -> None:
    wider = smoke.model_copy(update={"datasets": ["mnist", "celeba"]})
    with pytest.raises(
        ProvenanceError, match=rf"\nbuilt in part: {SUMMARY}: of the \d+ results .*\nnothing was touched"
    ):
        restore(wider)
    assert touched == []


def test_other_settings_are_refused(touched: Any, smoke: Params) -> None:
    record = "results/smoke/models/mnist/honest/seed0/train_honest.provenance.json"
    note_step(Plan(smoke).by_record[record].step, settings={"epochs": 7})
    with pytest.raises(ProvenanceError, match=r"\nanother configuration: .*: epochs 7, params.yaml asks for 1"):
        restore(smoke)
    assert touched == []
