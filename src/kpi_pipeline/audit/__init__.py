"""Great Expectations at both doors: on landed slices, and on what is about to be published.

What is expected is data, in `expectations/`; here it is only run and its outcome named.
"""

from kpi_pipeline.audit.engine import load_early
from kpi_pipeline.audit.incoming import audit_in
from kpi_pipeline.audit.outcome import AuditOutcome
from kpi_pipeline.audit.outgoing import audit_out
from kpi_pipeline.runlog import Check

__all__ = ["AuditOutcome", "Check", "audit_in", "audit_out", "load_early"]
