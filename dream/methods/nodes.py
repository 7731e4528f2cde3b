"""Between LlamaIndex's nodes and our chunks, with exact character spans."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dream.records import Chunk, Document, Span

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode, NodeWithScore


def prepare_llama_index() -> None:
    """Point the tokenizer at the files that LlamaIndex ships, so that nothing is downloaded."""
    import llama_index.core

    shipped = Path(llama_index.core.__file__).parent / "_static" / "tiktoken_cache"
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(shipped))


def locate_pieces(document: Document, texts: Sequence[str]) -> list[Span | None]:
    """Where each text stands in the document, for texts that come in the document's order.

    Splitters cut the text and strip the pieces, so each stands there verbatim; equal pieces are told
    apart by order. A piece may start before its predecessor ends (overlap), never before it starts.

    >>> document = Document("a", "one two. one two. end")
    >>> locate_pieces(document, ["one two.", "two. one two.", "gone"])
    [Span(document='a', start=0, end=8), Span(document='a', start=4, end=17), None]
    """
    spans: list[Span | None] = []
    position = 0
    for text in texts:
        start = document.text.find(text, position) if text else -1
        spans.append(Span(document.id, start, start + len(text)) if start >= 0 else None)
        if start >= 0:
            position = start + 1
    return spans


def chunk_of(document: Document, number: int, text: str, span: Span | None, **more: Any) -> Chunk:
    """A chunk named by its document and its number in it."""
    page = document.page_at(span.start) if span else None
    return Chunk(id=f"{document.id}#{number}", text=text, span=span, page=page, **more)


def node_of(chunk: Chunk, children: Sequence[str] = ()) -> BaseNode:
    """A chunk as LlamaIndex's retrievers want it, with its parent and children as relationships."""
    from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

    node = TextNode(id_=chunk.id, text=chunk.text)
    if chunk.parent:
        node.relationships[NodeRelationship.PARENT] = RelatedNodeInfo(node_id=chunk.parent)
    if children:
        node.relationships[NodeRelationship.CHILD] = [RelatedNodeInfo(node_id=child) for child in children]
    return node


def chunks_of(found: Sequence[NodeWithScore], chunks: Mapping[str, Chunk]) -> list[Chunk]:
    """Retrieved nodes as our chunks, with their scores."""
    from dataclasses import replace

    return [replace(chunks[each.node.node_id], score=each.score) for each in found]
