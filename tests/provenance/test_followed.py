"""What a run is expected to make, and how long it takes: the plan's costs, corrected by records."""

from io import StringIO

import pytest
from records_by_hand import build

from vicious.provenance.followed import expected, viewed
from vicious.study.plan import Plan
from vicious.workflow.budget import SMALL
from vicious.workflow.shown import Log

pytestmark = pytest.mark.usefixtures("empty_project")


def jobs(plan: Plan) -> list[tuple[str, dict[str, str]]]:
    """All jobs of a plan, as Snakemake has them, with the targets and the rules that are no step."""
    steps = ((one.step.rule(), dict(one.names)) for one in plan.steps)
    return [*steps, *((rule, {}) for rule in ("verify_study", "report", "all"))]


def test_each_job_has_its_kind_and_its_time(plan: Plan) -> None:
    run = expected(plan, jobs(plan), 2, lambda _: 10.0, 0.0)
    assert len(run.jobs) == len(plan.steps) + 3
    kinds = {(one.rule, one.kind, one.seconds) for one in run.jobs.values()}
    assert {
        ("train_honest", "train_honest", 10.0),
        ("summarize", "summaries", SMALL),
        ("main_table", "tables and figures", SMALL),
        ("verify_study", "verify_study", SMALL),
        ("all", "", 0.0),
    } <= kinds
    seconds = sum(SMALL if one.work is None else 10.0 for one in plan.steps)
    assert run.left(0.0) == (seconds + 2 * SMALL) / 2
    order = [one.rule for one in run.jobs.values()]
    assert order[:3] == ["fetch", "prepare", "fit_covariance"]


def test_what_jobs_of_the_rule_took_before_corrects_the_time(plan: Plan) -> None:
    built, *others = (one for one in plan.steps if one.step.command() == "train-honest")
    build(built, 30.0)
    left = [(one.step.rule(), one.names) for one in others]
    assert expected(plan, left, 1, lambda _: 10.0, 0.0).left(0.0) == 30.0 * len(others)
    again = [*left, (built.step.rule(), built.names)]
    assert expected(plan, again, 1, lambda _: 10.0, 0.0).left(0.0) == 10.0 * (len(others) + 1), "it is made again"


def test_the_view_of_a_run_here_and_on_a_cluster(plan: Plan) -> None:
    for nodes in (None, 50):
        stream = StringIO()
        shown = viewed(plan, jobs(plan), 2, nodes, stream=stream, colour=False, excerpts=False, quiet=False)
        assert isinstance(shown, Log)
        shown.close()
        assert stream.getvalue().startswith("0 of ")
