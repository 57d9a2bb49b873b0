"""Prompts to answers, on a loaded model: in batches, greedily, without gradients, and stopped when the request is.

The library's own `generate` does the decoding, with a generation config of ours in place of the checkpoint's: sampling, beams
and penalties that somebody saved with a model would otherwise leak in. Prompts of a causal model are padded on the left, so
that every answer begins right behind its prompt; positions then come from the mask, and a row does not feel the rows beside it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final

import torch
import transformers
from torch import Tensor

from roundtable.control import Control
from roundtable.errors import EngineFailed, OutOfMemory
from roundtable.quiet import quiet
from roundtable.summarization.checkpoint import SummaryCheckpoint
from roundtable.summarization.writer import Prompt, Written, WrittenBatch
from roundtable.torch_memory import ran_out_of_memory
from roundtable.transcript import Warning_

_ROWS_CPU, _ROWS = 8, 32
_TOKENS_CPU, _TOKENS = 16_384, 131_072
"""Most rows of a batch, and most tokens: rows times the longest prompt and answer. Memory that is less halves them."""

_NO_REPEAT = 3
"""Sequence-to-sequence models loop when they decode greedily: no three tokens come twice, as their authors decode them."""


class Generator:
    """One loaded model and its turn: one batch at a time."""

    def __init__(self, checkpoint: SummaryCheckpoint) -> None:
        self._checkpoint: Final = checkpoint
        self._turn: Final = threading.Lock()
        on_cpu = checkpoint.device.type == "cpu"
        self.most_rows = _ROWS_CPU if on_cpu else _ROWS
        self._most_tokens = _TOKENS_CPU if on_cpu else _TOKENS

    def write(self, prompts: Sequence[Prompt], max_tokens: int, min_tokens: int, control: Control) -> WrittenBatch:
        """See `Writer.write`. Prompts go longest first, with others of about their length; what comes out depends on none of
        that."""
        waiting = sorted(range(len(prompts)), key=lambda place: (-len(prompts[place].ids), place))
        answers: dict[int, Written] = {}
        rows, reduced = self.most_rows, False
        while waiting:
            longest = len(prompts[waiting[0]].ids) + max_tokens
            batch = waiting[: max(1, min(rows, self._most_tokens // longest))]
            written = self._try([prompts[place] for place in batch], max_tokens, min_tokens, control)
            if written is not None:
                answers.update(zip(batch, written, strict=True))
                waiting = waiting[len(batch) :]
            elif len(batch) == 1:
                raise OutOfMemory("There was not enough memory to summarize a single part of the conversation.")
            else:
                rows, reduced = len(batch) // 2, True
        warnings: tuple[Warning_, ...] = ()
        if reduced:
            message = f"Memory ran out: parts were summarized {rows} at a time, with the same result."
            warnings = (Warning_("summarize", "batch_size_reduced", message),)
        return WrittenBatch(tuple(answers[place] for place in range(len(prompts))), warnings)

    def _try(self, prompts: Sequence[Prompt], max_tokens: int, min_tokens: int, control: Control) -> list[Written] | None:
        """None: memory ran out. The traceback, which holds what has to be freed, is gone by then."""
        with control.alone(self._turn), torch.inference_mode():
            try:
                return self._write(prompts, max_tokens, min_tokens, control)
            except Exception as error:
                if not ran_out_of_memory(error):
                    raise
        return None

    def _write(self, prompts: Sequence[Prompt], max_tokens: int, min_tokens: int, control: Control) -> list[Written]:
        checkpoint = self._checkpoint
        width = max(len(prompt.ids) for prompt in prompts)
        ids = torch.full((len(prompts), width), checkpoint.pad_id, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            here = slice(0, len(prompt.ids)) if checkpoint.is_encoder_decoder else slice(width - len(prompt.ids), width)
            ids[row, here] = torch.tensor(prompt.ids)
            mask[row, here] = 1
        _check_rows(ids, mask, prompts)
        with quiet():
            out = checkpoint.model.generate(
                input_ids=ids.to(checkpoint.device),
                attention_mask=mask.to(checkpoint.device),
                generation_config=self._config(max_tokens, min_tokens),
                logits_processor=transformers.LogitsProcessorList([_Finite()]),
                stopping_criteria=transformers.StoppingCriteriaList([_Stop(control)]),
            )
        control.check()
        begin = 1 if checkpoint.is_encoder_decoder else width
        return [self._read(row[begin:].tolist()) for row in out]

    def _config(self, max_tokens: int, min_tokens: int) -> Any:
        checkpoint = self._checkpoint
        return transformers.GenerationConfig(  # type: ignore[no-untyped-call]  # the library's own is without types
            do_sample=False,
            num_beams=1,
            use_cache=True,
            max_new_tokens=max_tokens,
            min_new_tokens=min(min_tokens, max_tokens) or None,
            no_repeat_ngram_size=_NO_REPEAT if checkpoint.is_encoder_decoder else 0,
            eos_token_id=list(checkpoint.end_ids),
            pad_token_id=checkpoint.pad_id,
            bos_token_id=checkpoint.bos_id,
            decoder_start_token_id=checkpoint.decoder_start_id,
            forced_bos_token_id=checkpoint.forced_bos_id,
        )

    def _read(self, ids: list[int]) -> Written:
        ends = [place for place, id_ in enumerate(ids) if id_ in self._checkpoint.end_ids]
        finished = bool(ends)
        return Written(self._checkpoint.decode(ids[: ends[0]] if ends else ids), finished)


def _check_rows(ids: Tensor, mask: Tensor, prompts: Sequence[Prompt]) -> None:
    """What the model sees is the prompts, whole: nothing was cut or moved on the way into the batch."""
    for row, prompt in enumerate(prompts):
        if tuple(ids[row][mask[row].bool()].tolist()) != prompt.ids:
            raise EngineFailed("A prompt for the summary was changed on its way to the model.")


class _Stop(transformers.StoppingCriteria):
    """Ends the generation, as an error, when the request is cancelled or out of time. Looked at after every token."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Any:
        self._control.check()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


class _Finite(transformers.LogitsProcessor):
    """Damaged weights, or a dtype that is too narrow, give no numbers; greedy decoding would make words of them."""

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        if bool(torch.isnan(scores).any()):
            raise EngineFailed(
                "The summary model computes no numbers: its weights are damaged, or SUMMARIZE_DTYPE is too narrow."
            )
        return scores
