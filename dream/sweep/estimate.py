"""From the calls that a rehearsal noted to tokens, dollars and time, each with a range."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dream.models.capacity import Rules
from dream.study import OfflineChat, Study
from dream.sweep.rehearsal import Call
from dream.sweep.rehearse import Embedding
from dream.sweep.result import Figures

FEW = 5  # recorded calls of a model and kind, from which on they are the measure

# What is assumed of a model of which nothing is recorded yet.
SECONDS_TO_BEGIN = 0.5
TOKENS_PER_SECOND = 60.0
SECONDS_OFFLINE = 0.01
SECONDS_OF_EMBEDDING = 0.3

# A run's own work: to start Ray and its workers, then for each call and each text, on one processor.
SECONDS_TO_START = 12.0
OWN_SECONDS_PER_CALL = 0.015
CHAIN = 2  # calls of a metric that wait for one another: statements, then a verdict on each
SECONDS_TO_IMPORT = 2.0  # of the judge's prompts, after the first answers

# How far off the stand-ins may be, as factors: how many calls, tokens of prompts, of answers, seconds.
# Answers of an LLM are seldom equal where those by rule are; answers may be half or twice as long.
CALLS, INPUT, OUTPUT, SECONDS = (0.85, 1.15), (0.85, 1.15), (0.5, 2.0), (0.6, 2.0)
MEASURED = (0.9, 1.12)  # where calls of the model are recorded
SAMPLED = (0.95, 1.05)  # where some questions stand for all


@dataclass(frozen=True)
class Measures:
    """What the recorded calls teach.

    Attributes:
        seconds: of a call, by model and kind, and by model alone.
        output: the model's tokens of an answer for each one of its stand-in's, by model and kind.
        input: the model's tokens for each one that we count, by model.
    """

    seconds: Mapping[tuple[str, str], float]
    output: Mapping[tuple[str, str], float]
    input: Mapping[str, float]


def measure(calls: Iterable[Call]) -> Measures:
    """Means and ratios over the recorded calls, where there are a FEW.

    Answers grow with what is asked about, such as a long answer to judge, and so do the stand-ins'.
    """
    seconds: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    output: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    input_: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for call in calls:
        if call.recorded:
            for kind in (call.kind, ""):
                seconds[call.model, kind].append(call.seconds)
            if call.by_rule:
                output[call.model, call.kind].append((call.output_tokens, call.by_rule))
            if call.counted:
                input_[call.model].append((call.input_tokens, call.counted))
    return Measures(
        {key: sum(all) / len(all) for key, all in seconds.items() if len(all) >= FEW},
        {key: _ratio(pairs) for key, pairs in output.items() if len(pairs) >= FEW},
        {model: _ratio(pairs) for model, pairs in input_.items() if len(pairs) >= FEW},
    )


def _ratio(pairs: Sequence[tuple[int, int]]) -> float:
    return sum(one for one, _ in pairs) / sum(ours for _, ours in pairs)


@dataclass(frozen=True)
class Expected:
    """A call that is still to be made: tokens and seconds, each low, likely and high."""

    call: Call
    input: tuple[float, float, float]
    output: tuple[float, float, float]
    seconds: tuple[float, float, float]
    number: tuple[float, float, float]


def expect(study: Study, call: Call, known: Measures, sampled: bool) -> Expected:
    """What is to be expected of a call that is not recorded."""
    offline = isinstance(study.models.llms[call.model], OfflineChat)
    own, kind = (call.model, call.kind), (1.0, 1.0)
    ratio = 1.0 if offline else known.input.get(call.model, 1.0)
    measured = own in known.output
    output = call.output_tokens * (known.output[own] if measured and not offline else 1.0)
    seconds = known.seconds.get(own, known.seconds.get((call.model, ""), 0.0))
    assumed = SECONDS_OFFLINE if offline else SECONDS_TO_BEGIN + output / TOKENS_PER_SECOND
    number = kind if call.certain else CALLS
    if sampled:
        number = (number[0] * SAMPLED[0], number[1] * SAMPLED[1])
    number = (number[0] * call.spread[0], number[1] * call.spread[1])
    exact = (1.0, 1.0)
    return Expected(
        call,
        _range(
            call.input_tokens * ratio, exact if offline else MEASURED if call.model in known.input else INPUT
        ),
        _range(output, exact if offline else MEASURED if measured else OUTPUT),
        _range(seconds or assumed, MEASURED if seconds else SECONDS),
        _range(call.weight, number),
    )


def _range(likely: float, factors: tuple[float, float]) -> tuple[float, float, float]:
    return likely * factors[0], likely, likely * factors[1]


LOW, LIKELY, HIGH = 0, 1, 2


def figures(study: Study, expected: Sequence[Expected], embedding: Embedding, edge: int) -> Figures:
    """The sums at one edge of the range.

    Args:
        study: with the prices and limits.
        expected: the calls to be made.
        embedding: what embedding takes.
        edge: LOW, LIKELY or HIGH.
    """
    kinds: Counter[str] = Counter()
    tokens = [0.0, 0.0]
    dollars, prices = 0.0, 0
    for one in expected:
        number = one.number[edge]
        kinds[one.call.kind] += number  # type: ignore[assignment]  # rounded below
        tokens[0] += number * one.input[edge]
        tokens[1] += number * one.output[edge]
        price = price_of(study, one.call.model)
        if price is not None:
            prices += 1
            dollars += number * (one.input[edge] * price[0] + one.output[edge] * price[1]) / 1e6
    for name, brought in embedding.tokens.items():
        model = getattr(study.models.embeddings[name], "prices", None)
        if model is not None and brought:
            prices += 1
            dollars += brought * model.input / 1e6
    paid = bool(expected) or any(embedding.tokens.values())
    calls = {kind: round(number) for kind, number in sorted(kinds.items()) if round(number)}
    asking = asking_seconds(study, expected, embedding, edge)
    start = SECONDS_TO_START if calls or embedding.texts else 1.0
    return Figures(
        model_calls=sum(calls.values()),
        calls=calls,
        input_tokens=round(tokens[0]),
        output_tokens=round(tokens[1]),
        embedded_texts=round(embedding.texts),
        embedding_requests=round(sum(embedding.requests.values())),
        embedding_tokens=round(sum(embedding.tokens.values())),
        dollars=dollars if prices or not paid else None,
        asking_seconds=asking,
        seconds=asking + start * (0.5, 1.0, 2.0)[edge],
    )


def price_of(study: Study, model: str) -> tuple[float, float] | None:
    """Dollars per million tokens of prompt and answer; ``None`` where the study does not tell."""
    found = study.models.llms[model]
    if isinstance(found, OfflineChat):
        return (0.0, 0.0)
    return (found.prices.input, found.prices.output) if found.prices else None


def asking_seconds(study: Study, expected: Sequence[Expected], embedding: Embedding, edge: int) -> float:
    """Time from the first call to the end of the last, at the study's limits.

    The slowest provider decides: by its calls at once, its requests or its tokens in a minute. On top comes
    once the time of one question, whose calls follow one another; and no run is faster than its own work.
    """
    if not expected and not any(embedding.requests.values()):
        return 0.0
    limits = study.limits
    rules = Rules(limits.calls_at_once, limits.requests_per_minute, limits.tokens_per_minute)
    work: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for one in expected:
        sums, number = work[one.call.provider], one.number[edge]
        sums[0] += number * one.seconds[edge]
        sums[1] += number
        sums[2] += number * (one.input[edge] + one.output[edge])
        seconds[one.call.kind].append(one.seconds[edge])
    for name, requests in embedding.requests.items():
        sums = work[study.models.embeddings[name].base_url.rstrip("/")]  # type: ignore[union-attr]
        sums[0] += requests * SECONDS_OF_EMBEDDING
        sums[1] += requests
        sums[2] += embedding.tokens.get(name, 0.0)
    slowest = max(time_of(rules, *sums) for sums in work.values())
    own = OWN_SECONDS_PER_CALL * sum(sums[1] for sums in work.values()) / 2
    means = {kind: sum(all) / len(all) for kind, all in seconds.items()}
    judged = [mean for kind, mean in means.items() if kind not in ("generate", "golden")]
    importing = SECONDS_TO_IMPORT if judged else 0.0
    return max(slowest, own) + means.get("generate", 0.0) + CHAIN * max(judged, default=0.0) + importing


def time_of(rules: Rules, seconds: float, requests: float, tokens: float) -> float:
    """Seconds that calls to one provider take, whichever limit they meet first.

    >>> time_of(Rules(calls_at_once=10, requests_per_minute=60), seconds=100.0, requests=30, tokens=0)
    30.0
    """
    times = [seconds / rules.calls_at_once]
    if rules.requests_per_minute:
        times.append(requests / rules.requests_per_minute * 60)
    if rules.tokens_per_minute:
        times.append(tokens / rules.tokens_per_minute * 60)
    return max(times)
