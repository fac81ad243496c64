"""The typed configuration: what params.yaml may hold, checked before any job starts.

Values live in params.yaml alone; here stand names, types, ranges and meanings. An unknown key, a wrong type or a value
out of range is one :class:`ConfigError` that names the key's path and, for names, the nearest valid one.
"""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, create_model, field_validator, model_validator

from vicious.data.datasets import attribute_sets, dataset_names, find_dataset, official_names
from vicious.data.facts import Dataset
from vicious.mitigations import parse_outputs, parse_trainable
from vicious.models.architecture import ORIGINAL, model, sized
from vicious.study.grid import Experiment
from vicious.system.errors import ConfigError
from vicious.system.registry import nearest
from vicious.system.settings import (
    Checksum,
    Count,
    Decay,
    Depth,
    Distinct,
    NameIn,
    NotNegative,
    OneOf,
    Positive,
    Precision,
    RateShape,
    Seed,
    Strict,
    Width,
    parsed,
    problem_words,
    shortened,
)
from vicious.system.yaml12 import overridden, read_yaml

PARAMS_FILE = Path("params.yaml")
ScaleName = Literal["smoke", "demo", "pilot", "paper"]
DatasetName = Annotated[str, OneOf(dataset_names())]
AttributeSet = Annotated[str, OneOf(attribute_sets())]


class DataParams(Strict):
    """Where real data come from."""

    root: str | None = Field(
        min_length=1,
        description="folder that holds the official files in torchvision's layout; null downloads to data/raw/official",
    )
    checksums: dict[str, Checksum] = Field(
        description="file name -> md5:<hex> or sha256:<hex> of a file that is accepted in place of the official one"
    )

    @field_validator("root")
    @classmethod
    def _expanded(cls, root: str | None) -> str | None:
        if root is None:
            return None
        found = os.path.expanduser(os.path.expandvars(root))  # noqa: PTH111
        if found.startswith("~") or any(sign in found for sign in "${}"):
            raise ValueError(
                f"{root!r} cannot be used: ~ and variables that are set are replaced; other braces, $ or a user who "
                "is unknown here cannot be in a path: write the path out, or rename the folder"
            )
        return found

    @field_validator("checksums")
    @classmethod
    def _known_files(cls, checksums: dict[str, str]) -> dict[str, str]:
        known = official_names()
        for name in checksums:
            if name not in known:
                raise ValueError(f"{name!r} is no official file{nearest(name, known)}")
        return checksums

    split_seed: int = Field(ge=0, description="seed of the cut of the official train set into train and validation")


class RiskParams(Strict):
    """How the covariance is regularised for the reconstruction risk."""

    estimator: Literal["truncated", "ridge", "ledoit_wolf"] = Field(description="covariance estimator of `risk`")
    cutoff: NotNegative = Field(
        description="truncated: keep eigenvalues above cutoff * d * largest; ridge: cutoff * mean eigenvalue is added"
    )


class RuntimeParams(Strict):
    """What a training job may use."""

    threads: Count = Field(description="CPU threads of one job; part of the result, since sums depend on it")
    device: Literal["cpu", "cuda"] = Field(description="where a job computes")


SomeDatasets = Annotated[
    list[DatasetName], Distinct, Field(description="datasets, out of the study's; none: no such experiment")
]
Betas = Annotated[list[Positive], Distinct]
Beta = Annotated[Positive, Field(description="weight of the reconstruction loss")]
Seeds = Annotated[list[Seed], Field(min_length=1), Distinct]
OutputsList = Annotated[list[Literal["logits", "softmax"]], Field(min_length=1), Distinct]
Autoencoder = Annotated[list[Literal["logits", "softmax"]], Distinct]


class Tradeoff(Strict):
    """The sweep of the weight of the reconstruction loss."""

    datasets: SomeDatasets
    outputs: OutputsList = Field(description="what the user sends back")
    beta_r: Betas = Field(description="weights of the reconstruction loss; none: no sweep")


class AttributeSets(Strict):
    """CelebA with growing sets of attributes."""

    sets: Annotated[list[AttributeSet], Distinct] = Field(description="attribute sets; none: no such experiment")
    outputs: OutputsList = Field(description="what the user sends back")
    beta_r: Beta


def _enough_classes(counts: dict[str, list[int]]) -> dict[str, list[int]]:
    for name, numbers in counts.items():
        spec = find_dataset(name)
        if spec.multilabel:
            raise ValueError(f"{spec.title} has attributes, not classes: use attribute_sets")
        if max(numbers) > spec.classes:
            raise ValueError(f"{spec.title} has {spec.classes} classes, {max(numbers)} were asked for")
    return counts


Counts = Annotated[
    dict[DatasetName, Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1), Distinct]],
    AfterValidator(_enough_classes),
]


class ClassCounts(Strict):
    """Datasets restricted to some of their classes, with equally many images for each count."""

    counts: Counts = Field(
        description="dataset -> numbers of classes; each has as many images as the smallest; none: no such experiment"
    )
    outputs: OutputsList = Field(description="what the user sends back")
    beta_r: Beta
    epochs: Count = Field(description="passes over the training images, of which there are few")


class MergedClasses(Strict):
    """Datasets whose classes are merged into groups, with all images for each number of groups."""

    groups: Counts = Field(
        description="dataset -> numbers of groups; that of its classes: none is merged; none: no such experiment"
    )
    outputs: OutputsList = Field(description="what the user sends back")
    beta_r: Beta


def _out_of(chosen: Iterable[object], all_of_them: Collection[object], words: str) -> None:
    """Refuse what another list does not hold, as a ValueError; ``words`` hold a {} for the first."""
    unknown = [one for one in chosen if one not in all_of_them]
    if unknown:
        raise ValueError(words.format(unknown[0]))


Detectors = Annotated[list[Annotated[str, NameIn("vicious.defense.detectors")]], Field(min_length=1), Distinct]
Sent = Annotated[list[Annotated[str, parsed(parse_outputs)]], Field(min_length=1), Distinct]


class AttackModels(Strict):
    """Other attack models beside the original's; the best of all, on validation images, is what a model gives away."""

    experiments: Annotated[list[Experiment], Distinct] = Field(
        description="those whose target models are read by all attack models and the best of them; others: by the "
        "original's alone"
    )
    models: dict[str, dict[str, Any]] = Field(
        description="attack model (src/vicious/models/decoders) -> its settings; depth and width, where a model has "
        "them, are the scale's"
    )

    @field_validator("models")
    @classmethod
    def _known(cls, models: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, settings in models.items():
            if name == ORIGINAL["attack"]:
                raise ValueError(f"leave out {name}, the original's: it is always there")
            try:
                model("attack", name, sized(name, settings, {"depth": 10, "width": 1}))
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return models


class Attackers(Strict):
    """Attackers with other means than the study's, in which all attacks see the target model's training images."""

    datasets: SomeDatasets
    outputs: OutputsList = Field(description="what the user sends back")
    seeds: Seeds = Field(description="one honest and one vicious model per seed")
    beta_r: Beta
    models: Annotated[list[Annotated[str, NameIn("vicious.models.decoders")]], Distinct] = Field(
        description="attack models: the original's, and those of attack_models that a dataset has; none: no such "
        "experiment"
    )
    budgets: Annotated[list[Annotated[int, Field(ge=2, le=1000)]], Distinct] = Field(
        description="times an attack model's usual budget (its epochs, or the size of its fit)"
    )
    images: Annotated[list[Annotated[int, Field(ge=10)]], Distinct] = Field(
        description="most training images of the attacker's"
    )
    images_of: dict[DatasetName, Annotated[list[DatasetName], Field(min_length=1), Distinct]] = Field(
        description="dataset -> others, whose images the attacker has instead; out of the study's"
    )

    @field_validator("images_of")
    @classmethod
    def _alike(cls, images_of: dict[str, list[str]]) -> dict[str, list[str]]:
        for name, others in images_of.items():
            spec = find_dataset(name)
            for other in map(find_dataset, others):
                if other.name == name or other.channels != spec.channels:
                    raise ValueError(
                        f"{other.title} cannot stand in for {spec.title}: choose another dataset, with images of "
                        f"{spec.channels} channel{'s' * (spec.channels > 1)}"
                    )
        return images_of


class Defense(Strict):
    """Detectors that tell vicious from honest models, and servers that know them."""

    datasets: SomeDatasets
    outputs: OutputsList = Field(description="what vicious models are trained to give away")
    seeds: Seeds = Field(description="one honest model, and one vicious one of each weight, per seed")
    beta_r: Betas = Field(min_length=1, description="weights of the reconstruction loss; adaptive ones use the first")
    variant_seeds: Annotated[list[Seed], Distinct] = Field(
        description="out of seeds: those of honest models of other recipes and of adaptive servers"
    )
    recipes: Annotated[list[Annotated[str, NameIn("vicious.training.recipes")]], Distinct] = Field(
        description="other ways to train honest models, which detectors should not flag"
    )
    evasion: dict[Annotated[str, NameIn("vicious.training.penalties")], Betas] = Field(
        description="adaptive servers: detector -> weights of a penalty against it in training; none: no such server"
    )
    hidden: Annotated[list[Annotated[str, NameIn("vicious.models.codes")]], Distinct] = Field(
        description="adaptive servers: ways to hide the code in the outputs of a vicious model once it is trained"
    )
    detectors: Detectors = Field(
        description="that judge every model; those with weights or queries take seconds a draw"
    )
    user_images: Annotated[list[Annotated[int, Field(ge=10)]], Field(min_length=1), Distinct] = Field(
        description="numbers of the user's own labelled images that a detector gets"
    )
    draws: Count = Field(description="samples of user images drawn for each model and number")

    @model_validator(mode="after")
    def _variants_exist(self) -> Self:
        _out_of(self.variant_seeds, self.seeds, "variant_seeds asks for seed {}, which seeds does not list")
        variants = [name for name in ("recipes", "hidden") if getattr(self, name)]
        variants += ["evasion"] if any(self.evasion.values()) else []
        if variants and not self.variant_seeds:
            raise ValueError(f"variant_seeds is empty, so nothing comes of {', '.join(variants)}: empty these too")
        return self


class Mitigations(Strict):
    """What a user can do to the outputs, against attacks that are trained on outputs treated alike."""

    datasets: SomeDatasets
    seeds: Seeds = Field(description="one honest and one vicious model per seed, an attack on each kind of outputs")
    beta_r: Beta
    outputs: Sent = Field(
        description="what the user sends back: logits, softmax, probabilities, temperature<T>, top<k>, round<bits>, "
        "noise<sd>, label"
    )
    trained_for: Annotated[list[Annotated[str, parsed(parse_trainable)]], Distinct] = Field(
        description="out of outputs: those that a vicious server expects and trains a model of its own for"
    )

    @field_validator("trained_for")
    @classmethod
    def _not_logits(cls, trained_for: list[str]) -> list[str]:
        if "logits" in trained_for:
            raise ValueError("leave out logits: the vicious model itself is trained for them")
        return trained_for


class DatasetParams(Strict):
    """What a scale sets, and each dataset may set otherwise for itself."""

    train: Count | None = Field(description="most training images used; null: all")
    validation: Count | None = Field(description="most validation images used; null: the official share")
    test: Count | None = Field(description="most test images used; null: all")
    depth: Depth = Field(description="layers of F and G, 6 n + 4")
    width: Width = Field(description="width factor of F and G")
    epochs: Count = Field(description="passes over the training images, or over the epoch_images drawn for each")
    epoch_images: Count | None = Field(description="most training images of an epoch, drawn anew for each; null: all")
    batch_images: Count = Field(description="images in a batch; with augmented copies twice as many rows")
    learning_rate: Positive = Field(description="of both Adam optimisers; the largest, where it changes")
    rate: RateShape = Field(
        description="how the learning rate changes; one_cycle: it grows for 0.3 of all steps, then falls to 0"
    )
    augmented: bool = Field(description="each image of a batch is joined by one augmented copy")
    average: Decay = Field(
        description="decay of a moving average of the weights, which is validated and saved; 0: none"
    )
    precision: Precision = Field(description="of the networks' layers while they are trained; the rest is float32")
    seeds: Seeds = Field(description="one model of each kind per seed")
    beta_r: Betas = Field(min_length=1, description="weights of the reconstruction loss, one vicious model each")
    outputs: OutputsList = Field(description="what the user sends back")
    autoencoder: Autoencoder = Field(
        description="outputs for which F and G are also trained with beta_c 0, for reconstruction alone"
    )


def _some(of: type[Strict], *keys: str, **parts: type[Strict]) -> type[Strict]:
    """Some keys of a part of the configuration, none of which need be there, as a dataset may set them for itself."""
    chosen = {key: Annotated[field.annotation, field] for key, field in of.model_fields.items() if key in keys}
    fields: dict[str, Any] = {key: (kind, None) for key, kind in {**chosen, **parts}.items()}
    return create_model(f"Some{of.__name__}", __base__=Strict, **fields)


if TYPE_CHECKING:
    Overrides = Strict
else:
    Overrides = _some(
        DatasetParams,
        *DatasetParams.model_fields,
        defense=_some(Defense, "detectors"),
        mitigations=_some(Mitigations, "outputs"),
        attack_models=_some(AttackModels, "models"),
    )


class ScaleParams(DatasetParams):
    """One size of the study."""

    source: Literal["synthetic", "official"] = Field(description="synthetic stand-ins or the official files")
    beta_c: Positive = Field(description="weight of the classification loss")
    tradeoff: Tradeoff
    attribute_sets: AttributeSets
    class_counts: ClassCounts
    merged_classes: MergedClasses
    attack_models: AttackModels
    attackers: Attackers
    defense: Defense
    mitigations: Mitigations
    gallery: Count = Field(description="test images kept with their reconstructions for the gallery figures")
    overrides: dict[DatasetName, Overrides] = Field(description="per dataset: keys that differ from the above")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in (None, *self.overrides):
            cell = self if name is None else self.cell(name)
            where = "" if name is None else f" (overrides.{name})"
            asked = max(self.defense.user_images)
            if name in (None, *self.defense.datasets) and cell.test is not None and asked > cell.test:
                raise ValueError(f"user_images asks for {asked} of the user's images, but test is {cell.test}{where}")
            _out_of(cell.autoencoder, cell.outputs, f"autoencoder asks for {{}}, which outputs does not list{where}")
            if self.source == "synthetic" and None in (cell.train, cell.validation, cell.test):
                raise ValueError(f"source synthetic needs numbers for train, validation and test, not null{where}")
        listed = {ORIGINAL["attack"], *self.attack_models.models}.union(
            *(self.cell(name).attack_models.models for name in self.overrides)
        )
        _out_of(self.attackers.models, listed, "attackers.models asks for {}, which attack_models does not list")
        for name in (None, *self.overrides) if self.attackers.datasets else ():
            own = (self if name is None else self.cell(name)).attack_models.models
            for decoder in (one for one in self.attackers.models if one in own):
                _check_budget(decoder, own[decoder], max(self.attackers.budgets, default=1))
        for name in self.mitigations.datasets:
            block, unlisted = self.cell(name).mitigations, "mitigations.trained_for asks for {}, which outputs of "
            _out_of(block.trained_for, block.outputs, f"{unlisted}{find_dataset(name).title} does not list")
            _check_top(find_dataset(name), block.outputs)
        return self

    def cell(self, dataset: str) -> "ScaleParams":
        """This scale with the overrides of ``dataset`` applied."""
        own = self.overrides.get(dataset)
        return self if own is None else _changed(self, own)


def _check_budget(name: str, settings: dict[str, Any], times: int) -> None:
    """Refuse a budget that an attack model cannot have, as a ValueError."""
    try:
        model("attack", name, sized(name, settings, {"depth": 10, "width": 1})).larger(times)
    except ConfigError as error:
        raise ValueError(f"attackers.budgets asks for {times} times the budget of {name}: {error}") from None


def _check_top(spec: Dataset, sent: list[str]) -> None:
    """Refuse top k of no more than k outputs, which leaves nothing out, as a ValueError."""
    for name in sent:
        outputs = parse_outputs(name)
        if outputs.kind == "top" and outputs.amount >= spec.classes:
            raise ValueError(f"mitigations asks for {name} of {spec.title}, which has {spec.classes} outputs")


Part = TypeVar("Part", bound=Strict)


def _changed(part: Part, by: Strict) -> Part:
    """A part of the configuration with the keys that ``by`` sets, those of its parts one by one."""
    own = {key: getattr(by, key) for key in by.model_fields_set}
    parts = {key: _changed(getattr(part, key), value) for key, value in own.items() if isinstance(value, Strict)}
    return part.model_copy(update=own | parts)


class Scales(Strict):
    """The four sizes of the study."""

    smoke: ScaleParams = Field(description="tests: seconds per dataset")
    demo: ScaleParams = Field(description="a laptop without network: minutes on 2 cores")
    pilot: ScaleParams = Field(description="real data, small models: hours on 2 cores")
    paper: ScaleParams = Field(description="real data, complete, original models: GPU or cluster")


class Params(Strict):
    """The whole of params.yaml."""

    scale: ScaleName = Field(description="which block of `scales` is built")
    datasets: Annotated[list[DatasetName], Field(min_length=1), Distinct] = Field(description="datasets of the study")
    data: DataParams
    risk: RiskParams
    runtime: RuntimeParams
    scales: Scales

    @model_validator(mode="after")
    def _something_is_kept(self) -> Self:
        for name in self.datasets if self.risk.estimator == "truncated" else ():
            pixels = find_dataset(name).pixels
            if self.risk.cutoff * pixels >= 1:
                raise ValueError(
                    f"risk.cutoff {self.risk.cutoff:g} keeps no eigenvalue of {name}: it must be below 1/{pixels}"
                )
        return self

    @property
    def study(self) -> ScaleParams:
        """The chosen scale's block."""
        block: ScaleParams = getattr(self.scales, self.scale)
        return block

    def cell(self, dataset: str) -> ScaleParams:
        """The chosen scale with the overrides of ``dataset`` applied."""
        return self.study.cell(dataset)


def check_params(raw: Mapping[str, Any]) -> Params:
    """Validate a configuration as read from YAML and the command line.

    Raises:
        ConfigError: with one line per problem: the key's path, what was found and expected, the nearest valid name.
    """
    try:
        return Params.model_validate(dict(raw))
    except ValidationError as error:
        problems = [f"  {_describe(problem, raw)}" for problem in error.errors()]
        raise ConfigError("the configuration (params.yaml, --config, --configfile) is not valid:", *problems) from None


def load_params(path: Path = PARAMS_FILE, changes: Iterable[str] = ()) -> Params:
    """Read and validate one YAML file.

    Args:
        changes: ``KEY=VALUE``, as Snakemake's ``--config`` takes them; they win over the file.

    Raises:
        ConfigError: it is missing, is not YAML in UTF-8, holds a key twice, or does not validate.
    """
    return check_params(overridden(read_yaml(path), changes))


def json_schema() -> str:
    """The JSON schema of params.yaml, as committed in workflow/schemas/params.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Params.model_json_schema()}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def _describe(problem: Any, raw: Mapping[str, Any]) -> str:
    path = [part for part in problem["loc"] if part != "[key]"]
    key = ".".join(str(part) for part in path) or "params.yaml"
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(path[-1], _valid_keys(path[:-1]))}"
    if problem["type"] == "missing":
        return f"{key}: this key is missing; params.yaml of the project shows it"
    found, message = problem["input"], problem_words(problem)
    if problem["type"] == "literal_error":
        return f"{key}: {found!r} is not valid{nearest(found, _literal_values(problem['ctx']['expected']))}"
    hint = _number_hint(found) if problem["type"] in ("float_type", "int_type") else ""
    named = isinstance(found, dict) or (isinstance(found, str) and repr(found) in message)
    shown = "" if named else f", found {shortened(found)}"
    return f"{key}: {message}{shown}{hint}"


def _number_hint(found: Any) -> str:
    if not isinstance(found, str):
        return ""
    try:
        float(found)
    except ValueError:
        return ""
    return "; this is text: write the number without quotes"


def _literal_values(expected: str) -> list[str]:
    return [part.strip().strip("'") for part in expected.replace(" or ", ", ").split(",")]


def _valid_keys(path: list[Any]) -> list[str]:
    """Names that are valid below ``path``, found by walking the models' fields."""
    model: Any = Params
    for part in path:
        if model is _OVERRIDES:
            model = Overrides
        elif part == "overrides":
            model = _OVERRIDES
        else:
            model = model.model_fields[part].annotation
    return list(dataset_names()) if model is _OVERRIDES else list(getattr(model, "model_fields", {}))


_OVERRIDES = object()
"""Stands for a mapping from dataset names to :class:`Overrides` while a key's path is walked."""
