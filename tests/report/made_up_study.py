"""A study from made-up assessments through the project's own summaries."""

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from placed import place

from vicious.report import frames
from vicious.report.estimators import read_estimators
from vicious.report.figures import estimator_agreement, risk_distributions, risk_profile
from vicious.report.tables import estimators_table, shortcuts_table
from vicious.results.agreement import write_estimators
from vicious.results.assessments import read_assessments
from vicious.results.schema import AGREEMENT, ESTIMATORS_OF_ONE, IN_SUMMARY, MEDIANS, SUMMARY, read_table
from vicious.results.summaries import write_summary
from vicious.system.files import write_json

HONEST = ("honest", "posthoc", "logits", 0.0)
VICIOUS = ("vicious", "joint", "logits", 1.0)
STRONGER = ("vicious", "joint", "logits", 3.0)
AUTOENCODER = ("autoencoder", "joint", "logits", 1.0)
GAINS = {HONEST: 0.12, VICIOUS: 0.35, STRONGER: 0.5, AUTOENCODER: 0.8}
BETTER = 0.2
"""What the best attack gains on every model."""
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 1.0)
SETTINGS = (
    *((f"share {share:g}", "share", share, share) for share in SHARES),
    *((f"truncated {cut:g}", "truncated", cut, 1 - cut * 1000) for cut in (2.2e-16, 1e-10, 1.2e-7, 1e-6, 1e-5)),
    *((f"ridge {ridge:g}", "ridge", ridge, 1.0) for ridge in (1e-4, 1e-3, 1e-2, 1e-1, 1.0)),
    ("ledoit_wolf", "ledoit_wolf", math.nan, 1.0),
    ("identity", "identity", math.nan, 1.0),
)
ALL = ("mnist", "fashion_mnist", "cifar10", "cifar100", "tiny_imagenet", "celeba")
NAMES = [name for name, *_ in SETTINGS]


def with_best(*models: Any) -> tuple[Any, ...]:
    """Some models under the original's attacks, under another one, and under the best."""
    others = [(role, attack, *rest) for attack in ("posthoc-kernel_ridge", "best") for role, _, *rest in models]
    return (*models, *others)


def _gain(model: Any) -> float:
    role, attack, _, beta_r = model
    own = next(gain for known, gain in GAINS.items() if (known[0], known[3]) == (role, beta_r))
    return own if attack in ("posthoc", "joint") else own + BETTER


def position(kind: Any, parameter: Any, share: Any) -> Any:
    """How much of the small components an estimator lets count: the more, the less R follows image quality."""
    return {"share": -np.log10(max(1 - share, 1e-5)), "truncated": -0.35 * np.log10(parameter + 1e-16)}.get(
        kind, {"ridge": 1.6 - 0.7 * np.log10(parameter or 1), "ledoit_wolf": 4.0, "identity": 0.0}.get(kind)
    )


class Study:
    def __init__(
        self,
        folder: Path,
        assessment: Any,
        tasks: Any = ("mnist", "cifar10"),
        models: Any = (HONEST, VICIOUS, AUTOENCODER),
        seeds: int = 3,
        failed: Any = (),
        synthetic: Any = (),
        images: int = 260,
        own: bool = False,
    ) -> None:
        """``own``: not shared with other tests, so that a test may damage it."""
        self.folder, self.assessment = folder, assessment
        self.files: list[Path] = []
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

    def _add(self, task: str, model: Any, seed: int, reason: str, source: Any, images: Any) -> None:
        role, attack, outputs, beta_r = model
        frame = _images(task, _gain(model), seed, 0 if reason else images)
        record = self.assessment(task, model, seed, reason, images, source=source)
        if not reason:
            measures = ("accuracy", "mse", "psnr", "ssim", "risk", "risk95")
            record |= {name: float(frame[name].mean()) for name in measures}
            record |= {"risk_class_mean": 1.02, "risk95_class_mean": 1.05, "psnr_class_mean": 12.0}
            record |= {name: 0.1 for name in (*IN_SUMMARY, "top1_class_mean") if name not in measures}
            record |= dict.fromkeys(MEDIANS, 5.0)
            record |= {"n": images, "risk_estimator": "truncated 1.2e-07", "risk95_estimator": "share 0.95"}
            record |= {"pixels": 1024, "covariance_images": 60_000}
        file = self.folder / task / f"{role}-{outputs}-{beta_r:g}" / f"seed{seed}" / f"risk-{attack}.json"
        write_json(file, record)
        frame.to_parquet(file.with_suffix(".parquet"))
        rows = [] if reason else [_profile(frame, *setting) for setting in SETTINGS]
        pd.DataFrame(rows, columns=list(ESTIMATORS_OF_ONE.columns)).to_csv(
            file.with_name(f"estimators-{attack}.csv"), index=False
        )
        self.files.append(file)

    def write(self, out: Path) -> list[Any]:
        return [
            *estimators_table.write(self.estimators, self.agreement, self.summary, place(estimators_table, out)),
            *shortcuts_table.write(self.files, place(shortcuts_table, out)),
            *risk_profile.write(self.estimators, self.summary, place(risk_profile, out)),
            *estimator_agreement.write(self.agreement, self.summary, place(estimator_agreement, out)),
            *risk_distributions.write(self.files, place(risk_distributions, out)),
        ]

    @cached_property
    def figures(self) -> tuple[Figure, Figure, Figure]:
        """The figures of the risk, drawn once."""
        summary = read_table(SUMMARY, self.summary)
        estimators, agreement = read_estimators(self.estimators), read_table(AGREEMENT, self.agreement)
        found = read_assessments(self.files)
        return (
            risk_profile.draw(estimators, summary),
            estimator_agreement.draw(agreement, summary),
            risk_distributions.draw(risk_distributions.load_rows(found, summary), summary),
        )

    def numbers(self) -> Any:
        """Those of the table of estimators, and the summary."""
        summary = read_table(SUMMARY, self.summary)
        return estimators_table.numbers(
            read_estimators(self.estimators), read_table(AGREEMENT, self.agreement), summary
        ), summary


def _images(task: str, gain: Any, seed: int, n: int) -> pd.DataFrame:
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


def _profile(frame: Any, name: str, kind: Any, parameter: Any, share: Any) -> dict[Any, Any]:
    return {
        **{"estimator": name, "kind": kind, "parameter": parameter},
        **{"rank": 1 + int(1000 * share**9), "pixels": 1024, "share": share},
        **{"risk": frame[name].astype(float).mean(), "risk_class_mean": 1.0 + 0.1 * (1 - share)},
        **{"risk_float32": frame[name].mean() * 1.01, "error_outside": 0.3 * (1 - share)},
    }


def _failed(*cells: Any, seeds: int = 3) -> list[Any]:
    return [(*cell, seed) for cell in cells for seed in range(seeds)]


def all_seeds(*cells: Any, seeds: int = 3) -> list[Any]:
    """The failures of all seeds of some (task, model)."""
    return [(*cell, seed) for cell in cells for seed in range(seeds)]


def texts(case: Any, change: Any = lambda summary: summary) -> dict[Any, Any]:
    """Captions and notes by artifact, of a summary that is changed."""
    summary = change(read_table(SUMMARY, case.summary))
    estimators, agreement = read_estimators(case.estimators), read_table(AGREEMENT, case.agreement)
    rows = risk_distributions.load_rows(read_assessments(case.files), summary)
    return {
        "estimators_table": str(
            estimators_table.text(estimators_table.numbers(estimators, agreement, summary), summary)
        ),
        "shortcuts_table": str(shortcuts_table.text(summary)),
        "risk_profile": str(risk_profile.text(estimators, summary)),
        "estimator_agreement": str(estimator_agreement.text(agreement, summary)),
        "risk_distributions": str(risk_distributions.text(rows, summary)),
    }
