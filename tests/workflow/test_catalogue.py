"""What .snakemake-workflow-catalog.yml says is true of the workflow."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import ROOT


@pytest.fixture
def usage() -> dict[str, Any]:
    text = (ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["usage"]
    return found


def rules() -> str:
    files: list[Path] = [ROOT / "Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def test_snakemake_deploys_no_software(usage: dict[str, Any]) -> None:
    assert set(usage["software-stack-deployment"].values()) == {False}
    assert not re.search(r"^\s*(conda|container|containerized|envmodules):", rules(), re.M)


def test_a_report_is_supported(usage: dict[str, Any]) -> None:
    assert usage["report"] is True
    assert re.search(r'^report: "workflow/report/workflow\.rst"$', rules(), re.M)


def test_no_flag_is_mandatory_and_configuration_is_explained_where_it_is_looked_for(usage: dict[str, Any]) -> None:
    assert usage["mandatory-flags"]["flags"] == ""
    assert "params.yaml" in (ROOT / "config/README.md").read_text(encoding="utf-8")
