"""Sentences and words as the rules see them."""

from dream.models.offline.overlap import overlap
from dream.models.offline.words import sentences, terms


def test_lines_broken_by_a_pdf_are_joined_and_headings_are_not():
    text = (
        "2.1 Chunk overlap\nNeighbouring chunks share some of their text so that a\nsentence is whole in one."
    )
    assert sentences(text) == (
        "2.1 Chunk overlap",
        "Neighbouring chunks share some of their text so that a sentence is whole in one.",
    )


def test_rows_of_a_table_and_bullets_stand_alone():
    long = "A line that is much longer than the rows of the table above it."
    text = f"MiniLM 384 22.7 MB\nHashing 384 0 MB\n{long}\n- one\n- two"
    assert sentences(text)[:2] == ("MiniLM 384 22.7 MB", "Hashing 384 0 MB")
    assert sentences(text)[-2:] == ("- one", "- two")


def test_abbreviations_initials_and_decimals_do_not_end_a_sentence():
    text = "Dr. J. Smith measured 3.5 s, e.g. Ray started. It ended."
    assert sentences(text) == ("Dr. J. Smith measured 3.5 s, e.g. Ray started.", "It ended.")


def test_numbers_are_the_same_however_they_are_written():
    assert terms("1,000").keys() == terms("1000").keys()
    assert terms("0.50").keys() == terms("0.5").keys()
    assert terms("three").keys() == terms("3").keys()
    assert terms("512").keys() != terms("51").keys()


def test_nothing_to_look_for_supports_nothing():
    assert not overlap("It is.", "It is.").supported
    assert sentences("") == () and not terms("")


def test_a_wrong_number_makes_a_statement_unsupported_however_many_words_fit():
    text = "The limiter hands out leases in batches of 64 requests for each provider of the cluster."
    assert overlap("The limiter hands out leases in batches of 64 requests.", text).supported
    assert not overlap("The limiter hands out leases in batches of 32 requests.", text).supported
