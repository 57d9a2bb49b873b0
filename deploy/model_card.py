"""The README.md that is published: the repository's own page as a Hub model card, with what is deployed filled in.

A section without content is left out: no diarization, no summary, nothing measured, nothing computed in few bits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from huggingface_hub import ModelCard

from deploy.errors import InvalidSpecification
from deploy.specification import MODEL_SETTINGS, Specification

_JOB = {"asr": "speech to words", "diarization": "who speaks when", "summary": "the summary"}
_UNFILLED = re.compile(r"\{\{\s*[\w.|]+\s*\}\}|\{%|\[More Information Needed\]|\bTODO\b|\bTBD\b")
_TASK = "automatic-speech-recognition"
_NEXT_STEP = "mend the front matter of README.md"


@dataclass(frozen=True)
class Source:
    """What the Hub says of a model: the licence as its card has it."""

    commit: str
    licence: str


def model_card(
    readme: str, specification: Specification, sources: Mapping[str, Source], results: Mapping[str, Any] | None
) -> str:
    """`sources` by stage, for the models on the Hub; `results`: the JSON of `python -m evaluation.run --json`, or None.

    Raises `InvalidSpecification` unless it is a valid card with nothing left to fill in.
    """
    try:
        card = ModelCard(readme, ignore_metadata_errors=False)
    except (ValueError, yaml.YAMLError):
        raise InvalidSpecification("README.md is no model card: its front matter does not parse", _NEXT_STEP) from None
    models = specification.models.named()
    bases = [model.id for model in models.values() if model.on_the_hub]
    if bases:
        card.data["base_model"] = bases
    sections = [
        _models(specification, sources),
        _precision(specification),
        _results(results) if results is not None else "",
        _INTENDED_USE,
        _limits(specification),
    ]
    card.text = "\n\n".join(["", *filter(None, sections), card.text.strip(), ""])
    text = str(card)
    check_card(text)
    return text


def check_card(text: str) -> None:
    """The part of the Hub's validation that needs no network. Raises `InvalidSpecification`."""
    try:
        card = ModelCard(text)
    except (ValueError, yaml.YAMLError):
        raise InvalidSpecification("README.md is no model card: its front matter does not parse", _NEXT_STEP) from None
    for name, valid in (
        ("license", lambda value: isinstance(value, str) and re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", value)),
        ("pipeline_tag", lambda value: value == _TASK),
        ("tags", lambda value: isinstance(value, list) and all(isinstance(tag, str) for tag in value)),
        ("library_name", lambda value: isinstance(value, str) and value),
    ):
        if not valid(card.data.get(name)):
            raise InvalidSpecification(f"README.md is no model card: {name} is missing or not valid", _NEXT_STEP)
    if not card.text.strip() or _UNFILLED.search(text):
        raise InvalidSpecification("README.md has something left to fill in, or no text", "fill it in")


def _models(specification: Specification, sources: Mapping[str, Source]) -> str:
    rows = ["## Models of this deployment", "", "| for | model | commit | licence |", "|---|---|---|---|"]
    for stage, model in specification.models.named().items():
        if model.on_the_hub:
            source = sources[stage]
            link = f"[{model.id}](https://huggingface.co/{model.id})"
            rows.append(f"| {_JOB[stage]} | {link} | `{source.commit}` | {source.licence} |")
        else:
            where = "comes with the code" if model.id == "embedded" else "in this repository"
            rows.append(f"| {_JOB[stage]} | {model.id} | {where} | see README |")
    return "\n".join(rows)


def _precision(specification: Specification) -> str:
    few_bits = [name for name, value in specification.settings.items() if name.endswith("_DTYPE") and value == "int8"]
    if not few_bits:
        return ""
    return (
        f"## Quantised\n\n{', '.join(f'`{name}`' for name in few_bits)}: weights in 8 bits; texts differ a little from float16."
    )


def _results(results: Mapping[str, Any]) -> str:
    rows = ["## Measured", "", "| recording | WER | DER |", "|---|---|---|"]
    for one in results["recordings"]:
        rows.append(f"| {one['name']} | {_rate(one.get('wer'))} | {_rate(one.get('der'))} |")
    machine = results["machine"]
    rows += ["", f"By `python -m evaluation.run` at commit {machine['commit']}, on {machine['processor']}."]
    return "\n".join(rows)


def refuse_results(results: object) -> None:
    """Raises `ValueError` unless these are figures of `python -m evaluation.run --json`, as far as the card uses them."""
    if not isinstance(results, dict):
        raise ValueError("no object")
    machine, recordings = results.get("machine"), results.get("recordings")
    if not (isinstance(machine, dict) and all(isinstance(machine.get(name), str) for name in ("commit", "processor"))):
        raise ValueError("machine")
    if not (
        isinstance(recordings, list) and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in recordings)
    ):
        raise ValueError("recordings")
    for rate in (one.get(name) for one in recordings for name in ("wer", "der")):
        value = rate.get("value", "none") if isinstance(rate, dict) else rate
        if not (value is None or (isinstance(rate, dict) and isinstance(value, (int, float)) and math.isfinite(value))):
            raise ValueError("rate")


def differences(models: Mapping[str, str], env: Mapping[str, str]) -> list[str]:
    """In what a published card is about other models than a container with this environment serves; a line each.

    `models`: what the card names, as `id@commit` by stage.
    """
    found = []
    for stage, start in MODEL_SETTINGS.items():
        model, commit = env.get(f"{start}_MODEL", "none"), env.get(f"{start}_REVISION")
        served, said = f"{model}@{commit}" if commit else model, models.get(stage, "none")
        if served != said:
            found.append(f"the published card names {said} for {stage}, and {served} is served: publish, then apply")
    return found


def _rate(rate: Mapping[str, Any] | None) -> str:
    return "-" if rate is None or rate["value"] is None else f"{rate['value']:.3f}"


_INTENDED_USE = """\
## Intended use

Recordings of conversations whose participants know that they are recorded: minutes, subtitles, search. Not for identifying
people by their voices, for covert recording, or as the only record of what was agreed."""


def _limits(specification: Specification) -> str:
    limits = ["## Limits", "", "- Words are wrong more often with noise, on telephones and in dialects. Read before you quote."]
    if specification.models.diarization is None:
        limits.append("- No diarization: nobody is told apart, and `speakers` is empty.")
    else:
        limits.append("- Where people speak at once, words may be credited to the wrong one of them.")
    if specification.models.summary is None:
        limits.append("- No summary: `summarize` is empty.")
    else:
        limits.append("- A summary leaves things out, and may be wrong.")
    if len(specification.models.named()) == len(MODEL_SETTINGS):
        limits.append("- Errors add up: a summary is as good as the words and the speakers that it reads.")
    return "\n".join(limits)
