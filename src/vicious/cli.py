"""The command line: a command for each step, table and figure, made from its class; and those around the study.

Cyclopts makes the options from typed settings, and one command's file is imported when it is called: ``--help`` and a
typo answer at once.
"""

import inspect
import json
import logging
import sys
import textwrap
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Group, Parameter

from vicious import __version__
from vicious.system.errors import ViciousError
from vicious.system.escape import escaped
from vicious.system.progress import Told, hide_progress, say, tell
from vicious.system.registry import file as file_of
from vicious.system.registry import names
from vicious.system.runtime import name_user

if TYPE_CHECKING:
    from vicious.steps import Step
    from vicious.study.config import Params

PARAMS_FILE = Path("params.yaml")
PUBLISHED = Path("docs/claims.json")
HERE = Path()
USAGE = 2
"""The exit code of a command line that cannot be understood."""
FLAGS = """Every command takes these too, at any place:
  --debug: Show the traceback of an error.
  --quiet: Leave progress out. Results, warnings and errors stay."""
MORE = "`vicious COMMAND --help` shows a command's options and examples."
NEXT = "\n\n"
"""Between paragraphs."""
STUDY = Group("The study: plan it, and see how far it is", sort_key=1)
RESULTS = Group("Its results: look at them, check them, put them back", sort_key=2)
AUDIT = Group("Other people's models", sort_key=3)
SUPPORT = Group("Called by other programs, and for bug reports", sort_key=4)
STEPS = Group("Steps of the study, which Snakemake runs", sort_key=5)
ARTIFACTS = Group("Tables and figures, which Snakemake makes", sort_key=6)
_STEP_PACKAGES = {"vicious.steps": STEPS, "vicious.report.tables": ARTIFACTS, "vicious.report.figures": ARTIFACTS}
log = logging.getLogger("vicious")

File = Annotated[Path, Parameter(help="configuration (default: params.yaml)")]
Scale = Annotated[Literal["smoke", "demo", "pilot", "paper"] | None, Parameter(help="default: the file's")]
Config = Annotated[
    list[str] | None,
    Parameter(help="KEY=VALUE ..., as snakemake takes them", consume_multiple=True, negative=()),
]
Names = Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())]
Places = Annotated[list[Path], Parameter(help="folders of results, or records of provenance", consume_multiple=True)]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 1 for an error that is explained, 2 for a command line that is wrong;
    of an audit see :func:`audit`."""
    logging.basicConfig(level=logging.INFO, handlers=[Told()])
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # matplotlib's PDFs; it reports every table of a font
    name_user()
    words, flags = _without_flags(sys.argv[1:] if argv is None else argv)
    hide_progress("--quiet" in flags)
    try:
        code = _app(words[0] if words else "")(words, exit_on_error=False, print_error=False)
    except (CycloptsError, ViciousError, OSError) as error:
        said = _said(error)
        if not said:
            raise
        if "--debug" in flags:
            tell("".join(traceback.format_exception(error)).rstrip())
        tell(f"error: {said}")
        # an audit ends with 2 where it finds evidence
        return USAGE if isinstance(error, CycloptsError) and words[0] != audit.__name__ else 1
    if not {"--help", "-h"}.isdisjoint(words[1:]) and (lines := _examples(words[0])):
        say("\n".join(["", *lines]))
    return code if isinstance(code, int) else 0


def _without_flags(words: Sequence[str]) -> tuple[list[str], set[str]]:
    """A command line without ``--debug`` and ``--quiet``, which each command takes, and those of them that it has. What
    follows ``--`` is left as it is."""
    flags, end = {"--debug", "--quiet"}, words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word not in flags]
    return [*kept, *words[end:]], flags.intersection(words[:end])


def _examples(command: str) -> list[str]:
    """Examples of a command, in lines, a heading first; none of what is no command, nor of a step outside of a
    project's folder."""
    if command in (around := {_name(one): one for each in _around().values() for one in each}):
        _, _, lines = inspect.cleandoc(around[command].__doc__ or "").partition("Examples:\n")
        return ["Examples:", *textwrap.indent(textwrap.dedent(lines), "  ").splitlines()]
    if command not in (_command(name, group) for package, group in _STEP_PACKAGES.items() for name in names(package)):
        return []
    from vicious.study.examples import example

    try:
        found = example(command, _params(PARAMS_FILE, ["scale=smoke"]))
    except (ViciousError, OSError):
        found = None
    if found is None:
        return []
    dataset, line = found
    made = f"snakemake --cores 1 --config scale=smoke 'datasets=[{dataset}]'"
    return ["Example:", f"  # {made} makes what it reads", *textwrap.indent(line, "  ").splitlines()]


def _name(function: Callable[..., int | None]) -> str:
    """The name of a function's command."""
    return function.__name__.replace("_", "-")


def _said(error: Exception) -> str:
    """What is wrong, in a line or a few, and what to do; "" where that is not known."""
    if isinstance(error, CycloptsError):
        return _explained(error)
    if not isinstance(error, OSError):
        return str(error)
    if error.filename is None:  # it is of standard output or error
        return ""
    file = escaped(error.filename)
    if isinstance(error, FileNotFoundError):
        return f"{file} is missing: run the step that writes it first, or check the path"
    return f"{file} cannot be used ({error.strerror}): check the path and its permissions"


def _app(chosen: str | None) -> App:
    """The command line, whose command ``chosen`` can run; of the other steps it knows names and help alone. None: all
    can run."""
    app = App(
        name="vicious",
        help=f"{(sys.modules['vicious'].__doc__ or '').partition(NEXT)[0]}{NEXT}{MORE}",
        help_epilogue=FLAGS,
        version=f"vicious {__version__}",
        help_formatter="plain",
        help_format="plaintext",
        result_action="return_value",
        suppress_keyboard_interrupt=False,  # the exit code tells SIGINT from SIGTERM, and a line how to go on
    )
    for group, functions in _around().items():
        for function in functions:
            app.command(function, group=group)
    for package, group in _STEP_PACKAGES.items():
        for name in names(package):
            command = _command(name, group)
            if chosen in (command, None):
                app.command(_runner(command), name=command, group=group, usage=f"Usage: vicious {command} [OPTIONS]")
            else:
                app.command(f"{__name__}:_absent", name=command, group=group, help=_first_line(package, name))
    return app


def command_line() -> App:
    """The command line with all commands, for completion and the reference."""
    return _app(None)


def _around() -> dict[Group, tuple[Callable[..., int | None], ...]]:
    """The commands around the study, by group."""
    return {
        STUDY: (check_config, budget, status, why, unlock),
        RESULTS: (show, report, claims, reproduce, verify, discard, restore, models, publish_models, crate),
        AUDIT: (audit, export),
        SUPPORT: (build_stage, schema, completion, version),
    }


def _command(name: str, group: Group) -> str:
    """The command of a file of steps, tables or figures."""
    return name.replace("_", "-") if group is STEPS else name


def _absent() -> None:
    """Stands for a command that was not called."""


def _first_line(package: str, name: str) -> str:
    """The first line of a file, which is that of its docstring; the file is not imported."""
    with file_of(package, name).open(encoding="utf-8") as file:
        return file.readline().strip().strip('"')


@cache
def _runner(command: str) -> Callable[..., None]:
    """The function that runs a step from its command line."""
    from vicious.study.plan import step_of

    kind = step_of(command)

    def run(step: "Step", provenance: Path | None = None, code: str | None = None) -> None:
        from vicious.provenance.run import run_step

        run_step(step, provenance, code)

    run.__doc__ = kind.title()
    run.__annotations__ = {
        "step": Annotated[kind, Parameter(name="*", consume_multiple=True, negative_iterable=(), negative_none=())],
        "provenance": Annotated[
            Path | None,
            Parameter(help="where to record settings, inputs, outputs, code and hardware", negative=()),
        ],
        "code": Annotated[
            str | None, Parameter(help="the code identity that the workflow planned with; other code is refused")
        ],
    }
    return run


def _explained(error: CycloptsError) -> str:
    """What is wrong with a command line, in a line or a few."""
    cause = error.__cause__ or error.__context__
    if cause is None:
        return str(error)
    from pydantic import ValidationError

    from vicious.system.settings import problem_words, shortened

    if not isinstance(cause, ValidationError):
        return str(error)
    lines = []
    for problem in cause.errors():
        name = str(problem["loc"][0]).replace("_", "-") if problem["loc"] else "the options"
        if problem["type"] == "missing":
            lines.append(f"--{name} is needed")
        else:
            words, found = problem_words(problem), shortened(problem["input"])
            lines.append(f"--{name}: {words}" + ("" if found in words else f", found {found}"))
    return "\n       ".join(lines)


def check_config(file: File = PARAMS_FILE, *, config: Config = None) -> None:
    """Validate params.yaml.

    Examples:
        vicious check-config
        vicious check-config params.yaml
        vicious check-config --config scale=pilot 'datasets=[mnist]'
    """
    params = _params(file, config or ())
    for scale, study in params.scales:
        for dataset in params.datasets:
            if dataset not in study.overrides:
                text = "scales.%s.overrides has no %s, which `dvc repro` needs: add `%s: {}`"
                log.warning(text, scale, dataset, dataset)
    say(f"{escaped(file)}: valid; scale {params.scale}, {len(params.datasets)} datasets")


def schema() -> None:
    """Print the JSON schema of params.yaml.

    Examples:
        vicious schema > params.schema.json
    """
    from vicious.study.config import json_schema

    print(json_schema(), end="")


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="that you use")], /) -> None:
    """Print what completes commands and options in your shell.

    It takes some seconds, so write it to a file that the shell reads: of bash
    ~/.local/share/bash-completion/completions/vicious, of fish ~/.config/fish/completions/vicious.fish, of zsh _vicious
    in a folder of $fpath.

    Examples:
        vicious completion bash > ~/.local/share/bash-completion/completions/vicious
    """
    print(command_line().generate_completion(prog_name="vicious", shell=shell))


def version(*, as_json: Annotated[bool, Parameter(name="--json", negative=())] = False) -> None:
    """Print versions of the code, the libraries and the machine; --json is what a bug report should hold.

    Examples:
        vicious version
        vicious version --json
    """
    from vicious.provenance.record import code_version, hardware, libraries

    found = {"code": code_version(), "libraries": libraries(), "hardware": hardware()}
    say(json.dumps(found, indent=2, sort_keys=True) if as_json else f"vicious {__version__}")


def budget(
    file: File = PARAMS_FILE,
    *,
    scale: Scale = None,
    experiment: Annotated[list[str] | None, Parameter(help="repeatable; default: all", negative=())] = None,
    dataset: Annotated[list[str] | None, Parameter(help="repeatable; default: the file's", negative=())] = None,
    config: Config = None,
    cpu_gflops: Annotated[float | None, Parameter(help="sustained rate of one core (default: as measured)")] = None,
    gpu_tflops: Annotated[float | None, Parameter(help="sustained rate of your GPU")] = None,
    gpu: Annotated[str | None, Parameter(help="its name, for the heading")] = None,
    measured: Annotated[Path | None, Parameter(help="folder of results to compare the estimate with")] = None,
) -> None:
    """What a scale costs: jobs, FLOPs, hours, disk, memory.

    Examples:
        vicious budget --scale pilot
        vicious budget --scale paper --dataset mnist --dataset cifar10 --gpu-tflops 20
        vicious budget --config scale=pilot 'datasets=[mnist]'
    """
    from vicious.provenance.measured import compared, measured_jobs
    from vicious.study.plan import Plan
    from vicious.workflow.budget import chosen, report, with_datasets, with_rates

    params = with_datasets(_params(file, config or (), scale), dataset)
    experiments, (on_cpu, on_gpu) = chosen(experiment), with_rates(cpu_gflops, gpu_tflops, gpu)
    words = [report(params, experiments, on_cpu, on_gpu)]
    if measured is not None:
        device = on_gpu if params.runtime.device == "cuda" else on_cpu
        jobs = measured_jobs(Plan(params, experiments), measured, device.seconds)
        words.append(compared(jobs, measured, device.name))
    say("\n".join(words))


def status(
    file: File = PARAMS_FILE,
    *,
    scale: Scale = None,
    config: Config = None,
    cores: Annotated[int | None, Parameter(help="of the machine (default: all it has)")] = None,
    as_json: Annotated[bool, Parameter(name="--json", help="as JSON", negative=())] = False,
) -> None:
    """How far the study is: what is built, failed, running and missing, and how long the rest takes.

    Looks whether files are there, not into them, which `vicious verify` does. The time left is the budget's, corrected
    by what the same kinds of jobs took here. A job that two experiments share counts in both rows. Run it from the
    project's root folder.

    Examples:
        vicious status
        vicious status --scale smoke --cores 2
        vicious status --config scale=smoke 'datasets=[mnist]' --json
    """
    import os

    from vicious.provenance.status import status
    from vicious.system.errors import ConfigError
    from vicious.workflow.budget import device_and_jobs

    params = _params(file, config or (), scale)
    if cores is not None and cores < 1:
        raise ConfigError(f"--cores {cores}: at least 1")
    device, together = device_and_jobs(params, cores or os.cpu_count() or 1)
    found = status(params, together, device.seconds)
    print(found.as_json()) if as_json else say(found)


def why(
    what: Annotated[str, Parameter(help="a file of the study, its log, or a table's or figure's name or number")],
    /,
    *,
    file: File = PARAMS_FILE,
    scale: Scale = None,
    config: Config = None,
) -> None:
    """Why a result failed, is missing, or would be made again.

    Takes any file of the study, such as results/demo/models/mnist/honest/seed0/target.safetensors, or table1. Run it
    from the project's root folder.

    Examples:
        vicious why table1
        vicious why results/demo/models/mnist/honest/seed0/target.safetensors
    """
    from vicious.provenance.record import check_code_here
    from vicious.provenance.why import why

    check_code_here()
    params = _params(file, config or (), scale)
    for line in why(what, params, file):
        say(line)


def show(
    name: Annotated[str, Parameter(help="of a table or figure, such as table1 or main_table")],
    /,
    *,
    file: File = PARAMS_FILE,
    scale: Scale = None,
    config: Config = None,
) -> None:
    """Show a table, or a figure's caption and where its picture is.

    On a terminal the table is laid out to its width; elsewhere it is Markdown, as in paper_figures. Run it from the
    project's root folder.

    Examples:
        vicious show table1
        vicious show main_table --scale smoke
    """
    from vicious.report.show import print_pages, shown

    text = shown(name, _params(file, config or (), scale).scale)
    if sys.stdout.isatty():
        print_pages(text)
    else:
        say(text)


def report(
    file: File = PARAMS_FILE,
    *,
    scale: Scale = None,
    config: Config = None,
    out: Annotated[Path | None, Parameter(help="page to write (default: results/<scale>/report.html)")] = None,
) -> None:
    """Write all results of a scale as one HTML page: claims, images, models, tables, figures, provenance.

    It shows what is built, and says what is not. It needs no network and no server: open it in a browser. Run it from
    the project's root folder.

    Examples:
        vicious report
        vicious report --scale smoke --out smoke.html
    """
    from vicious.study.paths import report
    from vicious.webpage.page import write

    params = _params(file, config or (), scale)
    out = report(params.scale) if out is None else out
    write(params, out)
    say(f"written to {escaped(out)}")


def verify(
    places: Places,
    /,
    *,
    file: File = PARAMS_FILE,
    here: Annotated[
        bool, Parameter(help="of what is here alone, as in a clone: what it was made from may be missing", negative=())
    ] = False,
) -> None:
    """Report what of some results is missing or altered, and note what is of another configuration.

    Reads the records of results, tables or figures and of all that they were made from, hashes every file again, and
    reports what is missing, altered, or made from something that is no longer there. Exits with 1 where it finds
    something. Sound results that were built in part, or by another configuration, are notes, with the command that
    builds the rest. Run it from the project's root folder.

    Examples:
        vicious verify results/demo paper_figures/demo
        vicious verify results/demo/summaries/main.provenance.json
        vicious verify results/pilot paper_figures/pilot --here
    """
    from vicious.provenance.record import check_code_here
    from vicious.provenance.verify import verify

    check_code_here()
    found = verify(places, _params(file), file, here=here)
    say(found)
    found.raise_if_unsound()


def discard(places: Places, /, *, file: File = PARAMS_FILE) -> None:
    """Delete results that are not what params.yaml and the code make.

    Deletes results that params.yaml asks for and whose record says that they were made with other settings, by other
    code or from other files, that were altered since, or that have no record. `snakemake` then makes them anew. What
    params.yaml does not ask for stays. The stages of dvc.yaml do this first. Run it from the project's root folder.

    Examples:
        vicious discard results/demo paper_figures/demo
    """
    from vicious.provenance.discard import discard
    from vicious.provenance.record import check_code_here

    check_code_here()
    for one in discard(places, _params(file), file):
        say(one)


def restore(
    *,
    models: Annotated[bool, Parameter(help="put published models (`vicious models`) back first", negative=())] = False,
) -> None:
    """Have snakemake take results that were pulled or copied as made.

    After `dvc pull`, `dvc checkout` or a copy: verifies results, tables and figures of the scale in params.yaml, and if
    they are what params.yaml and the code make, has Snakemake take them as made, so that it plans nothing. With
    --models it first copies the published models that the results lack, if they are what would be trained. Takes about
    0.3 s for each job of the study. Run it from the project's root folder.

    Examples:
        vicious restore
        vicious restore --models
    """
    from vicious.provenance.record import check_code_here
    from vicious.provenance.restore import restore

    check_code_here()
    params = _params(PARAMS_FILE)
    if models:
        from vicious.published.back import put_back

        for line in put_back(params):
            say(line)
    say(restore(params))


def models(
    *,
    as_json: Annotated[bool, Parameter(name="--json", help="as JSON", negative=())] = False,
    check: Annotated[bool, Parameter(help="take every hash again, and load every model", negative=())] = False,
) -> None:
    """List the published models: what they are, their accuracy, and what they leak.

    They lie in the folder models/, which Git keeps. docs/models.md says how to use them. With --check it exits with 1
    where a file is damaged, missing or altered. Run it from the project's root folder.

    Examples:
        vicious models
        vicious models --check
    """
    from vicious.published.listing import as_json as json_of
    from vicious.published.listing import check as checked
    from vicious.published.listing import entries, table
    from vicious.system.errors import PublishedError

    found = entries()
    print(json_of(found)) if as_json else say(table(found))
    problems = checked(found) if check else []
    if problems:
        raise PublishedError("published models are not sound:", *problems)


def publish_models(
    file: File = PARAMS_FILE,
    *,
    scale: Scale = None,
    models: Annotated[Names, Parameter(help="such as mnist/honest or '*/seed0' (default: all)")] = None,
    leave_out: Annotated[Names, Parameter(help="those that are not published")] = None,
    most_mb: Annotated[float, Parameter(help="megabytes that all published models may take")] = 20.0,
    targets_only: Annotated[bool, Parameter(help="without the attack models trained with them", negative=())] = False,
    config: Config = None,
) -> None:
    """Copy trained models of a finished study to models/, each with its records and a card.

    Refuses models whose training failed, that were not assessed, or that are not what their records say, and more
    megabytes than --most-mb. Then nothing is written. Models that are there already are replaced. `vicious models`
    lists them. Run it from the project's root folder.

    Examples:
        vicious publish-models --scale demo
        vicious publish-models --scale demo --models 'mnist/*/seed0' --most-mb 5
    """
    from vicious.provenance.record import check_code_here
    from vicious.published.publish import publish

    check_code_here()
    params = _params(file, config or (), scale)
    for line in publish(params, models or (), leave_out or (), most_mb, file, targets_only):
        say(line)


def crate(
    file: File = PARAMS_FILE,
    *,
    scale: Scale = None,
    config: Config = None,
    out: Annotated[Path, Parameter(help="folder or .zip that gets the small files, too (default: in place)")] = HERE,
    agent: Annotated[str, Parameter(help="name of who ran the study, if the crate is to say it")] = "",
) -> None:
    """Describe what is built of a scale as an RO-Crate: what was run, on what, by which software, and what came of it.

    It is made from the records of provenance. Without --out it writes ro-crate-metadata.json alone, in this folder, and
    results stay where they are. With --out the workflow, summaries, tables, figures and the report page are copied
    there, too. Refuses results that are not what their records say. Run it from the project's root folder.

    Examples:
        vicious crate
        vicious crate --scale pilot --out study.zip
    """
    from vicious.crate.write import write
    from vicious.provenance.record import check_code_here

    check_code_here()
    params = _params(file, config or (), scale)
    say(f"written to {escaped(write(params, out, file, agent))}")


def claims(
    file: File = PARAMS_FILE,
    *,
    config: Config = None,
    out: Annotated[Path | None, Parameter(help="page to write, .md; the values stand beside it as .json")] = None,
) -> None:
    """What the paper and this project claim, and what a study measured of it.

    Reads the summaries of the scale in params.yaml. With --out it writes a page and the values that `vicious reproduce`
    compares with.

    Examples:
        vicious claims
        vicious claims --config scale=pilot --out claims.md
    """
    from vicious.claims.page import measured, page, write

    params = _params(file, config or ())
    found = measured(params)
    if out is None:
        say(page(params, found).removesuffix("\n"))
    else:
        for path in write(params, found, out):
            say(f"written to {path}")


def reproduce(
    claim: Annotated[str, Parameter(help="its name; `vicious claims` lists them")],
    /,
    *,
    config: Config = None,
    cores: Annotated[int, Parameter(help="jobs at a time")] = 2,
    published: Annotated[Path, Parameter(help="the published values")] = PUBLISHED,
) -> None:
    """Make again what a claim is measured on, and compare it with the published values.

    Runs snakemake for the claim's experiment, of the scale and datasets of the published values unless --config names
    others. What was made here already is not made again. Exits with 1 where a value differs by more than the tolerance,
    or cannot be compared, and where the summaries are those of a clone. Run it from the project's root folder.

    Examples:
        vicious reproduce same_accuracy
        vicious reproduce same_accuracy --cores 8 --config 'datasets=[mnist]' 'data={root: ../shared/data}'
    """
    from vicious.claims import find_claim
    from vicious.claims.page import read_published
    from vicious.claims.reproduce import asked, build, check, compare
    from vicious.provenance.record import check_code_here
    from vicious.system.errors import ClaimError

    check_code_here()
    chosen, values = find_claim(claim), read_published(published)
    changes = asked(config or (), values)
    params = _params(PARAMS_FILE, changes)
    check(chosen, params, values)
    build(chosen, changes, cores)
    found, due = compare(chosen, params, values), values.findings(chosen.name)
    absent = [one.what for one in due if one.name not in {both.published.name for both in found}]
    say("\n".join([*map(str, found), *(f"not in this study: {what}" for what in absent)]))
    answers = [one.agrees for one in found]
    if not all(answers):
        raise ClaimError(
            f"of {len(found)} values {answers.count(False)} differ from the published ones by more than the tolerance, "
            f"and {answers.count(None)} cannot be compared"
        )


def audit(
    model: Annotated[Path, Parameter(help="ONNX, torch.export, TorchScript, or a study's target.safetensors")],
    images: Annotated[Path | None, Parameter(help="folder, .zip, .npy or .npz of images")] = None,
    /,
    *,
    stored: Annotated[Path | None, Parameter(help="outputs that were stored (.npz, .npy, .csv, .parquet)")] = None,
    labels: Annotated[Path | None, Parameter(help="true labels, if known, as a file of the same kinds")] = None,
    outputs: Annotated[
        Literal["logits", "probabilities"] | None, Parameter(help="default: what the model says or they look like")
    ] = None,
    multilabel: Annotated[bool | None, Parameter(help="outputs are of attributes, not of classes")] = None,
    reference: Annotated[Path | None, Parameter(help="folder with earlier audits, to compare with")] = None,
    out: Annotated[Path | None, Parameter(help="folder for audit.json and audit.html")] = None,
    most: Annotated[int, Parameter(name="--images", help="images that are used at most")] = 2000,
    seed: Annotated[int, Parameter(help="of all random choices")] = 0,
    shape: Annotated[tuple[int, int, int] | None, Parameter(help="channels, height, width that it takes")] = None,
    layout: Annotated[Literal["nchw", "nhwc"] | None, Parameter(help="order of its input's axes")] = None,
    value_range: Annotated[tuple[float, float] | None, Parameter(name="--range", help="black and white pixel")] = None,
    mean: Annotated[list[float] | None, Parameter(help="taken off each channel", consume_multiple=True)] = None,
    std: Annotated[list[float] | None, Parameter(help="each channel is divided by it", consume_multiple=True)] = None,
    input_name: Annotated[str | None, Parameter(name="--input", help="the input that takes images")] = None,
    output_name: Annotated[str | None, Parameter(name="--output", help="the output that is read")] = None,
) -> int:
    """Ask whether a classifier's outputs give away the images that it is shown.

    `vicious audit MODEL IMAGES`, or `vicious audit --stored OUTPUTS IMAGES` without a model. Labels, a range and so on
    are needed only where the model does not say them. Ends with 0 where there is no evidence, 2 where there is, 1 for
    an error. docs/audit.md says what a verdict means.

    Examples:
        vicious audit model.onnx images/ --out audit
        vicious audit --stored outputs.csv images/ --labels labels.csv
    """
    from vicious.auditing.command import Command, run
    from vicious.auditing.loaded import Asked

    centre, spread = (None if one is None else tuple(one) for one in (mean, std))
    asked = Asked(shape, layout, value_range, centre, spread, outputs, input_name, output_name)
    command = Command(stored, labels, multilabel, reference, out, most, seed)
    for line in (found := run(model, images, command, asked)).lines:
        say(line)
    return found.exit_code


def export(
    target: Annotated[Path, Parameter(help="a study's target.safetensors, or its folder")],
    out: Annotated[Path, Parameter(help="file to write, .onnx")],
    /,
    *,
    outputs: Annotated[Literal["logits", "softmax"], Parameter(help="softmax: of attributes, sigmoid")] = "logits",
) -> None:
    """Write a study's target model as ONNX, to use or to audit it elsewhere.

    Outputs are compared with PyTorch's on 100 images of noise, and nothing is written where they differ by more than
    0.0001 of the largest output. The file says what the model takes and gives, not how it was trained. Do not give the
    outputs of a vicious model away: they hold what whoever trained it needs to reconstruct its input.

    Examples:
        vicious export results/demo/models/mnist/honest/seed0 honest.onnx
    """
    from vicious.auditing.export import export_onnx

    difference = export_onnx(target, out, outputs == "softmax")
    say(f"written to {escaped(out)}; outputs differ from PyTorch's by at most {difference:.2g}")


def build_stage(stage: Annotated[str, Parameter(help="its name, such as models@mnist")], /) -> None:
    """Build what a stage of dvc.yaml stands for: its command there.

    Checks params.yaml, deletes stale results of the stage as `vicious discard` does, then runs Snakemake for the rest.
    Run it from the project's root folder.

    Examples:
        vicious build-stage data@mnist
    """
    from vicious.provenance.record import check_code_here
    from vicious.provenance.stage import build_stage

    check_code_here()
    build_stage(stage, _params(PARAMS_FILE))


def unlock() -> None:
    """After a killed Snakemake: remove its lock, once nothing of this folder is alive.

    Run it in the project's root folder when Snakemake says that the folder is locked. It names the processes and Slurm
    jobs of this folder that are alive, with exit code 1; where there are none it removes the lock.

    Examples:
        vicious unlock
    """
    from vicious.workflow.unlock import unlock

    say(unlock(Path.cwd()))


def _params(file: Path, changes: Sequence[str] = (), scale: str | None = None) -> "Params":
    """The configuration of a file, with changes as snakemake takes them, and another scale where one is asked for."""
    from vicious.study.config import load_params

    params = load_params(file, changes)
    return params if scale is None else params.model_copy(update={"scale": scale})
