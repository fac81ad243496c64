"""Snakemake's logger `vicious`: the progress of a study in one view. profiles/default turns it on.

Snakemake loads this module wherever it is installed, for whatever workflow. So it prints what Snakemake itself would
print until a workflow hands it a view: a log record whose attribute ``view`` makes one. It imports nothing of the
package, whose code is that beside the Snakefile.
"""

import os
import sys
from logging import Formatter, LogRecord
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase


class LogHandler(LogHandlerBase):
    """Hands messages to the view of the workflow, and prints them as Snakemake does where there is none.

    There is none in a dry run, with ``--verbose``, ``--printshellcmds`` or ``--debug-dag``, whose messages are asked
    for, and with ``--quiet all``. With any other ``--quiet`` the view says what failed alone.
    """

    def __post_init__(self) -> None:
        from snakemake.logging import ColorizingTextHandler  # not above: Snakemake loads this module while it loads

        asked = self.common_settings
        self._stream = sys.stdout if asked.stdout else sys.stderr
        self._own = ColorizingTextHandler(
            nocolor=bool(asked.nocolor or os.environ.get("NO_COLOR")), stream=self._stream
        )
        full = asked.dryrun or asked.verbose or asked.printshellcmds or asked.debug_dag
        quiet = {getattr(one, "name", str(one)).lower() for one in asked.quiet or ()}
        self._viewed, self._quiet = not full and "all" not in quiet, not quiet.isdisjoint({"progress", "rules"})
        self._view: Any = None

    @property
    def writes_to_stream(self) -> bool:
        """It takes the place of Snakemake's own messages on standard error."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """The complete messages stay in .snakemake/log, which Snakemake writes."""
        return False

    @property
    def has_filter(self) -> bool:
        """Snakemake's own filter is asked for."""
        return False

    @property
    def has_formatter(self) -> bool:
        """Snakemake's own formatter makes the words of its messages."""
        return False

    @property
    def needs_rulegraph(self) -> bool:
        """It has no use for the graph."""
        return False

    def addFilter(self, filter: Any) -> None:
        """Take Snakemake's filter for what is printed as Snakemake does. A view needs all messages, to count jobs."""
        self._own.addFilter(filter)

    def setFormatter(self, fmt: Formatter | None) -> None:
        """Take Snakemake's formatter, which is given after this is made."""
        super().setFormatter(fmt)
        self._own.setFormatter(fmt)

    def emit(self, record: LogRecord) -> None:
        """Show a message. A view that fails is reported and given up: it must not hide what Snakemake says."""
        make = getattr(record, "view", None)
        try:
            if make is not None:
                if self._viewed:
                    self._view = make(
                        stream=self._stream,
                        colour=not self._own.nocolor,
                        excerpts=self.common_settings.show_failed_logs,
                        quiet=self._quiet,
                    )
                return
            if self._view is not None:
                self._view.take(record, self.format(record))
                return
        except Exception:
            self._give_up(record)
        if not (self._viewed and str(getattr(record, "event", "")) == "workflow_started"):
            self._own.handle(record)

    def _give_up(self, record: LogRecord) -> None:
        view, self._view, self._viewed = self._view, None, False
        self.handleError(record)
        if view is not None:
            view.close()

    def close(self) -> None:
        """The run has ended."""
        view, self._view = self._view, None
        if view is not None:
            view.close()
        super().close()
