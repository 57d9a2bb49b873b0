"""Libraries that load models, kept from drawing progress bars into a server's output and from logging paths and signed URLs."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

_LOGGERS = (
    *("transformers", "huggingface_hub", "httpx", "httpx2", "httpcore", "httpcore2", "urllib3", "filelock"),
    *("lightning.pytorch", "lightning.fabric", "matplotlib"),  # pyannote's: old checkpoints, font caches, and where they are
)
_lock = threading.Lock()
_inside = 0
_as_it_was = ExitStack()


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing of that kind meanwhile, in the whole process; whoever leaves last puts everything back as it was.

    Import transformers before: what is not imported yet is not kept quiet. A user who has set HF_HUB_DISABLE_PROGRESS_BARS
    gets what it says.
    """
    global _inside
    with _lock:
        if _inside == 0:
            _as_it_was.callback(_stop_progress_bars())
            for name in _LOGGERS:
                logger = logging.getLogger(name)
                _as_it_was.callback(logger.setLevel, logger.level)
                logger.setLevel(logging.CRITICAL + 1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _as_it_was.close()


def _stop_progress_bars() -> Callable[[], None]:
    """Returns what brings them back."""
    from huggingface_hub import constants, utils

    hub: Any = utils
    if constants.HF_HUB_DISABLE_PROGRESS_BARS is not None:
        return lambda: None
    transformers = sys.modules.get("transformers")
    bars = None if transformers is None else transformers.utils.logging
    shown, hub_shown = bars is not None and bars.is_progress_bar_enabled(), not hub.are_progress_bars_disabled()

    def restore() -> None:
        # transformers' switch moves the Hub's as well, so the Hub's comes second.
        if bars is not None and shown:
            bars.enable_progress_bar()
        (hub.enable_progress_bars if hub_shown else hub.disable_progress_bars)()

    if bars is not None and shown:
        bars.disable_progress_bar()
    hub.disable_progress_bars()
    return restore
