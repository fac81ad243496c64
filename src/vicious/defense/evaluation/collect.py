"""Join the scores of all models, and say which verdicts failed. Reads scores, never models."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from vicious.defense.evaluation.combined import NAME, combined
from vicious.defense.evaluation.groups import names
from vicious.defense.evaluation.separation import separation
from vicious.defense.evaluation.thresholds import flagged
from vicious.results.schema import AGAIN, DETECTION, FLAGGED, SEPARATION, read_table


def failed_verdicts(file: Path) -> list[str]:
    """A line for each model and reason why verdicts in a detection.csv have no score."""
    scores = read_table(DETECTION, file)
    failed = scores.loc[scores["score"].isna() & (scores["detector"] != NAME)]
    same = ["task", "group", "beta_r", "seed", "reason"]
    counts = failed.assign(group=names(failed)).groupby(same, sort=False).size().reset_index(name="count")
    return [
        f"{row['task']}, {row['group']} (beta_R {row['beta_r']:g}), seed {int(row['seed'])}: {row['count']} verdicts "
        f"without a score: {row['reason']}"
        for row in counts.to_dict("records")
    ]


def collect_detection(files: Iterable[Path], scores_out: Path, separation_out: Path, flagged_out: Path) -> None:
    """Join all scores, add :func:`combined`, and write them, their :func:`separation` and :func:`flagged`.

    ``files`` are CSVs written by :func:`vicious.defense.evaluation.evaluate.evaluate_defense`.
    """
    scores = pd.concat([read_table(DETECTION, file, AGAIN) for file in files], ignore_index=True)
    scores = pd.concat([scores, combined(scores)], ignore_index=True)
    DETECTION.write(scores, scores_out)
    SEPARATION.write(separation(scores), separation_out)
    FLAGGED.write(flagged(scores), flagged_out)
