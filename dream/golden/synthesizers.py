"""ragas' three kinds of questions, made repeatable and harder to upset.

The prompts and the steps are ragas'. What differs: names are taken in order instead of as a set gives
them, which differs between processes; chance is seeded where it is used; personas that the model made
up on the way are passed over instead of ending everything; a multi-hop question joins few sections.

Import this module only where ragas is used: ragas takes seconds to import.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ragas.prompt import PydanticPrompt
from ragas.testset.graph import KnowledgeGraph, Node
from ragas.testset.synthesizers.multi_hop import (
    MultiHopAbstractQuerySynthesizer,
    MultiHopSpecificQuerySynthesizer,
)
from ragas.testset.synthesizers.prompts import (
    PersonaThemesMapping,
    ThemesPersonasInput,
    ThemesPersonasMatchingPrompt,
)
from ragas.testset.synthesizers.single_hop.specific import SingleHopSpecificQuerySynthesizer

# A question over more sections than these has evidence that nobody would call evidence.
MOST_HOPS = 3

_SHARES = (0.5, 0.25, 0.25)


class KnownPersonas(ThemesPersonasMatchingPrompt):
    """ragas' prompt; personas in the answer that were not in the request are left out."""

    def process_output(
        self, output: PersonaThemesMapping, input: ThemesPersonasInput
    ) -> PersonaThemesMapping:
        """Keep the personas that were asked about, in the order of the request."""
        mapping = {
            persona.name: output.mapping[persona.name]
            for persona in input.personas
            if persona.name in output.mapping
        }
        return PersonaThemesMapping(mapping=mapping)


@dataclass
class SingleHop(SingleHopSpecificQuerySynthesizer):
    """Questions about one entity of one section."""

    name: str = "single-hop"
    seed: int = 0
    theme_persona_matching_prompt: PydanticPrompt[Any, Any] = field(default_factory=KnownPersonas)

    def get_node_clusters(self, knowledge_graph: KnowledgeGraph) -> list[Node]:
        """The sections that have entities, the order mixed so that all documents get their turn."""
        nodes = [node for node in super().get_node_clusters(knowledge_graph) if node.get_property("entities")]
        random.Random(self.seed).shuffle(nodes)
        return nodes

    def _extract_themes_from_items(self, items: Any) -> list[str]:
        return sorted(super()._extract_themes_from_items(items))

    def sample_combinations(self, data: Any, num_samples: int) -> Any:
        """Seeded by what is chosen from: other calls may have used up chance in the meantime."""
        random.seed(f"{self.seed} {[(entry['node'].id.hex, entry['terms']) for entry in data]}")
        return super().sample_combinations(data, num_samples)


@dataclass
class MultiHopAbstract(MultiHopAbstractQuerySynthesizer):
    """Questions about themes that documents share."""

    name: str = "multi-hop abstract"
    seed: int = 0
    theme_persona_matching_prompt: PydanticPrompt[Any, Any] = field(default_factory=KnownPersonas)

    def get_node_clusters(self, knowledge_graph: KnowledgeGraph, n: int = 1) -> Any:
        """Groups of documents alike, in order; none where ragas raises."""
        if not any(link.get_property(self.relation_property) for link in knowledge_graph.relationships):
            return []
        found = super().get_node_clusters(knowledge_graph, n)
        # lists where ragas has sets: the order of a set is no matter of chance, but easily becomes one
        return sorted((sorted(cluster, key=_id) for cluster in found), key=_ids)

    def prepare_combinations(
        self,
        nodes: Any,
        combinations: Any,
        personas: Any,
        persona_item_mapping: Any,
        property_name: str,
    ) -> list[dict[str, Any]]:
        """Each combination with few of the sections that hold its concepts."""
        return _with_few_sections(
            super().prepare_combinations(nodes, combinations, personas, persona_item_mapping, property_name),
            property_name,
        )

    def sample_diverse_combinations(self, data: Any, num_samples: int) -> Any:
        """Seeded by what is chosen from."""
        random.seed(f"{self.seed} {[entry['combination'] for entry in data]}")
        return super().sample_diverse_combinations(data, num_samples)


@dataclass
class MultiHopSpecific(MultiHopSpecificQuerySynthesizer):
    """Questions about an entity that two sections name."""

    name: str = "multi-hop specific"
    seed: int = 0
    theme_persona_matching_prompt: PydanticPrompt[Any, Any] = field(default_factory=KnownPersonas)

    def get_node_clusters(self, knowledge_graph: KnowledgeGraph) -> Any:
        """Pairs of sections that name the same entity, those of different documents first, mixed."""
        triplets = sorted(
            super().get_node_clusters(knowledge_graph), key=lambda one: (_id(one[0]), _id(one[2]))
        )
        random.Random(self.seed).shuffle(triplets)
        return sorted(triplets, key=lambda one: _document(one[0]) == _document(one[2]))

    def _extract_themes_from_overlaps(self, overlapped_items: Any) -> list[str]:
        return sorted(super()._extract_themes_from_overlaps(overlapped_items))

    def prepare_combinations(
        self,
        nodes: Any,
        combinations: Any,
        personas: Any,
        persona_item_mapping: Any,
        property_name: str,
    ) -> list[dict[str, Any]]:
        """Each combination with the sections that hold its entity."""
        return _with_few_sections(
            super().prepare_combinations(nodes, combinations, personas, persona_item_mapping, property_name),
            property_name,
        )

    def sample_diverse_combinations(self, data: Any, num_samples: int) -> Any:
        """Seeded by what is chosen from."""
        random.seed(f"{self.seed} {[entry['combination'] for entry in data]}")
        return super().sample_diverse_combinations(data, num_samples)


def synthesizers_for(graph: KnowledgeGraph, questions: int, llm: Any, seed: int) -> list[tuple[Any, int]]:
    """The kinds of questions that the graph allows, and how many of each: half single-hop, if it can be."""
    every: list[tuple[Any, float]] = [
        (SingleHop(llm=llm, seed=seed), _SHARES[0]),
        (MultiHopAbstract(llm=llm, seed=seed), _SHARES[1]),
        (MultiHopSpecific(llm=llm, seed=seed), _SHARES[2]),
    ]
    usable = [(one, share) for one, share in every if one.get_node_clusters(graph)]
    numbers = share_out(questions, [share for _, share in usable])
    return [(one, number) for (one, _), number in zip(usable, numbers, strict=True) if number]


def share_out(number: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers in proportion to the shares that sum to ``number``; early ones get the rest.

    >>> share_out(5, [0.5, 0.25, 0.25]), share_out(1, [0.5, 0.25])
    ([3, 1, 1], [1, 0])
    """
    exact = [number * share / sum(shares) for share in shares]
    numbers = [int(one) for one in exact]
    by_rest = sorted(range(len(shares)), key=lambda place: numbers[place] - exact[place])
    for place in by_rest[: number - sum(numbers)]:
        numbers[place] += 1
    return numbers


def _with_few_sections(entries: Iterable[dict[str, Any]], property_name: str) -> list[dict[str, Any]]:
    """The first section of each concept, then others, at most MOST_HOPS; combinations without any go."""
    kept = []
    for entry in entries:
        chosen: dict[Any, Node] = {}
        for concept in entry["combination"]:
            for node in entry["nodes"]:
                named = [str(name).lower() for name in node.get_property(property_name)]
                if concept.lower() in named and node.id not in chosen:
                    chosen[node.id] = node
                    break
        chosen |= {node.id: node for node in entry["nodes"] if node.id not in chosen}
        if chosen:
            kept.append({**entry, "nodes": list(chosen.values())[:MOST_HOPS]})
    return kept


def _id(node: Node) -> str:
    return str(node.id.hex)


def _ids(nodes: Sequence[Node]) -> list[str]:
    return [_id(node) for node in nodes]


def _document(node: Node) -> str:
    return str((node.get_property("document_metadata") or {}).get("id"))
