"""endpoint.yaml: what is taken, what is refused, and that the line is named."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from deploy.access import PROTECTED, api_level
from deploy.errors import InvalidSpecification
from deploy.plain_reasons import reason_of
from deploy.presets import PRESETS, models_of, render
from deploy.specification import Specification
from deploy.specification_parts import ENDPOINT_RULE

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GOOD = f"""\
repository: me/roundtable
endpoint: roundtable
namespace: me
instance: {{vendor: aws, region: us-east-1, accelerator: gpu, type: nvidia-t4, size: x1}}
models:
  asr:
    id: openai/whisper-base
    revision: {COMMIT}
settings:
  MAX_AUDIO_SECONDS: 600
secrets:
  HF_TOKEN: env:RUNTIME
"""


def refusal(text: str) -> str:
    with pytest.raises(InvalidSpecification) as caught:
        Specification.parse(text)
    return caught.value.reason


def test_a_good_file_gives_the_containers_variables() -> None:
    found = Specification.parse(GOOD)
    assert found.environment() == {
        "MAX_AUDIO_SECONDS": "600",
        "ASR_MODEL": "openai/whisper-base",
        "ASR_REVISION": COMMIT,
    }
    assert found.access == "private"
    assert found.secrets == {"HF_TOKEN": "env:RUNTIME"}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("endpoint: roundtable", "endpoint: Round_Table", f"line 2: endpoint: {ENDPOINT_RULE}"),
        ("namespace: me", "namespace: me\nregion: x", "line 4: region: unknown field"),
        ("accelerator: gpu", "accelerator: fpga", "line 4: instance.accelerator: must be cpu, gpu or neuron"),
        ("id: openai/whisper-base", "id: whisper", "line 6: models.asr: id must be OWNER/NAME of a model on the Hub"),
        ("id: openai/whisper-base", "id: embedded", "line 6: models.asr: revision is for models on the Hub"),
        ("MAX_AUDIO_SECONDS: 600", "API_KEY: abc", "line 10: settings.API_KEY: looks like a secret: name it under secrets"),
        ("MAX_AUDIO_SECONDS: 600", "ASR_MODEL: x/y", "line 10: settings.ASR_MODEL: is set by models"),
        ("MAX_AUDIO_SECONDS: 600", "max_audio: 600", "line 10: settings.max_audio: must be the name of a variable: capitals,"),
        ("env:RUNTIME", "hf_abcdefghijklmnopqrst", "line 11: secrets: each secret is env:NAME, file:PATH or stdin, never a"),
        ("namespace: me\n", "namespace: me\nnamespace: you\n", "line 4: namespace is there twice"),
        ("namespace: me\n", "", "line 1: namespace: is missing"),
        ("models:", "models: [", "line 7: not YAML"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(old: str, new: str, reason: str) -> None:
    assert refusal(GOOD.replace(old, new, 1)).startswith(f"endpoint.yaml, {reason}")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "namespace: me",
            "namespace: me\naccess: everyone",
            "line 4: access: must be private, authenticated, public or protected",
        ),
        ("repository: me/roundtable", "repository: roundtable", "line 1: repository: must be OWNER/NAME as the Hub allows it"),
        ("namespace: me", "namespace: 'a b'", "line 3: namespace: must be the name of a user or an organisation"),
        ("namespace: me", "namespace: 7", "line 3: namespace: must be text"),
        ("accelerator: gpu", "acelerator: gpu", "line 4: instance.acelerator: unknown field; did you mean accelerator?"),
        ("revision: ", "revison: ", "line 8: models.asr.revison: unknown field; did you mean revision?"),
        ("namespace: me", "namespace: me\nscalling: {}", "line 4: scalling: unknown field; did you mean scaling?"),
        ("namespace: me", "namespace: me\nzzz: {}", "line 4: zzz: unknown field"),
        ("namespace: me", "namespace: me\nscaling: {min_replicas: -1}", "line 4: scaling.min_replicas: must be at least 0"),
        (
            "namespace: me",
            "namespace: me\nscaling: {max_replicas: 1.5}",
            "line 4: scaling.max_replicas: must be a whole number",
        ),
        (
            "namespace: me",
            "namespace: me\nscaling: {max_replicas: two}",
            "line 4: scaling.max_replicas: must be a whole number",
        ),
        ("namespace: me", "namespace: me\nsmoke: {max_wer: high}", "line 4: smoke.max_wer: must be a number"),
        ("namespace: me", "namespace: me\nsmoke: {max_latency_s: 0}", "line 4: smoke.max_latency_s: must be more than 0"),
        ("namespace: me", "namespace: me\ncontainer: managed", "line 4: container: must be fields and values"),
        ("namespace: me", "namespace: me\nlicences: mit", "line 4: licences: must be a list"),
        ("namespace: me", "namespace: me\ncontainer: {health_route: x}", "line 4: container.health_route: must begin with /"),
        ("MAX_AUDIO_SECONDS: 600", "MAX_AUDIO_SECONDS: long", "line 10: settings.MAX_AUDIO_SECONDS: must be a number"),
        ("MAX_AUDIO_SECONDS: 600", "MAX_AUDIO_BYTES: 1", "line 10: settings.MAX_AUDIO_BYTES: must be at least 1024"),
        (
            "MAX_AUDIO_SECONDS: 600",
            "ASR_DTYPE: int4",
            "line 10: settings.ASR_DTYPE: must be auto, float16, bfloat16, float32 or in",
        ),
        ("MAX_AUDIO_SECONDS: 600", "MAX_AUDIO_SECONDS: [1]", "line 10: settings.MAX_AUDIO_SECONDS: must be text"),
    ],
)
def test_a_reason_spoke_pydantic(old: str, new: str, reason: str) -> None:
    said = refusal(GOOD.replace(old, new, 1))
    assert reason in said
    assert not re.search(r"Input|literal\[|pattern|\^|pydantic", said)


def test_the_next_step_said_init_where_the_file_is_there() -> None:
    with pytest.raises(InvalidSpecification) as caught:
        Specification.parse(GOOD.replace("accelerator: gpu", "accelerator: x"))
    assert "`init --file OTHER`" in caught.value.next_step
    assert "`init --force` over it" in caught.value.next_step


def test_the_deployers_own_variables_were_taken_for_the_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_AUDIO_BYTES", "none")
    assert Specification.parse(GOOD).settings == {"MAX_AUDIO_SECONDS": "600"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
        max_leaves=4,
    ),
    st.sampled_from(sorted(Specification.model_fields)),
)
def test_no_value_whatever_got_a_reason_of_pydantics(value: object, field: str) -> None:
    good = {**yaml.safe_load(GOOD), field: value}
    try:
        Specification.model_validate(good)
    except ValidationError as error:
        findings = error.errors(include_url=False, include_input=False)
        reasons = [reason_of(finding) for finding in findings if finding["type"] != "value_error"]
        assert all(re.match("must |is missing|unknown field|is not a value", reason) for reason in reasons)
        assert "is not a value that can stand here" not in reasons or field == "secrets"


def test_all_wrong_fields_are_named_at_once_in_order() -> None:
    text = GOOD.replace("accelerator: gpu", "accelerator: x").replace("repository: me/roundtable", "repository: me")
    assert refusal(text).split("; ")[0].startswith("endpoint.yaml, line 1: repository")
    assert refusal(text).split("; ")[1].startswith("line 4: instance.accelerator")


@pytest.mark.parametrize(
    "where", ["endpoint: {}", "secrets: {{HF_TOKEN: {}}}", "settings: {{TIMEOUT: {}}}", "{}: 1", "models: {}"]
)
def test_a_token_in_the_wrong_place_is_not_quoted(where: str) -> None:
    token = f"hf_{'abcdefgh' * 4}"
    assert token not in refusal(where.format(token)).replace(f"{token}: unknown field", "")  # which the console masks


@pytest.mark.parametrize(
    ("scaling", "reason"),
    [
        ("{min_replicas: 3}", "min_replicas must not be more than max_replicas"),
        ("{min_replicas: 0, scale_to_zero_minutes: null}", "min_replicas 0 needs scale_to_zero_minutes"),
        ("{metric: pendingRequests}", "metric and threshold go together"),
    ],
)
def test_scaling_that_cannot_be_meant(scaling: str, reason: str) -> None:
    assert refusal(f"{GOOD}scaling: {scaling}\n") == f"endpoint.yaml, line 13: scaling: {reason}"


def test_protected_is_private_and_never_authenticated() -> None:
    assert Specification.parse(f"{GOOD}access: protected\n").access == "protected"
    assert api_level("protected") == "private"
    assert [api_level(level) for level in ("private", "authenticated", "public")] == ["private", "authenticated", "public"]
    assert "'private' today" in PROTECTED


@pytest.mark.parametrize(
    ("container", "image"),
    [
        ("{kind: managed}", {"huggingface": {}}),
        ("{kind: hf-serve, url: a/b}", {"hfServe": {"url": "a/b", "healthRoute": "/health"}}),
        ("{kind: own, url: a/b, port: 80}", {"custom": {"url": "a/b", "port": 80, "healthRoute": "/health"}}),
    ],
)
def test_each_container_as_the_api_wants_it(container: str, image: dict[str, object]) -> None:
    assert Specification.parse(f"{GOOD}container: {container}\n").container.image() == image


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_valid_file(name: str) -> None:
    preset = PRESETS[name]
    commits = dict.fromkeys(models_of(preset), COMMIT)
    found = Specification.parse(render(preset, "me/roundtable", "roundtable", "me", commits))
    assert [model.id for model in found.models.named().values() if model.on_the_hub] == models_of(preset)
    assert all(model.pinned for model in found.models.named().values())
    loose = Specification.parse(render(preset, "me/roundtable", "roundtable", "me", {}))
    assert not loose.models.asr.pinned


@given(st.text(max_size=200))
def test_any_text_is_refused_with_a_reason(text: str) -> None:
    assert refusal(text).startswith("endpoint.yaml")  # so short, none is whole
