"""Conditions of criteria: a small part of Python's expressions, which is read and never evaluated.

    context[-1].startswith('match') and not context[0] == 'match'

`context` (or `grading_details`) lists the outcomes of the rules before, `ans` is the outcome of this
one; blanks also have `response_str`, `ans_str` and `ans_re`.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from dataset.criteria.not_scorable import NotScorable

Values: TypeAlias = Mapping[str, Any]
"""The values of the names that a condition may have."""
Condition: TypeAlias = Callable[[Values], bool]
_Operand: TypeAlias = Callable[[Values], Any]

_MAX_CHARACTERS = 500
_LISTS = ("context", "grading_details")
_NAMES = ("ans", "response_str", "ans_str", "ans_re")
_UNKNOWN = "a condition is none that can be read"


def read_condition(text: object) -> Condition:
    """Return the function that a condition is.

    Raises:
        NotScorable: the condition is outside the part of Python's expressions that is read.
    """
    if not isinstance(text, str) or len(text) > _MAX_CHARACTERS:
        raise NotScorable(_UNKNOWN)
    try:
        tree = ast.parse(text.strip(), mode="eval")
        test = _test(tree.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise error if isinstance(error, NotScorable) else NotScorable(_UNKNOWN) from None

    def holds(values: Values) -> bool:
        try:
            return test(values)
        except (LookupError, TypeError, AttributeError):
            raise NotScorable("a condition names an outcome that there is not") from None

    return holds


def _test(node: ast.expr) -> Condition:
    match node:
        case ast.BoolOp(op=kind, values=nodes):
            tests = [_test(part) for part in nodes]
            combine = all if isinstance(kind, ast.And) else any
            return lambda values: combine(test(values) for test in tests)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            negated = _test(part)
            return lambda values: not negated(values)
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() as sign], comparators=[right]):
            compare = operator.eq if isinstance(sign, ast.Eq) else operator.ne
            first, second = _operand(left), _operand(right)
            return lambda values: bool(compare(first(values), second(values)))
        case ast.Call(
            func=ast.Attribute(value=part, attr="startswith" | "endswith" as method),
            args=[ast.Constant(value=str() as piece)],
            keywords=[],
        ):
            text = _operand(part)
            ask = str.startswith if method == "startswith" else str.endswith
            return lambda values: ask(text(values), piece)
    operand = _operand(node)
    return lambda values: bool(operand(values))


def _operand(node: ast.expr) -> _Operand:
    match node:
        case ast.Constant(value=str() | bool() as constant):
            return lambda _values: constant
        case ast.Name(id=name) if name in _NAMES:
            return lambda values: values[name]
        case ast.Subscript(value=ast.Name(id=name), slice=index) if name in _LISTS:
            number = _index(index)
            return lambda values: values[name][number]
    raise NotScorable(_UNKNOWN)


def _index(node: ast.expr) -> int:
    match node:
        case ast.Constant(value=int() as number):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)):
            return -number
    raise NotScorable(_UNKNOWN)
