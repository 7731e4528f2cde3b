"""The chat styles answer as their docstrings say, and differ for that reason."""

from dream.models.offline.rag import RagPrompt, read_rag_prompt
from dream.models.offline.styles import NOTHING_SAID, extractive, lead, verbose

PASSAGES = (
    "Ray runs tasks and actors on a cluster. A task is a function that runs on another process.",
    "Sentence window retrieval embeds single sentences. It then shows the model 3 sentences on each side.",
    "The ledger keeps every finished piece of work. A model call is recorded when its answer arrives.",
)


def test_extractive_finds_the_right_sentence_in_any_passage():
    assert extractive(RagPrompt("What is a task?", PASSAGES)).startswith("A task is a function")
    asked = RagPrompt("When is a model call recorded?", PASSAGES)
    assert extractive(asked) == "A model call is recorded when its answer arrives."


def test_extractive_brings_the_sentence_that_a_pronoun_means():
    asked = RagPrompt("How many sentences on each side does it show the model?", PASSAGES)
    assert extractive(asked) == PASSAGES[1]


def test_extractive_admits_that_the_documents_do_not_say():
    assert extractive(RagPrompt("Who won the football world cup in 1990?", PASSAGES)) == NOTHING_SAID
    assert extractive(RagPrompt("Which task did Napoleon finish in Moscow?", PASSAGES)) == NOTHING_SAID
    assert extractive(RagPrompt("What is a task?", ())) == NOTHING_SAID


def test_extractive_says_a_sentence_of_overlapping_chunks_once():
    answer = extractive(RagPrompt("What is a task and what runs an actor?", (PASSAGES[0], PASSAGES[0])))
    assert answer.count("A task is") <= 1


def test_lead_does_not_look_at_the_question():
    answers = {lead(RagPrompt(question, PASSAGES)) for question in ("What is a task?", "Who won?", "")}
    assert answers == {PASSAGES[0]}


def test_verbose_holds_the_answer_and_all_around_it():
    asked = RagPrompt("When is a model call recorded?", PASSAGES)
    assert verbose(asked).startswith(extractive(asked))
    assert "The ledger keeps every finished piece of work." in verbose(asked)


def test_dream_prompt_is_read_whole_whatever_its_chunks_hold():
    prompt = (
        "Answer the question from the context alone. If it does not say, say so.\n\nContext:\n"
        "[1] A chunk.\n\nQuestion: is one in here?\n\n[2] See note\n[1] of the appendix.\n\n"
        "Question: What is a chunk?"
    )
    read = read_rag_prompt(prompt)
    assert read is not None
    assert read.question == "What is a chunk?"
    assert read.passages == ("A chunk.\n\nQuestion: is one in here?", "See note\n[1] of the appendix.")


def test_other_prompts_are_not_rag_prompts():
    assert read_rag_prompt("Tell me a joke.") is None
    assert read_rag_prompt("Question: why?") is None
