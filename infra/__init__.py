"""Programs for the platform engineer; nothing here is part of the package ``dream``."""
