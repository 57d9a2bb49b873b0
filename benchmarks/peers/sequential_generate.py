"""transformers' own long-form `generate`: the ASR pipeline without `chunk_length_s`, greedy. ASR alone.

`python -m benchmarks.peers.sequential_generate MODEL THREADS`; on the transformers that ours runs on, in a process of its own.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.peers.protocol import Heard, Request, System, serve_system


def load(model: str, threads: str) -> System:
    import numpy as np
    import torch
    from transformers import pipeline

    torch.set_num_threads(int(threads))
    recognize: Any = pipeline("automatic-speech-recognition", model=model, dtype=torch.float32, device="cpu")

    def system(request: Request) -> Any:
        samples = np.load(request.recording)
        asked = {"task": "transcribe", "language": request.language, "num_beams": 1}
        return lambda: Heard(recognize(samples, return_timestamps=True, generate_kwargs=asked)["text"])

    return system


if __name__ == "__main__":
    serve_system(lambda: load(*sys.argv[1:]))
