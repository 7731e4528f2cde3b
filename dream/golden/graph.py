"""ragas' knowledge graph of a few documents, made the same way every time.

ragas gives every node a random id and lets its order decide; here ids come from what a node holds, so
that the same documents lead to the same prompts, and a run that is started again finds its answers in
the ledger.

Import this module only where ragas is used: ragas takes seconds to import.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.documents import Document as RagasDocument
from ragas.run_config import RunConfig
from ragas.testset.graph import KnowledgeGraph, Node, NodeType, Relationship
from ragas.testset.transforms import apply_transforms, default_transforms
from ragas.testset.transforms.splitters import HeadlineSplitter
from ragas.utils import num_tokens_from_string

from dream.errors import DreamError
from dream.golden.load import spread_evenly
from dream.golden.tokens import use_shipped_encodings
from dream.models.recorded import RecordedEmbedding, RecordedLLM  # switches ragas' telemetry off
from dream.records import Document

# Every section costs three model calls; this many are read for each question that is wanted.
SECTIONS_PER_QUESTION = 4
FEWEST_SECTIONS = 12

_NAMESPACE = uuid.UUID("6f1b8b5e-7a53-4bb4-9d0e-2f6f3f1c9a10")


class ContiguousSplitter(HeadlineSplitter):
    """ragas' splitter, but what it joins to one section always stands together in the text."""

    def adjust_chunks(self, chunks: list[str]) -> list[str]:
        """Sections of at least ``min_tokens`` and at most ``max_tokens``."""
        split: Callable[[list[str]], list[str]] = super().adjust_chunks
        adjusted: list[str] = []
        near: list[str] = []
        for chunk in chunks:
            # ragas joins what is left of a long one to a short one from before it
            if num_tokens_from_string(chunk) > self.max_tokens:
                adjusted += split(near) + split([chunk])
                near = []
            else:
                near.append(chunk)
        return adjusted + split(near)


def build_graph(
    documents: Sequence[Document],
    questions: int,
    llm: RecordedLLM,
    embedding: RecordedEmbedding,
    calls_at_once: int,
) -> KnowledgeGraph:
    """Summaries, sections, entities and themes of the documents, and which of them are alike.

    The steps are those of ragas' ``default_transforms``. Between them: headlines are put in the order of
    the text, a document that was not split becomes one section, and only as many sections are kept,
    spread evenly, as the questions need.

    Raises:
        DreamError: ragas found nothing in the documents to ask about.
    """
    nodes = [
        Node(
            id=_id_of("document", document.id, document.text),
            type=NodeType.DOCUMENT,
            properties={"page_content": document.text, "document_metadata": {"id": document.id}},
        )
        for document in documents
    ]
    graph = KnowledgeGraph(nodes=nodes)
    use_shipped_encodings()
    texts = [RagasDocument(page_content=document.text) for document in documents]
    to_type: Any = embedding  # ragas takes its newer kind of embedding too, but does not say so
    transforms: Any = default_transforms(texts, llm, to_type)
    config = RunConfig(max_workers=calls_at_once)
    for step in transforms:
        transform = step
        if isinstance(transform, HeadlineSplitter):
            _order_headlines(graph)
            transform = ContiguousSplitter(min_tokens=transform.min_tokens, max_tokens=transform.max_tokens)
        if not graph.nodes:
            break
        apply_transforms(graph, transform, run_config=config)
        if isinstance(transform, HeadlineSplitter):
            _settle_sections(graph, max(FEWEST_SECTIONS, SECTIONS_PER_QUESTION * questions))
    if not any(node.get_property("entities") for node in graph.nodes):
        raise DreamError("ragas found nothing to ask about", todo="look at the text that was read")
    return graph


def owners(graph: KnowledgeGraph) -> dict[str, str]:
    """The id of the document that each section or document text comes from, by text."""
    return {
        str(node.properties["page_content"]): str(node.properties["document_metadata"]["id"])
        for node in graph.nodes
    }


def _order_headlines(graph: KnowledgeGraph) -> None:
    """Ragas cuts at the headlines in the order that the model named them, and loses what lies back."""
    for node in graph.nodes:
        text, named = node.properties["page_content"], node.get_property("headlines") or []
        standing = {text.find(headline): headline for headline in named if headline.strip()}
        node.properties["headlines"] = [standing[at] for at in sorted(standing) if at >= 0]


def _settle_sections(graph: KnowledgeGraph, most: int) -> None:
    """Name the sections by what they hold, give every document at least one, and keep ``most``."""
    documents = [node for node in graph.nodes if node.get_property("document_metadata")]
    # ragas adds a document that it did not split to the graph a second time
    documents = list({node.id: node for node in documents}.values())
    sections: list[tuple[Node, Node]] = [
        (link.source, link.target) for link in graph.relationships if link.type == "child"
    ]
    split = {source.id for source, _ in sections}
    for document in documents:
        if document.id not in split:
            whole = Node(
                type=NodeType.CHUNK, properties={"page_content": document.properties["page_content"]}
            )
            sections.append((document, whole))
    sections = [pair for pair in sections if pair[1].properties["page_content"].strip()]
    for number, (document, section) in enumerate(sections):
        section.id = _id_of("section", document.id.hex, str(number))
        section.properties["document_metadata"] = document.properties["document_metadata"]
    kept = spread_evenly(sections, most)
    graph.nodes = [*documents, *(section for _, section in kept)]
    # the links between neighbours go: nothing that comes after looks at them
    graph.relationships = [
        Relationship(type="child", source=document, target=section) for document, section in kept
    ]


def _id_of(*parts: str) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, "\0".join(parts))
