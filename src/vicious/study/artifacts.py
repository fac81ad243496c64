"""Every artifact, that is table or figure: its title, its number, its experiment, and the files that it is made from.

An artifact is a file in ``vicious/report/tables`` or ``vicious/report/figures``, found by its name. The first line of
its docstring is its title, its constant ``EXPERIMENT`` names the experiment, and the parameters of its function
``write`` are its inputs. All this is read from the syntax tree: planning imports no plotting library.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, create_model

from vicious.results.files import assessment_files
from vicious.steps import PERFORM, Files, Identity, Read, Stage, Step, model_files
from vicious.study import grid
from vicious.system import registry
from vicious.system.errors import ConfigError

TABLES = (
    *("main_table", "tradeoff_table", "attribute_sets_table", "class_counts_table", "estimators_table"),
    *("class_risk_table", "attributes_accuracy_table", "shortcuts_table", "detection_table", "thresholds_table"),
    *("adaptive_table", "mitigations_table", "attack_models_table", "attackers_table", "membership_table"),
    "merged_classes_table",
)
"""Tables by number, from 1."""
FIGURES = (
    *("gallery", "accuracy_risk_plane", "detector_scores", "attack_galleries", "tradeoff_curves"),
    *("attribute_sets_curves", "class_counts_curves", "risk_profile", "estimator_agreement", "risk_distributions"),
    *("training_curves", "extreme_images", "roc_curves", "evasion_cost", "mitigation_leaks", "all_detectors"),
    "merged_classes_curves",
)
"""Figures by number, from 1."""
NUMBERS = {name: number for names in (TABLES, FIGURES) for number, name in enumerate(names, 1)}
"""The one map from names to numbers. An artifact that it lacks goes by its name alone."""


def _measured(file: Path) -> list[Path]:
    """An assessment's summary, its per-image table and its gallery."""
    found = assessment_files(file)
    return [found.summary, found.images, found.gallery]


INPUTS = {
    "summary": Annotated[Read, Field(description="CSV written by summarize")],
    "comparisons": Annotated[Read, Field(description="CSV written by compare")],
    "estimators": Annotated[Read, Field(description="CSV written by agree")],
    "agreement": Annotated[Read, Field(description="CSV written by agree")],
    "classes": Annotated[Read, Field(description="CSV written by per-class")],
    "attributes": Annotated[Read, Field(description="CSV written by per-class")],
    "membership": Annotated[Read, Field(description="CSV written by summarize-membership")],
    "detection": Annotated[Read, Field(description="CSV of scores written by summarize-defense")],
    "separation": Annotated[Read, Field(description="CSV of separations written by summarize-defense")],
    "flagged": Annotated[Read, Field(description="CSV of what thresholds flag, written by summarize-defense")],
    "verdicts": Annotated[list[Path], Files(), Field(description="provenance written by evaluate-defense")],
    "assessments": Annotated[list[Path], Files(_measured), Field(description="JSON summaries written by assess-risk")],
    "curves": Annotated[list[Path], Files(model_files), Field(description="training curves written by train-*")],
}
"""What an artifact may be made from: the types of its settings."""
SUFFIXES = {"table": (".csv", ".md", ".tex"), "figure": (".pdf", ".png", ".md")}
_PACKAGES = {"table": "vicious.report.tables", "figure": "vicious.report.figures"}


@dataclass(frozen=True)
class Destination:
    """Where an artifact's files go: their folder, their name without an ending, and what the caption begins with."""

    folder: Path
    name: str
    label: str

    def file(self, suffix: str) -> Path:
        """One of its files."""
        return Path(self.folder) / f"{self.name}{suffix}"

    def part(self, name: str, title: str) -> "Destination":
        """The destination of one of several parts."""
        return Destination(self.folder, f"{self.name}_{name}", f"{self.label}, {title}")


@dataclass(frozen=True)
class Artifact:
    """One table or figure.

    Attributes:
        name: of its file, command, target and outputs.
        kind: "table" or "figure".
        title: for help texts and messages.
        experiment: whose results it shows.
        inputs: keys of :data:`INPUTS`.
        each_task: it has files for each task and kind of outputs (the constant ``EACH_TASK`` of its file).
    """

    name: str
    kind: str
    title: str
    experiment: grid.Experiment
    inputs: tuple[str, ...]
    each_task: bool

    @property
    def package(self) -> str:
        """The folder of its file, as a dotted name."""
        return _PACKAGES[self.kind]

    @property
    def module(self) -> str:
        """The dotted name of its file."""
        return f"{self.package}.{self.name}"

    @property
    def alias(self) -> str | None:
        """Its numbered name, such as ``table2``; None without a number."""
        return f"{self.kind}{NUMBERS[self.name]}" if self.name in NUMBERS else None

    @property
    def label(self) -> str:
        """What its caption begins with: ``Table 2``, or its name in words."""
        words = self.name.replace("_", " ").capitalize()
        return f"{self.kind.capitalize()} {NUMBERS[self.name]}" if self.name in NUMBERS else words


@cache
def known() -> dict[str, Artifact]:
    """All artifacts by name: tables, then figures, each by number, then those without one.

    Raises:
        ConfigError: a file does not declare its title, its experiment or its inputs as it should.
    """
    found = [_read(kind, name) for kind, package in _PACKAGES.items() for name in registry.names(package)]
    kinds = list(_PACKAGES)
    ordered = sorted(found, key=lambda one: (kinds.index(one.kind), NUMBERS.get(one.name, len(NUMBERS)), one.name))
    return {one.name: one for one in ordered}


def by_any_name() -> dict[str, Artifact]:
    """All artifacts by their names and by their numbered names."""
    return {name: one for one in known().values() for name in (one.name, one.alias) if name is not None}


class ArtifactStep(Step):
    """The step that makes a table or figure; each has a class of its own, with the inputs that its file declares."""

    STAGE: ClassVar[Stage] = "figures"
    ARTIFACT: ClassVar[Artifact]

    out: Path = Field(description="folder to write into")
    label: str = Field(default="", description="what its caption begins with (default: its number, or its name)")

    @classmethod
    def command(cls) -> str:
        return cls.ARTIFACT.name

    @classmethod
    def title(cls) -> str:
        return cls.ARTIFACT.title

    def writes(self) -> list[Path]:
        stems = [f"{self.ARTIFACT.name}_{part}" for part in getattr(self, "parts", ())] or [self.ARTIFACT.name]
        return [self.out / f"{stem}{suffix}" for stem in stems for suffix in SUFFIXES[self.ARTIFACT.kind]]

    def record(self) -> Path:
        return self.out / f"{self.ARTIFACT.name}.json"

    def entries(self) -> tuple[str, ...]:
        return (f"{self.ARTIFACT.module}:write", f"{__name__}:{ArtifactStep.__name__}.run", PERFORM)

    def run(self, identity: Identity) -> None:
        write = registry.find(self.ARTIFACT.package, self.ARTIFACT.name, "write").write
        out = Destination(self.out, self.ARTIFACT.name, self.label or self.ARTIFACT.label)
        write(**{name: getattr(self, name) for name in self.ARTIFACT.inputs}, out=out)


@cache
def artifact_step(name: str) -> type[ArtifactStep]:
    """The class of a table's or figure's step; its file is read, not imported."""
    artifact = known()[name]
    fields: dict[str, Any] = {key: (INPUTS[key], ...) for key in artifact.inputs}
    if artifact.each_task:
        fields["parts"] = (list[str], Field(description="names of the parts that it has files of each for"))
    made = create_model(f"{ArtifactStep.__name__}_{name}", __base__=ArtifactStep, __module__=__name__, **fields)
    made.ARTIFACT, made.GROUP = artifact, f"report_{artifact.experiment}"
    return made


def _read(kind: str, name: str) -> Artifact:
    file = registry.file(_PACKAGES[kind], name)
    tree = ast.parse(file.read_text(encoding="utf-8"))
    title = (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
    constants = dict(_constants(tree))
    written = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "write"]
    taken = [argument.arg for node in written for argument in node.args.args]
    declared = tuple(name for name in taken if name != "out")
    experiment = constants.get("EXPERIMENT")
    if not title or experiment not in grid.EXPERIMENTS or "out" not in taken or not {*declared} <= INPUTS.keys():
        raise ConfigError(
            f"{file}: an artifact needs a title (the first line of its docstring), EXPERIMENT (one of "
            f"{', '.join(grid.EXPERIMENTS)}) and a function write, whose parameters are out and some of "
            f"{', '.join(INPUTS)}"
        )
    return Artifact(name, kind, title, experiment, declared, bool(constants.get("EACH_TASK", False)))


def _constants(tree: ast.Module) -> Iterator[tuple[str, object]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield from ((target.id, node.value.value) for target in node.targets if isinstance(target, ast.Name))
