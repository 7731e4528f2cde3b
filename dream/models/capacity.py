"""Divides what a provider and the user allow among all who ask: calls at once, rates, and dollars.

Pure bookkeeping with the time given from outside; ``dream.models.limits`` puts it into a Ray actor. Whoever
calls models is a *holder*. It tells now and then what it has under way and what waits, and is told how much
it may start. A holder that falls silent is dead: its share goes back to the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LOST_AFTER = 10.0  # seconds of silence after which a holder is held to be dead
BURST = 1.0  # seconds' worth of a rate that may be saved up
BACK_OFF = 0.7  # what a refusal leaves of the calls at once


@dataclass(frozen=True)
class Rules:
    """What a study allows towards one provider.

    Attributes:
        calls_at_once: calls that may be under way.
        requests_per_minute: requests that may be started; ``None`` for any number.
        tokens_per_minute: tokens of prompts and answers; ``None`` for any number.
    """

    calls_at_once: int
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(frozen=True)
class Demand:
    """What a holder tells, once for all its calls since it last told.

    Attributes:
        holder: who it is.
        rules: what its study allows.
        under_way: calls begun and not ended.
        waiting: calls that want to begin.
        tokens_each: tokens that a waiting call is expected to take.
        unused: starts that were granted before and not used.
        ended: calls that ended well since the last time.
        tokens_over: tokens that ended calls took beyond what was expected of them; negative if fewer.
        refusals: answers "too many requests" since the last time.
        pause: seconds that the provider asked to wait.
    """

    holder: str
    rules: Rules
    under_way: int = 0
    waiting: int = 0
    tokens_each: int = 0
    unused: int = 0
    ended: int = 0
    tokens_over: int = 0
    refusals: int = 0
    pause: float = 0.0


@dataclass(frozen=True)
class Grant:
    """What a holder may do until it tells again.

    Attributes:
        share: calls that it may have under way.
        starts: calls that it may begin in all, where a rate is limited; ``None`` for any number.
        pause: seconds in which it must begin none.
    """

    share: int
    starts: int | None = None
    pause: float = 0.0


@dataclass
class _Rate:
    """Permits that come back with time, at most BURST seconds' worth of them at once."""

    left: float = 0.0
    at: float | None = None

    def refill(self, per_minute: int, now: float, back: float = 0.0) -> None:
        # A second's worth, but never less than one permit, or a slow rate would let nothing pass.
        most = max(1.0, per_minute / 60 * BURST)
        grown = most if self.at is None else self.left + (now - self.at) * per_minute / 60
        self.left, self.at = min(most, grown + back), now


@dataclass
class _Holder:
    seen: float
    under_way: int
    waiting: int
    granted: int = 0


@dataclass
class Capacity:
    """What one provider gives, and who holds how much of it."""

    holders: dict[str, _Holder] = field(default_factory=dict)
    requests: _Rate = field(default_factory=_Rate)
    tokens: _Rate = field(default_factory=_Rate)
    learned: float = float("inf")  # calls at once that the provider bears, as far as refusals told
    paused_until: float = 0.0
    refused_at: float = float("-inf")

    def grant(self, demand: Demand, now: float) -> Grant:
        """What the holder may do now.

        The calls at once are divided evenly, except that nobody gets more than he asks for; what one leaves
        the others take. A holder keeps what it has under way even when its share has shrunk.

        >>> capacity, rules = Capacity(), Rules(calls_at_once=8)
        >>> capacity.grant(Demand("a", rules, waiting=100), now=0.0).share
        8
        >>> capacity.grant(Demand("b", rules, waiting=100), now=0.1).share
        0
        >>> capacity.grant(Demand("a", rules, under_way=5, waiting=95, ended=3), now=0.2).share
        4
        >>> capacity.grant(Demand("b", rules, waiting=100), now=0.3).share
        3
        """
        self.holders = {name: one for name, one in self.holders.items() if now - one.seen <= LOST_AFTER}
        me = self.holders.setdefault(demand.holder, _Holder(now, 0, 0))
        me.seen, me.under_way, me.waiting = now, demand.under_way, demand.waiting
        self._learn(demand, now)
        rules = demand.rules
        allowed = int(max(1.0, min(rules.calls_at_once, self.learned)))
        free = allowed - sum(one.granted for one in self.holders.values() if one is not me)
        share = max(0, min(self._fair_part(demand.holder, allowed), free))
        # What is under way cannot be taken back; the others wait until it ends.
        me.granted = max(share, demand.under_way)
        return Grant(share, self._starts(demand, now), max(0.0, self.paused_until - now))

    def _fair_part(self, name: str, allowed: int) -> int:
        """The holder's part of the calls at once: max-min fair by what each wants."""
        wants = {each: one.under_way + one.waiting for each, one in self.holders.items()}
        left, part = allowed, 0
        for place, (each, wanted) in enumerate(sorted(wants.items(), key=lambda want: (want[1], want[0]))):
            # rounded up, so that few calls among many holders are not all left unused
            part = min(wanted, -(-left // (len(wants) - place)))
            left -= part
            if each == name:
                return part
        return part

    def _starts(self, demand: Demand, now: float) -> int | None:
        """How many calls may begin by the rates; what a holder did not use comes back."""
        rules = demand.rules
        if rules.requests_per_minute is None and rules.tokens_per_minute is None:
            return None
        starts = demand.waiting
        if rules.requests_per_minute is not None:
            self.requests.refill(rules.requests_per_minute, now, demand.unused)
            starts = min(starts, int(self.requests.left))
        if rules.tokens_per_minute is not None:
            back = demand.unused * demand.tokens_each - demand.tokens_over
            self.tokens.refill(rules.tokens_per_minute, now, back)
            fits = int(self.tokens.left // max(1, demand.tokens_each))
            # A call larger than a whole burst goes through alone, and the rate recovers after it.
            full = self.tokens.left >= rules.tokens_per_minute / 60 * BURST
            starts = min(starts, max(fits, 1 if full else 0))
        self.requests.left -= starts
        self.tokens.left -= starts * demand.tokens_each
        return starts

    def _learn(self, demand: Demand, now: float) -> None:
        """Fewer calls at once after a refusal, one more after each round of answers: as TCP does."""
        if demand.refusals:
            self.paused_until = max(self.paused_until, now + demand.pause)
            if now - self.refused_at > 1.0:  # refusals of one moment have one cause
                held = sum(one.under_way for one in self.holders.values())
                self.learned = max(1.0, min(self.learned, float(max(1, held))) * BACK_OFF)
                self.refused_at = now
        elif demand.ended and self.learned != float("inf"):
            self.learned += demand.ended / max(1.0, self.learned)


@dataclass
class Purse:
    """The dollars of one study.

    Attributes:
        cap: most that may be spent; ``None`` for any amount.
        before: what earlier runs spent.
        spent: by each holder, all in all.
        reserved: by each holder: what its calls under way may cost at most.
    """

    cap: float | None = None
    before: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    reserved: dict[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Dollars spent so far, by all runs."""
        return self.before + sum(self.spent.values())

    def grant(
        self, holder: str, *, spent: float, under_way: float, first: float, wanted: float, now: float
    ) -> float:
        """Dollars that the holder may commit to new calls; negative if there will never be any.

        Money is let out only if the cap holds even when all that is out costs the most it can. What a lost
        holder had reserved counts as spent, for nobody can tell any more.

        >>> purse = Purse(cap=1.0)
        >>> purse.grant("a", spent=0.0, under_way=0.0, first=0.3, wanted=0.9, now=0.0)
        0.9
        >>> purse.grant("b", spent=0.0, under_way=0.0, first=0.3, wanted=0.9, now=0.0)
        0.0
        >>> purse.grant("a", spent=0.8, under_way=0.0, first=0.3, wanted=0.9, now=1.0)
        -1.0

        Args:
            holder: who asks.
            spent: what it has spent so far, all in all.
            under_way: what its calls under way may cost at most.
            first: what the first of its waiting calls may cost at most.
            wanted: what all of them may cost at most.
            now: seconds.
        """
        for name, at in list(self.seen.items()):
            if now - at > LOST_AFTER and name != holder:
                self.spent[name] = self.spent.get(name, 0.0) + self.reserved.pop(name, 0.0)
                del self.seen[name]
        self.seen[holder] = now
        self.spent[holder] = max(spent, self.spent.get(holder, 0.0))
        self.reserved[holder] = under_way
        if self.cap is None or wanted <= 0:
            return max(0.0, wanted)
        free = self.cap - self.total - sum(self.reserved.values())
        if free + 1e-9 < first:
            # Money that is only reserved may come back; money that is spent does not.
            return 0.0 if any(held > 1e-9 for held in self.reserved.values()) else -1.0
        given = min(wanted, free)
        self.reserved[holder] += given
        return given
