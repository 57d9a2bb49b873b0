"""A Whisper checkpoint in memory: weights, vocabulary, and the facts about both that decoding needs.

Reads every Whisper and Distil-Whisper that transformers can read: multilingual or English-only, any number of decoder layers,
80 or 128 mel bins, in one file or in shards. The JSON files are read here, and not through transformers' classes, so that both
of its major versions give the same facts. What the generation config leaves out (fine-tunes lack parts of it, or all) comes
from the vocabulary. Not read: adapters, quantised weights, other runtimes' formats; each with a sentence that says what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from roundtable.asr.vocabulary import FILES as VOCABULARY_FILES
from roundtable.asr.vocabulary import Vocabulary
from roundtable.asr.window_engine import ENGLISH_ONLY_VOCABULARY
from roundtable.errors import EngineError, EngineUnavailable, InvalidSettings
from roundtable.hub import ModelSource
from roundtable.quiet import quiet
from roundtable.weights import INDEXES, dtype_keyword, fetch_weights, incomplete, printable, read_json

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_ARCHITECTURES = {"WhisperForConditionalGeneration", "WhisperModel"}
_SUPPORTED = "the Whisper engine takes Whisper and Distil-Whisper checkpoints, as saved by transformers"
_NEEDED = ("startoftranscript", "endoftext", "startofprev", "notimestamps")
_LANGUAGE = re.compile(r"<\|[a-z]{2,3}\|>")
_TIED = {"proj_out.weight"}
"""Never saved: it is the token embedding."""

_ENCODER_POSITIONS = 1500
"""30 s: what the windows, the spectrogram and the word times are made for."""


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Ids of the tokens that steer a Whisper. None: the model has no such token."""

    sot: int
    eot: int
    sot_prev: int
    no_timestamps: int
    no_speech: int | None
    transcribe: int | None
    translate: int | None
    languages: Mapping[str, int]
    """Whisper's code of each language, in the order of the ids. Empty: the model knows English only."""
    timestamp_begin: int
    """Every id from here on is a timestamp."""
    suppress: tuple[int, ...]
    """Never written."""
    begin_suppress: tuple[int, ...]
    """Never written first."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """One loaded model. Nothing in it changes any more: threads may share it."""

    model: Any  # WhisperForConditionalGeneration: evaluating, without gradients, on `device`, in `dtype`
    tokenizer: Vocabulary
    tokens: SpecialTokens
    name: str
    """`repository@commit`, or the folder's own name."""
    device: torch.device
    dtype: torch.dtype
    mel_bins: int
    max_text_positions: int
    alignment_heads: tuple[tuple[int, int], ...]
    """(decoder layer, head) of the cross-attention that follows the words."""

    @property
    def multilingual(self) -> bool:
        return bool(self.tokens.languages)

    def encode_text(self, text: str) -> list[int]:
        """See `Vocabulary.encode`."""
        return self.tokenizer.encode(text)

    def decode_text(self, ids: Sequence[int]) -> str:
        """See `Vocabulary.decode`."""
        return self.tokenizer.decode(ids)


def load_checkpoint(
    model: str, *, revision: str | None = None, token: str | None = None, dtype: str = "auto", device: str | None = None
) -> Checkpoint:
    """`model`: a Hub id or a folder. `dtype` auto: float16 on CUDA, float32 elsewhere. `device` None: CUDA if there is any.

    Raises `InvalidSettings` for what is no Whisper for this engine, `EngineUnavailable` for what is missing or out of reach.
    """
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if dtype != "auto" and dtype not in _DTYPES:
        raise InvalidSettings("ASR_DTYPE must be auto, float32, float16 or bfloat16.")
    automatic = torch.float16 if where.type == "cuda" else torch.float32
    source = ModelSource(model, setting="ASR_MODEL", revision=revision, token=token)
    return _load(source, _DTYPES.get(dtype, automatic), where)


def load_assistant(model: str, main: Checkpoint, *, revision: str | None = None, token: str | None = None) -> Checkpoint:
    """A smaller model that drafts for `main`: on its device, in its dtype, and with its vocabulary, or `InvalidSettings`."""
    source = ModelSource(model, setting="ASR_ASSISTANT_MODEL", revision=revision, token=token)
    assistant = _load(source, main.dtype, main.device)
    if _meaning(assistant) != _meaning(main):
        raise InvalidSettings(
            "ASR_ASSISTANT_MODEL has another vocabulary than ASR_MODEL; a draft must be written in the same tokens."
        )
    return assistant


def _meaning(checkpoint: Checkpoint) -> tuple[Any, ...]:
    tokens = checkpoint.tokens
    return (checkpoint.model.config.vocab_size, tokens.sot, tokens.eot, tokens.no_timestamps, dict(tokens.languages))


def _load(source: ModelSource, dtype: torch.dtype, device: torch.device) -> Checkpoint:
    """Whatever stands in its files, a model loads or is an `EngineError`."""
    try:
        return _load_as_it_should_be(source, dtype, device)
    except EngineError:
        raise
    except Exception as error:  # JSON of other types than expected, of a depth or length that nobody foresaw
        refusal = incomplete(source, f"its files are damaged or no Whisper's ({type(error).__name__})")
    raise refusal  # out here: the cause would show paths


def _load_as_it_should_be(source: ModelSource, dtype: torch.dtype, device: torch.device) -> Checkpoint:
    folder = source.files("config.json", "generation_config.json", "adapter_config.json", *INDEXES, *VOCABULARY_FILES)
    config = read_json(folder / "config.json", source)
    _refuse_others(config, folder, source)
    generation = {**config, **read_json(folder / "generation_config.json", source)}
    tokenizer, tokens = _read_vocabulary(folder, generation, source)
    pickled = fetch_weights(folder, source)
    model = _read_weights(folder, source, dtype, device, pickled=pickled)
    return Checkpoint(
        model=model,
        tokenizer=tokenizer,
        tokens=tokens,
        name=source.name,
        device=device,
        dtype=dtype,
        mel_bins=model.config.num_mel_bins,
        max_text_positions=model.config.max_target_positions,
        alignment_heads=_alignment_heads(generation.get("alignment_heads"), model.config),
    )


def _refuse_others(config: Mapping[str, Any], folder: Path, source: ModelSource) -> None:
    """Say so before the weights are downloaded, when they are of no use here."""
    setting = source.setting
    if not config and (folder / "adapter_config.json").is_file():
        raise InvalidSettings(
            f"{setting} is an adapter without its model: merge the two (merge_and_unload of peft) and save the result."
        )
    if not config:
        raise incomplete(source, "it has no config.json")
    kind = config.get("model_type")
    if kind != "whisper":
        raise InvalidSettings(f"{setting} is a model of type {printable(kind)}: {_SUPPORTED}.")
    architectures = config.get("architectures") or []
    if architectures and not _ARCHITECTURES & set(architectures):
        raise InvalidSettings(f"{setting} is a {printable(architectures[0])}, which does not write text: {_SUPPORTED}.")
    if config.get("quantization_config"):
        raise InvalidSettings(
            f"{setting} is quantised: take the original and set ASR_DTYPE, or for int8 a model in CTranslate2's format."
        )
    if config.get("max_source_positions", _ENCODER_POSITIONS) != _ENCODER_POSITIONS:
        raise InvalidSettings(f"{setting} hears windows of another length than 30 seconds: {_SUPPORTED}.")


# ---- vocabulary


def _read_vocabulary(folder: Path, generation: Mapping[str, Any], source: ModelSource) -> tuple[Vocabulary, SpecialTokens]:
    try:
        tokenizer = Vocabulary(folder)
        return tokenizer, _special_tokens(tokenizer, generation)
    except Exception as error:  # the tokenizers library raises plain Exceptions
        refusal = incomplete(source, f"its tokenizer is missing, damaged or no Whisper's ({type(error).__name__})")
    raise refusal  # out here: the cause would show paths


def _special_tokens(vocabulary: Vocabulary, generation: Mapping[str, Any]) -> SpecialTokens:
    """The vocabulary says which id is which, even against the generation config: fine-tunes copy that from anywhere."""
    ids, size = vocabulary.control_tokens, int(generation["vocab_size"])
    if max(ids[f"<|{name}|>"] for name in _NEEDED) >= size:
        raise ValueError("the vocabulary of another model")
    spoken = {text[2:-2]: id_ for text, id_ in sorted(ids.items(), key=lambda item: item[1]) if _LANGUAGE.fullmatch(text)}
    multilingual = generation.get("is_multilingual")
    if not isinstance(multilingual, bool):
        multilingual = size != ENGLISH_ONLY_VOCABULARY
    return SpecialTokens(
        sot=ids["<|startoftranscript|>"],
        eot=ids["<|endoftext|>"],
        sot_prev=ids["<|startofprev|>"],
        no_timestamps=ids["<|notimestamps|>"],
        no_speech=ids.get("<|nospeech|>", ids.get("<|nocaptions|>")),
        transcribe=ids.get("<|transcribe|>") if multilingual else None,
        translate=ids.get("<|translate|>") if multilingual else None,
        languages=spoken if multilingual else {},
        timestamp_begin=vocabulary.timestamp_begin,
        suppress=_valid(generation.get("suppress_tokens"), size),
        begin_suppress=_valid(generation.get("begin_suppress_tokens"), size),
    )


def _valid(ids: Any, size: int) -> tuple[int, ...]:
    """Null and -1 occur in released configs, and name no token."""
    return tuple(id_ for id_ in ids or () if 0 <= id_ < size)


def _alignment_heads(named: Any, config: Any) -> tuple[tuple[int, int], ...]:
    """Those that the generation config names; else, as OpenAI does, all heads of the upper half of the decoder."""
    layers, heads = config.decoder_layers, config.decoder_attention_heads
    if layers < 1:
        raise ValueError("no decoder layers")
    every = [(layer, head) for layer in range(layers) for head in range(heads)]
    wanted = [tuple(pair) for pair in named or ()]
    # Distilled models that carry their teacher's list name layers that they do not have.
    if wanted and set(wanted) <= set(every):
        return tuple(pair for pair in every if pair in wanted)
    return tuple(pair for pair in every if pair[0] >= layers // 2)


# ---- weights


def _read_weights(folder: Path, source: ModelSource, dtype: torch.dtype, device: torch.device, *, pickled: bool) -> Any:
    setting = source.setting
    refusal: EngineError
    try:
        import transformers

        whisper: Any = transformers.WhisperForConditionalGeneration
        with quiet():
            model, report = whisper.from_pretrained(
                folder,
                **{dtype_keyword(transformers.__version__): dtype},
                local_files_only=True,
                use_safetensors=not pickled,
                weights_only=True,
                attn_implementation="sdpa",
                output_loading_info=True,
            )
        tied = model.proj_out.weight is model.model.decoder.embed_tokens.weight
        missing = set(report["missing_keys"]) - (_TIED if tied else set())
        surplus = [key for key in report["unexpected_keys"] if ".layers." in key]
        if surplus:
            refusal = incomplete(source, f"{len(surplus)} of its tensors belong to layers that config.json does not have")
        elif not missing:
            return model.to(device).eval().requires_grad_(requires_grad=False)
        else:  # transformers fills such gaps with random numbers and carries on
            refusal = incomplete(source, f"{len(missing)} of its tensors are missing")
    except ImportError:
        refusal = EngineUnavailable("The Whisper engine needs transformers: pip install 'transformers>=4.51'.")
    except torch.OutOfMemoryError:
        refusal = EngineUnavailable(f"{setting} does not fit into the memory of the GPU.")
    except (
        Exception
    ) as error:  # OSError, ValueError, RuntimeError, SafetensorError, UnpicklingError …: by version and by damage
        refusal = incomplete(
            source, f"its weights are damaged, or of another shape than config.json says ({type(error).__name__})"
        )
    raise refusal  # out here: the cause would show paths
