"""The metadata of a crate: what was run, by which software, on which data, with which values, and what came of it.

Entities have names that follow from what they are, so that the same results give the same bytes. A file of the crate is
a data entity. One that a record names and that is not in the crate is described with its hash, and has no place.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from vicious import __version__
from vicious.crate.citation import Author, Citation, Work
from vicious.crate.jobs import Job, Jobs
from vicious.crate.parameters import Parameter
from vicious.data.datasets import find_dataset
from vicious.provenance.records import ENDING
from vicious.study import paths
from vicious.study.artifacts import known
from vicious.system.errors import CrateError

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

SNAKEFILE, README, TERMS, LOCK = "Snakefile", "README.md", "DATA_LICENSES.md", "requirements.lock"
CONTEXT = "https://w3id.org/ro/terms/workflow-run/context"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
FORMATS = {
    ".cff": "application/yaml",
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".npy": "application/octet-stream",
    ".npz": "application/zip",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".rst": "text/x-rst",
    ".safetensors": "application/octet-stream",
    ".tex": "application/x-tex",
    ".toml": "application/toml",
    ".yaml": "application/yaml",
}
"""Media types by the ending of a file's name; all others are plain text."""
COMPLETED, FAILED = (f"http://schema.org/{name}ActionStatus" for name in ("Completed", "Failed"))
RUN = "#run"
_RESULTS = ("summaries", "figures")
"""Stages whose files are what the workflow is run for."""
_ABOUT = {
    "CITATION.cff": "how to cite the software and the study that it rebuilds",
    "LICENSE": "terms of the software and of the results",
    LOCK: "every library with its version and hashes, from which the environment is made",
    TERMS: "terms of the datasets",
    "params.yaml": "every parameter of the study with its meaning",
}


@dataclass(frozen=True)
class Held:
    """A file of the crate: its SHA-256, and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Described:
    """What a crate is of.

    Attributes:
        scale: of the study.
        jobs: that were run.
        parameters: of the run; none where they are not known.
        citation: of the project.
        agent: who ran it; "" where that is not said.
    """

    scale: str
    jobs: Jobs
    parameters: Sequence[Parameter]
    citation: Citation
    agent: str = ""


def metadata(study: Described, held: Mapping[str, Held]) -> dict[str, Any]:
    """The content of ro-crate-metadata.json.

    Args:
        held: the files that are in the crate, by their paths in the project; Snakefile is one.

    Raises:
        CrateError: Snakefile is missing, or the library that describes crates.
    """
    if SNAKEFILE not in held:
        raise CrateError(f"{SNAKEFILE} is missing, which a crate is about: run this in the project's root folder")
    return _Graph(study, held).content()


class _Graph:
    """Entities as they are added; each is referred to as ``{"@id": ...}``."""

    def __init__(self, study: Described, held: Mapping[str, Held]) -> None:
        self._crate = _empty_crate()
        self._study, self._held = study, held
        self._software = study.citation.software
        self._authors = [self._author(one) for one in self._software.authors]
        self._licence = self._put(
            f"https://spdx.org/licenses/{self._software.licence}", "CreativeWork", name=self._software.licence
        )

    def content(self) -> dict[str, Any]:
        """All of it."""
        study = self._study
        datasets = {name: self._dataset(name, source) for name, source in study.jobs.datasets.items()}
        values = [self._value(one) for one in study.parameters]
        self._files()
        self._workflow(values)
        actions = [self._action(job, datasets) for job in study.jobs.jobs]
        self._root([self._run(values, datasets.values()), *actions])
        found: dict[str, Any] = self._crate.metadata.generate()
        return found

    def _put(self, identifier: str, kind: str, /, **properties: Any) -> dict[str, str]:
        """Add an entity that is no file, or name it if it is there; empty properties are left out."""
        from rocrate.model import ContextEntity

        if identifier not in self._crate:
            self._crate.add(ContextEntity(self._crate, identifier, properties={"@type": kind, **_filled(properties)}))
        return {"@id": identifier}

    def _author(self, author: Author) -> dict[str, str]:
        kind = "Person" if author.person else "Organization"
        return self._put(author.orcid or f"#author/{quote(author.name)}", kind, name=author.name)

    def _article(self, work: Work) -> dict[str, str]:
        return self._put(
            work.address or f"#article/{quote(work.title)}",
            "ScholarlyArticle",
            name=work.title,
            author=[self._author(one) for one in work.authors],
            datePublished=str(work.year or ""),
            url=work.address,
        )

    def _dataset(self, name: str, source: str) -> dict[str, str]:
        facts = find_dataset(name)
        if source == "synthetic":
            return self._put(
                f"#dataset/{name}",
                "Dataset",
                name=f"Synthetic stand-in for {facts.title}",
                description=f"Synthetic: images that this project draws, in the file format of {facts.title}. They are "
                f"not {facts.title}.",
                creator=self._authors,
                license=self._licence,
            )
        accepted = [
            str(one).partition("=")[0]
            for job in self._study.jobs.jobs
            if job.record.command == "fetch" and job.record.settings.get("dataset") == name
            for one in job.record.settings.get("checksum") or ()
        ]
        words = f" Accepted by checksum in place of the official files: {', '.join(accepted)}." if accepted else ""
        return self._put(
            f"#dataset/{name}",
            "Dataset",
            name=facts.title,
            description=f"Real images.{words} The official files themselves are not in the crate.",
            url=facts.homepage,
            license=facts.licence,
        )

    def _value(self, parameter: Parameter) -> dict[str, str]:
        """A value, and the slot of the workflow that it fills."""
        slot, value = f"#parameter/{parameter.name}", f"#value/{parameter.name}"
        self._put(
            slot,
            "FormalParameter",
            name=parameter.name,
            description=parameter.description,
            additionalType=parameter.kind,
            workExample={"@id": value},
        )
        about = {"name": parameter.name, "value": parameter.value, "exampleOfWork": {"@id": slot}}
        return self._put(value, "PropertyValue", **about)

    def _files(self) -> None:
        """Every file of the crate but the workflow's main one."""
        about = dict(_ABOUT)
        about[str(paths.report(self._study.scale))] = "all results of the scale on one page"
        shown = {
            file: job.title for job in self._study.jobs.jobs for file in job.outputs if job.record.command in known()
        }
        told = {str(job.path): job for job in self._study.jobs.jobs}
        for name, file in sorted(self._held.items()):
            job = told.get(name)
            properties = {
                "name": name,
                "description": shown.get(name, about.get(name, "")) if job is None else "record of provenance",
                "encodingFormat": FORMATS.get(Path(name).suffix, "text/plain"),
                "contentSize": str(file.size),
                "sha256": file.sha256,
                "about": {"@id": "./"} if name == README else "" if job is None else {"@id": _action_name(job)},
            }
            if name != SNAKEFILE:
                self._crate.add_file(dest_path=name, properties=_filled(properties))

    def _file(self, name: str, sha: str = "") -> dict[str, str]:
        """What stands for a file: itself where it is in the crate; else its description, without a place."""
        if name in self._held:
            return {"@id": quote(name)}
        inside = not (Path(name).is_absolute() or ".." in Path(name).parts)
        shown = name if inside else Path(name).name
        return self._put(
            f"#file/{quote(shown)}/{sha[:16]}",
            "CreativeWork",
            name=shown,
            description="Not in this crate; known by its SHA-256.",
            sha256=sha,
        )

    def _workflow(self, values: Sequence[Mapping[str, str]]) -> None:
        file = self._held[SNAKEFILE]
        properties = {
            "name": f"{self._software.title}: the workflow",
            "description": "Builds every table and figure of the study from raw files.",
            "version": __version__,
            "license": self._licence,
            "creator": self._authors,
            "encodingFormat": "text/plain",
            "contentSize": str(file.size),
            "sha256": file.sha256,
            "input": [{"@id": value["@id"].replace("#value/", "#parameter/")} for value in values],
            "hasPart": [self._file(name) for name in sorted(self._held) if name.endswith(".smk")],
        }
        self._crate.add_workflow(dest_path=SNAKEFILE, main=True, lang="snakemake", properties=_filled(properties))

    def _action(self, job: Job, datasets: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """What one job did."""
        fetched = datasets.get(str(job.record.settings.get("dataset"))) if job.record.command == "fetch" else None
        failure = job.failure
        return self._put(
            _action_name(job),
            "CreateAction",
            name=f"{job.title} ({str(job.path).removesuffix(ENDING).removesuffix('.json')})",
            description=_told(job),
            instrument=self._program(job),
            agent=self._agent(),
            startTime="" if job.started is None else job.started.isoformat(timespec="seconds"),
            endTime=job.finished.isoformat(timespec="seconds"),
            actionStatus="" if failure is None else FAILED if failure else COMPLETED,
            error=failure,
            object=[*([fetched] if fetched else []), *(self._file(*one) for one in job.record.inputs.items())],
            result=[self._file(*one) for one in job.outputs.items()],
        )

    def _run(self, values: Iterable[Mapping[str, str]], datasets: Iterable[Mapping[str, str]]) -> dict[str, str]:
        """What the whole workflow did."""
        study, jobs = self._study, self._study.jobs
        files = {file: sha for job in jobs.jobs if job.stage in _RESULTS for file, sha in job.outputs.items()}
        report = str(paths.report(study.scale))
        failed = sum(bool(job.failure) for job in jobs.jobs)
        whole = len(jobs.jobs) == jobs.planned and all(job.failure is not None for job in jobs.jobs)
        return self._put(
            RUN,
            "CreateAction",
            name=f"Run of the workflow at the scale {study.scale}",
            description=f"{len(jobs.jobs)} of the {jobs.planned} jobs of the plan are recorded. Jobs may have run at "
            "several times, and on several machines.",
            instrument={"@id": SNAKEFILE},
            agent=self._agent(),
            startTime=jobs.started.isoformat(timespec="seconds"),
            endTime=jobs.finished.isoformat(timespec="seconds"),
            actionStatus=FAILED if failed else COMPLETED if whole else "",
            error=f"jobs that failed, which tables show: {failed}" if failed else "",
            object=[*datasets, *([self._file("params.yaml")] if "params.yaml" in self._held else []), *values],
            result=[
                *(self._file(*one) for one in files.items()),
                *([self._file(report)] if report in self._held else []),
            ],
        )

    def _agent(self) -> Mapping[str, str] | str:
        return (
            self._put(f"#agent/{quote(self._study.agent)}", "Person", name=self._study.agent)
            if self._study.agent
            else ""
        )

    def _program(self, job: Job) -> dict[str, str]:
        """The command that a job ran, of the version and with the libraries that its record names."""
        code, libraries = job.record.code, sorted(job.record.libraries.items())
        version = "+".join(filter(None, [code.package or "", (code.commit or "")[:9] + ".dirty" * bool(code.dirty)]))
        which = hashlib.sha256(json.dumps([version, code.hash, libraries]).encode()).hexdigest()[:12]
        identity = "" if code.hash is None else f" The identity of its code is {code.hash}."
        return self._put(
            f"#program/{job.record.command}/{which}",
            "SoftwareApplication",
            name=f"vicious {job.record.command}",
            description=f"{job.title}.{identity}",
            softwareVersion=version,
            license=self._licence,
            softwareRequirements=[
                self._put(
                    f"pkg:{_kind(name)}/{name}@{number}", "SoftwareApplication", name=name, softwareVersion=number
                )
                for name, number in libraries
            ],
        )

    def _root(self, actions: Sequence[Mapping[str, str]]) -> None:
        study, root = self._study, self._crate.root_dataset
        profiles = [
            self._put(name, "CreativeWork", name=title, version=version) for name, (title, version) in PROFILES.items()
        ]
        drawn = sorted({*study.jobs.datasets.values()}) == ["synthetic"]
        images = (
            "All images are synthetic: they show that the workflow works, not what real models leak. " if drawn else ""
        )
        properties = {
            "name": f"{self._software.title}: results of the scale {study.scale}",
            "description": f"Results with the workflow that made them, and where each comes from. {images}The datasets "
            f"have terms of their own, which {TERMS} lists.",
            "datePublished": study.jobs.finished.date().isoformat(),
            "license": self._licence,
            "author": self._authors,
            "citation": [self._article(one) for one in study.citation.references],
            "conformsTo": profiles,
            "mentions": actions,
        }
        for name, value in _filled(properties).items():
            root[name] = value
        self._crate.metadata["conformsTo"] = [
            {"@id": self._crate.metadata.profile},
            {"@id": next(name for name in PROFILES if "workflowhub" in name)},
        ]


def _empty_crate() -> "ROCrate":
    try:
        from rocrate.rocrate import ROCrate
    except ModuleNotFoundError:
        raise CrateError("the library rocrate is not installed: `make env` installs it") from None
    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(CONTEXT)
    return crate


def _filled(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties that are not empty; a list of one is that one."""
    kept = {name: value for name, value in properties.items() if value is not None and value != "" and value != []}
    return {
        name: value[0] if isinstance(value, list) and len(value) == 1 and name != "@type" else value
        for name, value in kept.items()
    }


def _action_name(job: Job) -> str:
    return f"#job/{quote(str(job.path))}"


def _kind(library: str) -> str:
    """The kind of a package's address."""
    return "generic" if library == "python" else "pypi"


def _told(job: Job) -> str:
    """What a job was told, how long it took, and on which machine."""
    record, machine = job.record, job.record.hardware
    plain = {name: value for name, value in sorted(record.settings.items()) if not _names_files(value)}
    parts = [f"vicious {record.command} with {json.dumps(plain, sort_keys=True)}."]
    parts += [] if record.seconds is None else [f"It took {record.seconds:g} s."]
    parts += [] if record.peak_mb is None else [f"It held {record.peak_mb:g} MB of memory at most."]
    where = [str(machine[key]) for key in ("processor", "gpu", "system") if machine.get(key)]
    parts += [f"It ran on {', '.join(where)}."] if where else []
    return " ".join(parts)


def _names_files(value: object) -> bool:
    """Whether a setting names files, which stand among a job's objects and results."""
    if isinstance(value, list):
        return any(map(_names_files, value))
    return value is None or (isinstance(value, str) and "/" in value)
