"""Hierarchical auto-merging: find small chunks, show their parent where enough of it was found."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator, model_validator

from dream.methods.method import Method, Search, at_query, method
from dream.methods.nodes import chunk_of, chunks_of, locate_pieces, node_of, prepare_llama_index
from dream.records import Chunk, Document, Span
from dream.retrieval.index import Index

if TYPE_CHECKING:
    from llama_index.core.schema import NodeWithScore, QueryBundle
    from llama_index.core.storage import StorageContext


@method
class AutoMerging(Method):
    """A tree of ever smaller chunks, of which only the leaves are indexed; siblings merge when found."""

    quick: ClassVar[bool] = True

    chunk_sizes: list[int] = Field(
        [512, 256, 128], min_length=2, description="Most tokens of a chunk on each level; must descend."
    )
    chunk_overlap: int = Field(16, ge=0, description="Tokens that neighbours on a level share.")
    top_k: int = at_query(8, ge=1, le=100, description="Leaves to find, before they are merged.")
    merge_share: float = at_query(
        0.5, ge=0, le=1, description="A parent replaces its children when more than this share was found."
    )

    @field_validator("chunk_sizes")
    @classmethod
    def _descending(cls, sizes: list[int]) -> list[int]:
        # Ascending sizes cut a chunk into "smaller" pieces that are the chunk itself: no leaf to find.
        if any(later >= earlier for earlier, later in pairwise(sizes)) or sizes[-1] < 16:
            raise ValueError("chunk_sizes must descend, down to 16 at least, such as [512, 256, 128]")
        return sizes

    @model_validator(mode="after")
    def _overlap_is_smaller(self) -> AutoMerging:
        if self.chunk_overlap >= self.chunk_sizes[-1]:
            raise ValueError(f"chunk_overlap must be below {self.chunk_sizes[-1]}, the smallest chunk size")
        return self

    def split(self, document: Document) -> list[Chunk]:
        """LlamaIndex's HierarchicalNodeParser; every chunk names its parent."""
        prepare_llama_index()
        from llama_index.core import Document as LlamaDocument
        from llama_index.core.node_parser import HierarchicalNodeParser

        parser = HierarchicalNodeParser.from_defaults(
            chunk_sizes=list(self.chunk_sizes),
            chunk_overlap=self.chunk_overlap,
            include_prev_next_rel=False,
        )
        nodes = parser.get_nodes_from_documents([LlamaDocument(text=document.text)])
        numbers = {node.node_id: number for number, node in enumerate(nodes)}
        by_parent = defaultdict(list)
        for node in nodes:
            by_parent[node.parent_node.node_id if node.parent_node else None].append(node)
        spans: dict[str, Span | None] = {}
        # Parents come before their children, and a child stands within its parent's span.
        for parent_id, children in by_parent.items():
            parent = spans.get(parent_id) if parent_id else None
            start, end = (parent.start, parent.end) if parent else (0, len(document.text))
            within = Document(document.id, document.text[start:end])
            found = locate_pieces(within, [child.get_content() for child in children])
            for child, span in zip(children, found, strict=True):
                spans[child.node_id] = (
                    Span(document.id, span.start + start, span.end + start) if span else None
                )
        return [
            chunk_of(
                document,
                numbers[node.node_id],
                node.get_content(),
                spans[node.node_id],
                parent=f"{document.id}#{numbers[node.parent_node.node_id]}" if node.parent_node else None,
            )
            for node in nodes
        ]

    async def retrieve(self, question: str, search: Search) -> list[Chunk]:
        """LlamaIndex's AutoMergingRetriever over the nearest leaves."""
        prepare_llama_index()
        from llama_index.core.retrievers import AutoMergingRetriever
        from llama_index.core.schema import NodeWithScore, QueryBundle

        leaves = await search.nearest(question, self.top_k)
        store = _storage_context(search.index)
        found = [NodeWithScore(node=store.docstore.get_node(leaf.id), score=leaf.score) for leaf in leaves]
        # It only ever calls its retriever's `retrieve`; the nearest leaves are known already.
        retriever = AutoMergingRetriever(
            _Found(found),  # type: ignore[arg-type]
            store,
            simple_ratio_thresh=self.merge_share,
        )
        merged = retriever.retrieve(QueryBundle(question))
        return chunks_of(merged, search.index.chunks)


@dataclass(frozen=True)
class _Found:
    """A retriever that has retrieved."""

    nodes: list[NodeWithScore]

    def retrieve(self, _: QueryBundle) -> list[NodeWithScore]:
        return self.nodes


@lru_cache(maxsize=8)
def _storage_context(index: Index) -> StorageContext:
    """All nodes of an index as LlamaIndex keeps them: with parents, children and neighbours.

    Neighbours are children of one parent, or tops of one document, as HierarchicalNodeParser has them.
    """
    from llama_index.core.schema import NodeRelationship, RelatedNodeInfo
    from llama_index.core.storage import StorageContext
    from llama_index.core.storage.docstore import SimpleDocumentStore

    siblings = defaultdict(list)
    for chunk in index.chunks.values():
        siblings[chunk.parent or _above_tops(chunk)].append(chunk.id)
    nodes = {chunk.id: node_of(chunk, siblings[chunk.id]) for chunk in index.chunks.values()}
    for before, after in (pair for family in siblings.values() for pair in pairwise(family)):
        nodes[before].relationships[NodeRelationship.NEXT] = RelatedNodeInfo(node_id=after)
        nodes[after].relationships[NodeRelationship.PREVIOUS] = RelatedNodeInfo(node_id=before)
    store = SimpleDocumentStore()
    store.add_documents(list(nodes.values()))
    return StorageContext.from_defaults(docstore=store)


def _above_tops(chunk: Chunk) -> str:
    """A name for the document that no chunk has: ``report.pdf#``."""
    return chunk.id.rpartition("#")[0] + "#"
