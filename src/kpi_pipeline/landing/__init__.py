"""Landing: sources become slices under `landing/`, bad rows are kept with the reason.

A slice's files are named by their content and found only through its `slice.json`.
"""

from kpi_pipeline.landing.arrivals import Arrival, arrival
from kpi_pipeline.landing.load import land
from kpi_pipeline.landing.organisation import (
    ORGANISATION_FILE,
    land_organisation,
    refuse_moved_identity,
)
from kpi_pipeline.slices import Slice

__all__ = [
    "ORGANISATION_FILE",
    "Arrival",
    "Slice",
    "arrival",
    "land",
    "land_organisation",
    "refuse_moved_identity",
]
