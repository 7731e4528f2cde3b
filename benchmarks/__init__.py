"""Programs that measure; each prints what it saw, and one JSON object with ``--json``."""
