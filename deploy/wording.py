"""The fields of an endpoint as people read them: no Python, no commit of zeros."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.state import State

NEXT = "0" * 40
"""Stands for the commit that `publish` will make."""

_LONGEST = 48
_UNSET = {
    "scale_to_zero_minutes": "never",
    "metric": "the platform's choice",
    "threshold": "the platform's choice",
    "task": "the platform's choice",
}
_IMAGES = {"huggingface": "the managed image", "hfServe": "hf-serve's image", "custom": "an image of our own"}


def in_words(field: str, value: Any) -> str:
    """One field's value, whole."""
    if value is None:
        return _UNSET.get(field, "-")
    if value == NEXT:
        return "the next publication"
    if field == "image":
        return _image(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def shortened(field: str, value: Any) -> str:
    """The same, as it fits into a table."""
    text = in_words(field, value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def rows(state: State) -> Iterator[tuple[str, str]]:
    """All of a state, each variable in a row of its own. A threshold without a metric says nothing."""
    for field, value in state.as_dict().items():
        if field == "env":
            yield from ((f"env.{name}", str(text)) for name, text in sorted(value.items()))
        elif not (field == "threshold" and value is None):
            yield field, in_words(field, value)


def _image(image: Mapping[str, Any]) -> str:
    ((kind, parts),) = image.items()
    parts = parts if isinstance(parts, Mapping) else {}
    more = [str(parts["url"])] if parts.get("url") else []
    more += [f"port {parts['port']}"] if parts.get("port") else []
    return ", ".join([_IMAGES.get(kind, kind), *more])
