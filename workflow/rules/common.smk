"""The configuration, checked once, and the plan that all rules run."""

import functools
import os
import re
import shlex
import shutil
import sys
from difflib import get_close_matches
from pathlib import Path

SRC = str(Path(workflow.basedir) / "src")
# Snakemake puts the folders of the files that it includes first, where a user's own file may have the name of a module
OWN = {Path(workflow.basedir), Path(workflow.basedir, "workflow", "rules")}
sys.path[:] = [SRC, *(one for one in sys.path if Path(one) not in OWN)]
# jobs find the `vicious` command of this environment, whether it was activated or not, and run the code beside this
# file, whose hash is in their parameters: in the folder of an experiment of DVC it need not be what is installed. Python
# takes no module from the working folder, where a user's own file may have the name of one
os.environ.update(
    PATH=os.pathsep.join(
        [str(Path(sys.executable).parent), os.getenv("PATH", os.defpath)]
    ),
    PYTHONPATH=os.pathsep.join(
        [SRC, *filter(None, os.getenv("PYTHONPATH", "").split(os.pathsep))]
    ),
    PYTHONSAFEPATH="1",
)

from snakemake.exceptions import WorkflowError
from snakemake.jobs import Job
from snakemake.logging import logger
from snakemake.settings.types import Quietness
from snakemake.utils import update_config

import vicious

# a profile of Snakemake's has loaded it before, perhaps from elsewhere
if not Path(vicious.__file__).samefile(Path(SRC, "vicious", "__init__.py")):
    raise WorkflowError(
        f"{vicious.__file__} was loaded, and is not the code of {SRC}: set PYTHONPATH={shlex.quote(SRC)}, then run the "
        "same command again"
    )
if os.pathsep in SRC:
    raise WorkflowError(
        f"the path {SRC} holds a {os.pathsep}, so Python would look for the code elsewhere: rename or move the folder"
    )

from vicious.provenance.followed import viewed
from vicious.provenance.origin import check_origin
from vicious.provenance.record import code_of
from vicious.study import grid, paths
from vicious.study.artifacts import known
from vicious.study.config import PARAMS_FILE, check_params
from vicious.study.plan import Plan, pattern
from vicious.system.errors import ConfigError, ProvenanceError, StorageError
from vicious.system.files import check_writable, write_json
from vicious.system.runtime import name_user
from vicious.system.yaml12 import read_yaml, typed


def own_file():
    """The configuration's file: with --directory that folder's own, if it has one."""
    return PARAMS_FILE if PARAMS_FILE.exists() else Path(workflow.basedir) / PARAMS_FILE


def configuration():
    """What params.yaml, --configfile and --config ask for, each over those before it.

    Not by ``configfile:``, which reads YAML otherwise than DVC does.
    """
    given = workflow.config_settings
    found = {}
    for file in [
        *([] if given.replace_workflow_config else [own_file()]),
        *given.configfiles,
    ]:
        update_config(found, read_yaml(Path(file)))
    update_config(found, typed(given.config))
    return found


name_user()
try:
    PLAN = Plan(check_params(configuration()))
except ConfigError as error:
    raise WorkflowError(str(error))

PARAMS, SCALE = PLAN.params, PLAN.scale
LOGS = str(paths.logs(SCALE))
# What params.yaml, --configfile and --config make together, for a command that reads one file.
MERGED = Path(LOGS, "params.yaml")

if workflow.is_main_process:
    if any(Path(".snakemake/locks").glob("*")):
        print(
            "This folder is locked: another Snakemake works here, or one was killed. "
            "`vicious unlock` tells which, and mends it.",
            file=sys.stderr,
        )
    else:
        try:
            check_origin(PARAMS)
        except ProvenanceError as error:
            raise WorkflowError(str(error))
    try:  # where Snakemake itself writes, and says less when it cannot
        check_writable(Path(".snakemake"))
        check_writable(Path(LOGS))
    except StorageError as error:
        raise WorkflowError(str(error))


def check_submits():
    """Refuse to begin where the command that submits jobs to a cluster is missing: its executor waits without end."""
    executor = getattr(workflow.executor_plugin, "name", None)
    command = {
        "slurm": "sbatch",
        "cluster-generic": getattr(workflow.executor_settings, "submit_cmd", None),
    }.get(executor)
    # variables may be set before it
    words = [word for word in shlex.split(command or "") if "=" not in word]
    if words and shutil.which(words[0]) is None:
        raise WorkflowError(
            f"the command {words[0]} is not found, so no job can be submitted: run this on a machine that submits to "
            "the cluster, or without --profile on this machine alone"
        )


def show_progress():
    """Hand a view of the jobs to come to the logger `vicious`, if it is there; to others this says nothing."""
    jobs = [
        (job.rule.name, dict(job.wildcards_dict)) for job in workflow.dag.needrun_jobs()
    ]
    # on a cluster so many jobs at a time, here so many cores
    nodes, cores = (
        (None, workflow.cores) if workflow.local_exec else (workflow.nodes, 1)
    )
    view = functools.partial(viewed, PLAN, jobs, cores, nodes)
    logger.info(None, extra={"view": view})


onstart:
    if workflow.is_main_process:
        check_submits()
        write_json(MERGED, configuration())
        show_progress()
    # Snakemake's default limit of 100 jobs a second makes each look of its scheduler cause another one a second later,
    # as long as jobs wait, so with every job that ends there is one more a second: hundreds of jobs keep a core busy.
    # Another limit stands.
    limiter = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def planned_in_a_line():
    """In a dry run, a line for each job, unless more is asked for by `--printshellcmds` or `--verbose`.

    For its own block of a job Snakemake works out each of its files, resources and commands. That took a third of a
    plan's time, and the plan of scale paper had 13 MB.
    """
    whole = Job.log_info

    def line(job, *given, **more):
        run, asked = job.dag.workflow, job.dag.workflow.output_settings
        if not run.dryrun or asked.printshellcmds or asked.verbose:
            whole(job, *given, **more)
        elif Quietness.RULES not in (asked.quiet or ()):
            what = (job.rule.message or job.rule.name).format(wildcards=job.wildcards)
            why = "; ".join(job.dag.reason(job).get_names())
            logger.info(f"Job {job.dag.jobid(job)}: {what} ({why})")

    Job.log_info = line


planned_in_a_line()


def planned(rule, wildcards):
    """The planned step of a job, by its rule and wildcards."""
    try:
        return PLAN.find(rule, dict(wildcards.items()))
    except KeyError:
        names = ", ".join(wildcards)
        raise WorkflowError(
            f"{rule} of {names} is not in the plan: params.yaml asks for no such model or result"
        )


def of_step(rule, get):
    """What ``get`` takes from a job's planned step, as a function of the job's wildcards."""
    return lambda wildcards: get(planned(rule, wildcards))


def files_of(*stages, **only):
    """The files of a target, as a function: Snakemake takes its time for each file of a target that nobody asks for."""
    return lambda wildcards: PLAN.writes(*stages, **only)


def all_results(wildcards):
    """All summaries, tables and figures, whether cells failed or not."""
    return [
        file
        for one in PLAN.by_record.values()
        if one.step.STAGE in ("summaries", "figures")
        for file in one.step.writes()
    ]


def in_report(at):
    """The outputs of a rule; what `snakemake --report` shows of a table or figure is marked."""
    artifact = getattr(at.step, "ARTIFACT", None)
    if artifact is None:
        return at.outputs
    about = {
        "caption": "../report/artifact.rst",
        "category": artifact.experiment.replace("_", " ").capitalize(),
        "labels": {"number": artifact.label, "shows": artifact.title},
    }
    shown = [file for file in at.outputs if Path(file).suffix in (".png", ".csv")]
    return [one if one not in shown else report(one, **about) for one in at.outputs]


def any_of(values):
    """A regular expression that matches each of some values, and nothing else."""
    return "|".join(re.escape(value) for value in sorted(set(values)))


def grows(rule, unit):
    """A resource of a job: each further attempt gets as much again as the first."""

    def amount(wildcards, attempt):
        return attempt * getattr(planned(rule, wildcards).need, unit)

    return amount


def message_of(kind, at):
    """What a job does, in a line."""
    words = kind.rule().replace("_", " ").capitalize()
    names = [f"{key} {{wildcards.{key}}}" for key in at.names]
    return f"{words}: {', '.join(names)}" if names else kind.title()


def refuse(name):
    """The input of a target that this configuration leaves out: none, and why."""

    def nothing(wildcards):
        raise WorkflowError(
            f"there is nothing for {name} in this configuration: `datasets` and `scales.{SCALE}` tell what is built"
        )

    return nothing


def mistyped(wildcards):
    """The input of a target that there is not: none, and which one is most like it."""
    close = get_close_matches(
        wildcards.target, [rule.name for rule in workflow.rules], n=1
    )
    guess = f" did you mean {close[0]}?" if close else ""
    raise WorkflowError(
        f"there is no target {wildcards.target};{guess} `snakemake --list-target-rules` lists them"
    )
