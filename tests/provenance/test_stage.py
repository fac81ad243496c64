"""What a stage of DVC becomes."""

import os
from pathlib import Path

import pytest

from vicious.provenance.stage import build_stage
from vicious.study.config import Params
from vicious.system.progress import hide_progress


class Became(Exception):
    """The process became another program."""


def become(_: str, command: list[str]) -> None:
    raise Became(*command[1:])


@pytest.mark.parametrize(("hidden", "options"), [(False, []), (True, ["--quiet", "progress", "rules"])])
def test_a_stage_becomes_snakemake_which_is_quiet_if_the_command_is(
    smoke: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: bool, options: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "execv", become)
    hide_progress(hidden)
    with pytest.raises(Became) as found:
        build_stage("data@mnist", smoke)
    hide_progress(False)
    assert list(found.value.args) == ["-P", "-m", "snakemake", *options, "--cores", "all", "--", "data_mnist"]
