"""YAML with the line of every value, so that an error can name it. PyYAML's safe constructor, and no key twice."""

from __future__ import annotations

from typing import Any

import yaml

from deploy.errors import InvalidSpecification

Place = tuple[str | int, ...]
"""The keys and indices that lead to a value."""

NEXT_STEP = (
    "mend that line; `init --file OTHER` writes a file with every field explained beside this one, `init --force` over it"
)


def load_with_lines(text: str, name: str) -> tuple[Any, dict[Place, int]]:
    """The document, and the line (from 1) on which each of its values begins. Raises `InvalidSpecification`."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Place, int] = {}
        if root is None:
            return None, lines
        _walk(root, (), lines, name, set())
        return yaml.SafeLoader("").construct_document(root), lines
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        problem = str(error.problem)
    except yaml.YAMLError:
        line, problem = "", "a character that YAML does not allow"
    except RecursionError:
        line, problem = "", "it is nested too deep"
    raise InvalidSpecification(f"{name}{line}: not YAML: {problem}", NEXT_STEP)  # out here: the cause quotes the file


def line_of(place: Place, lines: dict[Place, int]) -> int:
    """The line of a value, or of the nearest thing around it that is there."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _walk(node: Any, place: Place, lines: dict[Place, int], name: str, seen: set[int]) -> None:
    line = lines[place] = node.start_mark.line + 1
    if id(node) in seen:  # a few aliases of aliases are a billion values, and one of itself has no end
        raise InvalidSpecification(f"{name}, line {line}: stands for another place as well (*alias)", "write the value out")
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        _refuse_unless_it_means_something(node, f"{name}, line {line}")
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, str(key.value))
            line = key.start_mark.line + 1
            if inner in lines:
                raise InvalidSpecification(f"{name}, line {line}: {key.value} is there twice", NEXT_STEP)
            if isinstance(key, yaml.ScalarNode):
                _refuse_unless_it_means_something(key, f"{name}, line {line}")
            _walk(value, inner, lines, name, seen)
            lines[inner] = line  # the key's: its value may begin further down
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*place, index), lines, name, seen)


def _refuse_unless_it_means_something(node: yaml.ScalarNode, where: str) -> None:
    """A date that no calendar has, or `!!int` before a word: PyYAML's constructors fail on these in ways of their own."""
    try:
        yaml.SafeLoader("").construct_object(node)
    except yaml.YAMLError:
        raise
    except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError):
        problem = InvalidSpecification(f"{where}: not a value of the kind that it looks like", NEXT_STEP)
    else:
        return
    raise problem  # out here: the cause quotes the value
