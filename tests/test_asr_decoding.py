"""The decoder against transformers' own, token for token, on a small Whisper with random weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from torch import Tensor  # noqa: E402  # after the skips above
from transformers import LogitsProcessorList, WhisperConfig, WhisperForConditionalGeneration  # noqa: E402
from transformers.generation.logits_process import (  # noqa: E402
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
)
from transformers.generation.utils import GenerationMixin  # noqa: E402
from transformers.modeling_outputs import BaseModelOutput  # noqa: E402

from roundtable.asr.checkpoint import SpecialTokens  # noqa: E402
from roundtable.asr.decoder import Memory, TextDecoder, in_front  # noqa: E402
from roundtable.asr.decoding import Rules, decode, first_step  # noqa: E402
from roundtable.asr.speculative import decode_assisted  # noqa: E402
from roundtable.asr.window_engine import Decoded  # noqa: E402

VOCABULARY = 200
TOKENS = SpecialTokens(
    sot=1,
    eot=0,
    sot_prev=2,
    no_timestamps=3,
    no_speech=4,
    transcribe=5,
    translate=6,
    languages={"en": 7, "de": 8},
    timestamp_begin=190,
    suppress=(11, 12),
    begin_suppress=(13,),
)
NEVER = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, *range(190, VOCABULARY)]
PROMPTS = [[1, 7, 5, 3], [2, 40, 41, 42, 1, 7, 5, 3], [1, 8, 5, 3], [2, 50, 1, 7, 6, 3], [1, 7, 5, 3]]
LIMIT = 30


def random_whisper(seed: int, decoder_layers: int = 3) -> Any:
    torch.manual_seed(seed)
    whisper: Any = WhisperForConditionalGeneration
    config = WhisperConfig(
        vocab_size=VOCABULARY,
        d_model=32,
        encoder_layers=1,
        decoder_layers=decoder_layers,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_target_positions=60,
        pad_token_id=0,
        eos_token_id=0,
        bos_token_id=0,
        decoder_start_token_id=1,
        init_std=0.4,  # far from uniform: the tokens then depend on what was heard
    )
    return whisper(config).eval()


@pytest.fixture(autouse=True, scope="module")
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def model() -> Any:
    return random_whisper(0)


@pytest.fixture(scope="module")
def states(model: Any) -> Tensor:
    torch.manual_seed(1)
    return model.model.encoder(torch.randn(5, 80, 3000)).last_hidden_state  # type: ignore[no-any-return]  # untyped


@pytest.fixture(scope="module")
def decoder(model: Any) -> TextDecoder:
    return TextDecoder(model)


@pytest.fixture(scope="module")
def memory(decoder: TextDecoder, states: Tensor) -> Memory:
    return decoder.remember(states)


RULES = Rules(TOKENS, VOCABULARY, torch.device("cpu"))


def written(
    decoder: TextDecoder, memory: Memory, prompts: list[list[int]], limit: int = LIMIT, temperature: float = 0.0
) -> list[Decoded]:
    limits = [limit] * len(prompts)
    return decode(decoder, memory, prompts, limits, rules=RULES, eot=0, temperature=temperature)


def row(memory: Memory, at: int) -> Memory:
    return memory.part(at, at + 1)


def rows(memory: Memory, chosen: list[int]) -> Memory:
    return Memory([kept[chosen] for kept in memory.keys], [kept[chosen] for kept in memory.values])


def generated(model: Any, states: Tensor, prompt: list[int]) -> tuple[int, ...]:
    """What transformers writes after a prompt, under the same rules."""
    tokens = GenerationMixin.generate(
        model,
        encoder_outputs=BaseModelOutput(last_hidden_state=states),
        decoder_input_ids=torch.tensor([prompt]),
        pad_token_id=0,
        eos_token_id=0,
        max_new_tokens=LIMIT,
        logits_processor=LogitsProcessorList(
            [SuppressTokensLogitsProcessor(NEVER), SuppressTokensAtBeginLogitsProcessor([13], len(prompt))]
        ),
    )[0, len(prompt) :].tolist()
    return tuple(tokens[: tokens.index(0)] if 0 in tokens else tokens)


def test_logits_are_those_of_the_model_read_at_once_or_in_pieces(
    model: Any, decoder: TextDecoder, memory: Memory, states: Tensor
) -> None:
    ids = torch.randint(0, VOCABULARY, (5, 9))
    expected = model(encoder_outputs=(states,), decoder_input_ids=ids, use_cache=False).logits
    past = decoder.begin(20)
    pieces = [decoder.logits(decoder.read(ids[:, part], past, memory)) for part in (slice(0, 4), slice(4, 5), slice(5, 9))]
    torch.testing.assert_close(torch.cat(pieces, dim=1), expected, atol=1e-4, rtol=1e-4)


def test_attention_is_that_of_the_eager_model(model: Any, decoder: TextDecoder, memory: Memory, states: Tensor) -> None:
    ids = torch.randint(0, VOCABULARY, (5, 9))
    eager = random_whisper(0)
    eager.config._attn_implementation = "eager"
    expected = eager(encoder_outputs=(states,), decoder_input_ids=ids, output_attentions=True).cross_attentions
    heads = [(1, 0), (2, 3), (0, 2), (2, 1)]
    seen = decoder.attention(ids, memory, heads)
    torch.testing.assert_close(seen, torch.stack([expected[layer][:, head] for layer, head in heads], 1), atol=1e-5, rtol=1e-4)
    assert model.config._attn_implementation != "eager"


def test_tokens_are_those_of_generate_also_after_prompts_of_unequal_length(
    model: Any, decoder: TextDecoder, memory: Memory, states: Tensor
) -> None:
    got = [row.tokens for row in written(decoder, memory, PROMPTS)]
    assert got == [generated(model, states[at : at + 1], prompt) for at, prompt in enumerate(PROMPTS)]
    assert len(set(got)) == len(PROMPTS)  # it does matter what was heard and what the prompt was


def test_a_row_is_written_as_if_it_were_alone(decoder: TextDecoder, memory: Memory) -> None:
    together = written(decoder, memory, PROMPTS)
    for at, prompt in enumerate(PROMPTS):
        (alone,) = written(decoder, row(memory, at), [prompt])
        assert alone.tokens == together[at].tokens
        assert alone.logprobs == pytest.approx(together[at].logprobs, abs=1e-4)
    backwards = rows(memory, [4, 3, 2, 1, 0])
    assert [one.tokens for one in written(decoder, backwards, PROMPTS[::-1])][::-1] == [one.tokens for one in together]


def test_rows_that_are_done_leave_and_change_nothing_for_the_others(decoder: TextDecoder, memory: Memory) -> None:
    prompts = [[1, 7, 5, 3]] * 5
    limits = [3, 30, 0, 12, 30]
    got = decode(decoder, memory, prompts, limits, rules=RULES, eot=0)
    full = written(decoder, memory, prompts)
    assert [one.tokens for one in got] == [one.tokens[:limit] for one, limit in zip(full, limits, strict=True)]
    assert [one.finished for one in got] == [False] * 5


def test_what_was_heard_is_in_its_place_again_when_rows_have_left(decoder: TextDecoder, memory: Memory) -> None:
    before = rows(memory, list(range(5)))
    decode(decoder, memory, [[1, 7, 5, 3]] * 5, [3, 30, 0, 12, 18], rules=RULES, eot=0)
    for kept, was in zip((*memory.keys, *memory.values), (*before.keys, *before.values), strict=True):
        assert torch.equal(kept, was)
    with pytest.raises(KeyError), memory.front(in_front([4, 1])):
        raise KeyError
    assert all(torch.equal(kept, was) for kept, was in zip(memory.keys, before.keys, strict=True))


@given(st.sets(st.integers(0, 30)))
def test_rows_in_front_are_in_their_place_or_come_from_behind(chosen: set[int]) -> None:
    order = in_front(chosen)
    assert sorted(order) == sorted(chosen)
    assert all(row == place or row >= len(order) for place, row in enumerate(order))


@settings(max_examples=30)
@given(st.data())
def test_rows_brought_to_the_front_are_those_rows(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 9))
    memory = Memory([torch.arange(count)[:, None] * 10], [torch.arange(count)[:, None]])
    order = in_front(data.draw(st.sets(st.integers(0, count - 1))))
    with memory.front(order) as front:
        assert front.values[0][:, 0].tolist() == order
        assert front.keys[0][:, 0].tolist() == [10 * row for row in order]
        inner = in_front(range(len(order) // 2, len(order)))
        with front.front(inner) as fewer:
            assert fewer.values[0][:, 0].tolist() == [order[place] for place in inner]
        assert front.values[0][:, 0].tolist() == order
    assert memory.values[0][:, 0].tolist() == list(range(count))


def test_a_row_ends_with_the_end_token_whose_probability_counts(decoder: TextDecoder, memory: Memory) -> None:
    rules = Rules(TOKENS, VOCABULARY, torch.device("cpu"))
    rules.always[0] = 100.0  # from the second token on, nothing but <|endoftext|>
    (got,) = decode(decoder, row(memory, 0), [PROMPTS[0]], [LIMIT], rules=rules, eot=0)
    assert (len(got.tokens), len(got.logprobs), got.finished) == (1, 2, True)
    assert got.avg_logprob == pytest.approx(sum(got.logprobs) / 2)


def test_log_probabilities_are_those_of_the_model_among_the_allowed(
    model: Any, decoder: TextDecoder, memory: Memory, states: Tensor
) -> None:
    (got,) = written(decoder, row(memory, 2), [PROMPTS[2]], limit=6)
    ids = torch.tensor([[*PROMPTS[2], *got.tokens]])
    scores = model(encoder_outputs=(states[2:3],), decoder_input_ids=ids, use_cache=False).logits[0, 3:-1]
    scores[:, NEVER] = -torch.inf
    scores[0, 13] = -torch.inf
    expected = scores.log_softmax(-1).gather(1, torch.tensor(got.tokens)[:, None])[:, 0]
    assert got.logprobs == pytest.approx(expected.tolist(), abs=1e-4)


def test_sampling_gives_the_same_tokens_each_time_and_in_every_batch(decoder: TextDecoder, memory: Memory) -> None:
    once, again = (written(decoder, memory, PROMPTS, temperature=0.8) for _ in range(2))
    assert once == again
    (alone,) = written(decoder, row(memory, 3), [PROMPTS[3]], temperature=0.8)
    assert alone.tokens == once[3].tokens
    assert alone.tokens != written(decoder, row(memory, 3), [PROMPTS[3]])[0].tokens


def test_sampled_tokens_follow_the_models_distribution(decoder: TextDecoder, memory: Memory) -> None:
    """400 rows that differ in their noise only: the first token's frequencies against its probabilities."""
    many = rows(memory, [0] * 400)
    scores = decoder.logits(decoder.read(torch.tensor([PROMPTS[0]]), decoder.begin(4), row(memory, 0)))[0, -1] + RULES.first
    expected = (scores / 0.7).softmax(-1)
    from roundtable.asr import decoding

    draw = decoding._Draw(0.7, 400, torch.device("cpu"))
    for at, generator in enumerate(draw._generators):
        generator.manual_seed(at)
    tokens = draw(scores.expand(len(many), -1), torch.arange(400))
    likeliest = int(expected.argmax())
    share = float((tokens == likeliest).float().mean())
    assert share == pytest.approx(float(expected[likeliest]), abs=0.08)


def test_the_first_step_tells_language_and_no_speech(model: Any, decoder: TextDecoder, memory: Memory, states: Tensor) -> None:
    start = torch.ones(5, 1, dtype=torch.int64)
    scores = model(encoder_outputs=(states,), decoder_input_ids=start, use_cache=False).logits[:, -1]
    got = first_step(decoder, memory, TOKENS)
    assert got.no_speech_probs == pytest.approx(scores.softmax(-1)[:, 4].tolist(), abs=1e-5)
    for row_logprobs, expected in zip(got.language_logprobs, scores[:, [7, 8]].log_softmax(-1).tolist(), strict=True):
        assert row_logprobs == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("drafts", ["as itself", "as another"])
@pytest.mark.parametrize("limit", [1, 2, 7, LIMIT])
def test_an_assistant_changes_no_token(
    model: Any, decoder: TextDecoder, memory: Memory, states: Tensor, drafts: str, limit: int
) -> None:
    small = decoder if drafts == "as itself" else TextDecoder(random_whisper(5, decoder_layers=1))
    for at, prompt in enumerate(PROMPTS):
        large = (decoder, row(memory, at))
        got = decode_assisted(large, (small, small.remember(states[at : at + 1])), prompt, limit, rules=RULES, eot=0)
        (expected,) = written(decoder, row(memory, at), [prompt], limit)
        assert (got.tokens, got.finished) == (expected.tokens, expected.finished)
        assert got.logprobs == pytest.approx(expected.logprobs, abs=1e-4)


def test_an_assistant_stops_at_the_end_token(decoder: TextDecoder, memory: Memory) -> None:
    rules = Rules(TOKENS, VOCABULARY, torch.device("cpu"))
    rules.always[0] = 100.0
    one = (decoder, row(memory, 0))
    got = decode_assisted(one, one, PROMPTS[0], LIMIT, rules=rules, eot=0)
    assert got.tokens == decode(decoder, row(memory, 0), [PROMPTS[0]], [LIMIT], rules=rules, eot=0)[0].tokens
    assert (len(got.tokens), got.finished) == (1, True)


def test_a_good_draft_spares_the_large_model_most_of_its_steps(decoder: TextDecoder, memory: Memory) -> None:
    class Counting:
        def __init__(self) -> None:
            self.reads = 0

        def __getattr__(self, name: str) -> Any:
            self.reads += name == "read"
            return getattr(decoder, name)

    counting: Any = Counting()
    one = row(memory, 0)
    got = decode_assisted((counting, one), (decoder, one), PROMPTS[0], LIMIT, rules=RULES, eot=0)
    assert len(got.tokens) == LIMIT
    assert counting.reads <= 5
