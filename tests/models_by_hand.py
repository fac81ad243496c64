"""The smallest target and attack models of the study's kinds."""

from vicious.models.architecture import model

F = model("target", "wideresnet", {"depth": 10, "width": 1})
G = model("attack", "mirror", {"depth": 10, "width": 1})
