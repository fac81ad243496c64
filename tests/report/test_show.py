"""Tables and figures in the terminal."""

import re
import shutil
from pathlib import Path

import pytest

from vicious import cli
from vicious.report.show import shown
from vicious.system.errors import ConfigError, DataError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project in the current folder, with one table and two figures."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    folder = Path("paper_figures/demo")
    folder.mkdir(parents=True)
    (folder / "main_table.md").write_text("**Table 1.** Words.\n\n| a | b |\n| --- | ---: |\n| x | 1 |\n")
    (folder / "gallery.md").write_text("**Figure 1.** A gallery.\n")
    for name in ("gallery.png", "attack_galleries_mnist_logits.png", "attack_galleries_celeba_logits.png"):
        (folder / name).write_bytes(b"")
    for name in ("mnist", "celeba"):
        (folder / f"attack_galleries_{name}_logits.md").write_text(f"**Figure 4.** {name}.\n")


@pytest.mark.parametrize("name", ["table1", "main_table"])
def test_a_table_is_shown_by_name_and_number(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", name]) == 0
    assert capsys.readouterr().out == Path("paper_figures/demo/main_table.md").read_text()


def test_a_figure_is_its_caption_and_where_it_is() -> None:
    assert shown("figure1", "demo") == "**Figure 1.** A gallery.\n\npaper_figures/demo/gallery.png"


def test_a_figure_of_each_task_has_all_of_them() -> None:
    found = shown("figure4", "demo")
    assert "celeba." in found
    assert "attack_galleries_mnist_logits.png" in found


def test_a_terminal_gets_a_table_of_its_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    assert cli.main(["show", "table1"]) == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 40
    assert not any("---:" in line for line in lines)
    assert any("x" in line and "1" in line for line in lines)


def test_no_word_of_a_wide_table_is_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [f"linear_decodability_of_{place}" for place in range(8)]
    text = "\n".join(
        ["Words with \\* and a|b.", "", f"| {' | '.join(cells)} |", "| --- " * 8 + "|", "| a\\|b |" + " 1 |" * 7]
    )
    Path("paper_figures/demo/main_table.md").write_text(text)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    assert cli.main(["show", "table1"]) == 0
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "…" not in out
    assert sum(map(out.count, "_")) == sum(map(text.count, "_"))
    assert "a|b" in out


def test_what_is_not_there_is_explained() -> None:
    with pytest.raises(ConfigError, match="no table or figure 'tabel1'; did you mean 'table1'"):
        shown("tabel1", "demo")
    with pytest.raises(DataError, match=r"Table 2 is not built: `snakemake .*scale=demo -- table2`"):
        shown("table2", "demo")
    Path("paper_figures/demo/gallery.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"gallery\.md cannot be read \(it is no text\)"):
        shown("figure1", "demo")
