"""Programs of torch.export, sound and made to harm."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fuzzing import mutants
from graphs_by_hand import Evil, evil_pickle, opened_or_explained
from torch import Tensor, nn

from vicious.auditing.archives import members
from vicious.auditing.model import Asked, open_model
from vicious.system.errors import AuditError

GRAPH = "models/model.json"


@pytest.fixture(scope="module")
def sound(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("program") / "model.pt2"
    images = torch.zeros(2, 3, 8, 8)
    torch.export.save(torch.export.export(network, (images,), dynamic_shapes=({0: torch.export.Dim("n")},)), file)
    return file


def test_answers_are_the_networks(sound: Path, answers: tuple[Tensor, Tensor]) -> None:
    model, (images, expected) = open_model(sound), answers
    assert (model.format, model.channels, model.height, model.width, model.classes) == ("torch.export", 3, 8, 8, 5)
    np.testing.assert_allclose(model.query(images.numpy()), expected.numpy(), rtol=1e-5, atol=1e-6)
    assert model.module is not None
    assert sum(one.numel() for one in model.module.parameters()) > 0


def test_a_fixed_batch_is_kept_to(network: nn.Module, tmp_path: Path, answers: tuple[Tensor, Tensor]) -> None:
    torch.export.save(torch.export.export(network, (torch.zeros(4, 3, 8, 8),)), tmp_path / "fixed.pt2")
    found = open_model(tmp_path / "fixed.pt2").query(answers[0].numpy())
    np.testing.assert_allclose(found, answers[1].numpy(), rtol=1e-5, atol=1e-6)


def test_several_inputs_are_named(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, images: Tensor, factor: Tensor) -> Tensor:
            return (images * factor).flatten(1)

    program = torch.export.export(Two(), (torch.zeros(2, 3, 8, 8), torch.ones(1)))
    torch.export.save(program, tmp_path / "two.pt2")
    with pytest.raises(AuditError, match=r"2 inputs: images .*factor"):
        open_model(tmp_path / "two.pt2")
    with pytest.raises(AuditError, match="no input 'x'"):
        open_model(tmp_path / "two.pt2", Asked(input="x"))


def edited(edit: Callable[[dict[str, Any]], None], file: str = GRAPH) -> Callable[[str, bytes], bytes]:
    """A change of one JSON file of an archive."""

    def change(name: str, content: bytes) -> bytes:
        if name != file:
            return content
        value = json.loads(content)
        edit(value)
        return json.dumps(value).encode()

    return change


def nodes(program: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = program["graph_module"]["graph"]["nodes"]
    return found


def test_pickled_examples_are_not_opened(sound: Path, tmp_path: Path, rewritten: Any) -> None:
    touched = tmp_path / "touched"
    evil_pickle(touched)
    buffer = io.BytesIO()
    torch.save(((Evil(touched),), {}), buffer)
    file = rewritten(
        sound, tmp_path / "evil.pt2", lambda name, old: buffer.getvalue() if "sample_inputs" in name else old
    )
    with contextlib.suppress(Exception):
        torch.export.load(file)  # PyTorch itself runs it
    touched.rmdir()
    assert open_model(file).classes == 5
    assert not touched.exists()


@pytest.mark.parametrize("which", ["weight", "constant", "object"])
def test_pickled_weights_and_constants_are_refused(sound: Path, tmp_path: Path, rewritten: Any, which: str) -> None:
    touched = tmp_path / "touched"
    kind, prefix = ("weights", "weight_") if which == "weight" else ("constants", "tensor_")
    name = "opaque_obj_0" if which == "object" else f"{prefix}99"
    config = f"data/{kind}/model_{kind}_config.json"

    def edit(value: dict[str, Any]) -> None:
        value["config"]["evil"] = {"path_name": name, "is_param": False, "use_pickle": True, "tensor_meta": None}

    file = rewritten(
        sound, tmp_path / "evil.pt2", edited(edit, config), **{f"data/{kind}/{name}": evil_pickle(touched)}
    )
    with pytest.raises(AuditError, match=r"pickled part .* could run code"):
        open_model(file)
    assert not touched.exists()


def test_compiled_libraries_are_refused(sound: Path, tmp_path: Path, rewritten: Any) -> None:
    file = rewritten(
        sound, tmp_path / "evil.pt2", lambda _, old: old, **{"data/aotinductor/model/library.so": b"\x7fELF"}
    )
    with pytest.raises(AuditError, match="compiled library"):
        open_model(file)


def test_functions_names_and_expressions_that_could_run_are_refused(
    sound: Path, tmp_path: Path, rewritten: Any
) -> None:
    touched = tmp_path / "touched"
    code = f"__import__('os').mkdir({str(touched)!r})"

    def target(program: dict[str, Any]) -> None:
        nodes(program)[-1]["target"] = "torch.os.mkdir"

    def file_operator(program: dict[str, Any]) -> None:
        nodes(program)[-1]["target"] = "torch.ops.aten.from_file.default"

    def saving(program: dict[str, Any]) -> None:
        nodes(program)[-1]["target"] = "torch.ops.aten.save.default"

    def name(program: dict[str, Any]) -> None:
        nodes(program)[-1]["name"] = f"x=({code})"

    def argument(program: dict[str, Any]) -> None:
        nodes(program)[-1]["inputs"][0]["name"] = f"input={code}, other"

    def expression(program: dict[str, Any]) -> None:
        sizes = program["graph_module"]["graph"]["tensor_values"]["images"]["sizes"]
        sizes[0]["as_expr"]["expr_str"] = code

    def buffer(program: dict[str, Any]) -> None:
        specs = program["graph_module"]["signature"]["input_specs"]
        next(one for one in specs if "buffer" in one)["buffer"]["buffer_name"] = f'shift"+{code}+"'

    def structure(program: dict[str, Any]) -> None:
        entry = program["graph_module"]["module_call_graph"][0]["signature"]
        context = json.dumps({"__enum__": True, "fqn": "antigravity:x", "name": "x"})
        entry["out_spec"] = json.dumps([1, {"type": "builtins.dict", "context": context, "children_spec": []}])

    for edit in (target, file_operator, saving, name, argument, expression, buffer, structure):
        with pytest.raises(AuditError, match="could run code"):
            open_model(rewritten(sound, tmp_path / "evil.pt2", edited(edit)))
    assert not touched.exists()


def test_guards_and_notes_are_left_out(sound: Path, tmp_path: Path, rewritten: Any) -> None:
    touched = tmp_path / "touched"

    def edit(program: dict[str, Any]) -> None:
        program["guards_code"] = [f"__import__('os').mkdir({str(touched)!r})"]
        nodes(program)[0]["metadata"] = {"source_fn_stack": "x,torch.os", "stack_trace": "secret"}

    assert open_model(rewritten(sound, tmp_path / "evil.pt2", edited(edit))).classes == 5
    assert not touched.exists()


def test_an_archive_of_an_old_version_is_explained(sound: Path, tmp_path: Path, rewritten: Any) -> None:
    file = rewritten(sound, tmp_path / "old.pt2", lambda name, old: None if "config" in name else old)
    with pytest.raises(AuditError, match=r"old version .*torch\.export\.save"):
        open_model(file)


@pytest.mark.fuzz
def test_damaged_ones_are_read_or_explained(sound: Path, tmp_path: Path, rewritten: Any) -> None:
    file = tmp_path / "model.pt2"
    for content in mutants(sound.read_bytes(), 30):
        file.write_bytes(content)
        opened_or_explained(file)
    for part in (GRAPH, "data/weights/model_weights_config.json"):
        for content in mutants(members(sound)[part], 30):
            rewritten(sound, file, lambda name, old, part=part, new=content: new if name == part else old)
            opened_or_explained(file)
