"""Who is working on what: among the processes of a machine by locks, among machines by a Ray actor."""

from dream.claims.agreement import Agreement, agreement_for
from dream.claims.locks import Claims, claims_beside

__all__ = ["Agreement", "Claims", "agreement_for", "claims_beside"]
