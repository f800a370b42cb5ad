"""What a deployment sets: a folder with `sources.yml`, `reports.yml` and `organisation/*.csv`.

`load` reads and checks it as a whole; `write_template` writes a commented one to start from.
"""

from kpi_pipeline.workspace.loading import load
from kpi_pipeline.workspace.model import (
    Aggregate,
    OrgColumn,
    Person,
    Policy,
    Product,
    Source,
    Table,
    Workspace,
)
from kpi_pipeline.workspace.schema import ALL, SCOPE_KINDS, TABLES, TEAMS
from kpi_pipeline.workspace.writing import write_template

__all__ = [
    "ALL",
    "SCOPE_KINDS",
    "TABLES",
    "TEAMS",
    "Aggregate",
    "OrgColumn",
    "Person",
    "Policy",
    "Product",
    "Source",
    "Table",
    "Workspace",
    "load",
    "write_template",
]
