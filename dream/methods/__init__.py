"""RAG methods, one file each; ``@method`` registers one, a user's own included."""

from dream.methods.method import (
    Method,
    Search,
    at_query,
    find_method,
    method,
    method_names,
    notebook_methods,
)

__all__ = ["Method", "Search", "at_query", "find_method", "method", "method_names", "notebook_methods"]
