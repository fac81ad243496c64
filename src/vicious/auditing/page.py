"""An audit as one HTML file for people: it needs no network, and works without its script.

The script only adds sliders that move between an original and its reconstruction.
"""

import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.resources import files

from markupsafe import Markup

from vicious import __version__
from vicious.auditing.advice import HOW_TO_READ, sent, what_to_do
from vicious.auditing.audit import Audit, Score
from vicious.auditing.chart import Row, bar, chart
from vicious.auditing.gallery import EXAMPLES, gallery
from vicious.auditing.markup import (
    LINE,
    document,
    element,
    joined,
    listed,
    number,
    paragraph,
    percent,
    points,
    short,
    table,
)
from vicious.auditing.measured import Measure
from vicious.auditing.placing import Placed
from vicious.auditing.reference import KINDS, Beside, Shipped
from vicious.auditing.verdict import p_value
from vicious.data.datasets import find_dataset
from vicious.defense.detector import PACKAGE
from vicious.system.registry import find, names

_BADGES = {"evidence": ("▲", "Evidence"), "no evidence": ("●", "No evidence"), "undecided": ("◆", "Undecided")}
_CLASSES = {"evidence": "evidence", "no evidence": "none", "undecided": "undecided"}
_MEASURES = {
    "psnr": ("PSNR", "dB; larger is closer to the original"),
    "ssim": ("SSIM", "structural similarity; 1 is the same image"),
    "risk95": ("Risk R95", "times closer than the mean image, along the main directions; larger is worse for privacy"),
    "identified": ("Recognised", "share of reconstructions whose own original is the nearest among {among} images"),
}
"""Measures in words."""
_PLACED = {"leak": "Leak", "above_students": "Leak above that of honest students", "identified": "Recognised"}
_SHARES = (0, 0.25, 0.5, 0.75, 1)
_SCALES = {"leak": _SHARES, "above_students": (-0.25, 0, 0.25, 0.5), "identified": _SHARES}
"""Numbers that are shown beside those of the shipped networks, and the ticks of their scales."""
_SAID = {"leak": percent, "above_students": points, "identified": percent}


def page(
    audit: Audit,
    title: str,
    placed: Sequence[Placed] = (),
    shipped: Shipped | None = None,
    examples: int = EXAMPLES,
) -> str:
    """The page of an audit.

    Args:
        title: what was audited, such as a file's name; any text.
        placed: its numbers among those of references.
        shipped: its numbers beside those of the shipped networks; None: they are not shown.
        examples: images that are shown at most.

    Returns:
        HTML; write it as UTF-8. It holds some of the images.
    """
    sections = [
        _verdict(audit, title),
        _section("leak", "How much leaks", _leak(audit)),
        _section("images", "What can be reconstructed", gallery(audit, examples)),
        _section("measures", "How close reconstructions are", _measures(audit)),
        _section("networks", "Beside networks of known training", _networks(shipped)) if shipped else Markup(),
        _section("detectors", "Detectors", _detectors(audit, shipped)),
        _section("references", "Among references", _references(placed)) if placed else Markup(),
        _section("mitigations", "What would leak if you sent less", _mitigations(audit)),
        _section("advice", "What to do now", element("ol", *(element("li", one) for one in what_to_do(audit)))),
        _section("reading", "How to read this", _reading(audit)),
        _section("details", "Details", _details(audit)),
    ]
    body = element("main", LINE, joined(*sections, by=LINE), LINE)
    return document(f"{short(title)}: {audit.verdict.answer}", body, _resource("page.css"), _resource("page.js"))


def _resource(name: str) -> str:
    return files("vicious.auditing").joinpath(name).read_text(encoding="utf-8")


def _section(name: str, heading: str, content: Markup) -> Markup:
    head = element("h2", heading, id=f"{name}-heading")
    return element("section", LINE, head, LINE, content, LINE, id=name, aria_labelledby=f"{name}-heading")


def _verdict(audit: Audit, title: str) -> Markup:
    verdict = audit.verdict
    sign, word = _BADGES[verdict.answer]
    badge = paragraph(element("span", sign, aria_hidden="true"), " ", word, class_="badge")
    return element(
        "header",
        element("h1", "Audit of ", element("bdi", short(title))),
        paragraph("Do the model's outputs give away more of the input images than an honest model's would?"),
        element(
            "div", badge, paragraph(verdict.headline, class_="headline"), class_=f"answer {_CLASSES[verdict.answer]}"
        ),
        listed(verdict.sentences),
        id="verdict",
    )


def _leak(audit: Audit) -> Markup:
    excess = audit.excess
    said = f"{percent(excess.leak)} ({percent(excess.low)} to {percent(excess.high)})"
    rows = [Row("This model", said, excess.leak, (excess.low, excess.high))]
    if excess.against and excess.compared != excess.leak:
        rows.append(Row("This model, of the labels predicted here", percent(excess.compared), excess.compared))
    rows += [Row(f"Honest {one.family} students", percent(one.leak), one.leak, own=False) for one in excess.against]
    told = "; ".join(f"{row.label}: {row.said}" for row in rows)
    parts = [
        paragraph(
            "Share of the images' variation in outline, beyond the predicted label, that can be read from the outputs "
            f"of {excess.images} images. Honest models leak, too: compare the marks."
        ),
        chart("leaks", "Leak of this model and of honest students", f"{told}.", rows, 0, 1, _SHARES),
        paragraph("Diamond: this model, with its 95% interval over images.", class_="note"),
    ]
    if excess.against:
        parts.append(paragraph("Circles: honest students.", class_="note"))
        head = ("Students", "Their leak", "This model minus students, points (95% interval)", "Same label as the model")
        lines: list[tuple[object, ...]] = [
            (one.family, percent(one.leak), _span(points, one.excess, one.low, one.high), percent(one.agreement))
            for one in excess.against
        ]
        parts.append(table("Comparison with honest students", head, lines))
        parts.append(
            paragraph(
                "There is evidence if all intervals of the difference lie above 0, and the exact test sees a leak.",
                class_="note",
            )
        )
    else:
        parts.append(paragraph(f"There are no students to compare with: {excess.why_not}."))
    return joined(*parts, _exact(audit), by=LINE)


def _exact(audit: Audit) -> Markup:
    exact = audit.exact
    if exact is None:
        return paragraph("Exact test: none, since no two images of the same predicted label differ.")
    return paragraph(
        f"Exact test of whether anything leaks beyond the label: {p_value(exact)}, with {exact.exchanges} exchanges "
        f"among {exact.exchanged} of {exact.images} images; {percent(exact.effect)} more than by chance. Honest models "
        "fail it, too."
    )


def _measures(audit: Audit) -> Markup:
    head = ("Measure", "From the outputs (95% interval)", "Guess: label alone", "Guess: mean image")
    rows: list[tuple[object, ...]] = []
    for one in audit.measures.found:
        title, words = _MEASURES.get(one.name, (one.name, ""))
        named = joined(title, " ", element("small", words.format(among=audit.measures.among)))
        value = _said(one)
        rows.append((named, _span(value, one.value, one.low, one.high), value(one.of_label), value(one.of_mean)))
    words = "Means over all images. Guesses know no outputs: the mean image of the predicted label, and of all images."
    return joined(paragraph(words), table("Reconstructions and guesses", head, rows), by=LINE)


def _said(one: Measure) -> Callable[[float], str]:
    return percent if one.name == "identified" else number


def _span(said: Callable[[float], str], value: float, low: float, high: float) -> Markup:
    return joined(element("b", said(value)), " ", element("span", f"({said(low)} to {said(high)})", class_="interval"))


def _networks(shipped: Shipped) -> Markup:
    titles = [find_dataset(name).title for name in shipped.datasets]
    where = f"on {', '.join(titles[:-1])} and {titles[-1]}" if len(titles) > 1 else f"on {titles[0]}"
    told = paragraph(
        f"Honest and vicious networks were trained for this comparison, {where}. Each was audited on {shipped.images} "
        "images. The vicious ones were trained jointly with a decoder, some of them so weakly that they give away "
        "little more. With other images or other classes, honest models lie elsewhere. The verdict does not use them."
    )
    found = {one.name: one for one in shipped.numbers if one.name in _SCALES}
    if not found:
        command = element("code", "vicious audit --images 200")
        why = "This audit had far more or fewer images, so it is not compared: "
        return joined(told, paragraph(why, command, " takes at most 200."))
    drawn = (_beside(one, _SCALES[name]) for name, one in found.items())
    return joined(told, *drawn, paragraph("Diamond: this model. Circles: the networks.", class_="note"), by=LINE)


def _beside(one: Beside, ticks: Sequence[float]) -> Markup:
    name, said, rows = _PLACED[one.name], _SAID[one.name], []
    unit = " points" if said is points else ""
    for kind, others in one.by_kind.items():
        rows.append(Row(f"{len(others)} {kind} networks", f"{_ends_of(others, said)}{unit}", one.value, others=others))
    own = f"this model: {said(one.value)}{unit}"
    words = f"{own.capitalize()}. {'; '.join(f'{row.label}: {row.said}' for row in rows)}."
    drawn = chart(f"beside-{one.name}", name, words, rows, ticks[0], ticks[-1], ticks, said)
    return joined(element("h3", name, " ", element("small", own)), drawn, by=LINE)


def _ends_of(values: Sequence[float], said: Callable[[float], str]) -> str:
    return f"{said(min(values))} to {said(max(values))}"


def _detectors(audit: Audit, shipped: Shipped | None) -> Markup:
    known = {one.name: one for one in shipped.numbers} if shipped else {}
    rows: list[tuple[object, ...]] = [
        (_detector(one), _score(one), *(_range(known.get(one.detector), kind) for kind in KINDS if known))
        for one in audit.scores
    ]
    head = ("Detector", "Score", *(f"{kind.capitalize()} networks" for kind in KINDS if known))
    words = (
        "Each detector looks for one trace of a model that was made to leak. Higher looks more suspicious. A score "
        "alone has no threshold: compare it with those of honest models of the same task. The verdict does not use "
        "them."
    )
    return joined(paragraph(words), table("Scores of detectors", head, rows), by=LINE)


def _range(one: Beside | None, kind: str) -> str:
    others = one.by_kind[kind] if one else ()
    return _ends_of(others, number) if others else "–"


def _detector(one: Score) -> Markup:
    words = ""
    if one.detector in names(PACKAGE):
        line = (find(PACKAGE, one.detector).__doc__ or "").strip().partition("\n")[0]
        words = line.partition(": ")[2] or line
    return joined(one.detector.replace("_", " "), " ", element("small", words))


def _score(one: Score) -> Markup:
    return joined("none", " ", element("small", one.why_not)) if one.score is None else element("b", number(one.score))


def _references(placed: Sequence[Placed]) -> Markup:
    rows: list[tuple[object, ...]] = []
    for at, one in enumerate(placed):
        name = _PLACED.get(one.name, one.name.replace("_", " "))
        said = _SAID.get(one.name, number)
        count = len(one.references)
        below = f"above {round(one.share_below * count)} of {count}"
        among = _ends_of(one.references, said)
        row = Row("", "", one.value, others=one.references)
        words = f"{name} of this model: {said(one.value)}, {below} references, which have {among}."
        drawn = chart(f"placed-{at}", f"{name} among references", words, [row], *_ends(row))
        rows.append((joined(name, " ", element("small", f"{said(one.value)}, {below}")), among, drawn))
    return joined(
        paragraph(
            "Where this model lies among the audits that were given as references. It says something only if these "
            "models are known to be honest, and were audited on as many images of the same kind."
        ),
        table("This model among references", ("This model", "References", "Both"), rows),
        paragraph("Diamond: this model. Circles: references. Each line has a scale of its own.", class_="note"),
        by=LINE,
    )


def _ends(row: Row) -> tuple[float, float]:
    return min(row.values), max(row.values)


def _mitigations(audit: Audit) -> Markup:
    given = audit.given
    now = f"as it is now: all {given.kind}"
    rows: list[tuple[object, ...]] = [(now, percent(audit.excess.leak), bar(audit.excess.leak))]
    rows += [(sent(one.sent, given.evidence.multilabel), percent(one.leak), bar(one.leak)) for one in audit.left]
    return joined(
        paragraph(
            "The same leak, if you changed the outputs before you send them. A server that expects the change may "
            "train for it, and then read more."
        ),
        table("Leak by what is sent", ("What is sent", "Leak", "0% to 100%"), rows),
        by=LINE,
    )


def _reading(audit: Audit) -> Markup:
    terms = [part for term, words in HOW_TO_READ for part in (element("dt", term), element("dd", words))]
    notes = listed(audit.given.notes) if audit.given.notes else paragraph("Nothing beyond what was given.")
    return joined(element("dl", *terms), element("h3", "What was assumed"), notes, by=LINE)


def _details(audit: Audit) -> Markup:
    evidence = audit.given.evidence
    channels, height, width = evidence.images.shape[1:]
    outputs = f"{evidence.logits.shape[1]} of {'attributes' if evidence.multilabel else 'classes'}, {audit.given.kind}"
    colours = "grey" if channels == 1 else f"{channels} channels"
    libraries = f"PyTorch {version('torch')}, NumPy {version('numpy')}, Python {platform.python_version()}"
    facts = (
        ("Images", f"{len(evidence.images)}, of {width} x {height} pixels, {colours}"),
        ("Outputs", outputs),
        ("True labels", "given" if audit.given.labelled else "not given"),
        ("Seed", evidence.seed),
        ("Made by", f"vicious {__version__}, {libraries}"),
    )
    return element(
        "dl", *(part for name, fact in facts for part in (element("dt", name), element("dd", fact))), class_="facts"
    )
