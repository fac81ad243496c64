"""ONNX models of others."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from fuzzing import mutants
from graphs_by_hand import linear_graph, opened_or_explained, save_graph
from onnx import TensorProto, helper, numpy_helper

from vicious.auditing.model import Asked, open_model
from vicious.system.errors import AuditError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@pytest.mark.parametrize("outputs", [1, 2, 10, 1000])
def test_answers_are_those_of_the_graph_for_any_number_of_images(file: Path, outputs: int) -> None:
    matrix = linear_graph(file, outputs=outputs)
    model = open_model(file)
    assert (model.channels, model.height, model.width, model.layout, model.classes) == (3, 8, 8, "nchw", outputs)
    for number in (1, 3, 300):
        images = noise(number, 3, 8, 8)
        found = model.query(images)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, images.reshape(number, -1) @ matrix, rtol=1e-4, atol=1e-5)


def test_channels_may_come_last(file: Path) -> None:
    matrix = linear_graph(file, ("n", 8, 6, 3))
    model, images = open_model(file), noise(5, 3, 8, 6)
    assert (model.layout, model.channels, model.height, model.width) == ("nhwc", 3, 8, 6)
    np.testing.assert_allclose(
        model.query(images), images.transpose(0, 2, 3, 1).reshape(5, -1) @ matrix, rtol=1e-4, atol=1e-5
    )


def test_grey_images_may_have_no_axis_of_channels(file: Path) -> None:
    linear_graph(file, ("n", 8, 6))
    model = open_model(file)
    assert (model.channels, model.height, model.width) == (1, 8, 6)
    assert model.query(noise(4, 1, 8, 6)).shape == (4, 10)


def test_flat_rows_need_a_shape(file: Path) -> None:
    matrix = linear_graph(file, ("n", 192))
    with pytest.raises(AuditError, match=r"--shape CHANNELS HEIGHT WIDTH"):
        open_model(file)
    with pytest.raises(AuditError, match="does not fit"):
        open_model(file, Asked(shape=(3, 8, 9)))
    images = noise(5, 3, 8, 8)
    found = open_model(file, Asked(shape=(3, 8, 8))).query(images)
    np.testing.assert_allclose(found, images.reshape(5, -1) @ matrix, rtol=1e-4, atol=1e-5)


def test_a_batch_that_fills_the_memory_is_refused(file: Path) -> None:
    nodes = [helper.make_node("Flatten", ["images"], ["out"])]
    save_graph(file, nodes, [("images", 1, (10**9, 3, 8, 8))], [("out", 1, (10**9, 192))])
    with pytest.raises(AuditError, match="batches of 1,000,000,000"):
        open_model(file)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_is_kept_to(file: Path, batch: int) -> None:
    matrix, images = linear_graph(file, (batch, 3, 8, 8)), noise(7, 3, 8, 8)
    np.testing.assert_allclose(open_model(file).query(images), images.reshape(7, -1) @ matrix, rtol=1e-4, atol=1e-5)


def test_a_batch_that_is_fixed_within_the_graph_is_noticed(file: Path) -> None:
    nodes = [
        helper.make_node("Reshape", ["images", "shape"], ["flat"]),
        helper.make_node("Slice", ["flat", "from", "to", "axis"], ["out"]),
    ]
    tensors = [
        numpy_helper.from_array(np.asarray(value), name)
        for name, value in (("shape", [1, 192]), ("from", [0]), ("to", [5]), ("axis", [1]))
    ]
    save_graph(file, nodes, [("images", 1, ("n", 3, 8, 8))], [("out", 1, ("n", 5))], tensors)
    model, images = open_model(file), noise(4, 3, 8, 8)
    np.testing.assert_array_equal(model.query(images), images.reshape(4, -1)[:, :5].astype(np.float64))
    assert "one image at a time" in "".join(model.notes)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_other_precisions_are_taken(file: Path, kind: int) -> None:
    matrix, images = linear_graph(file, kind=kind), noise(5, 3, 8, 8)
    found = open_model(file).query(images)
    np.testing.assert_allclose(found, images.reshape(5, -1) @ matrix.astype(np.float64), atol=1e-2)


def test_answers_without_an_axis_of_outputs_are_one_output(file: Path) -> None:
    linear_graph(file, outputs=1, squeeze=True)
    assert open_model(file).query(noise(5, 3, 8, 8)).shape == (5, 1)


def test_range_mean_and_deviation_are_applied_in_this_order(file: Path) -> None:
    matrix, images = linear_graph(file), noise(5, 3, 8, 8)
    asked = Asked(value_range=(0, 255), mean=(100, 110, 120), std=(2, 3, 4))
    values = (255 * images - np.reshape([100, 110, 120], (3, 1, 1))) / np.reshape([2, 3, 4], (3, 1, 1))
    model = open_model(file, asked)
    assert (model.low, model.high, model.notes) == (0, 255, ())
    np.testing.assert_allclose(model.query(images), values.reshape(5, -1) @ matrix, rtol=1e-4, atol=1e-3)
    assert "[0, 1] is assumed" in "".join(open_model(file).notes)


def test_whole_numbers_are_0_to_255(file: Path) -> None:
    nodes = [helper.make_node("Cast", ["images"], ["cast"], to=1), helper.make_node("Flatten", ["cast"], ["out"])]
    save_graph(file, nodes, [("images", TensorProto.UINT8, ("n", 8, 8, 3))], [("out", 1, ("n", 192))])
    images = (np.round(255 * noise(5, 3, 8, 8)) / 255).astype(np.float32)
    found = open_model(file).query(images)
    np.testing.assert_array_equal(found, np.round(255 * images).transpose(0, 2, 3, 1).reshape(5, -1))


def test_what_the_metadata_states_is_taken(file: Path) -> None:
    stated = {"vicious.value_range": "-1,1", "vicious.outputs": "logits", "vicious.multilabel": "true"}
    linear_graph(file, metadata=stated)
    model = open_model(file)
    assert (model.low, model.high, model.kind, model.multilabel, model.notes) == (-1, 1, "logits", True, ())
    assert open_model(file, Asked(kind="probabilities")).kind == "probabilities"
    linear_graph(file, metadata={"vicious.value_range": "a lot"})
    with pytest.raises(AuditError, match=r"vicious\.value_range"):
        open_model(file)


@pytest.mark.parametrize(("last", "kind"), [("Softmax", "probabilities"), ("Sigmoid", "probabilities"), ("Relu", None)])
def test_the_last_operator_tells_probabilities(file: Path, last: str, kind: str | None) -> None:
    linear_graph(file, last=[last])
    assert open_model(file).kind == kind


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        (("n", 4, 8, 8), "4 channels"),
        (("n", 3, 8, 8, 8), "5 axes"),
        ((5,), "1 axes"),
    ],
)
def test_what_is_no_image_is_refused(file: Path, axes: tuple[Any, ...], words: str) -> None:
    nodes = [helper.make_node("Relu", ["images"], ["out"])]
    save_graph(file, nodes, [("images", 1, axes)], [("out", 1, axes)])
    with pytest.raises(AuditError, match=words):
        open_model(file)


def test_answers_of_other_shapes_are_refused(file: Path) -> None:
    nodes = [helper.make_node("Relu", ["images"], ["out"])]
    save_graph(file, nodes, [("images", 1, ("n", 3, 8, 8))], [("out", 1, ("n", 3, 8, 8))])
    with pytest.raises(AuditError, match=r"shape \(3, 3, 8, 8\)"):
        open_model(file)


def test_answers_that_are_not_finite_are_refused(file: Path) -> None:
    linear_graph(file, last=["Log"])
    with pytest.raises(AuditError, match=r"NaN or infinity .*--range"):
        open_model(file)


def test_images_of_another_shape_or_range_are_refused(file: Path) -> None:
    linear_graph(file)
    model = open_model(file)
    for images, words in (
        (noise(2, 3, 9, 8), "shape"),
        (2 * noise(2, 3, 8, 8), r"\[0, 1\]"),
        (noise(0, 3, 8, 8), "shape"),
    ):
        with pytest.raises(AuditError, match=words):
            model.query(images)


def test_one_of_several_outputs_is_chosen(file: Path) -> None:
    nodes = [
        helper.make_node("Flatten", ["images"], ["one"]),
        helper.make_node("Neg", ["one"], ["other"]),
        helper.make_node("ArgMax", ["one"], ["label"], axis=1),
    ]
    images = [("images", 1, ("n", 3, 8, 8))]
    outputs: list[Any] = [("label", TensorProto.INT64, ("n", 1)), ("one", 1, ("n", 192)), ("other", 1, ("n", 192))]
    save_graph(file, nodes, images, outputs[:2])
    assert open_model(file).classes == 192
    save_graph(file, nodes, images, outputs)
    with pytest.raises(AuditError, match=r"one .*other .*--output"):
        open_model(file)
    np.testing.assert_allclose(
        open_model(file, Asked(output="other")).query(noise(2, 3, 8, 8)), -noise(2, 3, 8, 8).reshape(2, -1)
    )
    for output in ("label", "none"):
        with pytest.raises(AuditError, match="choose one of"):
            open_model(file, Asked(output=output))
    save_graph(file, nodes, images, outputs[:1])
    with pytest.raises(AuditError, match="no output of floating-point numbers"):
        open_model(file)


def test_several_inputs_are_named(file: Path) -> None:
    nodes = [helper.make_node("Mul", ["images", "factor"], ["m"]), helper.make_node("Flatten", ["m"], ["out"])]
    inputs = [("images", 1, ("n", 3, 8, 8)), ("factor", 1, (1,))]
    save_graph(file, nodes, inputs, [("out", 1, ("n", 192))])
    with pytest.raises(AuditError, match=r"2 inputs: images .*factor"):
        open_model(file)
    save_graph(
        file, nodes, inputs, [("out", 1, ("n", 192))], [numpy_helper.from_array(np.ones(1, np.float32), "factor")]
    )
    assert open_model(file, Asked(input="images")).classes == 192
    with pytest.raises(AuditError, match=r"no input 'pictures'.*images"):
        open_model(file, Asked(input="pictures"))


def test_operators_of_others_are_refused(file: Path) -> None:
    linear_graph(file, last=["Mystery"], domain="org.others")
    with pytest.raises(AuditError, match="standard operators"):
        open_model(file)


def test_a_model_that_is_cut_or_none_is_refused(file: Path) -> None:
    linear_graph(file)
    sound = file.read_bytes()
    for content in (b"", b"no model", sound[: len(sound) // 2], sound[:20], b"\x08\x08"):
        file.write_bytes(content)
        with pytest.raises(AuditError, match=r"model\.onnx"):
            open_model(file)


def test_it_is_known_by_its_content(file: Path) -> None:
    linear_graph(file)
    assert open_model(file.rename(file.with_suffix(".bin"))).format == "ONNX"


@pytest.mark.parametrize("place", ["../secret", "/etc/hostname", "link", "absent", ""])
def test_weights_outside_of_its_folder_are_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(4 * 192 * 10))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    linear_graph(folder / "model.onnx")
    model = onnx.load(folder / "model.onnx")
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(AuditError, match="beside it" if place == "absent" else "not in its folder"):
        open_model(folder / "model.onnx")


def test_weights_beside_it_are_taken(file: Path) -> None:
    matrix, images = linear_graph(file), noise(2, 3, 8, 8)
    onnx.save(onnx.load(file), file, save_as_external_data=True, location="weights", size_threshold=0)
    assert (file.parent / "weights").is_file()
    np.testing.assert_allclose(open_model(file).query(images), images.reshape(2, -1) @ matrix, rtol=1e-4, atol=1e-5)


def test_models_of_scikit_learn_are_taken(file: Path) -> None:
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    rows, labels = noise(60, 192), np.arange(60) % 3
    fitted = LogisticRegression().fit(rows, labels)
    file.write_bytes(to_onnx(fitted, rows[:1], options={"zipmap": False}).SerializeToString())
    found = open_model(file, Asked(shape=(3, 8, 8))).query(rows.reshape(-1, 3, 8, 8))
    np.testing.assert_allclose(found, fitted.predict_proba(rows), atol=1e-5)
    file.write_bytes(to_onnx(fitted, rows[:1]).SerializeToString())
    with pytest.raises(AuditError, match="zipmap"):
        open_model(file, Asked(shape=(3, 8, 8)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_network_of_torchvision_is_taken_as_pytorch_exports_it(file: Path) -> None:
    import torch
    from torchvision.models import mobilenet_v3_small

    torch.manual_seed(0)
    network = mobilenet_v3_small().eval()
    torch.onnx.export(
        network, (torch.zeros(2, 3, 224, 224),), file, dynamo=True, verbose=False, dynamic_shapes=({0: "n"},)
    )
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    model, images = open_model(file, Asked(mean=mean, std=std)), noise(3, 3, 224, 224)
    assert (model.height, model.width, model.classes) == (224, 224, 1000)
    with torch.no_grad():
        values = (torch.from_numpy(images) - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
        expected = network(values).numpy()
    np.testing.assert_allclose(model.query(images), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.fuzz
def test_damaged_ones_are_read_or_explained(file: Path) -> None:
    linear_graph(file)
    for content in mutants(file.read_bytes(), 200):
        file.write_bytes(content)
        opened_or_explained(file)
