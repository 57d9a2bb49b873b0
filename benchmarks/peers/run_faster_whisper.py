"""faster-whisper, ASR alone.

`python -m benchmarks.peers.run_faster_whisper MODEL THREADS COMPUTE_TYPE sequential|"without context"|batched BEAMS`

Word times are asked for, since ours gives them; everything else is its own default. Sequential, it gives each window the text
before it, unless it is "without context". Batched, it finds speech first and writes no timestamps.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.peers.protocol import BATCH_SIZE, Heard, Request, System, serve_system

_PROMPT_TOKENS = 4
"""Start, language, task, no timestamps."""


def load(model: str, threads: str, compute_type: str, mode: str, beams: str) -> System:
    import numpy as np
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    whisper = WhisperModel(model, device="cpu", compute_type=compute_type, cpu_threads=int(threads))
    options: dict[str, Any] = {"task": "transcribe", "beam_size": int(beams), "word_timestamps": True}
    transcribe = whisper.transcribe
    if mode == "without context":
        options["condition_on_previous_text"] = False
    if mode == "batched":
        transcribe = BatchedInferencePipeline(whisper).transcribe
        options["batch_size"] = BATCH_SIZE

    def system(request: Request) -> Any:
        samples = np.load(request.recording)
        # CTranslate2 writes half of its `max_length` at most, which is the prompt and `max_new_tokens` here.
        limit = None if request.limit is None else 2 * request.limit - _PROMPT_TOKENS

        def work() -> Heard:
            found, _ = transcribe(samples, language=request.language, max_new_tokens=limit, **options)
            segments = list(found)
            return Heard(
                "".join(segment.text for segment in segments),
                windows=len({segment.seek for segment in segments}),
                tokens=sum(len(segment.tokens) for segment in segments),
            )

        return work

    return system


if __name__ == "__main__":
    serve_system(lambda: load(*sys.argv[1:]))
