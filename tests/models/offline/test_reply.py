"""A prompt finds its rule by the fields it wants, however ragas or instructor dress it."""

import json

import pytest

from dream.models.offline.reply import reply
from dream.models.offline.tokens import count_tokens, cut_tokens


def ragas_prompt(fields: list[str], data: dict[str, object], instruction: str = "Do it.") -> str:
    schema = {"properties": {name: {"type": "string"} for name in fields}, "type": "object"}
    return (
        f"{instruction}\nPlease return the output in a JSON format that complies with the following schema "
        f"as specified in JSON Schema:\n{json.dumps(schema)}Do not use single quotes.\n\nExample 1\n"
        'Input: {\n    "answer": "an example"\n}\nOutput: {}\n-----------------------------\n\n'
        f"Now perform the same with the following input\ninput: {json.dumps(data, indent=4)}\nOutput: "
    )


@pytest.mark.parametrize(
    ("fields", "data", "kind"),
    [
        (["statements"], {"question": "?", "answer": "A b c."}, "judge"),
        (["statements"], {"context": "A.", "statements": ["A b c."]}, "judge"),
        (["reason", "verdict"], {"question": "?", "context": "A.", "answer": "B."}, "judge"),
        (["classifications"], {"question": "?", "context": "A.", "answer": "B."}, "judge"),
        (["TP", "FP", "FN"], {"question": "?", "answer": ["A."], "ground_truth": ["B."]}, "judge"),
        (["question", "noncommittal"], {"response": "A."}, "judge"),
        (["text"], {"text": "Ray runs tasks."}, "golden"),
        (["score"], {"document_summary": "A.", "node_content": "B.", "rubrics": {}}, "golden"),
        (["output"], {"text": "Ray runs tasks.", "max_num": 10}, "golden"),
        (["entities"], {"text": "Ray runs tasks.", "max_num": 10}, "golden"),
        (["headlines"], {"text": "Ray runs tasks.", "max_num": 5}, "golden"),
        (["name", "role_description"], {"text": "Ray runs tasks."}, "golden"),
        (["mapping"], {"themes": ["a"], "personas": [{"name": "Ann", "role_description": "b"}]}, "golden"),
        (["combinations"], {"lists_of_concepts": [["a"], ["b"]], "max_combinations": 2}, "golden"),
        (["query", "answer"], {"term": "Ray", "context": "Ray runs tasks."}, "golden"),
        (["something", "else"], {"text": "Ray runs tasks."}, "other"),
    ],
)
def test_every_ragas_prompt_is_answered_with_its_fields(fields, data, kind):
    answered = reply("judge", [{"role": "user", "content": ragas_prompt(fields, data)}])
    assert answered.kind == kind
    assert set(json.loads(answered.text)) == set(fields)


def test_the_data_is_the_last_input_even_where_a_chunk_quotes_a_prompt():
    data = {"question": "?", "answer": 'A ragas prompt ends with\ninput: {"answer": "x"} and then Output.'}
    answered = reply("judge", [{"role": "user", "content": ragas_prompt(["statements"], data)}])
    assert "ragas prompt" in json.loads(answered.text)["statements"][0]


def test_the_prompt_is_found_behind_the_complaints_of_a_retry():
    messages = [
        {"role": "system", "content": "Answer in JSON."},
        {"role": "user", "content": ragas_prompt(["statements"], {"question": "?", "answer": "Ray runs."})},
        {"role": "assistant", "content": "{}"},
        {"role": "user", "content": "Correct your JSON: a field is missing."},
    ]
    assert json.loads(reply("judge", messages).text) == {"statements": ["Ray runs."]}


def test_a_title_is_not_a_summary():
    text = "Ray in practice\n\nRay runs tasks on many nodes of a cluster."
    prompt = ragas_prompt(["text"], {"text": text}, instruction="Extract the title of the given document.")
    assert json.loads(reply("judge", [{"role": "user", "content": prompt}]).text)["text"] == "Ray in practice"


def test_json_is_answered_when_json_is_asked_for():
    messages = [{"role": "user", "content": "Hello there."}]
    assert "Hello there." in json.loads(reply("lead", messages, {"type": "json_object"}).text)["answer"]
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"$ref": "#/$defs/B"}}}
    schema["$defs"] = {"B": {"type": "object", "properties": {"c": {"enum": ["x"]}}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    assert json.loads(reply("lead", messages, wanted).text) == {"a": 0, "b": {"c": "x"}}


def test_tokens_are_those_of_cl100k_without_network():
    assert count_tokens("tiktoken is great!") == 6  # the example of OpenAI's cookbook
    assert cut_tokens("one two three", 2) == "one two"
    prompt = ragas_prompt(["statements"], {"question": "?", "answer": "Ray runs."})
    assert abs(count_tokens(prompt) - len(prompt) / 4) < len(prompt) / 8
