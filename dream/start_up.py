"""What a process of DREAM's own does before it imports large libraries."""

from __future__ import annotations

import atexit
import gc

# Objects made, less those freed, until Python looks for cycles among them: 700 unless told. ragas, MLflow and
# Ray make a million while they are imported, all of which stay.
RARELY = 100_000


def collect_rarely() -> None:
    """Make the garbage collector look less often: a quarter of the time that ragas takes to be imported.

    Nor does it look through all of that once more when the process ends, which took most of a second. For
    the command line and Ray's workers; the process of a notebook, or of whoever imports DREAM, is theirs.
    """
    gc.set_threshold(RARELY)
    atexit.register(gc.freeze)
