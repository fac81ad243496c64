"""The pipeline through profiles/slurm, on a cluster of one node: the same bytes, whatever is cancelled or killed on the
way.

It installs Slurm, writes below /etc/slurm and needs root, so it runs only where ``VICIOUS_SLURM_TEST`` is set: see
tests/slurm/run.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from one_node import PARTITIONS, cluster, install
from project import BIN, copy_project, environment
from waiting import wait_for

# A part of a dataset, since its name has a slash.
RISK = "results/smoke/assessments/cifar100/classes50/vicious-logits-beta1/seed{seed}/risk-joint.json"
TRAINED = "results/smoke/models/cifar100/classes50/vicious-logits-beta1/seed0/train_vicious.provenance.json"
ASSESSMENTS = "rule_assess_cifar100/classes50"
TARGETS = [RISK.format(seed=seed) for seed in (0, 1)]
STUDY = (
    "scale=smoke",
    "datasets=[cifar100]",
    "scales={smoke: {seeds: [0, 1], class_counts: {counts: {cifar100: [50]}, epochs: 16}}}",
)
ON_A_GPU = (*STUDY, "runtime={device: cuda}")
HERE = (
    # no accounting here, and no time to wait: a site needs neither of these
    *("--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "8"),
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("VICIOUS_SLURM_TEST" not in os.environ, reason="starts a Slurm cluster: run tests/slurm/run"),
    pytest.mark.skipif(os.geteuid() != 0, reason="starting Slurm's daemons needs root"),
    pytest.mark.skipif(
        " " in sys.executable, reason="Snakemake's scripts for clusters take no Python whose path has a space"
    ),
]


@pytest.fixture(scope="module", autouse=True)
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    install()
    with cluster(tmp_path_factory.mktemp("slurm")):
        yield


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return site(tmp_path / "a study")


def site(folder: Path) -> Path:
    """A copy of the project, with the profile filled in as a site would."""
    copy_project(folder)
    profile = folder / "profiles/slurm/config.yaml"
    text = profile.read_text(encoding="utf-8")
    for variable, value in zip(("partition", "gpu_partition"), PARTITIONS, strict=True):
        text, found = re.subn(rf'^  {variable}: ""', f'  {variable}: "{value}"', text, flags=re.MULTILINE)
        assert found == 1, variable
    profile.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def start(launch: Any) -> Callable[..., Any]:
    """Starts Snakemake in a folder, in the background; its output lies in log.txt."""

    def run(folder: Path, *arguments: Any, study: Any = STUDY, targets: Any = TARGETS) -> Any:
        command = [BIN / "snakemake", *arguments, "--config", *study, "--", *targets]
        with (folder / "log.txt").open("w") as log:
            return launch(command, cwd=folder, stdout=log, stderr=log, env=environment(folder))

    return run


@pytest.fixture
def submit(start: Any) -> Callable[..., Any]:
    """Starts Snakemake with Slurm's profile."""

    def run(folder: Path, *arguments: Any, **options: Any) -> Any:
        return start(folder, "--profile", "profiles/slurm", *HERE, *arguments, **options)

    return run


def unlock(folder: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "vicious", "unlock"]
    return subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, check=False)


def jobs(**wanted: Any) -> list[Any]:
    """What Slurm knows of jobs, newest first: those whose values match all patterns."""
    shown = subprocess.run(["scontrol", "show", "job", "-o"], capture_output=True, text=True, check=True).stdout
    every = [dict(re.findall(r"(\w+)=(\S+)", line)) for line in shown.splitlines() if line.startswith("JobId=")]
    found = [job for job in every if all(re.search(pattern, job.get(key, "")) for key, pattern in wanted.items())]
    return sorted(found, key=lambda job: -int(job["JobId"]))


def await_jobs(process: Any, folder: Path, **wanted: Any) -> list[Any]:
    """The jobs that match, once there are any, while Snakemake is alive."""
    wait_for(lambda: jobs(**wanted) or process.poll() is not None)
    found = jobs(**wanted)
    assert found, f"no job {wanted}:\n{told(folder)}"
    return found


def told(folder: Path) -> str:
    return (folder / "log.txt").read_text()[-3000:]


def results(folder: Path) -> dict[Any, Any]:
    """What must be the same each time, by name: all but provenance."""
    files = (file for part in ("data/prepared", "results") for file in (folder / part).rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if "provenance" not in file.name}


def killed(snakemake: Any, folder: Path) -> Any:
    """The name of the run of a Snakemake that is killed, by which Slurm finds the jobs that live on."""
    snakemake.kill()
    snakemake.wait()
    found = re.search(r"SLURM run ID: (\S+)", (folder / "log.txt").read_text())
    assert found is not None
    return found[1]


def test_a_study_through_slurm_survives_cancelled_jobs_and_killed_snakemakes(
    project: Any, start: Any, submit: Any, tmp_path: Path
) -> None:
    local = site(tmp_path / "local")
    reference = start(local, "--cores", "1")
    first = submit(project, targets=TARGETS[:1])
    training = r"train_vicious.*beta1_0"
    (cancelled,) = await_jobs(first, project, Comment=training, JobState="RUNNING")
    assert cancelled["Partition"] == PARTITIONS[1]
    assert jobs(Comment="rule_data")[0]["Partition"] == PARTITIONS[0]
    wait_for(lambda: resume_states(project))
    (state,) = resume_states(project)
    subprocess.run(["scancel", cancelled["JobId"]], check=True)

    another = rf"^(?!{cancelled['JobId']}$)"
    (again,) = await_jobs(first, project, Comment=training, JobId=another, JobState="RUNNING")
    assert state.exists(), "what was trained until then is kept"
    assert megabytes(again) == 2 * megabytes(cancelled), "Snakemake tries again by itself, with more memory"
    assert minutes(again) == 2 * minutes(cancelled), "and time"

    run = killed(first, project)
    left = subprocess.run(["squeue", "--format=%i", f"--name={run}"], capture_output=True, text=True, check=True).stdout
    assert again["JobId"] in left.split(), "the job of a killed Snakemake lives on, and is found by the name of the run"
    wait_for(lambda: again["JobId"] in [job["JobId"] for job in jobs(Comment=training, JobState="COMPLETED")])
    trained = (project / TRAINED).read_bytes()
    wait_for(lambda: unlock(project).returncode == 0)
    assert start(project, "-n", study=ON_A_GPU, targets=TARGETS[:1]).wait() != 0
    assert "Snakemake has no record of making these results here" in told(project)
    assert f"{TRAINED}: another configuration: device cpu, params.yaml asks for cuda" in told(project)

    second = submit(project)
    await_jobs(second, project, Comment=ASSESSMENTS, JobState="RUNNING")
    run = killed(second, project)
    subprocess.run(["scancel", f"--name={run}"], check=True)
    wait_for(lambda: unlock(project).returncode == 0)

    third = submit(project)
    assert third.wait(600) == 0, told(project)
    assert (project / TRAINED).read_bytes() == trained, "what was ready after Snakemake was killed is not made again"
    assert jobs(Comment=ASSESSMENTS)[0]["NumCPUs"] == "2", "both assessments share one job"
    assert reference.wait(600) == 0, told(local)
    found, expected = results(project), results(local)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []

    assert start(project, "-n").wait() == 0
    assert "Nothing to be done" in told(project), "a local Snakemake agrees with what Slurm's jobs left"

    # in the folder whose Snakemake has a record of everything: the other one refuses what it has none of, as above
    gpu = submit(local, "--forcerun", "assess_risk", "--rerun-triggers", "mtime", study=ON_A_GPU)
    (asked,) = await_jobs(gpu, local, Comment="rule_assess", TresPerJob="gpu")
    gpu.kill()  # the GPU is pretended
    gpu.wait()
    assert asked["TresPerJob"] == "gres:gpu:1", "assessments that share a job share one GPU,"
    assert asked["NumCPUs"] == "1", "one after the other"
    assert asked["Partition"] == PARTITIONS[1]


def resume_states(folder: Path) -> list[Any]:
    """Those that are whole: one that is being written has a hidden name."""
    return list((folder / ".cache/resume").glob("[!.]*.safetensors"))


def megabytes(job: Any) -> float:
    asked = job.get("ReqTRES") or job["TRES"]  # as newer and older Slurms call it
    found = re.search(r"mem=([\d.]+)([MG])", asked)
    assert found is not None
    number, unit = found.groups()
    return float(number) * {"M": 1, "G": 1024}[unit]


def minutes(job: Any) -> int:
    hours, minutes, _ = job["TimeLimit"].split(":")
    return 60 * int(hours) + int(minutes)
