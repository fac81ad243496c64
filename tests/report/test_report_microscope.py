"""Tables 5 and 8, figures 8 to 10: from made-up assessments through the project's own summaries to files."""

import math
from functools import cached_property

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image

from vicious.report import figure8, figure9, figure10, frames, style, table5, table8
from vicious.results.agreement import PROFILE, write_estimators
from vicious.results.summaries import write_summary
from vicious.system.errors import DataError, MixedResultsError
from vicious.system.files import write_json

HONEST = ("honest", "posthoc", "logits", 0.0)
VICIOUS = ("vicious", "joint", "logits", 1.0)
STRONGER = ("vicious", "joint", "logits", 3.0)
AUTOENCODER = ("autoencoder", "joint", "logits", 1.0)
GAINS = {HONEST: 0.12, VICIOUS: 0.35, STRONGER: 0.5, AUTOENCODER: 0.8}
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 1.0)
SETTINGS = (
    *((f"share {share:g}", "share", share, share) for share in SHARES),
    *((f"truncated {cut:g}", "truncated", cut, 1 - cut * 1000) for cut in (2.2e-16, 1e-10, 1.2e-7, 1e-6, 1e-5)),
    *((f"ridge {ridge:g}", "ridge", ridge, 1.0) for ridge in (1e-4, 1e-3, 1e-2, 1e-1, 1.0)),
    ("ledoit_wolf", "ledoit_wolf", math.nan, 1.0),
    ("identity", "identity", math.nan, 1.0),
)
NAMES = [name for name, *_ in SETTINGS]


def position(kind, parameter, share):
    """How much of the small components an estimator lets count: the more, the less R follows image quality."""
    return {"share": -np.log10(max(1 - share, 1e-5)), "truncated": -0.35 * np.log10(parameter + 1e-16)}.get(
        kind, {"ridge": 1.6 - 0.7 * np.log10(parameter or 1), "ledoit_wolf": 4.0, "identity": 0.0}.get(kind)
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory, assessment):
    """``study(...)`` returns the files that a report reads, from assessments of tasks; equal ones are written once."""
    written = {}

    def write(**options):
        key = repr(sorted(options.items()))
        if key not in written or options.get("own"):
            written[key] = _Study(tmp_path_factory.mktemp("study"), assessment, **options)
        return written[key]

    return write


class _Study:
    def __init__(
        self,
        folder,
        assessment,
        tasks=("mnist", "cifar10"),
        models=(HONEST, VICIOUS, AUTOENCODER),
        seeds=3,
        failed=(),
        synthetic=(),
        images=260,
        own=False,
    ):
        """``own``: not shared with other tests, so that a test may damage it."""
        self.folder, self.assessment, self.files = folder, assessment, []
        for task in tasks:
            for model in models:
                for seed in range(seeds):
                    reason = "loss is not finite; step 12 & 50% of grad_norm" if (task, model, seed) in failed else ""
                    self._add(task, model, seed, reason, "synthetic" if task in synthetic else "official", images)
        self.estimators, self.agreement, self.summary = (
            folder / name for name in ("estimators.csv", "agreement.csv", "main.csv")
        )
        write_estimators(self.files, self.estimators, self.agreement)
        write_summary(self.files, self.summary)

    def _add(self, task, model, seed, reason, source, images):
        role, attack, outputs, beta_r = model
        frame = _images(task, GAINS[*model[:2], "logits", beta_r], seed, 0 if reason else images)
        record = self.assessment(task, model, seed, reason, images, source=source)
        if not reason:
            measures = ("accuracy", "mse", "psnr", "ssim", "risk", "risk95")
            record |= {name: float(frame[name].mean()) for name in measures}
            record |= {"risk_class_mean": 1.02, "risk95_class_mean": 1.05, "psnr_class_mean": 12.0}
            record |= {"n": images, "risk_estimator": "truncated 1.2e-07", "risk95_estimator": "share 0.95"}
            record |= {"pixels": 1024, "covariance_images": 60_000}
        file = self.folder / task / f"{role}-{outputs}-{beta_r:g}" / f"seed{seed}" / f"risk-{attack}.json"
        write_json(file, record)
        frame.to_parquet(file.with_suffix(".parquet"))
        rows = [] if reason else [_profile(frame, *setting) for setting in SETTINGS]
        pd.DataFrame(rows, columns=list(PROFILE)).to_csv(file.with_name(f"estimators-{attack}.csv"), index=False)
        self.files.append(file)

    def write(self, out):
        return [
            *table5.write(self.estimators, self.agreement, self.summary, out),
            *table8.write(self.files, out),
            *figure8.write(self.estimators, self.summary, out),
            *figure9.write(self.agreement, self.summary, out),
            *figure10.write(self.files, out),
        ]

    @cached_property
    def figures(self):
        """Figures 8 to 10, drawn once."""
        summary = frames.read_summary(self.summary)
        estimators, agreement = table5.read_estimators(self.estimators), table5.read_agreement(self.agreement)
        found = figure10.read_assessments(self.files)
        return (
            figure8.figure8(estimators, summary),
            figure9.figure9(agreement, summary),
            figure10.figure10(figure10.load_rows(found, summary), summary),
        )

    def table5(self):
        summary = frames.read_summary(self.summary)
        return table5.table5(
            table5.read_estimators(self.estimators), table5.read_agreement(self.agreement), summary
        ), summary


def _images(task, gain, seed, n):
    """Test images as an attack of that gain leaves them: with small components R falls as PSNR rises."""
    place = frames.order(task)[0]
    hard = np.random.default_rng(place).normal(0, 1, n)
    generator = np.random.default_rng([seed, place, int(100 * gain)])
    psnr = 15 - 0.4 * place + 4 * gain + hard + generator.normal(0, 0.3 + 0.1 * place, n)
    columns = {
        "image": np.arange(n),
        "accuracy": (generator.random(n) < 0.9).astype(np.float32),
        "psnr": psnr,
        "mse": 10 ** (-psnr / 10),
        "ssim": np.clip(0.4 + 0.3 * gain + 0.05 * hard + generator.normal(0, 0.02, n), -1, 1),
    }
    for name, kind, parameter, share in SETTINGS:
        falls = gain * (2.6 - 0.15 * place - position(kind, parameter, share)) / 3
        columns[name] = np.exp(falls + 0.1 * hard + generator.normal(0, 0.06 + 0.02 * place, n)).astype(np.float32)
    columns |= {"risk": columns["truncated 1.2e-07"].astype(float), "risk95": columns["share 0.95"].astype(float)}
    return pd.DataFrame(columns)


def _profile(frame, name, kind, parameter, share):
    return {
        **{"estimator": name, "kind": kind, "parameter": parameter},
        **{"rank": 1 + int(1000 * share**9), "pixels": 1024, "share": share},
        **{"risk": frame[name].astype(float).mean(), "risk_class_mean": 1.0 + 0.1 * (1 - share)},
        **{"risk_float32": frame[name].mean() * 1.01, "error_outside": 0.3 * (1 - share)},
    }


def _words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text))


def _failed(*cells, seeds=3):
    return [(*cell, seed) for cell in cells for seed in range(seeds)]


ALL = ("mnist", "fashion_mnist", "cifar10", "cifar100", "tiny_imagenet", "celeba")


def test_everything_is_written_with_the_same_bytes_twice(study, tmp_path):
    case = study(tasks=("mnist",))
    one, two = (case.write(tmp_path / name) for name in ("a b", "c"))
    expected = [f"table{number}{end}" for number in (5, 8) for end in (".csv", ".md", ".tex")]
    expected += [f"figure{number}{end}" for number in (8, 9, 10) for end in (".pdf", ".png", ".md")]
    assert [path.name for path in one] == expected
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == sorted(expected)
    with Image.open(tmp_path / "c/figure8.png") as image:
        assert image.width == round(style.SINGLE * style.DPI)


def test_six_datasets_with_failures_fill_the_page_and_tell_all(study, tmp_path):
    case = study(tasks=ALL, failed=[*_failed(("cifar10", VICIOUS)), ("mnist", HONEST, 1)], synthetic=("celeba",))
    for path in case.write(tmp_path / "out"):
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert image.width == round(style.DOUBLE * style.DPI)
                assert image.height < 9 * style.DPI
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            assert "synthetic stand-in (CelebA)" in text
            assert "CIFAR-10, vicious (logits, β_R = 1), seed 0, 1, 2: loss is not finite" in text
    for drawn in case.figures:
        words = _words(drawn)
        assert "Failed: MNIST, honest (logits): 1 of 3 seeds" in words
        assert "synthetic" in words


@pytest.mark.parametrize(
    "options",
    [
        {"tasks": ALL, "failed": [*_failed(("cifar10", VICIOUS)), ("mnist", HONEST, 1)], "synthetic": ("celeba",)},
        {"tasks": ("mnist",), "failed": _failed(("mnist", VICIOUS))},
        {"tasks": ALL, "seeds": 1, "synthetic": ALL, "models": (HONEST, VICIOUS, STRONGER, AUTOENCODER)},
    ],
)
def test_all_text_is_legible_inside_and_apart(study, options):
    for drawn in study(**options).figures:
        drawn.draw_without_rendering()
        shown = [text for text in drawn.findobj(Text) if text.get_text() and text.get_visible()]
        assert min(text.get_fontsize() for text in shown) >= style.SMALL
        inside = []
        for text in shown:
            box = text.get_window_extent()
            if box.width > 1 and not _beyond(text, box):
                inside.append((text.get_text(), box))
        for name, box in inside:
            assert all(drawn.bbox.padded(1).contains(*corner) for corner in (box.min, box.max)), name
        for index, (name, box) in enumerate(inside):
            for other, beside in inside[:index]:
                assert not box.padded(-0.5).overlaps(beside), (name, other)


def _beyond(text, box):
    """Whether it is the label of a tick that lies outside its axis, which is not drawn."""
    for ax in text.get_figure(root=True).axes:
        for axis, view in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                if text in (tick.label1, tick.label2):
                    return not min(view) - 1e-9 <= tick.get_loc() <= max(view) + 1e-9
    return False


def test_without_any_result_all_is_still_drawn(study, tmp_path):
    case = study(tasks=("mnist",), failed=_failed(("mnist", HONEST), ("mnist", VICIOUS), ("mnist", AUTOENCODER)))
    case.write(tmp_path / "out")
    assert "failed" in (tmp_path / "out/table5.md").read_text(encoding="utf-8")
    for drawn in case.figures:
        assert "Failed" in _words(drawn)


def test_one_seed_has_no_spread_and_says_so(study, tmp_path):
    case = study(tasks=("mnist",), seeds=1)
    case.write(tmp_path / "out")
    for path in (tmp_path / "out").glob("*.md"):
        text = path.read_text(encoding="utf-8")
        assert "Seeds per model: 1" in text
        assert " ± 0." not in text
    assert "Curves: n = 1 seed;" in (tmp_path / "out/figure8.md").read_text(encoding="utf-8")


def _captions(case, change=lambda summary: summary):
    """The captions of tables 5 and 8 and figures 8 to 10, of a summary that is changed."""
    summary = change(frames.read_summary(case.summary))
    estimators, agreement = table5.read_estimators(case.estimators), table5.read_agreement(case.agreement)
    rows = figure10.load_rows(figure10.read_assessments(case.files), summary)
    return {
        "table5": table5.caption(table5.table5(estimators, agreement, summary), summary),
        "table8": table8.caption(summary),
        "figure8": figure8.caption(estimators, summary),
        "figure9": figure9.caption(agreement, summary),
        "figure10": figure10.caption(rows, summary),
    }


def test_captions_say_which_r_it_is(study):
    case = study(tasks=("mnist",), seeds=1)
    assert "Left: the published R; right: R95." in _captions(case)["figure10"]
    told = _captions(case, lambda summary: summary.assign(estimator="ridge 0.01"))
    assert "Left: R under ridge 0.01, not the published one; right: R95." in told["figure10"]
    # These show the published R whatever R is elsewhere.
    for name in ("table5", "figure8", "figure9"):
        assert "R of other tables and figures: R under ridge 0.01, not the published one." in told[name]
        assert "other tables" not in _captions(case)[name]
    assert "published" not in _words(case.figures[2])


def test_captions_explain_no_accuracy_and_warn_of_too_few_images(study):
    case = study(tasks=("celeba",), seeds=1)
    few = _captions(case, lambda summary: summary.assign(covariance_images=1024))
    for name, text in _captions(case).items():
        assert "mean over attributes" not in text
        assert "images than pixels" not in text
        assert ("CelebA: no more images than pixels" in few[name]) == (name != "table8")


def test_neither_torch_nor_windows_are_loaded():
    import subprocess
    import sys

    code = (
        "import sys, vicious.report.table5, vicious.report.table8, vicious.report.figure8, vicious.report.figure9, "
        "vicious.report.figure10; assert 'torch' not in sys.modules; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Table 5


def test_table_5_has_means_over_seeds_of_every_estimator_and_attack(study):
    case = study(models=(HONEST, VICIOUS, STRONGER, AUTOENCODER), failed=[("mnist", VICIOUS, 2)])
    table, _ = case.table5()
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


def test_table_5_marks_where_the_risk_calls_the_vicious_model_the_safer_one(study):
    case = study(tasks=("mnist",))
    table, summary = case.table5()
    risks = pd.read_csv(case.estimators).pivot_table(index=["estimator", "seed"], columns="role", values="risk")
    order = table.loc[table["role"] == "vicious"].set_index("estimator")["order"]
    psnr = summary.pivot_table(index="seed", columns="role", values="psnr")
    assert (psnr["vicious"] > psnr["honest"]).all()
    for estimator, rows in risks.groupby("estimator"):
        higher = set(rows["vicious"] > rows["honest"])
        expected = {True: table5.AS_REFERENCE, False: table5.REVERSED}[higher.pop()]
        assert order[estimator] == (table5.UNCLEAR if higher else expected)
    assert order["truncated 2.2e-16"] == table5.REVERSED
    assert order["share 0.95"] == table5.AS_REFERENCE
    assert table.loc[table["role"] == "honest", "order"].isna().all()
    printed = table5.lines(table)
    assert [line["estimator"] for line in printed][:2] == ["cut-off 2.2e-16 d", "cut-off 1.2e-07 d"]
    assert printed[0]["order"] == table5.REVERSED
    count = sum(line["order"] == table5.REVERSED for line in printed)
    assert f" {count} of the {len(table5.PRINTED)} lines that compare two are reversed" in table5.caption(
        table, summary
    )


@pytest.mark.parametrize(("seed", "column"), [(0, "risk"), (1, "psnr")])
def test_table_5_calls_an_order_unclear_that_not_every_seed_shows(study, seed, column):
    case = study(tasks=("mnist",), models=(HONEST, VICIOUS))
    summary, agreed = frames.read_summary(case.summary), table5.read_agreement(case.agreement)
    rows = table5.read_estimators(case.estimators)
    assert _orders(rows, agreed, summary)["share 0.95"] == table5.AS_REFERENCE
    frame = rows if column == "risk" else summary
    other = (frame["role"] == "vicious") & (frame["seed"] == seed)
    frame.loc[other, column] = (
        frame.loc[(frame["role"] == "honest") & (frame["seed"] == seed), column].to_numpy() - 1e-3
    )
    assert _orders(rows, agreed, summary)["share 0.95"] == table5.UNCLEAR
    table = table5.table5(rows, agreed, summary)
    count = sum(line["order"] == table5.UNCLEAR for line in table5.lines(table))
    assert f"are reversed, {count} unclear." in table5.caption(table, summary)
    alone = [frame.loc[frame["seed"] == seed] for frame in (rows, summary)]
    assert _orders(alone[0], agreed, alone[1])["share 0.95"] == table5.REVERSED, "a single seed decides alone"


def _orders(rows, agreed, summary):
    table = table5.table5(rows, agreed, summary)
    return table.loc[table["role"] == "vicious"].set_index("estimator")["order"]


def test_table_5_prints_each_value_in_its_column(study, tmp_path):
    case = study(tasks=("mnist",), models=(HONEST, VICIOUS), failed=[("mnist", HONEST, 2)], own=True)
    rows, agreed = pd.read_csv(case.estimators), pd.read_csv(case.agreement)
    shown = rows["estimator"] == "share 0.95"
    rows.loc[shown, ["rank", "share"]] = [79, 0.9512]
    rows.loc[shown & (rows["role"] == "honest"), list(table5.MEASURED)] = [1.1, 1.2, 1.3, 0.4]
    rows.loc[shown & (rows["role"] == "vicious"), list(table5.MEASURED)] = [1.5, 1.6, 1.7, 0.8]
    here = agreed["estimator"] == "share 0.95"
    agreed.loc[here & (agreed["reference"] == "psnr"), ["agree", "spearman"]] = [0.61, 0.72]
    agreed.loc[here & (agreed["reference"] == "ssim"), ["agree", "spearman"]] = [0.83, 0.94]
    rows.to_csv(case.estimators, index=False)
    agreed.to_csv(case.agreement, index=False)
    table5.write(case.estimators, case.agreement, case.summary, tmp_path)
    text = (tmp_path / "table5.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if "share 0.95 (R95)" in line]
    failed = "(1/3 failed)"
    honest, vicious = f"1.100 ± 0.000 {failed}", "1.500 ± 0.000"
    of_honest = (f"1.200 {failed}", f"1.300 {failed}", f"0.400 {failed}")
    expected = ("share 0.95 (R95)", "79", "0.9512", honest, vicious, "as PSNR", *of_honest, "0.61", "0.83", "0.72")
    assert line[2:-2].split(" | ")[1:] == list(expected)


def test_table_5_compares_the_seeds_that_both_have(study):
    # The two seeds that are left of either side are not the same: only the third compares.
    table, _ = study(tasks=("mnist",), failed=[("mnist", HONEST, 0), ("mnist", VICIOUS, 1)]).table5()
    assert set(table.loc[table["role"] == "vicious", "order"]) == {table5.AS_REFERENCE, table5.REVERSED}
    table, _ = study(tasks=("mnist",), seeds=2, failed=[("mnist", HONEST, 0), ("mnist", VICIOUS, 1)]).table5()
    assert table.loc[table["role"] == "vicious", "order"].isna().all()


def test_table_5_prints_the_smallest_beta_r_of_the_first_outputs(study):
    softmax = [("honest", "posthoc", "softmax", 0.0), ("vicious", "joint", "softmax", 1.0)]
    case = study(tasks=("mnist",), models=(HONEST, STRONGER, VICIOUS, *softmax))
    table, summary = case.table5()
    line = table5.lines(table)[0]
    row = table.query("estimator == 'truncated 2.2e-16' and role == 'vicious' and outputs == 'logits' and beta_r == 1")
    assert line["vicious"].mean == row["risk_mean"].item()
    assert len(table5.lines(table)) == len(table5.PRINTED)
    assert "Printed for logits" in table5.caption(table, summary)


def test_damaged_inputs_are_told(study):
    case = study(tasks=("mnist",), own=True)
    rows, agreed = pd.read_csv(case.estimators), pd.read_csv(case.agreement)
    for frame, read, path in (
        (rows, table5.read_estimators, case.estimators),
        (agreed, table5.read_agreement, case.agreement),
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
        table5.read_estimators(case.estimators)
    agreed.assign(agree=1.5).to_csv(case.agreement, index=False)
    with pytest.raises(DataError, match="between 0 and 1"):
        table5.read_agreement(case.agreement)
    summary = frames.read_summary(case.summary)
    with pytest.raises(DataError, match=r"share 0\.5, psnr"):
        table5.table5(rows, agreed.iloc[1:], summary)
    with pytest.raises(MixedResultsError, match="not of the same results"):
        figure8.figure8(rows.loc[rows["seed"] > 0], summary)


# Table 8


def test_table_8_by_hand():
    assert table8.batched_mean(np.array([1.0, 1, 1, 0]), batch=3) == 0.5
    assert table8.full_batches_mean(np.array([1.0, 1, 1, 0]), batch=3) == 1
    assert math.isnan(table8.full_batches_mean(np.ones(2), batch=3))
    assert table8.psnr_of_mean(np.array([0.01, 0.03])) == pytest.approx(-10 * np.log10(0.02))
    assert table8.psnr_of_mean(np.zeros(2)) == 100
    # 260 images: the last ten have a batch of their own
    last = np.arange(260) >= 250
    mse = np.where(last, 0.1, 0.001)
    images = pd.DataFrame(
        {"ssim": last * 1.0, "risk": np.where(last, 3.0, 1.0), "mse": mse, "psnr": -10 * np.log10(mse)}
    )
    found = table8.changes(images)
    assert found["ssim"] == pytest.approx(0.5 - 10 / 260)
    assert found["risk"] == pytest.approx(1 - (250 + 30) / 260)
    assert found["psnr"] == pytest.approx(-10 * np.log10(1.25 / 260) - (250 * 30 + 10 * 10) / 260)
    assert found["psnr"] < 0, "by Jensen's inequality"


def test_table_8_is_nothing_where_the_last_batch_is_full(study, tmp_path):
    case = study(tasks=("mnist",), images=500, failed=[("mnist", VICIOUS, 0)])
    table8.write(case.files, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out/table8.csv").set_index("role")
    assert set(table["last_batch"]) == {250}
    assert (table[["ssim_change_mean", "risk_change_mean", "risk_change_sd"]] == 0).all(axis=None)
    assert (table["psnr_change_mean"] < 0).all()
    assert table.loc["vicious", "psnr_change_n"] == 2
    text = (tmp_path / "out/table8.md").read_text(encoding="utf-8")
    assert "0.00000 ± 0.00000 (1/3 failed)" in text
    assert "autoencoder" in text


def test_table_8_reads_the_images(study, tmp_path):
    case = study(tasks=("mnist",), seeds=2)
    table8.write(case.files, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out/table8.csv").set_index("role")
    frames_ = [pd.read_parquet(file.with_suffix(".parquet")) for file in case.files if "vicious" in str(file)]
    risk = [frame["risk"].iloc[:250].mean() - frame["risk"].mean() for frame in frames_]
    assert table.loc["vicious", "risk_change_mean"] == pytest.approx(np.mean(risk), rel=1e-6)
    assert table.loc["vicious", "risk_change_sd"] == pytest.approx(np.std(risk, ddof=1), rel=1e-6)
    assert table.loc["vicious", "last_batch"] == 10


def test_table_8_without_a_full_batch(study, tmp_path):
    case = study(tasks=("mnist",), seeds=1, images=240)
    table8.write(case.files, tmp_path / "out")
    assert pd.read_csv(tmp_path / "out/table8.csv")["risk_change_mean"].isna().all()
    text = (tmp_path / "out/table8.md").read_text(encoding="utf-8")
    assert "| 240 | 240 | 0.00000 | – |" in text
    assert "failed" not in text


# Figures


@pytest.mark.parametrize("published", [0.95, 0.957, 0.99, 0.9999, 1.0])
def test_figure_8_keeps_the_names_of_the_headline_figures_apart(study, published):
    case = study(tasks=ALL, seeds=1, synthetic=ALL, models=(HONEST, VICIOUS, STRONGER, AUTOENCODER))
    rows = table5.read_estimators(case.estimators)
    rows.loc[rows["estimator"] == table5.PUBLISHED, "share"] = published
    drawn = figure8.figure8(rows, frames.read_summary(case.summary))
    drawn.draw_without_rendering()
    named = [ax for ax in drawn.axes if ax.texts]
    assert len(named) == len(drawn.axes) / 2, "the names stand above the larger panels alone"
    for ax in named:
        boxes = [text.get_window_extent() for text in ax.texts]
        assert len(boxes) == 2
        assert not boxes[0].overlaps(boxes[1])
        assert all(drawn.bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))


def test_logarithmic_axes_have_few_round_numbers_with_the_mean_image_among_them():
    for low, high in ((0.93, 1.02), (0.75, 1.4), (0.6, 1.6), (0.3, 4.0), (0.05, 60.0), (1e-3, 1e3)):
        ticks = figure10.log_ticks(low, high)
        assert 2 <= len(ticks) <= 8
        assert 1 in ticks
        assert low <= ticks[0] < ticks[-1] <= high


def test_figure_8_draws_means_over_seeds_against_the_share(study):
    assert [figure8.position(share) for share in (0.9, 0.99, 0.999)] == pytest.approx([1, 2, 3])
    assert figure8.position(0.9999) < figure8.position(0.99999) < figure8.position(1.0)
    case = study(tasks=("mnist",), failed=[("mnist", VICIOUS, 0)])
    rows = pd.read_csv(case.estimators)
    ax = case.figures[0].axes[0]
    for role in ("honest", "vicious", "autoencoder"):
        line = next(line for line in ax.lines if line.get_color() == style.COLOURS[role] and len(line.get_xdata()) > 2)
        same = rows.loc[(rows["role"] == role) & (rows["kind"] == "share")]
        expected = same.groupby("parameter")["risk"].mean()
        assert line.get_ydata() == pytest.approx(expected.to_numpy())
        assert line.get_xdata()[[4, 7]] == pytest.approx([1, 2])
    assert "published" in _words(ax.get_figure())


@pytest.mark.parametrize("model", [HONEST, VICIOUS, AUTOENCODER])
def test_figure_8_names_what_there_is(study, model):
    case = study(tasks=("mnist",), models=(model,), seeds=1)
    drawn = figure8.figure8(table5.read_estimators(case.estimators), frames.read_summary(case.summary))
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    expected = {
        HONEST: ["honest, post-hoc", "predicted class mean"],
        VICIOUS: ["vicious"],
        AUTOENCODER: ["autoencoder"],
    }
    assert labels == [*expected[model], f"mean image ({style.RISK} = 1)"]


def test_figure_8_says_which_shares_its_axis_cannot_tell_apart(study):
    told = _captions(study(tasks=("mnist",), seeds=1))["figure8"]
    assert "all shares above 99.996% but short of all stand at one place" in told
    assert figure8.position(0.99995) < figure8.position(0.99997) == figure8.position(0.999999) < figure8.position(1.0)


def test_figure_8_tells_beta_r_apart(study):
    words = _words(study(tasks=("mnist",), models=(HONEST, VICIOUS, STRONGER)).figures[0])
    assert r"vicious, $\beta_R$ = 3" in words
    assert "autoencoder" not in words


def test_figure_9_draws_every_agreement_at_its_place(study):
    case = study()
    agreed = pd.read_csv(case.agreement)
    drawn = case.figures[1]
    for ax, reference in zip(drawn.axes, ("psnr", "ssim"), strict=True):
        dots = sorted(float(line.get_xdata()[0]) for line in ax.lines if line.get_linestyle() == "None")
        expected = agreed.loc[agreed["reference"] == reference, "agree"]
        assert dots == pytest.approx(sorted(expected))
        assert len(ax.get_yticks()) == len(NAMES) + 1
    words = _words(drawn)
    for part in ("1.2e-07 (published)", "Ledoit-Wolf", "no whitening", "PSNR in place of R", "MNIST", "CIFAR-10"):
        assert part in words


def test_figure_9_has_a_panel_for_another_reference(study):
    case = study(tasks=("mnist",))
    agreed = table5.read_agreement(case.agreement)
    more = agreed.loc[agreed["reference"] == "psnr"].assign(reference="lpips")
    drawn = figure9.figure9(pd.concat([agreed, more]), frames.read_summary(case.summary))
    assert len(drawn.axes) == 3
    assert "LPIPS" in _words(drawn)
    summary = frames.read_summary(case.summary)
    assert "(left to right: PSNR, SSIM, LPIPS)" in figure9.caption(pd.concat([agreed, more]), summary)
    assert "(left to right: PSNR, SSIM)" in figure9.caption(agreed, summary)


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ((HONEST,), "0 pairs of 1 attack"),
        ((HONEST, VICIOUS), "1 pair of 2 attacks"),
        ((HONEST, VICIOUS, AUTOENCODER), "3 pairs of 3 attacks"),
    ],
)
def test_figure_9_counts_pairs_of_attacks(study, models, told):
    assert (
        f"Attacks over all seeds: {told} (MNIST)."
        in _captions(study(tasks=("mnist",), models=models, seeds=1))["figure9"]
    )


def test_a_spread_is_of_all_values_and_not_widened_by_its_tail():
    values = np.random.default_rng(0).lognormal(0.1, 0.2, 5000)
    one = figure10.spread(values)
    assert one.quartiles == pytest.approx(tuple(np.quantile(values, [0.25, 0.5, 0.75])))
    assert one.below == (values < 1).mean()
    # against the exact density in log R, scaled to its largest value
    exact = np.exp(-(((np.log(one.x) - 0.1) / 0.2) ** 2) / 2)
    assert np.abs(one.density - exact).max() < 0.1
    capped = figure10.spread(np.concatenate([values, np.full(20, 1000.0)]))
    assert np.abs(np.interp(one.x, capped.x, capped.density) - exact).max() < 0.1
    assert capped.view[1] < 10
    assert figure10.spread(np.ones(9)).quartiles == (1, 1, 1)


def test_figure_10_pools_the_seeds_and_counts_images_below_the_mean_image(study, tmp_path):
    case = study(tasks=("mnist",), failed=[("mnist", VICIOUS, 0)])
    figure10.write(case.files, tmp_path / "out")
    parts = {
        role: pd.concat(pd.read_parquet(file.with_suffix(".parquet")) for file in case.files if role in str(file))
        for role in ("honest", "vicious")
    }
    shares = " and ".join(f"{100 * (frame['risk'] < 1).mean():.0f}%" for frame in parts.values())
    assert f"MNIST {shares}" in (tmp_path / "out/figure10.md").read_text(encoding="utf-8")
    found = figure10.read_assessments(case.files)
    rows = figure10.load_rows(found, frames.read_summary(case.summary))
    assert rows[0].spreads["vicious", "risk95"].values == len(parts["vicious"]) == 2 * 260
    assert rows[0].spreads["honest", "risk"].quartiles[1] == pytest.approx(parts["honest"]["risk"].median())


def test_a_damaged_table_of_images_is_told(study, tmp_path):
    case = study(tasks=("mnist",), seeds=1, own=True)
    parquet = case.files[0].with_suffix(".parquet")
    pd.read_parquet(parquet).iloc[1:].to_parquet(parquet)
    for write in (table8.write, figure10.write):
        with pytest.raises(DataError, match="259 test images"):
            write(case.files, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_figure_8_compares_each_model_with_the_honest_one_of_the_same_seed(study):
    case = study(models=(HONEST, VICIOUS, AUTOENCODER), failed=[("mnist", HONEST, 0)])
    rows, summary = table5.read_estimators(case.estimators), frames.read_summary(case.summary)
    found = {profile.group.role: profile for profile in table5.profiles(rows, summary) if profile.group.task == "mnist"}
    of = rows.loc[(rows["task"] == "mnist") & (rows["estimator"] == "share 0.95")].set_index(["role", "seed"])["risk"]
    expected = [of["vicious", seed] / of["honest", seed] for seed in (1, 2)]
    cell = figure8.ratio(found["vicious"], found["honest"], "share 0.95")
    assert (cell.mean, cell.sd) == pytest.approx((np.mean(expected), np.std(expected, ddof=1)))
    assert (cell.ok, cell.total) == (2, 3)
    panel = next(ax for ax in case.figures[0].axes if "honest" in ax.get_ylabel())
    drawn = next(line for line in panel.lines if line.get_color() == style.COLOURS["vicious"])
    at = int(np.argmin(np.abs(drawn.get_xdata() - figure8.position(0.95))))
    assert drawn.get_ydata()[at] == pytest.approx(cell.mean)
