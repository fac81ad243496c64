"""Classes at most and least risk."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from legible import printed_cells
from placed import place

from vicious.report.headline import headline
from vicious.report.tables import class_risk_table
from vicious.results.schema import MEASURES, PER_CLASS
from vicious.system.errors import DataError, MixedResultsError


def _classes(
    tasks: Any = ("mnist",),
    k: int = 10,
    seeds: int = 3,
    betas: Any = (3.0, 1.0),
    failed: Any = (),
    n: int = 200,
    synthetic: Any = (),
    names: Any = (),
) -> pd.DataFrame:
    """Rows of per_class.csv; ``failed`` holds (task, role, seeds that failed)."""
    generator = np.random.default_rng(11)
    rows = []
    for task in tasks:
        models = [("honest", "posthoc", 0.0), *(("vicious", "joint", beta) for beta in betas)]
        for role, attack, beta in models:
            bad = next((count for where, who, count in failed if (where, who) == (task, role)), 0)
            told = {
                **{"dataset": task, "task": task, "role": role, "attack": attack, "outputs": "logits", "beta_r": beta},
                **{"seeds": seeds - bad, "failed": bad, "source": "synthetic" if task in synthetic else "official"},
                "reason": "; ".join(f"seed {seed}: the loss is nan" for seed in range(bad)),
            }
            if bad == seeds:
                rows.append(told | {"n": 0, "label_name": ""})
                continue
            for label in range(k):
                values = {name: generator.normal(0.5 + beta / 20, 0.05) for name in MEASURES}
                spread = {f"{name}_sd": generator.uniform(0.01, 0.02) for name in MEASURES if seeds > 1}
                name = names[label] if names else str(label)
                rows.append(told | {"label": label, "label_name": name, "n": n} | values | spread)
    return pd.DataFrame(rows, columns=list(PER_CLASS.columns)).astype({"label": "Int64"})


def _written(frame: Any, tmp_path: Path) -> tuple[Any, ...]:
    frame.to_csv(tmp_path / "per_class.csv", index=False)
    paths = class_risk_table.write(tmp_path / "per_class.csv", place(class_risk_table, tmp_path / "out"))
    return tuple(path.read_text(encoding="utf-8") for path in paths)


def test_ranks_by_r95_under_the_smallest_beta_r(tmp_path: Path) -> None:
    frame = _classes()
    text, markdown, _ = _written(frame, tmp_path)
    vicious = frame.loc[(frame["role"] == "vicious") & (frame["beta_r"] == 1.0)].set_index("label")
    honest = frame.loc[frame["role"] == "honest"].set_index("label")
    expected = list(vicious.index[np.argsort(-vicious["risk95"].to_numpy())])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [int(row["label"]) for row in rows] == expected
    assert [int(row["rank"]) for row in rows] == list(range(1, 11))
    for row in rows:
        label = int(row["label"])
        assert float(row["vicious_accuracy_mean"]) == pytest.approx(100 * vicious["accuracy"][label])
        assert float(row["vicious_accuracy_sd"]) == pytest.approx(100 * vicious["accuracy_sd"][label])
        assert float(row["vicious_risk95_mean"]) == pytest.approx(vicious["risk95"][label])
        assert float(row["honest_psnr_mean"]) == pytest.approx(honest["psnr"][label])
        assert float(row["honest_risk95_sd"]) == pytest.approx(honest["risk95_sd"][label])
    printed = printed_cells(markdown)
    assert [int(line[2]) for line in printed] == [*expected[:3], *expected[-3:]]
    assert [line[1] for line in printed][::5] == ["1 of 10", "10 of 10"]
    assert "β_R = 1." in markdown


@pytest.mark.parametrize(("k", "lines"), [(1, 1), (5, 5), (6, 6), (7, 6), (200, 6)])
def test_prints_at_most_three_classes_at_each_end(tmp_path: Path, k: int, lines: int) -> None:
    text, markdown, _ = _written(_classes(k=k), tmp_path)
    assert len(printed_cells(markdown)) == lines
    assert len(text.splitlines()) == k + 1


def test_ranks_by_the_post_hoc_attack_where_vicious_models_failed(tmp_path: Path) -> None:
    frame = _classes(("mnist", "cifar10"), failed=(("mnist", "vicious", 3),))
    text, markdown, latex = _written(frame, tmp_path)
    honest = frame.loc[(frame["role"] == "honest") & (frame["task"] == "mnist")].sort_values("risk95", ascending=False)
    shown = pd.concat([honest.iloc[:3], honest.iloc[-3:]])
    printed = printed_cells(markdown)[:6]
    assert [line[1] for line in printed][::5] == ["1 of 10", "10 of 10"]
    assert [line[2] for line in printed] == [str(label) for label in shown["label"]]
    assert [line[13] for line in printed] == [f"{value:.3f}" for value in shown["risk"]]
    assert {tuple(line[4:9]) for line in printed} == {(*["–"] * 4, "failed (3 of 3 seeds)")}
    assert "MNIST, whose vicious models have no result: by the R95 of the post-hoc attack." in markdown
    assert "MNIST, vicious (logits, β_R = 1), seed 2: the loss is nan" in markdown
    assert "seed 2: the loss is nan" in latex
    assert "nan" not in " ".join(" ".join(line) for line in printed_cells(markdown))
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["task"] == "mnist"]
    assert len(rows) == 10
    assert [row["label"] for row in rows] == [str(label) for label in honest["label"]]
    assert {row["ranked_by"] for row in rows} == {"honest"}


def test_ranks_only_classes_with_test_images(tmp_path: Path) -> None:
    frame = _classes(("mnist", "cifar10"), k=4)
    frame.loc[(frame["task"] == "mnist") & (frame["label"] == 3), ["n", *MEASURES]] = [0, *[np.nan] * len(MEASURES)]
    text, markdown, _ = _written(frame, tmp_path)
    printed = printed_cells(markdown)
    assert [line[1] for line in printed[:3]] == ["1 of 3", "2 of 3", "3 of 3"]
    assert printed[3][1] == "1 of 4"
    assert "without a rank: classes of MNIST, 1." in markdown
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["task"] == "mnist"]
    assert [row["rank"] for row in rows] == ["1", "2", "3", ""]
    assert "without a rank" not in _written(_classes(), tmp_path)[1]


def test_the_smallest_beta_r_stands_for_a_task_even_where_it_failed(tmp_path: Path) -> None:
    larger = _classes(betas=(3.0,))
    frame = pd.concat(
        [_classes(betas=(1.0,), failed=(("mnist", "vicious", 3),)), larger.loc[larger["role"] == "vicious"]]
    )
    chosen = headline(frame)
    assert set(chosen.loc[chosen["role"] == "vicious", "beta_r"]) == {1.0}
    text, markdown, _ = _written(frame, tmp_path)
    assert {row["beta_r"] for row in csv.DictReader(io.StringIO(text))} == {"1"}
    assert markdown.count("failed (3 of 3 seeds)") == 6
    assert "smallest β_R; one that failed is shown as failed" in markdown


@pytest.mark.parametrize(("bad", "told"), [(3, "failed (3 of 3 seeds)"), (1, "(1/3 failed)")])
def test_tells_failed_honest_models(tmp_path: Path, bad: int, told: str) -> None:
    _, markdown, _ = _written(_classes(failed=(("mnist", "honest", bad),)), tmp_path)
    assert markdown.count(told) == 6
    assert "MNIST, honest (logits), seed 0: the loss is nan" in markdown


def test_of_nothing_but_failures_is_drawn(tmp_path: Path) -> None:
    failed = (("mnist", "honest", 3), ("mnist", "vicious", 3))
    text, markdown, _ = _written(_classes(failed=failed), tmp_path)
    assert markdown.count("failed (3 of 3 seeds)") == 2
    assert len(text.splitlines()) == 2


def test_says_what_was_not_run(tmp_path: Path) -> None:
    frame = _classes()
    _, markdown, _ = _written(frame.loc[frame["role"] == "honest"], tmp_path)
    assert {line[8] for line in printed_cells(markdown)} == {"not run"}


def test_of_a_single_seed_has_no_spread_and_says_so(tmp_path: Path) -> None:
    text, markdown, _ = _written(_classes(seeds=1), tmp_path)
    assert not any("±" in cell for line in printed_cells(markdown) for cell in line)
    assert "Seeds per model: 1." in markdown
    assert next(csv.DictReader(io.StringIO(text)))["vicious_risk95_sd"] == ""


def test_warns_of_few_images(tmp_path: Path) -> None:
    frame = pd.concat([_classes(n=class_risk_table.FEW), _classes(("cifar100",), n=class_risk_table.FEW - 1)])
    _, markdown, _ = _written(frame, tmp_path)
    assert "Few test images in the smallest class: CIFAR-100 (99);" in markdown
    assert "Few test images" not in _written(_classes(n=class_risk_table.FEW), tmp_path)[1]
    assert "Test images: 1,000 (MNIST); 990 (CIFAR-100)" in markdown


def test_tells_stand_ins_and_shortens_names(tmp_path: Path) -> None:
    names = ("Egyptian cat, tabby", "American lobster and more, x", *"abcdefgh")
    _, markdown, latex = _written(_classes(synthetic=("mnist",), names=names, k=5), tmp_path)
    assert "| MNIST (synthetic stand-in) |" in markdown
    assert r"MNIST$^{\dagger}$" in latex
    assert "Data: synthetic stand-in." in markdown
    printed = {line[2] for line in printed_cells(markdown)}
    assert {"Egyptian cat", "American lobster..."} <= printed


def test_prefers_logits(tmp_path: Path) -> None:
    frame = pd.concat([_classes().assign(outputs="softmax", risk95=9.0), _classes()])
    assert "Outputs: logits." in _written(frame, tmp_path)[1]
    assert "Outputs: softmax." in _written(_classes().assign(outputs="softmax"), tmp_path)[1]


def test_a_class_called_na_stays_text(tmp_path: Path) -> None:
    _, markdown, _ = _written(_classes(k=2, names=("NA", "nan")), tmp_path)
    assert {line[2] for line in printed_cells(markdown)} == {"NA", "nan"}


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot read"), ("", "cannot read"), ("task,label\nmnist,0\n", "beta_r"), ("header", "no rows")],
)
def test_an_unusable_table_of_classes_is_a_data_error(tmp_path: Path, content: Any, told: str) -> None:
    path = tmp_path / "per_class.csv"
    if content == "header":
        content = ",".join(PER_CLASS.columns) + "\n"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=rf"per_class\.csv.*{told}|{told}.*per_class\.csv"):
        class_risk_table.write(path, place(class_risk_table, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_number_that_is_none_is_a_data_error(tmp_path: Path) -> None:
    frame = _classes().astype({"risk95": object})
    frame.loc[0, "risk95"] = "high"
    with pytest.raises(DataError, match="high"):
        _written(frame, tmp_path)


def test_repeated_classes_and_mixed_sources_are_refused(tmp_path: Path) -> None:
    frame = _classes()
    with pytest.raises(MixedResultsError, match="several results for dataset mnist, task mnist"):
        _written(pd.concat([frame, frame.iloc[:1]]), tmp_path)
    frame.loc[0, "source"] = "synthetic"
    with pytest.raises(MixedResultsError, match="task mnist mixes results with source"):
        _written(frame, tmp_path)


def test_tables_have_the_same_bytes_twice_and_latex_that_is_ascii(tmp_path: Path) -> None:
    for make, frame in ((_written, _classes(("mnist", "cifar100"), k=12)),):
        one, two = make(frame, tmp_path), make(frame, tmp_path)
        assert one == two
        assert one[2].isascii()
        body = one[2].split(r"\midrule")[1].split(r"\bottomrule")[0]
        (columns,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", one[2])
        lines = [line for line in body.splitlines() if "&" in line]
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(columns) - 1}
