"""The offline models: a small deterministic OpenAI-compatible server without weights.

It answers RAG prompts by copying sentences from their context, in styles whose quality differs for
known reasons (``extractive``, ``lead``, ``verbose``), and ragas prompts by counting words. Demo, tests
and the in-cluster smoke test use it; whatever it scored is labelled *offline*.

    with start() as server:
        client = openai.OpenAI(base_url=server.url, api_key="offline")
"""

from dream.models.offline.options import Faults, ServerOptions
from dream.models.offline.process import RunningServer, start
from dream.models.offline.serve import serve
from dream.models.offline.styles import STYLES
from dream.models.offline.version import OFFLINE_VERSION

__all__ = ["OFFLINE_VERSION", "STYLES", "Faults", "RunningServer", "ServerOptions", "serve", "start"]
