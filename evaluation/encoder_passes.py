"""How often Whisper's encoder ran: a figure of speed that no busy machine can disturb."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Passes:
    """So many windows of 30 s went through an encoder."""

    def __init__(self) -> None:
        self.windows = 0


@contextmanager
def counted_encoder_passes() -> Iterator[Passes]:
    """Counts every Whisper encoder of transformers in this process, in all its threads, as long as the block lasts."""
    from torch.nn.modules.module import register_module_forward_hook  # late: for those who have them
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    passes = Passes()

    def count(module: Any, given: Any, output: Any) -> None:
        if isinstance(module, WhisperEncoder):
            passes.windows += len(output.last_hidden_state)

    hook = register_module_forward_hook(count)
    try:
        yield passes
    finally:
        hook.remove()
