"""Documents from files: ``read_corpus`` for all of them, ``read_document`` for one, ``push_corpus`` to S3."""

from dream.corpus.push import PushResult, push_corpus
from dream.corpus.read import PARSER_ID, read_document
from dream.corpus.registry import Note, Parsed, UnreadableError, reader
from dream.corpus.remembered import parse_once, parsed_document, read_corpus_once
from dream.corpus.source import SourceFile, gather, list_files, read_corpus

__all__ = [
    "PARSER_ID",
    "Note",
    "Parsed",
    "PushResult",
    "SourceFile",
    "UnreadableError",
    "gather",
    "list_files",
    "parse_once",
    "parsed_document",
    "push_corpus",
    "read_corpus",
    "read_corpus_once",
    "read_document",
    "reader",
]
