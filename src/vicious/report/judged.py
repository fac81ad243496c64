"""What tables and figures of detectors share: datasets with their source, settings and failures of the models judged,
and the detectors that figures show in colour."""

from collections.abc import Iterable, Sequence

import pandas as pd

from vicious.report import frames
from vicious.system.errors import MixedResultsError

SHOWN = {
    "linear_decodability": "#000000",
    "gap_decodability": "#882255",
    "distance_correlation": "#E69F00",
    "own_decoder": "#56B4E9",
    "effective_rank": "#009E73",
    "combined": "#CC79A7",
}
"""Detectors that figures tell apart, with their colours: none of honest or vicious models."""

SAMPLES = "Samples of one size share no images, unless together they have more than there are test images."
"""A sentence for captions."""


def words(detector: str) -> str:
    """A detector's name for readers."""
    return detector.replace("_", " ")


def sources(summary: pd.DataFrame, named: Iterable[str]) -> dict[str, str]:
    """The data source of each dataset of the summary, which must know those ``named``.

    Raises:
        MixedResultsError: it lacks one of them.
    """
    source = {str(row.dataset): str(row.source) for row in summary.itertuples()}
    unknown = sorted(set(named) - set(source))
    if unknown:
        raise MixedResultsError(f"the summary has no {', '.join(unknown)}: run the steps that write both again")
    return source


def with_titles(frame: pd.DataFrame, summary: pd.DataFrame, named: Sequence[str] = ("dataset",)) -> pd.DataFrame:
    """Rows in the catalogue's order of ``dataset``, with its ``title`` and data ``source``.

    Args:
        frame: rows that name datasets in the columns ``named``.
        summary: the main comparison's summary, which knows their sources.

    Raises:
        MixedResultsError: the summary lacks one of them.
    """
    source = sources(summary, (name for column in named for name in frame[column]))
    order = frame["dataset"].map(lambda name: frames.order(name)[0])
    told = frame.assign(title=frame["dataset"].map(frames.title), source=frame["dataset"].map(source), _order=order)
    return told.sort_values("_order", kind="stable").drop(columns="_order").reset_index(drop=True)


def conditions(summary: pd.DataFrame) -> str:
    """Sentences for a caption, of the models that detectors judge."""
    return frames.conditions(summary.loc[summary["role"].isin(("honest", "vicious"))])


def failures(summary: pd.DataFrame) -> list[str]:
    """Why models were not judged, a line for each."""
    return frames.failures(group for group in frames.groups(summary) if group.role != "autoencoder")
