"""From the search space of a study to its arms."""

from __future__ import annotations

from pathlib import Path

import pytest

from dream.errors import StudyError
from dream.methods import find_method
from dream.study import Study
from dream.study_file import load_study
from dream.sweep.arms import list_arms, method_of

STUDY = """\
name: mine
corpus: documents
golden: questions.csv
models:
  llms: {small: {provider: offline}, large: {provider: offline, style: lead}}
  embeddings: {words: {provider: hashing}, more: {provider: hashing, dimensions: 64}}
  judge: small
metrics: [answer_correctness, mrr, seconds_per_question]
search:
  method: [chunks, auto_merging]
  llm: [small, large]
  embedding: [words]
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "documents").mkdir()
    (tmp_path / "questions.csv").touch()

    def load(knobs: str = "{}", *changes: tuple[str, str]) -> Study:
        text = STUDY + f"  knobs: {knobs}\n"
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = Path(tmp_path / "study.yaml")
        path.write_text(text)
        return load_study(path, {})

    return load


def mistakes(study: Study) -> list[str]:
    with pytest.raises(StudyError) as told:
        list_arms(study)
    return str(told.value).splitlines()


def test_every_combination_is_one_arm_in_the_order_of_the_study(study):
    arms = list_arms(study("{}", ("[words]", "[more, words]")))
    assert [arm.name for arm in arms] == [
        "chunks · small · more",
        "chunks · small · words",
        "chunks · large · more",
        "chunks · large · words",
        "auto_merging · small · more",
        "auto_merging · small · words",
        "auto_merging · large · more",
        "auto_merging · large · words",
    ]
    assert len({arm.id for arm in arms}) == 8
    assert [arm.id for arm in arms] == [
        arm.id for arm in list_arms(study("{}", ("[words]", "[more, words]")))
    ]


def test_every_arm_carries_all_knobs_of_its_method(study):
    for arm in list_arms(study("{chunks: {top_k: 7}}")):
        assert set(arm.knobs) == set(find_method(arm.method).model_fields)
        assert arm.knobs["top_k"] == (7 if arm.method == "chunks" else 8)
        assert method_of(arm).top_k == arm.knobs["top_k"]
        assert arm.parameters == {"method": arm.method, "llm": arm.llm, "embedding": "words", **arm.knobs}


def test_a_list_of_values_makes_a_knob_an_axis(study):
    arms = list_arms(study("{chunks: {chunk_size: [64, 128], top_k: [2, 4, 8], chunk_overlap: 8}}"))
    cut = [arm for arm in arms if arm.method == "chunks"]
    assert len(cut) == 2 * 3 * 2 and len(arms) == len(cut) + 2
    assert [arm.name for arm in cut[:3]] == [
        "chunks · small · words · chunk_size=64 · top_k=2",
        "chunks · large · words · chunk_size=64 · top_k=2",
        "chunks · small · words · chunk_size=64 · top_k=4",
    ]
    assert {arm.knobs["chunk_overlap"] for arm in cut} == {8} and cut[0].searched == ("chunk_size", "top_k")
    assert len({arm.id for arm in arms}) == len(arms)


def test_a_list_of_one_value_is_that_value(study):
    (arm, *_) = list_arms(study("{chunks: {top_k: [3]}}"))
    assert arm.knobs["top_k"] == 3 and arm.searched == ()


def test_a_knob_that_is_a_list_is_no_axis_and_a_list_of_lists_is_one(study):
    def sizes(knobs: str) -> list[list[int]]:
        arms = list_arms(study(knobs))
        return [
            arm.knobs["chunk_sizes"] for arm in arms if arm.method == "auto_merging" and arm.llm == "small"
        ]

    assert sizes("{auto_merging: {chunk_sizes: [300, 100]}}") == [[300, 100]]
    assert sizes("{auto_merging: {chunk_sizes: [[300, 100]]}}") == [[300, 100]]
    assert sizes("{auto_merging: {chunk_sizes: [[300, 100], [400, 50]]}}") == [[300, 100], [400, 50]]


def test_a_value_and_the_default_that_equals_it_are_one_arm(study):
    default = find_method("chunks")().top_k
    given = {arm.id for arm in list_arms(study(f"{{chunks: {{top_k: {default}}}}}"))}
    assert given == {arm.id for arm in list_arms(study())}


MISTAKES = [
    (
        "{chunk: {top_k: 3}}",
        "study.yaml:13 search.knobs.chunk: 'chunk' is not in search.method; allowed are ch",
    ),
    (
        "{chunks: {size: 3}}",
        "study.yaml:13 search.knobs.chunks.size: unknown knob 'size'; "
        "allowed are chunk_size, chunk_overlap, top_k",
    ),
    (
        "{chunks: {top_k: 0}}",
        "study.yaml:13 search.knobs.chunks.top_k: 0: input should be greater than or eq",
    ),
    ("{chunks: {top_k: [2, 0]}}", "study.yaml:13 search.knobs.chunks.top_k: 0: input should be greater than"),
    (
        "{chunks: {top_k: many}}",
        "study.yaml:13 search.knobs.chunks.top_k: 'many': input should be a valid in",
    ),
    ("{chunks: {top_k: []}}", "study.yaml:13 search.knobs.chunks.top_k: the list of values is empty; give"),
    ("{chunks: {top_k: [2, 2]}}", "study.yaml:13 search.knobs.chunks.top_k: 2 is named twice; name it once"),
    (
        "{chunks: {chunk_size: 64, chunk_overlap: 64}}",
        "study.yaml:13 search.knobs.chunks: chunk_overlap must be below chunk_size, 64",
    ),
    (
        "{auto_merging: {chunk_sizes: [128, 256]}}",
        "study.yaml:13 search.knobs.auto_merging.chunk_sizes: [128, 256]: chunk_sizes must descend",
    ),
    (
        "{auto_merging: {chunk_sizes: [[512, 256], [128, 256]]}}",
        "study.yaml:13 search.knobs.auto_merging.chunk_sizes: [128, 256]: chunk_sizes must descend",
    ),
]


@pytest.mark.parametrize(("knobs", "said"), MISTAKES, ids=[knobs for knobs, _ in MISTAKES])
def test_a_knob_that_cannot_be_set_is_told_with_its_line(study, knobs, said):
    told = mistakes(study(knobs))
    assert len(told) == 1 and told[0].startswith(said), told


def test_unknown_methods_and_metrics_are_told_together(study):
    told = mistakes(study("{}", ("[chunks, auto", "[chunk, chunks, auto"), ("mrr", "mmr")))
    assert told[0].startswith(
        "study.yaml:10 search.method[0]: 'chunk' is not a method; did you mean 'chunks'?"
    )
    assert told[1].startswith(
        "study.yaml:8 metrics[1]: 'mmr' is not a metric; did you mean 'mrr'? allowed are"
    )
    assert len(told) == 2


def test_an_objective_must_be_something_to_maximise(study):
    cost = ("name: mine", "name: mine\nobjective: seconds_per_question")
    assert mistakes(study("{}", cost)) == [
        "study.yaml:2 objective: 'seconds_per_question' is a cost; take a metric to be maximised"
    ]
