"""Chunks with overlap: the plain method that every other has to beat."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from dream.methods.method import Method, Search, at_query, method
from dream.methods.nodes import chunk_of, locate_pieces, prepare_llama_index
from dream.records import Chunk, Document


@method
class Chunks(Method):
    """Cut at sentence ends into chunks of about equal length that overlap; retrieve the nearest."""

    quick: ClassVar[bool] = True

    chunk_size: int = Field(256, ge=16, le=8192, description="Most tokens of a chunk.")
    chunk_overlap: int = Field(32, ge=0, description="Tokens that a chunk shares with the one before it.")
    top_k: int = at_query(4, ge=1, le=100, description="Chunks shown to the language model.")

    @model_validator(mode="after")
    def _overlap_is_smaller(self) -> Chunks:
        if self.chunk_overlap >= self.chunk_size:
            raise ValueError(f"chunk_overlap must be below chunk_size, {self.chunk_size}")
        return self

    def split(self, document: Document) -> list[Chunk]:
        """LlamaIndex's SentenceSplitter, each piece with its span."""
        prepare_llama_index()
        from llama_index.core.node_parser import SentenceSplitter

        splitter = SentenceSplitter(chunk_size=self.chunk_size, chunk_overlap=self.chunk_overlap)
        texts = splitter.split_text(document.text)
        spans = locate_pieces(document, texts)
        return [
            chunk_of(document, number, text, span)
            for number, (text, span) in enumerate(zip(texts, spans, strict=True))
        ]

    async def retrieve(self, question: str, search: Search) -> list[Chunk]:
        """The nearest chunks."""
        return await search.nearest(question, self.top_k)
