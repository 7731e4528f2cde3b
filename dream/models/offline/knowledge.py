"""What the offline models know without a document: a few facts that every language model knows.

``dream golden audit`` asks questions without context, to find those that need no documents. Models that
know nothing could not show it.
"""

from __future__ import annotations

import re

from dream.models.offline.words import terms

UNKNOWN = "I do not know."

# Each line: words of the question, then the answer.
_FACTS = """
capital France = The capital of France is Paris.
capital Japan = The capital of Japan is Tokyo.
capital Italy = The capital of Italy is Rome.
capital Canada = The capital of Canada is Ottawa.
capital Australia = The capital of Australia is Canberra.
capital Egypt = The capital of Egypt is Cairo.
largest planet solar system = The largest planet of the solar system is Jupiter.
planet closest Sun = The planet closest to the Sun is Mercury.
chemical symbol gold = The chemical symbol of gold is Au.
chemical symbol iron = The chemical symbol of iron is Fe.
chemical formula water = The chemical formula of water is H2O.
water boil degrees Celsius sea level = Water boils at 100 degrees Celsius at sea level.
painted Mona Lisa = Leonardo da Vinci painted the Mona Lisa.
wrote Romeo Juliet = William Shakespeare wrote Romeo and Juliet.
wrote Origin Species = Charles Darwin wrote On the Origin of Species.
formulated theory general relativity = Albert Einstein formulated the theory of general relativity.
first person walk moon = Neil Armstrong was the first person to walk on the Moon.
year Berlin Wall fall = The Berlin Wall fell in 1989.
year World War II end = World War II ended in 1945.
tallest mountain world = The tallest mountain of the world is Mount Everest.
largest ocean = The largest ocean is the Pacific Ocean.
continent Sahara desert = The Sahara desert lies in Africa.
many days leap year = A leap year has 366 days.
many sides hexagon = A hexagon has 6 sides.
many bytes kilobyte binary kibibyte = A kibibyte has 1024 bytes.
language spoken Brazil = Portuguese is spoken in Brazil.
currency Japan = The currency of Japan is the yen.
gas plants absorb photosynthesis = Plants absorb carbon dioxide in photosynthesis.
"""

_KNOWN = tuple(
    (frozenset(terms(words)), answer)
    for words, _, answer in (line.partition(" = ") for line in _FACTS.strip().splitlines())
)
_ASKED = re.compile(r"(?:^|\n)Question: *(\S[^\n]*)\s*\Z")


def from_memory(prompt: str) -> str | None:
    r"""The answer to a question that comes without any context; None for a prompt that asks none.

    >>> from_memory("Answer from what you know.\n\nQuestion: What is the capital of France?")
    'The capital of France is Paris.'
    >>> from_memory("Question: What is the capital of our reserves?"), from_memory("Hello")
    ('I do not know.', None)
    """
    found = _ASKED.search(prompt)
    if found is None:
        return None
    asked = frozenset(terms(found.group(1)))
    return next((answer for words, answer in _KNOWN if words <= asked), UNKNOWN)
