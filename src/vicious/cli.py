"""The command line. Each command is one step of the study and does one call into the package.

Commands import what they need when they run, so that ``--help`` and a typo answer at once.
"""

import argparse
import logging
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from vicious import __version__
from vicious.data.catalog import CATALOG
from vicious.data.tasks import CELEBA_SETS
from vicious.models.evaded import UNNAMED
from vicious.models.kinds import Code, parse_outputs, parse_trainable
from vicious.report.products import INPUTS, PRODUCTS, SEVERAL
from vicious.study.grid import EXPERIMENTS
from vicious.study.names import PARAMS_FILE, DetectorName, EvadedName, RecipeName
from vicious.study.paths import ARRAYS
from vicious.system.errors import ViciousError
from vicious.system.files import noted_writes
from vicious.system.progress import tell
from vicious.system.runtime import limit_threads, use_device

if TYPE_CHECKING:
    import torch

    from vicious.data.prepared import PreparedDataset
    from vicious.training.loop import Schedule

Arguments = argparse.Namespace
log = logging.getLogger("vicious")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, or 1 for an error that is explained."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s", stream=sys.stderr)
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # matplotlib's PDFs; it tells every table of a font
    arguments = _parser().parse_args(argv)
    start = time.monotonic()
    try:
        limit_threads(getattr(arguments, "threads", 1))
        with noted_writes() as written:
            measured = arguments.run(arguments)
        if getattr(arguments, "provenance", None) is not None:
            _write_provenance(arguments, written, time.monotonic() - start, measured)
    except ViciousError as error:
        tell(f"error: {error}")
        return 1
    except FileNotFoundError as error:
        tell(f"error: {error.filename} is missing: run the step that writes it first, or check the path")
        return 1
    return 0


# --- commands -------------------------------------------------------------------------------------------------------


def _check_config(a: Arguments) -> None:
    from vicious.study.config import load_params

    params = load_params(a.file)
    print(f"{a.file}: valid; scale {params.scale}, {len(params.datasets)} datasets")


def _schema(a: Arguments) -> None:
    from vicious.study.config import json_schema

    print(json_schema(), end="")


def _budget(a: Arguments) -> None:
    from vicious.study.config import load_params
    from vicious.workflow import budget

    params = load_params(a.file)
    params = params if a.scale is None else params.model_copy(update={"scale": a.scale})
    cpu, gpu = budget.with_rates(a.cpu_gflops, a.gpu_tflops, a.gpu)
    experiments = a.experiment or EXPERIMENTS
    costs = budget.budget(params, experiments=experiments)
    seeds = sorted({len(params.cell(dataset).seeds) for dataset in params.datasets})
    print(
        f"Budget of {', '.join(experiments)} at scale {params.scale}, {' or '.join(map(str, seeds))} seeds, "
        "before summaries, tables and figures."
    )
    print(f"CPU: {cpu.name}, {cpu.rate / 1e9:.0f} GFLOP/s a job. GPU: {gpu.name}, {gpu.rate / 1e12:.1f} TFLOP/s.\n")
    print(budget.table(costs, cpu, gpu))
    if a.measured is not None:
        jobs, found = budget.measured(params, a.measured, experiments)
        expected = budget.total(budget.budget(params, experiments=experiments, data=False).values())
        estimated = cpu.parallel * expected.hours(cpu)
        print(
            f"\nTrainings, assessments and detections, one after the other: {found:.2f} hours measured for {jobs} jobs in "
            f"{a.measured}, {estimated:.2f} estimated for {expected.jobs} (ratio {estimated / found:.2f})."
        )


def _fetch(a: Arguments) -> None:
    from vicious.data.source import obtain

    counts = None if a.counts is None else tuple(a.counts)
    checksums = dict(a.checksum)
    obtain(a.dataset, a.source, a.root, a.out, download=a.download, checksums=checksums, counts=counts)


def _prepare(a: Arguments) -> None:
    from vicious.data.prepare import prepare
    from vicious.data.source import read_source

    record = read_source(a.source)
    prepare(
        record["dataset"],
        Path(record["root"]),
        a.out,
        source=record["source"],
        train=a.train,
        validation=a.validation,
        test=a.test,
        split_seed=a.split_seed,
        files=record["files"],
    )


def _fit_covariance(a: Arguments) -> None:
    from vicious.data.prepared import load_prepared
    from vicious.metrics.moments import fit
    from vicious.metrics.risk import save_covariance

    data = load_prepared(a.data)
    covariance = fit(data)
    if covariance.images <= covariance.mean.size:
        log.warning(
            "%s: %d images for %d pixels: the covariance is singular whatever the images are; read R with care",
            data.info.title,
            covariance.images,
            covariance.mean.size,
        )
    save_covariance(covariance, a.out)


def _train_honest(a: Arguments) -> None:
    from vicious.training.jobs import train_honest

    train_honest(_task_data(a), a.out, a.depth, a.width, _schedule(a), _device(a), a.as_many_as, a.recipe)


def _train_vicious(a: Arguments) -> None:
    from vicious.training.jobs import train_vicious

    train_vicious(
        _task_data(a),
        a.out,
        a.attack_out,
        a.depth,
        a.width,
        a.outputs,
        a.beta_c,
        a.beta_r,
        _schedule(a),
        _device(a),
        a.as_many_as,
        a.evasion,
        a.evades,
    )


def _train_attack(a: Arguments) -> None:
    from vicious.training.jobs import train_attack

    train_attack(a.data, a.target, a.out, a.depth, a.width, a.outputs, _schedule(a), _device(a))


def _assess_risk(a: Arguments) -> None:
    from vicious.attacks.assess import assess_risk

    assess_risk(
        a.data,
        a.covariance,
        a.target,
        a.attack,
        a.out,
        estimator=a.estimator,
        cutoff=a.cutoff,
        gallery_images=a.gallery_images,
        device=_device(a),
    )


def _evaluate_defense(a: Arguments) -> dict[str, dict[str, float]]:
    from vicious.defense.evaluate import evaluate_defense

    return evaluate_defense(
        a.data,
        a.target,
        a.out,
        detectors=a.detectors,
        user_images=a.user_images,
        draws=a.draws,
        hidden=a.hide,
        device=_device(a),
    )


def _summarize(a: Arguments) -> None:
    from vicious.results.summaries import write_summary

    write_summary(a.results, a.out)


def _write_metrics(a: Arguments) -> None:
    from vicious.results.flat import write_metrics

    write_metrics(a.summary, a.out)


def _compare(a: Arguments) -> None:
    from vicious.results.comparisons import write_comparisons

    write_comparisons(a.results, a.out)


def _agree(a: Arguments) -> None:
    from vicious.results.agreement import write_estimators

    write_estimators(a.results, a.estimators, a.agreement)


def _per_class(a: Arguments) -> None:
    from vicious.results.per_class import write_per_class

    write_per_class(a.results, a.classes, a.attributes)


def _check_complete(a: Arguments) -> None:
    from vicious.results.summaries import check_complete
    from vicious.system.files import write_text

    verdicts = []
    if a.scores is not None:
        from vicious.defense.collect import failed_verdicts

        verdicts = failed_verdicts(a.scores)
    write_text(a.out, f"{check_complete(a.summary, verdicts)} cells, none failed\n")


def _summarize_defense(a: Arguments) -> None:
    from vicious.defense.collect import collect_detection

    collect_detection(a.scores, a.out, a.separation, a.called)


def _verify(a: Arguments) -> None:
    from vicious.provenance.verify import verify
    from vicious.study.config import load_params

    report = verify(a.paths, load_params(a.file), a.file)
    print(report)
    report.raise_if_unsound()


def _discard(a: Arguments) -> None:
    from vicious.provenance.discard import discard
    from vicious.study.config import load_params

    for one in discard(a.paths, load_params(a.file), a.file):
        print(one)


def _restore(a: Arguments) -> None:
    from vicious.provenance.restore import restore
    from vicious.study.config import load_params

    print(restore(load_params()))


def _unlock(a: Arguments) -> None:
    from vicious.workflow.unlock import unlock

    print(unlock(Path.cwd()))


def _product(a: Arguments) -> None:
    import importlib

    writer = importlib.import_module(f"vicious.report.{a.command}")
    writer.write(**{name: getattr(a, name) for name in PRODUCTS[a.command].inputs}, out=a.out)


# --- arguments ------------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vicious", description=sys.modules["vicious"].__doc__)
    parser.add_argument("--version", action="version", version=f"vicious {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")

    def command(name: str, run: Callable[[Arguments], Any], text: str, *inputs: str) -> argparse.ArgumentParser:
        """A command; ``inputs`` name the arguments whose files, and those beside, its provenance hashes."""
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        sub.set_defaults(run=run, command=name, inputs=inputs)
        if inputs:
            _provenance(sub)
        return sub

    sub = command("check-config", _check_config, "validate params.yaml")
    sub.add_argument("file", type=Path, nargs="?", default=PARAMS_FILE)
    command("schema", _schema, "print the JSON schema of params.yaml")

    sub = command("budget", _budget, "what a scale costs: jobs, FLOPs, hours, disk, memory")
    sub.add_argument("file", type=Path, nargs="?", default=PARAMS_FILE)
    sub.add_argument("--scale", choices=("smoke", "demo", "pilot", "paper"), help="default: the file's")
    sub.add_argument("--experiment", choices=EXPERIMENTS, action="append", help="repeatable; default: all")
    sub.add_argument("--cpu-gflops", type=_positive, help="sustained rate of one core (default: as measured here)")
    sub.add_argument("--gpu-tflops", type=_positive, help="sustained rate of your GPU")
    sub.add_argument("--gpu", help="its name, for the heading")
    sub.add_argument("--measured", type=Path, help="results folder to compare the estimate with")

    sub = command("fetch", _fetch, "download, verify or draw the raw files of a dataset")
    sub.add_argument("--dataset", required=True, choices=CATALOG)
    sub.add_argument("--source", required=True, choices=("official", "synthetic"))
    sub.add_argument("--root", type=Path, required=True, help="folder of the files, torchvision's layout")
    sub.add_argument("--out", type=Path, required=True, help="JSON record of the verified files")
    sub.add_argument("--download", action="store_true", help="download what is missing")
    sub.add_argument("--checksum", type=_checksum, action="append", default=[], metavar="FILE=md5:HEX")
    sub.add_argument("--counts", type=_count, nargs=3, metavar=("TRAIN", "VALIDATION", "TEST"), help="synthetic images")
    _provenance(sub)

    sub = command("prepare", _prepare, "write 32x32 uint8 arrays and statistics", "source")
    sub.add_argument("--source", type=Path, required=True, help="JSON record written by fetch")
    sub.add_argument("--out", type=Path, required=True, help="folder to write")
    for split in ("train", "validation", "test"):
        sub.add_argument(f"--{split}", type=_count, help=f"most {split} images (default: all)")
    sub.add_argument("--split-seed", type=_seed, required=True)

    sub = command("fit-covariance", _fit_covariance, "mean and factorised covariance for the risk", "data")
    _data(sub)
    sub.add_argument("--out", type=Path, required=True, help="safetensors to write")

    sub = command("train-honest", _train_honest, "train a target model for its task alone", "data")
    _task(sub)
    _training(sub)
    sub.add_argument(
        "--recipe", choices=get_args(RecipeName), help="another way to train it: see vicious.training.recipes"
    )

    sub = command("train-vicious", _train_vicious, "train a target model jointly with an attack model", "data")
    _task(sub)
    _training(sub)
    sub.add_argument("--attack-out", type=Path, required=True, help="weights of the attack model, safetensors")
    sub.add_argument(
        "--outputs", type=_trainable, required=True, help="what the user sends back: see vicious.models.kinds"
    )
    sub.add_argument(
        "--beta-c", type=_not_negative, required=True, help="weight of the classification loss; 0: autoencoder"
    )
    sub.add_argument("--beta-r", type=_positive, required=True, help="weight of the reconstruction loss")
    sub.add_argument("--evasion", type=_not_negative, default=0.0, help="weight of a penalty against a detector")
    sub.add_argument("--evades", choices=get_args(EvadedName), default=UNNAMED, help="that detector")

    sub = command("train-attack", _train_attack, "train an attack model on a frozen target model", "data", "target")
    _training(sub)
    sub.add_argument("--target", type=Path, required=True, help="weights of the target model")
    sub.add_argument(
        "--outputs", type=_outputs, required=True, help="what the user sends back: see vicious.models.kinds"
    )

    sub = command(
        "assess-risk", _assess_risk, "measure an attack on the test set", "data", "covariance", "target", "attack"
    )
    _data(sub)
    sub.add_argument("--covariance", type=Path, required=True)
    sub.add_argument("--target", type=Path, required=True, help="weights of the target model")
    sub.add_argument("--attack", type=Path, required=True, help="weights of the attack model")
    sub.add_argument("--out", type=Path, required=True, help="folder to write into")
    sub.add_argument("--gallery-images", type=_count, required=True)
    sub.add_argument("--estimator", required=True, choices=("truncated", "ridge", "ledoit_wolf"))
    sub.add_argument("--cutoff", type=_not_negative, required=True)
    _compute(sub)

    sub = command("evaluate-defense", _evaluate_defense, "score a target model with some detectors", "data", "target")
    _data(sub)
    sub.add_argument("--target", type=Path, required=True, help="weights of the target model")
    sub.add_argument("--out", type=Path, required=True, help="CSV to write")
    sub.add_argument("--detectors", choices=get_args(DetectorName), nargs="+", required=True)
    sub.add_argument("--user-images", type=_count, nargs="+", required=True)
    sub.add_argument("--draws", type=_count, required=True)
    sub.add_argument("--hide", choices=get_args(Code), help="hide the code in the model's outputs first")
    _compute(sub)

    sub = command("summarize", _summarize, "join all assessments into one CSV", "results")
    sub.add_argument("results", type=Path, nargs="+", help="JSON summaries written by assess-risk")
    sub.add_argument("--out", type=Path, required=True)

    sub = command("write-metrics", _write_metrics, "means over seeds as one flat JSON, for dvc metrics", "summary")
    sub.add_argument("summary", type=Path, help="CSV written by summarize")
    sub.add_argument("--out", type=Path, required=True)

    sub = command("compare", _compare, "compare each attack with the post-hoc one, image by image", "results")
    sub.add_argument("results", type=Path, nargs="+", help="JSON summaries written by assess-risk")
    sub.add_argument("--out", type=Path, required=True)

    sub = command("agree", _agree, "how estimators of the risk agree with PSNR and SSIM", "results")
    sub.add_argument("results", type=Path, nargs="+", help="JSON summaries written by assess-risk")
    sub.add_argument("--estimators", type=Path, required=True, help="CSV of the risk under every estimator")
    sub.add_argument("--agreement", type=Path, required=True, help="CSV of how each orders reconstructions")

    sub = command("per-class", _per_class, "measures by class, and accuracy by attribute", "results")
    sub.add_argument("results", type=Path, nargs="+", help="JSON summaries written by assess-risk")
    sub.add_argument("--classes", type=Path, required=True, help="CSV to write, a row per model and class")
    sub.add_argument("--attributes", type=Path, required=True, help="CSV to write, a row per model and attribute")

    sub = command("check-complete", _check_complete, "exit with an error if a cell of a summary failed")
    sub.add_argument("summary", type=Path, help="CSV written by summarize")
    sub.add_argument("--scores", type=Path, help="CSV written by summarize-defense, whose verdicts count too")
    sub.add_argument("--out", type=Path, required=True, help="text file to write if none failed")

    sub = command("summarize-defense", _summarize_defense, "join all detector scores, and how they separate", "scores")
    sub.add_argument("scores", type=Path, nargs="+", help="CSVs written by evaluate-defense")
    sub.add_argument("--out", type=Path, required=True, help="CSV of all scores")
    sub.add_argument(
        "--called", type=Path, required=True, help="CSV of what thresholds from honest models call vicious"
    )
    sub.add_argument("--separation", type=Path, required=True, help="CSV of AUROC and TPR")

    sub = command("verify", _verify, "say what of some results is missing, altered or of another configuration")
    sub.description = (
        "Read the provenance of results, tables or figures and of all that they were made from, hash every file again, and "
        "say what is missing, altered, made from something that is no longer there, or of another configuration. Run it from "
        "the project's root folder. Exits with 1 where it finds something."
    )
    _places(sub, "folder of results, or a JSON of provenance")

    sub = command("discard", _discard, "delete results that are not what params.yaml and the code make")
    sub.description = (
        "Delete results that params.yaml asks for and whose provenance says that they were made with other settings, by other code "
        "or from other files, that were altered since, or that have no record. `snakemake` then makes them anew. What params.yaml does "
        "not ask for stays. The stages of dvc.yaml begin with this. Run it from the project's root folder."
    )
    _places(sub, "folder of results, as a stage of dvc.yaml has it")

    sub = command("restore", _restore, "have snakemake take results that were pulled or copied as made")
    sub.description = (
        "After `dvc pull`, `dvc checkout` or a copy: verify results, tables and figures of the scale in params.yaml, and if they "
        "are what params.yaml and the code make, have Snakemake take them as made, so that it plans nothing. Takes about 0.3 s "
        "for each job of the study. Run it from the project's root folder."
    )

    sub = command("unlock", _unlock, "after a killed Snakemake: remove its lock, once nothing of this folder is alive")
    sub.description = (
        "Run it in the project's root folder when Snakemake says that the folder is locked. It names the processes and Slurm jobs "
        "of this folder that are alive, with exit code 1; where there are none it removes the lock."
    )

    for name, product in PRODUCTS.items():
        kind, number = name.rstrip("0123456789").capitalize(), name.lstrip("abcdefghijklmnopqrstuvwxyz")
        sub = command(name, _product, f"{kind} {number}: {product.title}", *product.inputs)
        for key in product.inputs:
            sub.add_argument(
                f"--{key}", type=Path, required=True, help=INPUTS[key], nargs="+" if key in SEVERAL else None
            )
        sub.add_argument("--out", type=Path, required=True, help="folder to write into")
    return parser


def _provenance(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--provenance", type=Path, metavar="JSON", help="where to record inputs, outputs, code, hardware")


def _places(sub: argparse.ArgumentParser, what: str) -> None:
    sub.add_argument("paths", type=Path, nargs="+", metavar="PATH", help=what)
    sub.add_argument(
        "--file", type=Path, default=PARAMS_FILE, help="configuration to compare with (default: %(default)s)"
    )


def _data(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--data", type=Path, required=True, help="folder of a prepared dataset")


def _task(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--attributes", choices=CELEBA_SETS, help="attribute set of CelebA (default: all attributes)")
    sub.add_argument("--classes", type=_count, help="use the images of so many classes (default: all)")
    sub.add_argument("--as-many-as", type=_count, help="with --classes: as many images as so many classes have")


def _compute(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--threads", type=_count, default=1, help="CPU threads (part of the result)")
    sub.add_argument("--device", choices=("cpu", "cuda"), default="cpu")


def _training(sub: argparse.ArgumentParser) -> None:
    _data(sub)
    sub.add_argument("--out", type=Path, required=True, help="weights to write, safetensors; a .json and .csv beside")
    sub.add_argument("--depth", type=_depth, required=True)
    sub.add_argument("--width", type=_count, required=True)
    sub.add_argument("--epochs", type=_count, required=True)
    sub.add_argument("--epoch-images", type=_count, help="most training images of an epoch; default: all")
    sub.add_argument("--batch-images", type=_count, required=True)
    sub.add_argument("--learning-rate", type=_positive, required=True)
    sub.add_argument("--seed", type=_seed, required=True)
    _compute(sub)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def _depth(text: str) -> int:
    value = int(text)
    if value % 6 != 4 or value < 10:
        raise argparse.ArgumentTypeError(f"must be 6 n + 4 (10, 16, 22, 28, ...), got {value}")
    return value


def _outputs(text: str, parse: Callable[[str], object] = parse_outputs) -> str:
    try:
        parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _trainable(text: str) -> str:
    return _outputs(text, parse_trainable)


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must not be negative, got {value}")
    return value


def _positive(text: str) -> float:
    value = _not_negative(text)
    if value == 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _not_negative(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number that is not negative, got {text}")
    return value


def _checksum(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"expected FILE=md5:HEX, got {text!r}")
    return name, value


def _task_data(a: Arguments) -> "PreparedDataset":
    from vicious.data.prepared import load_prepared

    return load_prepared(a.data).restrict(a.attributes, a.classes, a.as_many_as)


def _schedule(a: Arguments) -> "Schedule":
    from vicious.training.loop import Schedule

    return Schedule(a.epochs, a.batch_images, a.learning_rate, a.seed, a.epoch_images)


def _device(a: Arguments) -> "torch.device":
    return use_device(a.device, a.threads)


def _write_provenance(
    a: Arguments, written: Iterable[Path], seconds: float, measured: Mapping[str, Any] | None
) -> None:
    from vicious.provenance.record import write_provenance

    hidden = ("run", "command", "inputs", "provenance")
    if a.command == "fetch":
        written = [a.out]  # it lists the raw files, with their hashes; they may lie anywhere, and be large
    settings = {name: _plain(value) for name, value in vars(a).items() if name not in hidden}
    write_provenance(a.provenance, a.command, settings, _input_files(a), written, seconds, measured)


def _input_files(a: Arguments) -> list[Path]:
    """What a command reads: the files that its arguments name, and what lies beside these, as in the workflow's rules."""
    files: list[Path] = []
    for name in a.inputs:
        value = getattr(a, name)
        for path in value if isinstance(value, list) else [value]:
            files += _read(a.command, name, path)
    return files


def _read(command: str, argument: str, path: Path) -> list[Path]:
    if argument == "data":
        return [path / name for name in ("dataset.json", *ARRAYS)]
    if argument in ("target", "attack", "curves"):
        return [path, path.with_suffix(".json")]
    if argument in ("results", "assessments"):
        from vicious.results.assessments import Assessment

        one = Assessment(path, {})
        of_images = [] if command == "summarize" else [one.parquet]
        profile = [one.estimators] if command == "agree" else []
        gallery = [one.gallery] if argument == "assessments" else []
        return [path, *of_images, *profile, *gallery]
    return [path]


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return value.as_posix()
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
