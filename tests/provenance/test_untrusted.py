"""Records that somebody else wrote: nothing of the user's is deleted, no line is forged, and nothing hangs."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fuzzing import mutants
from records_by_hand import note_step, put

from vicious.cli import main
from vicious.provenance import restore as restoring
from vicious.provenance.discard import discard
from vicious.provenance.expected import Expected
from vicious.provenance.origin import MADE, check_origin
from vicious.provenance.records import read_record
from vicious.provenance.verify import verify
from vicious.study.config import Params
from vicious.study.plan import Plan
from vicious.system.errors import ProvenanceError, ViciousError
from vicious.system.files import read_json, write_json

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path("results/smoke")
WEIGHTS = "results/smoke/models/mnist/honest/seed0/target.safetensors"
RECORD = "results/smoke/models/mnist/honest/seed0/train_honest.provenance.json"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smoke: Params) -> Iterator[Path]:
    """A model with its record, a file of the user's beside the project, and one in it; these must stay."""
    folder = tmp_path / "project"
    put(folder / MADE / "a record of it", "{}")
    monkeypatch.chdir(folder)
    shutil.copy(ROOT / "params.yaml", folder)
    own = [put(tmp_path / "mine/target.safetensors", "mine"), put("results/smoke/notes/mine.txt", "mine")]
    step = next(one.step for one in Plan(smoke).rules["train_honest"] if str(one.step.writes()[0]) == WEIGHTS)
    note_step(step, [], [put(WEIGHTS, "weights")])
    yield folder
    assert [Path(name).read_text() for name in (folder.parent / "mine/target.safetensors", folder / own[1])] == [
        "mine"
    ] * 2
    assert Path("params.yaml").is_file()


def forge(**changes: Any) -> None:
    write_json(RECORD, read_json(RECORD) | changes)


SHA = "0" * 64
HOSTILE = [
    "results/smoke/notes",
    "results/smoke/notes/mine.txt",
    "..",
    "../mine/target.safetensors",
    "results/smoke/link/target.safetensors",
    "/etc/hostname",
    "params.yaml",
    ".",
]


@pytest.mark.parametrize(
    "name", [*HOSTILE, "a\0b", "", "a" * 5000, "a/" * 9000, "a/" * 500_000, "results/smoke/a\0b/c"]
)
def test_discard_deletes_nothing_but_what_the_step_writes(
    project: Path, smoke: Params, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    Path("results/smoke/link").symlink_to(project.parent / "mine")
    forge(outputs={name: SHA, WEIGHTS: SHA}, inputs={name: SHA})
    verify([RESULTS], smoke)
    verify([Path(RECORD)], smoke)
    with pytest.raises(ViciousError):
        restoring.restore(smoke)
    assert len(discard([RESULTS, project], smoke)) >= 1
    assert not Path(WEIGHTS).exists()
    assert not Path(RECORD).exists()
    if name in HOSTILE:
        assert f"left {os.path.normpath(name)}, which" in caplog.text


def test_a_link_out_of_the_given_folders_is_not_followed(
    project: Path, smoke: Params, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(Path(WEIGHTS).parent)
    Path(WEIGHTS).parent.symlink_to(project.parent / "mine")
    assert discard([RESULTS], smoke) == []
    assert f"left {WEIGHTS}: a link leads out" in caplog.text


def test_stale_results_behind_a_link_are_refused_and_left(
    project: Path, smoke: Params, caplog: pytest.LogCaptureFixture
) -> None:
    """As where a study's models lie on a large disk."""
    disk = project.parent / "large disk"
    shutil.move("results/smoke/models", disk)
    Path("results/smoke/models").symlink_to(disk)
    check_origin(smoke)
    forge(settings=read_json(RECORD)["settings"] | {"learning_rate": 0.5})
    with pytest.raises(ProvenanceError, match=r"learning_rate 0\.5"):
        check_origin(smoke)
    with pytest.raises(ViciousError):
        restoring.restore(smoke)
    assert discard([RESULTS], smoke) == []
    assert f"left {RECORD} and its files: a link leads out" in caplog.text
    assert Path(WEIGHTS).exists()
    assert len(discard([Path("results/smoke/models")], smoke)) == 1, "a folder that is given may be a link"
    assert not Path(WEIGHTS).exists()
    Path("results/smoke/models").unlink()


def test_a_given_folder_may_be_a_link(project: Path, smoke: Params) -> None:
    shutil.move("results", project.parent / "large disk")
    Path("results").symlink_to(project.parent / "large disk")
    forge(outputs={WEIGHTS: SHA})
    assert len(discard([RESULTS], smoke)) == 1
    assert not Path(WEIGHTS).exists()
    shutil.move(project.parent / "large disk", "moved back")
    Path("results").unlink()
    shutil.move("moved back", "results")


def test_folders_in_place_of_a_record_or_a_result_stay_and_are_named(
    project: Path, smoke: Params, caplog: pytest.LogCaptureFixture
) -> None:
    Path(WEIGHTS).unlink()
    put(f"{WEIGHTS}/mine.txt", "mine")
    discard([RESULTS], smoke)
    assert f"left {WEIGHTS}: it is a folder" in caplog.text
    shutil.rmtree(WEIGHTS)
    put(f"{RECORD}/mine.txt", "mine")
    discard([RESULTS], smoke)
    assert f"left {RECORD}: it is a folder" in caplog.text
    assert Path(f"{RECORD}/mine.txt").exists()


def test_a_damaged_record_that_is_not_asked_for_stays(project: Path, smoke: Params) -> None:
    odd = put("results/smoke/models/mnist/honest/seed7/train_honest.provenance.json", "{")
    assert discard([RESULTS], smoke) == []
    assert Path(odd).exists()
    check_origin(smoke)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("results/smoke/notes", "it is no file"),
        ("/proc/self/mem", "it is the system's, and is not read"),
        ("/dev/zero", "it is the system's, and is not read"),
    ],
)
def test_verify_reads_no_folder_and_no_device(project: Path, smoke: Params, name: str, words: str) -> None:
    forge(inputs={name: SHA})
    found = verify([RESULTS], smoke)
    assert f"unreadable: {name}: {words}" in str(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "it nests deeper than 30"),
        ('{"command": "a", "command": "b"}', "the key 'command' stands there twice"),
        ('{"command": NaN}', "NaN is no finite number"),
        ("", "Expecting value"),
        ("3", "no record of provenance: the whole: "),
        ('{"command": "%s"}' % ("a" * 10**6), "command: String should have at most 100 characters"),
    ],
)
def test_a_record_that_is_none_is_explained(project: Path, text: str, words: str) -> None:
    Path(RECORD).write_text(text)
    reason = read_record(Path(RECORD))
    assert isinstance(reason, str)
    assert words in reason
    assert len(reason) < 300


EVIL = "x\n0 findings: all sound\x1b[2J\u202e"


def test_nothing_in_a_record_forges_a_line_or_steers_the_terminal(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = read_json(RECORD)
    forge(
        command=EVIL,
        settings=record["settings"] | {"learning_rate": EVIL, EVIL: EVIL},
        inputs={EVIL: EVIL},
        outputs={EVIL: EVIL},
        libraries={EVIL: EVIL},
        code={"commit": EVIL, "dirty": True, "hash": EVIL},
        finished=EVIL,
    )
    put(f"results/smoke/models/mnist/{EVIL}.txt", "odd")
    shutil.copy("params.yaml", f"{EVIL}.yaml")
    other = Path(RECORD).with_name("other.provenance.json")
    write_json(other, read_json(RECORD) | {"libraries": {EVIL: "2"}, "code": {"commit": None, "dirty": None}})
    for words in (
        ["verify", "results"],
        ["verify", "results", "--file", f"{EVIL}.yaml"],
        ["discard", "results", "--file", f"{EVIL}.yaml"],
    ):
        main(words)
    out, err = capsys.readouterr()
    assert "0 findings" in out
    for line in (out + err).splitlines():
        assert line.isprintable(), line
        assert not line.startswith("0 findings")


@pytest.mark.fuzz
def test_mutants_of_a_record_are_read_or_refused(project: Path, smoke: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "_touch", lambda: None)
    sound = Path(RECORD).read_bytes()
    expected = Expected(smoke.model_copy(update={"scale": "smoke"}))
    for at, mutant in enumerate(mutants(sound, 300)):
        put(WEIGHTS, "weights")
        Path(RECORD).write_bytes(mutant)
        record = read_record(Path(RECORD))
        if not isinstance(record, str):
            expected.fault(Path(RECORD), record)
        if at % 20 == 0:
            verify([RESULTS], smoke)
            for use in (
                lambda: restoring.restore(smoke),
                lambda: check_origin(smoke),
                lambda: discard([RESULTS], smoke),
            ):
                with suppress(ViciousError):
                    use()


@pytest.mark.fuzz
def test_mutants_of_snakemakes_record_are_read_or_refused(project: Path, smoke: Params) -> None:
    from vicious.provenance.origin import _name, made_here

    file = MADE / _name(Path(WEIGHTS))
    sound = json.dumps({"endtime": Path(WEIGHTS).stat().st_mtime, "input": ["a"]}).encode()
    put(file, "")
    for mutant in (b'{"endtime": 1%s}' % (b"0" * 400), *mutants(sound, 300)):
        file.write_bytes(mutant)
        made_here(Path(WEIGHTS))
