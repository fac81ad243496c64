"""The command line as its user meets it."""

import subprocess
import sys

import pytest

from vicious import cli

HEAVY = ["torch", "numpy", "pandas", "matplotlib"]


def run(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "vicious", *arguments], capture_output=True, text=True, **options)


def test_help_lists_the_steps():
    text = run("--help").stdout
    for command in (
        "fetch",
        "prepare",
        "train-honest",
        "train-vicious",
        "train-attack",
        "assess-risk",
        "evaluate-defense",
    ):
        assert command in text


@pytest.mark.parametrize(
    "module", ["vicious", "vicious.cli", "vicious.study.config", "vicious.study.paths", "vicious.provenance.record"]
)
def test_planning_imports_nothing_heavy(module):
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_error_is_one_line_and_an_exit_code(tmp_path):
    result = run(
        *["train-honest", "--depth", "10", "--width", "1", "--epochs", "1", "--batch-images", "8", "--learning-rate", "0.1", "--seed", "0"],
        "--data", str(tmp_path / "nothing"), "--out", str(tmp_path / "target.safetensors"),
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "nothing" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_check_config_names_the_typo(tmp_path):
    (tmp_path / "params.yaml").write_text("scal: demo\n", encoding="utf-8")
    result = run("check-config", str(tmp_path / "params.yaml"))
    assert result.returncode == 1
    assert "did you mean 'scale'" in result.stderr


def test_a_missing_official_file_lists_what_to_place_where(tmp_path):
    result = run(
        "fetch",
        "--dataset",
        "celeba",
        "--source",
        "official",
        "--root",
        str(tmp_path),
        "--out",
        str(tmp_path / "r.json"),
    )
    assert result.returncode == 1
    for name in ("celeba/img_align_celeba.zip", "celeba/list_attr_celeba.txt", "celeba/list_eval_partition.txt"):
        assert name in result.stderr
    assert not (tmp_path / "r.json").exists()


def test_a_misspelt_option_is_refused_not_guessed(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["fetch", "--data", "mnist"])
    assert caught.value.code == 2


def test_cuda_without_a_gpu_is_explained(monkeypatch):
    import torch

    from vicious.system.errors import ConfigError
    from vicious.system.runtime import use_device

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"runtime\.device"):
        use_device("cuda", 1)


TRAIN = ["train-honest", "--data", "d", "--out", "o", "--width", "1", "--epochs", "1", "--batch-images", "8"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--depth 11 --learning-rate 0.1 --seed 0", "6 n + 4"),
        ("--depth 10 --learning-rate -1 --seed 0", "not negative"),
        ("--depth 10 --learning-rate 0 --seed 0", "above 0"),
        ("--depth 10 --learning-rate nan --seed 0", "not negative"),
        ("--depth 10 --learning-rate 0.1 --seed -1", "not be negative"),
    ],
)
def test_numbers_out_of_range_are_refused(capsys, options, words):
    with pytest.raises(SystemExit) as caught:
        cli.main([*TRAIN, *options.split()])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        "prepare --source nothing.json --out o --split-seed 0",
        "summarize nothing.json --out o.csv",
        "summarize-defense nothing.csv --out o.csv --separation s.csv --called c.csv",
    ],
)
def test_a_missing_input_is_named(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    assert cli.main(command.split()) == 1
    assert "nothing." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_raw_file_that_changed_after_fetch_is_refused_with_the_cure(tmp_path, capsys):
    root, record = tmp_path / "raw", tmp_path / "mnist.json"
    fetched = cli.main(
        ["fetch", "--dataset", "mnist", "--source", "synthetic", "--root", str(root), "--out", str(record),
         "--counts", "12", "4", "6"]
    )  # fmt: skip
    assert fetched == 0
    prepare = ["prepare", "--source", str(record), "--out", str(tmp_path / "prepared"), "--split-seed", "0"]
    assert cli.main(prepare) == 0
    labels = root / "MNIST/raw/train-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes() + b"x")
    assert cli.main(prepare) == 1
    assert "altered since it was fetched" in capsys.readouterr().err
    labels.unlink()
    assert cli.main(prepare) == 1
    assert "--forcerun fetch" in capsys.readouterr().err
    record.write_text("{}")
    assert cli.main(prepare) == 1
    assert "is damaged" in capsys.readouterr().err
