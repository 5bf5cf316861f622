"""YAML from people as plain values: null, booleans, numbers, texts, lists and mappings.

Refused, since each can cost the memory or pass unseen: tags, anchors and aliases (nine lines of them
make gigabytes), a key that stands twice, deep nesting, and very long numbers.
"""

from collections.abc import Hashable
from typing import Any

import yaml

from graph.support.text import one_line

_MAX_DEPTH = 20
_MAX_DIGITS = 100
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """A loader of plain values; a date is a text."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise yaml.YAMLError("anchors and aliases (& and *) are not allowed")
        if event.tag is not None:
            raise yaml.YAMLError("tags (!) are not allowed")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise yaml.YAMLError("the nesting is too deep")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = next(key for number, key in enumerate(keys) if key in keys[:number])
            raise yaml.YAMLError(f"the key {one_line(repr(twice), 80)} stands twice")
        return mapping

    def construct_scalar(self, node: Any) -> Any:
        if node.tag.endswith((":int", ":float")) and len(node.value) > _MAX_DIGITS:
            raise yaml.YAMLError(f"a number has more than {_MAX_DIGITS} digits")
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            raise yaml.YAMLError("a text has half of a surrogate pair")
        return super().construct_scalar(node)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _RepeatingLoader(_Loader):
    """A loader of mappings whose keys may be repeated: the last value counts."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        return yaml.SafeLoader.construct_mapping(self, node, deep)


def parse_yaml(text: str, *, repeated_keys: bool = False) -> Any:
    """Return the value of a YAML text.

    Args:
        text: The YAML.
        repeated_keys: Whether a mapping may repeat a key; its last value counts then.

    Raises:
        ValueError: the text is not YAML, or holds what is refused; the message gives the reason.
    """
    try:
        loader = _RepeatingLoader if repeated_keys else _Loader
        return loader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise ValueError(f"{one_line(error.problem)}{line}") from None
    # For malformed numbers and escapes, PyYAML raises plain errors of many types.
    except Exception as error:
        raise ValueError(one_line(error)) from None
