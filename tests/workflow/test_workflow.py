"""The DAG as its user meets it: planning needs nothing, typos are told first, the smoke study builds and is stable."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from project import (
    BIN,
    PAPER,
    ROOT,
    SMOKE,
    copy_project,
    counts,
    environment,
    narrow_params,
    run,
    set_params,
    smoke_study,
    snakemake,
    study_files,
)
from waiting import wait_for

from vicious.provenance.record import code_of
from vicious.study.artifacts import SUFFIXES, known
from vicious.study.config import load_params
from vicious.study.plan import Plan
from vicious.workflow import budget


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in a folder with a space."""
    return copy_project(tmp_path_factory.mktemp("a study"))


@pytest.mark.parametrize("scale", ["smoke", "demo", "pilot", PAPER])
def test_planning_needs_no_data(project: Any, scale: Any) -> None:
    result = snakemake(project, "-n", "--cores", "1", "--config", f"scale={scale}")
    assert result.returncode == 0, result.stderr
    jobs = counts(result)
    assert jobs["fetch"] == jobs["prepare"] == 6
    assert {"train_honest", "train_vicious", "train_attack", "assess_risk", "evaluate_defense", "main_table"} <= set(
        jobs
    )


@pytest.mark.slow
def test_a_users_file_named_like_a_module_is_not_imported(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "a study")
    set_params(project, scale="smoke", datasets=["mnist"])
    for name in ("statistics", "random", "vicious"):
        (project / f"{name}.py").write_text("raise SystemExit('a module of the working folder was imported')\n")
    locks = project / ".snakemake" / "locks"
    for command in (
        ["dvc", "init", "--no-scm", "--quiet"],
        ["env", "--unset=PYTHONPATH", BIN / "dvc", "repro", "data@mnist"],
        ["vicious", "restore"],
        ["vicious", "unlock"],
    ):
        if "unlock" in command:
            locks.mkdir(parents=True, exist_ok=True)
            (locks / "0.input.lock").touch()
        result = run(project, *command)
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    assert not any(locks.glob("*"))


def test_a_user_without_a_name_may_plan_and_unlock(tmp_path: Path) -> None:
    """As in a container that runs as the user's number alone."""
    limits = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    nameless = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", *limits]
    if shutil.which("setpriv") is None or subprocess.run([*nameless, "true"], check=False).returncode:
        pytest.skip("to be another user takes root and setpriv")
    project = copy_project(tmp_path / "a study")
    subprocess.run(["chmod", "-R", "a+rwX", project], check=True)
    variables = [f"--unset={name}" for name in ("LOGNAME", "USER", "LNAME", "USERNAME")]
    for command in (["snakemake", "-n", "--cores", "1", "--config", "scale=smoke"], ["vicious", "unlock"]):
        result = run(project, *nameless, "env", *variables, f"HOME={project}", *command)
        assert result.returncode == 0, result.stderr


def test_datasets_and_seeds_may_be_chosen_on_the_command_line(project: Any) -> None:
    choice = ["datasets=[mnist,cifar10]", "scales={smoke: {seeds: [3, 4, 5]}}"]
    result = snakemake(project, "-n", "--cores", "1", "--config", "scale=smoke", *choice)
    assert result.returncode == 0, result.stderr
    assert counts(result)["train_honest"] == 2 * 3 + 2, "those, and the defence's own seed on MNIST, by two recipes"


def test_tables_of_classes_and_of_attributes_are_planned_where_there_are_any(project: Any) -> None:
    for dataset, table, other in (
        ("celeba", "attributes_accuracy_table", "class_risk_table"),
        ("mnist", "class_risk_table", "attributes_accuracy_table"),
    ):
        result = snakemake(project, "-n", "--cores", "1", "--config", "scale=smoke", f"datasets=[{dataset}]")
        assert table in counts(result)
        assert other not in counts(result)


def test_a_dataset_may_have_seeds_of_its_own(project: Any) -> None:
    choice = ["datasets=[mnist,cifar10]", "scales={smoke: {overrides: {mnist: {seeds: [0, 1, 2]}}}}"]
    result = snakemake(project, "-n", "--cores", "1", "--config", "scale=smoke", *choice)
    assert result.returncode == 0, result.stderr
    assert counts(result)["train_honest"] == 3 + 1 + 1, "and one by another recipe"


def test_a_dataset_may_have_detectors_and_treatments_of_its_own(project: Any) -> None:
    own = "{defense: {detectors: [margin]}, mitigations: {outputs: [logits, noise0.1]}}"
    plans = [
        snakemake(project, "-n", "-p", "--cores", "1", "--config", "scale=smoke", "datasets=[mnist,celeba]", *more)
        for more in ((), (f"scales={{smoke: {{overrides: {{mnist: {own}}}}}}}",))
    ]
    assert [plan.returncode for plan in plans] == [0, 0], plans[1].stderr
    before, after = map(counts, plans)
    assert before["train_attack"] - after["train_attack"] == 2, "top1 on the honest and on the vicious model"
    commands = re.findall(r"evaluate-defense --data \S+/(\w+) .*?--detectors (.+?) --user", plans[1].stdout)
    assert {dataset for dataset, _ in commands} == {"mnist", "celeba"}
    assert all((told == "margin") == (dataset == "mnist") for dataset, told in commands)


@pytest.mark.parametrize(
    ("choice", "target", "words"),
    [
        ("datasets=[mnist]", "attribute_sets_table", "there is nothing for attribute_sets_table in this configuration"),
        ("datasets=[mnist]", "table3", "nothing for table3"),
        ("scales={smoke: {defense: {datasets: []}}}", "defense", "nothing for defense"),
        ("datasets=[cifar10]", "mitigations", "nothing for mitigations"),
        ("datasets=[mnist]", "attributes_accuracy_table", "nothing for attributes_accuracy_table"),
    ],
)
def test_a_target_that_the_configuration_leaves_out_says_so(project: Any, choice: str, target: str, words: str) -> None:
    result = snakemake(project, "-n", "--cores", "1", "--config", "scale=smoke", choice, "--", target)
    assert result.returncode != 0
    assert words in result.stdout + result.stderr


@pytest.mark.parametrize(
    "target",
    [
        "main",
        "tradeoff",
        "attribute_sets",
        "class_counts",
        "defense",
        "mitigations",
        "table2",
        "tradeoff_table",
        "figure8",
    ],
)
def test_experiments_tables_and_figures_are_targets(project: Any, target: str) -> None:
    result = snakemake(project, "-n", "--cores", "1", "--config", "scale=smoke", "--", target)
    assert result.returncode == 0, result.stderr
    jobs = counts(result)
    assert jobs["train_honest"] >= 1
    assert ("main_table" in jobs) == (target == "main")
    if target == "tradeoff":
        assert jobs["train_vicious"] == 2


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("tabel1", "there is no target tabel1; did you mean table1?"),
        ("modles_mnist", "did you mean models_mnist?"),
        ("xyzzy", "there is no target xyzzy"),
    ],
)
def test_a_mistyped_target_is_told_with_the_nearest(project: Any, target: str, words: str) -> None:
    result = snakemake(project, "-n", "--cores", "1", "--config", "scale=smoke", "--", target)
    assert result.returncode == 1
    assert words in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("datasets=[minst]", "did you mean 'mnist'"),
        ("scale=dmeo", "did you mean 'demo'"),
        ("datset=[mnist]", "unknown key; did you mean 'datasets'"),
        ("scales={demo: {epochs: many}}", "scales.demo.epochs"),
    ],
)
def test_a_typo_is_told_before_any_job(project: Any, choice: str, words: str) -> None:
    result = snakemake(project, "-n", "--cores", "1", "--config", choice)
    assert result.returncode != 0
    assert words in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("scale: demo ", "scale: smoke\nscale: demo ", "line 5: not valid YAML: the key 'scale' stands there twice"),
        ("root: null ", "root: \u00e9t\u00e9 ", "not text in UTF-8"),
        ("root: null ", "root: 2024-13-01 ", "write it in quotes"),
        ("batch_images: 24 ", "batch_images: 1:30 ", "scales.smoke.batch_images: should be a valid integer"),
        ("datasets:  ", "datasets: [mnst]\nrest:", "datasets.0: 'mnst' is not valid; did you mean 'mnist'?"),
        ("detectors: [linear", "detectors: [absent, linear", "'absent' is not valid"),
    ],
)
def test_a_bad_file_is_an_error_without_traceback_from_every_door(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    project = copy_project(tmp_path / "project")
    text = (project / "params.yaml").read_text(encoding="utf-8")
    assert before in text
    (project / "params.yaml").write_bytes(text.replace(before, after, 1).encode("latin-1"))
    for command in (
        ["snakemake", "-n", "--cores", "1"],
        *(
            ["vicious", *one.split()]
            for one in ("check-config", "budget", "verify results", "discard results", "restore")
        ),
    ):
        result = run(project, *command)
        assert result.returncode == 1, command
        assert words in result.stdout + result.stderr, command
        assert "Traceback" not in result.stderr, command


def test_the_file_means_the_same_to_every_reader(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    text = (project / "params.yaml").read_text(encoding="utf-8")
    for before, after in (
        ("scale: demo", "scale: smoke"),
        ("gallery: 4", "gallery: 010"),
        ("1.2e-7", "1e-06"),
        ("root: null", 'root: "2024-13-01"'),
        ("source: synthetic", "source: official"),
    ):
        assert before in text
        text = text.replace(before, after, 1)
    (project / "params.yaml").write_text(text, encoding="utf-8")
    params = load_params(project / "params.yaml")
    assert (params.study.gallery, params.risk.cutoff, params.data.root) == (10, 1e-6, "2024-13-01")
    planned = snakemake(project, "-n", "-p", "--cores", "1", "--config", "datasets=[mnist]", "--", "main").stdout
    assert "--gallery-images 10 " in planned
    assert "--root 2024-13-01" in planned
    assert "--cutoff 1e-06" in planned


def test_lint_has_nothing_but_the_waived_point(project: Any) -> None:
    result = snakemake(project, "--lint")
    points = [line for line in (result.stdout + result.stderr).splitlines() if line.startswith("    * ")]
    # every rule runs in the one locked environment that Snakemake itself runs in
    assert [point for point in points if "Specify a conda environment or container" not in point] == []


@pytest.fixture(scope="session")
def building(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The smoke study, and what Snakemake told."""
    return smoke_study(tmp_path_factory)


@pytest.fixture(scope="session")
def built(building: Any) -> Any:
    """The folder of that study."""
    return building[0]


@pytest.mark.slow
def test_smoke_study_builds_everything_and_is_stable(built: Any) -> None:
    figures = built / "paper_figures/smoke"
    expected = {f"{name}.json" for name in known()}
    for name, artifact in known().items():
        parts = [f"{name}_{task}_logits" for task in ("mnist", "cifar100", "celeba")] if artifact.each_task else [name]
        expected |= {f"{part}{suffix}" for part in parts for suffix in SUFFIXES[artifact.kind]}
    assert {path.name for path in figures.iterdir()} == expected
    assert all(path.stat().st_size for path in figures.iterdir())
    summary = pd.read_csv(built / "results/smoke/summaries/main.csv")
    assert len(summary) == 9
    assert summary["source"].eq("synthetic").all()
    assert summary[["mse", "psnr", "ssim", "risk", "risk95"]].notna().all().all()
    for name in (name for name, artifact in known().items() if artifact.kind == "table"):
        assert "synthetic stand-in" in (figures / f"{name}.md").read_text(encoding="utf-8"), name
        assert json.loads((figures / f"{name}.json").read_text())["inputs"]

    again = snakemake(built, "--cores", "2", "--config", *SMOKE)
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.slow
def test_the_scheduler_chooses_anew_only_where_a_job_ended(building: Any) -> None:
    _, told = building
    assert 100 < told.count("Finished jobid") >= told.count("Ready jobs:") > 0


@pytest.mark.slow
def test_a_limit_of_jobs_that_is_asked_for_holds(tmp_path: Path, launch: Any) -> None:
    folder, log = copy_project(tmp_path / "p"), tmp_path / "log.txt"
    options = ("--max-jobs-per-timespan", "1/1h", "--config", "scale=smoke")
    command = [BIN / "snakemake", "--cores", "2", *options, "--", "data_mnist", "data_celeba"]
    with log.open("w") as told:
        process = launch(command, cwd=folder, stdout=told, stderr=told, env=environment(folder))
    wait_for(lambda: "Job rate limit reached" in log.read_text() or process.poll() is not None)
    assert "Job rate limit reached" in log.read_text()
    assert len(re.findall(r"^\[\d+/\d+\] ", log.read_text(), re.M)) == 1, "a job that is done"


@pytest.mark.slow
def test_the_built_study_is_what_its_provenance_says_and_an_altered_byte_is_told(built: Any, tmp_path: Path) -> None:
    copy = copy_project(tmp_path / "a copy")
    for part in ("data/prepared", "data/source", "results", "paper_figures"):
        shutil.copytree(built / part, copy / part)
    verify = (sys.executable, "-m", "vicious", "verify", "results/smoke", "paper_figures/smoke")
    wider = run(copy, *verify)
    assert wider.returncode == 0, "it was built in part, which is no damage"
    assert {line.split(":")[0] for line in wider.stdout.splitlines()[:-1]} == {"note"}
    assert "note: built in part: results/smoke/summaries/main.provenance.json" in wider.stdout
    narrow_params(copy)
    sound = run(copy, *verify)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert "not built" not in sound.stdout
    assert re.fullmatch(r"\d+ records, \d+ files verified", sound.stdout.strip().splitlines()[-1])
    records = [*copy.rglob("*.provenance.json"), *(copy / "paper_figures/smoke").glob("*.json")]
    written = {name for record in records for name in json.loads(record.read_text())["outputs"]}
    everything = {path.relative_to(copy).as_posix() for path in study_files(copy)}
    unrecorded = {name for name in everything - written if "/complete/" not in name}
    assert unrecorded == {"results/smoke/report.html"}, "every result has a record; the page shows those of all others"
    read = {name for record in records for name in json.loads(record.read_text())["inputs"]}
    models = {name for name in everything if name.endswith(("/target.safetensors", "/target.json", ".parquet", ".npy"))}
    assert models - read == set(), "and what is read is told of, whether it was named or lay beside"

    with (copy / "results/smoke/models/mnist/honest/seed0/target.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    told = run(copy, *verify)
    assert told.returncode == 1
    (line,) = [line for line in told.stdout.splitlines() if ": " in line and not line.startswith("note: ")]
    assert line.startswith(
        "altered: results/smoke/models/mnist/honest/seed0/target.safetensors is not what train-honest"
    )


HONEST = "results/smoke/assessments/mnist/honest/seed0"
LESS, MORE = (f"results/smoke/assessments/mnist/vicious-logits-beta{beta}/seed0" for beta in ("0.1", "1"))


def swap(project: Path) -> None:
    """Swap what two assessments measured; each place keeps its times, whichever of the two was measured first."""
    for name in ("risk-joint.json", "risk-joint.parquet", "estimators-joint.csv", "gallery-joint.npz"):
        one, other = project / LESS / name, project / MORE / name
        contents, times = (one.read_bytes(), other.read_bytes()), (one.stat(), other.stat())
        for place, content, before in zip((one, other), reversed(contents), times, strict=True):
            place.write_bytes(content)
            os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))


def edit_cell(project: Path) -> None:
    """Another digit in a table, whose time stays."""
    table = project / "paper_figures/smoke/main_table.md"
    times = table.stat()
    table.write_text(table.read_text(encoding="utf-8").replace("1", "2"), encoding="utf-8")
    os.utime(table, ns=(times.st_atime_ns, times.st_mtime_ns))


def lose_record(project: Path) -> None:
    (project / HONEST / "risk-posthoc-logits.provenance.json").unlink()


def lose_curve(project: Path) -> None:
    (project / "results/smoke/models/mnist/honest/seed0/target.csv").unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (swap, f"altered: {LESS}/risk-joint.json"),
        (edit_cell, "altered: paper_figures/smoke/main_table.md is not what main_table"),
        (lose_record, f"without a record: {HONEST}/risk-posthoc-logits"),
        (lose_curve, "missing: results/smoke/models/mnist/honest/seed0/target.csv"),
    ],
)
def test_the_last_job_of_a_study_finds_what_snakemake_alone_does_not_see(
    built: Path, tmp_path: Path, damage: Callable[[Path], None], found: str
) -> None:
    """The study was built in part, by --config, and was sound: that is no damage."""
    assert (built / "results/smoke/complete/verified.txt").exists()
    project = shutil.copytree(built, tmp_path / "damaged", symlinks=True)
    damage(project)
    table = snakemake(project, "-n", "--cores", "1", "--config", *SMOKE, "--", "main_table")
    assert "Nothing to be done" in table.stdout + table.stderr
    told = run(project, "vicious", "verify", "results/smoke", "paper_figures/smoke")
    assert told.returncode == 1
    assert any(line.startswith(found) for line in told.stdout.splitlines()), told.stdout
    (project / "results/smoke/complete/verified.txt").unlink()
    if damage in (lose_record, lose_curve):  # files that the whole study asks for
        plan = counts(snakemake(project, "-n", "--cores", "1", "--config", *SMOKE))
        assert {"assess_risk", "train_honest"} & plan.keys()
        return
    last = snakemake(project, "--cores", "2", "--config", *SMOKE)
    assert last.returncode != 0
    assert found in last.stdout + last.stderr
    assert not (project / "results/smoke/complete/verified.txt").exists()


TRAINING_RULES = ("train_honest", "train_vicious", "train_attack", "assess_risk", "evaluate_defense")
BEFORE_RESULTS = ("fetch", "prepare", "fit_covariance", *TRAINING_RULES, "choose_best", "measure_membership")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "named", "added"),
    [
        # honest: 3 datasets, 2 class counts, 1 attribute set, 1 number of merged groups, an attack and an assessment of
        # it for each; in the sweep three models, each read by four attack models, of which one attack is there already
        (
            ["scales={smoke: {seeds: [0, 1]}}"],
            "seed 1",
            {"train_honest": 7, "train_vicious": 11, "train_attack": 18, "assess_risk": 29, "choose_best": 3}
            | {"measure_membership": 6},
        ),
        (
            ["scales={smoke: {beta_r: [1.0, 2.0]}}"],
            "vicious-logits-beta2",
            {"train_vicious": 3, "assess_risk": 3, "measure_membership": 3},
        ),
        (
            ["scales={smoke: {defense: {evasion: {distance_correlation: [1.0, 2.0]}}}}"],
            "vicious-logits-beta1-evasion2-distance_correlation",
            {"train_vicious": 2, "train_attack": 2, "assess_risk": 4, "evaluate_defense": 2},
        ),
        (["scales={smoke: {defense: {hidden: [shuffled, folded]}}}"], "folded", {"evaluate_defense": 4}),
        (
            ["scales={smoke: {mitigations: {outputs: [logits, top1, noise0.1, label]}}}"],
            "label",
            {"train_attack": 2, "assess_risk": 2},
        ),
        (
            ["datasets=[mnist,cifar100,celeba,fashion_mnist]"],
            "fashion_mnist",
            {
                **{"fetch": 1, "prepare": 1, "fit_covariance": 1},
                **{"train_honest": 1, "train_vicious": 2, "train_attack": 3, "assess_risk": 5},
                **{"measure_membership": 2},
            },
        ),
    ],
)
def test_a_seed_a_weight_or_a_dataset_adds_its_own_jobs_alone(built: Any, change: Any, named: str, added: Any) -> None:
    choice = dict(item.split("=", 1) for item in (*SMOKE, *change))
    config = [f"{key}={value}" for key, value in choice.items()]
    plan = snakemake(built, "-n", "--cores", "1", "--config", *config)
    assert plan.returncode == 0, plan.stderr
    found = counts(plan)
    assert {rule: count for rule, count in found.items() if rule in BEFORE_RESULTS} == added
    jobs = [line for line in plan.stdout.splitlines() if re.match(r" *Job [0-9]+: \S", line)]
    upstream = [line for line in jobs if line.split(": ", 1)[1].split()[0].rstrip(":") in FIRST_WORDS]
    assert len(upstream) == sum(added.values())
    assert all(named in line for line in upstream), upstream


FIRST_WORDS = ("Fetch", "Prepare", "Fit", "Train", "Assess", "Choose", "Evaluate", "Measure")
"""How the messages of the rules before the summaries begin."""


@pytest.mark.slow
def test_other_cores_and_fewer_datasets_give_the_same_bytes(built: Any, tmp_path: Path) -> None:
    first = {path.relative_to(built): path.read_bytes() for path in study_files(built)}
    other = copy_project(tmp_path / "again")
    choice = ("scale=smoke", "datasets=[mnist]")
    vicious, honest = (f"results/smoke/models/mnist/{model}/seed0" for model in ("vicious-logits-beta1", "honest"))
    files = (f"{vicious}/target.safetensors", f"{honest}/posthoc-noise0.1.safetensors")
    rebuilt = snakemake(other, "--cores", "1", "--config", *choice, "--", *files)
    assert rebuilt.returncode == 0, rebuilt.stderr[-3000:]
    same = [path.relative_to(other) for path in study_files(other)]
    assert len(same) > 10
    assert all((other / path).read_bytes() == first[path] for path in same)


@pytest.mark.slow
def test_a_failed_training_is_a_failed_cell_everywhere_and_an_error_at_the_end(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "fails")
    defense = "{datasets: [fashion_mnist], evasion: {linear_decodability: []}, detectors: [margin]}"
    mitigations = "{datasets: [fashion_mnist], outputs: [logits, top1], trained_for: []}"
    rate = "overrides: {fashion_mnist: {learning_rate: 1.0e+30}}"
    less = "tradeoff: {datasets: []}, autoencoder: []"
    diverges = f"scales={{smoke: {{defense: {defense}, mitigations: {mitigations}, {less}, {rate}}}}}"
    choice = ("scale=smoke", "datasets=[fashion_mnist,mnist]", diverges)
    result = snakemake(project, "--cores", "2", "--config", *choice)
    assert result.returncode != 0
    told = result.stdout + result.stderr
    assert "2 of 4 cells of main failed" in told
    assert "learning_rate" in told
    figures = project / "paper_figures/smoke"
    table = (figures / "main_table.md").read_text(encoding="utf-8")
    assert table.count("failed (1 of 1 seeds)") >= 8
    assert "lower learning" in table
    rows = pd.read_csv(figures / "main_table.csv")
    assert rows.loc[rows["task"] == "fashion_mnist", "psnr_mean"].isna().all()
    assert rows.loc[rows["task"] == "mnist", "psnr_mean"].notna().all()
    left = counts(snakemake(project, "-n", "--cores", "1", "--config", *choice))
    assert left == {"check_complete": 3, "all": 1, "total": 4}, "all else is built and verified, failed cells and all"
    for experiment in ("main", "defense", "mitigations"):
        assert not (project / f"results/smoke/complete/{experiment}.txt").exists()
    for name in (
        "detection_table",
        "adaptive_table",
        "mitigations_table",
        "roc_curves",
        "evasion_cost",
        "mitigation_leaks",
        "all_detectors",
    ):
        assert "failed" in (figures / f"{name}.md").read_text(encoding="utf-8"), name


@pytest.mark.parametrize("scale", ["demo", PAPER])
def test_the_budget_counts_the_jobs_of_the_dag(project: Any, scale: Any) -> None:
    plan = counts(snakemake(project, "-n", "--forceall", "--cores", "1", "--config", f"scale={scale}"))
    expected = sum(count for rule, count in plan.items() if rule in BEFORE_RESULTS)
    params = load_params(ROOT / "params.yaml").model_copy(update={"scale": scale})
    costs = budget.total(budget.budget(params).values())
    assert costs.jobs == expected
    assert costs.trainings == sum(plan[rule] for rule in TRAINING_RULES[:3])


@pytest.mark.slow
def test_jobs_run_the_code_beside_the_snakefile_whatever_is_installed(tmp_path: Path) -> None:
    """In the folder of an experiment that DVC queued, the code is that of the queue; the installed one may be newer."""
    project = copy_project(tmp_path / "a study")
    set_params(project, scale="smoke", datasets=["mnist"])
    code = project / "src/vicious/data/prepare.py"
    code.write_text(
        code.read_text(encoding="utf-8").replace("def prepare(", "print()\n\n\ndef prepare(", 1), encoding="utf-8"
    )
    installed = {**environment(project), "PYTHONPATH": str(ROOT / "src")}
    command = [str(BIN / "snakemake"), "--cores", "1", "--", "data_mnist"]
    made = subprocess.run(command, cwd=project, env=installed, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    record = json.loads((project / "data/prepared/smoke/mnist/prepare.provenance.json").read_text(encoding="utf-8"))
    step = (
        Plan(load_params(project / "params.yaml")).by_record["data/prepared/smoke/mnist/prepare.provenance.json"].step
    )
    assert record["code"]["hash"] != code_of(step)


def test_a_path_that_splits_pythonpath_is_refused(tmp_path: Path) -> None:
    """Jobs would run the installed code, whatever lies beside the Snakefile."""
    project = copy_project(tmp_path / "a:study")
    result = snakemake(project, "-n", "--cores", "1", "--config", "scale=smoke")
    assert result.returncode != 0
    told = result.stdout + result.stderr
    assert f"the path {project / 'src'} holds a :" in told
    assert "Traceback" not in told


def test_code_that_a_profile_loaded_from_elsewhere_is_refused(project: Path, tmp_path: Path) -> None:
    """As those of clusters do, before the Snakefile is read."""
    lines = ["__use_yte__: true", "__definitions__:", "  - import vicious", "keep-going: true"]
    (tmp_path / "config.yaml").write_text("\n".join(lines), encoding="utf-8")
    command = [str(BIN / "snakemake"), "-n", "--cores", "1", "--profile", str(tmp_path), "--config", "scale=smoke"]
    for place, code in ((project, 0), (ROOT, 1)):
        variables = {**environment(project), "PYTHONPATH": str(place / "src")}
        result = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)
        assert result.returncode == code, result.stderr
    assert f"{ROOT / 'src/vicious/__init__.py'} was loaded" in result.stdout + result.stderr


@pytest.mark.slow
def test_a_job_that_finds_other_code_fails(tmp_path: Path) -> None:
    """As where the program ignores PYTHONPATH, or code is edited while a study runs."""
    project = copy_project(tmp_path / "a study")
    rules = project / "workflow/rules/steps.smk"
    rules.write_text(rules.read_text(encoding="utf-8").replace('"vicious {', f"\"PYTHONPATH='{ROOT}/src' vicious {{"))
    edit(project / "src/vicious/data/fetch.py", "def fetch(", "print()\n\n\ndef fetch(")
    result = snakemake(project, "--cores", "1", "--config", "scale=smoke", "datasets=[mnist]", "--", "data_mnist")
    assert result.returncode != 0
    assert "this job is to run code of the identity" in result.stdout + result.stderr
    assert not (project / "data/source").exists() or not any((project / "data/source").rglob("*.json"))


@pytest.mark.parametrize("option", ["--config", "-C"])
@pytest.mark.parametrize(
    ("words", "right"),
    [
        (["scale=smoke", "table1"], "scale=smoke -- table1"),
        (["scale=smoke", "datasets=[mnist]", "a b"], "scale=smoke 'datasets=[mnist]' -- 'a b'"),
        (["table1"], "-- table1"),
    ],
)
def test_a_target_that_is_taken_for_a_setting_is_one_line(option: str, words: list[str], right: str) -> None:
    for line in ([option, *words, "-n", "--cores", "1"], ["-n", "--cores", "1", option, *words]):
        result = snakemake(ROOT, *line)
        assert result.returncode == 1
        assert f"put -- before targets: snakemake ... --config {right}\n" in result.stderr
        assert "Traceback" not in result.stdout + result.stderr


# --- code identity, on a finished study ------------------------------------------------------------------------------


def edit(file: Path, before: Any, after: Any) -> None:
    """Replace a text that is there."""
    text = file.read_text(encoding="utf-8")
    assert before in text, (file, before)
    file.write_text(text.replace(before, after), encoding="utf-8")


def rename_module(source: Any, old: Any, new: Any) -> None:
    """Move a module of the package, and rewrite the imports of it."""
    shutil.move(source / f"{old.replace('.', '/')}.py", source / f"{new.replace('.', '/')}.py")
    for file in source.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(f"vicious.{old} ", f"vicious.{new} "), encoding="utf-8")


def reformat(file: Path) -> None:
    """Write a module in another form: no comments, other line breaks, other quotes."""
    file.write_text(ast.unparse(ast.parse(file.read_text(encoding="utf-8"))), encoding="utf-8")


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


@pytest.mark.slow
def test_cleaning_code_and_adding_to_it_makes_nothing_again(built: Any, tmp_path: Path) -> None:
    project = shutil.copytree(built, tmp_path / "cleaned", symlinks=True)
    source = project / "src/vicious"
    edit(source / "data/tasks.py", '"""Tasks: ', '"""Tasks, that is ')
    append(source / "training/jobs.py", "\n# a comment\n")
    reformat(source / "models/checkpoint.py")
    rename_module(source, "training.losses", "training.minimised")
    edit(source / "models/checkpoint.py", "train the model again", "train it once more")
    shutil.copy(source / "data/datasets/mnist.py", source / "data/datasets/kmnist.py")
    edit(source / "data/datasets/kmnist.py", 'name="mnist"', 'name="kmnist"')
    shutil.copy(source / "defense/detectors/entropy.py", source / "defense/detectors/surprise.py")
    edit(source / "defense/detectors/surprise.py", '"entropy"', '"surprise"')
    figure = source / "report/figures/mine.py"
    shutil.copy(source / "report/figures/tradeoff_curves.py", figure)
    plan = snakemake(project, "-n", "--cores", "1", "--config", *SMOKE)
    assert plan.returncode == 0, plan.stderr
    assert counts(plan) == {"mine": 1, "verify_study": 1, "report": 1, "all": 1, "total": 4}
    figure.unlink()
    again = snakemake(project, "-n", "--cores", "1", "--config", *SMOKE)
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.slow
def test_a_changed_constant_makes_again_what_uses_it_and_no_more(built: Any, tmp_path: Path) -> None:
    project = shutil.copytree(built, tmp_path / "changed", symlinks=True)
    losses = project / "src/vicious/training/losses.py"
    before = losses.read_text(encoding="utf-8")
    edit(losses, "HUBER_WEIGHT = 5.0", "HUBER_WEIGHT = 4.0")
    plan = counts(snakemake(project, "-n", "--cores", "1", "--config", *SMOKE))
    assert {"train_vicious", "train_attack", "assess_risk", "evaluate_defense"} <= plan.keys()
    assert not {"fetch", "prepare", "fit_covariance"} & plan.keys()
    losses.write_text(before, encoding="utf-8")

    edit(project / "src/vicious/defense/detectors/linear_decodability.py", "DETECTOR =", "UNUSED = 1\nDETECTOR =")
    assert (
        "Nothing to be done"
        in (told := snakemake(project, "-n", "--cores", "1", "--config", *SMOKE)).stdout + told.stderr
    )


@pytest.mark.slow
def test_a_changed_detector_alone_judges_again(built: Any, tmp_path: Path) -> None:
    project = shutil.copytree(built, tmp_path / "one detector", symlinks=True)
    detector = project / "src/vicious/defense/detectors/own_decoder.py"
    edit(detector, "COPIES = 3", "COPIES = 2")
    made = snakemake(project, "--cores", "2", "--config", *SMOKE, "--", "assessments_mnist")
    assert made.returncode == 0, made.stderr[-3000:]
    assert {rule for rule in counts(made) if rule in BEFORE_RESULTS} == {"evaluate_defense"}
    logs = [file.read_text(encoding="utf-8") for file in project.glob("logs/smoke/mnist/*/seed0/evaluate_defense.log")]
    assert logs
    assert all("judged now: own_decoder\n" in log for log in logs)
