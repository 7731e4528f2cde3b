"""``python -m dream.cli``: the same as ``dream``."""

from dream.cli import main

main()
