"""The page of an audit: valid, without any network, safe with any text, and with the audit's own numbers."""

import base64
import hashlib
import html
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vicious.auditing.advice import sent
from vicious.auditing.audit import MITIGATED, Audit, Left, Score
from vicious.auditing.chart import MOST_OTHERS
from vicious.auditing.decode import decode
from vicious.auditing.gallery import chosen
from vicious.auditing.given import gather
from vicious.auditing.images import Images
from vicious.auditing.markup import element, number, percent, points, text
from vicious.auditing.measured import measure
from vicious.auditing.page import page
from vicious.auditing.placing import Placed
from vicious.auditing.reference import Beside, Shipped
from vicious.auditing.verdict import judge
from vicious.defense.exact import Exact
from vicious.defense.excess import Against, Excess

IMAGES, CLASSES = 60, 3
EXACT = Exact(0.001, 0.41, -0.02, 999, IMAGES, 58)
LEAKS = Excess(
    *(0.62, 0.51, 0.73, IMAGES),
    (Against("convolutional", 0.81, 0.29, 0.33, 0.21, 0.44), Against("perceptron", 0.79, 0.48, 0.14, 0.03, 0.26)),
)
WHY = "there are 12 images; students need at least 40"
ALONE = Excess(0.62, 0.51, 0.73, IMAGES, why_not=WHY)
CLOSE = replace(LEAKS, against=(LEAKS.against[0], replace(LEAKS.against[1], low=-0.04)))
SCORES = (Score("margin", -1.234), Score("own_decoder", None, "it needs <queries>"), Score("unheard of", 0.5))
PLACED = (
    Placed("leak", 0.62, (0.2, 0.31, 0.7), 2 / 3),
    Placed("margin", -1.234, tuple(np.linspace(-3, 0, 999)), 0.588),
)
SHIPPED = Shipped(
    200,
    ("mnist", "fashion_mnist", "cifar10"),
    (
        Beside("leak", 0.62, (0.1, 0.3, 0.2), (0.4, 0.7)),
        Beside("above_students", 0.14, (-0.3, -0.1), (0.1, 0.2)),
        Beside("margin", -1.234, (-3.0, 0.004), (1.0,)),
    ),
)
HOSTILE = (
    '<script>alert("a")</script>\x1b[2J\u202egnp.exe',
    '"><img src=x onerror=alert(1)>',
    "a\nb\x00</title></style><!--",
    "javascript:alert(1)",
    "&lt;b&gt;\ud800",
    "x" * 5000,
)


@cache
def audit(channels: int = 1, side: int = 12, excess: Excess = LEAKS, exact: Exact | None = EXACT) -> Audit:
    """An audit whose reconstructions and measures are real; the rest is as given."""
    generator = np.random.default_rng(channels)
    images = generator.random((IMAGES, channels, side, side), dtype=np.float32)
    outputs = generator.normal(size=(IMAGES, CLASSES)) + images.mean((1, 2, 3))[:, None]
    given = gather(Images(tuple(f"folder/{at}.png" for at in range(IMAGES)), images), outputs)
    evidence = given.evidence
    decoded = decode(evidence.logits, evidence.pixels, False, 0)
    measures = measure(decoded, evidence.pixels, (channels, side, side))
    left = tuple(Left(one, 0.4 - 0.08 * at) for at, one in enumerate(MITIGATED))
    verdict = judge(exact, excess, measures, IMAGES)
    return Audit(given, verdict, exact, excess, decoded, measures, SCORES, left)


class Read(HTMLParser):
    """Reads a page, and refuses what is not well formed."""

    VOID = ("meta", "link", "img", "input", "br")

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.tables, self.ids = "", dict[str, list[list[str]]](), list[str]()
        self.within: dict[str, str] = {}
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "caption":
            self.rows = list[list[str]]()
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "caption":
            self.tables[self.caption] = self.rows

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            self.within[self.open[-1]] = data
            return
        self.text += data
        if self.open and self.open[-1] == "caption":
            self.caption = data
        elif {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def row(self, caption: str, first: str) -> list[str]:
        """The cells of the row whose first cell begins so."""
        (found,) = [row for row in self.tables[caption] if row[0].startswith(first)]
        return found


VARIANTS: dict[str, Callable[[], Audit]] = {
    "evidence": audit,
    "colour": lambda: audit(3),
    "close": lambda: audit(excess=CLOSE),
    "no students": lambda: audit(excess=ALONE),
    "no exact test": lambda: audit(exact=None),
    "tiny": lambda: audit(1, 4),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_page_is_well_formed_and_reaches_for_nothing(name: str) -> None:
    found = page(VARIANTS[name](), "model.onnx", PLACED, SHIPPED)
    read = Read(found)
    assert len(set(read.ids)) == len(read.ids)
    for _, attributes in read.tags:
        assert not {"style", "srcset", "action", "poster", "background"} & set(attributes)
        assert not [one for one in attributes if one.startswith("on")]
        assert all(
            (attributes.get(one) or "data:").startswith("data:") for one in ("src", "href", "data", "xlink:href")
        )
        assert set((attributes.get("aria-labelledby") or "").split()) <= set(read.ids)
    assert not re.search(r"://|url\(|@import|<(iframe|object|embed|base|form|a)\b", found)
    headings = [tag for tag, _ in read.tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1
    assert all(attributes.get("alt") for tag, attributes in read.tags if tag == "img")
    assert all(attributes.get("aria-label") for tag, attributes in read.tags if tag == "input")


def test_only_the_own_style_and_script_may_run() -> None:
    read = Read(page(audit(), "model"))
    (policy,) = [one["content"] for tag, one in read.tags if one.get("http-equiv") == "Content-Security-Policy"]
    hashes = {
        tag: base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        for tag, content in read.within.items()
    }
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{hashes['style']}'; "
        f"script-src 'sha256-{hashes['script']}'; base-uri 'none'; form-action 'none'"
    )
    position = [tag for tag, _ in read.tags]
    assert position.index("meta") < position.index("style") < position.index("body")


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_any_text_stays_text(hostile: str) -> None:
    found = everywhere(hostile)
    assert [tag for tag, _ in Read(found).tags] == [tag for tag, _ in Read(everywhere("a")).tags]
    assert all(one.isprintable() or one == "\n" for one in found)
    found.encode("utf-8")


def everywhere(words: str) -> str:
    """A page that has some words wherever text comes from elsewhere."""
    plain = audit()
    given = replace(plain.given, names=(words,) * IMAGES, notes=(words,))
    verdict = replace(plain.verdict, headline=words, sentences=(words,))
    scores = (Score(words, None, words), Score(words, 1.0))
    odd = replace(plain, given=given, verdict=verdict, scores=scores, left=(Left(words, 0.0),))
    return page(odd, words, [Placed(words, 0.1, (0.2,), 0.0)])


def test_markup_escapes_what_is_not_markup() -> None:
    assert text("<b>&\"'\u202e") == "&lt;b&gt;&amp;&quot;&#x27;\\u202e"
    assert text(text("<")) == "&lt;"
    assert element("p", "<", element("br"), class_='a"b', hidden=True, title=None) == (
        '<p class="a&quot;b" hidden>&lt;<br></p>'
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_numbers_are_those_of_the_audit(name: str) -> None:
    shown = VARIANTS[name]()
    read = Read(page(shown, "model"))
    excess = shown.excess
    assert all(one in read.text for one in (shown.verdict.headline, *shown.verdict.sentences, *shown.given.notes))
    assert f"{percent(excess.leak)} ({percent(excess.low)} to {percent(excess.high)})" in read.text
    for one in excess.against:
        between = f"{points(one.excess)} ({points(one.low)} to {points(one.high)})"
        row = [one.family, percent(one.leak), between, percent(one.agreement)]
        assert read.row("Comparison with honest students", one.family) == row
    assert ("Comparison with honest students" in read.tables) == bool(excess.against)
    assert (WHY in read.text) == (not excess.against)
    titles = {"psnr": "PSNR", "ssim": "SSIM", "risk95": "Risk R95", "identified": "Recognised"}
    for found in shown.measures.found:
        said = percent if found.name == "identified" else number
        interval = f"{said(found.value)} ({said(found.low)} to {said(found.high)})"
        row = read.row("Reconstructions and guesses", titles[found.name])
        assert row[1:] == [interval, said(found.of_label), said(found.of_mean)]
    assert read.row("Scores of detectors", "margin")[1] == "-1.23"
    assert read.row("Scores of detectors", "own decoder")[1] == "none it needs <queries>"
    for left in shown.left:
        assert read.row("Leak by what is sent", sent(left.sent, False))[1] == percent(left.leak)
    assert read.row("Leak by what is sent", "as it is now")[1] == percent(excess.leak)
    exact = shown.exact
    assert ("p = 0.001" if exact else "Exact test: none") in read.text


def test_placement_among_references() -> None:
    found = page(audit(), "model", PLACED)
    row = Read(found).row("This model among references", "Leak")
    assert row[:2] == ["Leak 62%, above 2 of 3", "20% to 70%"]
    assert "62%, above 2 of 3 references" in row[2]
    assert found.count('class="reference"') == 3 + MOST_OTHERS
    assert "Among references" not in page(audit(), "model")


def test_numbers_beside_the_shipped_networks() -> None:
    found = page(audit(), "model", shipped=SHIPPED)
    read = Read(found)
    assert "on MNIST, Fashion-MNIST and CIFAR-10. Each was audited on 200 images" in read.text
    assert "This model: 62%. 3 honest networks: 10% to 30%; 2 vicious networks: 40% to 70%." in read.text
    assert "Leak above that of honest students this model: 14 points" in read.text
    assert "2 honest networks: -30 to -10 points; 2 vicious networks: 10 to 20 points." in read.text
    assert found.count('class="reference"') == 3 + 2 + 2 + 2
    assert read.row("Scores of detectors", "margin")[2:] == ["-3.00 to 0.00", "1.00 to 1.00"]
    assert read.row("Scores of detectors", "own decoder")[2:] == ["–", "–"]
    assert "Beside networks" not in page(audit(), "model")
    far = Read(page(audit(), "model", shipped=replace(SHIPPED, datasets=("mnist",), numbers=())))
    assert "for this comparison, on MNIST. Each" in far.text
    assert "had far more or fewer images, so it is not compared" in far.text
    assert len(far.row("Scores of detectors", "margin")) == 2


@pytest.mark.parametrize("channels", [1, 3])
def test_the_gallery_holds_originals_beside_reconstructions(channels: int) -> None:
    shown = audit(channels)
    read = Read(page(shown, "model"))
    sources = [one["src"] or "" for tag, one in read.tags if tag == "img"]
    picked = chosen(shown.measures.by_image, 12)
    assert len(sources) == 3 * len(picked) == 36
    evidence, decoded = shown.given.evidence, shown.decoded
    for at, (rank, one) in enumerate(picked):
        expected = (evidence.pixels[one], decoded.images[one], decoded.of_label[one])
        for source, pixels in zip(sources[3 * at : 3 * at + 3], expected, strict=True):
            content = base64.b64decode(source.removeprefix("data:image/png;base64,"))
            image = np.asarray(Image.open(io.BytesIO(content)))
            wanted = np.moveaxis(pixels.reshape(evidence.images.shape[1:]), 0, 2)
            np.testing.assert_allclose(image.reshape(wanted.shape) / 255, wanted, atol=0.5 / 255 + 1e-9)
        assert f"Rank {rank} of {IMAGES}" in read.text
        assert f"saves {percent(shown.measures.by_image[one])}" in read.text
        assert shown.given.names[one] in read.text


def test_examples_are_spread_evenly_from_best_to_worst() -> None:
    values = np.random.default_rng(0).normal(size=200)
    found = chosen(values, 12)
    ranks, places = zip(*found, strict=True)
    assert ranks[0] == 1
    assert ranks[-1] == 200
    assert set(np.diff(ranks)) <= {18, 19}
    assert places == tuple(np.argsort(-values)[np.array(ranks) - 1])
    assert chosen(np.ones(5), 12) == [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4)]
    assert chosen(values, 1) == [(1, int(values.argmax()))]


def test_advice_follows_the_answer() -> None:
    first = {
        "evidence": "Do not deploy",
        "close": "Take care",
        "no students": "Until this is settled",
        "no exact test": "You may use the model",
    }
    for name, words in first.items():
        shown = Read(page(VARIANTS[name](), "model")).text
        assert [one for one in first.values() if one in shown] == [words]
    shown = Read(page(audit(excess=ALONE), "model")).text
    assert "Give at least 40 images" in shown
    assert f"{WHY}." in shown


def test_each_mitigation_has_words() -> None:
    assert [one for one in MITIGATED if sent(one, False) == one] == []


@cache
def _browser() -> str:
    """A Chromium that works here; else the reason why there is none, which holds a space."""
    command = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if command is None:
        return "no Chromium is installed"
    try:
        works = "works" in _browse(command, "data:text/html,<p>works", "--dump-dom").stdout
    except (OSError, subprocess.SubprocessError) as error:
        return f"Chromium does not start here: {error}"
    return command if works else "Chromium does not start here"


def _browse(command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    fixed = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
    wait = "--virtual-time-budget=2000"
    return subprocess.run([command, *fixed, wait, *arguments], capture_output=True, text=True, timeout=60, check=False)


MEASURE = """<script>
{
  const slider = document.getElementById("all");
  slider.value = 0;
  slider.dispatchEvent(new Event("input"));
  const over = document.querySelectorAll(".over");
  const wide = document.documentElement.scrollWidth;
  const found = [innerWidth, wide, over.length, getComputedStyle(over[0]).opacity];
  parent.document.documentElement.dataset.found = found.join();
}
</script>"""


@pytest.fixture
def browse(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Shows a page in Chromium."""
    if " " in (command := _browser()):
        pytest.skip(command)

    def show(content: str, *arguments: str) -> Any:
        file = tmp_path / "audit.html"
        file.write_text(content, encoding="utf-8")
        return _browse(command, *arguments, f"--user-data-dir={tmp_path / 'profile'}", file.as_uri())

    return show


def test_a_browser_shows_it_without_errors(browse: Any) -> None:
    logged = ("--enable-logging=stderr", "--dump-dom")
    found = browse(page(audit(3), HOSTILE[0], PLACED), *logged)
    assert '<html lang="en" class="live">' in found.stdout  # the script ran
    assert "CONSOLE" not in found.stderr
    spoilt = browse(page(audit(), "a").replace("live", "dead"), *logged)
    assert "CONSOLE" in spoilt.stderr  # the policy holds, and the browser says so


@pytest.mark.parametrize("name", ["evidence", "no students"])
def test_it_fits_a_phone_and_its_sliders_work(browse: Any, name: str) -> None:
    shown = VARIANTS[name]()
    long = replace(shown, given=replace(shown.given, names=("x" * 300,) * IMAGES))
    content = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", page(long, "y" * 300, PLACED))
    within = html.escape(content.replace("</body>", f"{MEASURE}</body>"))
    frame = f'<!doctype html><iframe width="380" height="800" srcdoc="{within}"></iframe>'  # windows are wider
    found = browse(frame, "--hide-scrollbars", "--dump-dom")
    assert re.findall('data-found="([^"]*)"', found.stdout) == ["380,380,12,1"]
