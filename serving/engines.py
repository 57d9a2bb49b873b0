"""The handler for the command line: the engines that the environment names, or the embedded ones."""

from __future__ import annotations

import os
import sys

from config import ModelSettings
from handler import EndpointHandler
from roundtable.errors import EngineError


class EnginesNotLoaded(Exception):  # noqa: N818  # says what happened, as the errors of the library do
    """The engines could not be loaded; the text says why, in one sentence."""


def load_handler() -> EndpointHandler:
    """Load once per process. Says on stderr which engines are used when none were named."""
    try:
        if os.environ.get("ASR_MODEL"):
            return EndpointHandler()
        print(
            "Using the embedded engines (English, no download). Name better ones with ASR_MODEL; see README.", file=sys.stderr
        )
        embedded = dict.fromkeys(("asr_model", "diarization_model", "summarize_model"), "embedded")
        return EndpointHandler(settings=ModelSettings.load(**embedded))
    except EngineError as error:
        raise EnginesNotLoaded(error.message) from error
