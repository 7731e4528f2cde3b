"""The judge's verdicts, one metric's prompt after the other."""

from dream.models.offline.judging import (
    ask_back,
    classify_correctness,
    judge_recall,
    judge_statements,
    judge_usefulness,
    split_statements,
)

CONTEXT = "Chunks hold 512 tokens by default. Neighbouring chunks overlap by 64 tokens."


def test_an_empty_answer_still_has_a_statement():
    assert len(split_statements({"question": "?", "answer": ""})["statements"]) == 1


def test_statements_are_judged_one_by_one_with_the_missing_words_as_reason():
    given = ["Chunks hold 512 tokens by default.", "Chunks hold 256 tokens by default.", "Ray starts actors."]
    judged = judge_statements({"context": CONTEXT, "statements": given})["statements"]
    assert [one["verdict"] for one in judged] == [1, 0, 0]
    assert [one["statement"] for one in judged] == given
    assert "256" in judged[1]["reason"] and "actors" in judged[2]["reason"]


def test_a_context_is_useful_when_it_holds_what_the_question_does_not_say():
    question = "How many tokens do neighbouring chunks share?"
    assert (
        judge_usefulness({"question": question, "context": CONTEXT, "answer": "64 tokens."})["verdict"] == 1
    )
    other = "Neighbouring chunks share some tokens, and how many is a matter of taste."
    assert judge_usefulness({"question": question, "context": other, "answer": "64 tokens."})["verdict"] == 0


def test_recall_attributes_each_sentence_of_the_reference():
    reference = "Chunks hold 512 tokens. Leases last 30 seconds."
    judged = judge_recall({"question": "?", "context": CONTEXT, "answer": reference})["classifications"]
    assert [one["attributed"] for one in judged] == [1, 0]


def test_correctness_sorts_right_wrong_and_missed():
    sorted_ = classify_correctness(
        {
            "question": "What is the chunk size and the overlap?",
            "answer": ["Chunks hold 512 tokens by default.", "Ray starts actors."],
            "ground_truth": ["It is 512 tokens.", "The overlap is 64 tokens."],
        }
    )
    named = {kind: [one["statement"] for one in sorted_[kind]] for kind in sorted_}
    assert named == {
        "TP": ["Chunks hold 512 tokens by default."],
        "FP": ["Ray starts actors."],
        "FN": ["The overlap is 64 tokens."],
    }


def test_two_ways_to_say_nothing_agree_and_saying_nothing_is_wrong_elsewhere():
    nothing, other = ["The documents do not say."], ["The corpus does not mention prices."]
    agreed = classify_correctness({"question": "What price?", "answer": nothing, "ground_truth": other})
    assert (len(agreed["TP"]), agreed["FP"], agreed["FN"]) == (1, [], [])
    wrong = classify_correctness({"question": "How big?", "answer": nothing, "ground_truth": ["512 tokens."]})
    assert [len(wrong[kind]) for kind in ("TP", "FP", "FN")] == [0, 1, 1]


def test_only_evasive_answers_are_noncommittal():
    answers = {
        "The documents do not say.": 1,
        "I don't know.": 1,
        "It is not mentioned in the documents.": 1,
        "Leases are not given to dead workers; 512 are kept.": 0,
        "Chunks hold 512 tokens.": 0,
    }
    assert {answer: ask_back({"response": answer})["noncommittal"] for answer in answers} == answers


def test_the_question_asked_back_is_about_the_answer():
    assert "chunks" in ask_back({"response": CONTEXT})["question"].lower()
