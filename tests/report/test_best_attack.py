"""Every table and figure of attacks shows the best one, once, where there is one; else the original's, and says so."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from legible import check_legible
from placed import place
from report.made_up_assessments import writer
from report.made_up_study import AUTOENCODER, HONEST, VICIOUS, with_best

from vicious.report import curves, frames, galleries
from vicious.report.figures import accuracy_risk_plane, attack_galleries, extreme_images, gallery, tradeoff_curves
from vicious.report.headline import one_of_each
from vicious.results.assessments import read_assessments
from vicious.results.schema import ATTACK_OF, MEASURES, PER_CLASS
from vicious.study import artifacts
from vicious.system import registry
from vicious.system.errors import DataError

COMPARISONS = (
    *("main_table", "tradeoff_table", "attribute_sets_table", "class_counts_table", "merged_classes_table"),
    "attack_models_table",
)
"""Tables that show the original's attacks and the best one."""
ORIGINALS = ("shortcuts_table", "estimator_agreement")
"""Artifacts that show the original's attacks alone."""
OF_BEST = (
    *("estimators_table", "class_risk_table", "adaptive_table", "mitigations_table", "gallery", "accuracy_risk_plane"),
    *("attack_galleries", "tradeoff_curves", "attribute_sets_curves", "class_counts_curves", "risk_profile"),
    *("risk_distributions", "extreme_images", "evasion_cost", "mitigation_leaks"),
    "merged_classes_curves",
)
WITHOUT = (
    *("attributes_accuracy_table", "detection_table", "thresholds_table", "detector_scores", "training_curves"),
    *("roc_curves", "all_detectors", "membership_table"),
)
"""Artifacts of target models: no attack is in them but trainings."""
OF_EACH = ("attackers_table",)
"""Artifacts that show every attack and no best one."""


@pytest.fixture(scope="module")
def written(
    made_up: ModuleType, servers: ModuleType, study: Any, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Any]:
    """Writes an artifact from results with or without the best attack; returns its folder and its summary."""

    def write(name: str, best: bool) -> tuple[Path, Any]:
        folder = tmp_path_factory.mktemp(name)
        artifact = artifacts.known()[name]
        change: Callable[[pd.DataFrame], pd.DataFrame] = made_up.with_best if best else (lambda frame: frame)
        models = (HONEST, VICIOUS, AUTOENCODER)
        summary: Callable[[], pd.DataFrame] = {
            "defense": lambda: servers.summary(made_up, ("mnist",), seeds=2),
            "mitigations": lambda: made_up.mitigations(("mnist",), ("logits", "label"), 2, trained_for=()),
        }.get(artifact.experiment, lambda: made_up.summary(("mnist",), 2, autoencoder=("logits",)))
        inputs: dict[str, Any] = {}
        if {"estimators", "agreement"} & {*artifact.inputs} or name in ("risk_distributions", "shortcuts_table"):
            case = study(tasks=("mnist",), models=with_best(*models) if best else models, seeds=2, images=60)
            inputs = {"estimators": case.estimators, "agreement": case.agreement, "summary": case.summary}
            inputs["assessments"] = case.files
        elif "assessments" in artifact.inputs:
            inputs = {"assessments": writer(folder)(best=best)}
        elif "classes" in artifact.inputs:
            inputs = {"classes": _csv(change(_classes()), folder / "per_class.csv")}
        else:
            frame = change(summary())
            inputs = {"summary": _csv(frame, folder / "summary.csv")}
            if "comparisons" in artifact.inputs:
                inputs["comparisons"] = _csv(made_up.comparisons(frame), folder / "comparisons.csv")
            if "detection" in artifact.inputs:
                inputs["detection"] = _csv(servers.detection(("mnist",), 2, 2), folder / "detection.csv")
        module = registry.find(artifact.package, name, "write")
        module.write(**{key: inputs[key] for key in artifact.inputs}, out=place(module, folder / "out"))
        return folder / "out", pd.read_csv(inputs["summary"]) if "summary" in inputs else None

    return write


def _csv(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False)
    return path


def _classes() -> pd.DataFrame:
    """Rows of per_class.csv."""
    generator, rows = np.random.default_rng(5), []
    for role, attack, beta in (("honest", "posthoc", 0.0), ("vicious", "joint", 1.0)):
        told: dict[str, Any] = {
            "dataset": "mnist",
            "task": "mnist",
            "role": role,
            "attack": attack,
            "outputs": "logits",
        }
        told |= {"beta_r": beta, "seeds": 2, "failed": 0, "reason": "", "source": "official", "n": 200}
        for label in range(10):
            rows.append(told | {"label": label, "label_name": str(label)} | dict.fromkeys(MEASURES, 0.5))
            rows[-1] |= {"risk95": generator.normal(1.0, 0.1)} | {f"{name}_sd": 0.01 for name in MEASURES}
    return pd.DataFrame(rows, columns=list(PER_CLASS.columns)).astype({"label": "Int64"})


def _words(folder: Path) -> str:
    """Caption and notes of all parts, in lower case; tables without their lines."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.md"))]
    return "\n".join(line for text in texts for line in text.splitlines() if not line.startswith("|")).lower()


def _rows(folder: Path) -> list[dict[str, str]]:
    (file,) = folder.glob("*.csv")
    return list(csv.DictReader(file.open(encoding="utf-8")))


def test_every_artifact_is_known_here() -> None:
    assert sorted((*COMPARISONS, *ORIGINALS, *OF_BEST, *WITHOUT, *OF_EACH)) == sorted(artifacts.known())


@pytest.mark.parametrize("name", OF_BEST)
def test_the_best_attack_is_shown_and_named(written: Any, name: str) -> None:
    folder, _ = written(name, True)
    words = _words(folder)
    assert "best attack" in words
    assert "reads the most from validation images" in words
    assert not re.search("post-hoc|joint|upper bound", words)
    for file in folder.glob("*.csv"):
        assert {row["attack"] for row in csv.DictReader(file.open()) if "attack" in row} <= {"best"}


@pytest.mark.parametrize("name", [*OF_BEST, *ORIGINALS])
def test_without_one_the_originals_attacks_are_shown(written: Any, name: str) -> None:
    folder, _ = written(name, False)
    words = _words(folder)
    assert "validation images" not in words
    assert "upper bound" not in words
    told = "better, by psnr" if name in ("adaptive_table", "evasion_cost") else "original study"
    assert "best attack" not in words or told in words
    for file in folder.glob("*.csv"):
        assert {row["attack"] for row in csv.DictReader(file.open()) if "attack" in row} <= {"posthoc", "joint"}


@pytest.mark.parametrize("name", ORIGINALS)
def test_what_cannot_be_of_the_best_attack_is_of_the_originals(written: Any, name: str) -> None:
    one, two = (written(name, best)[0] for best in (True, False))
    files = [file for file in sorted(one.iterdir()) if file.suffix != ".pdf"]
    assert "original study's attacks" in _words(one)
    assert [file.read_bytes() for file in files] == [(two / file.name).read_bytes() for file in files]


@pytest.mark.parametrize("name", [name for name in COMPARISONS if name != "attack_models_table"])
def test_tables_of_experiments_compare_both(written: Any, name: str) -> None:
    attacks = [row["attack"] for row in _rows(written(name, True)[0])]
    assert (attacks.count("best"), attacks.count("posthoc"), attacks.count("joint")) == (3, 1, 2)
    assert "best" not in {row["attack"] for row in _rows(written(name, False)[0])}


def test_numbers_of_tables_are_those_of_the_best_attack(written: Any) -> None:
    folder, summary = written("estimators_table", True)
    best = summary.loc[summary["attack"] == "best"].groupby("role")["risk"].mean()
    for row in _rows(folder):
        if row["estimator"] == frames.PUBLISHED:
            assert float(row["risk_mean"]) == pytest.approx(best[row["role"]], rel=1e-5)
    for name in ("adaptive_table", "mitigations_table"):
        folder, summary = written(name, True)
        best = summary.loc[(summary["attack"] == "best") & (summary["role"] == "honest")]
        honest = {row["outputs"]: float(row["psnr_mean"]) for row in _rows(folder) if "honest" in row.values()}
        assert honest == pytest.approx(best.groupby("outputs")["psnr"].mean().to_dict())
    rows = _rows(written("class_risk_table", True)[0])
    assert len(rows) == 10
    for row in rows:
        assert float(row["honest_psnr_mean"]) == float(row["vicious_psnr_mean"]) == 1.5


def test_curves_and_points_are_those_of_the_best_attack(made_up: ModuleType) -> None:
    plain = made_up.summary(("mnist",), 2, (0.3, 3.0))
    best = frames.groups(made_up.with_best(plain))
    assert {group.attack for group in best} == {"best"}
    figure = accuracy_risk_plane.draw(made_up.with_best(plain))
    check_legible(figure)
    assert figure.legends[0].get_title().get_text() == "best attack on every model"
    assert next(iter(figure.legends[0].get_texts())).get_text() == "honest"
    drawn = [np.asarray(line.get_xdata())[0] for line in figure.axes[1].lines if line.get_marker() in ("o", "^")]
    assert drawn == pytest.approx([group.over_seeds("risk95").mean for group in best])
    ax = curves.draw(tradeoff_curves.SUBJECT, made_up.with_best(plain)).axes[1]
    found = [np.asarray(line.get_ydata()) for line in ax.lines if line.get_marker() == "^"]
    (points,) = [values for values in found if len(values)]
    vicious = [group for group in best if group.role == "vicious"]
    assert points.tolist() == pytest.approx([group.over_seeds("psnr").mean for group in vicious])
    assert not accuracy_risk_plane.draw(plain).legends[0].get_title().get_text()


def test_images_are_those_of_the_attack_that_was_chosen(assessed: Any) -> None:
    files = assessed(best=True)
    names = {one.gallery: one.record["attack"] for one in read_assessments(files)}
    by_psnr, by_risk95 = (one_of_each(galleries.read_galleries(files, measure)) for measure in ("psnr", "risk95"))
    assert set(by_psnr["attack"]) == set(by_risk95["attack"]) == {"best"}
    assert [names[file] for file in by_psnr["gallery"]] == ["posthoc-kernel_ridge"] * 3
    assert [names[file] for file in by_risk95["gallery"]] == list(ATTACK_OF.values())
    with pytest.raises(DataError, match="give the assessment of that attack, too"):
        galleries.read_galleries([file for file in files if file.name == "risk-best-logits.json"])


def test_r95_below_a_row_is_that_of_the_images_in_it(assessed: Any) -> None:
    shown = one_of_each(galleries.read_galleries(assessed(best=True)))
    rows = attack_galleries.load_rows("mnist", [("one", shown["gallery"].iloc[0])])
    shown_rows: Any = rows[0].gallery
    assert list(shown_rows.risk95) == [2.0, 3.0, 4.0, 5.0], "of the other attack, whose R95 is larger by 2"


def test_galleries_say_whose_images_they_show(assessed: Any, tmp_path: Path) -> None:
    files = assessed(best=True)
    for module, measure in ((gallery, "PSNR"), (attack_galleries, "PSNR"), (extreme_images, "R95")):
        text = module.write(files, place(module, tmp_path / module.__name__))[-1].read_text(encoding="utf-8")
        assert f"Shown here: the one for {measure}." in text
