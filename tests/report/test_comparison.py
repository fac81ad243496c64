"""The tables of experiments show means, spread, gains, failures and stand-ins in every format."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from placed import place

from vicious.report import comparison, render
from vicious.report.tables import (
    attribute_sets_table,
    class_counts_table,
    main_table,
    merged_classes_table,
    tradeoff_table,
)
from vicious.report.text import Text
from vicious.results.flat import flatten
from vicious.results.schema import MEASURES, SUMMARY
from vicious.results.summaries import check_complete
from vicious.system.errors import DataError, IncompleteStudyError, MixedResultsError

TABLES = (main_table, tradeoff_table, attribute_sets_table, class_counts_table, merged_classes_table)
MAIN = main_table.SUBJECT
SETS = ("celeba-k5", "celeba")
MERGED = ("mnist-merged2", "mnist-merged5", "mnist")
COUNTS = ("cifar100-classes10", "cifar100", "tiny_imagenet-classes20", "tiny_imagenet")


@pytest.fixture
def texts(made_up: ModuleType) -> Callable[..., tuple[str, str, str]]:
    """CSV, Markdown and LaTeX of a table of a summary, its comparisons made up to fit."""

    def write(frame: Any, module: Any = main_table) -> tuple[str, str, str]:
        table = comparison.build(module.SUBJECT, frame, made_up.comparisons(frame))
        return render.render(place(module, Path("unused")), table)

    return write


def _table(made_up: ModuleType, frame: Any) -> pd.DataFrame:
    return comparison.comparison(frame, made_up.comparisons(frame))


def _row(table: Any, **key: Any) -> Any:
    (row,) = [row for row in table.to_dict("records") if all(row[name] == value for name, value in key.items())]
    return row


def _lines(markdown: Any) -> list[Any]:
    return [[part.strip() for part in line[2:-2].split(" | ")] for line in markdown.splitlines() if line[:1] == "|"]


def test_numbers_agree_with_numpy(made_up: ModuleType) -> None:
    frame = made_up.summary(("cifar10",), betas=(1.0, 3.0))
    table = _table(made_up, frame)
    row = _row(table, role="vicious", attack="joint", beta_r=3.0)
    honest, vicious = (frame.loc[frame["beta_r"] == beta].set_index("seed") for beta in (0.0, 3.0))
    assert row["risk95_mean"] == pytest.approx(np.mean(vicious["risk95"]))
    assert row["risk95_sd"] == pytest.approx(np.std(vicious["risk95"], ddof=1))
    assert row["accuracy_mean"] == pytest.approx(100 * np.mean(vicious["accuracy"]))
    assert (row["psnr_n"], row["seeds"], row["n_images"], row["k"]) == (3, 3, 10_000, 10)
    gain = np.mean(vicious["psnr"] - honest["psnr"])
    assert row["psnr_difference"] == pytest.approx(gain)
    assert (row["psnr_low"], row["psnr_high"]) == (pytest.approx(gain - 0.1), pytest.approx(gain + 0.1))
    # Points of a percentage, as the accuracies are; a p is none.
    assert row["accuracy_difference"] == pytest.approx(100 * np.mean(vicious["accuracy"] - honest["accuracy"]))
    assert row["psnr_p"] == 0.002
    assert row["top1_mean"] == pytest.approx(100 * np.mean(vicious["top1"]))
    assert row["top1_difference"] == pytest.approx(100 * np.mean(vicious["top1"] - honest["top1"]))


def test_identified_images_stand_beside_what_a_guess_identifies(made_up: ModuleType, texts: Any) -> None:
    _, markdown, latex = texts(made_up.summary(("mnist", "celeba")))
    assert "| Identified (%) |" in markdown
    assert "Accuracy and identified in %" in markdown
    assert "A guess: 0.01% (MNIST); 0.005% (CelebA)." in markdown
    assert r"A guess: 0.01\% (MNIST); 0.005\% (CelebA)." in latex


def test_every_line_has_a_row_in_order(made_up: ModuleType) -> None:
    frame = made_up.summary(("cifar10", "mnist"), betas=(3.0, 1.0), autoencoder=("logits",))
    table = _table(made_up, frame)
    models = [
        ("honest", "posthoc", 0),
        ("honest", "class_mean", 0),
        ("vicious", "joint", 1),
        ("vicious", "class_mean", 1),
        ("vicious", "joint", 3),
        ("vicious", "class_mean", 3),
        ("autoencoder", "joint", 1),
    ]
    found = [(r["task"], r["role"], r["attack"], r["beta_r"]) for r in table.iloc[:-1].to_dict("records")]
    assert found == [(task, *model) for task in ("mnist", "cifar10") for model in models]
    assert len(comparison.lines(MAIN, table)) == len(table)


def test_baselines_are_those_of_the_summary(made_up: ModuleType) -> None:
    frame = made_up.summary(("mnist",), betas=(1.0, 3.0))
    table = _table(made_up, frame)
    for beta in (0.0, 1.0, 3.0):
        alone = _row(table, attack=comparison.CLASS_MEAN, beta_r=beta)
        for measure in ("psnr", "risk", "risk95", "top1"):
            of_labels = frame.loc[frame["beta_r"] == beta, f"{measure}_class_mean"]
            scale = 100 if measure == "top1" else 1
            assert alone[f"{measure}_mean"] == pytest.approx(scale * of_labels.mean())
        assert np.isnan(alone["accuracy_mean"])
        assert np.isnan(alone["psnr_difference"])
    labels = [line["label"] for line in comparison.lines(MAIN, table)]
    assert labels[1::2] == ["predicted class mean"] * 3, "below each model"
    assert {line["gain"] for line in comparison.lines(MAIN, table)[1::2]} == {None}
    last = table.iloc[-1]
    assert (last["attack"], last["risk_mean"], last["risk95_mean"]) == (comparison.MEAN_IMAGE, 1.0, 1.0)


def test_an_autoencoder_has_no_accuracy_and_is_no_failure(made_up: ModuleType, texts: Any) -> None:
    frame = made_up.summary(("mnist",), autoencoder=("logits",))
    text, markdown, latex = texts(frame)
    (line,) = [line for line in _lines(markdown) if "autoencoder" in line[1]]
    assert line[2] == "–"
    assert line[-1] == "3"
    assert "ailed" not in markdown.split("\n\n")[1]
    assert "autoencoder, joint & -- & $" in latex
    assert "Autoencoder: target and attack model" in markdown
    (row,) = [row for row in csv.DictReader(io.StringIO(text)) if row["role"] == "autoencoder"]
    assert (row["accuracy_mean"], row["accuracy_n"], row["accuracy_difference"]) == ("", "", "")
    assert float(row["psnr_difference"]) > 2
    assert "Autoencoder" not in texts(made_up.summary(("mnist",)))[1]


def test_a_failed_seed_is_marked_and_left_out_of_the_mean(made_up: ModuleType, texts: Any) -> None:
    frame = made_up.summary(("mnist",), failed=(("mnist", "vicious", 1),))
    good = frame.loc[(frame["role"] == "vicious") & (frame["status"] == "ok"), "psnr"]
    row = _row(_table(made_up, frame), role="vicious", attack="joint")
    assert row["psnr_mean"] == pytest.approx(good.mean())
    assert (row["psnr_n"], row["seeds"]) == (2, 3)
    text, markdown, latex = texts(frame)
    assert markdown.count("(1/3 failed)") == 6 + 1 + 4, "measures, the gain, and the baseline"
    assert latex.count("1/3 failed") == 6 + 1 + 4
    assert "2 of 3" in markdown
    assert "2 of 3" in latex
    assert "seed 1: loss is not finite" in text
    assert "- MNIST, vicious (logits, β_R = 3), seed 1: loss is not finite, step 12 & 50% of grad\\_norm" in markdown
    assert r"Without a result: MNIST, vicious (logits, $\beta_R$ = 3), seed 1: loss is not finite" in latex


@pytest.mark.parametrize("role", ["honest", "vicious", "autoencoder"])
def test_a_model_that_failed_throughout_keeps_its_line(made_up: ModuleType, texts: Any, role: str) -> None:
    failed = tuple(("mnist", role, seed) for seed in range(3))
    text, markdown, latex = texts(made_up.summary(("mnist", "cifar10"), failed=failed, autoencoder=("logits",)))
    assert "failed (3 of 3 seeds)" in markdown
    assert r"\shortstack{failed\\(3 of 3 seeds)}" in latex
    rows = [row for row in csv.DictReader(io.StringIO(text)) if (row["task"], row["role"]) == ("mnist", role)]
    assert {(row["psnr_mean"], row["seeds"]) for row in rows} == {("", "3")}
    gains = [line[8] for line in _lines(markdown)[2:7]]
    assert [gain == "failed" for gain in gains] == [False, False, role != "autoencoder", False, role != "vicious"]
    assert "nan" not in (markdown + latex).lower()


@pytest.mark.parametrize("role", ["honest", "vicious"])
def test_a_gain_tells_the_seeds_behind_it(made_up: ModuleType, texts: Any, role: str) -> None:
    frame = made_up.summary(("mnist", "cifar10"), failed=(("mnist", role, 1),))
    row = _row(_table(made_up, frame), role="vicious", task="mnist", attack="joint")
    assert (row["psnr_difference_n"], row["risk95_difference_n"], row["seeds"]) == (2, 2, 3)
    _, markdown, _ = texts(frame)
    gains = [line[8] for line in _lines(markdown) if line[1].startswith("vicious")]
    assert [gain.endswith("(1/3 failed)") for gain in gains] == [True, False]


def test_a_gain_over_failed_honest_models_is_failed(made_up: ModuleType, texts: Any) -> None:
    failed = tuple(("mnist", "honest", seed) for seed in range(3))
    _, markdown, latex = texts(made_up.summary(("mnist",), failed=failed))
    (line,) = [line for line in _lines(markdown) if line[1].startswith("vicious")]
    assert line[8] == "failed"
    assert line[-1] == "3"
    assert "& failed &" in latex


def test_a_measure_that_is_missing_counts_as_failed(made_up: ModuleType, texts: Any) -> None:
    frame = made_up.summary(("mnist",))
    frame.loc[frame.index[-1], "risk"] = np.nan
    _, markdown, _ = texts(frame)
    assert markdown.count("(1/3 failed)") == 1


@pytest.mark.parametrize("role", ["honest", "vicious", "autoencoder"])
@pytest.mark.parametrize("column", [*MEASURES, "psnr_class_mean", "risk_class_mean", "calibration_error", "status"])
def test_a_study_is_complete_just_where_its_table_and_metrics_show_no_failure(
    made_up: ModuleType, texts: Any, tmp_path: Path, role: str, column: str
) -> None:
    frame = made_up.summary(("cifar10",), seeds=1, autoencoder=("logits",))
    frame.loc[frame["role"] == role, column] = "failed" if column == "status" else np.nan
    file = tmp_path / "main.csv"
    SUMMARY.write(frame, file)
    told = ""
    try:
        check_complete(file)
    except IncompleteStudyError as error:
        told = str(error)
    expected = role != "autoencoder" or column in ("status", "psnr", "ssim", "risk", "risk95", "top1")
    assert ("1 of 3 cells of main failed" in told) == expected
    assert (f"cifar10, {role}" in told) == expected
    assert ("Without a result" in texts(frame)[1]) == expected
    assert any(key.endswith("/failed") for key in flatten(frame)) == expected
    if column in MEASURES:
        assert ("failed (1 of 1 seeds)" in texts(frame)[1]) == expected
        assert (f"{column} missing" in told) == expected


@pytest.mark.parametrize("role", ["honest", "vicious"])
def test_what_was_not_run_says_so(made_up: ModuleType, role: str) -> None:
    frame = made_up.summary(("mnist",))
    compared = made_up.comparisons(frame)
    table = comparison.comparison(frame.loc[frame["role"] == role], compared)
    assert len(table) == 5
    lines = comparison.lines(MAIN, table)
    columns = comparison.columns(MAIN, table)
    _, markdown, latex = render.render(place(main_table, Path("unused")), render.Table(table, columns, lines, Text("")))
    assert "not run" in markdown
    assert [line["gain"] for line in lines] == [None] * 5
    assert "not run" in latex
    assert "nan" not in markdown


def test_a_single_seed_shows_no_spread(made_up: ModuleType, texts: Any) -> None:
    frame = made_up.summary(("mnist",), seeds=1)
    text, markdown, latex = texts(frame)
    body = markdown.split("\n\n")[1]
    assert "±" not in body
    assert body.count("(1 seed)") == 4
    assert not re.search(r"\d \\pm", latex)
    assert "(1 seed)" in latex
    assert {row["psnr_sd"] for row in csv.DictReader(io.StringIO(text))} == {""}
    assert "With one seed they cover images only" in markdown
    assert "With one seed" not in texts(made_up.summary(("mnist",)))[1]


def test_one_seed_left_of_several_says_so_in_the_cell(made_up: ModuleType, texts: Any) -> None:
    _, markdown, latex = texts(made_up.summary(("mnist",), failed=(("mnist", "vicious", 0), ("mnist", "vicious", 1))))
    assert "(1 seed; 2/3 failed)" in markdown
    assert r"\\(1 seed; 2/3 failed)}" in latex


def test_gains_carry_interval_and_mark(made_up: ModuleType, texts: Any) -> None:
    frame = made_up.summary(("mnist",), betas=(1.0, 3.0), seeds=5)
    compared = made_up.comparisons(frame)
    psnr = compared["measure"] == "psnr"
    compared.loc[psnr & (compared["beta_r"] == 1.0), "p"] = 0.05
    compared.loc[psnr & (compared["beta_r"] == 3.0), "p"] = 0.024
    table = comparison.comparison(frame, compared)
    gains: list[Any] = [line["gain"] for line in comparison.lines(MAIN, table) if line["gain"] is not None]
    first, second = gains
    assert (first.p, second.p) == (0.05, 0.048), "by Holm"
    whole = comparison.build(MAIN, frame, compared)
    _, markdown, latex = render.render(place(main_table, Path("unused")), whole)
    for gain, star in ((first, ""), (second, r" \*")):
        assert f"| {gain.value:+.2f} [{gain.low:.2f}, {gain.high:.2f}]{star} |" in markdown
    assert f"${second.value:+.2f}$ $[{second.low:.2f}, {second.high:.2f}]$$^*$" in latex
    assert f"[{first.low:.2f}, {first.high:.2f}]$ &" in latex


def test_stand_ins_are_marked_in_every_format(made_up: ModuleType, texts: Any) -> None:
    text, markdown, latex = texts(made_up.summary(("mnist", "cifar10"), synthetic=("cifar10",)))
    assert "| CIFAR-10 (synthetic stand-in) |" in markdown
    assert "| MNIST |" in markdown
    assert r"CIFAR-10$^{\dagger}$ &" in latex
    assert r"$^{\dagger}$~Synthetic stand-in." in latex
    assert "synthetic stand-in (CIFAR-10)" in markdown
    assert "cifar10,cifar10,CIFAR-10,10,synthetic" in text


def test_official_data_carry_no_mark(made_up: ModuleType, texts: Any) -> None:
    text = "".join(texts(made_up.summary()))
    assert "synthetic" not in text.lower()
    assert "dagger" not in text


def test_several_outputs_have_lines_and_a_column_of_their_own(made_up: ModuleType, texts: Any) -> None:
    frame = made_up.summary(("mnist",), betas=(1.0, 3.0), outputs=("logits", "softmax"), autoencoder=("softmax",))
    _, markdown, _ = texts(frame)
    head, _, *body = _lines(markdown)
    assert head[1] == "Outputs"
    assert [line[1] for line in body] == ["logits", *[""] * 5, "softmax", *[""] * 7]
    assert [line[0] for line in body] == ["MNIST", *[""] * 12, "any"]
    assert markdown.count("| honest, post-hoc |") == 2
    assert markdown.count("vicious, β_R = 1") == 2


@pytest.mark.parametrize(("module", "tasks"), [(attribute_sets_table, SETS), (class_counts_table, COUNTS)])
def test_tables_of_parts_have_a_column_of_k(made_up: ModuleType, texts: Any, module: Any, tasks: Any) -> None:
    _, markdown, latex = texts(made_up.summary(tasks, synthetic=("tiny_imagenet",)), module)
    head, _, *body = _lines(markdown)
    assert head[:2] == ["Dataset", "K"]
    assert [line[1] for line in body if line[1]] == [
        str(k) for k in ((5, 40) if module is attribute_sets_table else (10, 100, 20, 200))
    ]
    assert {line[0] for line in body} <= {"", "any", "CelebA", "CIFAR-100", "Tiny ImageNet (synthetic stand-in)"}
    assert r"Dataset & $K$ &" in latex
    for part in (
        "the same number of training images",
        "not the same images",
        "Covariance and mean image are those of the whole",
    ):
        assert (part in markdown) == (module is class_counts_table)
    assert ("attributes" in markdown) == (module is attribute_sets_table)
    assert "attributes |" not in markdown


def test_groups_of_classes_have_a_column_of_k_and_say_that_images_are_the_same(made_up: ModuleType, texts: Any) -> None:
    _, markdown, _ = texts(made_up.summary(MERGED), merged_classes_table)
    head, _, *body = _lines(markdown)
    assert head[:2] == ["Dataset", "K"]
    assert [line[1] for line in body if line[1]] == ["2", "5", "10"]
    assert "use the same images" in markdown
    assert "intervals do not cover this choice" in markdown


@pytest.mark.parametrize("role", ["honest", "vicious"])
def test_k_is_told_where_a_side_was_not_run(made_up: ModuleType, role: str) -> None:
    frame = made_up.summary(SETS)
    table = comparison.comparison(frame.loc[frame["role"] == role], made_up.comparisons(frame))
    assert list(table["k"].iloc[:-1]) == [5] * 4 + [40] * 4
    assert [line["k"] for line in comparison.lines(attribute_sets_table.SUBJECT, table) if line["k"]] == [5, 40]


@pytest.mark.parametrize("outputs", [("logits",), ("logits", "softmax")])
@pytest.mark.parametrize("module", [main_table, class_counts_table])
def test_all_lines_have_the_columns_of_the_head(made_up: ModuleType, texts: Any, outputs: Any, module: Any) -> None:
    failed = tuple(("mnist", "vicious", seed) for seed in range(3))
    frame = made_up.summary(outputs=outputs, failed=failed, synthetic=("mnist",), autoencoder=("logits",))
    _, markdown, latex = texts(frame, module)
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", latex)
    assert columns
    body = latex.split(r"\midrule")[1].split(r"\bottomrule")[0]
    lines = [line for line in body.splitlines() if "&" in line]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(columns[1]) - 1}
    assert all(line.endswith(r"\\") for line in lines)


def test_latex_is_ascii_and_balanced(made_up: ModuleType, texts: Any) -> None:
    failed = (("mnist", "vicious", 1), ("mnist", "autoencoder", 0))
    frame = made_up.summary(("mnist", "cifar10"), failed=failed, synthetic=("mnist",), autoencoder=("logits",))
    frame["reason"] = frame["reason"].where(frame["reason"] == "", r"50% of a_b & {c} $x$ ~^ \ # é <|>")
    _, _, latex = texts(frame)
    assert latex.isascii()
    plain = re.sub(r"\\[{}$%&#_\\]", "", latex)
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    opened = re.findall(r"\\begin\{([a-z*]+)\}", latex)
    assert sorted(opened) == sorted(re.findall(r"\\end\{([a-z*]+)\}", latex))
    outside = [line for line in latex.splitlines() if not line.startswith("%")]
    assert not any(re.search(r"(?<!\\)%", line) for line in outside)


def test_an_unknown_task_keeps_its_name(made_up: ModuleType, texts: Any) -> None:
    frame = made_up.summary(("mnist",)).assign(dataset="my_set", task="my_set")
    _, markdown, latex = texts(frame)
    assert "| my_set |" in markdown
    assert r"my\_set &" in latex


def test_a_comparison_that_is_missing_is_named(made_up: ModuleType) -> None:
    frame = made_up.summary(("mnist",), betas=(1.0, 3.0))
    compared = made_up.comparisons(frame)
    with pytest.raises(DataError, match=r"no accuracy of MNIST, vicious \(logits, beta_R = 3\)"):
        comparison.comparison(frame, compared.loc[compared["beta_r"] == 1.0])


def test_comparisons_of_other_results_are_refused(made_up: ModuleType) -> None:
    frame = made_up.summary(("mnist",))
    compared = made_up.comparisons(frame)
    compared.loc[compared["measure"] == "psnr", "difference"] += 0.1
    with pytest.raises(MixedResultsError, match="psnr differs by"):
        comparison.comparison(frame, compared)


def test_mixed_sources_are_refused(made_up: ModuleType, tmp_path: Path) -> None:
    frame = made_up.summary()
    made_up.comparisons(frame).to_csv(tmp_path / "compared.csv", index=False)
    frame.loc[0, "source"] = "synthetic"
    frame.to_csv(tmp_path / "main.csv", index=False)
    with pytest.raises(MixedResultsError, match="source"):
        main_table.write(tmp_path / "main.csv", tmp_path / "compared.csv", place(main_table, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_frame_without_a_column_is_a_data_error(made_up: ModuleType) -> None:
    frame = made_up.summary()
    with pytest.raises(DataError, match="psnr"):
        comparison.comparison(frame.drop(columns="psnr"), made_up.comparisons(frame))


@pytest.mark.parametrize(
    ("module", "tasks"), [*zip(TABLES, (("mnist",), ("mnist",), SETS, COUNTS, MERGED), strict=True)]
)
def test_files_have_the_same_bytes_twice(made_up: ModuleType, tmp_path: Path, module: Any, tasks: Any) -> None:
    frame = made_up.summary(tasks, failed=((tasks[0], "honest", 0),), autoencoder=("logits",))
    frame.to_csv(tmp_path / "main.csv", index=False)
    made_up.comparisons(frame).to_csv(tmp_path / "compared.csv", index=False)
    inputs = tmp_path / "main.csv", tmp_path / "compared.csv"
    one, two = (module.write(*inputs, place(module, tmp_path / name)) for name in ("a b", "c"))
    assert [path.name for path in one] == [
        f"{module.__name__.rpartition('.')[2]}.{end}" for end in ("csv", "md", "tex")
    ]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [path.name for path in two]


def test_caption_warns_of_too_few_images_and_explains_attributes(made_up: ModuleType, tmp_path: Path) -> None:
    frame = made_up.summary(("mnist", "celeba"))
    compared = made_up.comparisons(frame)
    plain = str(comparison.text(MAIN, frame, compared, ()))
    assert "least-squares image" in plain
    assert "images than there are pixels" not in plain
    assert "least-squares" not in str(comparison.text(MAIN, made_up.summary(("mnist",)), compared, ()))
    # From a file: as text, "900" would exceed "1024".
    frame.assign(covariance_images=[900 if name == "mnist" else 5000 for name in frame["dataset"]]).to_csv(
        tmp_path / "main.csv", index=False
    )
    compared.to_csv(tmp_path / "compared.csv", index=False)
    main_table.write(tmp_path / "main.csv", tmp_path / "compared.csv", place(main_table, tmp_path))
    text = (tmp_path / "main_table.md").read_text(encoding="utf-8")
    assert text.count(" MNIST: the covariance comes from no more images than there are pixels") == 1
    assert "Accuracy on CelebA: mean over attributes." in text


@pytest.mark.parametrize(("estimator", "published"), [("truncated 1.2e-07", True), ("ridge 0.01", False)])
@pytest.mark.parametrize("module", TABLES)
def test_caption_says_which_r_it_is(made_up: ModuleType, module: Any, estimator: str, published: bool) -> None:
    frame = made_up.summary(("mnist",)).assign(estimator=estimator)
    caption = str(comparison.text(module.SUBJECT, frame, made_up.comparisons(frame), ()))
    assert ("R is the published R." in caption) == published
    assert ("R is R under ridge 0.01, not the published one." in caption) == (not published)


@pytest.mark.parametrize(("seeds", "told"), [(1, 1), (2, 1), (4, 1), (5, 0)])
def test_caption_says_what_few_seeds_cannot_tell(made_up: ModuleType, seeds: int, told: int) -> None:
    frame = made_up.summary(("mnist",), seeds=seeds)
    caption = str(comparison.text(tradeoff_table.SUBJECT, frame, made_up.comparisons(frame), ()))
    assert caption.count("No difference over fewer than 5 seeds has a star") == told
    assert "t over models" in caption
