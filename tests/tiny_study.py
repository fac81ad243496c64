"""A tiny study: an honest, a vicious and an adaptive model, each attacked and assessed, with records."""

from pathlib import Path

import pytest
from project import copy_project, set_params

from vicious.provenance.run import run_step
from vicious.study.config import load_params
from vicious.study.plan import Plan

HONEST, VICIOUS = "mnist/honest/seed0", "mnist/vicious-logits-beta1/seed0"
ADAPTIVE = "mnist/vicious-logits-beta1-evasion1/seed0"
STEPS = ("data", "models", "assessments")
DEFENSE = {
    **{"seeds": [0], "variant_seeds": [0], "recipes": [], "hidden": [], "evasion": {"linear_decodability": [1.0]}},
    **{"detectors": ["entropy"], "user_images": [16], "draws": 2, "datasets": ["mnist"]},
}


def build_study(folder: Path) -> str:
    """The study of a project's folder, without its summaries, tables and figures."""
    copy_project(folder)
    set_params(folder, scale="smoke", datasets=["mnist"], scales__smoke__autoencoder=[])
    set_params(
        folder, scales__smoke__attack_models={"experiments": ["main", "defense"], "models": {"linear_ridge": {}}}
    )
    for key, value in DEFENSE.items():
        set_params(folder, **{f"scales__smoke__defense__{key}": value})
    set_params(folder, scales__smoke__attackers__models=["linear_ridge"], scales__smoke__attackers__images=[50])
    for experiment in ("tradeoff", "attackers", "mitigations"):
        set_params(folder, **{f"scales__smoke__{experiment}__datasets": []})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for planned in Plan(load_params()).steps:
            if planned.step.STAGE in STEPS:
                run_step(planned.step, planned.step.record())
    return ""
