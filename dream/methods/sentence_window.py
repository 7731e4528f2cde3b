"""Sentence window: find by one sentence, show what stands around it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from dream.methods.method import Method, Search, at_query, method
from dream.methods.nodes import chunk_of, locate_pieces, prepare_llama_index
from dream.records import Chunk, Document, Span


@method
class SentenceWindow(Method):
    """Embed each sentence alone; the language model is shown the sentences on both sides as well."""

    quick: ClassVar[bool] = True

    window: int = Field(3, ge=0, le=50, description="Sentences shown on each side of the one that was found.")
    top_k: int = at_query(4, ge=1, le=100, description="Windows shown to the language model.")

    def split(self, document: Document) -> list[Chunk]:
        """LlamaIndex's SentenceWindowNodeParser, with the window as the exact stretch of the document."""
        prepare_llama_index()
        from llama_index.core import Document as LlamaDocument
        from llama_index.core.node_parser import SentenceWindowNodeParser

        parser = SentenceWindowNodeParser.from_defaults(
            window_size=max(1, self.window),  # it refuses 0, for which the sentence itself is the window
            window_metadata_key="window",
            original_text_metadata_key="sentence",
            include_prev_next_rel=False,
        )
        nodes = parser.get_nodes_from_documents([LlamaDocument(text=document.text)])
        sentences = [str(node.metadata["sentence"]).strip() for node in nodes]
        spans = locate_pieces(document, sentences)
        chunks = []
        for number, (node, sentence) in enumerate(zip(nodes, sentences, strict=True)):
            if not any(letter.isalnum() for letter in sentence):
                continue  # a bullet or a rule: nothing that a question could be near to
            around = spans[max(0, number - self.window) : number + self.window + 1]
            known = [span for span in around if span is not None]
            span = Span(document.id, known[0].start, known[-1].end) if known else None
            shown = str(node.metadata["window"]) if self.window else sentence
            text = document.text[span.start : span.end] if span else shown
            found = spans[number]
            chunk = chunk_of(document, number, text, span, embedded_text=sentence)
            chunks.append(replace(chunk, page=document.page_at(found.start) if found else chunk.page))
        return chunks

    async def retrieve(self, question: str, search: Search) -> list[Chunk]:
        """The windows of the nearest sentences."""
        return await search.nearest(question, self.top_k)
