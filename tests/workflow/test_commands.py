"""Every command line of the documents, run where the smoke study is built; or in its dry form, which a table names."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from project import ROOT, environment, narrow_params, once, run, smoke_study

PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    "docs/reference/*.md",
    "results/README.md",
    "paper_figures/README.md",
    "models/README.md",
    "config/README.md",
)
NO_COMMANDS = ("python", "yaml", "mermaid")
"""Languages of blocks that are no shell's. Blocks marked ``<!-- run -->`` are run by test_contributing."""
PIECE = re.compile(
    r"^(?P<run><!-- run -->\n)?```(?P<language>\w*)\n(?P<block>.*?)^```|`(?P<inline>[^`]+)`", re.M | re.S
)
INLINE = re.compile(r"`([^`]+)`")
COMMENT = re.compile(r"(^|\s+)# .*")
AS_WRITTEN = ("snakemake", "vicious", "dvc", "git", "python", "pre-commit", "source", "$EDITOR", "cd", "ls", "rm")
"""Programs that run with their own arguments, unless the table below has another form of the command."""
DRY = {
    r"tmux new -d '(.*)'": (r"\1", "it would outlive the test"),
    r"snakemake (?=.*--profile)(?!.* -n)": ("snakemake -n ", "no cluster here"),
    r"snakemake (?=--cores .*scale=pilot)": ("rm -r results/pilot/summaries && snakemake -n ", "hours of work"),
    r"make (?=\w)": ("make -n ", "it installs, or takes minutes"),
    r"pytest ": ("pytest --collect-only -q tests/metrics ", "the tests, within a test"),
    r"dvc exp run .*": (r"\g<0> data@mnist", "minutes: one stage is enough"),
    r"cd vicious$": (r"git clone . vicious && \g<0>", "the command before makes it"),
    r"git commit ": ("git commit --allow-empty ", "here nothing has changed"),
    r"docker build -t vicious \.": (
        r"sed -n 's/^COPY \\(.*\\) .*/\\1/p' Dockerfile | xargs ls -d",
        "no Docker here: the files that the image gets are there",
    ),
    r"docker run .* vicious (.*)": (r"grep 'ENTRYPOINT .*snakemake' Dockerfile && snakemake -n \1", "no Docker here"),
    r"(squeue|scancel) --name=\S+": ("true", "no Slurm here; the run's name is checked by tests/slurm/run"),
    r"python benchmarks/gpu ": (r"\g<0>--help ", "no GPU here; tests/test_benchmarks.py runs it on the CPU"),
    r"python benchmarks/(verdicts|evading).py ": (r"\g<0>--help ", "hours of work on real data"),
    r"(vicious claims --out|snakemake --config)$": (r"\1= --help", "named without its value"),
    r"tests/slurm/run": (r"bash -n \g<0>", "it starts Slurm, as root"),
    r"(vicious (discard|check-complete|fetch|reproduce|train-attack|verify|why|audit)|dvc exp apply)$": (
        r"\1 --help",
        "named without its arguments",
    ),
    r"git clone$": ("type git", "named without its arguments"),
    r"pip install \.$": (
        "pip install --dry-run --quiet --no-deps --no-build-isolation --no-index .",
        "it would change this environment",
    ),
    r"vicious reproduce (\w+).*": (r"vicious claims | grep '^## \1$'", "hours of work: such a claim is there"),
    r"vicious audit --stored.*": (
        "python -c \"import numpy as n; n.savetxt('outputs.csv', n.random.default_rng(0).normal(size=(32, 10)), "
        "delimiter=',')\" && \\g<0>",
        "the outputs that it reads",
    ),
    r"vicious verify \S*/pilot\b(?!.*--here).*": (
        r"{ \g<0>; [ $? = 1 ]; }",
        "docs/dvc.md: a clone does not hold all of the pilot",
    ),
}
"""What runs in place of commands that match, and why."""
STAND_INS = {
    "--cores 8": "--cores 2",
    "<this repository>": ".",
    "<result>": "results/smoke/models/mnist/honest/seed0/target.safetensors",
    "results/demo": "results/smoke",
    "paper_figures/demo": "paper_figures/smoke",
    "results/paper": "results/smoke",
    "--scale demo --measured": "--scale smoke --measured",
    '"$DVC_STAGE"': "data@mnist",
    "reproduce CLAIM": "reproduce same_accuracy",
    "audit model.onnx": "audit results/smoke/models/mnist/honest/seed0/target.safetensors",
    "images/ --out": "data/prepared/smoke/mnist/test_images.npy --out",
    "data/prepared/pilot": "data/prepared/smoke",
    "data/prepared/demo": "data/prepared/smoke",
    "models/pilot": "models/smoke",
    "publish-models --scale pilot": "publish-models --scale smoke",
    "paper_figures/paper": "paper_figures/smoke",
}
OTHERS = ("make", "pytest", "docker", "tmux", "squeue", "scancel", "sacct", "sbatch", "pip", "uv", "curl", "wget")
"""What else begins a command in running text. In a block of its own every line is a command."""
PREPARED = """
rm -r models/pilot
git init -q
git add --all
git commit -qm "The code"
vicious publish-models --scale smoke
dvc cache dir -q "$PWD cache"
dvc commit -q -f
dvc remote add -q --default shelf "$PWD shelf"
dvc push -q
git add --all
git commit -qm "The study"
git init -q --bare "$PWD origin"
git remote add origin "$PWD origin"
git push -q --set-upstream origin HEAD
git gc -q
"""


def is_complete(statement: str) -> bool:
    """Whether the shell would not wait for another line."""
    if statement.endswith("\\\n"):
        return False
    read = subprocess.run(["bash", "-n", "-c", statement], capture_output=True, check=False)
    return not read.returncode and not read.stderr


def statements(block: str) -> Iterator[tuple[int, str]]:
    """Each command of a block, comments left out, and the number of its first line, from 0."""
    start, pending = 0, ""
    for number, line in enumerate(block.splitlines()):
        for code in (code for comment in COMMENT.finditer(line) for code in INLINE.findall(comment[0])):
            yield number, code
        start = start if pending else number
        pending = (pending + COMMENT.sub("", line) + "\n").lstrip()
        if pending and is_complete(pending):
            yield start, pending.strip()
            pending = ""
    if pending:
        yield start, pending.strip()


def program(command: str) -> str:
    """The word that names the program, after any variables."""
    return re.sub(r"^(\w+=\S* +)+", "", command).split()[0]


def is_command(code: str) -> bool:
    """Whether code in running text is a command line, and not a program's name."""
    if " " not in code:
        return (ROOT / code).is_file() and os.access(ROOT / code, os.X_OK)
    return program(code) in (*AS_WRITTEN, *OTHERS) or is_command(program(code))


def commands(text: str) -> Iterator[tuple[int, str]]:
    """Each command line of a page, and the number of its line."""
    for piece in PIECE.finditer(text):
        if piece["inline"]:
            found = [(0, " ".join(piece["inline"].split()))]
            found = [one for one in found if is_command(one[1])]
        else:
            skipped = piece["run"] or piece["language"] in NO_COMMANDS
            found = [] if skipped else list(statements(piece["block"]))
        first = text.count("\n", 0, piece.start("inline" if piece["inline"] else "block")) + 1
        yield from ((first + number, command) for number, command in found)


def documented() -> dict[str, str]:
    """Every distinct command, and where it first stands; those that && joins are taken apart."""
    found: dict[str, str] = {}
    for page in sorted(page for pattern in PAGES for page in ROOT.glob(pattern)):
        for line, command in commands(page.read_text(encoding="utf-8")):
            for part in [command] if "\n" in command else re.split(r" +&& +", command):
                found.setdefault(part, f"{page.relative_to(ROOT)}:{line}")
    return found


def form(command: str) -> str:
    """What is run: the command itself, or its dry form; nothing where it has neither."""
    for stands, here in STAND_INS.items():
        command = command.replace(stands, here)
    dry = command
    for pattern, (instead, _) in DRY.items():
        dry = re.sub(rf"^{pattern}", instead, dry)
    return dry if dry != command or program(command) in AS_WRITTEN else ""


DOCUMENTED = documented()
FORMS = {form(command): (command, place) for command, place in reversed(DOCUMENTED.items())}
"""What is run, once for all commands that mean the same here; and the first of these, with its place."""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which the smoke study is built, and kept by Git and DVC, each with a store."""
    study, _ = smoke_study(tmp_path_factory)

    def build(folder: Path) -> str:
        shutil.copytree(study, folder, symlinks=True, ignore=shutil.ignore_patterns("locks", "logs", ".cache"))
        narrow_params(folder)
        tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(lambda name: (ROOT / name).exists() and not (folder / name).exists(), tracked.splitlines()):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(sys.prefix)
        done = shell(folder, f"set -e\n{PREPARED}")
        assert done.returncode == 0, done.stdout + done.stderr
        return ""

    return once(tmp_path_factory, "a clone", build)[0]


@pytest.fixture
def clone(built: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it to change. Jobs and tools replace large files, and do not change them, so these are linked."""

    def copy(source: str, target: str) -> None:
        os.link(source, target) if Path(source).stat().st_size > 100_000 else shutil.copy2(source, target)

    yield shutil.copytree(built, tmp_path / "a clone", symlinks=True, copy_function=copy)
    shutil.rmtree(tmp_path)  # a hundred of them are large


def shell(folder: Path, line: str) -> Any:
    """A command line in a folder, of a user who has a name and an editor."""
    user = [f"GIT_{who}_{what}=user" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    no_cluster = f"PATH={ROOT / 'tests/no_cluster'}:{environment(folder)['PATH']}"
    return run(folder, "env", *user, no_cluster, "EDITOR=cat", "bash", "-o", "pipefail", "-c", line)


@pytest.mark.parametrize(("command", "place"), DOCUMENTED.items(), ids=DOCUMENTED.values())
def test_a_documented_command_has_a_form_to_run(command: str, place: str) -> None:
    assert form(command), f"{place}: {command}: name {program(command)} in AS_WRITTEN, or give it a form in DRY"


@pytest.mark.slow
@pytest.mark.parametrize("line", FORMS, ids=[place for _, place in FORMS.values()])
def test_a_documented_command_works(line: str, clone: Path) -> None:
    command, place = FORMS[line]
    done = shell(clone, line)
    told = f"{place}: {command}\nrun as: {line}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
    assert done.returncode == 0, told


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        "vicious budget --scael paper",
        "snakemake --cores 2 -- table99",
        "snakemake --cores 2 --config scale=pilot 'dataset=[mnist]'",
        "make demmo",
        "dvc exp run -S risk.cutof=1e-6",
        "$EDITOR profiles/slurm.yaml",
        "vicious verify results/pilots",
    ],
)
def test_a_wrong_command_fails(wrong: str, clone: Path) -> None:
    assert shell(clone, form(wrong)).returncode != 0


def test_every_entry_of_the_tables_is_used() -> None:
    assert [stands for stands in STAND_INS if not any(stands in command for command in DOCUMENTED)] == []
    assert [pattern for pattern in DRY if not any(re.match(pattern, command) for command in DOCUMENTED)] == []
    assert [one for one in AS_WRITTEN if one not in map(program, DOCUMENTED)] == []


def test_an_unknown_program_has_no_form() -> None:
    assert not form("curl https://example.org")


def test_commands_of_a_page() -> None:
    page = """Run `vicious unlock`, `A=1 make
test` or `docs/cluster.md`; `snakemake` is a program.

```
snakemake --cores 2 \\
  --config 'a={b: 1,
  c: 2}'   # or `git checkout results`
ls a && cd b  # then

python - <<'EOF'
print(1)
EOF
```
```yaml
make no: 1
```
<!-- run -->
```
make run
```
"""
    assert list(commands(page)) == [
        (1, "vicious unlock"),
        (1, "A=1 make test"),
        (7, "git checkout results"),
        (5, "snakemake --cores 2 \\\n  --config 'a={b: 1,\n  c: 2}'"),
        (8, "ls a && cd b"),
        (10, "python - <<'EOF'\nprint(1)\nEOF"),
    ]
