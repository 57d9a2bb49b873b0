"""`check`: everything that can go wrong later and can be known now. One table, red lines first. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from huggingface_hub import InferenceEndpointHardware, ModelInfo
from pydantic import SecretStr

from deploy.access import MEANING, PROTECTED, api_level
from deploy.console import table
from deploy.containers import IMAGE, PYTHON, container_findings, without_download
from deploy.deployment import Deployment
from deploy.errors import CommandError, HubRefused, NotThere
from deploy.findings import GREEN, ORDER, RED, YELLOW, Finding
from deploy.plan import cost_lines, cost_of, instance_of
from deploy.specification import Model
from deploy.wheels import Resolver

MOST_OF_MEMORY = 0.9
"""Of the instance's memory, that the weights may fill; the rest is for what is computed."""

_WEIGHTS = (".safetensors", ".bin", ".ckpt", ".pt")
_GIGABYTE = 1e9


def check(deployment: Deployment, resolver: Resolver | None) -> int:
    """Prints the table; returns 1 if anything is red, else 0. `resolver` None: requirements are not looked at."""
    specification = deployment.specification
    level = api_level(specification.access)
    findings = [Finding(GREEN, "access", f"{level}: {MEANING[level]}")]
    if specification.access == "protected":
        findings.append(Finding(YELLOW, "access", PROTECTED))
    secrets, missing = _read_secrets(deployment)
    findings += missing
    token = secrets.get("HF_TOKEN")
    is_known = token is not None or "HF_TOKEN" not in specification.secrets
    if is_known:
        findings += _token_findings(deployment, token)
    weights = 0
    for stage, model in specification.models.named().items():
        if not model.on_the_hub:
            findings.append(without_download(stage, model.id))
            continue
        found, size = _model_findings(deployment, f"models.{stage}", model, token, is_known)
        findings += found
        weights += size
    findings += container_findings(specification)
    findings += _instance_findings(deployment, instance_of(deployment), weights)
    if resolver is not None:
        findings.append(_requirements_finding(deployment, resolver))
    findings.sort(key=lambda finding: ORDER.index(finding.verdict))
    rows = [("", "what", "found"), *((one.verdict, one.what, one.found) for one in findings)]
    red = any(one.verdict == RED for one in findings)
    deployment.console.result({"ok": not red, "findings": [vars(one) for one in findings]}, table(rows))
    return int(red)


def _read_secrets(deployment: Deployment) -> tuple[dict[str, SecretStr], list[Finding]]:
    """Those that are there, and a line for each that is not: everything else can be looked at without it."""
    found, missing = {}, []
    for name in deployment.specification.secrets:
        try:
            found[name] = deployment.secret(name)
        except CommandError as error:
            missing.append(
                Finding(RED, f"secrets.{name}", f"{error.reason.removeprefix(f'secret {name}: ')}; {error.next_step}")
            )
    return found, missing


def _requirements_finding(deployment: Deployment, resolver: Resolver) -> Finding:
    kind = deployment.specification.container.kind
    python = PYTHON[kind]
    which = (
        f"for Python {python} of {IMAGE[kind]}" if python is not None else f"for this Python; {IMAGE[kind]} may have another"
    )
    problem = resolver(deployment.root / "requirements.txt", python)
    return Finding(RED if problem else GREEN, "requirements.txt", f"{problem or 'resolves, wheels only'} ({which})")


def _token_findings(deployment: Deployment, token: SecretStr | None) -> list[Finding]:
    what = "runtime token"
    if token is None:
        return [Finding(GREEN, what, "none: every model has to be public")]
    if token.get_secret_value() == deployment.token.get_secret_value():
        return [Finding(YELLOW, what, "is the token that deploys: make one of its own, with read access only")]
    try:
        role = deployment.hub.token_role(token)
    except HubRefused as error:
        return [Finding(RED, what, error.reason)]
    if role == "read":
        return [Finding(GREEN, what, "read access only")]
    if role == "fineGrained":
        return [Finding(YELLOW, what, "fine-grained: see that it may read, and nothing else")]
    return [Finding(YELLOW, what, f"has the role {role}: one with read access is enough")]


def _model_findings(
    deployment: Deployment, what: str, model: Model, token: SecretStr | None, token_is_known: bool
) -> tuple[list[Finding], int]:
    """And the bytes of its weights."""
    try:
        info = deployment.hub.model(model.id, model.revision)
    except NotThere as error:
        return [Finding(RED, what, error.reason)], 0
    found = [_pinned(what, model, info), _licence(deployment, what, info)]
    found.append(_gate(deployment, what, model, info, token, token_is_known))
    size = weights_bytes(info)
    found.append(Finding(GREEN, what, f"{size / _GIGABYTE:.2f} GB of weights"))
    return found, size


def _gate(
    deployment: Deployment, what: str, model: Model, info: ModelInfo, token: SecretStr | None, token_is_known: bool
) -> Finding:
    if not token_is_known:
        verdict = YELLOW if info.gated else GREEN
        return Finding(verdict, what, "gated; there is no runtime token to ask with" if info.gated else "not gated")
    try:
        deployment.hub.may_read(model.id, token)
    except (HubRefused, NotThere) as error:
        return Finding(RED, what, f"the runtime token: {error.reason}; {error.next_step}")
    return Finding(GREEN, what, "gated, and the runtime token may read it" if info.gated else "not gated")


def _pinned(what: str, model: Model, info: ModelInfo) -> Finding:
    if model.pinned:
        return Finding(GREEN, what, f"{model.id} at {info.sha}")
    return Finding(RED, what, f"{model.id} has no commit; the newest is {info.sha}")


def _licence(deployment: Deployment, what: str, info: ModelInfo) -> Finding:
    licence = info.card_data.get("license") if info.card_data is not None else None
    allowed = licence in deployment.specification.licences
    return Finding(GREEN if allowed else RED, what, f"licence {licence or 'not named'}{'' if allowed else ': not allowed'}")


def weights_bytes(info: ModelInfo) -> int:
    """Of one format: a repository often has the same weights in several."""
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    for ending in _WEIGHTS:
        if found := [size for name, size in sizes.items() if name.endswith(ending)]:
            return sum(found)
    return 0


def _instance_findings(deployment: Deployment, instance: InferenceEndpointHardware | None, weights: int) -> list[Finding]:
    what, scaling = "instance", deployment.specification.scaling
    if instance is None:
        return [Finding(RED, what, "the API does not offer it; `hf endpoints hardware` lists what there is")]
    found = [Finding(GREEN if instance.status == "available" else YELLOW, what, f"{instance.id}: {instance.status}")]
    wanted, free = scaling.max_replicas * instance.num_accelerators, instance.max_accelerators - instance.used_accelerators
    enough = wanted <= free
    running = deployment.hub.endpoint(deployment.namespace, deployment.name) is not None
    verdict = GREEN if enough else YELLOW if running else RED  # what runs already is among what is used
    found.append(Finding(verdict, "quota", f"{wanted} needed, {free} of {instance.max_accelerators} free"))
    memory_gb = instance.gpu_memory_gb or instance.memory_gb
    fits = weights <= MOST_OF_MEMORY * memory_gb * _GIGABYTE
    detail = f"{weights / _GIGABYTE:.2f} GB of weights in {memory_gb:g} GB"
    found.append(Finding(GREEN if fits else RED, "memory", detail if fits else f"{detail}: too little"))
    found.append(Finding(GREEN, "disk", f"{weights / _GIGABYTE:.2f} GB to download at each start; the API names no disk size"))
    cost: Sequence[str] = cost_lines(cost_of(deployment), scaling.min_replicas, scaling.max_replicas)
    return [*found, *(Finding(GREEN, "price", line.removeprefix("cost: ")) for line in cost)]
