"""The network before and during training: its shape, how it starts, and what it is taught.

Four things make so small a network learn in an hour what would otherwise take days:
- its first encoder layers start out looking at their neighbourhood instead of everywhere;
- the encoder is also taught directly which word is said at each frame, and which one of its utterance that is;
- some cross-attention heads are told where the word to come, or the one just written, is heard; the last layer's two are
  spread evenly over the word, so that its borders, not its middle, are what word timing finds;
- a timestamp a few steps off is a little wrong, not entirely.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its customary name
from torch import Tensor, nn
from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

from tests.models.features import FRAME_S, MEL_BINS
from tests.models.tokens import LAST_TIMESTAMP, Tokens
from tests.models.windows import MAX_WORD_RANK, Window

WIDTH, HEAD_WIDTH, LAYERS = 160, 32, 4
ALIGNMENT_HEADS = ((LAYERS - 1, 0), (LAYERS - 1, 1))
FINDING_HEADS = ((1, 0), (2, 0))  # told only that the word to come is in there somewhere
TRACKING_HEAD = (0, 0)  # told where the word just written was
TIMESTAMP_BLUR_STEPS, TIMESTAMP_BLUR_SIGMA = 6, 1.5
ENCODER_FRAMES = 1500


def build(tokens: Tokens) -> WhisperForConditionalGeneration:
    """The untrained network, with the generation settings of a released checkpoint."""
    ends: dict[str, Any] = {"pad_token_id": tokens.end, "bos_token_id": tokens.end, "eos_token_id": tokens.end}
    config = WhisperConfig(
        vocab_size=tokens.size,
        num_mel_bins=MEL_BINS,
        d_model=WIDTH,
        encoder_layers=LAYERS,
        decoder_layers=LAYERS,
        encoder_attention_heads=WIDTH // HEAD_WIDTH,
        decoder_attention_heads=WIDTH // HEAD_WIDTH,
        encoder_ffn_dim=4 * WIDTH,
        decoder_ffn_dim=4 * WIDTH,
        max_source_positions=ENCODER_FRAMES,
        max_target_positions=448,
        init_std=0.05,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        decoder_start_token_id=tokens.start,
        suppress_tokens=None,
        begin_suppress_tokens=None,
        **ends,
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        decoder_start_token_id=tokens.start,
        max_length=448,
        suppress_tokens=[tokens.start, *range(tokens.translate, tokens.no_timestamps)],  # control tokens are never text
        begin_suppress_tokens=None,
        return_timestamps=False,
        **ends,
    )
    settings: dict[str, Any] = {
        "is_multilingual": True,
        "lang_to_id": {f"<|{code}|>": tokens.language(code) for code in tokens.languages},
        "task_to_id": {"transcribe": tokens.transcribe, "translate": tokens.translate},
        "no_timestamps_token_id": tokens.no_timestamps,
        "prev_sot_token_id": tokens.previous,
        "alignment_heads": [list(head) for head in ALIGNMENT_HEADS],
        "max_initial_timestamp_index": LAST_TIMESTAMP,  # a first word after seconds of silence keeps its true start
        # As in released checkpoints; without it no task token is prompted when neither language nor task is asked for.
        "forced_decoder_ids": [[1, None], [2, tokens.transcribe]],
    }
    for name, value in settings.items():
        setattr(model.generation_config, name, value)
    _start(model, tokens)
    return model


@torch.no_grad()
def _start(model: WhisperForConditionalGeneration, tokens: Tokens) -> None:
    encoder, decoder = model.model.encoder, model.model.decoder
    for convolution in (encoder.conv1, encoder.conv2):
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    for layer in encoder.layers:
        for linear in (layer.self_attn.v_proj, layer.self_attn.out_proj, layer.fc1, layer.fc2):
            nn.init.xavier_normal_(linear.weight)
    for layer, offsets in zip(encoder.layers, ((-2, 2, -6, 6, 0), (-4, 4, -12, 12, 0), (-8, 8, 0, -20, 20)), strict=False):
        for head, offset in enumerate(offsets):
            _look_at_neighbour(layer.self_attn, head, offset)
    # Times start out alike where they are close, as the encoder's positions are.
    decoder.embed_tokens.weight[tokens.timestamp(0.0) :][:ENCODER_FRAMES] = encoder.embed_positions.weight * 0.1


def _look_at_neighbour(attention: Any, head: int, offset: int) -> None:
    """Make the head's queries match the keys `offset` frames away, by the sinusoids of the encoder's positions."""
    half = WIDTH // 2
    rates = torch.exp(-math.log(10_000) / (half - 1) * torch.arange(half))
    coarsest = 2 if abs(offset) <= 4 else 6 if abs(offset) <= 12 else 10
    query, key = torch.randn(HEAD_WIDTH, WIDTH) * 0.01, torch.randn(HEAD_WIDTH, WIDTH) * 0.01
    for pair in range(HEAD_WIDTH // 2):
        wave = coarsest + pair
        cosine, sine = 1.3 * math.cos(rates[wave] * offset), 1.3 * math.sin(rates[wave] * offset)
        query[2 * pair, wave] += cosine
        query[2 * pair, half + wave] += sine
        query[2 * pair + 1, half + wave] += cosine
        query[2 * pair + 1, wave] -= sine
        key[2 * pair, wave] += 1.3
        key[2 * pair + 1, half + wave] += 1.3
    rows = slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
    attention.q_proj.weight[rows] = query
    attention.k_proj.weight[rows] = key


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of one length. `offsets` are the places of their first frames in the encoder's position table."""

    mel: Tensor
    offsets: Tensor
    prompt: Tensor
    labels: Tensor
    spans: Tensor
    frame_words: Tensor
    frame_ranks: Tensor


def collate(windows: Sequence[Window], offsets: Sequence[int], tokens: Tokens) -> Batch:
    """Stack windows, their decoder sides filled up behind; timestamps move with the window's place."""
    longest = max(len(window.prompt) for window in windows)
    prompt = torch.full((len(windows), longest), tokens.end)
    labels = torch.full((len(windows), longest), -100)
    spans = torch.full((len(windows), longest, 2), -1.0)
    for row, window in enumerate(windows):
        count = len(window.prompt)
        prompt[row, :count] = torch.tensor(window.prompt)
        labels[row, :count] = torch.tensor(window.labels)
        spans[row, :count] = torch.tensor(window.spans)
    places = torch.tensor(offsets)
    first, last = tokens.timestamp(0.0), tokens.timestamp(30.0)
    for ids in (prompt, labels):
        moved = (ids + places[:, None]).clamp(max=last)
        ids.copy_(torch.where(ids >= first, moved, ids))
    return Batch(
        torch.stack([window.mel for window in windows]),
        places,
        prompt,
        labels,
        spans,
        torch.stack([torch.from_numpy(window.frame_words) for window in windows]),
        torch.stack([torch.from_numpy(window.frame_ranks) for window in windows]),
    )


class Lesson(nn.Module):
    """The network with what it is judged by. `forward` gives the loss and, for the log, its parts."""

    def __init__(self, model: WhisperForConditionalGeneration, tokens: Tokens, word_classes: int) -> None:
        super().__init__()
        self.model, self._tokens = model, tokens
        self.words = nn.Linear(WIDTH, word_classes)
        self.ranks = nn.Linear(WIDTH, MAX_WORD_RANK + 1)
        self._seen: dict[tuple[int, str], Tensor] = {}
        for number, layer in enumerate(model.model.decoder.layers):
            for name in ("q_proj", "k_proj"):
                getattr(layer.encoder_attn, name).register_forward_hook(self._watch(number, name))

    def _watch(self, layer: int, name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            self._seen[layer, name] = output

        return hook

    def encode(self, mel: Tensor, offsets: Tensor) -> Tensor:
        """The encoder on windows of any length, standing at any place of the 30 s it was made for."""
        encoder = self.model.model.encoder
        hidden = F.gelu(encoder.conv2(F.gelu(encoder.conv1(mel)))).permute(0, 2, 1)
        places = offsets[:, None] + torch.arange(hidden.shape[1])[None]
        hidden = hidden + encoder.embed_positions.weight[places]
        for layer in encoder.layers:
            hidden = layer(hidden, None)
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        result: Tensor = encoder.layer_norm(hidden)
        return result

    def forward(self, batch: Batch, listening: float) -> tuple[Tensor, dict[str, float]]:
        """`listening` weighs the frame-wise word loss."""
        encoded = self.encode(batch.mel, batch.offsets)
        frame_scores = self.words(encoded).float()
        frame_loss = F.cross_entropy(frame_scores.flatten(0, 1), batch.frame_words.flatten())
        rank_scores = self.ranks(encoded).float().flatten(0, 1)
        ranked = batch.frame_ranks.flatten()
        rank_loss = F.cross_entropy(rank_scores, ranked, ignore_index=-100, reduction="sum") / (ranked >= 0).sum().clamp(min=1)

        decoder = self.model.model.decoder
        hidden = decoder(input_ids=batch.prompt, encoder_hidden_states=encoded, use_cache=False).last_hidden_state
        taught = batch.labels >= 0
        answers = batch.labels[taught]
        scores = self.model.proj_out(hidden[taught]).float()
        text_loss = self._text_loss(scores, answers)
        attention_loss = self._attention_loss(batch)

        loss = text_loss + 0.5 * attention_loss + listening * frame_loss + 0.3 * rank_loss
        with torch.no_grad():
            text = answers < self._tokens.end
            spoken = batch.frame_words > 0
            report = {
                "text": text_loss.item(),
                "attention": attention_loss.item(),
                "frames": frame_loss.item(),
                "ranks": rank_loss.item(),
                "right_tokens": (scores.argmax(-1) == answers)[text].float().mean().item(),
                "right_frames": (frame_scores.argmax(-1) == batch.frame_words)[spoken].float().mean().item(),
            }
        return loss, report

    def _text_loss(self, scores: Tensor, answers: Tensor) -> Tensor:
        logs = F.log_softmax(scores, -1)
        losses = -logs.gather(1, answers[:, None])[:, 0]
        first = self._tokens.timestamp(0.0)
        stamps = answers >= first
        if not bool(stamps.any()):
            return losses.mean()
        steps = torch.arange(-TIMESTAMP_BLUR_STEPS, TIMESTAMP_BLUR_STEPS + 1)
        near = (answers[stamps] - first)[:, None] + steps[None]
        weights = torch.exp(-(steps**2) / (2 * TIMESTAMP_BLUR_SIGMA**2))[None] * ((near >= 0) & (near <= LAST_TIMESTAMP))
        weights = weights / weights.sum(1, keepdim=True)
        blurred = -(logs[stamps].gather(1, first + near.clamp(0, LAST_TIMESTAMP)) * weights).sum(1)
        return torch.cat((losses[~stamps], blurred)).mean()

    def _attention_loss(self, batch: Batch) -> Tensor:
        coming = self._inside(batch.spans, margin=0)
        around = self._inside(batch.spans, margin=1)
        written = self._inside(batch.spans.roll(1, 1), margin=1)
        written[:, 0] = False
        parts = [self._spread(head, coming) for head in ALIGNMENT_HEADS]
        parts += [self._somewhere(head, around) for head in FINDING_HEADS]
        parts.append(self._somewhere(TRACKING_HEAD, written))
        return torch.stack(parts).mean()

    def _inside(self, spans: Tensor, margin: int) -> Tensor:
        """For each decoder position, which frames are meant; at least one, none where the span is nowhere."""
        frames = torch.arange(self._seen[0, "k_proj"].shape[1])
        low = torch.round(spans[..., :1] / FRAME_S) - margin
        high = torch.maximum(torch.round(spans[..., 1:] / FRAME_S), low + margin + 1) + margin
        return (frames >= low) & (frames < high) & (spans[..., 1:] >= 0)

    def _attention(self, head: tuple[int, int], meant: Tensor) -> tuple[Tensor, Tensor]:
        layer, number = head
        part = slice(number * HEAD_WIDTH, (number + 1) * HEAD_WIDTH)
        queries, keys = (self._seen[layer, name][..., part] for name in ("q_proj", "k_proj"))
        rows = meant.any(-1)
        logits = torch.bmm(queries, keys.transpose(1, 2)).float() * HEAD_WIDTH**-0.5
        return F.log_softmax(logits[rows], -1), meant[rows]

    def _somewhere(self, head: tuple[int, int], meant: Tensor) -> Tensor:
        logs, inside = self._attention(head, meant)
        return -torch.logsumexp(logs.masked_fill(~inside, -1e4), -1).sum() / max(len(logs), 1)

    def _spread(self, head: tuple[int, int], meant: Tensor) -> Tensor:
        """How far the attention is from even over the frames meant (the Kullback-Leibler divergence)."""
        logs, inside = self._attention(head, meant)
        counts = inside.sum(-1)
        return (-(logs * inside).sum(-1) / counts - counts.log()).sum() / max(len(logs), 1)
