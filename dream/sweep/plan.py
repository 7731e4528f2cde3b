"""What a run would take, told before a cent is spent: calls, tokens, dollars and time, each with a range."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dream.errors import MissingObject
from dream.ledger import Ledger
from dream.records import Corpus
from dream.study import Study
from dream.sweep import estimate
from dream.sweep.arms import list_arms
from dream.sweep.estimate import HIGH, LIKELY, LOW
from dream.sweep.prepare import distinct_indexes, missing_indexes
from dream.sweep.rehearse import Rehearsal, Round
from dream.sweep.result import Figures
from dream.sweep.run import recorded, whole


@dataclass(frozen=True)
class Kind:
    """The calls of one kind: golden, generate, or the metric that asks.

    Attributes:
        kind: which.
        calls: that all arms need together, equal ones counted once.
        recorded: how many of them the ledger answers.
        input_tokens: of the calls that are left.
        output_tokens: likewise.
        dollars: likewise; ``None`` where no price is known.
    """

    kind: str
    calls: int
    recorded: int
    input_tokens: int
    output_tokens: int
    dollars: float | None


@dataclass(frozen=True)
class Plan:
    """What a run would do; shows itself in a line, a table by kind of call, and what it assumed.

    Attributes:
        arms: how many arms the study has.
        arms_done: how many have all their results in the ledger, or were stopped by a race.
        questions: in the golden dataset, or expected in it.
        golden_built: whether the golden dataset is built; if not, its generation is among the calls.
        indexes: distinct ones that the arms need.
        indexes_done: how many are in the ledger.
        model_calls: chat calls that all arms need together, equal ones counted once.
        model_calls_recorded: how many of them the ledger answers.
        remaining: what a run takes, most likely.
        low: at least.
        high: at most, as far as can be foreseen.
        kinds: the calls by what they are for.
        unpriced: names of models that are to be called and have no price in the study.
        cap: the study's cap in dollars, and what earlier runs have spent of it.
        cap_share: how much of the run the cap allows, 1 for all; ``None`` where that cannot be told.
        assumptions: sentences on what the figures rest on.
        shows: what difference between arms so many questions can show, and what a smaller one takes.
    """

    arms: int
    arms_done: int
    questions: int
    golden_built: bool
    indexes: int
    indexes_done: int
    model_calls: int
    model_calls_recorded: int
    remaining: Figures = field(default_factory=Figures)
    low: Figures = field(default_factory=Figures)
    high: Figures = field(default_factory=Figures)
    kinds: tuple[Kind, ...] = ()
    unpriced: tuple[str, ...] = ()
    cap: tuple[float, float] | None = None
    cap_share: float | None = 1.0
    assumptions: tuple[str, ...] = ()
    shows: str = ""

    def __str__(self) -> str:
        """The plan in one line.

        >>> left, least, most = (Figures(dollars=each, seconds=180.0) for each in (1.92, 1.7, 2.2))
        >>> print(Plan(12, 2, 40, True, 6, 2, 5280, 1790, left, least, most))
        12 arms (2 done) · 40 questions · 6 indexes (2 in the ledger) · 5,280 model calls
        (1,790 in the ledger) · about $1.92 ($1.70–2.20), 3 min
        """
        done = f" ({self.arms_done} done)" if self.arms_done else ""
        questions = f"{self.questions} questions" + ("" if self.golden_built else " to be generated")
        return (
            f"{self.arms} arms{done} · {questions} · "
            f"{self.indexes} indexes ({self.indexes_done} in the ledger) · "
            f"{self.model_calls:,} model calls ({self.model_calls_recorded:,} in the ledger) · "
            f"{self.money}, {duration(self.remaining.seconds)}"
        )

    @property
    def money(self) -> str:
        """What the run costs, in words; never $0 for a model whose price is not known."""
        left = self.remaining.dollars
        unknown = f"dollars unknown for {', '.join(self.unpriced)}" if self.unpriced else ""
        if left is None:
            return unknown
        low, high = self.low.dollars or 0.0, self.high.dollars or 0.0
        known = "" if self.unpriced and not left else "no dollars"
        if left:
            known = f"about ${money(left)} (${money(low)}–{money(high)})"
        return ", ".join(filter(None, (known, unknown)))

    def to_json(self) -> dict[str, Any]:
        """All figures, the remaining ones under the names by which a run tells what it used."""
        return asdict(self)


def money(dollars: float) -> str:
    """Dollars with as many digits as tell something.

    >>> money(1.923), money(0.0042), money(1234.5)
    ('1.92', '0.0042', '1,234.50')
    """
    return f"{dollars:,.2f}" if dollars >= 0.1 or dollars == 0 else f"{dollars:.2g}"


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(8.4), duration(95), duration(170), duration(9000)
    ('8 s', '95 s', '3 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def plan_study(
    rehearsal: Rehearsal,
    rounds: Sequence[Round],
    corpus: Corpus,
    questions: int,
    ledger: Ledger,
    exact: bool = False,
    *,
    holdout: Round | None = None,
) -> Plan:
    """Rehearse the arms and count; calls no model and writes nothing.

    Args:
        rehearsal: begun, with the golden dataset.
        rounds: of the questions for choosing, as far as they are known: one, or those of a race.
        corpus: the documents.
        questions: how many there will be, those of the holdout included.
        ledger: the real one.
        exact: rehearse every question, however many there are.
        holdout: the questions that only the arms which may be the best are asked.
    """
    last = rounds[-1]
    setting, study, arms = last.setting, last.setting.study, list_arms(last.setting.study)
    kept = len(holdout.questions) if holdout else 0
    known_questions = len(setting.questions) + kept
    built = questions == known_questions and not any(
        call.kind == "golden" and not call.recorded for call in rehearsal.notes.calls.values()
    )
    running = [arm for arm in last.arms if not ((found := recorded(setting, arm, ledger)) and whole(found))]
    indexes = distinct_indexes(setting, arms)
    missing = len(missing_indexes(indexes, ledger))
    grown = questions / max(1, known_questions)
    for each in rounds:
        pairs = len(each.questions) / max(1, len(setting.questions))
        rehearsal.arms(each, corpus.documents, len(each.questions) * grown, exact, pairs)
    if holdout:
        rehearsal.arms(holdout, corpus.documents, kept * grown, exact)
    calls = list(rehearsal.notes.calls.values())
    known = estimate.measure(calls)
    sampled = rehearsal.sampled < 1
    left = [estimate.expect(study, call, known, sampled) for call in calls if not call.recorded]
    low, likely, high = (
        estimate.figures(study, left, rehearsal.embedding, edge) for edge in (LOW, LIKELY, HIGH)
    )
    total = sum(call.weight for call in calls)
    cap = (study.limits.dollars, spent_so_far(ledger, study)) if study.limits.dollars else None
    unpriced = _unpriced(study, left, rehearsal)
    said = _assumptions(study, rehearsal, left, known, built)
    if not last.sure:
        first = sum(len(each.questions) for each in rounds if each.sure)
        later = f"the {len(setting.questions) - first} questions after the race's first {first}"
        said = (*said, f"half of the arms, and between 1 and all, are asked {later}")
    if holdout and not holdout.sure:
        held = f"the {kept} questions of the holdout"
        said = (*said, f"half of the arms, and between 1 and all, go on to {held}")
    return Plan(
        arms=len(arms),
        arms_done=len(arms) - len(running),
        questions=questions,
        golden_built=built,
        indexes=len(indexes),
        indexes_done=len(indexes) - missing,
        model_calls=round(total),
        model_calls_recorded=round(total) - likely.model_calls,
        remaining=likely,
        low=low,
        high=high,
        kinds=_kinds(study, calls, left),
        unpriced=unpriced,
        cap=cap,
        cap_share=_allowed(cap, likely, unpriced),
        assumptions=said,
    )


def spent_so_far(ledger: Ledger, study: Study) -> float:
    """Dollars that earlier runs of the study have spent of its cap."""
    try:
        return float(json.loads(ledger.storage.get(f"spending/{study.name}.json"))["dollars"])
    except MissingObject:
        return 0.0


def _allowed(cap: tuple[float, float] | None, left: Figures, unpriced: Sequence[str]) -> float | None:
    if cap is None or not left.dollars:
        return None if cap and unpriced else 1.0
    return max(0.0, min(1.0, (cap[0] - cap[1]) / left.dollars))


def _unpriced(study: Study, left: Sequence[estimate.Expected], rehearsal: Rehearsal) -> tuple[str, ...]:
    chats = {one.call.model for one in left if estimate.price_of(study, one.call.model) is None}
    embeddings = {
        name
        for name, tokens in rehearsal.embedding.tokens.items()
        if tokens and getattr(study.models.embeddings[name], "prices", None) is None
    }
    return tuple(sorted(chats | embeddings))


def _kinds(study: Study, calls: Sequence[Any], left: Sequence[estimate.Expected]) -> tuple[Kind, ...]:
    """In the order of a run: golden, generate, then the metrics as the study names them."""
    all_, tokens, answers = Counter[str](), Counter[str](), Counter[str]()
    remaining, dollars, unknown = Counter[str](), Counter[str](), set()
    for call in calls:
        all_[call.kind] += call.weight
    for one in left:
        kind, number = one.call.kind, one.number[LIKELY]
        remaining[kind] += number  # type: ignore[assignment]
        tokens[kind] += number * one.input[LIKELY]  # type: ignore[assignment]
        answers[kind] += number * one.output[LIKELY]  # type: ignore[assignment]
        if (price := estimate.price_of(study, one.call.model)) is None:
            unknown.add(kind)
        else:
            cost = one.input[LIKELY] * price[0] + one.output[LIKELY] * price[1]
            dollars[kind] += number * cost / 1e6  # type: ignore[assignment]
    order = ["golden", "generate", *study.metrics]
    named = sorted(all_, key=lambda kind: (order.index(kind) if kind in order else len(order), kind))
    return tuple(
        Kind(
            kind,
            round(all_[kind]),
            round(all_[kind]) - round(remaining[kind]),
            round(tokens[kind]),
            round(answers[kind]),
            None if kind in unknown else float(dollars[kind]),
        )
        for kind in named
    )


def _assumptions(
    study: Study,
    rehearsal: Rehearsal,
    left: Sequence[estimate.Expected],
    known: estimate.Measures,
    built: bool,
) -> tuple[str, ...]:
    said = []
    if not built:
        said.append("the questions are not generated yet: as many others, by rule, stand in for them")
    if rehearsal.sampled < 1:
        share = f"{rehearsal.sampled:.0%}".replace("%", " %")
        said.append(f"{share} of the questions were rehearsed and stand for all; --exact takes all")
    for (what, why), number in rehearsal.notes.untold.most_common(3):
        many = f"{number} {what}s" if " of " not in what and number > 1 else f"{number} {what}"
        said.append(f"{many} came to nothing in the rehearsal, so what follows is not counted: {why}")
    models = sorted({one.call.model for one in left if not one.call.certain})
    new = [name for name in models if (name, "") not in known.seconds]
    if new:
        said.append(
            f"nothing is recorded of {', '.join(new)}: answers as long as those by rule, and "
            f"{estimate.SECONDS_TO_BEGIN:g} s a call and 1 s for {estimate.TOKENS_PER_SECOND:.0f} tokens"
        )
    old = [name for name in models if (name, "") in known.seconds]
    said += [f"{name}: as its recorded calls, {known.seconds[name, '']:.2f} s each" for name in old]
    if left:
        limits = study.limits
        rates = [f"{limits.calls_at_once} calls at once"]
        rates += [f"{limits.requests_per_minute:,} requests a minute"] if limits.requests_per_minute else []
        rates += [f"{limits.tokens_per_minute:,} tokens a minute"] if limits.tokens_per_minute else []
        said.append(f"at {', '.join(rates)} to each provider, and {estimate.SECONDS_TO_START:.0f} s to start")
    return tuple(said)
