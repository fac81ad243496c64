"""An audit of 500 images by the command, from the model's file to the page: seconds, and the most memory that it takes.
The model at 32 pixels is a published vicious one. That at 224 pixels is torchvision's ResNet-50, with random weights
and ten outputs, each of which is the largest for some images, so that honest students are trained. The plain baseline
is asking the model for all images once, with ONNX Runtime and nothing else.

    python benchmarks/auditing.py [images]
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from inputs import ROOT
from measuring import Process, machine, report, run

PUBLISHED = ROOT / "models/pilot/cifar10/vicious-logits-beta1/seed0"
LARGE = "resnet50"
LIMITS = {32: 120, 224: 240}
"""Seconds that an audit of 500 images may take, by the images' side."""
THREADS = 2
ASK = """
import sys, numpy as np, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = {threads}
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
images = np.load(sys.argv[2])
for start in range(0, len(images), 100):
    session.run(None, {{session.get_inputs()[0].name: images[start : start + 100]}})
"""


def main(images: int = 500) -> None:
    where = machine()
    rows = []
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run(["vicious", "export", PUBLISHED, folder / "published.onnx"])
        run([sys.executable, __file__, "make", folder, str(images)])
        for name, side in (("published", 32), (LARGE, 224)):
            model, array = folder / f"{name}.onnx", folder / f"{side}.npy"
            plain = run([sys.executable, "-c", ASK.format(threads=THREADS), model, array])
            audit = _audited(["vicious", "audit", model, array, "--range", "0", "1"], folder / name)
            title = "vicious, published" if name == "published" else name
            rows.append(
                [f"{title}, {side} x {side}", f"{audit.seconds:.0f}", f"{audit.cpu:.0f}", f"{audit.peak / 1e9:.2f}",
                 f"{plain.seconds:.1f}", f"{audit.seconds / plain.seconds:.1f}"]
            )  # fmt: skip
    head = ["model", "seconds", "CPU seconds", "peak GB", "asking alone, seconds", "times as long"]
    target = "; ".join(f"{limit} seconds at {side} pixels" for side, limit in LIMITS.items()) + "; 2 GB"
    report("auditing", where, head, rows, threads=THREADS, images=images, rounds=1, target=target)


def _audited(command: Sequence[str | Path], out: Path) -> Process:
    """Run an audit, which ends with 2 where there is evidence, and see that it trained students."""
    found = run(["sh", "-c", '"$@"; code=$?; [ $code -eq 2 ] || exit $code', "sh", *command, "--out", out])
    audit = json.loads((out / "audit.json").read_text())
    assert audit["students"], audit["no_students_because"]
    return found


def make(folder: Path, images: int) -> None:
    """Images of two sizes, and the large model; by a process of its own, since its peak would count."""
    import numpy as np
    import torch
    import torchvision
    from torch.nn.functional import interpolate

    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand((images, 3, 2, 2), generator=generator)
    for side in LIMITS:
        np.save(folder / f"{side}.npy", interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1).numpy())
    torch.manual_seed(0)
    network = torchvision.models.resnet50(weights=None, num_classes=10).eval()
    with torch.no_grad():
        answers = network(torch.from_numpy(np.load(folder / "224.npy")[:100]))
        network.fc.weight /= answers.std(0)[:, None]
        network.fc.bias.copy_((network.fc.bias - answers.mean(0)) / answers.std(0))
    batch = torch.export.Dim("batch")
    torch.onnx.export(
        network, (torch.zeros(2, 3, 224, 224),), folder / f"{LARGE}.onnx",
        input_names=["images"], dynamic_shapes={"x": {0: batch}}, dynamo=True, external_data=False,
    )  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"]:
        make(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
