"""The errors a user can meet. Each message names the file or key, what was expected, and the next step."""

from vicious.system.escape import escaped


class ViciousError(Exception):
    """Base of every error that is the user's to solve; the command line prints it without a traceback.

    Args:
        lines: of the message. Each stays one line, whatever names of files and values are in it.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)

    def __str__(self) -> str:
        return "\n".join(map(escaped, self.args))


class ConfigError(ViciousError):
    """A key or value of params.yaml (or of ``--config``) is not valid."""


class DataError(ViciousError):
    """A dataset file is missing, altered, truncated or not what its name says."""


class DownloadError(DataError):
    """No mirror delivered the official bytes."""


class CheckpointError(ViciousError):
    """Weights and model description do not belong together, or are damaged."""


class TrainingError(ViciousError):
    """Training cannot go on, for instance because the loss is no longer finite."""


class MetricError(ViciousError):
    """A measure was asked of values for which it is not defined."""


class MixedResultsError(ViciousError):
    """Results of different configurations were offered to one table."""


class IncompleteStudyError(ViciousError):
    """Some cells of an experiment failed."""


class ClaimError(ViciousError):
    """A published value was not found again."""


class ProvenanceError(ViciousError):
    """Results are not what their provenance says, or have none."""


class PublishedError(ViciousError):
    """Models cannot be published, or published ones are damaged."""


class CrateError(ViciousError):
    """A research object of a study cannot be written."""


class AuditError(ViciousError):
    """A model, its images or its outputs cannot be audited."""


class StudyRunningError(ViciousError):
    """A folder is still in use."""


class UnlockError(ViciousError):
    """A folder's lock could not be removed."""


class StorageError(ViciousError):
    """The file system refused to take the results (full, read-only, no permission)."""
