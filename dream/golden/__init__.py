"""The golden dataset: questions from files and from ragas, with the spans of their evidence."""

from dream.golden.build import build_golden
from dream.golden.dataset import GoldenDataset, read_golden
from dream.golden.load import load_questions
from dream.golden.locate import locate
from dream.golden.raw import Piece, RawQuestion
from dream.golden.shelf import Shelf

__all__ = [
    "GoldenDataset",
    "Piece",
    "RawQuestion",
    "Shelf",
    "build_golden",
    "load_questions",
    "locate",
    "read_golden",
]
