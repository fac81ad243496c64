"""Claims: what a study found of each, what supports it, and whether a study that is made again agrees."""

import json
import subprocess
from math import isnan, nan, sqrt
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from records_by_hand import note, put
from report import made_up as made_up_module
from scipy import stats

from vicious import claims as package
from vicious import cli
from vicious.claims import Claim, claims, find_claim, reproduce
from vicious.claims.finding import Finding, between_models, over_models
from vicious.claims.page import interval, measured, number, page, read_published, verdict, write
from vicious.defense.evaluation.separation import auroc_interval
from vicious.results.schema import COMPARISONS, SEPARATION, SUMMARY
from vicious.study.config import Params, load_params
from vicious.system.errors import ConfigError, DataError, MixedResultsError, ProvenanceError
from vicious.system.progress import hide_progress

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 5


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(ROOT / "params.yaml")


@pytest.fixture
def made_up() -> ModuleType:
    return made_up_module


def summary(made_up: ModuleType, tasks: tuple[str, ...], outputs: tuple[str, ...] = ("logits",)) -> pd.DataFrame:
    frame: pd.DataFrame = made_up.with_best(made_up.summary(tasks, SEEDS, (1.0,), outputs))
    return frame.assign(recipe="", hidden="")


@pytest.fixture
def study(made_up: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The summaries of a made-up demo: vicious models give away 1 dB more."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    folder = tmp_path / "results/demo/summaries"
    folder.mkdir(parents=True)
    main = summary(made_up, ("mnist", "cifar10"), ("logits", "softmax"))
    SUMMARY.write(main, folder / "main.csv")
    COMPARISONS.write(made_up.comparisons(main), folder / "main_comparisons.csv")
    return folder


def test_every_file_is_a_claim_with_words_of_its_own() -> None:
    found = claims()
    assert {one.source for one in found.values()} == set(package.SOURCES.values())
    assert len({one.words for one in found.values()}) == len(found) >= 9
    for name, one in found.items():
        assert one.name == name
        assert 20 < len(one.words) < 130, one.words
        assert "|" not in one.words


def test_a_claim_that_there_is_not_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'same_accuracy'"):
        find_claim("same_acuracy")


def test_an_interval_over_models_is_students() -> None:
    values = [1.0, 2.0, 4.0, 4.5]
    mean, low, high = over_models([*values, nan])
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (low, high) == pytest.approx(expected)
    assert mean == pytest.approx(np.mean(values))
    assert [isnan(number) for number in over_models([3.0])] == [False, True, True]
    assert all(map(isnan, over_models([nan, nan])))


def test_an_interval_between_models_is_welchs() -> None:
    these, those = [1.0, 2.0, 4.0, 4.5], [0.5, 0.6, 3.0]
    expected = stats.ttest_ind(these, those, equal_var=False).confidence_interval(0.95)
    difference, low, high = between_models([*these, nan], those)
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert difference == pytest.approx(np.mean(these) - np.mean(those))
    assert [isnan(number) for number in between_models(these, [1.0])] == [False, True, True]
    assert isnan(between_models(these, [])[0])
    assert between_models([2.0, 2.0], [1.0, 1.0]) == (1.0, 1.0, 1.0)


def test_intervals_cover_what_they_say() -> None:
    """95% of the intervals of 5 models, paired or not, hold the true value."""
    generator, held = np.random.default_rng(3), [0, 0]
    for _ in range(2000):
        _, low, high = over_models(generator.normal(1.0, 2.0, 5).tolist())
        held[0] += low <= 1.0 <= high
        _, low, high = between_models(generator.normal(1.0, 2.0, 5).tolist(), generator.normal(0.0, 0.5, 5).tolist())
        held[1] += low <= 1.0 <= high
    assert all(0.935 < count / 2000 < 0.97 for count in held), held


def test_the_tolerance_covers_another_study_of_as_many_models() -> None:
    generator, inside = np.random.default_rng(4), 0
    for _ in range(2000):
        first, again = generator.normal(0, 1, 5), generator.normal(0, 1, 5)
        finding = Finding("", "", "", *over_models(first.tolist()), models=5)
        inside += abs(again.mean() - finding.value) <= finding.tolerance
    assert 0.93 < inside / 2000 < 0.97


def test_what_is_measured_is_what_the_tables_say(study: Path, params: Params) -> None:
    found = measured(params)
    table = pd.read_csv(study / "main_comparisons.csv")
    rows = table.query("role == 'vicious' and attack == 'best'")
    for name, measure, scale in (("vicious_leaks_more", "psnr", 1.0), ("same_accuracy", "accuracy", 100.0)):
        expected = rows.loc[rows["measure"] == measure]
        assert [one.value for one in found[name]] == pytest.approx(list(scale * expected["difference"]))
        assert [one.low for one in found[name]] == pytest.approx(list(scale * expected["low"]))
        assert [one.models for one in found[name]] == [SEEDS] * len(expected) == [5] * 4
    main = pd.read_csv(study / "main.csv").query("attack == 'best' and outputs == 'softmax'")
    main = main.assign(beyond=main["psnr"] - main["psnr_class_mean"])
    means = main.groupby(["task", "role"])["beyond"].mean()
    assert {tuple(one.name.split("/")[:2]): one.value for one in found["softmax_leaks"]} == {
        key: pytest.approx(value) for key, value in means.items()
    }
    (simpler,) = found["simpler_data_leak_more"]
    assert simpler.name == "mnist-cifar10"
    assert found["vicious_can_be_detected"] == found["label_alone_gives_nothing_more"] == []


def test_class_counts_compare_the_most_with_the_fewest(study: Path, made_up: ModuleType, params: Params) -> None:
    frame = summary(made_up, ("cifar100-classes20", "cifar100"))
    SUMMARY.write(frame, study / "class_counts.csv")
    (found,) = measured(params)["more_classes_leak_more"]
    best = frame.query("attack == 'best' and role == 'vicious'")
    means = best.groupby("k")["psnr"].mean()
    assert found.what == "CIFAR-100, logits, 100 against 20 classes"
    assert found.value == pytest.approx(means[100] - means[20])


def test_merged_classes_compare_the_most_groups_with_the_fewest(
    study: Path, made_up: ModuleType, params: Params
) -> None:
    frame = summary(made_up, ("mnist-merged2", "mnist-merged5", "mnist"))
    SUMMARY.write(frame, study / "merged_classes.csv")
    (found,) = measured(params)["more_outputs_leak_more"]
    means = frame.query("attack == 'best' and role == 'vicious'").groupby("k")["psnr"].mean()
    assert found.what == "MNIST, logits, 10 against 2 groups"
    assert found.value == pytest.approx(means[10] - means[2])


def test_detection_is_taken_at_the_largest_sample(study: Path, params: Params) -> None:
    row = {"dataset": "mnist", "detector": "linear_decodability", "server": "vicious", "honest_models": 5}
    row |= {"vicious_models": 4, "failed": 0, "tpr_at_5fpr": 1.0}
    rows = [row | {"n_user": n, "auroc": auroc, "auroc_low": auroc - 0.1, "auroc_high": 1.0}
            for n, auroc in ((50, 0.7), (200, 0.95))]  # fmt: skip
    rows.append(rows[-1] | {"detector": "entropy"})
    SEPARATION.write(SEPARATION.frame(rows), study / "detection_summary.csv")
    (found,) = measured(params)["vicious_can_be_detected"]
    assert found.low == pytest.approx(0.85)
    assert (found.value, found.models) == (0.95, 4)
    assert find_claim("vicious_can_be_detected").supported(found)


def finding(value: float, low: float, high: float) -> Finding:
    return Finding("a", "A", "dB", value, low, high, 5)


def test_verdicts() -> None:
    claim = find_claim("vicious_leaks_more")
    good, bad, alone = finding(1.0, 0.5, 1.5), finding(1.0, -0.1, 2.1), finding(1.0, nan, nan)
    assert verdict(claim, []) == "not measured"
    assert verdict(claim, [alone]) == "not decided"
    assert verdict(claim, [good, good]) == "supported"
    assert verdict(claim, [good, bad, alone]) == "supported in 1, not decided in 2 of 3 cases"
    assert verdict(claim, [bad]) == "not decided"
    assert verdict(claim, [finding(-1.0, -1.5, -0.5)]) == "contradicted"
    assert claim.supported(alone) is None


@pytest.mark.parametrize(
    ("name", "good", "open_", "bad"),
    [
        ("vicious_leaks_more", (1, 0.1, 2), (1, -0.1, 2), (-1, -2, -0.1)),
        ("vicious_identifies_more", (1, 0.1, 2), (1, -0.1, 2), (-1, -2, -0.1)),
        ("risk_tells_vicious", (1, 0.1, 2), (1, -0.1, 2), (-1, -2, -0.1)),
        ("softmax_leaks", (1, 0.1, 2), (1, -0.1, 2), (-1, -2, -0.1)),
        ("simpler_data_leak_more", (1, 0.1, 2), (1, -0.1, 2), (-1, -2, -0.1)),
        ("more_classes_leak_more", (1, 0.1, 2), (1, -0.1, 2), (-1, -2, -0.1)),
        ("more_outputs_leak_more", (1, 0.1, 2), (1, -0.1, 2), (-1, -2, -0.1)),
        ("same_accuracy", (-0.2, -0.9, 0.5), (-0.2, -1.1, 0.7), (-3, -4, -1.1)),
        ("vicious_can_be_detected", (1.0, 0.64, 1.0), (0.7, 0.45, 0.9), (0.2, 0.1, 0.4)),
        ("label_alone_gives_nothing_more", (0.0, -0.1, 0.1), (0.1, -0.1, 0.3), (0.5, 0.3, 0.7)),
    ],
)
def test_the_whole_interval_must_speak_for_or_against_a_claim(name: str, good: Any, open_: Any, bad: Any) -> None:
    claim = find_claim(name)
    assert claim.supported(finding(*good)) is True
    assert claim.supported(finding(*open_)) is None
    assert claim.supported(finding(*bad)) is False


def test_five_models_of_each_kind_can_support_detection() -> None:
    claim = find_claim("vicious_can_be_detected")
    assert claim.supported(finding(1.0, *auroc_interval(1.0, 5, 5))) is True


def test_every_claim_is_tried_above() -> None:
    (mark,) = test_the_whole_interval_must_speak_for_or_against_a_claim.pytestmark
    assert {case[0] for case in mark.args[1]} == claims().keys()


def test_the_page_has_every_number_and_says_whether_data_are_synthetic(study: Path, params: Params) -> None:
    found = measured(params)
    text = page(params, found)
    assert "which uses official data" in text, "as the summaries say, whatever params.yaml does"
    summary = pd.read_csv(study / "main.csv", keep_default_na=False)
    summary.assign(source="synthetic").to_csv(study / "main.csv", index=False)
    assert "synthetic stand-ins, not real data" in page(params, found)
    summary.loc[summary["task"] == "mnist", "source"] = "synthetic"
    summary.to_csv(study / "main.csv", index=False)
    with pytest.raises(MixedResultsError, match="mixes official and synthetic data"):
        page(params, found)
    for name, claim in claims().items():
        assert f"## {name}\n\n{claim.words}.\n" in text
        for one in found[name]:
            assert f"| {one.what} | {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" in text
    assert "The experiment `defense` has no such case here, or was not built." in text
    assert "`vicious reproduce same_accuracy`" in text


def test_published_values_are_read_back(study: Path, params: Params) -> None:
    found = measured(params)
    found["same_accuracy"] = [finding(0.5, nan, nan)]
    _, data = write(params, found, study / "claims.md")
    published = read_published(data)
    assert (published.scale, published.datasets, published.source) == ("demo", list(params.datasets), "official")
    (alone,) = published.findings("same_accuracy")
    assert (alone.value, isnan(alone.low)) == (0.5, True)
    for one, again in zip(found["vicious_leaks_more"], published.findings("vicious_leaks_more"), strict=True):
        assert again.value == pytest.approx(one.value, abs=1e-6)
        assert again.what == one.what
    assert published.findings("vicious_can_be_detected") == []


@pytest.mark.parametrize("content", ["", "{}", '{"scale": "demo", "source": "x", "claims": {"a": [{"name": 1}]}}'])
def test_damaged_published_values_are_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "claims.json").write_text(content)
    with pytest.raises(DataError, match="--published names another file"):
        read_published(tmp_path / "claims.json")


def test_a_study_without_summaries_is_told_what_to_do(params: Params, in_tmp: Path) -> None:
    with pytest.raises(ConfigError, match="run `snakemake --cores 2 --config scale=demo` first"):
        measured(params)


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_end_that_rounds_to_the_limit_has_more_decimals() -> None:
    assert interval(finding(-0.44, -0.999898, 0.12), -1.0) == "-0.440 [-0.9999, 0.120] dB"
    assert interval(finding(-0.44, -1.0, 0.12), -1.0) == "-0.440 [-1.000, 0.120] dB"
    assert interval(finding(0.5, 0.00004, 1.0), 0.0) == "0.500 [0.00004, 1.000] dB"
    assert interval(finding(-0.99996, -0.5, -0.00004), -1.0) == "-0.99996 [-0.500, -0.000] dB"
    assert interval(finding(-0.2, -0.5, -0.00004), 0.0) == "-0.200 [-0.500, -0.00004] dB"
    assert number(-0.04, 0.0, 1) == "-0.04"
    assert number(1e-20, 0.0) == "0.000000"


def test_a_value_agrees_within_its_tolerance_alone() -> None:
    published = finding(1.0, 0.9, 1.2)
    assert published.tolerance == pytest.approx(0.2 * sqrt(2))
    for value, agrees in ((1.28, True), (1.29, False), (0.71, False), (nan, None)):
        assert reproduce.Compared(published, finding(value, nan, nan)).agrees is agrees
    assert reproduce.Compared(finding(1.0, nan, nan), finding(1.0, 0.9, 1.1)).agrees is None


@pytest.fixture
def published(study: Path, params: Params) -> Path:
    write(params, measured(params), study.parents[2] / "docs/claims.md")
    return study.parents[2] / "docs/claims.json"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Snakemake was asked for; nothing is made."""
    asked: list[Any] = []

    def build(claim: Claim, changes: Any, cores: int) -> None:
        asked.append((claim.experiment, list(changes), cores))

    monkeypatch.setattr(reproduce, "build", build)
    return asked


def test_reproduce_compares_what_was_made_again(
    published: Path, built: list[Any], study: Path, params: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["reproduce", "vicious_leaks_more", "--cores", "3"]) == 0
    assert built == [("main", ["scale=demo", f"datasets=[{','.join(params.datasets)}]"], 3)]
    out = capsys.readouterr().out
    assert out.count("agrees: ") == 4
    assert "agrees: MNIST, logits, beta_R = 1: " in out
    table = pd.read_csv(study / "main_comparisons.csv", keep_default_na=False)
    odd = (table["measure"] == "psnr") & (table["task"] == "mnist")
    table.loc[odd, "difference"] = 9.0
    table.to_csv(study / "main_comparisons.csv", index=False)
    assert cli.main(["reproduce", "vicious_leaks_more"]) == 1
    told = capsys.readouterr()
    assert told.out.count("differs: MNIST") == 2
    assert "of 4 values 2 differ from the published ones by more than the tolerance, and 0 cannot" in told.err
    table.loc[odd, ["difference", "low", "high"]] = nan
    table.to_csv(study / "main_comparisons.csv", index=False)
    assert cli.main(["reproduce", "vicious_leaks_more"]) == 1
    told = capsys.readouterr()
    assert told.out.count("cannot be compared: MNIST") == 2
    assert "0 differ from the published ones by more than the tolerance, and 2 cannot be compared" in told.err


def test_reproduce_names_the_cases_that_a_study_lacks(
    published: Path, built: list[Any], study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_csv(study / "main_comparisons.csv", keep_default_na=False)
    table.loc[table["task"] == "mnist"].to_csv(study / "main_comparisons.csv", index=False)
    assert cli.main(["reproduce", "vicious_leaks_more"]) == 0
    told = capsys.readouterr().out
    assert (told.count("agrees"), told.count("not in this study: CIFAR-10")) == (2, 2)


def test_drawn_and_real_images_are_not_compared(
    published: Path, built: list[Any], study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(published.read_text())
    published.write_text(json.dumps(content | {"source": "synthetic"}))
    assert cli.main(["reproduce", "vicious_leaks_more"]) == 1
    assert "published values are of synthetic data, this study's of official data" in capsys.readouterr().err


def test_a_page_has_a_name_of_its_own(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("claims.json", "docs"):
        assert cli.main(["claims", "--out", name]) == 1
        assert "give a name that ends in .md" in capsys.readouterr().err
        assert not Path(name).exists()


def test_reproduce_refuses_another_scale_before_it_makes_anything(
    published: Path, built: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["reproduce", "vicious_leaks_more", "--config", "scale=smoke"]) == 1
    assert "published values are of scale demo, this configuration has smoke: add --config" in capsys.readouterr().err
    assert cli.main(["reproduce", "vicious_can_be_detected"]) == 1
    assert "no value of vicious_can_be_detected was published" in capsys.readouterr().err
    assert built == []


def test_reproduce_takes_the_settings_that_are_given(published: Path, built: list[Any]) -> None:
    given = ["datasets=[mnist]", "data={root: ../here}"]
    assert cli.main(["reproduce", "vicious_leaks_more", "--config", *given]) == 0
    assert built == [("main", ["scale=demo", *given], 2)]


def test_reproduce_compares_no_summaries_that_were_not_made_here(
    published: Path, built: list[Any], study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    behind = Path("results/demo/assessments/mnist/honest/seed0/risk-best-logits.json")
    note(study / "main_comparisons.provenance.json", "compare", [put(behind, "{}")])
    behind.unlink()
    assert cli.main(["reproduce", "vicious_leaks_more"]) == 1
    told = capsys.readouterr().err
    assert f"1 of the 1 files that results/demo/summaries was made from, such as {behind}, are not here" in told
    assert "`rm -r results/demo/summaries paper_figures/demo` removes them" in told
    assert built == []
    put(behind, "{}")
    assert cli.main(["reproduce", "vicious_leaks_more"]) == 0


def test_reproduce_says_where_there_is_nothing_in_common(
    published: Path, built: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(published.read_text())
    for one in content["claims"]["vicious_leaks_more"]:
        one["name"] = "celeba/logits/beta1"
    published.write_text(json.dumps(content))
    assert cli.main(["reproduce", "vicious_leaks_more"]) == 1
    assert "none of the published cases of vicious_leaks_more: celeba" in capsys.readouterr().err


def test_a_snakemake_that_fails_is_an_error(in_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    class Done:
        returncode = 1

    def run(command: list[str], check: bool) -> Done:
        asked.append(command)
        return Done()

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ProvenanceError, match="see its message above"):
        reproduce.build(find_claim("same_accuracy"), ["scale=pilot", "datasets=[mnist]"], 2)
    ((_, *words),) = asked
    assert words == [
        "-P",
        "-m",
        "snakemake",
        "--cores",
        "2",
        "--config",
        "scale=pilot",
        "datasets=[mnist]",
        "--",
        "main",
    ]
    hide_progress(True)
    with pytest.raises(ProvenanceError, match="see its message above"):
        reproduce.build(find_claim("same_accuracy"), [], 2)
    hide_progress(False)
    assert asked[1][3:7] == ["snakemake", "--quiet", "progress", "rules"], "what it starts is quiet, too"


def test_claims_are_written_as_a_page(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["claims"]) == 0
    shown = capsys.readouterr().out
    assert cli.main(["claims", "--out", "docs/claims.md"]) == 0
    assert Path("docs/claims.md").read_text() == shown
    assert "written to docs/claims.json" in capsys.readouterr().out
