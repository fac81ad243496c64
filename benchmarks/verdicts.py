"""How often the verdict of an audit is right: on networks that the study does not know, trained for this.

    python benchmarks/verdicts.py OFFICIAL DATASET... [--images N] [--draws N] [--out FILE]

OFFICIAL is a folder with the official files in torchvision's layout. For each dataset honest and vicious models of
several families are trained, and judged on several samples of test images, by their logits alone. A model's true leak
is what a decoder that saw 1,000 other images reads, as a share of what the label leaves (:func:`true_leak`). Trainings
and verdicts are kept in a folder beside the JSON file, so that a run that was ended goes on where it was.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import machine, report
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor, nn

from vicious.auditing.decode import decode
from vicious.auditing.given import Said, gather
from vicious.auditing.images import Images
from vicious.auditing.verdict import answer
from vicious.data.datasets import find_dataset
from vicious.data.prepare import prepare
from vicious.data.prepared import INFO_NAME, PreparedDataset, load_prepared
from vicious.defense.exact import Exact, exact_test
from vicious.defense.excess import Against, Excess, compare
from vicious.defense.student import FAMILIES
from vicious.system.files import write_json
from vicious.system.runtime import limit_threads

SAMPLES = (50, 200)
TEST = 2000
BATCH = 100
RATE = 4e-3


@dataclass(frozen=True)
class Trained:
    """How a model is trained.

    Attributes:
        family: of its network.
        beta_r: weight of the reconstruction's squared error, as a share of the images' variance; 0: honest.
        smoothing: of labels.
        decay: of weights.
        seed: of weights, batches and the choice of images.
    """

    family: str
    beta_r: float = 0.0
    smoothing: float = 0.0
    decay: float = 0.0
    seed: int = 0

    def __str__(self) -> str:
        rest = [f"smoothing {self.smoothing:g}"] * bool(self.smoothing) + [f"decay {self.decay:g}"] * bool(self.decay)
        kind = f"vicious, beta {self.beta_r:g}" if self.beta_r else "honest"
        return ", ".join([self.family, kind, *rest, f"seed {self.seed}"])


MODELS = (
    Trained("plain CNN"),
    Trained("plain CNN", seed=1),
    Trained("plain CNN", smoothing=0.1),
    Trained("plain CNN", decay=0.3),
    Trained("wide CNN"),
    Trained("perceptron"),
    Trained("transformer"),
    Trained("plain CNN", beta_r=1.0),
    Trained("plain CNN", beta_r=1.0, seed=1),
    Trained("plain CNN", beta_r=1.0, smoothing=0.1),
    Trained("plain CNN", beta_r=0.3),
    Trained("plain CNN", beta_r=0.1),
    Trained("wide CNN", beta_r=1.0),
    Trained("perceptron", beta_r=1.0),
    Trained("transformer", beta_r=1.0),
)


class Patches(nn.Module):
    """A small vision transformer on patches of 8 x 8 pixels; 4 x 4 would take four times as long."""

    def __init__(self, channels: int, width: int = 64) -> None:
        super().__init__()
        self.embed = nn.Conv2d(channels, width, 8, 8)
        self.place = nn.Parameter(torch.randn(1, 16, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.last = nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, 10) of images (n, C, 32, 32)."""
        tokens = self.embed(images).flatten(2).transpose(1, 2) + self.place
        logits: Tensor = self.last(self.layers(tokens).mean(1))
        return logits


def network(family: str, channels: int) -> nn.Module:
    """A classifier of 32 x 32 images into 10 classes."""
    if family == "transformer":
        return Patches(channels)
    if family == "perceptron":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(channels * 1024, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
        )
    width, inside = {"plain CNN": 16, "wide CNN": 32}[family], channels
    layers: list[nn.Module] = []
    for outside in (width, 2 * width, 4 * width):
        layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU(), nn.MaxPool2d(2)]
        inside = outside
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inside * 16, 128), nn.ReLU(), nn.Linear(128, 10))


def train(how: Trained, images: Tensor, labels: Tensor, epochs: int) -> nn.Module:
    """A classifier, honest or trained jointly with a decoder of its logits."""
    torch.manual_seed(how.seed)
    channels, pixels = images.shape[1], images[0].numel()
    classifier = network(how.family, channels)
    decoder = nn.Sequential(
        nn.Linear(10, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, pixels), nn.Sigmoid()
    )
    weights = [*classifier.parameters(), *(decoder.parameters() if how.beta_r else ())]
    steps = epochs * (len(images) // BATCH)
    optimiser = torch.optim.AdamW(weights, RATE, weight_decay=how.decay)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    cross_entropy = nn.CrossEntropyLoss(label_smoothing=how.smoothing)
    variance = (images - images.mean(0)).square().mean()
    for _ in range(epochs):
        for batch in torch.randperm(len(images))[: BATCH * (len(images) // BATCH)].split(BATCH):
            x = images[batch]
            if channels == 3 and torch.rand(()) < 0.5:
                x = x.flip(3)
            logits = classifier(x - 0.5)
            loss = cross_entropy(logits, labels[batch])
            if how.beta_r:
                loss = loss + how.beta_r * (decoder(logits) - x.flatten(1)).square().mean() / variance
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
    return classifier.eval()


def true_leak(logits: NDArray[Any], pixels: NDArray[Any]) -> float:
    """Share of the squared error of the label's mean image that a decoder saves that saw as many other images."""
    decoded = decode(logits, pixels, False, 0)
    error, of_label = (((one - pixels) ** 2).sum() for one in (decoded.images, decoded.of_label))
    return float(1 - error / of_label)


def measure(data: PreparedDataset, dataset: str, epochs: int, draws: int, kept: Path) -> list[dict[str, Any]]:
    """A row for each model and sample of its test images."""
    images, labels = (torch.from_numpy(np.array(one("train"))) for one in (data.images, data.labels))
    test = (np.array(data.images("test")) / 255).astype(np.float32)
    truth = np.array(data.labels("test"))
    rows = []
    for how in MODELS:
        place = kept / f"{dataset}-{epochs}-{len(images)}-{how}.npy".replace(" ", "_")
        if not place.exists():
            start = time.perf_counter()
            trained = train(how, images.float() / 255, labels.long(), epochs)
            with torch.inference_mode():
                np.save(place, torch.cat([trained(one - 0.5) for one in torch.from_numpy(test).split(256)]).numpy())
            print(f"{dataset}, {how}: trained in {time.perf_counter() - start:.0f} s", flush=True)
        logits = np.load(place).astype(np.float64)
        accuracy = float((logits.argmax(1) == truth).mean())
        leak = true_leak(logits, test.reshape(len(test), -1).astype(np.float64))
        for number in SAMPLES:
            for draw in range(draws):
                at = kept / f"{place.stem}-{number}-{draw}.json"
                if not at.exists():
                    write_json(at, verdict(test, logits, number, draw))
                row = said(json.loads(at.read_text()))
                rows.append(
                    {
                        "dataset": dataset,
                        "model": str(how),
                        "vicious": how.beta_r > 0,
                        "beta_r": how.beta_r,
                        "accuracy": accuracy,
                        "true_leak": leak,
                        "images": number,
                        "draw": draw,
                        **row,
                    }
                )
                print(f"{dataset}, {how}, n = {number}: leak {row['leak']:.2f}, {row['answer']}", flush=True)
    return rows


def verdict(test: NDArray[np.float32], logits: NDArray[Any], number: int, draw: int) -> dict[str, Any]:
    """The part of an audit that the answer depends on."""
    chosen = np.random.default_rng((number, draw)).permutation(len(test))[:number]
    given = gather(Images(tuple(map(str, chosen)), test[chosen]), logits[chosen], Said(kind="logits", seed=draw))
    exact, excess = exact_test(given.evidence, 199), compare(given.evidence)
    against = {f"{one.family} {key}": getattr(one, key) for one in excess.against for key in ("leak", "low", "high")}
    return {"p": exact.p, "leak": excess.leak, **against}


def said(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the answer that follows from it."""
    families = [
        Against(family, 0.0, row[f"{family} leak"], 0.0, row[f"{family} low"], row[f"{family} high"])
        for family in FAMILIES
        if f"{family} low" in row
    ]
    excess = Excess(row["leak"], 0.0, 0.0, 0, tuple(families))
    return {**row, "answer": answer(Exact(row["p"], 0.0, 0.0, 199, 0, 0), excess)[0]}


def prepared(official: Path, dataset: str, images: int, work: Path) -> PreparedDataset:
    """The dataset, prepared once."""
    folder = work / f"{dataset}-{images}"
    if not (folder / INFO_NAME).exists():
        prepare(
            *(find_dataset(dataset), official, folder),
            source="official", train=images, validation=100, test=TEST, split_seed=0,
        )  # fmt: skip
    return load_prepared(folder)


def told(rows: list[dict[str, Any]]) -> list[list[object]]:
    """A row for each dataset, kind of model and number of images."""
    found: list[list[object]] = []
    keys = sorted({(row["dataset"], row["images"], row["beta_r"]) for row in rows})
    for dataset, number, beta in keys:
        some = [row for row in rows if (row["dataset"], row["images"], row["beta_r"]) == (dataset, number, beta)]
        by_model = [[row for row in some if row["model"] == name] for name in sorted({row["model"] for row in some})]
        said = [np.mean([row["answer"] == "evidence" for row in model]) for model in by_model]
        low, high = _interval(sum(share == 1 if beta else share > 0 for share in said), len(said))
        leaks, accuracy = ([model[0][key] for model in by_model] for key in ("true_leak", "accuracy"))
        kind = f"vicious, beta {beta:g}" if beta else "honest"
        found.append(
            [f"{find_dataset(dataset).title}, {kind}, n = {number}", len(by_model), f"{100 * np.mean(accuracy):.1f}",
             f"{min(leaks):.2f} to {max(leaks):.2f}", f"{100 * np.mean(said):.0f}",
             f"{100 * low:.0f} to {100 * high:.0f}"]
        )  # fmt: skip
    return found


def _interval(found: int, of: int) -> tuple[float, float]:
    """95% interval of a share (Clopper and Pearson, 1934)."""
    ends = stats.binomtest(found, of).proportion_ci()
    return float(ends.low), float(ends.high)


HEAD = (
    *("models and sample", "models", "accuracy (%)", "true leak", "evidence (% of verdicts)"),
    "models, 95% interval (%)",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("official", type=Path)
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--images", type=int, default=9_000, help="that a model is trained on")
    parser.add_argument("--draws", type=int, default=2, help="samples of test images")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--kept", type=Path, default=Path(".cache/verdicts"), help="folder of trainings and verdicts")
    given = parser.parse_args()
    where, kept = machine(), given.kept.absolute()
    kept.mkdir(parents=True, exist_ok=True)
    limit_threads(1)
    rows = []
    for dataset in given.datasets:
        rows += measure(prepared(given.official, dataset, given.images, kept), dataset, given.epochs, given.draws, kept)
    report(
        *("verdicts", where, HEAD, told(rows)),
        threads=1, images=given.images, epochs=given.epochs, samples=given.draws,
        note="An honest model counts where any verdict says evidence, a vicious one where all do.",
        verdicts=rows,
    )  # fmt: skip


if __name__ == "__main__":
    main()
