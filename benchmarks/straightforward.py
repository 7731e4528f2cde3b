"""Against the straightforward way: the sweep as most people write it, with Ray Tune, LlamaIndex and ragas.

    python -m benchmarks.straightforward [--quick] [--json]

Theirs: each trial reads the documents, builds its own index, asks question after question through
LlamaIndex's query engine, and judges with `ragas.evaluate` (16 calls at once, its default; telemetry off);
Ray Tune tries the grid with its defaults, one processor a trial. Ours: `dream run`, cold ledger, everything
from its start to the page and MLflow included. Both have the same documents, questions, methods, prompt,
models (chat and embeddings of the offline server) and metrics. A model call takes 1 s here, as with hosted
models; the study allows 128 calls at once, which the straightforward way has no means to use.
Target: ours is at least 10 times faster at 12 arms × 40 questions. The means of all scores are compared
too.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.common import (
    SIX,
    counts_anew,
    dream_run,
    finish,
    make_questions,
    outline,
    read_options,
    served_embedding,
    serving,
    write_study,
)

TARGET = 10.0
LATENCY = 1.0
CALLS_AT_ONCE = 128
JUDGING_DIMENSIONS = 384


def trial(config: dict[str, Any]) -> None:
    """One arm, as most people write it."""
    from llama_index.core import PromptTemplate, Settings, SimpleDirectoryReader
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding
    from llama_index.llms.openai_like import OpenAILike
    from ray import tune

    from benchmarks.by_ragas import evaluated
    from dream.methods.nodes import prepare_llama_index
    from dream.methods.prompt import PROMPT

    prepare_llama_index()
    url = config["url"]
    llm = OpenAILike(model=config["llm"], api_base=url, api_key="offline", is_chat_model=True,
                     context_window=16000, temperature=0.0, max_tokens=512)  # fmt: skip
    embedding = OpenAILikeEmbedding(model_name=config["embedding"], api_base=url, api_key="offline",
                                    embed_batch_size=64)  # fmt: skip
    Settings.llm, Settings.embed_model = llm, embedding
    # without the file's name and dates, which LlamaIndex would embed and DREAM does not
    documents = SimpleDirectoryReader(config["corpus"], file_metadata=lambda _: {}).load_data()
    prompt = PromptTemplate(PROMPT.replace("{context}", "{context_str}").replace("{question}", "{query_str}"))
    engine = query_engine(config["method"], documents, prompt)
    rows = []
    for question in config["questions"]:
        found = engine.query(question["question"])
        rows.append(
            {
                "user_input": question["question"],
                "response": str(found),
                "reference": question["reference"],
                "retrieved_contexts": [node.get_content() for node in found.source_nodes],
            }
        )
    scores = evaluated(rows, url, JUDGING_DIMENSIONS)
    tune.report({name: fmean(row[name] for row in scores if not math.isnan(row[name])) for name in SIX})


def query_engine(method: str, documents: Any, prompt: Any) -> Any:
    """LlamaIndex's documented way for each of the methods, with the knobs that DREAM's have by default."""
    from llama_index.core import StorageContext, VectorStoreIndex
    from llama_index.core.node_parser import (
        HierarchicalNodeParser,
        SentenceSplitter,
        SentenceWindowNodeParser,
        get_leaf_nodes,
    )
    from llama_index.core.postprocessor import MetadataReplacementPostProcessor
    from llama_index.core.query_engine import RetrieverQueryEngine
    from llama_index.core.retrievers import AutoMergingRetriever
    from llama_index.core.storage.docstore import SimpleDocumentStore

    if method == "chunks":
        nodes = SentenceSplitter(chunk_size=256, chunk_overlap=32).get_nodes_from_documents(documents)
        return VectorStoreIndex(nodes).as_query_engine(similarity_top_k=4, text_qa_template=prompt)
    if method == "sentence_window":
        parser = SentenceWindowNodeParser.from_defaults(window_size=3)
        window = MetadataReplacementPostProcessor(target_metadata_key="window")
        return VectorStoreIndex(parser.get_nodes_from_documents(documents)).as_query_engine(
            similarity_top_k=4, text_qa_template=prompt, node_postprocessors=[window]
        )
    parser = HierarchicalNodeParser.from_defaults(chunk_sizes=[512, 256, 128], chunk_overlap=16)
    nodes = parser.get_nodes_from_documents(documents)
    store = SimpleDocumentStore()
    store.add_documents(nodes)
    context = StorageContext.from_defaults(docstore=store)
    index = VectorStoreIndex(get_leaf_nodes(nodes), storage_context=context)
    retriever = AutoMergingRetriever(index.as_retriever(similarity_top_k=8), context)
    return RetrieverQueryEngine.from_args(retriever, text_qa_template=prompt)


def straightforward(
    space: dict[str, Any], folder: Path
) -> tuple[float, dict[tuple[str, ...], dict[str, Any]]]:
    """Seconds, and the means of each arm by (method, LLM, embedding)."""
    started = time.monotonic()
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AIR_NEW_OUTPUT": "0", "RAGAS_DO_NOT_TRACK": "true"}
    import ray
    from ray import tune

    ray.init(address="local", include_dashboard=False, logging_level="ERROR", log_to_driver=False,
             object_store_memory=512 * 1024**2)  # fmt: skip
    try:
        found = tune.Tuner(
            trial,
            param_space=space,
            run_config=tune.RunConfig(name="grid", storage_path=str(folder / "tune"), verbose=0),
        ).fit()
        means = {}
        for outcome in found:
            if outcome.error is not None:
                raise RuntimeError(f"the straightforward way failed: {outcome.error}")
            config = outcome.config
            means[config["method"], config["llm"], config["embedding"]] = outcome.metrics
    finally:
        ray.shutdown()
    return time.monotonic() - started, means


def main() -> int:
    """Run both on the same models, compare, print."""
    options = read_options(__doc__, quick="2 arms × 3 questions; mostly start-up")
    quick = options.quick
    latency = 0.1 if quick else LATENCY
    questions = make_questions(3 if quick else 40)
    methods = ["chunks"] if quick else ["chunks", "sentence_window", "auto_merging"]
    llms, sizes = ["extractive", "lead"], [384] if quick else [384, 128]
    with tempfile.TemporaryDirectory() as name, serving(latency) as server:
        folder = Path(name)
        embeddings = {f"hashing-{size}": served_embedding(server.url, size) for size in sizes}
        study = write_study(
            folder, server.url, questions=questions, llms=llms, embeddings=embeddings,
            search={"method": methods}, calls_at_once=CALLS_AT_ONCE,
        )  # fmt: skip
        run = dream_run(study, folder / "store")
        our_calls = server.calls()
        counts_anew(server)
        from ray import tune

        space = {
            "url": server.url, "corpus": str(folder / "corpus"), "questions": questions,
            "method": tune.grid_search(methods), "llm": tune.grid_search(llms),
            "embedding": tune.grid_search(list(embeddings)),
        }  # fmt: skip
        seconds, means = straightforward(space, folder)
        their_calls = server.calls()
    apart = {name: [] for name in SIX}
    for arm in run.said["arms"]:
        theirs = means[arm["arm"]["method"], arm["arm"]["llm"], arm["arm"]["embedding"]]
        for metric in SIX:
            apart[metric].append(abs(arm["metrics"][metric]["mean"] - theirs[metric]))
    ratio = seconds / run.watch.seconds
    found = {
        "arms": len(means), "questions": len(questions), "latency": latency, "calls_at_once": CALLS_AT_ONCE,
        "straightforward_seconds": round(seconds, 1), "our_seconds": run.watch.seconds,
        "straightforward_calls": their_calls, "our_calls": our_calls,
        "means_apart": {name: {"mean": round(fmean(each), 4), "most": round(max(each), 4)}
                        for name, each in apart.items()},
        "run": outline(run),
    }  # fmt: skip
    return finish(options, ratio, f"at least {TARGET:g} times faster", ratio >= TARGET, found)


if __name__ == "__main__":
    sys.exit(main())
