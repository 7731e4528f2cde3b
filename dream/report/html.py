"""The report as one HTML page that needs nothing but a browser."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from dream.errors import DreamError
from dream.report import board, waterfall, words
from dream.report.data import page_data
from dream.report.findings import Findings
from dream.verdict import forest
from dream.verdict.losses import RIGHT_FROM
from dream.verdict.result import SweepResult

# in the order in which the page runs them
SCRIPTS = ("page.js", "parallel.js", "heatmap.js", "questions.js", "losses.js")

STYLES = ("page.css", "evidence.css")

APART = {"golden_notes", "golden_failures"}  # of the lineage: they have a section of their own


def write_report(result: SweepResult, path: Path) -> Path:
    """Write the page to ``path``, making its folder, and give the path back.

    The page appears whole or not at all: a reader never finds half of it.

    Raises:
        DreamError: the file cannot be written there.
    """
    path = Path(path)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half.write_text(render(result), encoding="utf-8")
        half.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            half.unlink()
        raise DreamError(
            f"the report cannot be written: {error.strerror or error}",
            str(path),
            "name a folder you can write to",
        ) from error
    return path


def render(result: SweepResult) -> str:
    """The page: markup, style, script and data in one text, without any address to load from.

    Texts of documents and models are not trusted: the template escapes them, the script inserts them as
    text only, and the page's policy lets no script run but its own.

    >>> page = render(SweepResult("<b>mine</b>", "mrr", ("mrr",), (), ()))
    >>> "<title>&lt;b&gt;mine&lt;/b&gt; · DREAM report</title>" in page
    True
    """
    script = "\n".join(_file(name) for name in SCRIPTS)
    findings = Findings.of(result)
    page = _template().render(
        result=result,
        lines=board.lines(result),
        columns=board.columns(result),
        failed=sum(bool(arm.error) for arm in result.arms),
        offline=[arm for arm in result.arms if arm.offline],
        gaps=board.gaps(result),
        golden_notes=board.golden_notes(result),
        lineage=words.flat_text({key: result.lineage[key] for key in result.lineage if key not in APART}),
        words=words,
        # in the same form as the browser hashes the element's text
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=Markup("\n".join(_file(name) for name in STYLES)),  # our own files
        script=Markup(script),
        data=Markup(embedded_json(page_data(result, findings))),
        **_panels(findings),
    )
    # a text from a broken PDF may hold half a surrogate pair, which no file can; one character for one
    # keeps the evidence's character spans right
    return page.encode("utf-8", "replace").decode("utf-8")


def _panels(findings: Findings) -> dict[str, Any]:
    """What the verdict's and the evidence's parts of the page are filled with."""
    verdict, losses = findings.verdict, findings.losses
    shown, folded = waterfall.bars(losses)
    return {
        "verdict": verdict,
        "drawn": forest.forest(verdict),
        "rule": forest.rule_text(verdict),
        "tied": forest.tied_count(verdict.arms),
        "marks": forest.MARKS,
        "p_text": forest.p_text,
        "matters": findings.matters,
        "loss_bars_shown": shown,
        "loss_bars_folded": folded,
        "outcomes": waterfall.met(losses),
        "titles": waterfall.TITLES,
        "meanings": waterfall.MEANINGS,
        "right_from": RIGHT_FROM,
        "untraced": max((each.untraced for each in losses), default=0),
    }


def embedded_json(value: Any) -> str:
    r"""JSON that cannot end the script element that holds it.

    >>> print(embedded_json({"text": "</script>"}))
    {"text":"\u003c/script>"}
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


def _file(name: str) -> str:
    return resources.files("dream.report").joinpath(name).read_text(encoding="utf-8")
