"""Checkpoints of every make are loaded with the same facts about them; what cannot be loaded is one plain sentence.

The weights are random and tiny, the files are real: written by transformers and tokenizers, then bent as fine-tunes are.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

from roundtable.asr.checkpoint import Checkpoint, SpecialTokens, load_assistant, load_checkpoint
from roundtable.asr.vocabulary import Vocabulary
from roundtable.errors import EngineError, EngineUnavailable, InvalidSettings
from roundtable.quiet import quiet
from tests.hub_server import COMMIT, HubServer

transformers: Any = import_module("transformers")  # typed in parts, and in some versions
TEXT = 282
"""256 bytes and what the trainer makes of one sentence."""

LANGUAGES = ("en", "zh", "de", "haw", "yue")
CONTROL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{code}|>" for code in LANGUAGES),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
ID = {text: TEXT + place for place, text in enumerate(CONTROL)}
FIRST_TIMESTAMP = TEXT + len(CONTROL)
SIZE = FIRST_TIMESTAMP + 1501
GENERATION = {
    "is_multilingual": True,
    "alignment_heads": [[1, 0], [3, 1]],
    "suppress_tokens": [5, 7, ID["<|translate|>"]],
    "begin_suppress_tokens": [220, ID["<|endoftext|>"]],
    "no_timestamps_token_id": ID["<|notimestamps|>"],
    "lang_to_id": {f"<|{code}|>": ID[f"<|{code}|>"] for code in LANGUAGES},
}
FACTS = SpecialTokens(
    sot=TEXT + 1,
    eot=TEXT,
    sot_prev=TEXT + 10,
    no_timestamps=TEXT + 12,
    no_speech=TEXT + 11,
    transcribe=TEXT + 8,
    translate=TEXT + 7,
    languages={"en": TEXT + 2, "zh": TEXT + 3, "de": TEXT + 4, "haw": TEXT + 5, "yue": TEXT + 6},
    timestamp_begin=TEXT + 13,
    suppress=(5, 7, TEXT + 7),
    begin_suppress=(220, TEXT),
)
SECRET_FOLDER = "secret-folder"  # noqa: S105 - must not be seen, but opens nothing


def byte_level_tokenizer(control: tuple[str, ...] = CONTROL) -> Any:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(vocab_size=TEXT, initial_alphabet=ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(["the cat sat on the mat and the other cat saw that the mat was wet"] * 3, trainer)
    assert tokenizer.get_vocab_size() == TEXT
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in control])
    tokenizer.add_tokens([AddedToken(f"<|{step * 0.02:.2f}|>", normalized=False) for step in range(1501)])
    return tokenizer


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def change_json(path: Path, **changes: Any) -> None:
    write_json(path, {**json.loads(path.read_text(encoding="utf-8")), **changes})


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete folder as transformers writes it today: no vocab.json, no merges.txt, no preprocessor_config.json."""
    folder = tmp_path_factory.mktemp("whole")
    save(folder)
    byte_level_tokenizer().save(str(folder / "tokenizer.json"))
    write_json(folder / "generation_config.json", GENERATION)
    # Transformers 5 writes this list where 4.51 wants a dictionary, and refuses the tokenizer.
    details = {"tokenizer_class": "WhisperTokenizer", "backend": "tokenizers", "extra_special_tokens": list(CONTROL)}
    write_json(folder / "tokenizer_config.json", details)
    return folder


def save(folder: Path, *, shards: str = "5GB", **changes: Any) -> Any:
    """A new random model in `folder`, in place of the one that may be there."""
    for old in folder.glob("*.safetensors*"):
        old.unlink()
    config = transformers.WhisperConfig(
        **{
            **{"vocab_size": SIZE, "d_model": 8, "encoder_layers": 1, "decoder_layers": 4, "encoder_attention_heads": 2},
            **{"decoder_attention_heads": 2, "encoder_ffn_dim": 8, "decoder_ffn_dim": 8, "num_mel_bins": 80},
            **{"pad_token_id": TEXT, "bos_token_id": TEXT, "eos_token_id": TEXT, "decoder_start_token_id": TEXT + 1},
            **{"suppress_tokens": None, "begin_suppress_tokens": None, **changes},
        }
    )
    torch.manual_seed(0)
    model = transformers.WhisperForConditionalGeneration(config).eval()
    with quiet():
        model.save_pretrained(folder, max_shard_size=shards)
    return model


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """The folder, to be bent."""
    return Path(shutil.copytree(whole, tmp_path / SECRET_FOLDER / "tiny"))


@pytest.fixture(scope="session")
def loaded(whole: Path) -> Checkpoint:
    return load_checkpoint(str(whole), device="cpu")


def load(folder: Path, **options: Any) -> Checkpoint:
    return load_checkpoint(str(folder), device="cpu", **options)


def refusal(folder: Path, kind: type[EngineError], **options: Any) -> str:
    """The sentence that `folder` is refused with. Nothing that was chained, printed or logged tells more."""
    with pytest.raises(kind) as caught:
        load(folder, token="hf_secret", **options)  # noqa: S106 - nor does this
    error = caught.value
    assert type(error) is kind
    assert error.__cause__ is None
    assert error.__context__ is None
    assert "secret" not in str(error) + repr(error)
    return error.message


@pytest.fixture(autouse=True)
def _nothing_is_printed_or_logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Any:
    yield
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# ---- what is read


def test_a_whole_checkpoint(loaded: Checkpoint, whole: Path) -> None:
    assert loaded.tokens == FACTS
    assert list(loaded.tokens.languages) == list(LANGUAGES)
    assert loaded.multilingual
    assert (loaded.name, loaded.mel_bins, loaded.max_text_positions) == (whole.name, 80, 448)
    assert (loaded.device, loaded.dtype) == (torch.device("cpu"), torch.float32)
    assert loaded.alignment_heads == ((1, 0), (3, 1))
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert loaded.model.config._attn_implementation == "sdpa"


def test_the_weights_are_those_of_the_file(copy: Path) -> None:
    expected = save(copy).state_dict()
    weights = load(copy).model.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_a_fine_tune_without_a_generation_config_says_the_same_from_its_vocabulary(copy: Path) -> None:
    (copy / "generation_config.json").unlink()
    checkpoint = load(copy)
    expected = {name: getattr(FACTS, name) for name in SpecialTokens.__slots__} | {"suppress": (), "begin_suppress": ()}
    assert {name: getattr(checkpoint.tokens, name) for name in SpecialTokens.__slots__} == expected
    assert checkpoint.alignment_heads == ((2, 0), (2, 1), (3, 0), (3, 1))  # the upper half of four layers


def test_an_old_checkpoint_keeps_its_suppressed_tokens_in_the_config(copy: Path) -> None:
    (copy / "generation_config.json").unlink()
    change_json(copy / "config.json", suppress_tokens=[1, -1, SIZE], begin_suppress_tokens=[220])
    tokens = load(copy).tokens
    assert (tokens.suppress, tokens.begin_suppress) == ((1,), (220,))


def test_the_vocabulary_is_right_where_a_copied_generation_config_is_wrong(copy: Path) -> None:
    wrong = {text: id_ + 1 for text, id_ in GENERATION["lang_to_id"].items()}  # type: ignore[attr-defined]  # a dictionary
    change_json(copy / "generation_config.json", lang_to_id=wrong, no_timestamps_token_id=ID["<|notimestamps|>"] + 1)
    assert load(copy).tokens == FACTS


def test_english_only(copy: Path) -> None:
    change_json(copy / "generation_config.json", is_multilingual=False)
    tokens = load(copy).tokens
    assert (tokens.languages, tokens.transcribe, tokens.translate) == ({}, None, None)
    assert (tokens.sot, tokens.no_timestamps, tokens.no_speech) == (FACTS.sot, FACTS.no_timestamps, FACTS.no_speech)


@pytest.mark.parametrize(("size", "multilingual"), [(51864, False), (51865, True), (51866, True)])
def test_who_knows_english_only_is_seen_by_the_size_where_nothing_says_so(copy: Path, size: int, multilingual: bool) -> None:
    save(copy, vocab_size=size, d_model=4)
    (copy / "generation_config.json").unlink()
    assert load(copy).multilingual is multilingual


def test_no_speech_has_an_older_name(copy: Path) -> None:
    content = (copy / "tokenizer.json").read_text(encoding="utf-8")
    (copy / "tokenizer.json").write_text(content.replace("<|nospeech|>", "<|nocaptions|>"), encoding="utf-8")
    assert load(copy).tokens == FACTS
    (copy / "tokenizer.json").write_text(content.replace("<|nospeech|>", "<|something|>"), encoding="utf-8")
    assert load(copy).tokens.no_speech is None


def test_a_distilled_model_with_its_teacher_s_alignment_heads(copy: Path) -> None:
    save(copy, decoder_layers=2)
    assert load(copy).alignment_heads == ((1, 0), (1, 1))  # the list names layer 3
    save(copy, decoder_layers=1)
    assert load(copy).alignment_heads == ((0, 0), (0, 1))


def test_128_mel_bins_and_other_lengths_of_text(copy: Path) -> None:
    save(copy, num_mel_bins=128, max_target_positions=100)
    checkpoint = load(copy)
    assert (checkpoint.mel_bins, checkpoint.max_text_positions) == (128, 100)


def test_the_dtype_is_what_was_asked_for_and_never_the_file_s(copy: Path) -> None:
    with quiet():
        save(copy).half().save_pretrained(copy)
    assert "float16" in (copy / "config.json").read_text(encoding="utf-8")
    for asked, dtype in (("auto", torch.float32), ("bfloat16", torch.bfloat16), ("float16", torch.float16)):
        checkpoint = load(copy, dtype=asked)
        assert checkpoint.dtype == dtype
        assert {parameter.dtype for parameter in checkpoint.model.parameters()} == {dtype}


def test_an_unknown_dtype_is_refused(whole: Path) -> None:
    assert refusal(whole, InvalidSettings, dtype="int8") == "ASR_DTYPE must be auto, float32, float16 or bfloat16."


def test_shards(copy: Path) -> None:
    expected = save(copy, shards="20KB").state_dict()
    assert len(list(copy.glob("model-*-of-*.safetensors"))) > 2
    weights = load(copy).model.state_dict()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_loading_leaves_logging_and_progress_bars_as_they_were(whole: Path) -> None:
    bars = transformers.utils.logging
    before = (bars.get_verbosity(), bars.is_progress_bar_enabled())
    load(whole)
    assert (bars.get_verbosity(), bars.is_progress_bar_enabled()) == before


# ---- pickles


class _Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


TORCH_READS_PICKLES_SAFELY = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 6)


def test_pickled_weights_are_read_as_weights_only_or_refused_by_an_older_torch(copy: Path) -> None:
    expected = save(copy).state_dict()
    (copy / "model.safetensors").unlink()
    torch.save(dict(expected), copy / "pytorch_model.bin")
    if not TORCH_READS_PICKLES_SAFELY:
        sentence = "ASR_MODEL has pickled weights only, which torch reads safely from 2.6 on; save them as safetensors."
        assert refusal(copy, EngineUnavailable) == sentence
        return
    weights = load(copy).model.state_dict()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_a_pickle_never_runs_code(copy: Path, tmp_path: Path) -> None:
    (copy / "model.safetensors").unlink()
    (copy / "pytorch_model.bin").write_bytes(pickle.dumps(_Touch(tmp_path / "ran")))
    assert refusal(copy, EngineUnavailable).startswith("ASR_MODEL ")
    assert not (tmp_path / "ran").exists()


# ---- text


def test_text_to_tokens_is_transformers_own(loaded: Checkpoint, whole: Path) -> None:
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(whole / "tokenizer.json"))
    for text in (" the cat sat", "Ünïcödé 漢字 🙂", " two  spaces\n and\ttabs ", "1,234.5%", ""):
        assert loaded.encode_text(text) == theirs(text, add_special_tokens=False)["input_ids"]


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
@example(text="<|endoftext|><|en|> <|0.00|><|startofprev|>")
def test_any_text_comes_back_and_never_becomes_a_control_token(loaded: Checkpoint, text: str) -> None:
    ids = loaded.encode_text(text)
    assert all(id_ < TEXT for id_ in ids)
    assert loaded.decode_text(ids) == text


def test_control_tokens_and_timestamps_are_not_text(loaded: Checkpoint) -> None:
    ids = loaded.encode_text(" the cat")
    steer = [FACTS.sot, FACTS.languages["haw"], *ids, FACTS.timestamp_begin, SIZE - 1, FACTS.eot]
    assert loaded.decode_text(steer) == " the cat"
    assert loaded.decode_text([]) == ""
    assert loaded.decode_text(loaded.encode_text("é")[:1]) == "\ufffd"


def test_a_word_that_a_fine_tune_has_added_is_text(copy: Path) -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens(["Roundtable"])
    tokenizer.save(str(copy / "tokenizer.json"))
    assert Vocabulary(copy).decode([SIZE, FACTS.eot]) == "Roundtable"


@pytest.mark.parametrize("spelled_in", ["added_tokens.json", "tokenizer_config.json"])
def test_the_files_of_a_slow_tokenizer_are_as_good(loaded: Checkpoint, copy: Path, spelled_in: str) -> None:
    tokenizer = Tokenizer.from_file(str(copy / "tokenizer.json"))
    tokenizer.model.save(str(copy))  # vocab.json and merges.txt
    (copy / "tokenizer.json").unlink()
    if spelled_in == "added_tokens.json":
        write_json(copy / spelled_in, ID)  # without timestamps, as of before 2023
    else:
        change_json(copy / spelled_in, added_tokens_decoder={str(id_): {"content": text} for text, id_ in ID.items()})
    checkpoint = load(copy)
    assert checkpoint.tokens == FACTS
    for text in (" the cat sat", "Ünïcödé 漢字 🙂", "<|en|> and <|0.00|>"):
        assert checkpoint.encode_text(text) == loaded.encode_text(text)
        assert checkpoint.decode_text([FACTS.sot, *checkpoint.encode_text(text), SIZE - 1]) == text


# ---- what is refused


def _truncated(folder: Path) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])


def _without_one_tensor(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["model.decoder.layers.3.fc1.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _without_one_shard(folder: Path) -> None:
    save(folder, shards="20KB")
    sorted(folder.glob("model-*-of-*.safetensors"))[1].unlink()


def _control_tokens_of(*names: str) -> Callable[[Path], None]:
    return lambda folder: byte_level_tokenizer(names).save(str(folder / "tokenizer.json"))


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _with_text(name: str, text: str) -> Callable[[Path], None]:
    def bend(folder: Path) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    return bend


def _with_config(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: change_json(folder / "config.json", **changes)


DAMAGED = "its weights are damaged, or of another shape than config.json says"
TOKENIZER = "its tokenizer is missing, damaged or no Whisper's"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


@pytest.mark.parametrize(
    ("bend", "sentence"),
    [
        (_without("config.json"), "it has no config.json."),
        (_with_text("config.json", "{"), "its config.json is damaged."),
        (_with_text("config.json", "[]"), "its config.json is damaged."),
        (_with_text("generation_config.json", "\x00"), "its generation_config.json is damaged."),
        (_without("model.safetensors"), "it has no weights: neither model.safetensors nor pytorch_model.bin."),
        (
            _with_text("model.safetensors", POINTER),
            "in place of the weights it holds Git LFS's pointers to them (run git lfs pull).",
        ),
        (_truncated, f"{DAMAGED} (SafetensorError)."),
        (_with_text("model.safetensors", ""), f"{DAMAGED} (SafetensorError)."),
        (_with_config(decoder_ffn_dim=16), f"{DAMAGED} (RuntimeError)."),
        (_without_one_tensor, "1 of its tensors are missing."),
        (_with_config(decoder_layers=5), "24 of its tensors are missing."),
        (_without("tokenizer.json"), f"{TOKENIZER} (ValueError)."),
        (_with_text("tokenizer.json", "{}"), f"{TOKENIZER} (Exception)."),
        (_control_tokens_of("<|endoftext|>"), f"{TOKENIZER} (ValueError)."),
        (_control_tokens_of("<|endoftext|>", "<|notimestamps|>"), f"{TOKENIZER} (KeyError)."),
        (_with_config(vocab_size=TEXT), f"{TOKENIZER} (ValueError)."),
    ],
)
def test_what_is_incomplete_or_damaged(copy: Path, bend: Callable[[Path], None], sentence: str) -> None:
    bend(copy)
    assert refusal(copy, EngineUnavailable) == f"ASR_MODEL cannot be loaded: {sentence}"


def test_a_missing_shard_is_counted(copy: Path) -> None:
    _without_one_shard(copy)
    shards = len(list(copy.glob("model-*-of-*.safetensors"))) + 1
    sentence = f"ASR_MODEL cannot be loaded: 1 of its {shards} weight files are missing."
    assert refusal(copy, EngineUnavailable) == sentence


SUPPORTED = "the Whisper engine takes Whisper and Distil-Whisper checkpoints, as saved by transformers"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model_type": "wav2vec2"}, f"ASR_MODEL is a model of type 'wav2vec2': {SUPPORTED}."),
        ({"model_type": "a\nb" + "c" * 99}, f"ASR_MODEL is a model of type 'a?b{'c' * 61}': {SUPPORTED}."),
        ({"model_type": None}, f"ASR_MODEL is a model of type 'None': {SUPPORTED}."),
        (
            {"architectures": ["WhisperForAudioClassification"]},
            f"ASR_MODEL is a 'WhisperForAudioClassification', which does not write text: {SUPPORTED}.",
        ),
        (
            {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
            "ASR_MODEL is quantised: take the original and set ASR_DTYPE, or for int8 a model in CTranslate2's format.",
        ),
        ({"max_source_positions": 750}, f"ASR_MODEL hears windows of another length than 30 seconds: {SUPPORTED}."),
    ],
)
def test_what_is_no_whisper_for_this_engine(copy: Path, changes: dict[str, Any], sentence: str) -> None:
    change_json(copy / "config.json", **changes)
    assert refusal(copy, InvalidSettings) == sentence


def test_an_adapter_is_not_a_model(tmp_path: Path) -> None:
    folder = tmp_path / SECRET_FOLDER
    folder.mkdir()
    write_json(folder / "adapter_config.json", {"base_model_name_or_path": "openai/whisper-small"})
    assert refusal(folder, InvalidSettings) == (
        "ASR_MODEL is an adapter without its model: merge the two (merge_and_unload of peft) and save the result."
    )


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    sentence = "ASR_MODEL is neither a folder that exists here nor a Hub id such as openai/whisper-large-v3-turbo."
    assert refusal(tmp_path / SECRET_FOLDER / "nowhere", EngineUnavailable) == sentence


# ---- the assistant


def test_an_assistant_takes_dtype_and_device_of_its_main_model(copy: Path, whole: Path) -> None:
    save(copy, decoder_layers=2)
    main = load(whole, dtype="bfloat16")
    assistant = load_assistant(str(copy), main)
    assert (assistant.dtype, assistant.device, assistant.name) == (torch.bfloat16, main.device, "tiny")
    assert assistant.model.config.decoder_layers == 2


def test_an_assistant_with_another_vocabulary_is_refused(copy: Path, loaded: Checkpoint) -> None:
    sentence = "ASR_ASSISTANT_MODEL has another vocabulary than ASR_MODEL; a draft must be written in the same tokens."
    change_json(copy / "generation_config.json", is_multilingual=False)
    with pytest.raises(InvalidSettings) as caught:
        load_assistant(str(copy), loaded)
    assert caught.value.message == sentence
    change_json(copy / "generation_config.json", is_multilingual=True)
    save(copy, vocab_size=SIZE + 1)
    with pytest.raises(InvalidSettings) as caught:
        load_assistant(str(copy), loaded)
    assert caught.value.message == sentence


def test_errors_about_an_assistant_name_its_own_settings(copy: Path, loaded: Checkpoint) -> None:
    (copy / "config.json").unlink()
    with pytest.raises(EngineUnavailable) as caught:
        load_assistant(str(copy), loaded)
    assert caught.value.message == "ASR_ASSISTANT_MODEL cannot be loaded: it has no config.json."


# ---- from the Hub

CHILD = """
import logging, sys
import torch, transformers
logging.basicConfig(level=logging.DEBUG)
logging.raiseExceptions = False
from roundtable.asr.checkpoint import load_checkpoint
checkpoint = load_checkpoint("someone/any", token="hf_secret", device="cpu")
print(checkpoint.name, sum(float(weight.abs().sum()) for weight in checkpoint.model.parameters()) > 0)
logging.disable(logging.CRITICAL)  # what the client says when the interpreter closes its connections
"""


@pytest.mark.slow
def test_a_repository_is_loaded_without_the_files_that_nobody_needs(copy: Path, tmp_path: Path) -> None:
    save(copy, shards="20KB")
    files = {path.name: path.read_bytes() for path in copy.iterdir()}
    needed = set(files)
    files |= {"pytorch_model.bin": b"", "model.fp32-00001-of-00002.safetensors": b"", "README.md": b"", "tf_model.h5": b""}
    with HubServer(files) as hub:
        child = subprocess.run(
            [sys.executable, "-c", CHILD],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=Path(__file__).parent.parent,
            env={"PATH": os.environ["PATH"], "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url, "OMP_NUM_THREADS": "1"},
        )
    assert (child.stdout, child.stderr) == (f"someone/any@{COMMIT[:12]} True\n", "")
    assert set(hub.fetched) == needed
    assert len(hub.fetched) == len(needed)


# ---- models that are made to hurt


def test_an_output_layer_that_is_neither_tied_nor_there_is_not_made_up(copy: Path) -> None:
    change_json(copy / "config.json", tie_word_embeddings=False)
    assert "tensors are missing" in refusal(copy, EngineUnavailable)


def test_layers_that_config_does_not_have_are_not_left_out_in_silence(copy: Path) -> None:
    change_json(copy / "config.json", decoder_layers=3)
    assert "belong to layers that config.json does not have" in refusal(copy, EngineUnavailable)


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("config.json", {"architectures": 5}),
        ("config.json", {"architectures": [{}]}),
        ("config.json", {"decoder_layers": 0}),
        ("config.json", {"decoder_layers": -1}),
        ("generation_config.json", {"alignment_heads": 5}),
        ("generation_config.json", {"alignment_heads": [1, 2]}),
        ("generation_config.json", {"alignment_heads": [[[1], 2]]}),
    ],
)
def test_nonsense_in_a_config_is_an_error_of_ours(copy: Path, file: str, changes: dict[str, Any]) -> None:
    change_json(copy / file, **changes)
    assert refusal(copy, EngineUnavailable).startswith("ASR_MODEL cannot be loaded: ")


def test_json_nested_deeper_than_python_can_follow_is_an_error_of_ours(copy: Path) -> None:
    (copy / "config.json").write_text("[" * 200_000, encoding="utf-8")
    assert refusal(copy, EngineUnavailable).startswith("ASR_MODEL cannot be loaded: ")


def test_a_name_too_long_for_the_file_system_does_not_show_the_folder(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    write_json(copy / "model.safetensors.index.json", {"weight_map": {"x": "n" * 5000}})
    assert refusal(copy, EngineUnavailable).startswith("ASR_MODEL cannot be loaded: ")
