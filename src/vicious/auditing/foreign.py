"""Files that hold a model, but not as something that can be opened safely: what they are, and what to do."""

from pathlib import Path

from vicious.auditing.archives import listed

_TORCH = (
    'in the code that builds the model: torch.onnx.export(model.eval(), (images,), "model.onnx", dynamo=True) or '
    'torch.export.save(torch.export.export(model.eval(), (images,)), "model.pt2"), images of shape (1, C, H, W)'
)
_KERAS = 'in Keras: model.export("model.onnx", format="onnx")'
_PICKLED = (
    f"is pickled. To open it would run whatever code is in it, so it is not opened. Export it to ONNX: {_TORCH}; "
    'of scikit-learn: skl2onnx.to_onnx(model, rows[:1], options={"zipmap": False}).SerializeToString()'
)
FORMATS = "ONNX (.onnx), torch.export (.pt2), TorchScript (.pt), a study's target.safetensors with its record"


def explained(path: Path, head: bytes) -> str:
    """What a file of no format that is opened is, and how to export the model in it."""
    names = listed(path)
    if "data.pkl" in names or head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return _PICKLED
    if head.startswith(b"\x89HDF\r\n\x1a\n") or path.suffix.lower() == ".keras":
        return f"is a model of Keras. Export it to ONNX, {_KERAS}"
    if head[4:8] == b"TFL3":
        return (
            "is a model of TensorFlow Lite. Convert it to ONNX: python -m tf2onnx.convert --tflite FILE --output ONNX"
        )
    if path.suffix.lower() in (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib"):
        return _PICKLED
    return f"is of no known format. Known are {FORMATS}"


def explained_folder(path: Path) -> str:
    """What a folder that holds no target model is."""
    if (path / "saved_model.pb").is_file():
        return (
            "is a model of TensorFlow. Convert it to ONNX: python -m tf2onnx.convert --saved-model FOLDER --output ONNX"
        )
    return "is a folder without target.safetensors. Give the model's file"
