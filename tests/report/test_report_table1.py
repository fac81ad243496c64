"""Table 1 tells means, spread, failures and stand-ins in every format."""

import csv
import io
import re

import numpy as np
import pytest

from vicious.errors import DataError, MixedResultsError
from vicious.report import commands, table1


def _texts(frame, expected_seeds=None):
    table = table1.table1(frame, expected_seeds)
    caption = table1.caption(frame, expected_seeds)
    return table1.to_csv(table), table1.to_markdown(table, caption), table1.to_latex(table, caption)


def test_numbers_agree_with_numpy(made_up):
    frame = made_up.summary(("cifar10",))
    row = table1.table1(frame).iloc[0]
    vicious = frame.loc[frame["role"] == "vicious"]
    honest = frame.loc[frame["role"] == "honest"]
    assert row["vicious_risk95_mean"] == pytest.approx(np.mean(vicious["risk95"]))
    assert row["vicious_risk95_sd"] == pytest.approx(np.std(vicious["risk95"], ddof=1))
    assert row["honest_accuracy_mean"] == pytest.approx(100 * np.mean(honest["accuracy"]))
    assert row["honest_class_mean_risk_mean"] == pytest.approx(np.mean(honest["risk_class_mean"]))
    assert row["posthoc_psnr_n"] == 3
    assert row["n_images"] == 10_000
    assert row["mean_image_risk"] == 1.0


def test_a_failed_seed_is_marked_and_left_out_of_the_mean(made_up):
    frame = made_up.summary(("mnist",), failed=(("mnist", "vicious", 1),))
    good = frame.loc[(frame["role"] == "vicious") & (frame["status"] == "ok"), "psnr"]
    row = table1.table1(frame).iloc[0]
    assert row["vicious_psnr_mean"] == pytest.approx(good.mean())
    assert (row["vicious_psnr_n"], row["vicious_seeds"]) == (2, 3)
    text, markdown, latex = _texts(frame)
    assert markdown.count("(1/3 failed)") == 5
    assert latex.count("1/3 failed") == 5
    assert "2 of 3" in markdown
    assert "2 of 3" in latex
    assert "seed 1: loss is not finite" in text


@pytest.mark.parametrize("role", ["honest", "vicious"])
def test_a_model_that_failed_throughout_keeps_its_line(made_up, role):
    failed = tuple(("mnist", role, seed) for seed in range(3))
    text, markdown, latex = _texts(made_up.summary(("mnist", "cifar10"), failed=failed))
    assert "failed (3 of 3 seeds)" in markdown
    assert r"\shortstack{failed\\(3 of 3 seeds)}" in latex
    (row,) = [row for row in csv.DictReader(io.StringIO(text)) if row["dataset"] == "mnist"]
    assert row[f"{'posthoc' if role == 'honest' else role}_psnr_mean"] == ""
    assert row[f"{role}_seeds"] == "3"
    assert "nan" not in (markdown + latex).lower()


def test_a_measure_that_is_missing_counts_as_failed(made_up):
    frame = made_up.summary(("mnist",))
    frame.loc[frame.index[-1], "risk"] = np.nan
    _, markdown, _ = _texts(frame)
    assert markdown.count("(1/3 failed)") == 1


def test_expected_seeds_without_rows_count_as_failed(made_up):
    _, markdown, _ = _texts(made_up.summary(("mnist",), seeds=2), expected_seeds=3)
    assert "(1/3 failed)" in markdown
    assert "no result for 1 of 3 seeds" in markdown


def test_what_was_not_run_says_so(made_up):
    frame = made_up.summary(("mnist",))
    _, markdown, latex = _texts(frame.loc[frame["role"] == "honest"])
    assert "not run" in markdown
    assert "not run" in latex


def test_a_single_seed_shows_no_spread(made_up):
    text, markdown, latex = _texts(made_up.summary(("mnist",), seeds=1))
    body = markdown.split("\n\n")[1]
    assert "±" not in body
    assert "(1 seed)" in body
    assert not re.search(r"\d \\pm", latex)
    assert "(1 seed)" in latex
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["vicious_psnr_sd"] == ""


def test_one_seed_left_of_several_says_so_in_the_cell(made_up):
    failed = (("mnist", "vicious", 0), ("mnist", "vicious", 1))
    _, markdown, latex = _texts(made_up.summary(("mnist",), failed=failed))
    assert "(1 seed; 2/3 failed)" in markdown
    assert r"\\1 seed; 2/3 failed}" in latex


def test_stand_ins_are_marked_in_every_format(made_up):
    text, markdown, latex = _texts(made_up.summary(("mnist", "cifar10"), synthetic=("cifar10",)))
    assert "| CIFAR-10 (synthetic stand-in) |" in markdown
    assert "| MNIST |" in markdown
    assert r"CIFAR-10$^{\dagger}$ &" in latex
    assert r"$^{\dagger}$~Synthetic stand-in." in latex
    assert "synthetic stand-in (CIFAR-10)" in markdown
    assert "CIFAR-10,synthetic" in text


def test_official_data_carry_no_mark(made_up):
    text = "".join(_texts(made_up.summary()))
    assert "synthetic" not in text.lower()
    assert "dagger" not in text


def test_several_outputs_and_beta_r_have_lines_of_their_own(made_up):
    frame = made_up.summary(("mnist",), betas=(1.0, 3.0), outputs=("logits", "softmax"))
    table = table1.table1(frame)
    assert len(table) == 4
    markdown = table1.to_markdown(table, "caption")
    assert markdown.count("| honest, post-hoc |") == 2
    assert markdown.count("vicious, β_R = 1") == 2


@pytest.mark.parametrize("outputs", [("logits",), ("logits", "softmax")])
def test_all_lines_have_the_columns_of_the_head(made_up, outputs):
    failed = tuple(("mnist", "vicious", seed) for seed in range(3))
    _, markdown, latex = _texts(made_up.summary(outputs=outputs, failed=failed, synthetic=("mnist",)))
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", latex)
    assert columns
    body = latex.split(r"\midrule")[1].split(r"\bottomrule")[0]
    lines = [line for line in body.splitlines() if "&" in line]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(columns[1]) - 1}
    assert all(line.endswith(r"\\") for line in lines)


def test_latex_is_ascii_and_balanced(made_up):
    frame = made_up.summary(("mnist", "cifar10"), failed=(("mnist", "vicious", 1),), synthetic=("mnist",))
    frame["reason"] = frame["reason"].where(frame["reason"] == "", r"50% of a_b & {c} $x$ ~^ \ # é <|>")
    _, _, latex = _texts(frame)
    assert latex.isascii()
    plain = re.sub(r"\\[{}$%&#_\\]", "", latex)
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    opened = re.findall(r"\\begin\{([a-z*]+)\}", latex)
    assert sorted(opened) == sorted(re.findall(r"\\end\{([a-z*]+)\}", latex))
    outside = [line for line in latex.splitlines() if not line.startswith("%")]
    assert not any(re.search(r"(?<!\\)%", line) for line in outside)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a & b", r"a \& b"),
        ("a_b", r"a\_b"),
        ("5%", r"5\%"),
        ("{x}", r"\{x\}"),
        ("\\", r"\textbackslash{}"),
        ("one\ntwo", "one two"),
    ],
)
def test_latex_signs_are_escaped(text, escaped):
    assert table1.escape_latex(text) == escaped


def test_an_unknown_dataset_keeps_its_key(made_up):
    frame = made_up.summary(("mnist",)).assign(dataset="my_set")
    _, markdown, latex = _texts(frame)
    assert "| my_set |" in markdown
    assert r"my\_set &" in latex


def test_mixed_sources_are_refused(made_up, tmp_path):
    frame = made_up.summary()
    frame.loc[0, "source"] = "synthetic"
    frame.to_csv(tmp_path / "summary.csv", index=False)
    with pytest.raises(MixedResultsError, match="source"):
        commands.write_table1(tmp_path / "summary.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_frame_without_a_column_is_a_data_error(made_up):
    with pytest.raises(DataError, match="psnr"):
        table1.table1(made_up.summary().drop(columns="psnr"))


def test_files_have_the_same_bytes_twice(made_up, tmp_path):
    made_up.summary(failed=(("mnist", "honest", 0),)).to_csv(tmp_path / "summary.csv", index=False)
    one, two = (commands.write_table1(tmp_path / "summary.csv", tmp_path / name) for name in ("a b", "c"))
    assert [path.name for path in one] == ["table1.csv", "table1.md", "table1.tex"]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [path.name for path in two]


def test_caption_warns_of_too_few_images_and_explains_attributes(made_up):
    frame = made_up.summary(("mnist", "celeba")).assign(pixels=3072, covariance_images=5000)
    plain = table1.caption(frame)
    assert "least-squares image" in plain
    assert "fewer images than pixels" not in plain
    few = frame.assign(covariance_images=[400 if name == "mnist" else 5000 for name in frame["dataset"]])
    assert "MNIST: fewer images than pixels" in table1.caption(few)
    assert "least-squares" not in table1.caption(made_up.summary(("mnist",)))
