"""Snakemake and DVC on one study: what either has done the other takes as done, wherever the results come from."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import BIN, PAPER, ROOT, copy_project, counts, once, run, set_params, snakemake, study_files

from vicious.provenance.identity import reached as reached_code
from vicious.provenance.stage import stages as build_stages
from vicious.study.config import load_params
from vicious.study.plan import Plan

NOTHING = "Nothing to be done"
MNIST = "scales__smoke__overrides__mnist"
OF_MNIST = ["data@mnist", "models@mnist", "assessments@mnist", "summaries", "figures"]
"""Stages that depend on what is set for MNIST."""


def dvc(folder: Path, *arguments: Any) -> subprocess.CompletedProcess[str]:
    return run(folder, BIN / "dvc", *arguments)


def ok(result: Any) -> Any:
    """The output of a command that must not fail."""
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    return result.stdout + result.stderr


def git(folder: Path, *arguments: Any) -> Any:
    who = ("-c", "user.name=A user", "-c", "user.email=user@example.org")
    return ok(run(folder, "git", *who, *arguments))


def ran(output: Any) -> list[Any]:
    """The stages whose command DVC ran, in order."""
    return re.findall(r"^Running stage '(.+)':", output, re.M)


def nothing_to_do(folder: Path) -> bool:
    return NOTHING in ok(snakemake(folder, "-n", "--cores", "1"))


def clean(folder: Path) -> bool:
    return "up to date" in ok(dvc(folder, "status"))


def contents(folder: Path) -> dict[Any, Any]:
    return {path.relative_to(folder): path.read_bytes() for path in study_files(folder)}


def identities(folder: Path) -> dict[Any, Any]:
    """What changes when a file is written anew: inode and time, by path."""
    files = [*study_files(folder), *(folder / "paper_figures/smoke").iterdir()]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="session")
def repro(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small study of two datasets, built from nothing by ``dvc repro`` in a folder with a space and a quote, and
    committed; with what DVC printed."""

    def build(folder: Path) -> Any:
        copy_project(folder)
        set_params(folder, scale="smoke", datasets=["mnist", "fashion_mnist"], scales__smoke__autoencoder=[])
        set_params(folder, **{MNIST: {"learning_rate": 0.001}})
        for experiment in ("tradeoff", "attackers", "defense", "mitigations"):
            set_params(folder, **{f"scales__smoke__{experiment}__datasets": []})
        with (folder / ".gitignore").open("a", encoding="utf-8") as ignored:
            ignored.write("!/results/smoke/\n!/paper_figures/smoke/\n")  # as for the scales pilot and paper
        git(folder, "init", "-q")
        ok(dvc(folder, "init", "-q"))
        output = ok(dvc(folder, "repro"))
        git(folder, "add", "--all")
        git(folder, "commit", "-qm", "The study")
        return output

    return once(tmp_path_factory, "a user's study", build)


@pytest.fixture
def built(repro: Any) -> Any:
    """That study."""
    return repro[0]


@pytest.fixture
def project(built: Any, tmp_path: Path) -> Path:
    """A copy of it, with times and all, whose params.yaml and results may change."""
    return shutil.copytree(built, tmp_path / "a user's copy", symlinks=True)


@pytest.mark.parametrize("scale", ["smoke", "demo", "pilot", PAPER])
def test_stages_ask_for_the_targets_of_the_snakefile_and_keep_what_these_make(tmp_path: Path, scale: Any) -> None:
    project = copy_project(tmp_path / "a study")
    set_params(project, scale=scale)
    ok(run(project, "git", "init", "-q"))
    ok(dvc(project, "init", "-q"))
    datasets = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))["datasets"]
    listed_stages = json.loads(ok(run(project, "python", "-c", STAGES)))
    assert {command for command, _ in listed_stages.values()} == {COMMAND}, "it holds nothing of params.yaml"
    stages = build_stages(load_params(project / "params.yaml"))
    assert stages.keys() == listed_stages.keys()
    for name, stage in stages.items():
        made_of_all = ("complete", "report.html")  # of all results: made again when any of them is
        outs = [out for out in listed_stages[name][1] if Path(out).name not in made_of_all]
        assert [place.as_posix() for place in stage.places] == outs, "what DVC keeps of a stage is what it discards"
    of_datasets = [f"{kind}_{dataset}" for dataset in datasets for kind in ("data", "models", "assessments")]
    assert sorted(stage.target for stage in stages.values()) == sorted([*of_datasets, "results", "all"])
    listed = ok(snakemake(project, "--list-target-rules")).split()
    assert set(of_datasets) <= set(listed), "what dvc.yaml asks for is what the Snakefile offers"

    summary = ok(snakemake(project, "--summary", "--cores", "1"))
    files = {
        line.split("\t")[0] for line in summary.splitlines() if line.startswith(("data/", "results/", "paper_figures/"))
    }
    outs = [out for _, kept in listed_stages.values() for out in kept]
    assert len(files) > 100
    assert {file for file in files if not any(f"{file}/".startswith(f"{out}/") for out in outs)} == set()


COMMAND = 'PYTHONPATH=src${PYTHONPATH:+:$PYTHONPATH} vicious build-stage "$DVC_STAGE"'
STAGES = """
import json
from dvc.repo import Repo
stages = {stage.addressing: (stage.cmd, [out.def_path for out in stage.outs]) for stage in Repo().index.stages}
print(json.dumps(stages))
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, with DVC and Git, and nothing built."""
    project = copy_project(tmp_path_factory.mktemp("bare") / "a study")
    git(project, "init", "-q")
    ok(dvc(project, "init", "-q"))
    git(project, "add", "--all")
    git(project, "commit", "-qm", "The study")
    return project


@pytest.mark.parametrize(
    ("command", "key", "text"),
    [
        ("repro", "datasets", "mnist$(touch PWNED)"),
        ("repro", "datasets", "mnist;touch PWNED;#"),
        ("repro", "scale", "smoke; touch PWNED #"),
        ("exp run", "scale", "smoke`touch PWNED`"),
        ("repro", "dataset and scale", "$(touch PWNED)"),
    ],
)
def test_no_value_of_the_parameters_reaches_a_shell(
    bare: Path, tmp_path: Path, command: str, key: str, text: str
) -> None:
    """Every key that dvc.yaml names in braces; with all that DVC itself asks for, so that it gets to the command."""
    project = shutil.copytree(bare, tmp_path / "a study", symlinks=True)
    params = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    scale, dataset = (text if name in key else usual for name, usual in (("scale", "smoke"), ("dataset", "mnist")))
    choice = ["-S", f"scale='{scale}'"] if command == "exp run" else []
    params |= {"scale": "smoke" if choice else scale, "datasets": [dataset]}
    params["scales"][scale] = params["scales"]["smoke"] | {"overrides": {dataset: {}}}
    (project / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    result = dvc(project, *command.split(), *choice)
    told = result.stdout + result.stderr
    assert result.returncode != 0, told
    assert "Running stage 'data@" in told
    assert not list(tmp_path.rglob("PWNED")), told
    assert not (project / ".snakemake").exists(), "nothing was begun"
    (line,) = [line for line in told.splitlines() if line.startswith("error: ")]
    assert "(params.yaml, --config, --configfile) is not valid" in line


@pytest.mark.parametrize("name", ["models@mnst", "models", "$(touch PWNED)", "", "figures@mnist"])
def test_what_is_no_stage_is_refused(bare: Path, name: str) -> None:
    result = run(bare, "vicious", "build-stage", name)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {name!r} is no stage of this configuration")


def test_a_stage_depends_on_all_code_that_makes_its_results_and_on_all_parameters_behind_them() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    plan = Plan(load_params(ROOT / "params.yaml").model_copy(update={"scale": "smoke"}))
    assert stages.keys() == {one.step.STAGE for one in plan.steps}
    for name, stage in stages.items():
        told = stage.get("do", stage)
        entries = {entry for one in plan.steps if name == one.step.STAGE for entry in one.step.entries()}
        modules = {reached.split(":")[0].replace(".", "/") for reached in reached_code(*entries)}
        deps = [dep for dep in told["deps"] if dep.startswith("src/")]
        assert [
            module for module in modules if not any(f"src/{module}/".startswith(f"{dep}/") for dep in deps)
        ] == [], name
        assert "workflow/rules" in told["deps"]


@pytest.mark.slow
def test_after_dvc_repro_snakemake_has_nothing_to_do(repro: Any) -> None:
    built, output = repro
    stages = ran(output)
    assert len(stages) == len(set(stages)) == 3 * 2 + 2
    assert nothing_to_do(built)
    assert clean(built)


@pytest.mark.slow
def test_after_snakemake_dvc_computes_nothing(project: Any) -> None:
    (project / "dvc.lock").unlink()
    shutil.rmtree(project / ".dvc/cache")
    before = identities(project)
    output = ok(dvc(project, "repro", "models@mnist"))
    stages = ran(output)
    assert stages[-1] == "models@mnist", "it depends on the data of both datasets"
    assert sorted(stages[:-1]) == ["data@fashion_mnist", "data@mnist"]
    assert output.count(NOTHING) == 3, "DVC knows nothing of it, and Snakemake all"
    ok(dvc(project, "commit", "-f"))
    assert clean(project)
    assert ran(ok(dvc(project, "repro"))) == []
    assert nothing_to_do(project)
    assert identities(project) == before


@pytest.mark.slow
def test_a_parameter_of_a_dataset_reruns_its_stages_and_jobs_alone_and_both_tools_end_in_the_same_bytes(
    project: Any, tmp_path: Path
) -> None:
    other = shutil.copytree(project, tmp_path / "by Snakemake", symlinks=True)
    before = identities(project)
    for folder in (project, other):
        set_params(folder, **{MNIST: {"learning_rate": 0.002}})
    output = ok(dvc(project, "repro", "summaries"))
    assert ran(output) == OF_MNIST[:-1]
    assert ran(ok(dvc(project, "repro", "--dry"))) == OF_MNIST[-1:]
    jobs = counts(made := snakemake(other, "--cores", "2", "--", "results"))
    ok(made)
    training = {"train_honest": 1, "train_vicious": 1, "train_attack": 1, "assess_risk": 2}
    assert {
        rule: count for rule, count in jobs.items() if rule in ("fetch", "prepare", "fit_covariance", *training)
    } == training
    listed = [re.findall(rf"^{rule} +([0-9]+)$", output, re.M) for rule in training]
    assert listed == [[str(count)] for count in training.values()], "DVC's stages ran just these"
    assert contents(project) == contents(other)
    kept = [path for path in before if "fashion_mnist" in path.relative_to(project).as_posix().split("/")]
    assert len(kept) > 20
    assert {path: identity for path, identity in identities(project).items() if path in kept} == {
        path: before[path] for path in kept
    }
    assert NOTHING in ok(snakemake(project, "-n", "--cores", "1", "--", "results"))

    parameters = json.loads(ok(dvc(project, "params", "diff", "--json")))["params.yaml"]
    assert parameters == {"scales.smoke.overrides.mnist.learning_rate": {"old": 0.001, "new": 0.002, "diff": 0.001}}
    metrics = json.loads(ok(dvc(project, "metrics", "diff", "--json")))["results/smoke/summaries/metrics.json"]
    assert metrics["mnist/vicious-logits-beta1/joint/psnr"]["diff"] != 0
    assert not any(name.startswith("fashion_mnist/") for name in metrics)
    shown = json.loads(ok(dvc(project, "metrics", "show", "--json")))[""]["data"][
        "results/smoke/summaries/metrics.json"
    ]["data"]
    written = json.loads((project / "results/smoke/summaries/metrics.json").read_text(), parse_constant=pytest.fail)
    assert shown == written
    assert "index.html" in ok(dvc(project, "plots", "show"))
    page = (project / "dvc_plots/index.html").read_text(encoding="utf-8")
    assert "vicious" in page
    assert "psnr" in page


@pytest.mark.slow
@pytest.mark.parametrize("records", ["none", "of others"])
def test_snakemake_takes_no_results_from_elsewhere_as_made_by_what_is_asked_for_now(project: Any, records: str) -> None:
    """By itself it would: its own records are gone, or are of files that others have taken the place of."""
    if records == "none":
        shutil.rmtree(project / ".snakemake")
        set_params(project, **{MNIST: {"learning_rate": 0.002}})
    else:
        set_params(project, **{MNIST: {"learning_rate": 0.002}})
        ok(snakemake(project, "--cores", "2", "--", "models_mnist"))
        ok(dvc(project, "checkout", "--force"))
    refused = snakemake(project, "-n", "--cores", "1")
    assert refused.returncode != 0
    assert "learning_rate 0.001, params.yaml asks for 0.002" in refused.stdout
    (advice,) = re.findall(r"`vicious (discard [^`]+)`", refused.stdout)
    ok(run(project, "python", "-m", "vicious", *advice.split()))
    plan = counts(snakemake(project, "-n", "--cores", "1", "--", "main"))
    assert plan["train_honest"] == plan["train_vicious"] == plan["train_attack"] == 1
    assert plan["assess_risk"] == 2
    assert plan["accuracy_risk_plane"] == 1


@pytest.mark.slow
def test_a_model_that_is_gone_is_made_again_by_both(project: Any) -> None:
    shutil.rmtree(project / "results/smoke/models/mnist/honest")
    assert counts(snakemake(project, "-n", "--cores", "1"))["train_honest"] == 1
    assert "models/mnist" in ok(dvc(project, "status"))


@pytest.mark.slow
def test_an_experiment_in_a_folder_of_its_own_computes_what_its_parameter_changes_alone(project: Any) -> None:
    output = ok(
        dvc(project, "exp", "run", "--temp", "-S", "scales.smoke.overrides.mnist.learning_rate=0.002", "summaries")
    )
    assert ran(output) == OF_MNIST[:-1]
    listed = dict(re.findall(r"^([a-z_0-9]+) +([0-9]+)$", output, re.M))
    assert {rule: listed.get(rule) for rule in ("train_honest", "train_vicious", "train_attack", "assess_risk")} == {
        **dict.fromkeys(("train_honest", "train_vicious", "train_attack"), "1"),
        "assess_risk": "2",
    }
    assert not {"fetch", "prepare", "fit_covariance"} & listed.keys()
    (experiment,) = re.findall(r"^Ran experiment\(s\): (\S+)", output, re.M)
    parameters = json.loads(ok(dvc(project, "params", "diff", "HEAD", experiment, "--json")))["params.yaml"]
    assert [change["new"] for change in parameters.values()] == [0.002]
    assert nothing_to_do(project), "the user's own folder is as it was"


def restored(clone: Any) -> bool:
    """What stands between ``dvc pull`` and going on."""
    assert not nothing_to_do(clone)
    ok(run(clone, "python", "-m", "vicious", "restore"))
    return nothing_to_do(clone)


@pytest.mark.slow
def test_a_clone_that_pulls_results_computes_nothing_and_draws_figures_at_once(project: Any, tmp_path: Path) -> None:
    ok(dvc(project, "remote", "add", "--default", "store", tmp_path / "a store"))
    git(project, "commit", "-qam", "Where results are kept")
    ok(dvc(project, "push"))
    clone = tmp_path / "a clone"
    git(tmp_path, "clone", "-q", project, clone)
    early = run(clone, "python", "-m", "vicious", "restore").stderr
    assert "missing: results/smoke/assessments/" in early, "Git brought the summaries, and DVC nothing yet"
    assert "nothing was touched; `dvc pull` brings what is missing" in early
    ok(dvc(clone, "pull"))
    assert restored(clone)
    assert clean(clone)
    assert contents(clone) == contents(project)
    figure = clone / "paper_figures/smoke/accuracy_risk_plane.png"
    drawn = figure.read_bytes()
    figure.unlink()
    drawing = snakemake(clone, "--cores", "1", "--", "accuracy_risk_plane")
    assert counts(drawing) == {"accuracy_risk_plane": 1, "total": 1}, drawing.stderr
    assert figure.read_bytes() == drawn

    weights = clone / "results/smoke/models/mnist/honest/seed0/target.safetensors"
    set_params(clone, **{MNIST: {"learning_rate": 0.002}})
    plan = counts(snakemake(clone, "-n", "--cores", "1"))
    assert plan["train_honest"] == plan["train_vicious"] == 1, "restored records know what the results were made with"
    before = weights.stat().st_mtime_ns
    refused = run(clone, "python", "-m", "vicious", "restore")
    assert refused.returncode == 1
    assert "learning_rate 0.001, params.yaml asks for 0.002" in refused.stderr
    assert "nothing was touched" in refused.stderr
    assert weights.stat().st_mtime_ns == before


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 service on loopback that has a bucket "study"."""
    server = pytest.importorskip("moto.server", reason="moto is not installed").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0
    )
    import boto3

    for name, value in {
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="study")
    yield address
    server.stop()


@pytest.mark.slow
def test_results_come_back_from_s3(project: Any, bucket: Any, tmp_path: Path) -> None:
    ok(dvc(project, "remote", "add", "--default", "store", "s3://study/results"))
    ok(dvc(project, "remote", "modify", "store", "endpointurl", bucket))
    git(project, "commit", "-qam", "Where results are kept")
    ok(dvc(project, "push", "models@mnist"))
    clone = tmp_path / "a clone"
    git(tmp_path, "clone", "-q", project, clone)
    ok(dvc(clone, "pull", "models@mnist"))
    place = "results/smoke/models/mnist"
    found, expected = (
        [path.read_bytes() for path in study_files(folder) if place in path.as_posix()] for folder in (clone, project)
    )
    assert len(expected) > 5
    assert found == expected


def is_what_it_is_called(file: Path) -> bool:
    """Whether a file of DVC's cache has the hash that its path says."""
    return hashlib.md5(file.read_bytes()).hexdigest() == file.parent.name + file.name.removesuffix(".dir")


def cached(cache: Any) -> list[Any]:
    return [path for path in (cache / "files/md5").rglob("*") if path.is_file()]


@pytest.mark.slow
def test_a_study_whose_files_are_links_into_a_read_only_cache_leaves_it_as_it_is(project: Any, tmp_path: Path) -> None:
    cache = shutil.copytree(project / ".dvc/cache", tmp_path / "the cache of all")
    shutil.rmtree(project / ".dvc/cache")
    ok(dvc(project, "cache", "dir", "--local", cache))
    ok(dvc(project, "config", "--local", "cache.type", "hardlink"))
    ok(dvc(project, "checkout", "--relink"))
    ok(run(project, "python", "-m", "vicious", "restore"))
    weights = project / "results/smoke/models/mnist/honest/seed0/target.safetensors"
    assert weights.stat().st_nlink == 2
    assert not weights.stat().st_mode & 0o222
    before = {path: path.read_bytes() for path in cached(cache)}
    set_params(project, **{MNIST: {"learning_rate": 0.002}})
    ok(snakemake(project, "--cores", "2", "--", "models_mnist"))
    assert weights.stat().st_nlink == 1, "a file of its own"
    assert ran(ok(dvc(project, "repro", "models@mnist"))) == OF_MNIST[:2]
    record = json.loads(weights.with_suffix(".json").read_text())
    assert record["schedule"]["learning_rate"] == 0.002
    assert all(path.read_bytes() == content for path, content in before.items())
    assert all(is_what_it_is_called(path) for path in cached(cache))


def as_nobody(*command: Any) -> list[Any]:
    """A command of another user, who may read everything and write nothing of others."""
    may = "dac_read_search"
    limits = (f"--inh-caps=+{may}", f"--ambient-caps=+{may}", f"--bounding-set=-all,+{may}")
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *limits, *command]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of another user's, below one that everyone may enter."""
    may = os.geteuid() == 0 and shutil.which("setpriv")
    if not may or subprocess.run(as_nobody("true"), check=False).returncode:
        pytest.skip("to be another user takes root and setpriv")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        shutil.chown(folder, "nobody", "nogroup")
        yield Path(folder)


@pytest.mark.slow
def test_a_second_user_works_from_a_cache_that_only_the_first_may_write(built: Any, home: Any) -> None:
    project, own = shutil.copytree(built, home / "the first user's study", symlinks=True), home / "a study"

    def second(*command: Any, where: Any = own) -> subprocess.CompletedProcess[str]:
        return run(where, *as_nobody("env", f"HOME={home}", "USER=nobody", f"PYTHONPATH={own / 'src'}", *command))

    ok(second("git", "config", "--global", "safe.directory", "*", where=home))
    ok(second("git", "clone", "-q", project, own, where=home))
    cache = project / ".dvc/cache"
    before = {path: path.read_bytes() for path in cached(cache)}
    ok(second(BIN / "dvc", "cache", "dir", "--local", cache))
    ok(second(BIN / "dvc", "config", "--local", "cache.type", "hardlink,copy"))
    ok(second(BIN / "dvc", "checkout"))
    ok(second("python", "-m", "vicious", "restore"))
    assert NOTHING in ok(second(BIN / "snakemake", "-n", "--cores", "1"))
    assert contents(own) == contents(project)
    (own / "paper_figures/smoke/main_table.csv").unlink()
    ok(second(BIN / "snakemake", "--cores", "1", "--", "main_table"))
    assert second("touch", cache / "files/md5/mine").returncode != 0, "the cache is not this user's"
    assert {path: path.read_bytes() for path in cached(cache)} == before
    assert all(is_what_it_is_called(path) for path in before)


@pytest.mark.slow
def test_results_may_lie_in_another_directory(built: Any, tmp_path: Path) -> None:
    place = tmp_path / "somewhere else's results"
    place.mkdir()
    for part in ("data", "results"):
        shutil.copytree(built / part, place / part)
    shutil.copytree(built / ".snakemake", place / ".snakemake")
    result = snakemake(
        tmp_path, "--snakefile", built / "Snakefile", "--directory", place, "--cores", "2", "--", "main_table"
    )
    ok(result)
    assert (place / "paper_figures/smoke/main_table.csv").read_bytes() == (
        built / "paper_figures/smoke/main_table.csv"
    ).read_bytes()
