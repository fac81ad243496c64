"""Galleries, who is at risk, training curves: complete, with failures told, and never from mixed or damaged files."""

import csv
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image

from vicious.report import at_risk, figure1, figure4, figure11, figure12, gallery, style, table6, table7
from vicious.report.headline import headline
from vicious.results.assessments import MEASURES, read_assessments
from vicious.results.per_class import ATTRIBUTE_COLUMNS, CLASS_COLUMNS
from vicious.system.errors import DataError, MixedResultsError
from vicious.system.files import write_json

IMAGES = 4
GREY = ("mnist", "fashion_mnist")


def _words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text))


def _check_legible(figure):
    """All text is large enough, inside the figure, and apart from other text."""
    figure.draw_without_rendering()
    hidden = _hidden(figure)
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text() and text not in hidden]
    assert min(text.get_fontsize() for text in texts) >= style.SMALL
    boxes = [text.get_window_extent() for text in texts]
    boxes = [box for box in boxes if box.width > 1]
    for index, box in enumerate(boxes):
        assert figure.bbox.padded(3).contains(*box.min), texts[index].get_text()
        assert figure.bbox.padded(3).contains(*box.max), texts[index].get_text()
        for other in boxes[:index]:
            width = min(box.x1, other.x1) - max(box.x0, other.x0)
            height = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(width, height) < 2, texts[index].get_text()


def _hidden(figure):
    """Labels of ticks beyond the ends of their axis, which are not drawn."""
    found = set()
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                found |= {tick.label1, tick.label2}
    return found


# --- assessments ------------------------------------------------------------------------------------------------------


@pytest.fixture
def study(made_up, tmp_path):
    """Writes the assessments of some tasks; returns their summaries."""

    def write(tasks=("mnist",), seeds=1, betas=(1.0,), outputs=("logits",), failed=(), synthetic=(), images=IMAGES):
        files = []
        for task in tasks:
            models = [("honest", f"posthoc-{kind}", kind, 0.0) for kind in outputs]
            models += [("vicious", "joint", kind, beta) for kind in outputs for beta in betas]
            models += [("autoencoder", "joint", kind, 1.0) for kind in outputs]
            for role, attack, kind, beta in models:
                for seed in range(seeds):
                    folder = tmp_path / task / f"{role}-{'' if role == 'honest' else kind}-{beta:g}" / f"seed{seed}"
                    bad = (task, role, seed) in failed
                    record = _record(made_up, task, role, kind, beta, seed, synthetic, bad)
                    files.append(_assessment(made_up, folder, attack, record, 0 if bad else images))
        return files

    return write


def _record(made_up, task, role, kind, beta, seed, synthetic, bad):
    dataset = task.split("-")[0]
    frame = made_up.summary((dataset,), seeds=1)
    row = frame.loc[frame["role"] == ("honest" if role == "honest" else "vicious")].iloc[0].to_dict()
    record = {name: value for name, value in row.items() if isinstance(value, str) or value == value}
    record |= {
        **{
            "dataset": dataset,
            "task": task,
            "k": 10,
            "role": role,
            "outputs": kind,
            "trained_for": "" if role == "honest" else kind,
            "beta_r": beta,
            "evades": "",
            "evasion": 0.0,
            "seed": seed,
        },
        **{"attack": "posthoc" if role == "honest" else "joint"},
        **{"source": "synthetic" if task in synthetic else "official", "data": task, "images": {"test": 8}},
        "label_names": None,
        **{
            "risk_estimator": "truncated 1.2e-07",
            "risk95_estimator": "share 0.95",
            "pixels": 1024,
            "covariance_images": 5000,
        },
        "beta_c": 1.0,
        "target": {"architecture": {"depth": 10, "width": 1}, "schedule": {"epochs": 1, "seed": seed}},
        "attacker": {"schedule": {"epochs": 1, "seed": seed}},
        **{"status": "failed" if bad else "ok", "reason": "the loss is nan" if bad else ""},
    }
    if bad:
        record = {name: value for name, value in record.items() if name not in ("n", *MEASURES)}
    return record


def _assessment(made_up, folder, attack, record, images):
    folder.mkdir(parents=True, exist_ok=True)
    noise = {"honest": 0.4, "vicious": 0.2, "autoencoder": 0.05}[record["role"]]
    path = folder / f"gallery-{attack}.npz"
    made_up.gallery(path, 1 if record["dataset"] in GREY else 3, noise, max(images, 1))
    with np.load(path) as arrays:
        shown = {name: arrays[name][:images] for name in arrays}
    for end, middle in (("highest", 2.0), ("lowest", 0.8)):
        for name in ("originals", "reconstructions"):
            shown[f"{end}_{name}"] = shown[name][::-1]
        shown[f"{end}_risk95"] = np.full(images, middle) + np.arange(images) / 100
        shown[f"{end}_image"] = np.arange(images)
    np.savez(path, **shown)
    table = pd.DataFrame({"image": np.arange(2 * images), "risk95": np.arange(2.0 * images)})
    table.to_parquet(folder / f"risk-{attack}.parquet")
    write_json(folder / f"risk-{attack}.json", {name: _plain(value) for name, value in record.items()})
    return folder / f"risk-{attack}.json"


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


# --- figure 1 -----------------------------------------------------------------------------------------------------------


def test_figure_1_shows_the_first_seed_and_the_smallest_beta_r(study, tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(figure1, "load_gallery", lambda path: loaded.append(path) or gallery.load_gallery(path))
    written = figure1.write(study(("mnist",), 2, (1.0, 3.0), ("softmax", "logits")), tmp_path / "out")
    assert [path.name for path in written] == ["figure1.pdf", "figure1.png", "figure1.md"]
    assert [path.parent.parent.name for path in loaded] == ["honest--0", "vicious-logits-1"]
    assert {path.parent.name for path in loaded} == {"seed0"}
    text = written[2].read_text(encoding="utf-8")
    for part in ("Outputs: logits.", "β_R = 1.", "Seed shown: 0, the first of 2."):
        assert part in text


def test_figure_1_draws_failures(study, tmp_path):
    files = study(("cifar10", "mnist"), failed=(("mnist", "vicious", 0),), synthetic=("cifar10",))
    _, _, text = figure1.write(files, tmp_path / "out")
    told = text.read_text(encoding="utf-8")
    assert "Failed, without a gallery: MNIST (vicious)" in told
    assert "synthetic stand-in (CIFAR-10)" in told


# --- figure 4 -----------------------------------------------------------------------------------------------------------


def test_figure_4_has_files_for_each_task_and_kind_of_outputs_with_the_same_bytes_twice(study, tmp_path):
    files = [*study(("mnist",), outputs=("logits", "softmax")), *study(("celeba-k5",))]
    one, two = (figure4.write(files, tmp_path / name) for name in ("a", "b"))
    stems = ["figure4_mnist_logits", "figure4_mnist_softmax", "figure4_celeba-k5_logits"]
    assert [path.name for path in one] == [f"{stem}{end}" for stem in stems for end in (".pdf", ".png", ".md")]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def _rows(files, names=("one", "two", "three")):
    return [(name, read_assessments([file])[0].gallery) for name, file in zip(names, files, strict=False)]


def test_figure_4_orders_rows_by_growing_beta_r(study, tmp_path):
    files = study(betas=(3.0, 1.0))
    told = []
    original = figure4.write_figure4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure4, "write_figure4", lambda *args: told.append(args) or original(*args))
        figure4.write(files, tmp_path / "out")
    names = [label for label, _ in told[0][3]]
    assert names == [
        "post-hoc on honest",
        "vicious, beta_R = 1",
        "vicious, beta_R = 3",
        "autoencoder (upper bound)",
    ]


@pytest.mark.parametrize("images", [1, 4, 10, 12])
def test_figure_4_is_legible_and_tells_psnr_and_r95_of_the_images_shown(study, images):
    rows = figure4.load_rows("mnist", _rows(study(images=images)))
    shown = rows[0].gallery
    assert len(shown.originals) == min(images, figure4.MAX_IMAGES)
    assert list(shown.risk95) == list(range(len(shown.originals)))
    figure = figure4.figure4("mnist", "synthetic", "logits", rows)
    _check_legible(figure)
    words = _words(figure)
    difference = (shown.originals.astype(float) - shown.reconstructions) / 255
    psnr = np.mean(-10 * np.log10((difference**2).mean(axis=(1, 2, 3))))
    assert f"{psnr:.1f} dB, $R_{{95}}$ = {np.mean(shown.risk95):.2f}" in words
    assert "MNIST (synthetic stand-in)" in words
    width = style.SINGLE if images <= 4 else style.DOUBLE
    assert figure.get_size_inches()[0] == width


def test_figure_4_without_tables_of_single_images_tells_psnr_alone(study):
    files = study()
    for file in files:
        file.with_suffix(".parquet").unlink()
    rows = figure4.load_rows("mnist", _rows(files))
    assert "R_" not in _words(figure4.figure4("mnist", "official", "logits", rows))
    assert "R95" not in figure4.caption("mnist", "official", "logits", rows)


@pytest.mark.parametrize("failed", [("vicious",), ("honest", "vicious", "autoencoder")])
def test_figure_4_draws_failed_rows(study, tmp_path, failed):
    files = study(failed=tuple(("mnist", role, 0) for role in failed))
    rows = figure4.load_rows("mnist", [*_rows(files), ("missing", tmp_path / "none.npz"), ("none", None)])
    figure = figure4.figure4("mnist", "official", "logits", rows)
    _check_legible(figure)
    # The originals are missing too where nothing succeeded.
    assert _words(figure).count("failed") == len(failed) + 2 + (len(failed) == 3)
    assert "missing; none" in figure4.caption("mnist", "official", "logits", rows)


def test_figure_4_has_a_caption_that_reads_as_it_stands(tmp_path):
    rows = [("vicious, beta_R = 1", None), ("<scale>, *x* and [a_b]", None)]
    text = figure4.write_figure4("my_set", "official", "logits", rows, tmp_path)[2].read_text(encoding="utf-8")
    assert text.startswith(r"**Figure 4, my\_set, logits.** my\_set: test images")
    assert r"without a gallery: vicious, β_R = 1; \<scale\>, \*x\* and \[a\_b\]." in text


def test_figure_4_refuses_galleries_of_different_images(study):
    files = [study(("mnist",))[0], study(("fashion_mnist",), images=3)[1]]
    with pytest.raises(MixedResultsError, match="one and two"):
        figure4.load_rows("mnist", _rows(files))


def test_figure_4_needs_a_row():
    with pytest.raises(DataError, match="no gallery of mnist"):
        figure4.load_rows("mnist", [])


def test_figure_4_refuses_a_damaged_table(study):
    files = study()
    files[0].with_suffix(".parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"risk-posthoc-logits\.parquet.*run `snakemake` again"):
        figure4.load_rows("mnist", _rows(files))


def test_figure_4_refuses_a_table_of_fewer_images(study):
    files = study()
    pd.DataFrame({"risk95": [1.0]}).to_parquet(files[0].with_suffix(".parquet"))
    with pytest.raises(DataError, match="fewer test images"):
        figure4.load_rows("mnist", _rows(files))


# --- figure 12 ----------------------------------------------------------------------------------------------------------


def test_figure_12_of_six_tasks_is_legible_and_tells_failures(made_up, study, tmp_path):
    files = study(made_up.ALL, failed=(("cifar100", "vicious", 0),), synthetic=("celeba",), images=8)
    pdf, png, text = figure12.write(files, tmp_path / "out")
    assert pdf.read_bytes().startswith(b"%PDF")
    with Image.open(png) as image:
        assert image.width == round(style.DOUBLE * style.DPI)
        assert image.height < 9 * style.DPI
    told = text.read_text(encoding="utf-8")
    assert "Failed, without a gallery: CIFAR-100" in told
    assert "synthetic stand-in (CelebA)" in told
    shown = gallery.read_galleries(files)
    shown = headline(shown.loc[shown["role"] == "vicious"])
    figure = figure12.figure12(figure12.load_rows(shown))
    _check_legible(figure)
    words = _words(figure)
    assert words.count("failed") == 4
    assert "CelebA (synthetic stand-in): highest" in words
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == [f"2.0{index}" for index in range(8)]


def test_figure_12_draws_the_highest_r95_left_and_the_lowest_right(study):
    (file,) = [file for file in study() if "vicious" in file.parent.parent.name]
    path = read_assessments([file])[0].gallery
    greys = {
        "highest_originals": 10,
        "highest_reconstructions": 60,
        "lowest_originals": 110,
        "lowest_reconstructions": 160,
    }
    with np.load(path) as arrays:
        parts = dict(arrays)
    np.savez(path, **parts | {name: np.full_like(parts[name], grey) for name, grey in greys.items()})
    figure = figure12.figure12(figure12.load_rows(gallery.read_galleries([file])))
    shown = list(greys.values())
    for ax, end, risk95, expected in zip(
        figure.axes, ("highest", "lowest"), ("2.0", "0.8"), (shown[:2], shown[2:]), strict=True
    ):
        assert ax.get_title() == f"MNIST: {end} {style.RISK95}"
        assert [label.get_text() for label in ax.get_xticklabels()] == [f"{risk95}{index}" for index in range(IMAGES)]
        image = np.asarray(ax.images[0].get_array())
        assert [image[round(at), 0, 0] for at in ax.get_yticks()] == expected
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["original", "reconstruction"]


def test_figures_1_and_12_tell_the_seed_shown_and_no_accuracy(study, tmp_path):
    files = study(("celeba",), seeds=3)
    for figure in (figure1, figure12):
        text = figure.write(files, tmp_path / "out")[2].read_text(encoding="utf-8")
        assert "Seed shown: 0, the first of 3." in text
        assert "ccuracy" not in text


def test_figure_12_says_once_that_all_data_are_stand_ins(study):
    shown = gallery.read_galleries(study(synthetic=("mnist",)))
    figure = figure12.figure12(figure12.load_rows(shown.loc[shown["role"] == "vicious"]))
    _check_legible(figure)
    assert _words(figure).count("synthetic") == 1


def test_figure_12_needs_a_vicious_model(study, tmp_path):
    files = [file for file in study() if "vicious" not in file.parent.parent.name]
    with pytest.raises(DataError, match="no vicious model"):
        figure12.write(files, tmp_path / "out")


def test_a_gallery_without_its_extremes_is_a_data_error(made_up, tmp_path):
    made_up.gallery(tmp_path / "old.npz", 1, 0.1)
    assert gallery.load_gallery(tmp_path / "old.npz") is not None
    with pytest.raises(DataError, match=r"old\.npz.*run the same command again"):
        gallery.load_extremes(tmp_path / "old.npz")


def test_extremes_that_do_not_fit_their_numbers_are_a_data_error(study):
    path = read_assessments(study())[0].gallery
    with np.load(path) as arrays:
        parts = dict(arrays)
    np.savez(path, **parts | {"highest_risk95": np.ones(2)})
    with pytest.raises(DataError, match="a number for each of 4 images"):
        gallery.load_extremes(path)


def test_a_damaged_summary_is_a_data_error_with_its_name(study):
    files = study()
    files[0].write_text('{"status": "ok"}')
    with pytest.raises(DataError, match=r"risk-posthoc-logits\.json"):
        gallery.read_galleries(files)
    with pytest.raises(DataError, match=r"risk-joint\.json"):
        gallery.read_galleries([files[1].with_name("none") / "risk-joint.json"])


# --- table 6 ------------------------------------------------------------------------------------------------------------


def _classes(tasks=("mnist",), k=10, seeds=3, betas=(3.0, 1.0), failed=(), n=200, synthetic=(), names=()):
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
                values = {name: generator.normal(1 + beta / 10, 0.1) for name in MEASURES}
                spread = {f"{name}_sd": generator.uniform(0.01, 0.02) for name in MEASURES if seeds > 1}
                name = names[label] if names else str(label)
                rows.append(told | {"label": label, "label_name": name, "n": n} | values | spread)
    return pd.DataFrame(rows, columns=list(CLASS_COLUMNS)).astype({"label": "Int64"})


def _table6(frame, tmp_path):
    frame.to_csv(tmp_path / "per_class.csv", index=False)
    paths = table6.write(tmp_path / "per_class.csv", tmp_path / "out")
    return tuple(path.read_text(encoding="utf-8") for path in paths)


def _body(markdown):
    return [line[2:-2].split(" | ") for line in markdown.splitlines() if line.startswith("|")][2:]


def test_table_6_ranks_by_r95_under_the_smallest_beta_r(tmp_path):
    frame = _classes()
    text, markdown, _ = _table6(frame, tmp_path)
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
        assert float(row["posthoc_psnr_mean"]) == pytest.approx(honest["psnr"][label])
        assert float(row["posthoc_risk95_sd"]) == pytest.approx(honest["risk95_sd"][label])
    printed = _body(markdown)
    assert [int(line[2]) for line in printed] == [*expected[:3], *expected[-3:]]
    assert [line[1] for line in printed][::5] == ["1 of 10", "10 of 10"]
    assert "β_R = 1." in markdown


@pytest.mark.parametrize(("k", "lines"), [(1, 1), (5, 5), (6, 6), (7, 6), (200, 6)])
def test_table_6_prints_at_most_three_classes_at_each_end(tmp_path, k, lines):
    text, markdown, _ = _table6(_classes(k=k), tmp_path)
    assert len(_body(markdown)) == lines
    assert len(text.splitlines()) == k + 1


def test_table_6_ranks_by_the_post_hoc_attack_where_vicious_models_failed(tmp_path):
    frame = _classes(("mnist", "cifar10"), failed=(("mnist", "vicious", 3),))
    text, markdown, latex = _table6(frame, tmp_path)
    honest = frame.loc[(frame["role"] == "honest") & (frame["task"] == "mnist")].sort_values("risk95", ascending=False)
    shown = pd.concat([honest.iloc[:3], honest.iloc[-3:]])
    printed = _body(markdown)[:6]
    assert [line[1] for line in printed][::5] == ["1 of 10", "10 of 10"]
    assert [line[2] for line in printed] == [str(label) for label in shown["label"]]
    assert [line[12] for line in printed] == [f"{value:.3f}" for value in shown["risk"]]
    assert {tuple(line[4:9]) for line in printed} == {(*["–"] * 4, "failed (3 of 3 seeds)")}
    assert "MNIST, whose vicious models have no result: by the R95 of the post-hoc attack." in markdown
    assert "MNIST, vicious (logits, β_R = 1), seed 2: the loss is nan" in markdown
    assert "seed 2: the loss is nan" in latex
    assert "nan" not in " ".join(" ".join(line) for line in _body(markdown))
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["task"] == "mnist"]
    assert len(rows) == 10
    assert [row["label"] for row in rows] == [str(label) for label in honest["label"]]
    assert {row["ranked_by"] for row in rows} == {"posthoc"}


def test_table_6_ranks_only_classes_with_test_images(tmp_path):
    frame = _classes(("mnist", "cifar10"), k=4)
    frame.loc[(frame["task"] == "mnist") & (frame["label"] == 3), ["n", *MEASURES]] = [0, *[np.nan] * len(MEASURES)]
    text, markdown, _ = _table6(frame, tmp_path)
    printed = _body(markdown)
    assert [line[1] for line in printed[:3]] == ["1 of 3", "2 of 3", "3 of 3"]
    assert printed[3][1] == "1 of 4"
    assert "without a rank: classes of MNIST, 1." in markdown
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["task"] == "mnist"]
    assert [row["rank"] for row in rows] == ["1", "2", "3", ""]
    assert "without a rank" not in _table6(_classes(), tmp_path)[1]


def test_the_smallest_beta_r_stands_for_a_task_even_where_it_failed(tmp_path):
    larger = _classes(betas=(3.0,))
    frame = pd.concat(
        [_classes(betas=(1.0,), failed=(("mnist", "vicious", 3),)), larger.loc[larger["role"] == "vicious"]]
    )
    chosen = headline(frame)
    assert set(chosen.loc[chosen["role"] == "vicious", "beta_r"]) == {1.0}
    text, markdown, _ = _table6(frame, tmp_path)
    assert {row["beta_r"] for row in csv.DictReader(io.StringIO(text))} == {"1"}
    assert markdown.count("failed (3 of 3 seeds)") == 6
    assert "smallest β_R, told as failed" in markdown


@pytest.mark.parametrize(("bad", "told"), [(3, "failed (3 of 3 seeds)"), (1, "(1/3 failed)")])
def test_table_6_tells_failed_honest_models(tmp_path, bad, told):
    _, markdown, _ = _table6(_classes(failed=(("mnist", "honest", bad),)), tmp_path)
    assert markdown.count(told) == 6
    assert "MNIST, honest (logits), seed 0: the loss is nan" in markdown


def test_table_6_of_nothing_but_failures_is_drawn(tmp_path):
    failed = (("mnist", "honest", 3), ("mnist", "vicious", 3))
    text, markdown, _ = _table6(_classes(failed=failed), tmp_path)
    assert markdown.count("failed (3 of 3 seeds)") == 2
    assert len(text.splitlines()) == 2


def test_table_6_says_what_was_not_run(tmp_path):
    frame = _classes()
    _, markdown, _ = _table6(frame.loc[frame["role"] == "honest"], tmp_path)
    assert {line[8] for line in _body(markdown)} == {"not run"}


def test_table_6_of_a_single_seed_has_no_spread_and_says_so(tmp_path):
    text, markdown, _ = _table6(_classes(seeds=1), tmp_path)
    assert not any("±" in cell for line in _body(markdown) for cell in line)
    assert "Seeds per model: 1." in markdown
    assert next(csv.DictReader(io.StringIO(text)))["vicious_risk95_sd"] == ""


def test_table_6_warns_of_few_images(tmp_path):
    frame = pd.concat([_classes(n=table6.FEW), _classes(("cifar100",), n=table6.FEW - 1)])
    _, markdown, _ = _table6(frame, tmp_path)
    assert "Few test images in the smallest class: CIFAR-100 (99);" in markdown
    assert "Few test images" not in _table6(_classes(n=table6.FEW), tmp_path)[1]
    assert "Test images: 1,000 (MNIST); 990 (CIFAR-100)" in markdown


def test_table_6_tells_stand_ins_and_shortens_names(tmp_path):
    names = ("Egyptian cat, tabby", "American lobster and more, x", *"abcdefgh")
    _, markdown, latex = _table6(_classes(synthetic=("mnist",), names=names, k=5), tmp_path)
    assert "| MNIST (synthetic stand-in) |" in markdown
    assert r"MNIST$^{\dagger}$" in latex
    assert "Data: synthetic stand-in." in markdown
    printed = {line[2] for line in _body(markdown)}
    assert {"Egyptian cat", "American lobster..."} <= printed


def test_table_6_prefers_logits(tmp_path):
    frame = pd.concat([_classes().assign(outputs="softmax", risk95=9.0), _classes()])
    assert "Outputs: logits." in _table6(frame, tmp_path)[1]
    assert "Outputs: softmax." in _table6(_classes().assign(outputs="softmax"), tmp_path)[1]


def test_a_class_called_na_stays_text(tmp_path):
    _, markdown, _ = _table6(_classes(k=2, names=("NA", "nan")), tmp_path)
    assert {line[2] for line in _body(markdown)} == {"NA", "nan"}


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot read"), ("", "cannot read"), ("task,label\nmnist,0\n", "beta_r"), ("header", "no rows")],
)
def test_an_unusable_table_of_classes_is_a_data_error(tmp_path, content, told):
    path = tmp_path / "per_class.csv"
    if content == "header":
        content = ",".join(CLASS_COLUMNS) + "\n"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=rf"per_class\.csv.*{told}|{told}.*per_class\.csv"):
        table6.write(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_number_that_is_none_is_a_data_error(tmp_path):
    frame = _classes().astype({"risk95": object})
    frame.loc[0, "risk95"] = "high"
    with pytest.raises(DataError, match="high"):
        _table6(frame, tmp_path)


def test_repeated_classes_and_mixed_sources_are_refused(tmp_path):
    frame = _classes()
    with pytest.raises(MixedResultsError, match="several results for task mnist"):
        _table6(pd.concat([frame, frame.iloc[:1]]), tmp_path)
    frame.loc[0, "source"] = "synthetic"
    with pytest.raises(MixedResultsError, match="mixes data sources"):
        _table6(frame, tmp_path)


# --- table 7 ------------------------------------------------------------------------------------------------------------


def _attributes(seeds=2, k=40, betas=(1.0, 3.0), failed=(), source="official"):
    generator = np.random.default_rng(12)
    rows = []
    for role, beta in (("honest", 0.0), *(("vicious", beta) for beta in betas)):
        for seed in range(seeds):
            told = {
                **{"dataset": "celeba", "task": "celeba", "role": role, "outputs": "logits", "beta_r": beta},
                **{"seed": seed, "source": source},
            }
            if (role, seed) in failed:
                rows.append(told | {"attribute": "", "n": 0, "status": "failed", "reason": "the loss; is nan"})
                continue
            for index in range(k):
                positives = 100 + 20 * index
                values = {
                    "accuracy": generator.uniform(0.7, 0.99),
                    "balanced": generator.uniform(0.5, 0.9),
                    "majority": 1 - positives / 2000,
                }
                row = told | {"attribute": f"Has_{index}", "n": 2000, "positives": positives, "status": "ok"}
                rows.append(row | values | {"reason": ""})
    return pd.DataFrame(rows, columns=list(ATTRIBUTE_COLUMNS))


def _table7(frame, tmp_path):
    frame.to_csv(tmp_path / "per_attribute.csv", index=False)
    paths = table7.write(tmp_path / "per_attribute.csv", tmp_path / "out")
    return tuple(path.read_text(encoding="utf-8") for path in paths)


def test_table_7_agrees_with_numpy_and_marks_what_is_below_the_majority(tmp_path):
    frame = _attributes()
    text, markdown, latex = _table7(frame, tmp_path)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["attribute"] for row in rows] == [f"Has_{index}" for index in range(40)]
    marked = 0
    for row, line in zip(rows, _body(markdown), strict=True):
        own = frame.loc[frame["attribute"] == row["attribute"]]
        honest = 100 * own.loc[own["role"] == "honest", "accuracy"].to_numpy()
        vicious = 100 * own.loc[(own["role"] == "vicious") & (own["beta_r"] == 1.0), "accuracy"].to_numpy()
        assert float(row["honest_accuracy_mean"]) == pytest.approx(np.mean(honest))
        assert float(row["vicious_accuracy_sd"]) == pytest.approx(np.std(vicious, ddof=1))
        assert float(row["difference_mean"]) == pytest.approx(np.mean(vicious - honest))
        assert float(row["difference_sd"]) == pytest.approx(np.std(vicious - honest, ddof=1))
        majority = float(row["majority"])
        assert majority == pytest.approx(100 * own["majority"].iloc[0])
        below = [name for name, values in (("honest", honest), ("vicious", vicious)) if np.mean(values) < majority]
        assert row["below_majority"] == line[-1] == ", ".join(below)
        marked += "honest" in below
    assert f"honest, {marked} of 40 attributes" in markdown
    assert "negatives/positives" in markdown
    assert "Has 39" in latex
    assert "mean over attributes" not in markdown


def test_table_7_tells_a_failed_seed(tmp_path):
    text, markdown, _ = _table7(_attributes(failed=(("honest", 1),)), tmp_path)
    assert markdown.count("(1 seed; 1/2 failed)") == 3 * 40, "plain, balanced, and the difference"
    assert "CelebA, honest (logits), seed 1: the loss, is nan" in markdown
    row = next(csv.DictReader(io.StringIO(text)))
    assert (row["honest_seeds"], row["honest_failed"], row["vicious_seeds"]) == ("1", "1", "2")
    assert row["difference_n"] == "1"
    vicious_only = _attributes().query("role == 'vicious'")
    assert {line[8] for line in _body(_table7(vicious_only, tmp_path)[1])} == {"–"}
    apart = _attributes(failed=(("honest", 1), ("vicious", 0)))
    assert {line[8] for line in _body(_table7(apart, tmp_path)[1])} == {"failed (2 of 2 seeds)"}


def test_table_7_keeps_models_that_failed_throughout(tmp_path):
    honest = (("honest", 0), ("honest", 1))
    _, markdown, _ = _table7(_attributes(failed=honest), tmp_path)
    assert {line[4] for line in _body(markdown)} == {"failed (2 of 2 seeds)"}
    assert {line[6] for line in _body(markdown)} == {"failed (2 of 2 seeds)"}, "balanced"
    assert {line[8] for line in _body(markdown)} == {"failed (2 of 2 seeds)"}, "the difference"
    assert "are named: honest, without a result; vicious, " in markdown
    _, markdown, _ = _table7(_attributes(failed=(*honest, ("vicious", 0), ("vicious", 1))), tmp_path)
    assert _body(markdown)[0][:2] == ["CelebA", "all"]
    assert markdown.count("failed (2 of 2 seeds)") == 2
    assert "honest, without a result; vicious, without a result" in markdown


def test_table_7_prints_each_value_in_its_column(tmp_path):
    frame = _attributes(seeds=1, k=1)
    frame.loc[frame["role"] == "honest", ["accuracy", "balanced"]] = [0.91, 0.62]
    frame.loc[frame["beta_r"] == 1.0, ["accuracy", "balanced"]] = [0.873, 0.584]
    frame[["positives", "majority"]] = [100, 0.88]
    _, markdown, _ = _table7(frame, tmp_path)
    values = ["5.0", "88.00", "91.00", "87.30", "62.00", "58.40", "-3.70", "vicious"]
    assert _body(markdown) == [["CelebA", "Has 0", *values]]


def test_table_7_calls_no_rounding_below_the_majority(tmp_path):
    frame = _attributes(seeds=3, k=1)
    share = next(v for v in np.arange(1, 1000) / 1000 if np.mean([v * 100] * 3) < v * 100)
    frame[["accuracy", "majority"]] = share
    text, markdown, _ = _table7(frame, tmp_path)
    assert next(csv.DictReader(io.StringIO(text)))["below_majority"] == ""
    assert "honest, 0 of 1 attributes; vicious, 0 of 1 attributes" in markdown
    one_image = frame.assign(accuracy=share - 1 / 20_000 / 3)
    assert "honest, 1 of 1 attributes" in _table7(one_image, tmp_path)[1]


def test_table_7_of_a_single_seed_on_stand_ins(tmp_path):
    _, markdown, _ = _table7(_attributes(seeds=1, source="synthetic"), tmp_path)
    assert not any("±" in cell for line in _body(markdown) for cell in line)
    for part in ("CelebA (synthetic stand-in)", "Data: synthetic stand-in.", "Seeds per model: 1.", "2,000"):
        assert part in markdown


def test_table_7_needs_attributes(tmp_path):
    with pytest.raises(DataError, match=r"per_attribute\.csv has no rows.*CelebA"):
        _table7(_attributes().iloc[:0], tmp_path)


def test_tables_have_the_same_bytes_twice_and_latex_that_is_ascii(tmp_path):
    for make, frame in ((_table6, _classes(("mnist", "cifar100"), k=12)), (_table7, _attributes())):
        one, two = make(frame, tmp_path), make(frame, tmp_path)
        assert one == two
        assert one[2].isascii()
        body = one[2].split(r"\midrule")[1].split(r"\bottomrule")[0]
        columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", one[2])[1]
        lines = [line for line in body.splitlines() if "&" in line]
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(columns) - 1}


def test_settings_tell_tasks_apart():
    table = pd.DataFrame(
        {
            **{"task": ["mnist", "celeba"], "source": ["official", "synthetic"], "outputs": ["logits", "logits"]},
            **{"beta_r": [1.0, np.nan], "honest_seeds": [2, 1], "honest_failed": [1, 0]},
        }
    )
    told = at_risk.settings(table, ("honest",), {"mnist": 10_000, "celeba": 0})
    assert told == (
        "Data: official (MNIST); synthetic stand-in (CelebA). Test images: 10,000. "
        "Seeds per model: 3 (MNIST); 1 (CelebA). Outputs: logits. "
        "Weight of the reconstruction loss in vicious training: beta_R = 1."
    )


# --- figure 11 ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def curves(tmp_path):
    """Writes training curves with their records; returns the CSVs."""

    def write(tasks=("mnist",), seeds=2, betas=(1.0,), outputs=("logits",), epochs=5, failed=(), synthetic=()):
        files = []
        for task in tasks:
            models = [("honest", None, 0.0), *(("posthoc", kind, 0.0) for kind in outputs)]
            models += [("vicious", kind, beta) for kind in outputs for beta in betas]
            models += [("autoencoder", kind, 1.0) for kind in outputs]
            for role, kind, beta in models:
                for seed in range(seeds):
                    folder = tmp_path / "models" / task / f"{role}-{kind}-{beta:g}" / f"seed{seed}"
                    ended = {(t, r, s): e for t, r, s, e in failed}.get((task, role, seed))
                    source = "synthetic" if task in synthetic else "official"
                    record = {
                        **{"dataset": task.split("-")[0], "task": task, "source": source, "role": role},
                        **{"outputs": kind, "beta_r": beta, "schedule": {"seed": seed, "epochs": epochs}},
                        **({"selected_epoch": max(1, epochs - 1)} if ended is None else {"failure": "loss is nan"}),
                    }
                    files.append(_curve(folder, record, epochs if ended is None else ended))
        return files

    return write


def _curve(folder, record, epochs):
    folder.mkdir(parents=True, exist_ok=True)
    epoch = np.arange(1, epochs + 1)
    fall, role = np.exp(-epoch / 3), record["role"]
    columns = {"epoch": epoch, "train_loss": fall + 0.1}
    if role in ("vicious", "autoencoder"):
        columns |= {"train_classification": 2 * fall + 0.1, "train_reconstruction": fall + 0.3}
    if role in ("honest", "vicious"):
        columns["validation_accuracy"] = 0.9 - fall / 2
    if role != "honest":
        columns |= {"validation_ssim": 0.7 - fall, "validation_mse": fall}
    columns["selection"] = fall
    file = folder / ("posthoc-logits.csv" if role == "posthoc" else "target.csv")
    # As training writes it: a curve without an epoch has the one column.
    pd.DataFrame(columns if epochs else {"epoch": []}).to_csv(file, index=False)
    write_json(file.with_suffix(".json"), record)
    return file


def _lines(ax):
    return [line for line in ax.lines if line.get_marker() == "None"]


def test_figure_11_shows_each_seeds_values_and_its_selected_epoch(curves):
    figure = figure11.figure11(figure11.load_curves(curves()))
    assert [ax.get_title() for ax in figure.axes] == [panel.title for panel in figure11._PANELS]
    # Panels: honest and vicious; then the three kinds of attack.
    assert [len(_lines(ax)) for ax in figure.axes] == [4, 6, 4, 6]
    fall = np.exp(-np.arange(1, 6) / 3)
    np.testing.assert_allclose(_lines(figure.axes[0])[0].get_ydata(), 100 * (0.9 - fall / 2), rtol=1e-6)
    # The loss of an honest model is L_C, that of a post-hoc attack L_R; a vicious model's is split.
    classification, reconstruction = ([line.get_ydata() for line in _lines(figure.axes[index])] for index in (2, 3))
    np.testing.assert_allclose(classification, [fall + 0.1] * 2 + [2 * fall + 0.1] * 2, rtol=1e-6)
    np.testing.assert_allclose(reconstruction, [fall + 0.1] * 2 + [fall + 0.3] * 4, rtol=1e-6)
    dots = [line.get_xdata() for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [list(dot) for dot in dots] == [[4]] * 4


def test_figure_11_of_six_tasks_is_legible_and_names_failures(made_up, curves, tmp_path):
    failed = (("cifar10", "vicious", 1, 2), *(("celeba", "honest", seed, 0) for seed in range(2)))
    files = curves(made_up.ALL, 2, (1.0, 3.0), ("logits", "softmax"), failed=failed, synthetic=("cifar100",))
    found = figure11.load_curves(files)
    figure = figure11.figure11(found)
    _check_legible(figure)
    assert figure.get_size_inches()[1] < 9
    words = _words(figure)
    for part in ("CIFAR-100\n(synthetic stand-in)", "Failed: CIFAR-10, vicious", "CelebA, honest, seed 0, 1"):
        assert part in words
    assert "reads softmax" in words
    told = figure11.caption(found)
    assert "CIFAR-10, vicious (logits, beta_R = 1), seed 1: loss is nan" in told
    assert "synthetic stand-in (CIFAR-100)" in told
    assert "beta_R = 1, 3." in told


def test_figure_11_draws_a_failed_training_as_far_as_it_went(curves):
    figure = figure11.figure11(figure11.load_curves(curves(failed=(("mnist", "vicious", 0, 2),))))
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert [list(np.atleast_1d(line.get_xdata())) for line in crosses] == [[2]]
    assert sorted(len(line.get_xdata()) for line in _lines(figure.axes[0])) == [2, 5, 5, 5]
    assert "failed" in _words(figure)


def test_figure_11_shows_a_single_epoch_as_a_point(curves):
    figure = figure11.figure11(figure11.load_curves(curves(seeds=1, epochs=1, synthetic=("mnist",))))
    _check_legible(figure)
    for ax in figure.axes:
        assert [line.get_markersize() for line in ax.lines if line.get_marker() == "o"]
        assert all(tick == int(tick) for tick in ax.get_xticks())
    assert _words(figure).count("synthetic") == 1


def test_figure_11_draws_when_everything_failed_at_once(curves, tmp_path):
    failed = tuple(("mnist", role, 0, 0) for role in ("honest", "posthoc", "vicious", "autoencoder"))
    files = curves(seeds=1, failed=failed)
    figure = figure11.figure11(figure11.load_curves(files))
    _check_legible(figure)
    assert all("failed" in [text.get_text() for text in ax.texts] for ax in figure.axes)
    written = figure11.write(files, tmp_path / "out")
    assert [path.name for path in written] == ["figure11.pdf", "figure11.png", "figure11.md"]


def test_figure_11_says_what_was_not_trained(curves):
    files = [file for file in curves() if "honest" in str(file)]
    figure = figure11.figure11(figure11.load_curves(files))
    assert [text.get_text() for text in figure.axes[1].texts] == ["not run"]


def test_figure_11_leaves_out_values_that_are_none(curves):
    files = curves(seeds=1)
    frame = pd.read_csv(files[0]).astype(float)
    frame.loc[1, "validation_accuracy"] = np.nan
    frame.to_csv(files[0], index=False)
    figure = figure11.figure11(figure11.load_curves(files))
    assert sorted(len(line.get_xdata()) for line in _lines(figure.axes[0])) == [4, 5]


def test_figure_11_has_the_same_bytes_twice(curves, tmp_path):
    files = curves(seeds=1)
    one, two = (figure11.write(order, tmp_path / name) for name, order in (("a", files), ("b", files[::-1])))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_figure_11_refuses_a_curve_given_twice_and_mixed_sources(curves):
    files = curves()
    with pytest.raises(MixedResultsError, match="two training curves of MNIST, honest, seed 0"):
        figure11.load_curves([*files, files[0]])
    record = json.loads(files[0].with_suffix(".json").read_text())
    write_json(files[0].with_suffix(".json"), record | {"source": "synthetic"})
    with pytest.raises(MixedResultsError, match="mix data sources"):
        figure11.load_curves(files)


def test_figure_11_needs_a_curve():
    with pytest.raises(DataError, match="no training curve"):
        figure11.load_curves([])


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".csv", None),
        (".csv", ""),
        (".csv", "epoch,train_loss\n1,low\n"),
        (".csv", "train_loss\n1\n"),
        (".csv", "epoch,train_loss\n1,2\n"),
        (".json", None),
        (".json", "{"),
        (".json", "[]"),
        (".json", '{"task": "mnist"}'),
    ],
)
def test_a_damaged_curve_or_record_is_a_data_error_with_its_name(curves, suffix, content):
    file = curves()[0].with_suffix(suffix)
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(DataError, match=rf"target\{suffix}.*run `snakemake` again"):
        figure11.load_curves([file.with_suffix(".csv")])


def test_an_unknown_role_is_a_data_error(curves):
    file = curves()[0]
    record = json.loads(file.with_suffix(".json").read_text())
    write_json(file.with_suffix(".json"), record | {"role": "kind"})
    with pytest.raises(DataError, match="unknown role kind"):
        figure11.load_curves([file])
