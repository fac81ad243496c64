"""Captions in Markdown read as they stand."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from vicious.report import style
from vicious.report.text import Text
from vicious.study.artifacts import Destination


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("lower scales.<scale>.learning_rate", r"lower scales.\<scale\>.learning\_rate"),
        ("at *x*, y_z_ and __init__", r"at \*x\*, y\_z\_ and \_\_init\_\_"),
        ("[a](b) `c` ~d~ \\e", r"\[a\](b) \`c\` \~d\~ \\e"),
        ("beta_R = 1, beta_C = 2, R95 ± 3%.", "β_R = 1, β_C = 2, R95 ± 3%."),
    ],
)
def test_no_sign_of_a_caption_acts(tmp_path: Path, text: str, escaped: str) -> None:
    out = Destination(tmp_path, "made_up", "Figure 99")
    _, _, file = style.write_figure(out, Figure(), Text(text, ["", text], [text]))
    below = f"- {escaped}\n\nWithout a result:\n\n- {escaped}\n"
    assert file.read_text(encoding="utf-8") == f"**Figure 99.** {escaped}\n\n{below}"
