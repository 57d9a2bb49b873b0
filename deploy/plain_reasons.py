"""What is wrong with a value, in plain words: pydantic's findings without its vocabulary, and never the value itself."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

Step = str | int

_PLAIN = {
    "missing": "is missing",
    "extra_forbidden": "unknown field",
    "string_type": "must be text",
    "string_pattern_mismatch": "must be of another form",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "dict_type": "must be names and values",
    "model_type": "must be fields and values",
    "model_attributes_type": "must be fields and values",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
}
_BOUNDS = {
    "greater_than_equal": ("must be at least {}", "ge"),
    "greater_than": ("must be more than {}", "gt"),
    "less_than_equal": ("must be at most {}", "le"),
    "less_than": ("must be less than {}", "lt"),
    "string_too_long": ("must have at most {} characters", "max_length"),
}


def reason_of(finding: Mapping[str, Any], rule: str = "") -> str:
    """Of one of `ValidationError.errors()`. `rule`: what a field must be, where that is more than its kind."""
    kind, context = finding["type"], finding.get("ctx", {})
    if kind == "value_error":
        return str(finding["msg"]).removeprefix("Value error, ")  # our own words
    if kind == "literal_error":
        return f"must be {_one_of(str(context['expected']))}"
    if kind in ("string_pattern_mismatch", "string_too_short", "string_too_long") and rule:
        return rule
    if kind == "string_too_short":
        return "must not be empty"
    if kind in _BOUNDS:
        sentence, bound = _BOUNDS[kind]
        return sentence.format(f"{context[bound]:g}")
    return _PLAIN.get(kind, "is not a value that can stand here")


def did_you_mean(place: Sequence[Step], model: type[BaseModel]) -> str:
    """For a field that is not there: one whose name is like it, if there is one, as the end of a sentence."""
    part: type[BaseModel] | None = model
    for step in place[:-1]:
        field = part.model_fields.get(str(step)) if part is not None else None
        part = _model_of(field.annotation) if field is not None else None
    close = difflib.get_close_matches(str(place[-1]), list(part.model_fields), 1) if part is not None else []
    return f"; did you mean {close[0]}?" if close else ""


def _model_of(annotation: Any) -> type[BaseModel] | None:
    kinds = [annotation, *get_args(annotation)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _one_of(expected: str) -> str:
    """pydantic's `'a', 'b' or 'c'` without the quotes."""
    return re.sub(r"'([^']*)'", r"\1", expected)
