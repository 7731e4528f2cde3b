"""Where the work runs: a Ray of this machine, or one that is connected to."""
