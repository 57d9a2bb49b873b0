"""Muon for the matrices of the layers and AdamW for everything else: fewer steps to the same loss than AdamW alone.

Muon (Jordan and others, 2024) replaces a matrix's momentum by the nearest orthogonal matrix, found with a few Newton-Schulz
iterations. Here all matrices of one shape go through them together, in bfloat16.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class Optimiser:
    """Steps a network's parameters. Learning rates are per step; `scale` in `step` multiplies both."""

    def __init__(self, named: Iterable[tuple[str, nn.Parameter]], matrix_rate: float, other_rate: float) -> None:
        self._groups: dict[tuple[int, ...], list[nn.Parameter]] = {}
        others: list[nn.Parameter] = []
        for name, parameter in named:
            if not parameter.requires_grad:
                continue
            if parameter.ndim == 2 and ".layers." in name:
                self._groups.setdefault(tuple(parameter.shape), []).append(parameter)
            else:
                others.append(parameter)
        self._momentum = {shape: torch.zeros(len(group), *shape) for shape, group in self._groups.items()}
        self._matrix_rate, self._other_rate = matrix_rate, other_rate
        self._adam = torch.optim.AdamW(others, lr=other_rate, betas=(0.9, 0.98), weight_decay=0.01)

    @torch.no_grad()
    def step(self, scale: float, momentum: float = 0.95, decay: float = 0.01) -> None:
        for group in self._adam.param_groups:
            group["lr"] = self._other_rate * scale
        self._adam.step()
        rate = self._matrix_rate * scale
        for shape, parameters in self._groups.items():
            gradients = torch.stack([torch.zeros_like(p) if p.grad is None else p.grad for p in parameters])
            average = self._momentum[shape].mul_(momentum).add_(gradients)
            updates = _orthogonal(gradients.add(average, alpha=momentum)) * max(1.0, shape[0] / shape[1]) ** 0.5
            for parameter, update in zip(parameters, updates, strict=True):
                parameter.mul_(1 - rate * decay).add_(update, alpha=-rate)

    def state(self) -> dict[str, object]:
        return {"adam": self._adam.state_dict(), "momentum": self._momentum}

    def load(self, state: dict[str, object]) -> None:
        self._adam.load_state_dict(state["adam"])  # type: ignore[arg-type]
        self._momentum = state["momentum"]  # type: ignore[assignment]


def _orthogonal(matrices: Tensor) -> Tensor:
    a, b, c = _QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = (x.mT if tall else x).float()
    return result
