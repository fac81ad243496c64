"""Estimators of the risk."""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from placed import place
from report.made_up_study import AUTOENCODER, HONEST, NAMES, STRONGER, VICIOUS

from vicious.report import estimators
from vicious.report.estimators import read_estimators
from vicious.report.figures import risk_profile
from vicious.report.tables import estimators_table
from vicious.results.schema import AGREEMENT, SUMMARY, read_table
from vicious.system.errors import DataError, MixedResultsError


def test_has_means_over_seeds_of_every_estimator_and_attack(study: Any) -> None:
    case = study(models=(HONEST, VICIOUS, STRONGER, AUTOENCODER), failed=[("mnist", VICIOUS, 2)])
    table, _ = case.numbers()
    assert len(table) == 2 * len(NAMES) * 4
    rows = pd.read_csv(case.estimators)
    for row in table.sample(20, random_state=0).itertuples():
        same = rows.loc[
            (rows["task"] == row.task)
            & (rows["role"] == row.role)
            & (rows["beta_r"] == row.beta_r)
            & (rows["estimator"] == row.estimator)
        ]
        for column in ("risk", "risk_float32", "error_outside"):
            assert getattr(row, f"{column}_mean") == pytest.approx(same[column].mean())
            assert getattr(row, f"{column}_sd") == pytest.approx(same[column].std(), rel=1e-6, abs=1e-12)
            assert getattr(row, f"{column}_n") == len(same)
        assert row.seeds == 3
        assert row.rank == same["rank"].iloc[0]
    agreed = pd.read_csv(case.agreement).set_index(["task", "estimator", "reference"])
    last = table.iloc[-1]
    key = last["task"], last["estimator"]
    assert last["agree_psnr"] == pytest.approx(agreed.loc[(*key, "psnr"), "agree"])
    assert last["spearman_ssim"] == pytest.approx(agreed.loc[(*key, "ssim"), "spearman"])
    autoencoders = table.loc[table["role"] == "autoencoder"]
    assert autoencoders["risk_class_mean_mean"].isna().all(), "they were never asked for a class"


def test_marks_where_the_risk_calls_the_vicious_model_the_safer_one(study: Any) -> None:
    case = study(tasks=("mnist",))
    table, summary = case.numbers()
    risks = pd.read_csv(case.estimators).pivot_table(index=["estimator", "seed"], columns="role", values="risk")
    order = table.loc[table["role"] == "vicious"].set_index("estimator")["order"]
    psnr = summary.pivot_table(index="seed", columns="role", values="psnr")
    assert (psnr["vicious"] > psnr["honest"]).all()
    for estimator, rows in risks.groupby("estimator"):
        higher = set(rows["vicious"] > rows["honest"])
        expected = {True: estimators_table.AS_REFERENCE, False: estimators_table.REVERSED}[higher.pop()]
        assert order[estimator] == (estimators_table.UNCLEAR if higher else expected)
    assert order["truncated 2.2e-16"] == estimators_table.REVERSED
    assert order["share 0.95"] == estimators_table.AS_REFERENCE
    assert table.loc[table["role"] == "honest", "order"].isna().all()
    printed = estimators_table.lines(table)
    assert [line["estimator"] for line in printed][:2] == ["cut-off 2.2e-16 d", "cut-off 1.2e-07 d"]
    assert printed[0]["order"] == estimators_table.REVERSED
    count = sum(line["order"] == estimators_table.REVERSED for line in printed)
    assert f" {count} of the {len(estimators_table.PRINTED)} lines that compare two are reversed" in str(
        estimators_table.text(table, summary)
    )


@pytest.mark.parametrize(("seed", "column"), [(0, "risk"), (1, "psnr")])
def test_calls_an_order_unclear_that_not_every_seed_shows(study: Any, seed: int, column: str) -> None:
    case = study(tasks=("mnist",), models=(HONEST, VICIOUS))
    summary, agreed = read_table(SUMMARY, case.summary), read_table(AGREEMENT, case.agreement)
    rows = read_estimators(case.estimators)
    assert _orders(rows, agreed, summary)["share 0.95"] == estimators_table.AS_REFERENCE
    frame = rows if column == "risk" else summary
    other = (frame["role"] == "vicious") & (frame["seed"] == seed)
    frame.loc[other, column] = (
        frame.loc[(frame["role"] == "honest") & (frame["seed"] == seed), column].to_numpy() - 1e-3
    )
    assert _orders(rows, agreed, summary)["share 0.95"] == estimators_table.UNCLEAR
    table = estimators_table.numbers(rows, agreed, summary)
    count = sum(line["order"] == estimators_table.UNCLEAR for line in estimators_table.lines(table))
    assert f"are reversed, {count} unclear." in str(estimators_table.text(table, summary))
    alone = [frame.loc[frame["seed"] == seed] for frame in (rows, summary)]
    assert _orders(alone[0], agreed, alone[1])["share 0.95"] == estimators_table.REVERSED, "a single seed decides alone"


def _orders(rows: Any, agreed: Any, summary: Any) -> pd.Series:
    table = estimators_table.numbers(rows, agreed, summary)
    return table.loc[table["role"] == "vicious"].set_index("estimator")["order"]


def test_prints_each_value_in_its_column(study: Any, tmp_path: Path) -> None:
    case = study(tasks=("mnist",), models=(HONEST, VICIOUS), failed=[("mnist", HONEST, 2)], own=True)
    rows, agreed = pd.read_csv(case.estimators), pd.read_csv(case.agreement)
    shown = rows["estimator"] == "share 0.95"
    rows.loc[shown, ["rank", "share"]] = [79, 0.9512]
    rows.loc[shown & (rows["role"] == "honest"), list(estimators.MEASURED)] = [1.1, 1.2, 1.3, 0.4]
    rows.loc[shown & (rows["role"] == "vicious"), list(estimators.MEASURED)] = [1.5, 1.6, 1.7, 0.8]
    here = agreed["estimator"] == "share 0.95"
    agreed.loc[here & (agreed["reference"] == "psnr"), ["agree", "spearman"]] = [0.61, 0.72]
    agreed.loc[here & (agreed["reference"] == "ssim"), ["agree", "spearman"]] = [0.83, 0.94]
    rows.to_csv(case.estimators, index=False)
    agreed.to_csv(case.agreement, index=False)
    estimators_table.write(case.estimators, case.agreement, case.summary, place(estimators_table, tmp_path))
    text = (tmp_path / "estimators_table.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if "share 0.95 (R95)" in line]
    failed = "(1/3 failed)"
    honest, vicious = f"1.100 ± 0.000 {failed}", "1.500 ± 0.000"
    of_honest = (f"1.200 {failed}", f"1.300 {failed}", f"0.400 {failed}")
    expected = ("share 0.95 (R95)", "79", "0.9512", honest, vicious, "as PSNR", *of_honest, "0.61", "0.83", "0.72")
    assert line[2:-2].split(" | ")[1:] == list(expected)


def test_compares_the_seeds_that_both_have(study: Any) -> None:
    # The two seeds that are left of either side are not the same: only the third compares.
    table, _ = study(tasks=("mnist",), failed=[("mnist", HONEST, 0), ("mnist", VICIOUS, 1)]).numbers()
    assert set(table.loc[table["role"] == "vicious", "order"]) == {
        estimators_table.AS_REFERENCE,
        estimators_table.REVERSED,
    }
    table, _ = study(tasks=("mnist",), seeds=2, failed=[("mnist", HONEST, 0), ("mnist", VICIOUS, 1)]).numbers()
    assert table.loc[table["role"] == "vicious", "order"].isna().all()


def test_prints_the_smallest_beta_r_of_the_first_outputs(study: Any) -> None:
    softmax = [("honest", "posthoc", "softmax", 0.0), ("vicious", "joint", "softmax", 1.0)]
    case = study(tasks=("mnist",), models=(HONEST, STRONGER, VICIOUS, *softmax))
    table, summary = case.numbers()
    line: dict[str, Any] = dict(estimators_table.lines(table)[0])
    row = table.query("estimator == 'truncated 2.2e-16' and role == 'vicious' and outputs == 'logits' and beta_r == 1")
    assert line["vicious"].mean == row["risk_mean"].item()
    assert len(estimators_table.lines(table)) == len(estimators_table.PRINTED)
    assert "Printed for logits" in str(estimators_table.text(table, summary))


def test_damaged_inputs_are_told(study: Any) -> None:
    case = study(tasks=("mnist",), own=True)
    rows, agreed = pd.read_csv(case.estimators), pd.read_csv(case.agreement)
    for frame, read, path in (
        (rows, read_estimators, case.estimators),
        (agreed, partial(read_table, AGREEMENT), case.agreement),
    ):
        frame.drop(columns="kind").to_csv(path, index=False)
        with pytest.raises(DataError, match="kind is missing"):
            read(path)
        frame.assign(kind="magic").to_csv(path, index=False)
        with pytest.raises(DataError, match="magic"):
            read(path)
        pd.concat([frame, frame.iloc[:1]]).to_csv(path, index=False)
        with pytest.raises(MixedResultsError, match="several results"):
            read(path)
        path.write_text("")
        with pytest.raises(DataError, match=path.name.replace(".", r"\.")):
            read(path)
    rows.assign(rank=range(len(rows))).to_csv(case.estimators, index=False)
    with pytest.raises(MixedResultsError, match="rank"):
        read_estimators(case.estimators)
    agreed.assign(agree=1.5).to_csv(case.agreement, index=False)
    with pytest.raises(DataError, match="from 0 to 1"):
        read_table(AGREEMENT, case.agreement)
    summary = read_table(SUMMARY, case.summary)
    with pytest.raises(DataError, match=r"share 0\.5, psnr"):
        estimators_table.numbers(rows, agreed.iloc[1:], summary)
    with pytest.raises(MixedResultsError, match="not of the same results"):
        risk_profile.draw(rows.loc[rows["seed"] > 0], summary)
