"""The report page as HTML."""

from functools import cache, partial
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from vicious.claims import Claim
from vicious.claims.finding import Finding
from vicious.claims.page import ANSWERS, interval, side, time, verdict
from vicious.study.config import Params
from vicious.system.escape import escaped
from vicious.system.files import write_text
from vicious.system.policy import policy
from vicious.webpage.contents import Contents, gather

MEASURES = {
    **{"accuracy": "Accuracy (%)", "psnr": "PSNR (dB)", "ssim": "SSIM", "risk": "R", "risk95": "R95"},
    **{"top1": "Identified (%)"},
}
FILTERS = {"dataset": "Dataset", "outputs": "Outputs", "beta": "β_R of vicious models", "attack": "Attack"}
_MOST_INPUTS = 12
"""Files that a table or figure was made from, at most, of which the page names each."""


def write(params: Params, out: Path) -> None:
    """Write the page of a configuration's scale; raises as :func:`~vicious.webpage.contents.gather` does."""
    write_text(out, html(gather(params), params))


def html(page: Contents, params: Params) -> str:
    """The page as HTML, to be written as UTF-8."""
    style, script = _resource("page.css"), _resource("page.js")
    around = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_legible,
    )
    around.filters |= {
        "words": lambda name: name.replace("_", " ").capitalize(),
        "class_name": lambda words: words.replace(" ", "-"),
        "lower_first": lambda words: words[:1].lower() + words[1:],
        "typeset": lambda words: words.replace("beta_R", "β_R"),
    }
    return around.get_template("page.html").render(
        page=page,
        css=Markup(style),
        script=Markup(script),
        policy=policy(style, script),
        measures=MEASURES,
        filters=FILTERS,
        most_inputs=_MOST_INPUTS,
        interval=interval,
        verdict=verdict,
        side=side,
        time=cache(partial(time, params)),
        answer=_answer,
    )


def _legible(value: object) -> object:
    """Text in which what a reader could not see, or what would reorder it, is written out."""
    return escaped(value) if type(value) is str else value


def _answer(claim: Claim, finding: Finding) -> str:
    return ANSWERS[claim.supported(finding)]


def _resource(name: str) -> str:
    return files("vicious.webpage").joinpath(name).read_text(encoding="utf-8")
