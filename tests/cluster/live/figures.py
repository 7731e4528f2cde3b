"""What the tests measured: printed at the end of the run, and kept as JSON for docs/operations.md."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .cluster import ROOT

FILE = Path(os.environ.get("DREAM_TEST_CLUSTER_FIGURES") or ROOT / ".dream" / "test-cluster.json")


class Figures(dict[str, object]):
    """Figures by what they say."""

    def write(self) -> None:
        """Print them, and put them into the file beside those of runs of other tests."""
        before = json.loads(FILE.read_text()) if FILE.exists() else {}
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(json.dumps({**before, **self}, indent=1, default=str))
        for name, value in self.items():
            shown = f"{value:.0f}" if isinstance(value, float) else value
            print(f"{name}: {shown}")
