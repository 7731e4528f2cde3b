"""The leaderboard in a terminal."""

from __future__ import annotations

from collections import Counter

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dream.report.board import Line, columns, gaps, golden_notes, lines
from dream.report.words import clean_text as _clean
from dream.report.words import count_text
from dream.verdict.result import SweepResult

# the arm's name wraps rather than pushing every metric off the screen
ARM_WIDTH = 28
GAP = 2

MOST_NOTES = 3  # of the golden dataset; the page has all


def print_leaderboard(result: SweepResult, console: Console) -> None:
    """Print the leaderboard, and below it each failed arm with its reason and the corpus problems' count.

    On anything but a terminal the table is plain: aligned columns without lines or colours.
    """
    console.print(leaderboard_table(result, width=console.width, plain=not console.is_terminal))
    console.print()
    unseen = columns(result)[1 + len(_layout(result, console.width)[1]) :]
    if unseen:
        console.print(
            Text(f"also scored, shown in the report: {', '.join(map(_clean, unseen))}", style="dim")
        )
    for note in notes(result):
        console.print(note)


def leaderboard_table(result: SweepResult, width: int = 100, plain: bool = False) -> Table:
    """The leaderboard, best arm first, with as many metrics as fit into ``width`` columns.

    >>> from dream.records import Score
    >>> from dream.sweep.result import Arm, ArmResult, Row
    >>> rows = tuple(Row(f"q{n}", None, (Score("mrr", value),)) for n, value in enumerate([1.0, 0.5]))
    >>> arm = ArmResult(Arm("chunks", "small", "minilm"), rows)
    >>> Console(width=100).print(leaderboard_table(SweepResult("s", "mrr", ("mrr",), (), (arm,)), plain=True))
    #  arm                      mrr           coverage  cost  p50  p95
    1  chunks · small · minilm  0.750 ±3.177     100 %    $0    –    –

    Args:
        result: what the sweep found out.
        width: how many columns the terminal has.
        plain: without lines, for files and logs.
    """
    arm_width, shown = _layout(result, width)
    lined = None if plain else box.SIMPLE_HEAD
    # a lined table puts one blank of its own between two columns
    padding = (0, GAP if plain else GAP - 1, 0, 0)
    table = Table(box=lined, show_edge=False, pad_edge=False, padding=padding)
    table.add_column("#", justify="right", style="dim", no_wrap=True)
    table.add_column("arm", width=arm_width)
    table.add_column(Text(_heading(result.objective)), style="bold", min_width=12, no_wrap=True)
    for metric in shown:
        table.add_column(Text(_heading(metric)), justify="right", no_wrap=True)
    for heading in ("coverage", "cost", "p50", "p95"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in lines(result):
        table.add_row(*_cells(line, len(shown)))
    return table


def notes(result: SweepResult) -> list[Text]:
    """What stands below the table: what failed, is missing or was found odd, and offline models."""
    said = []
    for arm in result.ranked():
        if arm.error:
            said.append(
                Text.assemble(("failed ", "red"), (_clean(arm.arm.name), "bold"), f": {_clean(arm.error)}")
            )
    said += [Text(f"partial: {_clean(gap)}", style="yellow") for gap in gaps(result)]
    if told := golden_notes(result):
        style = "yellow" if result.lineage.get("golden_failures") else "dim"
        said.append(Text(f"golden dataset: {count_text(len(told), 'note')}", style=style))
        said += [Text(f"  {_clean(note)}", style=style) for note in told[:MOST_NOTES]]
        if len(told) > MOST_NOTES:
            said.append(Text(f"  and {len(told) - MOST_NOTES:,} more, in the report", style=style))
    if result.problems:
        kinds = Counter(problem.kind for problem in result.problems)
        listed = ", ".join(f"{number} {_clean(kind)}" for kind, number in sorted(kinds.items()))
        said.append(
            Text(f"{count_text(len(result.problems), 'file')} with problems: {listed}", style="yellow")
        )
    if any(arm.offline for arm in result.arms):
        said.append(
            Text(
                "offline: rule-based programs without weights answered or judged, no real language model",
                style="dim",
            )
        )
    return said


def _cells(line: Line, shown: int) -> list[Text]:
    offline = ("  offline", "yellow") if line.result.offline else ""
    name = Text.assemble(_clean(line.result.arm.name), offline)
    if line.result.error:
        return [Text("–"), name, Text("failed", style="red")]
    objective, *others = line.cells
    mean = Text(f"{objective.text} {objective.half}".strip())
    # a mean over fewer questions than it should rest on is not passed off as a whole one
    coverage = Text(line.coverage_text, style="" if line.coverage == 1 else "yellow")
    means = [Text(cell.text) for cell in others[:shown]]
    return [
        Text(str(line.rank)),
        name,
        mean,
        *means,
        coverage,
        *map(Text, (line.dollars, line.p50, line.p95)),
    ]


def _layout(result: SweepResult, width: int) -> tuple[int, tuple[str, ...]]:
    """How wide the arms' column is, and which metrics stand beside the objective."""
    made = lines(result)
    fixed = len(str(len(made))) + max(12, _widest(_heading(result.objective))) + len("coverage")
    for texts in ([line.dollars for line in made], [line.p50 for line in made], [line.p95 for line in made]):
        fixed += max([4, *map(cell_len, texts)])
    room = width - fixed - 6 * GAP
    names = [_clean(arm.arm.name) + ("  offline" if arm.offline else "") for arm in result.arms]
    longest = max([3, *map(cell_len, names)])
    arm = min(longest, ARM_WIDTH, max(ARM_WIDTH // 2, room))
    room -= arm
    fitting = []
    for place, metric in enumerate(columns(result)[1:], start=1):
        needed = GAP + max([_widest(_heading(metric)), *(cell_len(line.cells[place].text) for line in made)])
        if needed > room:
            break
        room -= needed
        fitting.append(metric)
    return min(longest, arm + max(0, room)), tuple(fitting)


def _heading(metric: str) -> str:
    # a long name goes over several lines, so that none is cut or abbreviated
    name = _clean(metric)
    return name if len(name) <= 12 else name.replace("_", "\n")


def _widest(text: str) -> int:
    return max(map(cell_len, text.split("\n")))
