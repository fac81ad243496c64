"""Profiles for clusters: what every rule asks for, what is submitted, and that it changes no result. Slurm itself:
tests/slurm."""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from project import ROOT, copy_project, snakemake

from vicious.steps import commands, step_class
from vicious.study.artifacts import known
from vicious.study.config import load_params
from vicious.study.plan import Plan

# A part of a dataset, since its name has a slash: cifar100/classes50.
STUDY = (
    "scale=smoke",
    "datasets=[cifar100]",
    "scales={smoke: {seeds: [0, 1], class_counts: {counts: {cifar100: [50]}}}}",
)
TARGETS = ("class_counts",)
PROFILES = ("slurm", "generic")
RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))


def submit(folder: Path, *arguments: Any) -> subprocess.CompletedProcess[str]:
    return snakemake(folder, *arguments, "--config", *STUDY, "--", *TARGETS)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project in a folder with a space."""
    return copy_project(tmp_path / "a study")


def profile(name: str) -> Any:
    import yte

    with (ROOT / "profiles" / name / "config.yaml").open(encoding="utf-8") as file:
        return yte.process_yaml(file, require_use_yte=True)


def test_every_rule_with_a_command_states_threads_and_resources() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in RULES)
    rules = [one for one in re.split(r"^ *rule(?: \w+)?:\n", text, flags=re.MULTILINE)[1:] if "shell:" in one]
    assert len(rules) == 3, "all steps are of one rule; two more verify the study and write the report page"
    for rule in rules:
        assert re.search(r"^ +threads: \S.*\n +resources:\n +mem_mb=.*\n +runtime=.*\n +gpu=", rule, re.MULTILINE)


def test_memory_is_given_in_one_unit() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in [*RULES, *(ROOT / "profiles").glob("*/config.yaml")])
    assert set(re.findall(r"\bmem(?:_\w+)?(?=\"?[:=}])", text)) == {"mem_mb", "mem"}
    assert text.count("mem=") == 1, "PBS's own"


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_says_how_many_jobs_share_one_for_every_group_that_has_unconnected_jobs(name: Any) -> None:
    groups = profile(name)["groups"]
    reports = {one.name: f"report_{one.experiment}" for one in known().values()}
    assert reports.items() <= groups.items()
    assert groups["assess_risk"] == "assess_{task}"
    assert groups["fit_covariance"] == groups["prepare"], "of a dataset these need each other"
    assert set(profile(name)["group-components"]) == set(groups.values()) - {"data"}


def test_the_documented_number_of_slurm_jobs_is_what_the_groups_make() -> None:
    sizes, groups = profile("slurm")["group-components"], profile("slurm")["groups"]
    rules = Plan(load_params(ROOT / "params.yaml", ["scale=paper"])).rules.values()
    steps = [one for rule in rules for one in rule]
    sent = [one for one in steps if not one.step.LOCAL]
    shared = Counter(
        (group, group.format(**one.names), one.names.get("dataset"))
        for one in sent
        if (group := groups.get(one.step.rule()))
    )
    alone = len(sent) - shared.total()
    submitted = alone + sum(-(-count // sizes.get(group, count)) for (group, _, _), count in shared.items())
    text = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    found = re.search(r"has ([\d,]+) jobs, which are about ([\d,]+) Slurm jobs", text)
    assert found is not None
    jobs, told = (int(number.replace(",", "")) for number in found.groups())
    verify_report_and_all = 3
    assert jobs == len(steps) + verify_report_and_all
    assert told == round(submitted + 2, -1)


def test_slurms_profile_sends_exactly_the_rules_that_may_use_a_gpu_to_its_partition() -> None:
    assert set(profile("slurm")["set-resources"]) == {
        step_class(name).rule() for name in commands() if step_class(name).ON_GPU
    }


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_found_and_joins_the_default_one(name: Any, project: Any) -> None:
    result = submit(project, "-n", "--profile", f"profiles/{name}")
    assert result.returncode == 0, result.stderr
    assert f"Using profiles profiles/{name} and workflow specific profile profiles/default" in result.stderr
    assert not set(profile(name)) & set(profile("default")), "the default profile would override it"


@pytest.mark.parametrize(("name", "command"), [("slurm", "sbatch"), ("generic", "qsub")])
def test_a_missing_submit_command_ends_the_run_before_anything_is_submitted(
    name: str, command: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"  # what is installed here, but for the schedulers
    tools.mkdir()
    schedulers = {"sbatch", "sinfo", "squeue", "sacct", "scontrol", "sacctmgr", "scancel", "srun", "qsub"}
    for file in Path("/usr/bin").iterdir():
        if file.name not in schedulers:
            (tools / file.name).symlink_to(file)
    monkeypatch.setenv("PATH", str(tools))
    result = submit(project, "--profile", f"profiles/{name}")
    assert result.returncode == 1
    assert f"the command {command} is not found, so no job can be submitted" in result.stderr
    assert not (project / "data/prepared").exists()


SUBMIT = """#!/usr/bin/env bash
# Notes what is asked for, and runs the script in the background; the first training is refused once.
set -euo pipefail
echo "$1 $2 $3 $4 $(grep -o '"rule": "[a-z_]*"' "$5" | sort -u | tr -d '\\n')" >> asked.txt
if grep -q '"rule": "train_vicious"' "$5" && [ ! -e refused ]; then touch refused; exit 1; fi
setsid nohup bash "$5" > /dev/null 2>&1 < /dev/null &
echo $!
"""


@pytest.mark.slow
@pytest.mark.skipif(
    " " in sys.executable, reason="Snakemake's scripts for clusters take no Python whose path has a space"
)
def test_jobs_by_a_submit_command_ask_for_what_they_need_and_give_the_same_bytes(project: Any, tmp_path: Path) -> None:
    local = Path(shutil.copytree(project, tmp_path / "local"))
    (project / "submit").write_text(SUBMIT, encoding="utf-8")
    (project / "submit").chmod(0o755)
    asking = "./submit {threads} {resources.mem_mb} {resources.runtime} {resources.gpu}"
    done = submit(
        project,
        "--profile",
        "profiles/generic",
        "--cluster-generic-submit-cmd",
        asking,
        "--seconds-between-status-checks",
        "1",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert submit(local, "--cores", "2").returncode == 0

    asked = [line.split(" ", 4) for line in (project / "asked.txt").read_text().splitlines()]
    assert all(int(memory) > 1000 and int(minutes) >= 15 and gpu == "0" for _, memory, minutes, gpu, _ in asked)
    refused, other, *_ = sorted(int(line[1]) for line in asked if "train_vicious" in line[4])
    assert refused == other, "two models of one size"
    assert max(int(line[1]) for line in asked if "train_vicious" in line[4]) == 2 * refused, "one was tried again"
    assert len(asked) == 10, asked

    found, expected = (
        {str(file.relative_to(folder)): file.read_bytes() for file in files(folder)} for folder in (project, local)
    )
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []


def files(folder: Path) -> list[Any]:
    """What must be the same each time: all but provenance, a report's own included."""
    every = [file for part in ("results", "paper_figures") for file in (folder / part).rglob("*") if file.is_file()]
    records = {file for file in every if file.suffix == ".json" and "seconds" in json.loads(file.read_text())}
    return [file for file in every if file not in records]
