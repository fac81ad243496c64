"""From a JSON for each model to one CSV, and back: nothing is dropped, what does not belong together is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vicious.results.memberships import read_measured, read_membership, write_membership
from vicious.results.schema import COLUMNS, MEMBERSHIP, Membership
from vicious.system.errors import DataError, MixedResultsError
from vicious.system.files import write_json

HONEST, VICIOUS = ("honest", "", 0.0), ("vicious", "logits", 1.0)
NUMBERS: dict[str, Any] = {
    **{"trained_on": 900, "members": 200, "non_members": 200, "auc": 0.55, "auc_low": 0.5, "auc_high": 0.6},
    **{"advantage": 0.1, "advantage_chance": 0.06, "tpr_at_1fpr": 0.02, "tpr_at_01fpr": None},
    **{"loss_members": 0.3, "loss_non_members": 0.4, "accuracy_members": 0.9, "accuracy_non_members": 0.85},
}


def written(folder: Path, model: Any = VICIOUS, seed: int = 0, task: str = "mnist", **changes: Any) -> Path:
    role, outputs, beta_r = model
    failed = changes.get("status") == "failed"
    record: dict[str, Any] = {
        **{"dataset": task.split("-")[0], "task": task, "role": role, "outputs": outputs, "beta_r": beta_r},
        **{"seed": seed, "status": "ok", "reason": "", "source": "official", "data": "fingerprint", "weights": "0f"},
        **{"target": {"architecture": {"depth": 10, "width": 1}, "schedule": {"epochs": 1, "seed": seed}}},
        **(dict.fromkeys(NUMBERS) if failed else NUMBERS),
    }
    file = folder / f"{task} {role} {outputs} {beta_r:g}" / f"seed{seed}" / "membership.json"
    write_json(file, record | changes)
    return file


def test_a_row_for_each_model_in_order_and_what_failed_stays(tmp_path: Path) -> None:
    files = [
        *(written(tmp_path, VICIOUS, seed) for seed in (1, 0)),
        written(tmp_path, HONEST, status="failed", reason="the loss is nan"),
        written(tmp_path, task="cifar10", tpr_at_01fpr=0.001),
    ]
    write_membership(files, tmp_path / "membership.csv")
    frame = read_membership(tmp_path / "membership.csv")
    assert list(frame.columns) == list(Membership.model_fields)
    assert frame[["task", "role", "seed"]].to_numpy().tolist() == [
        *(["mnist", "honest", 0], ["mnist", "vicious", 0], ["mnist", "vicious", 1], ["cifar10", "vicious", 0])
    ]
    failed = frame.iloc[0]
    assert (failed["status"], failed["reason"]) == ("failed", "the loss is nan")
    assert failed[list(NUMBERS)].isna().all()
    for name, value in NUMBERS.items():
        assert frame[name].iloc[1] == pytest.approx(np.nan if value is None else value, nan_ok=True)
    assert frame["tpr_at_01fpr"].iloc[3] == 0.001
    text = (tmp_path / "membership.csv").read_text(encoding="utf-8")
    assert ",900,200,200,0.55," in text, "counts are whole numbers"


def test_columns_of_its_own_are_none_that_other_tables_have() -> None:
    own = set(Membership.model_fields) - set(MEMBERSHIP.columns)
    assert own.isdisjoint(COLUMNS)
    assert set(MEMBERSHIP.columns) < set(Membership.model_fields)
    assert all(Membership.model_fields[name].description for name in own)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"auc": 1.5}, "auc: should be less than or equal to 1"),
        ({"auc": "0.5"}, "auc: should be a valid number"),
        ({"auc": None}, "auc missing"),
        ({"members": -1}, "members: should be greater than or equal to 1"),
        ({"loss_members": -1.0}, "loss_members: should be greater than or equal to 0"),
        ({"role": "other"}, "role: should be 'honest', 'vicious' or 'autoencoder'"),
        ({"another": 1}, "another: "),
        ({"target": None}, "target: should be an object"),
        ({"data": None}, "data: should be a valid string"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, changes: Any, words: str) -> None:
    file = written(tmp_path, **changes)
    with pytest.raises(DataError, match=words) as caught:
        read_measured([file])
    assert str(file) in str(caught.value)
    assert "delete it and run `snakemake` again" in str(caught.value)


def test_a_missing_key_no_file_and_none_at_all_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path)
    record = json.loads(file.read_text())
    del record["advantage"]
    write_json(file, record)
    with pytest.raises(DataError, match="advantage is missing"):
        read_measured([file])
    with pytest.raises(DataError, match=r"none\.json is missing"):
        read_measured([tmp_path / "none.json"])
    with pytest.raises(DataError, match="no results of measure-membership"):
        read_measured([])


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"data": "another"}, "data"),
        ({"source": "synthetic"}, "source"),
        ({"non_members": 100}, "non_members"),
        ({"target": {"architecture": {"depth": 16, "width": 1}, "schedule": {"epochs": 1}}}, "depth"),
        ({"target": {"architecture": {"depth": 10, "width": 1}, "schedule": {"epochs": 2}}}, "schedule"),
    ],
)
def test_results_of_different_settings_are_refused(tmp_path: Path, changes: Any, name: str) -> None:
    files = [written(tmp_path, HONEST), written(tmp_path, VICIOUS, **changes)]
    with pytest.raises(MixedResultsError, match=rf"different settings \({name}\)"):
        read_measured(files)
    other = written(tmp_path, task="cifar10", **changes)
    assert len(read_measured([files[0], other])) == 2, "other tasks may differ"


def test_two_results_of_one_model_are_refused(tmp_path: Path) -> None:
    files = [written(tmp_path), written(tmp_path / "again")]
    with pytest.raises(MixedResultsError, match="are of one model: remove one of them"):
        read_measured(files)


def _damaged(tmp_path: Path, **changes: Any) -> Path:
    write_membership([written(tmp_path)], tmp_path / "a.csv")
    pd.read_csv(tmp_path / "a.csv", dtype=object).assign(**changes).to_csv(tmp_path / "a.csv", index=False)
    return tmp_path / "a.csv"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"auc": "2"}, r"auc: should be less than or equal to 1"),
        ({"members": "few"}, "members: should be a valid integer"),
        ({"auc": ""}, "auc missing"),
        ({"status": "fine"}, "column status holds fine"),
    ],
)
def test_a_damaged_csv_is_refused(tmp_path: Path, changes: Any, words: str) -> None:
    with pytest.raises(DataError, match=rf"a\.csv.*{words}.*run summarize-membership again"):
        read_membership(_damaged(tmp_path, **changes))


def test_a_csv_without_a_column_or_with_a_model_twice_is_refused(tmp_path: Path) -> None:
    file = _damaged(tmp_path)
    frame = pd.read_csv(file, dtype=object)
    frame.drop(columns="advantage").to_csv(file, index=False)
    with pytest.raises(DataError, match="column advantage is missing"):
        read_membership(file)
    pd.concat([frame, frame]).to_csv(file, index=False)
    with pytest.raises(MixedResultsError, match="several results"):
        read_membership(file)
