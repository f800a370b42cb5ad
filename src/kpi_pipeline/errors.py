"""The errors a user can cause. Each message is a sentence that says what to do."""

from __future__ import annotations


class PipelineError(Exception):
    """Something the user can mend. The CLI prints the message and exits with `exit_code`."""

    exit_code = 1


class ConfigurationError(PipelineError):
    """The environment or the workspace is wrong: names file, row, column and what was expected."""

    exit_code = 2


class UntrustedDataError(PipelineError):
    """A check marked `stop` failed, so nothing was published."""

    exit_code = 3


class BuildError(PipelineError):
    """dbt could not build the models."""

    exit_code = 4


class DeliveryError(PipelineError):
    """At least one mail failed or its outcome is unknown."""

    exit_code = 5
