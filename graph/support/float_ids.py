"""The check of parquet's short floats: an id in one may be that of a neighbouring whole number."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from graph.support.errors import DatasetError

if TYPE_CHECKING:
    from pyarrow import Schema

_ID_COLUMN = re.compile(r"(?:.*_)?ids?|(?:.*[a-z])?Id", re.DOTALL)
_SHORT_FLOAT = re.compile(r"\b(halffloat|float)\b")
_FIRST_INEXACT = {"halffloat": 2**11, "float": 2**24}
"""The least whole number, by the name of Arrow's type, from which on neighbours are equal."""


class FloatIds:
    """The columns of ids of a table that are floats of 16 or 32 bits, alone or in lists."""

    def __init__(self, source: str, schema: "Schema") -> None:
        self._source = source
        self._limits: dict[str, int] = {}
        for field in schema:
            kind = _SHORT_FLOAT.search(str(field.type))
            if kind and _ID_COLUMN.fullmatch(field.name):
                self._limits[field.name] = _FIRST_INEXACT[kind[1]]

    def check(self, row: Mapping[str, object]) -> None:
        """Check a row.

        Raises:
            DatasetError: an id may have been rounded.
        """
        for name, limit in self._limits.items():
            cell = row.get(name)
            numbers: Iterable[object] = cell if isinstance(cell, list) else [cell]
            if any(isinstance(number, float) and abs(number) >= limit for number in numbers):
                raise DatasetError(
                    f"{self._source}: column {name!r} holds short floats, which round ids from "
                    f"{limit} on ({cell}); write the column as whole numbers or as text"
                )
