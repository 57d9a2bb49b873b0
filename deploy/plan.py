"""`plan`: what `publish` and `apply` would do, and what it costs. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import InferenceEndpointHardware

from deploy.access import PROTECTED
from deploy.console import table
from deploy.deployment import Deployment
from deploy.errors import NotPublished
from deploy.needs import needs_of
from deploy.publish import compared, prepared
from deploy.state import Change, State
from deploy.wording import NEXT, rows, shortened

HOURS_PER_MONTH = 730
_MOST_LISTED = 12
"""Files, each in a line of its own; more are counted by folder. `--json` always has each."""


def plan(deployment: Deployment, results: Mapping[str, Any] | None) -> None:
    specification, hub = deployment.specification, deployment.hub
    files = compared(deployment, prepared(deployment, results))
    try:
        revision = deployment.published() if not files.any else NEXT
    except NotPublished:
        revision = NEXT
    wanted = State.wanted(specification, revision)
    raw = hub.endpoint(deployment.namespace, deployment.name)
    need = needs_of(deployment, raw, wanted, specification.secrets)
    found = need.changes
    cost = cost_of(deployment)
    lines = [PROTECTED, ""] if specification.access == "protected" else []
    lines += [f"publish to {specification.repository}: {len(files.sent)} to send, {len(files.removed)} to remove,"
              f" {files.unchanged} unchanged"]  # fmt: skip
    lines += [*_sent_lines({path: len(files.files[path]) for path in files.sent}), *(f"  - {path}" for path in files.removed)]
    if raw is None:
        lines += ["", f"endpoint {deployment.namespace}/{deployment.name}: to be created"]
        lines += table([(f"  {field}", text) for field, text in rows(wanted)])
    else:
        lines += ["", f"endpoint {deployment.namespace}/{deployment.name}: {raw['status']['state']}, {len(found)} change(s)"]
        beside = need.beside_fields()
        lines += [*(change_lines(found) if found or not beside else []), *(f"  {one}" for one in beside)]
    lines += ["", *cost_lines(cost, specification.scaling.min_replicas, specification.scaling.max_replicas)]
    deployment.console.result(
        {
            "publish": files.as_dict(),
            "endpoint": "create" if raw is None else "unchanged" if need.nothing else "update",
            "also": need.beside_fields(),
            "changes": [vars(change) | {"after": None if change.after == NEXT else change.after} for change in found],
            "cost": cost,
        },
        lines,
    )


def _sent_lines(sizes: Mapping[str, int]) -> list[str]:
    """Each file with its size; of many, those at the top, and the folders with what is in them."""
    if len(sizes) <= _MOST_LISTED:
        return [f"  + {path}  {size:,} bytes" for path, size in sizes.items()]
    folders: dict[str, list[int]] = {}
    for path, size in sizes.items():
        top, inside, _ = path.partition("/")
        folders.setdefault(top + inside, []).append(size)
    return [
        f"  + {name}  {f'{len(inside)} files, ' if name.endswith('/') else ''}{sum(inside):,} bytes"
        for name, inside in folders.items()
    ]


def change_lines(found: Sequence[Change]) -> list[str]:
    """One line a field."""
    if not found:
        return ["  nothing to change"]
    rows = [
        (
            f"  {c.field}",
            shortened(c.field, c.before),
            "->",
            shortened(c.field, c.after),
            "in place" if c.in_place else "NOT POSSIBLE IN PLACE",
        )
        for c in found
    ]
    return table(rows)


def instance_of(deployment: Deployment) -> InferenceEndpointHardware | None:
    """What the API offers under these names, or None."""
    wanted = deployment.specification.instance
    return next(
        (
            one
            for one in deployment.hub.hardware(deployment.namespace)
            if (one.vendor, one.region, one.accelerator, one.instance_type, one.instance_size)
            == (wanted.vendor, wanted.region, wanted.accelerator, wanted.type, wanted.size)
        ),
        None,
    )


def hourly_of(deployment: Deployment, there: State) -> float | None:
    """Dollars an hour that an endpoint costs at most, by what it runs on; None where the API does not say."""
    names = (there.vendor, there.region, there.accelerator, there.instance_type, there.instance_size)
    for one in deployment.hub.hardware(deployment.namespace):
        if (one.vendor, one.region, one.accelerator, one.instance_type, one.instance_size) == names:
            return float(one.price_per_hour) * there.max_replicas
    return None


def cost_of(deployment: Deployment) -> dict[str, float] | None:
    """Dollars, at the smallest and the largest number of replicas; None where the API does not offer the instance."""
    instance, scaling = instance_of(deployment), deployment.specification.scaling
    if instance is None:
        return None
    hourly = instance.price_per_hour
    return {
        "per_hour_least": round(hourly * scaling.min_replicas, 4),
        "per_hour_most": round(hourly * scaling.max_replicas, 4),
        "per_month_least": round(hourly * scaling.min_replicas * HOURS_PER_MONTH, 2),
        "per_month_most": round(hourly * scaling.max_replicas * HOURS_PER_MONTH, 2),
    }


def cost_lines(cost: dict[str, float] | None, least: int, most: int) -> list[str]:
    if cost is None:
        return ["cost: the API does not offer this instance; `hf endpoints hardware` lists what there is"]
    return [
        f"cost: ${cost['per_hour_least']:.2f} to ${cost['per_hour_most']:.2f} an hour, "
        f"${cost['per_month_least']:.2f} to ${cost['per_month_most']:.2f} a month of {HOURS_PER_MONTH} hours "
        f"({least} to {most} replica(s))"
    ]
