"""What is on the report page: all that is built, what failed, and what is missing."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vicious import cli
from vicious.claims.page import time
from vicious.study import grid, paths
from vicious.study.artifacts import known
from vicious.study.config import Params
from vicious.study.plan import assessments
from vicious.system.errors import DataError
from vicious.system.files import write_json
from vicious.webpage import gallery, models, pictures, prose
from vicious.webpage.contents import gather
from vicious.webpage.page import html


class Words(HTMLParser):
    """The text of a page's sections, by their ids; and the addresses that it loads or links to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sections: dict[str, str] = {}
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        self.ids += [found["id"]] if "id" in found else []
        self.loads += [found["src"]] if "src" in found else []
        self.links += [found["href"]] if tag == "a" else []
        if tag in ("section", "article"):
            self._open.append(found["id"])

    def handle_endtag(self, tag: str) -> None:
        if tag in ("section", "article"):
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for name in self._open:
            self.sections[name] = self.sections.get(name, "") + data


def test_the_page_shows_what_is_built(study: Params) -> None:
    page = html(gather(study), study)
    words = Words(page)
    assert "Synthetic images." in page
    assert "15.00 ± 0.01" in words.sections["main_table"]
    assert "vicious main_table" in words.sections["main_table"]
    assert "commit aaaaaaaaaa" in words.sections["main_table"]
    assert "results/demo/summaries/main.csv" in words.sections["main_table"]
    assert "Digits." in words.sections["gallery"]
    assert "MNIST (synthetic), logits" in words.sections["images"]
    assert "kernel ridge" in words.sections["models"]
    assert "measured cases" in words.sections["claims"]


def test_the_page_needs_nothing_else(study: Params) -> None:
    words = Words(html(gather(study), study))
    assert words.loads
    assert all(address.startswith("data:image/webp;base64,") for address in words.loads)
    inside = [link.removeprefix("#") for link in words.links if link.startswith("#")]
    assert set(inside) <= set(words.ids)
    assert len(words.ids) == len(set(words.ids))
    assert all(link.startswith("https://arxiv.org/") for link in words.links if not link.startswith("#"))


def test_what_is_not_built_is_said_with_the_command_that_builds_it(study: Params) -> None:
    words = Words(html(gather(study), study))
    assert "snakemake --cores all --config scale=demo -- tradeoff_table" in words.sections["tradeoff_table"]
    planned = {name for name, one in known().items() if grid.cells(study, one.experiment)}
    assert planned - {"attributes_accuracy_table"} <= words.sections.keys()
    assert "attribute sets" not in words.sections
    assert known()["attribute_sets_table"].label in words.sections["about"]


def test_failed_cells_are_shown_as_failed(study: Params) -> None:
    page = html(gather(study), study)
    assert '<td class="number failed">failed (2 of 2 seeds)' in page
    rows = [row for row in models.rows("demo") if row.dataset.startswith("CIFAR-10") and row.model == "vicious"]
    assert rows
    assert all(row.measures["psnr"].failed and row.measures["psnr"].text == "failed" for row in rows)
    cards = [card for group in gallery.groups(study) for card in group]
    failed = {card.role for card in cards if card.dataset.startswith("CIFAR-10") and not card.reconstructions}
    assert failed == {"vicious"}
    assert "the loss is nan" in Words(page).sections["failed"]


def test_a_job_that_no_summary_tells_of_is_shown_as_failed(study: Params) -> None:
    one = grid.sought(study)[0]
    file = paths.membership("demo", one.task.folder, str(one.model), str(one.seed))
    write_json(file, {"status": "failed", "reason": "out of memory"})
    words = Words(html(gather(study), study))
    assert f"{file}: out of memory" in words.sections["failed"]


def test_numbers_of_models_are_those_of_the_summary(study: Params) -> None:
    rows = [row for row in models.rows("demo") if row.experiment == "main"]
    seeds = {one.seed for one in grid.trainings(study, ["main"]) if one.task.dataset == "mnist"}
    mnist = [row for row in rows if row.dataset == "MNIST (synthetic)"]
    assert {row.seeds for row in mnist} == {len(seeds)}
    assert [row.attack for row in mnist[:2]] == ["best", "original, post-hoc"]
    assert mnist[0].model == "honest"
    assert mnist[0].beta_r == ""
    assert {row.beta_r for row in mnist if row.model == "vicious"} == {"1"}


def test_the_gallery_pairs_originals_with_reconstructions(study: Params) -> None:
    groups = gallery.groups(study)
    assert len(groups) == len({(group[0].dataset, group[0].outputs) for group in groups})
    for group in groups:
        assert len({card.originals for card in group if card.count}) == 1
        assert all(card.reconstructions not in ("", card.originals) for card in group if card.count)


def test_a_clone_without_assessments_has_no_images_and_says_so(study: Params) -> None:
    for file in assessments(study, grid.cells(study, "main")):
        file.unlink()
    page = gather(study)
    assert page.galleries == []
    assert "The images are not here" in html(page, study)
    assert page.rows


def test_with_some_assessments_missing_the_rest_is_shown(study: Params) -> None:
    assessments(study, grid.cells(study, "main"))[0].unlink()
    cards = [card for group in gallery.groups(study) for card in group]
    assert cards
    assert "best" not in {card.attack for card in cards}, "which attack is the best is not known"


def test_a_claim_of_an_experiment_that_is_left_out_now_is_still_shown(study: Params) -> None:
    """Summaries of another configuration are there."""
    none = study.study.merged_classes.model_copy(update={"groups": {}})
    scale = study.study.model_copy(update={"merged_classes": none})
    left = study.model_copy(update={"scales": study.scales.model_copy(update={"demo": scale})})
    assert time(left, "merged_classes") == "an experiment that this configuration leaves out"
    assert "minute" in time(study, "main")


def test_nothing_built_is_a_page_that_says_so(params: Params) -> None:
    words = Words(html(gather(params), params))
    assert "No summary is built." in words.sections["models"]
    assert "Not built." in words.sections["main_table"]
    assert "claims" not in words.sections


def test_the_same_page_twice(study: Params, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--config", "datasets=[mnist,cifar10]"]
    assert cli.main(["report", *options]) == 0
    first = paths.report("demo").read_bytes()
    assert cli.main(["report", *options, "--out", "again.html"]) == 0
    assert Path("again.html").read_bytes() == first
    assert capsys.readouterr().out.endswith("written to again.html\n")


def test_a_damaged_picture_is_one_clear_error_and_leaves_the_page(study: Params) -> None:
    paths.report("demo").write_text("of before", encoding="utf-8")
    (paths.figures("demo") / "gallery.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    assert cli.main(["report"]) == 1
    assert paths.report("demo").read_text(encoding="utf-8") == "of before"
    with pytest.raises(DataError, match=r"gallery\.png is no picture"):
        pictures.figure(paths.figures("demo") / "gallery.png")


def test_a_record_that_cannot_be_read_is_named(study: Params) -> None:
    (paths.figures("demo") / "main_table.json").write_text("{", encoding="utf-8")
    assert "record of provenance cannot be read" in Words(html(gather(study), study)).sections["main_table"]


def test_text_is_never_markup(study: Params) -> None:
    page = html(gather(study), study)
    assert "<b>tags</b>" not in page
    assert "&lt;b&gt;tags&lt;/b&gt;" in page
    assert "<script>alert" not in prose.html("| a |\n| --- |\n| <script>alert(1)</script> |")
    assert prose.html("a <i>b</i>") == "<p>a &lt;i&gt;b&lt;/i&gt;</p>\n"
    assert "javascript:" not in prose.html("[x](javascript:alert(1))").replace("[x](javascript:alert(1))", "")


def cells(markdown: str) -> list[list[tuple[str, str]]]:
    """The class and the text of each cell of the rows of a table."""
    rows = re.findall(r"<tr>\n(.*?)</tr>", prose.html(markdown), re.DOTALL)[1:]
    return [re.findall(r'<td(?: class="([\w ]+)")?>(.*?)</td>', row) for row in rows]


def test_a_name_that_would_reorder_its_line_is_written_out(study: Params) -> None:
    file = paths.figures("demo") / "main_table.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(record | {"command": "main\u202e_table"}), encoding="utf-8")
    page = html(gather(study), study)
    assert "\u202e" not in page
    assert "main\\u202e_table" in page


def test_the_policy_allows_the_page_alone(study: Params) -> None:
    page = html(gather(study), study)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert "default-src 'none'" in policy.replace("&#39;", "'")
    assert "unsafe" not in policy
    assert not re.findall(r"<[^>]+ (?:style|on\w+)=", page)


def test_a_cell_that_repeats_the_one_above_gets_its_text() -> None:
    rows = cells("| a | b | c |\n| --- | --- | ---: |\n| X | one | 1 |\n|  |  | 2 |\n|  | two | – |\n| any |  |  |\n")
    assert rows[1] == [("again", "X"), ("again", "one"), ("number", "2")]
    assert rows[2] == [("again", "X"), ("", "two"), ("number", "–")]
    assert rows[3] == [("", "any"), ("", ""), ("number", "")], "a new block repeats nothing"


def test_a_strip_holds_the_images_beside_each_other() -> None:
    import base64
    import io

    images = np.random.default_rng(0).integers(0, 256, (3, 1, 4, 4), np.uint8)
    picture = Image.open(io.BytesIO(base64.b64decode(pictures.strip(images).partition(",")[2])))
    assert picture.size == (12, 4)
    assert np.array_equal(np.asarray(picture.convert("RGB"))[:, 4:8, 0], images[1, 0])
