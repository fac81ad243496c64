"""The command line as its user meets it."""

import contextlib
import errno
import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vicious import __main__, cli
from vicious.steps import commands
from vicious.study.artifacts import known

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ["torch", "numpy", "pandas", "matplotlib"]


def run(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[Any]:
    return subprocess.run([sys.executable, "-m", "vicious", *arguments], capture_output=True, text=True, **options)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    around = (
        *("check-config", "schema", "budget", "verify", "discard", "restore", "build-stage", "unlock", "version"),
        *("models", "publish-models", "status", "why", "show", "completion", "claims", "reproduce", "audit", "export"),
        "crate",
    )
    for command in (*commands(), *known(), *around):
        assert f"\n  {command}: " in text, command
    assert [command for command in (*commands(), *known()) if text.count(f"\n  {command}: ") != 1] == []


def test_help_waits_for_nothing_heavy() -> None:
    """Not even for what checks settings: `--help` and a typo answer at once."""
    for words in (["--help"], ["main_tabel"]):
        code = f"""if True:
            import sys
            from vicious import cli
            cli.main({words!r})
            print([name for name in [*{HEAVY!r}, "pydantic", "yaml", "snakemake", "dvc"] if name in sys.modules])
        """
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert out.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["train-vicious", "evaluate-defense", "fetch", "main_table", "verify"])
def test_help_of_a_command_shows_its_options_and_waits_for_nothing_that_computes(command: str) -> None:
    code = f"""if True:
        import sys
        from vicious import cli
        cli.main([{command!r}, "--help"])
        print([name for name in {HEAVY!r} if name in sys.modules])
    """
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
    option = {"verify": "--file", "fetch": "--checksum", "main_table": "--summary"}.get(command, "--threads")
    assert re.search(rf" {option}\b.*: ", out)


@pytest.mark.parametrize(
    "module",
    [
        *("vicious", "vicious.cli", "vicious.study.config", "vicious.study.paths", "vicious.study.plan"),
        *("vicious.provenance.record", "vicious.data.datasets", "vicious.steps.train_vicious"),
    ],
)
def test_planning_imports_nothing_heavy(module: Any) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_version_for_people_and_one_for_bug_reports(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["version"], ["--version"]):
        assert cli.main(words) == 0
        assert capsys.readouterr().out == "vicious 0.2.0\n"
    assert cli.main(["version", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["code"]["package"] == "0.2.0"
    assert {"python", "torch", "numpy"} <= found["libraries"].keys()
    assert found["hardware"]["cores"] >= 1


def test_a_shell_completes_commands_and_options(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["completion", "bash"]) == 0
    (tmp_path / "completion").write_text(capsys.readouterr().out)
    tried = """
        source completion
        try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vicious; echo "${COMPREPLY[@]}"; }
        try vicious train-h; try vicious train-honest --epo; try vicious main_t; try vicious stat
    """
    found = subprocess.run(["bash", "-c", tried], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["train-honest", "--epochs --epoch-images", "main_table", "status"]
    assert found.stderr == ""


TRAIN = ["train-honest", "--data", "d", "--out", "o", "--width", "1", "--epochs", "1", "--batch-images", "8"]
FETCH = ["fetch", "--dataset", "mnist", "--source", "synthetic", "--root", "r", "--out", "o"]


def test_an_error_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    result = run(
        *["train-honest", "--depth", "10", "--width", "1", "--epochs", "1", "--batch-images", "8"],
        *["--learning-rate", "0.1", "--seed", "0"],
        "--data", str(tmp_path / "nothing"), "--out", str(tmp_path / "target.safetensors"),
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "nothing" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is said of a command line that cannot be understood."""
    assert cli.main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    return printed.err.removeprefix("error: ")


@pytest.mark.parametrize(
    ("words", "guess"),
    [
        (["main_tabel"], '"main_table"'),
        (["train-honst"], '"train-honest"'),
        (["veryfi", "results"], '"verify"'),
        (["fetch", "--datset", "mnist"], "--dataset"),
        (["fetch", "--data", "mnist"], "--dataset"),
        ([*TRAIN, "--dep", "10"], "--depth"),
        (["main_table", "--sumary", "s.csv"], "--summary"),
        (["prepare", "--sorce", "s.json", "--dataset", "mnist"], "--source"),
        (["budget", "--scal", "demo"], "--scale"),
    ],
)
def test_a_misspelt_command_or_option_is_refused_with_the_nearest_and_not_guessed(
    capsys: pytest.CaptureFixture[str], words: Any, guess: str
) -> None:
    told = refused(capsys, *words)
    assert f"Did you mean {guess}?" in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--depth 11 --learning-rate 0.1 --seed 0", "--depth: depth must be 6 n + 4: 10, 16, 22 or 28, found '11'"),
        ("--depth ten --learning-rate 0.1 --seed 0", "--depth: should be a valid integer"),
        ("--depth 10 --learning-rate -1 --seed 0", "--learning-rate: should be greater than 0, found '-1'"),
        ("--depth 10 --learning-rate 0 --seed 0", "--learning-rate: should be greater than 0, found '0'"),
        ("--depth 10 --learning-rate nan --seed 0", "--learning-rate: should be a finite number, found 'nan'"),
        ("--depth 10 --learning-rate 0.1 --seed -1", "--seed: should be greater than or equal to 0, found '-1'"),
        ("--depth 10 --learning-rate 0.1 --seed 0 --device gpu", "--device: should be 'cpu' or 'cuda', found 'gpu'"),
        (
            "--depth 10 --learning-rate 0.1 --seed 0 --recipe plane",
            "--recipe: 'plane' is not valid; did you mean 'plain'?",
        ),
    ],
)
def test_a_value_that_is_not_valid_is_one_line_with_the_options_name(
    capsys: pytest.CaptureFixture[str], options: str, words: str
) -> None:
    told = refused(capsys, *TRAIN, *options.split())
    assert told.startswith(words)
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*FETCH, "--counts", "1", "2"], "--counts requires 3"),
        ([*FETCH, "--checksum", "a.zip"], "--checksum: must be KEY=VALUE"),
        ([*FETCH, "--out"], "--out requires an argument"),
        ([*FETCH, "--download", "no"], "no"),
        (["summarize", "--results", "--out", "o.csv"], "--results: "),
        (["summarize", "--out", "o.csv"], "--results is needed"),
        (["budget", "--scale", "papr"], '"paper"'),
        (["verify"], "requires an argument"),
    ],
)
def test_what_else_is_wrong_with_a_command_line_is_one_line(
    capsys: pytest.CaptureFixture[str], words: Any, said: str
) -> None:
    told = refused(capsys, *words)
    assert said in told
    assert len(told.splitlines()) == 1


def test_all_that_is_missing_is_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, *TRAIN)
    assert [line.split()[0] for line in told.splitlines()] == ["--depth", "--learning-rate", "--seed"]


def test_check_config_names_the_typo(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("scal: demo\n", encoding="utf-8")
    result = run("check-config", str(tmp_path / "params.yaml"))
    assert result.returncode == 1
    assert "did you mean 'scale'" in result.stderr


def budgeted(capsys: pytest.CaptureFixture[str], *options: str) -> list[list[str]]:
    """The rows of the budget's table, without its head."""
    assert cli.main(["budget", str(ROOT / "params.yaml"), *options]) == 0
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    return [line.strip("| ").split(" | ") for line in table[2:]]


def test_the_budget_takes_some_datasets_and_another_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    whole = {row[0]: row for row in budgeted(capsys, "--scale", "pilot")}
    three = [f"--dataset={name}" for name in ("mnist", "fashion_mnist", "celeba")]  # two lend each other their images
    some = budgeted(capsys, "--scale", "pilot", *three)
    assert [row[0] for row in some] == ["MNIST", "Fashion-MNIST", "CelebA", "total"]
    assert some[:3] == [whole[row[0]] for row in some[:3]]
    assert budgeted(capsys, "--config", "scale=pilot", "datasets=[mnist,fashion_mnist,celeba]") == some
    longer = budgeted(capsys, "--scale", "pilot", "--dataset", "mnist", "--config", "scales={pilot: {epochs: 40}}")
    assert float(longer[0][5]) == pytest.approx(10 * float(whole["MNIST"][5]), rel=0.01), "4 epochs in the file"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dataset", "mnits"], "there is no dataset 'mnits'; did you mean 'mnist'?"),
        (["--experiment", "mainn"], "there is no experiment 'mainn'; did you mean 'main'?"),
        (["--config", "scale"], "--config: must be KEY=VALUE, found 'scale'"),
        (["--config", "scale=papr"], "scale: 'papr' is not valid; did you mean 'paper'?"),
    ],
)
def test_what_there_is_no_budget_of_is_explained(capsys: pytest.CaptureFixture[str], options: Any, said: str) -> None:
    assert cli.main(["budget", str(ROOT / "params.yaml"), *options]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err


def test_check_config_says_what_it_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-config", str(ROOT / "params.yaml")]) == 0
    assert capsys.readouterr().out.endswith("params.yaml: valid; scale demo, 6 datasets\n")


def test_check_config_says_which_scale_lacks_overrides_of_a_dataset(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text.replace("      cifar100: {}\n", "", 1), encoding="utf-8")
    result = run("check-config", str(tmp_path / "params.yaml"))
    assert result.returncode == 0
    assert (
        "scales.pilot.overrides has no cifar100, which `dvc repro` needs: add `cifar100: {}`"
        in result.stderr.splitlines()[0]
    )
    fewer = run("check-config", str(tmp_path / "params.yaml"), "--config", "datasets=[mnist]")
    assert (fewer.returncode, fewer.stderr) == (0, "")


def test_a_missing_official_file_lists_what_to_place_where(tmp_path: Path) -> None:
    places = ["--root", str(tmp_path), "--out", str(tmp_path / "r.json")]
    result = run("fetch", "--dataset", "celeba", "--source", "official", *places)
    assert result.returncode == 1
    for name in ("celeba/img_align_celeba.zip", "celeba/list_attr_celeba.txt", "celeba/list_eval_partition.txt"):
        assert name in result.stderr
    assert not (tmp_path / "r.json").exists()


def test_cuda_without_a_gpu_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from vicious.system.errors import ConfigError
    from vicious.system.runtime import use_device

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"runtime\.device"):
        use_device("cuda", 1)


@pytest.mark.parametrize(
    "command",
    [
        "prepare --dataset mnist --images synthetic --source nothing.json --out o --split-seed 0",
        "summarize --results nothing.json --out o.csv",
        "summarize-defense --scores nothing.csv --out o.csv --separation s.csv --flagged f.csv",
        "main_table --summary nothing.csv --comparisons nothing.csv --out o",
    ],
)
def test_a_missing_input_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(command.split()) == 1
    assert "nothing." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_raw_file_that_changed_after_fetch_is_refused_with_the_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, record = tmp_path / "raw", tmp_path / "mnist.json"
    fetched = cli.main(
        ["fetch", "--dataset", "mnist", "--source", "synthetic", "--root", str(root), "--out", str(record),
         "--counts", "12", "4", "6"]
    )  # fmt: skip
    assert fetched == 0
    out = ["--out", str(tmp_path / "prepared"), "--split-seed", "0"]
    prepare = ["prepare", "--dataset", "mnist", "--images", "synthetic", "--source", str(record), *out]
    assert cli.main(prepare) == 0
    for own, other in (("mnist", "cifar10"), ("synthetic", "official")):
        assert cli.main([other if word == own else word for word in prepare]) == 1
        assert "lists synthetic files of mnist, expected" in capsys.readouterr().err
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
    record.write_text(json.dumps({"dataset": "mnist", "source": "synthetic", "root": str(root), "files": []}))
    assert cli.main(prepare) == 1
    assert "does not list MNIST/raw/train-images-idx3-ubyte.gz, " in capsys.readouterr().err


@pytest.mark.parametrize(
    "backend", ["module://matplotlib_inline.backend_inline", "module://no.such", "tkagg", "nonsense"]
)
def test_the_environments_backend_of_matplotlib_does_not_matter(backend: str) -> None:
    program = "import sys\nfrom vicious import __main__, cli\ncli.main = lambda: __import__('matplotlib') is None\n"
    found = subprocess.run(
        [sys.executable, "-c", f"{program}sys.exit(__main__.main())"],
        env={**os.environ, "MPLBACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")


CLOSED_OR_FULL = {  # the outputs of a command in bash: its exit code where it says something, and where it does not
    "": (0, 0),
    ">/dev/full": (1, 0),
    "2>/dev/full": (0, 0),
    ">/dev/full 2>&1": (1, 0),
    ">&-": (0, 0),
    "2>&-": (0, 0),
    "<&- >&- 2>&-": (0, 0),
    "| true; exit ${PIPESTATUS[0]}": (141, 0),
}


def in_bash(arguments: str, outputs: str, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    line = f"{shlex.quote(sys.executable)} -m vicious {arguments} {outputs}"
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("outputs", CLOSED_OR_FULL)
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["--help", "check-config", "budget --scale smoke"])
def test_closed_and_full_outputs_are_quiet(command: str, unbuffered: str, outputs: str) -> None:
    code, _ = CLOSED_OR_FULL[outputs]
    found = in_bash(command, outputs, unbuffered)
    codes = {1, 141} if code == 141 else {code}  # rich, which prints the help, has a code of its own for a pipe
    assert found.stderr == ""
    assert found.returncode in codes


@pytest.mark.parametrize("outputs", CLOSED_OR_FULL)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_work_is_done_whatever_its_outputs_are(tmp_path: Path, unbuffered: str, outputs: str) -> None:
    _, code = CLOSED_OR_FULL[outputs]
    root, record, provenance = (shlex.quote(str(tmp_path / name)) for name in ("raw", "mnist.json", "record.json"))
    found = in_bash(
        f"fetch --dataset mnist --source synthetic --root {root} --out {record} --counts 12 4 6 "
        f"--provenance {provenance}",
        outputs,
        unbuffered,
    )
    assert found.returncode == code
    assert "Error" not in found.stderr
    assert (tmp_path / "mnist.json").exists()
    assert (tmp_path / "record.json").exists()


@pytest.mark.parametrize("outputs", [*CLOSED_OR_FULL, "2>&1 | true; exit ${PIPESTATUS[0]}"])
@pytest.mark.parametrize("command", ["verify no-such-folder", "check-config no-such-file.yaml"])
def test_an_error_keeps_its_exit_code_whatever_the_outputs_are(command: str, outputs: str) -> None:
    found = in_bash(command, outputs)
    assert found.returncode == (141 if outputs.startswith("2>&1 |") else 1)
    assert "Traceback" not in found.stdout + found.stderr


def test_an_error_of_another_file_is_not_taken_for_one_of_the_outputs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreadable() -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(__main__, "run", unreadable)
    with pytest.raises(OSError, match="Input/output error"):
        __main__.main()


# --- --debug, --quiet and examples, which every command has -----------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["verify", "no-such-folder"], 1),
        (["check-config", "no-such-file.yaml"], 1),
        (["budget", "--config", "scale=papr"], 1),
        (["fetch", "--datset", "mnist"], 2),
        ([*TRAIN, "--depth", "11", "--learning-rate", "0.1", "--seed", "0"], 2),
    ],
)
def test_the_traceback_of_an_error_is_shown_where_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], words: list[str], code: int
) -> None:
    assert cli.main(words) == code
    plain = capsys.readouterr().err
    assert "Traceback" not in plain
    for at in range(1, len(words) + 1):
        if words[at - 1].startswith("--"):
            continue  # an option and its value belong together, to a reader at least
        assert cli.main([*words[:at], "--debug", *words[at:]]) == code
        told = capsys.readouterr().err
        assert "Traceback (most recent call last)" in told
        assert told.endswith(plain)


def test_quiet_leaves_out_progress_alone(tmp_path: Path) -> None:
    fetch = ["fetch", "--dataset", "mnist", "--source", "synthetic", "--root", tmp_path, "--counts", "12", "4", "6"]
    told = [run(*fetch, "--out", tmp_path / f"{name}.json", *flags) for name, *flags in (("a",), ("b", "--quiet"))]
    assert [one.returncode for one in told] == [0, 0], told[1].stderr
    assert "images" in told[0].stderr
    assert told[1].stderr == ""
    assert run("--quiet", "verify", "no-such-folder").stderr.startswith("error: ")
    assert run("version", "--quiet").stdout == "vicious 0.2.0\n"


def test_what_follows_two_dashes_is_no_flag() -> None:
    assert cli._without_flags(["status", "--quiet", "--", "--debug"]) == (["status", "--", "--debug"], {"--quiet"})


def test_the_help_names_the_flags_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"], ["status", "--help"], ["main_table", "-h"]):
        assert cli.main(words) == 0
        assert capsys.readouterr().out.count("  --debug: Show the traceback of an error.\n") == 1


EVERY = [*commands(), *known(), *(cli._name(one) for each in cli._around().values() for one in each)]


@pytest.mark.parametrize("command", EVERY)
def test_each_command_has_examples_that_its_parser_takes(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert cli.main([command, "--help"]) == 0
    _, _, text = capsys.readouterr().out.partition("\nExample")
    lines = text.partition("\n")[2].replace("\\\n", "").splitlines()
    examples = [line for line in lines if not line.startswith("  #")]
    assert examples
    for line in examples:
        words = shlex.split(line.partition(" > ")[0])
        assert words[:2] == ["vicious", command]
        cli._app(command).parse_args(words[1:], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("command", ["check-config", "schema", "version", "budget", "status", "completion"])
def test_examples_that_need_no_results_run(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for line in cli._examples(command)[1:]:
        assert cli.main(shlex.split(line.partition(" > ")[0])[1:]) == 0
        assert capsys.readouterr().out


def test_what_is_no_command_has_no_examples() -> None:
    for word in ("--help", "", "nonsense", "_needs"):
        assert cli._examples(word) == []


def test_a_step_has_no_example_outside_of_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its paths would lead nowhere."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["fetch", "--help"]) == 0
    assert "Example" not in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--help"], ["status", "--help"], ["no-such-command"]])
def test_no_colour_is_used_where_none_is_wanted(words: list[str]) -> None:
    """On a terminal, too."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(NO_COLOR="1", TERM="xterm-256color")
        os.execv(sys.executable, [sys.executable, "-m", "vicious", *words])
    told = b""
    with contextlib.suppress(OSError):  # Linux' way to say that the other end is closed
        while read := os.read(terminal, 65536):
            told += read
    os.waitpid(pid, 0)
    assert b"ommand" in told
    assert re.search(rb"\x1b\[[0-9;]*3[0-9]", told) is None
