"""The DAG as its user meets it: planning needs nothing, typos are told first, the smoke study builds and is stable."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def run(folder, program, *arguments):
    """A program of this environment in ``folder``, with that folder's source."""
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "PATH": path, "DVC_NO_ANALYTICS": "1"}
    return subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, timeout=900, env=environment
    )


def snakemake(folder, *arguments):
    return run(folder, BIN / "snakemake", *arguments)


def copy_project(target):
    target.mkdir(exist_ok=True)
    for name in ("Snakefile", "params.yaml", "workflow", "src", "profiles", "dvc.yaml"):
        source = ROOT / name
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target / name, ignore=ignore) if source.is_dir() else shutil.copy(source, target / name)
    return target


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project in a folder with a space."""
    return copy_project(tmp_path_factory.mktemp("a study"))


def counts(result):
    """Jobs by rule, as a dry run lists them."""
    lines = iter(result.stdout.splitlines())
    for line in lines:
        if line.startswith("---"):
            break
    return {name: int(count) for name, count in (line.split() for line in iter(lambda: next(lines, ""), ""))}


@pytest.mark.parametrize("scale", ["smoke", "demo", "pilot", "paper"])
def test_planning_needs_no_data(project, scale):
    result = snakemake(project, "-n", "--cores", "1", "--config", f"scale={scale}")
    assert result.returncode == 0, result.stderr
    jobs = counts(result)
    assert jobs["fetch"] == jobs["prepare"] == 6
    assert {"train_honest", "train_vicious", "train_attack", "assess_risk", "evaluate_defense", "table1"} <= set(jobs)


def test_datasets_and_seeds_may_be_chosen_on_the_command_line(project):
    choice = ["datasets=[mnist,cifar10]", "scales={smoke: {seeds: [3, 4, 5]}}"]
    result = snakemake(project, "-n", "--cores", "1", "--config", "scale=smoke", *choice)
    assert result.returncode == 0, result.stderr
    assert counts(result)["train_honest"] == 6


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("datasets=[minst]", "did you mean 'mnist'"),
        ("scale=dmeo", "did you mean 'demo'"),
        ("datset=[mnist]", "unknown key; did you mean 'datasets'"),
        ("scales={demo: {epochs: many}}", "scales.demo.epochs"),
    ],
)
def test_a_typo_is_told_before_any_job(project, choice, words):
    result = snakemake(project, "-n", "--cores", "1", "--config", choice)
    assert result.returncode != 0
    assert words in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_lint_has_nothing_but_the_waived_point(project):
    result = snakemake(project, "--lint")
    points = [line for line in (result.stdout + result.stderr).splitlines() if line.startswith("    * ")]
    # every rule runs in the one locked environment that Snakemake itself runs in
    assert [point for point in points if "Specify a conda environment or container" not in point] == []


@pytest.mark.slow
def test_smoke_study_builds_everything_and_is_stable(project):
    built = snakemake(project, "--cores", "2", "--config", "scale=smoke")
    assert built.returncode == 0, built.stderr[-3000:]
    figures = project / "paper_figures/smoke"
    expected = {f"table1.{end}" for end in ("csv", "md", "tex", "json")}
    expected |= {f"figure{number}.{end}" for number in (1, 2, 3) for end in ("pdf", "png", "md", "json")}
    assert {path.name for path in figures.iterdir()} == expected
    assert all(path.stat().st_size for path in figures.iterdir())
    summary = pd.read_csv(project / "results/smoke/summary.csv")
    assert len(summary) == 12
    assert summary["source"].eq("synthetic").all()
    assert summary[["accuracy", "mse", "psnr", "ssim", "risk", "risk95"]].notna().all().all()
    assert "synthetic stand-in" in (figures / "table1.md").read_text(encoding="utf-8")
    assert json.loads((figures / "table1.json").read_text())["inputs"]

    again = snakemake(project, "--cores", "2", "--config", "scale=smoke")
    assert "Nothing to be done" in again.stdout + again.stderr

    first = {path: path.read_bytes() for path in study_files(project)}
    shutil.rmtree(project / "results/smoke")
    rebuilt = snakemake(project, "--cores", "1", "--config", "scale=smoke", "datasets=[mnist]", "--", "summarize")
    assert rebuilt.returncode == 0, rebuilt.stderr[-3000:]
    same = [path for path in study_files(project) if "/models/" in path.as_posix()]
    assert same
    assert all(path.read_bytes() == first[path] for path in same), "other cores, same bytes"


def study_files(project):
    """What must be the same each time: all but provenance."""
    found = (path for path in (project / "results/smoke").rglob("*") if path.is_file())
    return sorted(path for path in found if not path.name.endswith(".provenance.json"))


def test_dvc_stages_ask_for_targets_that_exist(project):
    import yaml

    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    targets = [stage["cmd"].split(" -- ")[1] for stage in stages.values()]
    result = snakemake(project, "-n", "--cores", "1", "--config", "scale=smoke", "datasets=[celeba]", "--", *targets)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_dvc_repro_builds_the_study_and_snakemake_agrees(tmp_path):
    import yaml

    project = copy_project(tmp_path / "with a space")
    params = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    params |= {"scale": "smoke", "datasets": ["mnist"]}
    (project / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    shutil.copy(ROOT / ".gitignore", project / ".gitignore")
    for command in (["git", "init", "-q"], [BIN / "dvc", "init", "-q"]):
        assert run(project, *command).returncode == 0
    built = run(project, BIN / "dvc", "repro")
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    assert (project / "paper_figures/smoke/table1.csv").stat().st_size
    plan = snakemake(project, "-n", "--cores", "1")
    assert "Nothing to be done" in plan.stdout + plan.stderr
    status = run(project, BIN / "dvc", "status")
    assert "up to date" in status.stdout, status.stdout
