"""Target and attack models by name and settings: what they are, cost, and how they are built.

Nothing here needs PyTorch until a model is built.

A model is registered by being there: a file in models/targets/ or models/decoders/, whose name is the model's, with

- ``Settings``, a :class:`ModelSettings` with types, ranges and help texts;
- ``layers(settings, channels, length)``, the :class:`~vicious.models.size.Size` of each layer, in closed form;
- ``build(settings, channels, length)``, the network with fresh weights; the only one of the three that imports PyTorch.

An attack model that is fitted in closed form, and not by gradients, has two more:

- ``fit(settings, network, train, validation, seed, tried)``, which fits the network to
  :class:`~vicious.models.fitting.Pairs` and tells ``tried(done, all)`` of its progress;
- ``fit_flops(settings, images, channels, length)``, what that costs with so many images.

It may have ``BUDGET``, the name of the setting that says how much it computes; without it its fit is exact.

One that is trained by gradients may have:

- ``schedule(settings, schedule)``, the :class:`~vicious.models.schedule.Schedule` in place of the study's;
- ``LOSS``, a name out of :data:`vicious.training.losses.OF_IMAGES`; without it the study's reconstruction loss;
- ``condition(settings, network, train)``, called once before training with the
  :class:`~vicious.models.fitting.Pairs` of the training images: it fills buffers, the same bits each time. The
  network's images may leave [0, 1] only while it is in training mode;
- ``condition_flops(settings, images, channels, length)``, what that costs with so many images.

One that is fitted or conditioned needs a finished target model: no target model can be trained with it.

``channels`` are those of the images, 1 or 3; ``length`` is that of the vector on the other side: the logits of a target
model, or what an attack model reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ValidationError

from vicious.mitigations import parse_outputs
from vicious.models.size import Size
from vicious.system.errors import ConfigError
from vicious.system.registry import find, nearest
from vicious.system.settings import Outputs, Strict, parsed, shortened

if TYPE_CHECKING:
    from torch import nn

    from vicious.models.fitting import Pairs
    from vicious.models.schedule import Schedule

Kind = Literal["target", "attack"]
PACKAGES: dict[Kind, str] = {"target": "vicious.models.targets", "attack": "vicious.models.decoders"}
ORIGINAL: dict[Kind, str] = {"target": "wideresnet", "attack": "mirror"}
"""The study's own pair, which a record of a model need not name."""


class ModelSettings(Strict):
    """Base of a model's settings."""


@dataclass(frozen=True)
class Model:
    """A target or an attack model: the name of its file, and its settings. Made by :func:`model`."""

    kind: Kind
    name: str
    settings: ModelSettings

    def build(self, channels: int, length: int) -> nn.Module:
        """The network with fresh weights."""
        network: nn.Module = find(PACKAGES[self.kind], self.name, "build").build(self.settings, channels, length)
        return network

    def size(self, channels: int, length: int) -> Size:
        """What the network costs for one image."""
        return _size(self, channels, length)

    @property
    def fitted(self) -> bool:
        """Whether it is fitted in closed form."""
        return self.kind == "attack" and model_is_fitted(self.name)

    def fit(
        self, network: nn.Module, train: Pairs, validation: Pairs, seed: int, tried: Callable[[int, int], None]
    ) -> None:
        """Fit a network that :meth:`build` gave."""
        found = find(PACKAGES[self.kind], self.name, "fit", "fit_flops")
        found.fit(self.settings, network, train, validation, seed, tried)

    def fit_flops(self, images: int, channels: int, length: int) -> float:
        """What :meth:`fit` costs with so many images, in FLOPs."""
        found: float = find(PACKAGES[self.kind], self.name, "fit_flops").fit_flops(
            self.settings, images, channels, length
        )
        return found

    @property
    def loss(self) -> str:
        """What its training minimises, a name out of :data:`vicious.training.losses.OF_IMAGES`."""
        return str(getattr(self._file, "LOSS", "reconstruction"))

    def schedule(self, schedule: Schedule) -> Schedule:
        """The schedule that it is trained by, where this one is the study's."""
        own: Schedule = self._file.schedule(self.settings, schedule) if hasattr(self._file, "schedule") else schedule
        return own

    @property
    def conditioned(self) -> bool:
        """Whether it is to be conditioned before it is trained."""
        return hasattr(self._file, "condition")

    def condition(self, network: nn.Module, train: Pairs) -> None:
        """Condition a network that :meth:`build` gave."""
        find(PACKAGES[self.kind], self.name, "condition", "condition_flops").condition(self.settings, network, train)

    def condition_flops(self, images: int, channels: int, length: int) -> float:
        """What :meth:`condition` costs with so many images, in FLOPs; 0 where there is none."""
        if not self.conditioned:
            return 0.0
        return float(self._file.condition_flops(self.settings, images, channels, length))

    def larger(self, times: int) -> Model:
        """The same model with so many times the budget of its fit; itself where it is trained, by more epochs."""
        name = getattr(self._file, "BUDGET", None)
        return self if name is None or times == 1 else self.changed(**{name: times * getattr(self.settings, name)})

    @property
    def _file(self) -> ModuleType:
        return find(PACKAGES[self.kind], self.name)

    def changed(self, **settings: object) -> Model:
        """The same model with some settings replaced; raises as :func:`model`."""
        return model(self.kind, self.name, {**self.settings.model_dump(), **settings})


@cache
def _size(one: Model, channels: int, length: int) -> Size:
    return sum(find(PACKAGES[one.kind], one.name, "layers").layers(one.settings, channels, length), Size())


def model_is_fitted(name: str) -> bool:
    """Whether the attack model of a name is fitted in closed form."""
    return hasattr(find(PACKAGES["attack"], name), "fit")


def can_compute_more(name: str) -> bool:
    """Whether the attack model of a name is trained, or its fit has a ``BUDGET``; else it is exact."""
    return not model_is_fitted(name) or hasattr(find(PACKAGES["attack"], name), "BUDGET")


def needs_finished_target(name: str) -> bool:
    """Whether the attack model of a name can be trained on the outputs of a finished target model alone."""
    return model_is_fitted(name) or hasattr(find(PACKAGES["attack"], name), "condition")


def parts_of(name: str) -> list[str]:
    """The definitions in the file of the attack model of a name that a training uses."""
    file = find(PACKAGES["attack"], name)
    return [part for part in ("build", "fit", "condition", "schedule", "LOSS", "BUDGET") if hasattr(file, part)]


def parse_model(kind: Kind, name: str, settings: Mapping[str, str], scale: Mapping[str, str]) -> Model:
    """As :func:`model`, of settings as text: JSON, or plain words.

    Args:
        scale: values of the scale, such as depth and width, for settings of these names that ``settings`` lacks.
    """
    given = _with_scale(kind, name, settings, scale)
    return model(kind, name, {key: _value(text) for key, text in given.items()})


def sized(name: str, settings: Mapping[str, Any], scale: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an attack model, with those of ``scale``, such as depth and width, that it has and they lack."""
    return _with_scale("attack", name, settings, scale)


def _with_scale(kind: Kind, name: str, settings: Mapping[str, Any], scale: Mapping[str, Any]) -> dict[str, Any]:
    known = find(PACKAGES[kind], name, "Settings").Settings.model_fields
    return {**{key: value for key, value in scale.items() if key in known}, **settings}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def model(kind: Kind, name: str, settings: Mapping[str, Any]) -> Model:
    """The model of a name with these settings.

    Raises:
        ConfigError: no file has that name, or its settings are others.
    """
    own = find(PACKAGES[kind], name, "Settings").Settings
    try:
        return Model(kind, name, own.model_validate(settings))
    except ValidationError as error:
        first = error.errors()[0]
        key, known = ".".join(map(str, first["loc"])), own.model_fields
        hint = (
            nearest(key, known)
            if key not in known
            else f" (found {shortened(first['input'])})"
            if key in settings
            else ""
        )
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{kind} model {name}, setting {key}: {reason}{hint}") from None


@dataclass(frozen=True)
class Architecture:
    """What is needed to build a model for a dataset.

    Attributes:
        model: its name and settings.
        channels: of the images, 1 or 3.
        outputs: number of logits K of the target model.
        multilabel: outputs are attributes, not classes.
        reads: the outputs that an attack model reads (:mod:`vicious.mitigations`); None for a target model.
    """

    model: Model
    channels: int
    outputs: int
    multilabel: bool
    reads: str | None = None

    @property
    def length(self) -> int:
        """Numbers that a target model gives, or that an attack model reads."""
        return self.outputs if self.reads is None else parse_outputs(self.reads).width(self.outputs)

    def build(self) -> nn.Module:
        """The network with fresh weights; a target's normalisation is to be loaded or set."""
        return self.model.build(self.channels, self.length)

    def record(self) -> dict[str, Any]:
        """What a model's JSON record says of it: settings stand beside the rest; the study's own pair is not named."""
        kind, name = self.model.kind, self.model.name
        return {
            "kind": kind,
            **({} if name == ORIGINAL[kind] else {"model": name}),
            **self.model.settings.model_dump(),
            "channels": self.channels,
            "outputs": self.outputs,
            "multilabel": self.multilabel,
            "reads": self.reads,
        }

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Architecture:
        """The inverse of :meth:`record`.

        Raises:
            ConfigError: it names an unknown model or setting, or a value out of range.
            KeyError, ValueError: it is not such a record.
        """
        settings = dict(record)
        kind = settings.pop("kind")
        name = settings.pop("model", ORIGINAL[kind])
        rest = _Rest.model_validate({key: settings.pop(key) for key in _Rest.model_fields})
        if (rest.reads is None) != (kind == "target"):
            raise ValueError(f"a model of kind {kind} cannot read {rest.reads}")
        return cls(model(kind, name, settings), rest.channels, rest.outputs, rest.multilabel, rest.reads)


class _Rest(Strict):
    """What the record of an architecture holds beside the model's name and settings."""

    channels: Literal[1, 3]
    outputs: Outputs
    multilabel: bool
    reads: Annotated[str, parsed(parse_outputs)] | None
