"""Table 10: which shares are printed where."""

import pandas as pd
import pytest

from vicious.report import table10
from vicious.system.errors import MixedResultsError

GROUPS = {"honest, held out": 0.04, "honest, plain": 0.1, "honest, wider": 0.3, "vicious": 0.95}


def called(datasets=("mnist", "celeba"), numbers=(50, 200)):
    return pd.DataFrame(
        [
            {"dataset": dataset, "detector": detector, "n_user": n, "reference": reference, "group": group}
            | {"models": 3, "references": 5, "share": share if dataset == reference else share / 2, "outside": share}
            | {"verdicts": 15, "failed": 0}
            for dataset in datasets
            for detector in ("linear_decodability", "entropy")
            for n in numbers
            for reference in datasets
            for group, share in GROUPS.items()
        ]
    )


@pytest.fixture
def inputs(made_up, tmp_path):
    def write(frame, **options):
        made_up.summary(("mnist", "celeba"), **options).to_csv(tmp_path / "main.csv", index=False)
        frame.to_csv(tmp_path / "called.csv", index=False)
        return tmp_path / "main.csv", tmp_path / "called.csv"

    return write


def test_printed_shares(inputs, tmp_path):
    csv, text, _ = table10.write(*inputs(called(), synthetic=("mnist",)), tmp_path / "out")
    words = text.read_text(encoding="utf-8")
    assert "| MNIST (synthetic stand-in) | linear decodability | 50 | 4.0 | 20.0 | 95.0 | 2.0 | 47.5 | 5 |" in words
    assert "|  | linear decodability | 200 | 4.0 | 20.0 | 95.0 | 2.0 | 47.5 | 5 |" in words
    assert "Other recipes: plain, wider" in words
    assert len(pd.read_csv(csv)) == 64


def test_without_recipes_or_other_datasets_there_is_a_dash(inputs, tmp_path):
    frame = called(("mnist",))
    frame = frame.loc[~frame["group"].isin(("honest, plain", "honest, wider", "honest, held out"))]
    _, text, _ = table10.write(*inputs(frame), tmp_path / "out")
    words = text.read_text(encoding="utf-8")
    assert "| MNIST | linear decodability | 50 | – | – | 95.0 | – | – | 5 |" in words
    assert "Other recipes:" not in words


def test_no_threshold_at_all_leaves_the_table_empty(inputs, tmp_path):
    csv, text, _ = table10.write(*inputs(called().iloc[:0]), tmp_path / "out")
    assert pd.read_csv(csv).empty
    assert "Table 10" in text.read_text(encoding="utf-8")


def test_results_of_other_studies_are_refused(inputs, tmp_path):
    with pytest.raises(MixedResultsError, match="the summary has no cifar10"):
        table10.write(*inputs(called(("mnist", "cifar10"))), tmp_path / "out")
    with pytest.raises(MixedResultsError, match="several results"):
        table10.write(*inputs(pd.concat([called(), called().head(1)])), tmp_path / "out")
