"""Which models stand for a task where a table or figure has room for few."""

import pandas as pd

from vicious.report import frames
from vicious.study.grid import Role


def one_of_each(summary: pd.DataFrame) -> pd.DataFrame:
    """Of each model and attack that tables and figures report, the row of the first seed, in their order."""
    return pd.concat([group.rows.iloc[:1] for group in frames.groups(summary)], ignore_index=True)


def of_roles(summary: pd.DataFrame, *roles: Role) -> pd.DataFrame:
    """Of each task and some roles, the row of the first seed of the :func:`headline`."""
    shown = headline(one_of_each(summary))
    return shown.loc[shown["role"].isin(roles)]


def headline(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each task, the rows of one kind of outputs, logits where there are any, and of the smallest beta_R.

    Rows have the columns ``task``, ``role``, ``outputs`` and ``beta_r``; beta_R matters for vicious models only.
    Results have no say in the choice: the smallest beta_R stands for a task, as failed, even where all its seeds failed
    and a larger one succeeded.
    """
    kept = [rows.iloc[:0]]
    for _, here in rows.groupby("task", sort=False):
        kinds = sorted(set(here["outputs"]))
        chosen = here.loc[here["outputs"] == ("logits" if "logits" in kinds else kinds[0])]
        vicious = chosen["role"] == "vicious"
        kept.append(chosen.loc[~vicious | (chosen["beta_r"] == chosen.loc[vicious, "beta_r"].min())])
    return pd.concat(kept, ignore_index=True)
