"""Servers that know of detectors: which models are theirs, and what they are compared with."""

import math
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from vicious.report import adaptive
from vicious.report.adaptive import Block
from vicious.system.errors import MixedResultsError


@pytest.fixture
def block(made_up: ModuleType, servers: ModuleType) -> Block:
    (found,) = adaptive.blocks(servers.summary(made_up, ("mnist",)), servers.detection(("mnist",)))
    return found


def test_each_dataset_has_its_servers_in_order(made_up: ModuleType, servers: ModuleType) -> None:
    names = ("celeba", "mnist")
    found = adaptive.blocks(servers.summary(made_up, names), servers.detection(names))
    assert [block.dataset for block in found] == ["mnist", "celeba"]
    evading, hiding = (
        ["vicious, linear evasion 0.1", "vicious, linear evasion 1"],
        ["vicious, folded", "vicious, shuffled"],
    )
    assert [server.name for server in found[0].servers] == ["honest", "vicious", *evading, *hiding]
    assert [server.models for server in found[0].servers] == [3, 3, 1, 1, 1, 1]


def test_servers_that_evade_one_detector_after_the_other(made_up: ModuleType, servers: ModuleType) -> None:
    weights = {"distance": (0.3, 1.0)}
    (found,) = adaptive.blocks(
        servers.summary(made_up, ("mnist",), **weights), servers.detection(("mnist",), hidden=(), **weights)
    )
    linear, distance = (
        [f"{kind} evasion {weight}" for weight in ws]
        for kind, ws in (("linear", ("0.1", "1")), ("distance", ("0.3", "1")))
    )
    assert [server.name for server in found.vicious] == ["vicious", *(f"vicious, {name}" for name in linear + distance)]
    assert [server.models for server in found.vicious] == [3, 1, 1, 1, 1]
    assert [len(server.attack.rows) for server in found.vicious] == [3, 1, 1, 1, 1]
    assert adaptive.evaded([found]) == ["linear_decodability", "distance_correlation"]


def test_all_vicious_servers_have_the_weight_of_the_adaptive_ones(block: Any) -> None:
    assert block.beta_r == 1.0
    for server in block.vicious:
        assert set(server.scores["beta_r"]) == {1.0}
        assert set(server.attack.rows["beta_r"]) == {1.0}


def test_honest_models_of_other_recipes_are_none_of_them(block: Any) -> None:
    assert set(block.scores["recipe"]) == {""}


def test_a_hidden_code_has_the_attack_of_the_model_that_it_hides(block: Any) -> None:
    by_name = {server.name: server for server in block.servers}
    plain = by_name["vicious"].attack.rows
    hidden = by_name["vicious, folded"].attack.rows
    pd.testing.assert_frame_equal(hidden, plain.loc[plain["seed"] == 0])


def test_without_adaptive_servers_the_smallest_weight_stands(made_up: ModuleType, servers: ModuleType) -> None:
    summary = servers.summary(made_up, ("mnist",), evasion=())
    (block,) = adaptive.blocks(summary, servers.detection(("mnist",), evasion=(), hidden=()))
    assert [server.name for server in block.servers] == ["honest", "vicious"]
    assert block.beta_r == 0.3


def test_hidden_codes_alone_tell_the_weight(made_up: ModuleType, servers: ModuleType) -> None:
    summary = servers.summary(made_up, ("mnist",), evasion=())
    (block,) = adaptive.blocks(summary, servers.detection(("mnist",), evasion=()))
    assert block.beta_r == 1.0


def test_without_vicious_models_there_is_no_weight(made_up: ModuleType, servers: ModuleType) -> None:
    summary = servers.summary(made_up, ("mnist",), evasion=())
    scores = servers.detection(("mnist",), evasion=(), hidden=())
    (block,) = adaptive.blocks(summary.loc[summary["role"] == "honest"], scores.loc[scores["role"] == "honest"])
    assert math.isnan(block.beta_r)
    assert block.vicious[0].attack.planned == 0


def test_adaptive_servers_of_several_weights_are_refused(made_up: ModuleType, servers: ModuleType) -> None:
    summary = servers.summary(made_up, ("mnist",))
    summary.loc[summary["evasion"] == 0.1, "beta_r"] = 0.3
    with pytest.raises(MixedResultsError, match=r"several beta_R: 0\.3, 1"):
        adaptive.blocks(summary, servers.detection(("mnist",)))


def test_scores_of_other_studies_are_refused(made_up: ModuleType, servers: ModuleType) -> None:
    with pytest.raises(MixedResultsError, match="the summary has no cifar10"):
        adaptive.blocks(servers.summary(made_up, ("mnist",)), servers.detection(("mnist", "cifar10")))


def test_failures_name_the_server_and_the_detectors(made_up: ModuleType, servers: ModuleType) -> None:
    summary = servers.summary(made_up, ("mnist",), failed=(("mnist", "honest", 1),))
    row = (summary["evasion"] == 1.0) & (summary["seed"] == 0)
    summary.loc[row, ["status", "reason"]] = ["failed", "loss is not finite"]
    failed = [("mnist", name, "vicious, folded", 0) for name in ("own_decoder", "entropy")]
    found = adaptive.blocks(summary, servers.detection(("mnist",), failed=failed))
    lines = adaptive.failures(found)
    assert "MNIST, vicious (logits, beta_R = 1, linear evasion 1), seed 0: loss is not finite" in lines
    assert any(line.startswith("MNIST, honest (logits), seed 1:") for line in lines)
    assert "MNIST, vicious, folded: no score by own decoder, entropy for 1 of 1 models" in lines
    assert "MNIST, vicious, folded: no score by own decoder for 1 of 1 models" in adaptive.failures(
        found, ("own_decoder",)
    )


def test_the_best_attack_counts_and_only_seeds_that_were_attacked_alike(
    made_up: ModuleType, servers: ModuleType
) -> None:
    summary = servers.summary(made_up, ("mnist",))
    plain = (summary["role"] == "vicious") & (summary["evasion"] == 0)
    weight = summary.loc[summary["evasion"] != 0, "beta_r"].iloc[0]
    one = summary.loc[plain & (summary["beta_r"] == weight) & (summary["seed"] == 0)]
    afterwards = one.assign(attack="posthoc", psnr=one["psnr"] + 2.0)
    (block,) = adaptive.blocks(pd.concat([summary, afterwards], ignore_index=True), servers.detection(("mnist",)))
    attack = next(server for server in block.servers if server.name == "vicious").attack
    assert attack.rows["seed"].tolist() == [0]
    assert attack.rows["attack"].tolist() == ["posthoc"]
    worse = one.assign(attack="posthoc", psnr=one["psnr"] - 2.0)
    (block,) = adaptive.blocks(pd.concat([summary, worse], ignore_index=True), servers.detection(("mnist",)))
    attack = next(server for server in block.servers if server.name == "vicious").attack
    assert attack.rows["attack"].tolist() == ["joint"]
