"""How often the verdict of an audit is right: of classifiers that were trained for this, and of published models.

    python benchmarks/verdicts.py OFFICIAL DATASET... [--images N] [--draws N] [--kept FOLDER] [--ship]

OFFICIAL is a folder with the official files in torchvision's layout. For each dataset honest and vicious classifiers of
several families (classifiers.py) are trained, and audited on samples of test images by their logits alone. The
published models of the pilot are exported as ONNX and audited with them, as a user does. A classifier's *true leak* is
what a decoder that saw half of all test images reads of the others, as a share of what the label leaves
(:func:`true_leak`). Trainings and audits are kept in a folder, so that a run that was ended goes on where it was. The
default folder is another one for each code of the audit. After a change of classifiers.py or of a published model, name
a new one.

With --ship the audits of the classifiers, not those of the published models, are written as the reference that
`vicious audit` shows beside its own numbers. With --weak honest classifiers that learnt little are audited in place of
all these: do they give away as much as vicious ones?
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from classifiers import CLASSIFIERS, FEW, WEAK, Trained, train
from measuring import machine, report
from numpy.typing import NDArray
from scipy import stats

from vicious.auditing.audit import run_audit
from vicious.auditing.decode import decode
from vicious.auditing.export import export_onnx
from vicious.auditing.given import Given, Said, gather, of_model
from vicious.auditing.images import Images
from vicious.auditing.model import AuditedModel, open_model
from vicious.auditing.placing import numbers
from vicious.auditing.record import record
from vicious.auditing.reference import SHIPPED
from vicious.auditing.verdict import LEVEL
from vicious.data.datasets import find_dataset
from vicious.data.prepare import prepare
from vicious.data.prepared import INFO_NAME, PreparedDataset, load_prepared
from vicious.defense.evaluation.separation import auroc, auroc_interval
from vicious.provenance.identity import meaning
from vicious.system.files import atomic_path, write_json
from vicious.system.runtime import limit_threads

SAMPLES = (50, 200)
"""Images of an audit."""
TEST = 2000
"""Test images that samples are drawn from, at most. No classifier was trained on them."""
PUBLISHED = Path(__file__).resolve().parents[1] / "models/pilot"
PUBLISHED_FAMILY = "the pilot's"


def true_leak(logits: NDArray[Any], pixels: NDArray[Any]) -> float:
    """Share of the squared error of the label's mean image that a decoder saves which learnt from the other half."""
    decoded = decode(logits, pixels, False, 0)
    error, of_label = (((one - pixels) ** 2).sum() for one in (decoded.images, decoded.of_label))
    return float(1 - error / of_label)


class Tests:
    """The test images of a dataset, and audits of some of them, which are kept."""

    def __init__(self, data: PreparedDataset, dataset: str, draws: int, kept: Path) -> None:
        self.images = (np.array(data.images("test")) / 255).astype(np.float32)
        self.labels = np.array(data.labels("test"))
        self.dataset, self.draws, self.kept = dataset, draws, kept

    def rows(
        self, name: str, about: dict[str, Any], logits: NDArray[Any], given: Callable[[Images, int], Given]
    ) -> Iterator[dict[str, Any]]:
        """A row for each sample.

        Args:
            name: of the classifier's files.
            about: it.
            logits: (n, K), of all test images.
            given: what is audited, of some images, their rows among all and a seed.
        """
        facts = {
            "dataset": self.dataset,
            **about,
            "accuracy": float((logits.argmax(1) == self.labels).mean()),
            "true_leak": true_leak(logits, self.images.reshape(len(self.images), -1).astype(np.float64)),
        }
        for number in SAMPLES:
            for draw in range(self.draws):
                at, start = self.kept / f"{name}-{number}-{draw}.json", time.perf_counter()
                if not at.exists():
                    chosen = np.random.default_rng((number, draw)).permutation(len(self.images))[:number]
                    images = Images(tuple(map(str, chosen)), self.images[chosen])
                    write_json(at, record(run_audit(given(images, draw)), name))
                audit = json.loads(at.read_text())
                yield {
                    **facts,
                    "images": number,
                    "draw": draw,
                    "answer": audit["verdict"]["answer"],
                    "above": [one["family"] for one in audit["students"] if one["low"] is not None and one["low"] > 0],
                    "p": (audit["exact_test"] or {}).get("p"),
                    "among": audit["among"],
                    "numbers": numbers(audit),
                }
                took = time.perf_counter() - start
                print(f"{name}, n = {number}: {audit['verdict']['answer']}, {took:.0f} s", flush=True)


def of_classifiers(
    data: PreparedDataset, tests: Tests, epochs: int, classifiers: Sequence[Trained] = CLASSIFIERS
) -> Iterator[dict[str, Any]]:
    """Rows of the classifiers that are trained here."""
    images, labels = (torch.from_numpy(np.array(one("train"))) for one in (data.images, data.labels))
    for how in classifiers:
        name = f"{tests.dataset}-{len(images)}-{epochs}-{how}".replace(" ", "_").replace(",", "")
        path = tests.kept / f"{name}.npy"
        if not path.exists():
            start = time.perf_counter()
            logits = logits_of(train(how, images.float() / 255, labels.long(), epochs), tests.images)
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.save(file, logits)
            print(f"{name}: trained in {time.perf_counter() - start:.0f} s", flush=True)
        logits = np.load(path).astype(np.float64)

        def given(some: Images, seed: int, logits: NDArray[Any] = logits) -> Given:
            return gather(some, logits[[int(one) for one in some.names]], Said(kind="logits", seed=seed))

        yield from tests.rows(name, _about(how), logits, given)


def _about(how: Trained) -> dict[str, Any]:
    return {"family": how.family, "model": str(how), "beta_r": how.beta_r}


def logits_of(classifier: torch.nn.Module, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits (n, K) of images (n, C, H, W) in [0, 1]."""
    with torch.inference_mode():
        found = torch.cat([classifier(one - 0.5) for one in torch.from_numpy(images).split(256)])
    answers: NDArray[np.float32] = found.numpy()
    return answers


def of_published(tests: Tests) -> Iterator[dict[str, Any]]:
    """Rows of the published models of the pilot, each asked as ONNX; evading.py has servers that know of detectors."""
    for folder in sorted(one.parent for one in (PUBLISHED / tests.dataset).glob("*/seed*/target.safetensors")):
        model, seed = folder.parent.name, folder.name
        card = json.loads((folder / "card.json").read_text())
        if card["evasion"]:
            continue
        name = f"{tests.dataset}-pilot-{model}-{seed}"
        path = tests.kept / f"{name}.onnx"
        if not path.exists():
            export_onnx(folder, path)
        opened = open_model(path)
        about = {"family": PUBLISHED_FAMILY, "model": f"{model}, {seed}", "beta_r": card["beta_r"]}

        def given(some: Images, seed: int, opened: AuditedModel = opened) -> Given:
            return of_model(opened, some, Said(seed=seed))

        yield from tests.rows(name, about, opened.query(tests.images), given)


def prepared(official: Path, dataset: str, images: int, work: Path) -> PreparedDataset:
    """The dataset, prepared once."""
    folder = work / f"{dataset}-{images}"
    if not (folder / INFO_NAME).exists():
        prepare(
            *(find_dataset(dataset), official, folder),
            source="official", train=images, validation=100, test=TEST, split_seed=0,
        )  # fmt: skip
    return load_prepared(folder)


def by_kind(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[object]]]:
    """A head, and a row for each kind of classifier and number of images: how many of each dataset were judged right.

    An honest one is judged right if no audit of it says evidence, a vicious one if all do. Undecided is no evidence.
    """
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    found: list[list[object]] = []
    for number, published, beta in sorted({_kind(row) for row in rows}):
        some = [row for row in rows if _kind(row) == (number, published, beta)]
        by_dataset = {name: right(row for row in some if row["dataset"] == name) for name in datasets}
        every = [one for judged in by_dataset.values() for one in judged.values()]
        low, high = _interval(sum(every), len(every))
        leaks, undecided = [row["true_leak"] for row in some], sum(row["answer"] == "undecided" for row in some)
        found.append(
            [_title(published, beta), number, f"{min(leaks):.2f} to {max(leaks):.2f}", f"{undecided} of {len(some)}",
             *(f"{sum(judged.values())} of {len(judged)}" if judged else "–" for judged in by_dataset.values()),
             f"{sum(every)} of {len(every)}", f"{100 * low:.0f} to {100 * high:.0f}"]
        )  # fmt: skip
    titles = [find_dataset(name).title for name in datasets]
    return ["classifiers", "images", "true leak", "undecided", *titles, "right", "right, 95% interval (%)"], found


def right(rows: Iterable[dict[str, Any]]) -> dict[str, bool]:
    """Whether each model of some rows is judged right."""
    found: dict[str, bool] = {}
    for row in rows:
        found[row["model"]] = found.get(row["model"], True) and (row["answer"] == "evidence") == (row["beta_r"] > 0)
    return found


def by_network(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[object]]]:
    """A head, and a row for each dataset and network: ranges over its seeds, and how many audits have evidence.

    The last number is how many would have it with most images if convolutional students alone were asked.
    """
    sizes = sorted({row["images"] for row in rows})
    found: list[list[object]] = []
    for dataset, network in dict.fromkeys((row["dataset"], _network(row)) for row in rows):
        some = [row for row in rows if (row["dataset"], _network(row)) == (dataset, network)]
        most = [row for row in some if row["images"] == sizes[-1]]
        found.append(
            [find_dataset(dataset).title, network, len({row["model"] for row in some}),
             _ends(100 * row["accuracy"] for row in some), _ends((row["true_leak"] for row in some), ".2f"),
             *(_judged(row for row in some if row["images"] == number) for number in sizes),
             f"{sum(map(_by_convolutional, most))} of {len(most)}"]
        )  # fmt: skip
    return [
        *("dataset", "honest network", "models", "accuracy (%)", "true leak"),
        *(f"evidence, n = {number}" for number in sizes),
        f"by convolutional students alone, n = {sizes[-1]}",
    ], found


def _judged(rows: Iterable[dict[str, Any]]) -> str:
    """How many audits have evidence, and how many are undecided, if any are."""
    answers = [row["answer"] for row in rows]
    undecided = answers.count("undecided")
    return f"{answers.count('evidence')} of {len(answers)}" + (f" ({undecided} undecided)" if undecided else "")


def _by_convolutional(row: dict[str, Any]) -> bool:
    """Whether there would be evidence if the perceptron students were not asked."""
    return row["p"] is not None and row["p"] <= LEVEL and "convolutional" in row["above"]


def _network(row: dict[str, Any]) -> str:
    """The name of a model without its seed and its honesty."""
    return ", ".join(one for one in row["model"].split(", ") if one != "honest" and not one.startswith("seed"))


def _ends(values: Iterable[float], digits: str = ".1f") -> str:
    shown = [f"{one:{digits}}" for one in sorted(values)]
    return " to ".join(dict.fromkeys((shown[0], shown[-1])))


def wrong(rows: Sequence[dict[str, Any]]) -> dict[int, list[str]]:
    """By number of images a line for each model that is not judged right, with what honest ones of its dataset leak."""
    found: dict[int, list[str]] = {row["images"]: [] for row in rows}
    for number, dataset, model in dict.fromkeys((row["images"], row["dataset"], row["model"]) for row in rows):
        audits = [row for row in rows if (row["images"], row["dataset"], row["model"]) == (number, dataset, model)]
        missed = [row["answer"] for row in audits if (row["answer"] == "evidence") != (row["beta_r"] > 0)]
        if missed:
            honest = [row["true_leak"] for row in rows if row["dataset"] == dataset and not row["beta_r"]]
            found[number].append(
                f"{find_dataset(dataset).title}, {model}: {' or '.join(dict.fromkeys(missed))} in {len(missed)} of "
                f"{len(audits)} audits (true leak {audits[0]['true_leak']:.2f}; honest ones {min(honest):.2f} to "
                f"{max(honest):.2f})"
            )
    return found


def separated(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """A head, and a row for each number of an audit: the AUROC between vicious and honest classifiers.

    Of each dataset, and of all at once, as one threshold for all of them would be judged, with its interval over
    models. Of several samples of a model the first counts. A number that some model lacks is left out there.
    """
    first = [row for row in rows if row["draw"] == 0]
    datasets = list(dict.fromkeys(row["dataset"] for row in first))
    sizes = sorted({row["images"] for row in first})
    found = []
    for name in dict.fromkeys(name for row in first for name in row["numbers"]):
        cells = [name.replace("_", " ")]
        for number in sizes:
            some = [row for row in first if row["images"] == number]
            for dataset in (*datasets, None):
                cells.append(_auroc([row for row in some if dataset in (None, row["dataset"])], name, dataset is None))
        found.append(cells)
    titles = [*(find_dataset(name).title for name in datasets), "all"]
    return ["number", *(f"{title}, n = {number}" for number in sizes for title in titles)], found


def _auroc(rows: Sequence[dict[str, Any]], name: str, interval: bool) -> str:
    known = [row for row in rows if name in row["numbers"]]
    honest, vicious = (
        np.array([row["numbers"][name] for row in known if (row["beta_r"] > 0) == kind]) for kind in (False, True)
    )
    if not (len(honest) and len(vicious)):
        return "–"
    area = auroc(honest, vicious)
    low, high = auroc_interval(area, len(honest), len(vicious))
    lost = f" ({len(known)} of {len(rows)} models)" if len(known) < len(rows) else ""
    return f"{area:.2f} [{low:.2f}, {high:.2f}]{lost}" if interval else f"{area:.2f}"


def _kind(row: dict[str, Any]) -> tuple[int, bool, float]:
    return row["images"], row["family"] == PUBLISHED_FAMILY, row["beta_r"]


def _title(published: bool, beta: float) -> str:
    if published:
        return f"{PUBLISHED_FAMILY}, {f'vicious, beta_R {beta:g}' if beta else 'honest'}"
    return f"trained here, {f'vicious, weight {beta:g}' if beta else 'honest'}"


def _interval(found: int, of: int) -> tuple[float, float]:
    """95% interval of a share (Clopper and Pearson, 1934)."""
    ends = stats.binomtest(found, of).proportion_ci()
    return float(ends.low), float(ends.high)


SHOWN = ("dataset", "model", "beta_r", "images", "among", "accuracy", "true_leak", "numbers")


def ship(rows: Sequence[dict[str, Any]], where: dict[str, Any], facts: dict[str, Any]) -> None:
    """Write the reference of the package: the numbers of the first audit of each classifier and number of images."""
    networks = [
        {key: row[key] for key in SHOWN} for row in rows if row["family"] != PUBLISHED_FAMILY and row["draw"] == 0
    ]
    made = {"command": "benchmarks/verdicts.py", "commit": where["commit"], "date": where["date"], **facts}
    write_json(SHIPPED, {"made": made, "networks": networks})


def options(about: str | None, kept: Path) -> argparse.ArgumentParser:
    """What a benchmark of classifiers.py is asked for, by its docstring and the folder where it keeps what it made."""
    parser = argparse.ArgumentParser(description=(about or "").partition("\n\n")[0])
    parser.add_argument("official", type=Path)
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--images", type=int, default=9_000, help="that a classifier is trained on")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--kept", type=Path, default=kept, help="folder of trainings and verdicts")
    return parser


def main() -> None:
    parser = options(__doc__, Path(".cache/verdicts") / meaning("vicious.auditing.audit:run_audit"))
    parser.add_argument("--draws", type=int, default=2, help="samples of test images of each size")
    parser.add_argument("--ship", action="store_true", help="write the reference of the package")
    parser.add_argument("--weak", action="store_true", help="audit honest classifiers that learnt little instead")
    given = parser.parse_args()
    if given.ship and given.weak:
        parser.error("--ship writes the numbers of the usual classifiers: leave out --weak")
    where, kept = machine(), given.kept.absolute()
    kept.mkdir(parents=True, exist_ok=True)
    limit_threads(1)
    rows: list[dict[str, Any]] = []
    tested: dict[str, int] = {}
    for dataset in given.datasets:
        data = prepared(given.official, dataset, given.images, kept)
        tests = Tests(data, dataset, given.draws, kept)
        tested[dataset] = len(tests.images)
        if given.weak:
            rows += of_classifiers(data, tests, given.epochs, WEAK)
        else:
            rows += [*of_published(tests), *of_classifiers(data, tests, given.epochs)]
    facts = {"training_images": given.images, "epochs": given.epochs, "test_images": tested}
    if given.weak:
        about = {"threads": 1, **facts, "few": FEW, "samples": given.draws}
        return report("weak_verdicts", where, *by_network(rows), **about, audits=rows)
    report(
        *("verdicts", where, *by_kind(rows)),
        **{"threads": 1, **facts, "samples": given.draws},
        wrong=wrong(rows),
        separated=separated(rows),
        audits=rows,
    )  # fmt: skip
    if given.ship:
        ship(rows, where, facts)


if __name__ == "__main__":
    main()
