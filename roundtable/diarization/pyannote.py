"""pyannote.audio's speaker diarization, run so that a server can rely on it.

What is found is pyannote's; here is how it is asked, and what is made of the answer. It always hears the recording that is in
memory already, in a call of its own. Whatever its process-wide manners are, `pyannote_process` keeps them in; how a pipeline
gets here is `pyannote_loading`'s, and what makes it three times as fast is `pyannote_frames`'.

One call at a time, on a CPU too: batch sizes, which halve when memory runs out, are the pipeline's own and are read in the
middle of its loops; its embedding step swaps Python's list of warning filters; and torch uses every core for one call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any, Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from roundtable.audio import SAMPLE_RATE_HZ, Audio
from roundtable.control import Control
from roundtable.diarization import DiarizationModel, DiarizeOptions
from roundtable.diarization.known_speakers import named, unusable
from roundtable.diarization.pyannote_frames import share_frames
from roundtable.diarization.pyannote_linkage import link_by_neighbours
from roundtable.diarization.pyannote_loading import LoadedPipeline, load_pipeline
from roundtable.diarization.pyannote_memory import keep_small
from roundtable.diarization.pyannote_process import contained
from roundtable.errors import InvalidParameters, OutOfMemory
from roundtable.heap import give_back, return_large_blocks, reusing_large_blocks
from roundtable.torch_memory import ran_out_of_memory
from roundtable.transcript import Diarization, Turn, Warning_

_CPU_BATCH, _GPU_BATCH = 8, 32
"""Windows of 10 s at once. More make a CPU no faster, only larger."""

_CPU_EMBEDDED = 4
"""Of these, at most so many for their embeddings, whose network's results are the largest. Two take a twentieth longer."""

_SAME_VOICE = 0.5
"""Cosine distance up to which a speaker and a reference are one person.

For the embeddings of 3.1 and community-1 (WeSpeaker's ResNet34-LM). Within one recording, pyannote's released thresholds (0.6
to 0.7, Euclidean, between unit vectors) are cosine distances of 0.18 to 0.25; a reference is mostly another recording, from
another microphone, and further away. No value suits all recordings. This one, also the usual advice for such networks, rather
leaves somebody unnamed than gives a stranger a name.
"""

_LEAST_REFERENCE_S = 1.0
"""Of one person alone. A voice is not known by less."""

_STEPS = {
    "segmentation": (0.0, 0.3),
    "speaker_counting": (0.3, 0.0),
    "embeddings": (0.3, 0.65),
    "discrete_diarization": (0.97, 0.0),
}
"""pyannote's names of its steps: where in [0, 1] each begins, and its share."""

_GIVES_BACK_EVERY = 16
"""Batches. More often costs pages that the next one needs; less often an hour takes more memory than its waveform."""

_ROUNDING_S = 1e-6
"""Anything shorter is the difference of two floats."""

Voice = NDArray[np.floating[Any]]
_Result = TypeVar("_Result")


def load_pyannote(wanted: DiarizationModel) -> PyannoteDiarizer:
    """The engine for a pipeline on the Hub or in a folder. Raises what `load_pipeline` raises."""
    return PyannoteDiarizer(load_pipeline(wanted))


class PyannoteDiarizer:
    """A `Diarizer` that hears overlapping speech. `shares_frames`: see `pyannote_frames`."""

    def __init__(self, loaded: LoadedPipeline) -> None:
        self.name: Final = loaded.name
        self._pipeline: Final = loaded.pipeline
        self._device: Final = loaded.device
        self._batch: Final = _CPU_BATCH if loaded.device.type == "cpu" else _GPU_BATCH
        self._turn: Final = threading.Lock()
        if loaded.device.type == "cpu":
            return_large_blocks()
        self._set_batch(self._batch)
        with contained(loaded.device):
            self.shares_frames: Final = share_frames(self._pipeline)
            keep_small(self._pipeline)
            link_by_neighbours(self._pipeline)

    def diarize(self, audio: Audio, options: DiarizeOptions, control: Control) -> Diarization:
        """No speech is an empty result; a number of speakers that the recording does not have is a warning.

        Raises `InvalidParameters` for bounds that nobody can keep, `OutOfMemory` when not even one window fits.
        """
        bounds = _bounds(options)

        def work() -> tuple[Any, list[Voice | None]]:
            return self._ask(audio, bounds, control), [self._voice(given.audio, control) for given in options.references]

        with control.alone(self._turn), contained(self._device), reusing_large_blocks():
            (output, known), warnings = self._within_memory(work)
        full, exclusive = output.speaker_diarization, output.exclusive_speaker_diarization
        turns = _exclusive(_pieces(exclusive, audio.duration_s))
        overlaps = _remainder(_pieces(full, audio.duration_s), turns)
        voices = dict(zip(full.labels(), map(_usable, output.speaker_embeddings), strict=True))
        found = len({turn.speaker for turn in (*turns, *overlaps)})
        fewest = options.num_speakers or options.min_speakers or 1
        if 0 < found < fewest:
            warnings.append(_fewer_speakers(found, fewest))
        warnings += [unusable(position, len(known)) for position, voice in enumerate(known, 1) if voice is None]
        heard = Diarization(
            turns=turns,
            overlaps=overlaps,
            warnings=tuple(warnings),
            embeddings={label: _numbers(voice) for label, voice in voices.items()} if options.embeddings else {},
        )
        control.report("diarize", 1.0)
        names = [given.name for given in options.references]
        references = [(name, voice) for name, voice in zip(names, known, strict=True) if voice is not None]
        return named(heard, voices, references, _SAME_VOICE)

    def _within_memory(self, work: Callable[[], _Result]) -> tuple[_Result, list[Warning_]]:
        """In batches that halve when memory runs out."""
        size = self._batch
        try:
            while True:
                self._set_batch(size)
                try:
                    result = work()
                    return result, [] if size == self._batch else [_smaller_batches(size)]
                except Exception as error:
                    if not ran_out_of_memory(error):
                        raise
                    # Out of the handler before the next attempt: the traceback holds what has to be freed.
                if size == 1:
                    raise OutOfMemory("There was not enough memory to diarize a single window.")
                size //= 2
        finally:
            self._set_batch(self._batch)

    def _set_batch(self, size: int) -> None:
        self._pipeline.segmentation_batch_size = size
        self._pipeline.embedding_batch_size = min(size, _CPU_EMBEDDED) if self._device.type == "cpu" else size

    def _ask(self, audio: Audio, bounds: Mapping[str, int], control: Control) -> Any:
        hook = _hook(control)
        try:
            output = self._pipeline(_file(audio), hook=hook, **bounds)
            # k-means may leave a cluster empty: its centre is NaN, and numpy takes that for everybody's nearest.
            if not bounds or np.isfinite(output.speaker_embeddings).all():
                return output
        except ValueError as error:
            if not bounds or "n_clusters" not in str(error):  # more speakers than embeddings to divide among them
                raise
        # Either way there is too little speech, or too little difference in it, for so many.
        return self._pipeline(_file(audio), hook=hook)

    def _voice(self, audio: Audio, control: Control) -> Voice | None:
        """What the one who speaks sounds like, from where the segmentation hears one person alone."""
        control.check()
        pipeline, file = self._pipeline, _file(audio)
        frames = pipeline._segmentation.model.receptive_field
        heard = pipeline._segmentation(file)
        if not pipeline._segmentation.model.specifications.powerset:
            heard.data = (heard.data > pipeline.segmentation.threshold).astype(np.float32)
        speaking = pipeline.speaker_count(heard, frames, warm_up=(0.0, 0.0)).data[: round(audio.duration_s / frames.step), 0]
        alone = (speaking == 1).astype(np.float32)
        if alone.sum() * frames.step < _LEAST_REFERENCE_S:
            return None
        return _usable(pipeline._embedding(file["waveform"][None], masks=torch.from_numpy(alone)[None])[0])


# ---- what pyannote is asked


def _bounds(options: DiarizeOptions) -> dict[str, int]:
    """As pyannote takes them: to it 0 is "find out", and it meets contradictions with errors of other libraries."""
    if options.num_speakers is not None:
        given = {"num_speakers": options.num_speakers}
    else:
        both = {"min_speakers": options.min_speakers, "max_speakers": options.max_speakers}
        given = {name: bound for name, bound in both.items() if bound is not None}
    for name, bound in given.items():
        if bound < 1:
            raise InvalidParameters(f"{name}: must be at least 1.")
    if given.get("min_speakers", 1) > given.get("max_speakers", given.get("min_speakers", 1)):
        raise InvalidParameters("min_speakers: must not be more than max_speakers.")
    return given


def _file(audio: Audio) -> dict[str, Any]:
    """A new one for every call: pyannote writes into it. The waveform is the recording itself, and not a copy."""
    samples = np.ascontiguousarray(audio.samples, np.float32)
    return {"waveform": torch.from_numpy(np.asarray(_Writable(samples)))[None], "sample_rate": SAMPLE_RATE_HZ}


class _Writable:
    """torch has no read-only tensors and warns of arrays that are: so says that they are not. pyannote does not write to it."""

    def __init__(self, samples: NDArray[np.float32]) -> None:
        self._samples: Final = samples  # which what is made of this keeps alive
        address, _ = samples.__array_interface__["data"]
        self.__array_interface__: Final = {**samples.__array_interface__, "data": (address, False)}


def _hook(control: Control) -> Callable[..., None]:
    """What pyannote calls after every batch. It counts batches by their full size, and so comes to more than all."""
    calls = count(1)

    def hook(step: str, *_: object, total: int | None = None, completed: int | None = None, **__: object) -> None:
        control.check()
        start, share = _STEPS.get(step, (0.0, 0.0))
        done = min(1.0, float(completed or 0) / total) if total else 1.0
        if done == 1.0 or next(calls) % _GIVES_BACK_EVERY == 0:
            give_back()
        control.report("diarize", start + share * done)

    return hook


# ---- what is made of the answer


def _pieces(annotation: Any, duration_s: float) -> list[Turn]:
    """In time order, within the recording: the last window is filled up with silence, and turns may end in there."""
    turns = (
        Turn(max(0.0, float(segment.start)), min(duration_s, float(segment.end)), speaker)
        for segment, _, speaker in annotation.itertracks(yield_label=True)
    )
    return sorted((turn for turn in turns if turn.end - turn.start > _ROUNDING_S), key=lambda turn: (turn.start, -turn.end))


def _exclusive(pieces: Iterable[Turn]) -> tuple[Turn, ...]:
    """Whoever began last has the floor.

    pyannote's exclusive turns overlap only where `min_duration_off` has closed a gap over somebody's interjection.
    """
    turns: list[Turn] = []
    under_way: list[Turn] = []
    now = 0.0

    def go_to(time: float) -> None:
        nonlocal now
        while under_way and now < time:
            last = under_way[-1]
            if last.end > now:
                turns.append(Turn(now, min(last.end, time), last.speaker))
                now = turns[-1].end
            if last.end <= now:
                under_way.pop()
        now = time

    for piece in pieces:
        go_to(piece.start)
        under_way.append(piece)
    go_to(float("inf"))
    return tuple(turns)


def _remainder(full: Iterable[Turn], turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """What each speaker says beside their turns. Both in time order."""
    own: dict[str, list[Turn]] = {}
    for turn in reversed(tuple(turns)):
        own.setdefault(turn.speaker, []).append(turn)
    left = []
    for piece in full:
        taken, start = own.get(piece.speaker, []), piece.start
        while taken and taken[-1].start < piece.end:
            turn = taken.pop()
            if turn.start - start > _ROUNDING_S:
                left.append(Turn(start, turn.start, piece.speaker))
            start = max(start, turn.end)
        if piece.end - start > _ROUNDING_S:
            left.append(Turn(start, piece.end, piece.speaker))
    return tuple(sorted(left, key=lambda turn: (turn.start, turn.end)))


def _usable(voice: Voice) -> Voice | None:
    """NaN stands for too little speech, zeros for a speaker heard over others only."""
    return voice if np.isfinite(voice).all() and voice.any() else None


def _numbers(voice: Voice | None) -> tuple[float, ...] | None:
    return None if voice is None else tuple(float(number) for number in voice)


def _fewer_speakers(found: int, asked: int) -> Warning_:
    message = f"{asked} speakers were asked for; no more than {found} could be told apart."
    return Warning_("diarize", "fewer_speakers", message)


def _smaller_batches(size: int) -> Warning_:
    message = f"Memory ran out: windows were diarized {size} at a time, with the same result."
    return Warning_("diarize", "batch_size_reduced", message)
