"""What tables 9 and 10 share: telling datasets with their source, and the settings and failures of the models judged."""

from collections.abc import Sequence

import pandas as pd

from vicious.errors import MixedResultsError
from vicious.report import frames


def with_titles(frame: pd.DataFrame, summary: pd.DataFrame, named: Sequence[str] = ("dataset",)) -> pd.DataFrame:
    """Rows in the catalogue's order of ``dataset``, with its ``title`` and data ``source``.

    Args:
        frame: rows that name datasets in the columns ``named``.
        summary: the main comparison's summary, which knows their sources.

    Raises:
        MixedResultsError: the summary lacks one of them.
    """
    source = {str(row.dataset): str(row.source) for row in summary.itertuples()}
    unknown = sorted({name for column in named for name in frame[column]} - set(source))
    if unknown:
        raise MixedResultsError(f"the summary has no {', '.join(unknown)}: run the steps that write both again")
    order = frame["dataset"].map(lambda name: frames.order(name)[0])
    told = frame.assign(title=frame["dataset"].map(frames.title), source=frame["dataset"].map(source), _order=order)
    return told.sort_values("_order", kind="stable").drop(columns="_order").reset_index(drop=True)


def settings(summary: pd.DataFrame) -> str:
    """Sentences for a caption, of the models that detectors judge."""
    return frames.settings(summary.loc[summary["role"].isin(("honest", "vicious"))])


def failures(summary: pd.DataFrame) -> list[str]:
    """Why models were not judged, a line for each."""
    return frames.failures(group for group in frames.groups(summary) if group.role != "autoencoder")
