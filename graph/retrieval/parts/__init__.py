"""The registry of the parts of an index.

A new part is a module in this folder and a line in `PARTS`; `fusion.part_names` says which kinds of
retrieval weigh it.
"""

from graph.retrieval import fusion
from graph.retrieval.parts.keyword import KeywordPart
from graph.retrieval.parts.part import Part
from graph.retrieval.parts.postgres import PostgresPart
from graph.retrieval.parts.vectors import VectorPart
from graph.schema import Retrieval

PARTS: dict[str, type[Part]] = {
    "keyword": KeywordPart,
    "question": VectorPart,
    "title": VectorPart,
    "answer": VectorPart,
}
"""The class of each part, by name."""
_ON_POSTGRES: dict[type[Part], type[Part]] = {VectorPart: PostgresPart}
"""The class that searches the same part of an index on a PostgreSQL server."""


def part_classes(retrieval: Retrieval) -> dict[str, type[Part]]:
    """Return the classes of the parts that a config searches or scores with, by name."""
    names = dict.fromkeys((*fusion.part_names(retrieval), *retrieval.scored))
    classes = {name: PARTS[name] for name in names}
    if retrieval.store == "postgres":
        return {name: _ON_POSTGRES.get(part, part) for name, part in classes.items()}
    return classes
