"""whisperX: its VAD and batched ASR and, if speakers are wanted, its diarization and `assign_word_speakers`.

`python -m benchmarks.peers.run_whisperx MODEL DIARIZATION_MODEL THREADS COMPUTE_TYPE`

Everything is its default: five beams, and the VAD model that its package carries. Its alignment needs a wav2vec2 model, which
cannot be had without a download, so there are no word times: whole chunks of up to 30 s are handed to one speaker each.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.peers.protocol import BATCH_SIZE, Heard, Request, Stages, System, serve_system


def load(model: str, diarization_model: str, threads: str, compute_type: str) -> System:
    import numpy as np
    import torch
    import whisperx  # type: ignore[import-not-found]  # in its own environment alone
    from whisperx.diarize import DiarizationPipeline  # type: ignore[import-not-found]

    torch.set_num_threads(int(threads))
    stages = Stages()
    whisper = whisperx.load_model(model, "cpu", compute_type=compute_type, language="en", threads=int(threads))
    transcribe = stages("asr", whisper.transcribe)
    diarize = stages("diarize", DiarizationPipeline(diarization_model))
    assign = stages("merge", whisperx.assign_word_speakers)

    def system(request: Request) -> Any:
        given = np.load(request.recording) if request.recording.endswith(".npy") else request.recording

        def work() -> Heard:
            samples = whisperx.load_audio(given) if isinstance(given, str) else given
            result = transcribe(samples, batch_size=BATCH_SIZE, language=request.language)
            turns = None
            if request.speakers:
                found = diarize(samples)
                result = assign(found, result)
                turns = [(row["speaker"], float(row["start"]), float(row["end"])) for _, row in found.iterrows()]
            segments = result["segments"]
            said = [(one.get("speaker"), float(one["start"]), float(one["end"]), one["text"]) for one in segments]
            return Heard(" ".join(one["text"] for one in segments), said, turns, stages.taken())

        return work

    return system


if __name__ == "__main__":
    serve_system(lambda: load(*sys.argv[1:]))
