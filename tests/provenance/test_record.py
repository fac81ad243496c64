"""Records of provenance: what they say of a step's code, files and machine."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from vicious import __version__, cli
from vicious.provenance import record
from vicious.provenance.identity import reached
from vicious.provenance.record import code_of, code_version, write_provenance
from vicious.steps.summarize import Summarize
from vicious.study.artifacts import artifact_step
from vicious.study.config import load_params
from vicious.study.plan import Plan, step_of
from vicious.system.files import read_json

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan(load_params(ROOT / "params.yaml").model_copy(update={"scale": "smoke"}))


def modules_of(plan: Plan, rule: str) -> set[str]:
    """The modules of what the code identity of a rule's first step covers."""
    return {entry.split(":")[0].removeprefix("vicious.") for entry in reached(*plan.rules[rule][0].step.entries())}


@pytest.mark.parametrize(
    ("module", "rule"),
    [
        ("training.augment", "train_honest"),
        ("training.losses", "train_vicious"),
        ("models.targets._wideresnet", "train_honest"),
        ("models.targets._wideresnet", "assess_risk"),
        ("models.decoders._mirror", "train_attack"),
        ("models.decoders._mirror", "assess_risk"),
        ("mitigations.logits", "train_attack"),
        ("metrics.measures.ssim", "assess_risk"),
        ("metrics.risk", "assess_risk"),
        ("metrics.moments", "fit_covariance"),
        ("data.formats.idx", "prepare"),
        ("data.datasets.mnist", "prepare"),
        ("data.datasets.mnist", "fetch"),
        ("defense.detectors.finetuning", "evaluate_defense"),
        ("report.style", "accuracy_risk_plane"),
    ],
)
def test_the_code_of_a_step_covers_what_it_computes_with(plan: Plan, module: str, rule: str) -> None:
    assert module in modules_of(plan, rule)


@pytest.mark.parametrize(
    ("part", "rule"),
    [
        ("report", "train_honest"),
        ("training.augment", "prepare"),
        ("study", "train_vicious"),
        ("data.datasets.cifar10", "prepare"),
        ("data.datasets.mnist", "train_honest"),
        ("defense", "train_honest"),
        ("metrics.risk", "train_vicious"),
        ("training", "assess_risk"),
        ("system.errors", "train_honest"),
        ("system.progress", "train_honest"),
        ("system.interrupt", "train_honest"),
        ("cli", "assess_risk"),
        ("provenance", "assess_risk"),
    ],
)
def test_the_code_of_a_step_covers_nothing_else(plan: Plan, part: str, rule: str) -> None:
    assert not [one for one in modules_of(plan, rule) if one == part or one.startswith(f"{part}.")]


def test_a_training_for_an_attribute_set_covers_what_the_set_is(plan: Plan) -> None:
    steps: list[Any] = [one.step for one in plan.rules["train_honest"] if one.dataset == "celeba"]
    for step in steps:
        covered = {entry.split(":")[0] for entry in reached(*step.entries())}
        assert ("vicious.data.datasets.celeba" in covered) == (step.attributes is not None)
    assert {step.attributes for step in steps} > {None}


def test_detectors_have_codes_of_their_own(plan: Plan) -> None:
    step: Any = plan.rules["evaluate_defense"][0].step
    fewer = step.model_copy(update={"detectors": step.detectors[:1]})
    assert code_of(fewer) != code_of(step)


def test_a_record_names_inputs_outputs_code_libraries_and_hardware(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("x")
    (tmp_path / "out.txt").write_text("y")
    step = Summarize(results=[tmp_path / "in.txt", tmp_path / "not there.txt"], out=tmp_path / "out.txt")
    write_provenance(tmp_path / "p.json", step, 1.5, {"part": 0.5})
    record = read_json(tmp_path / "p.json")
    assert record["command"] == "summarize"
    assert record["settings"] == step.settings()
    assert record["measured"] == {"part": 0.5}
    assert record["code"]["hash"] == code_of(step)
    assert len(record["inputs"]) == 1
    assert record["inputs"][(tmp_path / "in.txt").as_posix()].startswith("2d711642b726b044")
    assert {Path(name).name: value[:16] for name, value in record["outputs"].items()} == {"out.txt": "a1fce4363854ff88"}
    assert record["code"]["package"]
    assert record["libraries"]["torch"]
    assert record["hardware"]["cores"] >= 1
    assert record["seconds"] == 1.5
    assert 10 < record["peak_mb"] < 1e5
    assert Path(tmp_path / "p.json").read_text().endswith("}\n")


def repository(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """A Git repository with these files, whose package is where this one's would be."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1")
    for command in ("init -q", "add -A", "-c user.name=a -c user.email=a@b.invalid commit -qm x"):
        subprocess.run(["git", "-C", folder, *command.split()], check=True)
    monkeypatch.setattr(record, "_SOURCE", folder / "src" / "vicious")


def test_code_is_dirty_by_its_source_and_not_by_its_products(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    products = ("paper_figures/pilot/table.md", "results/pilot/summaries/main.csv", "dvc.lock", "models/pilot/card.md")
    repository(tmp_path, monkeypatch, "src/vicious/code.py", *products)
    assert code_version()["dirty"] is False
    for product in products:
        (tmp_path / product).write_text("2")
    assert code_version()["dirty"] is False
    (tmp_path / "src/vicious/code.py").write_text("2")
    assert code_version()["dirty"] is True
    assert len(code_version()["commit"]) == 40


def test_a_copy_below_another_repository_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    repository(tmp_path, monkeypatch, "other.py", "copy/src/vicious/code.py")
    monkeypatch.setattr(record, "_SOURCE", tmp_path / "copy" / "src" / "vicious")
    assert code_version() == {"package": __version__, "commit": None, "dirty": None}
    assert f"{tmp_path / 'copy'} is no repository of its own, but lies in that of {tmp_path}" in caplog.text


def test_the_environment_names_no_other_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(tmp_path / "other", monkeypatch, "other.py")
    other = code_version()["commit"]
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2001-01-01T00:00:00")
    repository(tmp_path / "own", monkeypatch, "src/vicious/code.py")
    own = code_version()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "own"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nothing"))
    assert code_version() == own
    assert own["commit"] != other


@pytest.mark.parametrize("what", ["none", "refused", "no git"])
def test_it_says_why_there_is_no_commit(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    repository(tmp_path, monkeypatch, "src/vicious/code.py")
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    if what == "none":
        (tmp_path / ".git").rename(tmp_path / "gone")
        said = "not a git repository"
    elif what == "refused":  # as Git does where another user owns the folder
        program.write_text("#!/bin/sh\necho fatal: detected dubious ownership in repository >&2; exit 128\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        said = "dubious ownership"
    else:
        monkeypatch.setenv("PATH", str(program.parent))
        said = "'git'"
    assert code_version() == {"package": __version__, "commit": None, "dirty": None}
    assert "no commit is recorded, since Git says" in caplog.text
    assert said in caplog.text


def inputs_of(command: str, **settings: Any) -> set[str]:
    """The names of the files that a step would record as read."""
    return {str(file) for file in step_of(command).model_construct(**settings).reads()}


ARRAYS = {f"d/{split}_{kind}.npy" for split in ("train", "validation", "test") for kind in ("images", "labels")}
DATA = {"d/dataset.json", *ARRAYS}
MODEL = {"m/target.safetensors", "m/target.json"}
WEIGHTS, NOISE = Path("m/target.safetensors"), Path("m/posthoc-noise0.1.safetensors")
JOINT, POSTHOC = Path("a/risk-joint.json"), Path("a/risk-posthoc-noise0.1.json")


@pytest.mark.parametrize(
    ("command", "settings", "read"),
    [
        ("prepare", {"source": Path("s.json")}, {"s.json"}),
        ("fit-covariance", {"data": Path("d")}, DATA),
        ("train-honest", {"data": Path("d")}, DATA),
        ("train-vicious", {"data": Path("d")}, DATA),
        ("train-attack", {"data": Path("d"), "target": WEIGHTS}, DATA | MODEL),
        (
            "assess-risk",
            {"data": Path("d"), "covariance": Path("c.safetensors"), "target": WEIGHTS, "attack": NOISE},
            DATA | MODEL | {"c.safetensors", "m/posthoc-noise0.1.safetensors", "m/posthoc-noise0.1.json"},
        ),
        ("evaluate-defense", {"data": Path("d"), "target": WEIGHTS}, DATA | MODEL),
        ("measure-membership", {"data": Path("d"), "target": WEIGHTS}, DATA | MODEL),
        ("summarize-membership", {"results": [Path("a/membership.json")]}, {"a/membership.json"}),
        ("summarize", {"results": [JOINT, Path("b/risk-joint.json")]}, {"a/risk-joint.json", "b/risk-joint.json"}),
        ("compare", {"results": [JOINT]}, {"a/risk-joint.json", "a/risk-joint.parquet"}),
        ("per-class", {"results": [JOINT]}, {"a/risk-joint.json", "a/risk-joint.parquet"}),
        (
            "agree",
            {"results": [POSTHOC]},
            {"a/risk-posthoc-noise0.1.json", "a/risk-posthoc-noise0.1.parquet", "a/estimators-posthoc-noise0.1.csv"},
        ),
        (
            "extreme_images",
            {"assessments": [JOINT]},
            {"a/risk-joint.json", "a/risk-joint.parquet", "a/gallery-joint.npz"},
        ),
        ("training_curves", {"curves": [Path("m/target.csv")]}, {"m/target.csv", "m/target.json"}),
        (
            "tradeoff_table",
            {"summary": Path("s.csv"), "comparisons": Path("c.csv")},
            {"s.csv", "c.csv"},
        ),
    ],
)  # fmt: skip
def test_what_lies_beside_an_input_and_is_read_is_an_input_too(command: str, settings: Any, read: Any) -> None:
    assert inputs_of(command, **settings) == read


def test_a_tables_files_have_the_name_of_the_table() -> None:
    made: Any = artifact_step("main_table")
    step = made(out=Path("f"), summary=Path("s.csv"), comparisons=Path("c.csv"))
    assert step.writes() == [Path("f/main_table.csv"), Path("f/main_table.md"), Path("f/main_table.tex")]
    assert step.record() == Path("f/main_table.json")


def test_a_job_refuses_to_be_other_code_than_was_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], plan: Plan
) -> None:
    step = Summarize(results=[tmp_path / "absent.json"], out=tmp_path / "out.csv")
    words = [step.command(), *step.options(), "--code"]
    assert cli.main([*words, "0123456789abcdef"]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"run code of the identity 0123456789abcdef, and that in {ROOT / 'src/vicious'} is {code_of(step)}" in told
    assert cli.main([*words, code_of(step)]) == 1
    assert "absent.json" in capsys.readouterr().err, "it came to its work"


@pytest.mark.parametrize("command", ["discard results", "verify results", "restore", "build-stage figures"])
def test_results_are_not_judged_by_the_code_of_another_folder(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src/vicious").mkdir(parents=True)
    (tmp_path / "src/vicious/__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    assert cli.main(command.split()) == 1
    assert "not that of this folder" in capsys.readouterr().err
