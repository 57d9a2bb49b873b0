"""A summarizing model in memory: weights, tokenizer, and the facts about both that prompting and generation need.

Reads every sequence-to-sequence and causal language model that the installed transformers can read by itself, 4.51 or newer,
from safetensors where there are any. Not read: adapters, quantised weights, and models that bring code of their own; each with
a sentence that says so. What the model is comes from its own config, before its weights are downloaded.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from roundtable.errors import EngineError, EngineUnavailable, InvalidSettings
from roundtable.hub import ModelSource
from roundtable.quiet import quiet
from roundtable.summarization import SummaryModel
from roundtable.summarization.budget import Budget, budget_of
from roundtable.summarization.guard import Guard
from roundtable.weights import INDEXES, dtype_keyword, fetch_weights, incomplete, printable, read_json

_SETTING = "SUMMARIZE_MODEL"
_EXAMPLE = "Qwen/Qwen3-4B-Instruct-2507"
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"),
    *("vocab.txt", "spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "source.spm", "target.spm"),
    *("chat_template.jinja", "chat_template.json", "additional_chat_templates/*"),
)
NO_DAY = "26 Jul 2024"
"""What templates that write today's date get: else there were another answer every day, and a date that nobody said."""

_SAME_DAY = "{%- macro strftime_now(format) -%}" + NO_DAY + "{%- endmacro -%}"
_NEEDS_TRANSFORMERS = "Summarizing models need transformers: pip install 'transformers>=4.51'."


@dataclass(frozen=True, slots=True, eq=False)
class SummaryCheckpoint:
    """One loaded model. Nothing in it changes any more; the tokenizer is used by one thread at a time, through the methods."""

    model: Any  # a transformers model: evaluating, without gradients, on `device`
    tokenizer: Any  # a transformers tokenizer, fast or slow
    name: str
    config: Mapping[str, Any]
    """Of the text model: config.json, and what the library fills in."""
    device: torch.device
    is_encoder_decoder: bool
    budget: Budget
    end_ids: tuple[int, ...]
    pad_id: int
    bos_id: int | None
    decoder_start_id: int | None
    forced_bos_id: int | None
    control_ids: frozenset[int]
    """Tokens that no text may become: special ones, and added ones that are spelled like them."""
    guard: Guard
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Tokens of each text; `special`: with the tokens that the tokenizer puts around it."""
        if not texts:
            return []
        with self._turn, quiet():
            ids = self.tokenizer(list(texts), add_special_tokens=special, truncation=False, padding=False)["input_ids"]
        return [list(row) for row in ids]

    def unknown_share(self, words: Sequence[str]) -> float:
        """How many of these words the vocabulary has no tokens for; 0 for one that falls back to bytes."""
        unknown = self.tokenizer.unk_token_id
        if unknown is None or not words:
            return 0.0
        return sum(unknown in ids for ids in self.encode(words, special=False)) / len(words)

    def chat(self, messages: Sequence[Mapping[str, str]], **variables: Any) -> list[int]:
        """Tokens of a conversation by the chat template, up to where the model begins to answer."""
        with self._turn, quiet():
            encoded = self.tokenizer.apply_chat_template(
                list(messages), tokenize=True, add_generation_prompt=True, return_dict=True, **variables
            )
        return [int(id_) for id_ in encoded["input_ids"]]

    def decode(self, ids: Sequence[int]) -> str:
        with self._turn:
            text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def load_checkpoint(wanted: SummaryModel, *, device: str | None = None) -> SummaryCheckpoint:
    """`device` None: CUDA if there is any. Raises `InvalidSettings` for what no engine here takes, `EngineUnavailable` for what
    is missing or out of reach."""
    if wanted.dtype != "auto" and wanted.dtype not in _DTYPES:
        raise InvalidSettings("SUMMARIZE_DTYPE must be auto, float32, float16 or bfloat16.")
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    source = ModelSource(wanted.model, setting=_SETTING, revision=wanted.revision, token=wanted.token, example=_EXAMPLE)
    try:
        return _load(source, wanted, where)
    except EngineError:
        raise
    except ImportError:
        refusal: EngineError = EngineUnavailable(_NEEDS_TRANSFORMERS)
    except Exception as error:  # whatever stands in its files, and whatever a library makes of it
        refusal = incomplete(source, f"its files are damaged, or no language model's ({type(error).__name__})")
    raise refusal  # out here: the cause would show paths


def _load(source: ModelSource, wanted: SummaryModel, device: torch.device) -> SummaryCheckpoint:
    folder = source.files("config.json", "generation_config.json", "adapter_config.json", *INDEXES, *_TOKENIZER_FILES)
    raw = read_json(folder / "config.json", source)
    encoder_decoder = _kind(raw, folder, source)
    tokenizer = _read_tokenizer(folder, source)
    if not encoder_decoder and not tokenizer.chat_template:
        raise InvalidSettings(
            f"{_SETTING} is neither an encoder-decoder nor a chat model: it has no chat template. Take the instruction-tuned "
            f"version of it, such as {_EXAMPLE}, or 'embedded'."
        )
    pickled = fetch_weights(folder, source)
    model = _read_weights(folder, source, _dtype(wanted.dtype, device), device, pickled=pickled, seq2seq=encoder_decoder)
    text_config = model.config.get_text_config().to_dict() if not encoder_decoder else model.config.to_dict()
    nested = raw.get("text_config")
    config = {**(nested if isinstance(nested, dict) else raw), **text_config}
    generation = {**raw, **read_json(folder / "generation_config.json", source)}
    budget = budget_of(config, tokenizer.model_max_length, wanted.context_tokens, encoder_decoder=encoder_decoder)
    end_ids = _ids(generation.get("eos_token_id"), config.get("eos_token_id"), tokenizer.eos_token_id)
    if not end_ids:
        raise incomplete(source, "nothing says which token ends an answer")
    pad = _ids(tokenizer.pad_token_id, generation.get("pad_token_id"), config.get("pad_token_id"))
    controls = _control_tokens(tokenizer)
    import transformers

    # What somebody saved with the model, such as sampling, would otherwise fill in whatever is not set for a call.
    model.generation_config = transformers.GenerationConfig()  # type: ignore[no-untyped-call]  # published without types
    bos = _ids(generation.get("bos_token_id"), tokenizer.bos_token_id)
    start = _ids(generation.get("decoder_start_token_id"), config.get("decoder_start_token_id"))
    if encoder_decoder and not start and not bos:
        raise incomplete(source, "nothing says which token its decoder starts from")
    forced = _ids(generation.get("forced_bos_token_id"))
    return SummaryCheckpoint(
        model=model,
        tokenizer=tokenizer,
        name=source.name,
        config=config,
        device=device,
        is_encoder_decoder=encoder_decoder,
        budget=budget,
        end_ids=end_ids,
        pad_id=pad[0] if pad else end_ids[0],
        bos_id=bos[0] if bos else None,
        decoder_start_id=(start or bos)[0] if encoder_decoder else None,
        forced_bos_id=forced[0] if forced and encoder_decoder else None,
        control_ids=frozenset(controls.values()),
        guard=Guard(controls),
    )


def _kind(config: Mapping[str, Any], folder: Path, source: ModelSource) -> bool:
    """Whether it is an encoder-decoder; refuses what is of no use here before the weights are downloaded."""
    import transformers

    if not config and (folder / "adapter_config.json").is_file():
        raise InvalidSettings(
            f"{_SETTING} is an adapter without its model: merge the two (merge_and_unload of peft) and save the result."
        )
    if not config:
        raise incomplete(source, "it has no config.json")
    if config.get("quantization_config"):
        raise InvalidSettings(f"{_SETTING} is quantised, which this engine does not read: take the original.")
    model_type = config.get("model_type")
    known: Any = transformers.CONFIG_MAPPING
    if model_type not in known:
        raise InvalidSettings(
            f"{_SETTING} is a model of type {printable(model_type)}, which transformers {transformers.__version__} does not "
            "know by itself; code that a model brings along is not run."
        )
    with quiet():
        library_config = known[model_type].from_dict(dict(config))
    encoder_decoder = bool(library_config.is_encoder_decoder)
    mapping: Any = (
        transformers.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING if encoder_decoder else transformers.MODEL_FOR_CAUSAL_LM_MAPPING
    )
    if known[model_type] not in mapping:
        raise InvalidSettings(
            f"{_SETTING} is a model of type {printable(model_type)}, which does not write text: take a chat model, or one that "
            "was trained to summarize."
        )
    return encoder_decoder


def _read_tokenizer(folder: Path, source: ModelSource) -> Any:
    import transformers

    try:
        loader: Any = transformers.AutoTokenizer
        with quiet():
            tokenizer = loader.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if not tokenizer.chat_template:
            tokenizer.chat_template = _chat_template(folder)
        if isinstance(tokenizer.chat_template, str) and "strftime_now" in tokenizer.chat_template:
            tokenizer.chat_template = _SAME_DAY + tokenizer.chat_template
        return tokenizer
    except ImportError:
        refusal = EngineUnavailable(f"The tokenizer of {_SETTING} needs packages: pip install sentencepiece protobuf.")
    except Exception as error:  # the tokenizers library raises plain Exceptions
        refusal = incomplete(source, f"its tokenizer is missing or damaged ({type(error).__name__})")
    raise refusal  # out here: the cause would show paths


def _chat_template(folder: Path) -> str | None:
    """From a file of its own, where the installed transformers does not read it."""
    if (path := folder / "chat_template.jinja").is_file():
        return path.read_text(encoding="utf-8")
    if (path := folder / "chat_template.json").is_file():
        template = json.loads(path.read_text(encoding="utf-8")).get("chat_template")
        return template if isinstance(template, str) else None
    return None


def _read_weights(
    folder: Path, source: ModelSource, dtype: torch.dtype, device: torch.device, *, pickled: bool, seq2seq: bool
) -> Any:
    import transformers

    loader: Any = transformers.AutoModelForSeq2SeqLM if seq2seq else transformers.AutoModelForCausalLM
    refusal: EngineError
    try:
        with quiet():
            model, report = loader.from_pretrained(
                folder,
                **{dtype_keyword(transformers.__version__): dtype},
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=not pickled,
                weights_only=True,
                output_loading_info=True,
            )
        missing = set(report["missing_keys"]) - _tied(model)
        if not missing:
            return model.to(device).eval().requires_grad_(requires_grad=False)
        # transformers fills such gaps with random numbers and carries on
        refusal = incomplete(source, f"{len(missing)} of its tensors are missing")
    except torch.OutOfMemoryError:
        refusal = EngineUnavailable(f"{_SETTING} does not fit into the memory of the GPU.")
    except MemoryError:
        refusal = EngineUnavailable(f"{_SETTING} does not fit into memory.")
    except Exception as error:  # OSError, ValueError, RuntimeError, SafetensorError …: by version and by damage
        refusal = incomplete(
            source, f"its weights are damaged, or of another shape than config.json says ({type(error).__name__})"
        )
    raise refusal  # out here: the cause would show paths


def _tied(model: Any) -> set[str]:
    """Names of tensors that are another one's, and therefore need not be in the files."""
    shared: dict[int, list[str]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        shared.setdefault(id(tensor), []).append(name)
    return {name for names in shared.values() if len(names) > 1 for name in names}


def _dtype(wanted: str, device: torch.device) -> torch.dtype:
    """bfloat16 on a GPU that has it: models that were trained in it, T5 above all, overflow in float16."""
    if wanted != "auto":
        return _DTYPES[wanted]
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _ids(*values: Any) -> tuple[int, ...]:
    """Token ids out of numbers, lists of numbers and nulls, each once."""
    found: list[int] = []
    for value in values:
        found += [id_ for id_ in (value if isinstance(value, list) else [value]) if isinstance(id_, int) and id_ >= 0]
    return tuple(dict.fromkeys(found))


def _control_tokens(tokenizer: Any) -> dict[str, int]:
    """By text: the special tokens, and those added ones that are no words ("<think>", "[INST]"). Not the one for unknown text,
    which any text may become."""
    unknown = tokenizer.unk_token_id
    added = {str(token.content): (int(id_), bool(token.special)) for id_, token in tokenizer.added_tokens_decoder.items()}
    controls = {
        text: id_
        for text, (id_, special) in added.items()
        if not text.isspace() and (special or not any(sign.isalnum() for sign in text) or not text.isalnum())
    }
    special_ids = {tokenizer.convert_ids_to_tokens(id_): id_ for id_ in tokenizer.all_special_ids}
    return {text: id_ for text, id_ in {**controls, **special_ids}.items() if id_ != unknown}
