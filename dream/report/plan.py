"""The plan in a terminal: one line, a table by kind of call, the cap, and what is assumed."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dream.sweep.plan import Kind, Plan, duration, money


def print_plan(plan: Plan, console: Console) -> None:
    """Print the plan; on anything but a terminal the table is plain."""
    console.print(Text(str(plan)), soft_wrap=True)
    if plan.shows:
        console.print(Text(plan.shows), soft_wrap=True)
    if plan.remaining.model_calls or plan.remaining.embedded_texts:
        console.print()
        console.print(table_of(plan, plain=not console.is_terminal))
        console.print()
        for line in lines(plan):
            console.print(Text(line), style="dim" if console.is_terminal else "", soft_wrap=True)


def table_of(plan: Plan, plain: bool = False) -> Table:
    """The calls that are left, by kind.

    >>> kinds = (Kind("generate", 480, 200, 310_000, 14_000, 0.15), Kind("f1", 9, 0, 40, 7, None))
    >>> Console(width=90).print(table_of(Plan(1, 0, 1, True, 1, 0, 489, 200, kinds=kinds), plain=True))
              calls  in ledger  to make  tokens in  tokens out  dollars
    generate    480        200      280    310,000      14,000     0.15
    f1            9          0        9         40           7  unknown
    """
    lined = None if plain else box.SIMPLE_HEAD
    table = Table(box=lined, show_edge=False, pad_edge=False, padding=(0, 2 if plain else 1, 0, 0))
    table.add_column("", no_wrap=True)
    for heading in ("calls", "in ledger", "to make", "tokens in", "tokens out", "dollars"):
        table.add_column(heading, justify="right", no_wrap=True)
    for kind in plan.kinds:
        table.add_row(*_cells(kind))
    left = plan.remaining
    if left.embedded_texts:
        tokens = f"{left.embedding_tokens:,}" if left.embedding_requests else ""
        table.add_row("texts embedded", "", "", f"{left.embedded_texts:,}", tokens, "", "")
    return table


def _cells(kind: Kind) -> list[str]:
    made = [f"{count:,}" for count in (kind.calls, kind.recorded, kind.calls - kind.recorded)]
    if kind.calls == kind.recorded:
        return [kind.kind, *made, "", "", ""]
    dollars = "unknown" if kind.dollars is None else money(kind.dollars)
    return [kind.kind, *made, f"{kind.input_tokens:,}", f"{kind.output_tokens:,}", dollars]


def lines(plan: Plan) -> list[str]:
    """Ranges, the cap and the assumptions, a sentence each."""
    low, high = plan.low, plan.high
    said = [
        f"range: {low.model_calls:,}–{high.model_calls:,} calls, "
        f"{low.input_tokens:,}–{high.input_tokens:,} tokens in, "
        f"{low.output_tokens:,}–{high.output_tokens:,} out, "
        f"{duration(low.seconds)} to {duration(high.seconds)}"
    ]
    if plan.cap:
        cap, spent = plan.cap
        before = f", of which ${money(spent)} is spent" if spent else ""
        if plan.cap_share is None:
            allowed = "what it allows cannot be told without the prices"
        elif plan.cap_share < 1:
            allowed = f"it allows about {100 * plan.cap_share:.0f} % of the run"
        else:
            allowed = "it allows the whole run"
        said.append(f"cap: ${money(cap)}{before}; {allowed}")
    if plan.unpriced:
        said.append(f"no price is known for {', '.join(plan.unpriced)}: give prices: {{input: …, output: …}}")
    return said + [f"assumed: {each}" for each in plan.assumptions]
