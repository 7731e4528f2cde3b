"""Questions, entities and headings made by rule for ragas' TestsetGenerator."""

from dream.models.offline.testset import ask, combine_concepts, find_entities, find_headlines, summarize

TEXT = """Retrieval on Ray

Ray Tune runs one trial for each arm. The trials wait for models most of their time, so many run at once.

Storage

MinIO keeps every artefact of a study. The Ray workers read artefacts from MinIO by their hash.
"""


def test_a_question_names_its_term_and_is_answered_by_a_sentence_of_the_text():
    made = ask({"term": "artefact", "context": TEXT, "persona": {"name": "Ann"}})
    assert made["answer"] in TEXT and "artefact" in made["answer"]
    assert made["query"].endswith("?") and "artefact" in made["query"]


def test_personas_ask_different_questions():
    asked = {ask({"term": "", "context": TEXT, "persona": {"name": str(n)}})["query"] for n in range(20)}
    assert len(asked) >= 3


def test_a_question_over_two_passages_is_answered_from_both():
    made = ask(
        {
            "themes": ["trial", "artefact"],
            "context": [f"<1-hop>\n\n{TEXT}", "<2-hop>\n\nAn artefact has a hash that names it."],
        }
    )
    first = made["answer"].removesuffix(" An artefact has a hash that names it.")
    assert first != made["answer"] and first in TEXT


def test_entities_are_names_and_there_are_always_some():
    assert {"Ray", "MinIO"} <= set(find_entities(TEXT, 10))
    assert len(find_entities("all of this text is in lower case and names nobody at all.", 10)) >= 3


def test_headlines_stand_verbatim_and_in_order():
    assert find_headlines(TEXT, 5) == ["Retrieval on Ray", "Storage"]
    plain = (
        "Ray runs many tasks on its nodes every day. " * 3 + "Actors keep some state in their own memory. "
    )
    headlines = find_headlines(plain, 5)
    assert headlines and all(headline in plain for headline in headlines)


def test_a_summary_is_made_of_the_text():
    assert all(part in TEXT for part in summarize(TEXT).split(". ")[:1])
    assert len(summarize(TEXT)) < len(TEXT)


def test_concepts_are_paired_across_lists():
    pairs = combine_concepts([["a", "b"], ["c", "d"], ["e"]], most=4)
    assert len({tuple(pair) for pair in pairs}) == len(pairs) == 4
    lists = {"a": 0, "b": 0, "c": 1, "d": 1, "e": 2}
    assert all(lists[first] != lists[second] for first, second in pairs)
