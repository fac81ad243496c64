"""Assessments made by hand: for each attack a summary, and beside it a Parquet with a row per test image."""

from pathlib import Path
from typing import Any

import pandas as pd

from vicious.system.files import write_json

HONEST = ("honest", "posthoc", "logits", 0.0)
VICIOUS = ("vicious", "joint", "logits", 1.0)
AUTOENCODER = ("autoencoder", "joint", "logits", 1.0)


class Writer:
    """Writes assessments below a folder, and knows their summaries; each test file makes its own records and frames."""

    def __init__(self, folder: Path, assessment: Any) -> None:
        self.folder, self.assessment = folder, assessment
        self.files: list[Path] = []

    def write(self, record: dict[str, Any], frame: pd.DataFrame, **changes: Any) -> Path:
        """Write a record, with changes, and the frame of its images; the summary's path."""
        model = f"{record['task']} {record['role']} {record['outputs']} {record['beta_r']:g}"
        file = self.folder / model / f"seed{record['seed']}" / f"risk-{record['attack']}.json"
        if record["status"] == "ok":
            record |= {"n": len(frame), "risk_estimator": "truncated", "risk95_estimator": "share 0.95"}
        write_json(file, record | changes)
        frame.to_parquet(file.with_suffix(".parquet"))
        self.files.append(file)
        return file
