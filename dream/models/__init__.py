"""Chat and embedding models: one code path, the OpenAI-compatible HTTP API, and two that need no server."""
