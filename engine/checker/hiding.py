"""Facts that need not be held although they are written: tables read them beside free facts, and whatever they are some result stays possible.

This only chooses. That nothing is missed is shown by judging every act under all values of what is hidden (`World.partition`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

from engine.checker.facts import Column, Facts, Raw, freeze

#: At most so many combinations of other facts are compared.
MAX_COMPARED = 256


def hideable(facts: Facts, examples: Sequence[Raw], exact: frozenset[str]) -> frozenset[str]:
    """Held facts that may be hidden; `exact` are those that something asked of the procedure turns on."""
    read = {name for text in facts.texts for name in facts.names(text) if name not in facts.derived}
    mixed = [column for column in facts.derived.values() if set(facts.cone(column)) & facts.free]
    candidates = {name for column in mixed for name in facts.cone(column) if name in facts.held} - read - exact
    return frozenset(
        name for name in candidates if all(_agrees(facts, column, name, examples) for column in mixed if name in facts.cone(column))
    )


def _agrees(facts: Facts, column: Column, name: str, examples: Sequence[Raw]) -> bool:
    """Whether, whatever the other held facts are, some result of a table is possible with every value of this one."""
    others = [other for other in facts.cone(column) if other in facts.held and other != name]
    values = {other: facts.values_of(other) for other in [*others, name]}
    if prod(len(some) for some in values.values()) > MAX_COMPARED:
        return False
    for combination in product(*(values[other] for other in others)):
        known = dict(zip(others, combination, strict=True))
        results = [{freeze(facts.column(column, {**example, **known, name: value})) for example in examples} for value in values[name]]
        if not set.intersection(*results):
            return False
    return True
