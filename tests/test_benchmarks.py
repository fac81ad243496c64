"""The prepared command for a GPU, tried on the CPU: every part of it runs, and leaves what it says."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "MNIST").is_dir(), reason="real MNIST is not in ../shared/data")
def test_the_command_for_a_gpu_runs_to_its_end_on_a_cpu(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "benchmarks/gpu", "--out", "out", "--device", "cpu", "--data", SHARED]
    done = subprocess.run([*map(str, command)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out/rates.json").read_text())
    assert found["failed"] == {}
    assert {(row["precision"], row["recorded"]) for row in found["rates"]} == {
        (precision, recorded) for precision in ("bfloat16", "float32") for recorded in (True, False)
    }
    assert all(row["loop"] > 0 and row["share_of_peak"] is None for row in found["rates"])
    assert found["tests"] == "exit code 0", (tmp_path / "out/tests.log").read_text()
    assert found["study"]["train-vicious"] >= found["study"]["train-honest"] == 1
    assert found["study"]["assess-risk"] > found["study"]["train-attack"] > 0
    with tarfile.open(tmp_path / "out/results.tar.gz") as archive:
        names = archive.getnames()
    assert all(name.startswith("results/paper/") for name in names)
    for ending in ("target.safetensors", "train_honest.provenance.json", "risk-posthoc-logits.parquet"):
        assert any(name.endswith(ending) for name in names), ending
