"""TorchScript (``torch.jit.save``), whose code is checked before PyTorch compiles it.

TorchScript has a language of its own, which cannot call Python, and an unpickler of its own, which makes TorchScript's
values alone. But this language can write and map files, print, and use compiled classes. Such code is refused. A new
archive is made of the code and data that were checked, and only this one is loaded.
"""

import re
import warnings
from pathlib import Path
from typing import Any

from vicious.auditing.archives import listed, members, packed
from vicious.auditing.asking import one_line
from vicious.auditing.loaded import Asked, Loaded
from vicious.auditing.torch_run import torch_run
from vicious.system.errors import AuditError

_CODE = re.compile(r"code/.+\.py", re.ASCII)
_DATA = re.compile(r"(data|constants)\.pkl|(data|constants)/\d+|version|byteorder|\.data/version", re.ASCII)
_REFUSED = (
    (re.compile(r"\b(save|from_file|load_tensor|print|warn)\b"), "writes, reads or prints"),
    (re.compile(r"\bclasses\b(?!\.(quantized|rnn)\b)"), "uses a compiled class"),
    (re.compile(r"(?<![\w.])ops\.(?!(prim|aten|quantized|torchvision)\.)"), "uses operators that are not PyTorch's"),
    (re.compile(r"\\(x|h|u|N|[0-7])"), "hides a name"),
)


def recognises(path: Path, _head: bytes) -> bool:
    """By its members."""
    names = listed(path)
    return "constants.pkl" in names and any(map(_CODE.fullmatch, names))


def load(path: Path, asked: Asked) -> Loaded:
    """The module, from an archive that was checked and made anew. It names no sizes, so the user has to.

    Raises:
        AuditError: it is damaged, or its code does more than compute.
    """
    import torch

    parts = members(path)
    kept = {name: content for name, content in parts.items() if _CODE.fullmatch(name) or _DATA.fullmatch(name)}
    for name, content in kept.items():
        if name.startswith("code/"):
            _check(path, name, content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated
            network = torch.jit.load(packed(kept), map_location="cpu").eval()
    except Exception as error:  # PyTorch's are of any kind
        raise AuditError(
            f"PyTorch {torch.__version__} cannot read the TorchScript in {path} ({one_line(error)}): export it again"
        ) from error
    inputs = [one for one in network.graph.inputs() if str(one.type()) == "Tensor"]
    return Loaded(
        format="TorchScript",
        run=torch_run(network, path.name, asked.output),
        axes=None,
        found=f"input {', '.join(one.debugName() for one in inputs)}, of no stated shape",
        module=network,
    )


def _check(path: Path, name: str, content: bytes) -> None:
    """Raise an AuditError where code does more than compute."""
    text: Any = content.decode("utf-8", "replace")
    for pattern, words in _REFUSED:
        if found := pattern.search(text):
            line = text.count("\n", 0, found.start()) + 1
            raise AuditError(
                f"{path} holds code that {words} ({found[0]!r} in {name}, line {line}), so it is not loaded: "
                "export the model without it, or as ONNX"
            )
