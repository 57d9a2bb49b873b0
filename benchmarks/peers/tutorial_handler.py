"""The tutorial's handler (Whisper and pyannote behind one `EndpointHandler`), as it is written, on today's libraries.

`python -m benchmarks.peers.tutorial_handler ASR_MODEL DIARIZATION_MODEL THREADS [BEAMS]`

It runs on the versions that ours runs on (transformers 5, pyannote.audio 4), in a process of its own. Stages, order, parameters
and the reply's four keys are the tutorial's. What had to change, and nothing else:

    torch_dtype=, use_auth_token=, checkpoint_path=   are called dtype=, token= and checkpoint now
    the models' names                                 are arguments: one process has one handler
    HfApi().whoami                                    is left out: the models lie in folders, and nobody is asked
    generate_kwargs                                   is used there but never made: task and language, as it parses them
    pyannote's answer                                 holds the turns in `speaker_diarization`, since pyannote.audio 4
    the "summarization" pipeline                      is gone from transformers 5: `summarize` is [], here and in ours
    diarization_utils                                 is named, not shown: the usual one, after the description of its rule

Left to itself, the pipeline of transformers 5 writes with five beams, that of the tutorial's days wrote with one. BEAMS 1 is
for those who would rather compare with that.
"""

from __future__ import annotations

import base64
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.peers.protocol import BATCH_SIZE, SAMPLE_RATE_HZ, Heard, Request, Stages, System, serve_system

Chunk = dict[str, Any]
Turn = dict[str, Any]


class EndpointHandler:
    """Base64 in, `speakers`, `summarize`, `chunks` and `text` out."""

    def __init__(self, asr_model: str, diarization_model: str | None, beams: int | None = None) -> None:
        import torch
        from pyannote.audio import Pipeline
        from transformers import pipeline

        device = torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")
        dtype = torch.float32 if device.type == "cpu" else torch.float16
        self.asr_pipeline: Any = pipeline("automatic-speech-recognition", model=asr_model, dtype=dtype, device=device)
        self.diarization_pipeline: Any = None
        if diarization_model:
            self.diarization_pipeline = Pipeline.from_pretrained(Path(diarization_model))
            self.diarization_pipeline.to(device)
        self.beams = {} if beams is None else {"num_beams": beams}

    def __call__(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """One request."""
        file = base64.b64decode(inputs.pop("inputs"))
        parameters = {"task": "transcribe", "language": None, "batch_size": BATCH_SIZE, "chunk_length_s": 30}
        parameters.update(inputs.pop("parameters", {}))
        asr_outputs = self.asr_pipeline(
            file,
            chunk_length_s=parameters["chunk_length_s"],
            batch_size=parameters["batch_size"],
            generate_kwargs={"task": parameters["task"], "language": parameters["language"], **self.beams},
            return_timestamps=True,
        )
        transcript = self.diarize(file, parameters, asr_outputs["chunks"]) if self.diarization_pipeline else []
        return {"speakers": transcript, "summarize": [], "chunks": asr_outputs["chunks"], "text": asr_outputs["text"]}

    def diarize(self, file: bytes, parameters: dict[str, Any], chunks: list[Chunk]) -> list[Turn]:
        """Decode once more, ask pyannote, and hand out the chunks."""
        import torch
        from transformers.pipelines.audio_utils import ffmpeg_read

        waveform = torch.from_numpy(ffmpeg_read(file, SAMPLE_RATE_HZ).copy())[None]
        bounds = {name: parameters.get(name) for name in ("num_speakers", "min_speakers", "max_speakers")}
        found = self.diarization_pipeline({"waveform": waveform, "sample_rate": SAMPLE_RATE_HZ}, **bounds)
        tracks = found.speaker_diarization.itertracks(yield_label=True)
        turns = [{"speaker": who, "start": turn.start, "end": turn.end} for turn, _, who in tracks]
        return hand_out(turns, chunks)


def hand_out(turns: list[Turn], chunks: list[Chunk]) -> list[Turn]:
    """Each run of one speaker's turns lasts until the next speaker begins, and takes what chunks are left up to the one whose
    end is nearest to its own. What is left after the last run is lost. Raises IndexError without turns."""
    import numpy as np

    runs = [list(run) for _, run in groupby(turns, key=lambda turn: turn["speaker"])]
    run_ends = [run[0]["start"] for run in runs[1:]] + [runs[-1][-1]["end"]]
    left, ends = chunks, np.array([sys.float_info.max if (end := chunk["timestamp"][1]) is None else end for chunk in chunks])
    said: list[Turn] = []
    for run, run_end in zip(runs, run_ends, strict=True):
        take = int(np.argmin(np.abs(ends - run_end))) + 1
        said += [{"speaker": run[0]["speaker"], **chunk} for chunk in left[:take]]
        left, ends = left[take:], ends[take:]
        if not left:
            break
    return said


def load(asr_model: str, diarization_model: str, threads: str, beams: str = "") -> System:
    """The handler behind the protocol: its pipelines are timed, and pyannote's turns are kept."""
    import torch

    torch.set_num_threads(int(threads))
    handler = EndpointHandler(asr_model, diarization_model, int(beams) if beams else None)
    stages = Stages()
    turns: list[tuple[str, float, float]] = []
    find_turns = handler.diarization_pipeline

    def kept(*args: Any, **kwargs: Any) -> Any:
        found = find_turns(*args, **kwargs)
        turns[:] = [(who, turn.start, turn.end) for turn, _, who in found.speaker_diarization.itertracks(yield_label=True)]
        return found

    handler.asr_pipeline = stages("asr", handler.asr_pipeline)
    handler.diarization_pipeline = stages("diarize", kept)

    def system(request: Request) -> Any:
        data = {
            "inputs": base64.b64encode(Path(request.recording).read_bytes()).decode(),
            "parameters": {"language": request.language},
        }

        def work() -> Heard:
            reply = handler(data)
            said = [(one["speaker"], *_span(one["timestamp"]), one["text"]) for one in reply["speakers"]]
            return Heard(reply["text"], said, list(turns), stages.taken())

        return work

    return system


def _span(timestamp: tuple[float, float | None]) -> tuple[float, float]:
    """A chunk that was cut off has no end."""
    start, end = timestamp
    return float(start), float(start if end is None else end)


if __name__ == "__main__":
    serve_system(lambda: load(*sys.argv[1:]))
