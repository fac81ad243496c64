"""The steps of the study: one file for each command, found by its name.

A step is declared once, as a class of its file: its settings are its fields, and it says what it reads and writes, what
it needs of a machine, and how it runs. All else derives from that: the command line (:mod:`vicious.cli`), the
workflow's rules, the records of provenance, what ``verify`` and ``discard`` compare them with, and the budget.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from vicious.mitigations import parse_outputs
from vicious.steps._needs import LIGHT, Cost, Need, Work
from vicious.system.errors import ConfigError
from vicious.system.registry import find, names
from vicious.system.runtime import limit_threads
from vicious.system.settings import Count

Threads = Annotated[Count, Field(description="CPU threads; part of the result, since sums depend on their order")]
Device = Annotated[Literal["cpu", "cuda"], Field(description="where to compute")]


@dataclass(frozen=True)
class Files:
    """Annotation of a setting that is a path, or a list of some: which files it stands for.

    Attributes:
        of: those that a path stands for.
        written: the step writes them; else it reads them.
    """

    of: Callable[[Path], Sequence[Path]] = lambda path: [path]
    written: bool = False


def prepared_files(folder: Path) -> list[Path]:
    """The files of a prepared dataset."""
    return [folder / "dataset.json", *(folder / name for name in ARRAYS)]


def model_files(weights: Path) -> list[Path]:
    """A model's weights, or a training's curve, and the record beside."""
    return [weights, weights.with_suffix(".json")]


Read = Annotated[Path, Files()]
Written = Annotated[Path, Files(written=True)]
PreparedData = Annotated[Path, Files(prepared_files), Field(description="folder of a prepared dataset")]
Weights = Annotated[Path, Files(model_files)]
Identity = Callable[..., str]
"""The identity of code by its meaning, from entries as :meth:`Step.entries` gives them."""
Stage = Literal["data", "models", "assessments", "summaries", "figures"]
ARRAYS = tuple(f"{split}_{kind}.npy" for split in ("train", "validation", "test") for kind in ("images", "labels"))
"""Files of a prepared dataset, beside dataset.json."""


class Step(BaseModel):
    """One step of the study: its fields are its settings, each an option of its command."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    STAGE: ClassVar[Stage] = "summaries"
    """Which stage of dvc.yaml it belongs to."""
    ON_GPU: ClassVar[bool] = False
    """Whether it computes where ``runtime.device`` says; else on the CPU."""
    LOCAL: ClassVar[bool] = False
    """Whether it runs beside Snakemake rather than as a cluster's job: it needs the network, or next to nothing."""
    GROUP: ClassVar[str | None] = None
    """Name of the cluster jobs that steps of this kind share, which may hold the rule's wildcards."""
    PLACES: ClassVar[frozenset[str]] = frozenset()
    """Settings that a machine may have of its own, where files lie say: what is made is the same whatever they are."""

    @classmethod
    def command(cls) -> str:
        """The name of its command, ``train-honest``: that of its file."""
        return cls.__module__.rsplit(".", 1)[-1].replace("_", "-")

    @classmethod
    def rule(cls) -> str:
        """The name of the workflow's rule, ``train_honest``."""
        return cls.command().replace("-", "_")

    @classmethod
    def title(cls) -> str:
        """What it does, in a line."""
        return (cls.__doc__ or cls.command()).splitlines()[0].removesuffix(".")

    def reads(self) -> list[Path]:
        """The files that it reads, those that lie beside a named one included."""
        return self._files(written=False)

    def inputs(self) -> list[Path]:
        """Of the files that it reads those that the workflow watches: not a dataset's arrays, of which dataset.json has
        the hash. They are four in ten of all files of a large plan, and Snakemake takes its time for each."""
        return [file for file in self.reads() if file.name not in ARRAYS]

    def writes(self) -> list[Path]:
        """The files that it writes, apart from the record of provenance; the most important one first."""
        return self._files(written=True)

    def _files(self, written: bool) -> list[Path]:
        found = []
        for name, field in type(self).model_fields.items():
            for files in (one for one in field.metadata if isinstance(one, Files) and one.written == written):
                value = getattr(self, name)
                paths = value if isinstance(value, list) else [value] if value is not None else []
                found += [file for path in paths for file in files.of(path)]
        return found

    def record(self) -> Path | None:
        """Where its record of provenance stands among results, by default beside its first file; None: it has none."""
        return self.writes()[0].with_suffix(".provenance.json")

    def lookups(self) -> list[str]:
        """Code that it looks up by a name in its settings: modules, or definitions (``module:name``)."""
        return []

    def need(self, work: Work) -> Need:
        """What it needs of a machine, for data and models of these sizes."""
        return LIGHT

    def cost(self, work: Work) -> Cost:
        """What it costs, for data and models of these sizes."""
        return Cost()

    @abstractmethod
    def run(self, identity: Identity) -> Mapping[str, Any] | None:
        """Do it.

        Args:
            identity: gives the identity of code, by which unfinished work is known again.

        Returns:
            Measured times of its parts, if it measures any.
        """

    def entries(self) -> tuple[str, ...]:
        """The code whose meaning is this step's code identity (:mod:`vicious.provenance.identity`)."""
        return (self.code(), PERFORM, *self.lookups())

    @classmethod
    def code(cls) -> str:
        """The entry of what :meth:`run` reaches."""
        return f"{cls.__module__}:{cls.__name__}.run"

    def settings(self) -> dict[str, Any]:
        """Its settings as plain values, as they stand in a record."""
        return self.model_dump(mode="json")

    def options(self) -> list[str]:
        """Its settings as words of a command line; those that are left at their defaults are left out."""
        words: list[str] = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value is not None and value != field.get_default(call_default_factory=True):
                option, values = f"--{'no-' * (value is False)}{name.replace('_', '-')}", list(_words(value))
                dashed = any(word.startswith("-") for word in values)  # which a parser would take for an option
                words += [f"{option}={word}" for word in values] if dashed else [option, *values]
        return words


def perform(step: Step, identity: Identity) -> Mapping[str, Any] | None:
    """Run a step with the threads that it asks for; see :meth:`Step.run`."""
    limit_threads(getattr(step, "threads", 1))
    return step.run(identity)


PERFORM = f"{perform.__module__}:{perform.__name__}"
"""What stands between any step's settings and its code, and so counts as code of every step."""


def _words(value: object) -> Iterator[str]:
    if isinstance(value, bool):
        return
    if isinstance(value, list | tuple):
        yield from map(str, value)
    else:
        yield repr(value) if isinstance(value, float) else str(value)


@cache
def step_class(command: str) -> type[Step]:
    """The class of a command's step.

    Raises:
        ConfigError: there is none of this name, or its file holds no such class or several.
    """
    module = find("vicious.steps", command.replace("-", "_"))
    found = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Step) and one.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise ConfigError(f"{module.__name__.replace('.', '/')}.py must define one step, and defines {len(found)}")
    return found[0]


def commands() -> tuple[str, ...]:
    """The commands of all steps but tables and figures; nothing is imported for this."""
    return tuple(name.replace("_", "-") for name in names("vicious.steps"))


def mitigation_file(outputs: str) -> str:
    """The module that says what the user sends, for :meth:`Step.lookups`."""
    return f"vicious.mitigations.{parse_outputs(outputs).kind}:MITIGATION"
