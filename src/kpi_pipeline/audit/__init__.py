"""Great Expectations at both doors: on landed slices, and on what is about to be published.

What is expected is data, in `expectations/`; here it is only run and its outcome named.
"""

from kpi_pipeline.audit.doors import AuditOutcome, audit_in, audit_out
from kpi_pipeline.runlog import Check

__all__ = ["AuditOutcome", "Check", "audit_in", "audit_out"]
