"""Verdict, what matters, losses and audit as a notebook shows them: tables with plots, no script, no styles.

Notebooks may be light or dark and strip style sheets, so colours stand in the elements themselves and are
such that both grounds carry them; text keeps the notebook's own colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from dream.golden.audit.finding import CHECKS
from dream.verdict.forest import Forest, ForestLine, forest, p_text
from dream.verdict.golden_audit import GoldenAudit
from dream.verdict.losses import OUTCOMES, Losses
from dream.verdict.matters import Matters, Share
from dream.verdict.verdict import Verdict

ACCENT, PLAIN, FAINT = "#1a8f86", "#8a969a", "rgba(138,150,154,.25)"

COLOURS = {
    "parsing": "#8d74b8", "chunking": "#b56a97", "depth": "#d08a3c", "context": "#b39a2c",
    "generation": "#c8685c", "not scored": "#8a969a", "right without evidence": "#7fb5ad", "right": "#1a8f86",
}  # fmt: skip


def verdict_html(verdict: Verdict) -> str:
    """The paragraph, one line an arm with its interval, and the notes."""
    drawn = forest(verdict)
    honest = ["on the holdout"] if verdict.holdout else []
    heads = ["", "arm", verdict.metric, *honest, "", "against the highest mean", "p"]
    rows = [_standing(drawn, line, bool(honest)) for line in (*drawn.shown, *drawn.folded)]
    notes = "".join(f"<li>{escape(note)}</li>" for note in (*verdict.fragile, *verdict.notes))
    return f"<p>{escape(verdict.text)}</p>{_table(heads, rows)}<ul>{notes}</ul>"


def matters_html(matters: Matters) -> str:
    """The sentences, and a bar for each source."""
    first, *others = matters.sentences()
    rows = [_share(share) for share in matters.between_arms]
    split = _table(["between the arms", "", "share"], rows) if rows else ""
    scores = _table(["between single scores", "", "share"], map(_share, matters.between_scores))
    said = "".join(f"<li>{escape(sentence)}</li>" for sentence in others)
    return f"<p>{escape(first)}</p>{split}{scores}<ul>{said}</ul>"


def losses_html(losses: Losses) -> str:
    """One bar an arm, 100 questions wide, and what its colours mean."""
    rows = []
    for each in losses:
        shares = {outcome: share for outcome, share in each.per_hundred().items() if share}
        parts = "".join(
            f'<span title="{escape(outcome)}: {share:.0f}" style="display:inline-block;height:14px;'
            f'width:{share:.2f}%;background:{COLOURS[outcome]}"></span>'
            for outcome, share in shares.items()
        )
        told = ", ".join(f"{outcome} {share:.0f}" for outcome, share in shares.items())
        rows.append([escape(each.name), _wide(parts), escape(told)])
    met = {loss.outcome for each in losses for loss in each.losses}
    legend = " · ".join(
        f'<span style="color:{COLOURS[outcome]}">■</span> {escape(outcome)}'
        for outcome in OUTCOMES
        if outcome in met
    )
    return f"<p>Of 100 questions: {legend}</p>{_table(['arm', '', 'of 100 questions'], rows)}"


def audit_html(audit: GoldenAudit) -> str:
    """How many questions are flagged, each finding, what models know by heart, and where to decide."""
    asked = {question.id: question.question for question in audit.questions}
    titles = {check.name: check.title for check in CHECKS}
    rows = [
        [escape(titles[found.check]), escape(asked.get(found.question, "")), escape(found.what)]
        for found in audit.findings
    ]
    notes = [
        f"without documents {name} is right on {said['right']} of {said['asked']} questions"
        for name, said in audit.without_documents().items()
    ]
    notes += [] if audit.asked else [f"no language model was asked: that takes {audit.estimate}"]
    listed = "".join(f"<li>{escape(note)}</li>" for note in [*notes, f"keep or drop: {audit.csv}"])
    told = f"<p>{len(audit.flagged)} of {len(audit.questions)} questions flagged</p>"
    return f"{told}{_table(['check', 'question', 'what was seen'], rows) if rows else ''}<ul>{listed}</ul>"


def _standing(drawn: Forest, line: ForestLine, held: bool) -> list[str]:
    arm = line.standing
    colour = ACCENT if line.mark in ("take", "tied") else PLAIN
    mean = "–" if arm.mean is None else f"{arm.mean:.3f}"
    name = f"<b>{escape(arm.name)}</b>" if line.mark == "take" else escape(arm.name)
    honest = [escape(line.honest or "–")] if held else []
    behind = escape(arm.error or line.behind)
    return [
        line.mark,
        name,
        mean,
        *honest,
        _interval(drawn, line, colour),
        behind,
        "" if arm.mean is None else escape(p_text(arm.p)),
    ]


def _interval(drawn: Forest, line: ForestLine, colour: str) -> str:
    parts = _mark(f"left:{drawn.zero}%;width:1px;top:0;height:16px;background:{PLAIN}")
    if line.low is not None and line.high is not None:
        parts += _mark(
            f"left:{line.low}%;right:{100 - line.high:.1f}%;top:7px;height:2px;background:{colour}"
        )
    if line.dot is not None:
        place = f"left:calc({line.dot}% - 4px);top:4px;width:8px;height:8px"
        parts += _mark(f"{place};border-radius:4px;background:{colour}")
    return _wide(parts)


def _share(share: Share) -> list[str]:
    bar = _mark(f"left:0;width:{100 * share.share:.1f}%;top:2px;height:12px;background:{ACCENT}")
    within = (
        ""
        if share.low is None or share.high is None
        else f" ({100 * share.low:.0f} to {100 * share.high:.0f} %)"
    )
    ground = _mark(f"left:0;right:0;top:2px;height:12px;background:{FAINT}")
    return [escape(share.source), _wide(ground + bar), f"{100 * share.share:.0f} %{within}"]


def _mark(style: str) -> str:
    return f'<span style="position:absolute;{style}"></span>'


def _wide(parts: str) -> str:
    style = "position:relative;display:block;width:280px;height:16px;line-height:0;white-space:nowrap"
    return f'<span style="{style}">{parts}</span>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells of ``rows`` are markup already."""
    left = 'style="text-align:left"'
    head = "".join(f"<th {left}>{escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td {left}>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
