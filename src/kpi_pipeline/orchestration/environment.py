"""Settings for tasks, from the environment of the worker."""

from __future__ import annotations

import os

from kpi_pipeline.settings import Settings, from_environment


def settings() -> Settings:
    """Settings from `KPI_*`; raises ConfigurationError that names the variable at fault."""
    return from_environment(os.environ)
