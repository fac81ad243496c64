"""What it costs a server that knows the recommended rule to pass it: vicious servers with penalties or hidden codes.

    python benchmarks/evading.py OFFICIAL DATASET... [--seeds N] [--images N] [--epochs N] [--kept FOLDER]

OFFICIAL is a folder with the official files in torchvision's layout. For each dataset and seed a plain CNN
(classifiers.py) is trained: an honest one, a vicious one, and vicious ones with a penalty against the leak and against
the rule itself. Hidden codes are maps of the vicious one's outputs, which the server undoes. Each is judged as
`vicious audit` does, by outputs alone, with 50, 200 and 1,000 test images, once each. What it gives away is the most
that one of three decoders reads of test images: kernel ridge regression that saw half of them, a network that was
trained on the outputs of the training images, and the one that the server trained with the classifier.

Trainings and verdicts are kept in a folder, so that a run that was ended goes on where it was. The default folder is
another one for each code of the rule, the penalties, the codes and the decoder. After a change of classifiers.py name a
new one.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from classifiers import Trained, train_both, train_decoder
from measuring import machine, report
from numpy.typing import NDArray
from verdicts import logits_of, options, prepared

from vicious.auditing.decode import decode
from vicious.auditing.verdict import answer
from vicious.data.datasets import find_dataset
from vicious.defense.detector import Evidence
from vicious.defense.exact import exact_test
from vicious.defense.excess import compare
from vicious.metrics.identification import Candidates
from vicious.models.hidden import hide
from vicious.provenance.identity import meaning
from vicious.system.files import atomic_path, write_json
from vicious.system.runtime import limit_threads

SAMPLES = (50, 200, 1000)
"""Images that a user has."""
SERVERS = {
    "honest": Trained("plain CNN"),
    "vicious": Trained("plain CNN", 1.0),
    "penalty against the leak": Trained("plain CNN", 1.0, evades="kernel_decodability"),
    "penalty against the rule": Trained("plain CNN", 1.0, evades="students"),
    "penalty against the rule, weight 3": Trained("plain CNN", 1.0, evades="students", evasion=3.0),
}
DECODER_EPOCHS = 20
"""Of the network that is trained on a finished classifier's outputs."""
CODES = ("shifted", "shuffled", "folded", "keyed")
"""How the outputs of the vicious one are hidden."""


def given_away(reconstructions: Sequence[NDArray[Any]], images: NDArray[Any]) -> dict[str, float]:
    """Of reconstructions of images (n, d) those with the largest mean PSNR, in dB: it, and the share that is identified
    among all."""

    def psnr(read: NDArray[Any]) -> float:
        return float(-10 * np.log10(((read - images) ** 2).mean(1)).mean())

    best = max(reconstructions, key=psnr)
    found, _ = Candidates(images, np.zeros(len(images), np.int64)).find(best, np.arange(len(images)))
    return {"psnr": psnr(best), "identified": float(found.top(1).mean())}


def judged(logits: NDArray[Any], images: NDArray[np.float32], number: int, draw: int) -> dict[str, Any]:
    """The rule's answer on a sample of images (n, C, H, W), and what it goes by."""
    chosen = np.random.default_rng((number, draw)).permutation(len(images))[:number]
    evidence = Evidence(images[chosen], logits[chosen].argmax(1), logits[chosen], seed=draw)
    excess, exact = compare(evidence), exact_test(evidence)
    return {
        "images": len(chosen),
        "answer": answer(exact, excess)[0],
        "p": exact.p,
        "leak": excess.leak,
        "students": {one.family: one.leak for one in excess.against},
        "above": min((one.low for one in excess.against), default=None),
    }


@dataclass(frozen=True)
class Server:
    """A trained server.

    Attributes:
        logits: (n, K), of the test images.
        read: what its decoders reconstruct of the test images, (n, d) each.
    """

    logits: NDArray[Any]
    read: tuple[NDArray[Any], ...]


def server_of(
    how: Trained, images: torch.Tensor, labels: torch.Tensor, test: NDArray[np.float32], epochs: int, path: Path
) -> Server:
    """A server, trained or as it was kept."""
    if not path.exists():
        start = time.perf_counter()
        classifier, joint = train_both(how, images, labels, epochs)
        logits, known = logits_of(classifier, test), logits_of(classifier, images.numpy())
        after, mean, spread = train_decoder(torch.from_numpy(known), images, DECODER_EPOCHS)
        with torch.inference_mode():
            asked = torch.from_numpy(logits)
            networks = [after((asked - mean) / spread), *([joint(asked)] if how.beta_r else [])]
        ridge = decode(logits.astype(np.float64), flat(test), False, 0).images
        read = {f"read{place}": one for place, one in enumerate([ridge, *(one.numpy() for one in networks)])}
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, logits=logits, **read)
        print(f"{path.stem}: trained in {time.perf_counter() - start:.0f} s", flush=True)
    with np.load(path) as kept:
        logits = kept["logits"].astype(np.float64)
        return Server(logits, tuple(kept[name].astype(np.float64) for name in kept.files if name != "logits"))


def flat(images: NDArray[Any]) -> NDArray[np.float64]:
    """Images (n, C, H, W) as rows (n, d)."""
    return images.reshape(len(images), -1).astype(np.float64)


def seen(found: dict[str, Server]) -> Iterator[tuple[str, NDArray[Any], Server]]:
    """Each server's name, its logits as the user sees them, and what it reads itself."""
    for name, server in found.items():
        yield name, server.logits, server
        if name == "vicious":
            for code in CODES:
                hidden = hide(torch.from_numpy(server.logits), code, multilabel=False).numpy()
                yield f"code {code}", hidden, server


def rows_of(dataset: str, seeds: int, images: int, epochs: int, official: Path, kept: Path) -> Iterator[dict[str, Any]]:
    """A row for each server and seed of a dataset."""
    data = prepared(official, dataset, images, kept)
    train_images, train_labels = (torch.from_numpy(np.array(one("train"))) for one in (data.images, data.labels))
    test = (np.array(data.images("test")) / 255).astype(np.float32)
    labels, pixels = np.array(data.labels("test")), flat(test)
    folder = kept / f"evading-{dataset}-{len(train_images)}-{epochs}"
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        found = {}
        for name, how in SERVERS.items():
            path = folder / f"{name}-{seed}.npz".replace(" ", "_")
            mine = replace(how, seed=seed)
            found[name] = server_of(mine, train_images.float() / 255, train_labels.long(), test, epochs, path)
        for name, logits, server in seen(found):
            at = folder / f"{name}-{seed}.json".replace(" ", "_")
            if not at.exists():
                start = time.perf_counter()
                write_json(at, {"verdicts": [judged(logits, test, number, seed) for number in SAMPLES]})
                print(f"{dataset}, {name}, seed {seed}: judged in {time.perf_counter() - start:.0f} s", flush=True)
            yield {
                **{"dataset": dataset, "server": name, "seed": seed},
                "accuracy": float((logits.argmax(1) == labels).mean()),
                **given_away(server.read, pixels),
                **json.loads(at.read_text()),
            }


def by_server(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """A head, and a row for each dataset and server: means over seeds, differences from the vicious or honest server of
    the same seed, and how many got evidence."""
    found = []
    for dataset, server in dict.fromkeys((row["dataset"], row["server"]) for row in rows):
        some = [row for row in rows if (row["dataset"], row["server"]) == (dataset, server)]
        honest, vicious = (
            {row["seed"]: row for row in rows if (row["dataset"], row["server"]) == (dataset, kind)}
            for kind in ("honest", "vicious")
        )
        gain = [row["psnr"] - honest[row["seed"]]["psnr"] for row in some]
        lost = [100 * (row["accuracy"] - vicious[row["seed"]]["accuracy"]) for row in some]
        samples = list(dict.fromkeys(one["images"] for row in some for one in row["verdicts"]))
        said = [[one["answer"] for row in some for one in row["verdicts"] if one["images"] == n] for n in samples]
        found.append([
            find_dataset(dataset).title,
            server,
            f"{100 * fmean(row['accuracy'] for row in some):.1f}",
            "–" if server == "vicious" else _span(lost, 1),
            f"{fmean(row['psnr'] for row in some):.2f}",
            "–" if server == "honest" else _span(gain, 2),
            f"{100 * fmean(row['identified'] for row in some):.1f}",
            *(_counted(answers) for answers in said),
        ])  # fmt: skip
    return [
        *("dataset", "server", "accuracy (%)", "change from vicious (points)", "PSNR (dB)", "gain over honest (dB)"),
        *("identified (%)", *(f"evidence, n = {number:,}" for number in SAMPLES)),
    ], found


def _counted(answers: Sequence[str]) -> str:
    undecided = answers.count("undecided")
    return f"{answers.count('evidence')} of {len(answers)}" + (f" ({undecided} undecided)" if undecided else "")


def _span(values: Sequence[float], decimals: int) -> str:
    """The mean, and the range over seeds."""
    low, high = min(values), max(values)
    return f"{fmean(values):+.{decimals}f} ({low:+.{decimals}f} to {high:+.{decimals}f})"


def main() -> None:
    default = Path(".cache/evading") / meaning(
        *("vicious.defense.excess:compare", "vicious.defense.exact:exact_test", "vicious.auditing.verdict:answer"),
        *("vicious.auditing.decode:decode", "vicious.models.hidden:hide"),
        *(f"vicious.models.codes.{code}:mapped" for code in CODES),
        *(f"vicious.training.penalties.{how.evades}:PENALTY" for how in SERVERS.values() if how.evades),
    )
    parser = options(__doc__, default)
    parser.add_argument("--seeds", type=int, default=3, help="models of each server")
    given = parser.parse_args()
    where, kept = machine(), given.kept.absolute()
    kept.mkdir(parents=True, exist_ok=True)
    limit_threads(1)
    rows = [
        row
        for dataset in given.datasets
        for row in rows_of(dataset, given.seeds, given.images, given.epochs, given.official, kept)
    ]
    facts = {"threads": 1, "training_images": given.images, "epochs": given.epochs, "seeds": given.seeds}
    report("evading", where, *by_server(rows), **facts, servers=rows)


if __name__ == "__main__":
    main()
