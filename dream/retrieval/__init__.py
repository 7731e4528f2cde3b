"""Immutable, memory-mapped indexes and the search in them."""
