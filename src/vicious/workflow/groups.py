"""Which jobs share one that is submitted to a cluster, for the clusters' profiles. One machine needs no groups."""

from vicious.steps import commands, step_class
from vicious.study.artifacts import artifact_step, known


def groups() -> dict[str, str]:
    """The group of each rule that has one, which may hold wildcards of the rule."""
    kinds = [*map(step_class, commands()), *map(artifact_step, known())]
    return {kind.rule(): kind.GROUP for kind in kinds if kind.GROUP is not None}
