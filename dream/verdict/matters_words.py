"""What matters, and whether a router would, in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dream.verdict.matters import Matters, Share
    from dream.verdict.router import Router

NAMES = {"method": "the method", "LLM": "the LLM", "embedding": "the embedding"}
SMALL = 0.01


def sentences(found: Matters) -> list[str]:
    """The findings, the most useful first, each a whole sentence."""
    said = [_between_arms(found), _between_scores(found)]
    if found.filled:
        some = "1 missing score was" if found.filled == 1 else f"{found.filled:,} missing scores were"
        said.append(f"{some} filled in from the arm and the question, which adds nothing to how they meet.")
    if found.left_out:
        said.append(f"Left out: {'; '.join(found.left_out)}.")
    if found.router:
        said.append(router_sentence(found.router, found.objective))
    return said


def _between_arms(found: Matters) -> str:
    if not found.between_arms:
        return (
            f"On your documents the means of the {found.arms} arms differ no more than chance makes them "
            f"(Friedman's test over {found.questions} questions, 5 %), so nothing is said of what matters."
        )
    told = [share for share in found.between_arms if share.share >= SMALL]
    first, *others = told
    parts = [f"{_name(first.source)} explains {_percent(first)} of the differences between the arms"]
    parts += [f"{_name(share.source)} {_percent(share)}" for share in others]
    little = [_name(share.source) for share in found.between_arms if share.share < SMALL]
    said = f"On your documents {', '.join(parts)}."
    if little:
        said += f" Less than 1 % each: {', '.join(little)}."
    return said


def _between_scores(found: Matters) -> str:
    shares = {share.source: share for share in found.between_scores}
    choice, question, fit = (shares[name] for name in ("choice of arm", "question", "arm × question"))
    said = (
        f"Of all differences between single scores, {_whole(choice)} come from the arm, {_whole(question)} "
        f"from how hard the question is, and {_whole(fit)} from how arm and question meet"
    )
    if noise := shares.get("judge's noise"):
        return f"{said}; {_whole(noise)} is the judge's own noise ({found.judgings} judgings of each answer)."
    return f"{said}; the judge's own noise is part of the last (judgings: 2 in the study tells it apart)."


def router_sentence(router: Router, objective: str) -> str:
    """Whether another arm for each question is worth building, and on what that rests."""
    bound = (
        f"choosing the best arm for every single question would lift {objective} from "
        f"{router.best_mean:.3f} to {router.oracle_mean:.3f} at most, and part of that is luck, "
        "since the largest of several noisy scores is chosen after seeing them"
    )
    tried = ""
    if router.kind_gain is not None and router.kind_low is not None and router.kind_high is not None:
        tried = (
            f"; choosing by the question's kind, tried on questions it was not fitted to, gains "
            f"{router.kind_gain:+.3f} ({router.kind_low:+.3f} to {router.kind_high:+.3f})"
        )
    if router.halves_gain is not None:
        tried += "; chosen by one half of the judgings and scored by the other, it gains "
        tried += f"{router.halves_gain:+.3f}"
    opening = {
        "yes": "A router is worth trying:",
        "no": "A router is not worth building:",
        "not shown": "Whether a router is worth building is not shown:",
    }[router.answer]
    return f"{opening} {bound}{tried}."


def _name(source: str) -> str:
    if source in NAMES:
        return NAMES[source]
    if source == "other combinations":
        return "other combinations of them"
    return f"the pair {source}" if " × " in source else source


def _percent(share: Share) -> str:
    if share.low is None or share.high is None:
        return _whole(share)
    return f"{_whole(share)} ({100 * share.low:.0f} to {100 * share.high:.0f} %)"


def _whole(share: Share) -> str:
    return f"{100 * share.share:.0f} %"
