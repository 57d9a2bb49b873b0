"""Secrets that are odd: of short lines, of the journal's own words, without end, or plain variables at the same time."""

from __future__ import annotations

import html
import json
import random
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from deploy import spellings
from deploy.errors import SecretExposed, SecretMissing
from deploy.secrets import Mask, read_secret
from tests.deploy.harness import ENDPOINT_YAML, PASSPHRASE, Tool
from tests.fake_hub.backends import CannedBackend
from tests.fake_hub.server import FakeHub, Fault


def test_short_lines_of_a_secret_were_shown_one_by_one_in_the_log(tool: Tool, hub: FakeHub, canned: CannedBackend) -> None:
    tool.environment["PASSPHRASE"] = "alpha\nbravo7\ncharlie"  # noqa: S105
    tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].log = "boot alpha\nbravo7\ncharlie\nend"
    assert tool.ok("logs", "--json").json() == {"lines": ["boot ***", "end"]}
    canned.broken.add(tool.published(b" that mishears"))
    ran = tool.run("apply")
    assert ran.code == 5
    assert "log: boot ***\n" in ran.err
    assert not re.search("alpha|bravo7|charlie", ran.err)


@pytest.mark.parametrize("word", ["verified", "roundtable", "PASSPHRASE", "was_paused", "instance_type"])
def test_a_secret_that_is_a_word_of_the_journal_made_it_unreadable(
    tool: Tool, hub: FakeHub, canned: CannedBackend, word: str
) -> None:
    tool.environment["PASSPHRASE"] = word
    first = tool.published()
    tool.ok("apply")
    writes = hub.writes()
    tool.ok("apply")
    assert hub.writes() == writes
    (record,) = tool.journal()
    assert (record["verb"], record["outcome"], record["secrets"]) == ("apply", "verified", ["HF_TOKEN", "PASSPHRASE"])
    canned.broken.add(tool.published(b" that mishears"))
    hub.faults = [Fault("DELETE", "/v2/endpoint/me/roundtable-canary", 500, times=99)]
    assert tool.run("apply", "--canary").code == 5
    assert tool.journal()[-1]["canary"] == "roundtable-canary"
    hub.faults, canned.broken = [], set()
    tool.ok("apply")
    assert list(hub.endpoints.by_name) == ["roundtable"]
    tool.ok("rollback")
    assert hub.live_revision("roundtable") == first


def test_free_text_of_a_record_is_masked(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    hub.faults = [Fault("POST", "/v2/endpoint/me", 422, message=f"bad value {PASSPHRASE}")]
    assert tool.run("apply").code == 3
    assert tool.journal()[0]["failure"] == "the Hub refused roundtable with 422: bad value ***"


@pytest.mark.parametrize("source", ["file:~nobody-of-this-name/x", "file:a\0b", "file:/"])
def test_a_file_that_cannot_be_one_ended_as_a_fault_of_the_tool(tool: Tool, source: str) -> None:
    with pytest.raises(SecretMissing) as caught:
        read_secret(source, name="KEY", environment={})
    assert caught.value.reason == "secret KEY: its file is not there, cannot be read, or is empty"
    assert tool.run("status", "--token", source).code == 2


@pytest.mark.parametrize("source", ["env:BIG", "file:/dev/zero"])
def test_a_secret_without_end_is_refused(source: str) -> None:
    with pytest.raises(SecretExposed, match="secret KEY: longer than 65536 characters"):
        read_secret(source, name="KEY", environment={"BIG": "a" * 70_000})


def test_a_long_secret_took_minutes_in_every_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: of what is looked for, only the beginnings are compiled as long as they are not found."""
    compiled: list[int] = []
    escaped = spellings._escaped

    def counted(piece: str) -> str:
        compiled.append(len(piece))
        return escaped(piece)

    monkeypatch.setattr(spellings, "_escaped", counted)
    secret = "".join(random.Random(0).choices("kJ9x+/", k=60_000))  # noqa: S311  # nobody's
    mask = Mask([SecretStr(secret)])
    beginning = f"nothing of it, {secret[:40]} but its beginning"
    assert mask.text(beginning) == beginning
    assert sum(compiled) < 2000
    assert mask.text(f"<{quote(secret, safe='')}> <{json.dumps(secret)}> <{secret[:-1]}") == f'<***> <"***"> <{secret[:-1]}'


@settings(max_examples=25)
@given(
    st.lists(
        st.sampled_from(["a", "Z", "9", " ", "\n", "+", "/", "\\", '"', "&", "é", "abcdefgh" * 6]), min_size=70, max_size=400
    )
)
def test_a_long_secret_is_masked_in_any_spelling(parts: list[str]) -> None:
    secret = f"x{''.join(parts)}x"
    mask = Mask([SecretStr(secret)])
    for said in (secret, quote(secret), quote_plus(secret), json.dumps(secret)[1:-1], html.escape(secret), repr(secret)[1:-1]):
        assert mask.text(f"<{said}>") == "<***>"


def test_a_variable_that_becomes_a_secret_was_sent_as_both(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].raw["model"]["env"] |= {"PASSPHRASE": "plain", "OTHER": "x"}
    tool.ok("apply")
    sent = json.loads([seen for seen in hub.seen if seen.method == "PUT"][-1].body)["model"]
    assert sent["secrets"]["PASSPHRASE"] == PASSPHRASE
    assert "PASSPHRASE" not in sent["env"]
    assert sent["env"]["OTHER"] == ""


def test_a_plain_variable_with_the_name_of_a_secret_was_shown_and_recorded(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].raw["model"]["env"] |= {"DB_PASSWORD": "tr0ub4dor-and-3", "LEVEL": "debug"}
    shown = tool.ok("status").out + tool.ok("plan").out + tool.ok("status", "--json").out + tool.ok("plan", "--json").out
    assert "env.DB_PASSWORD" in shown
    shown += tool.ok("apply", "--json").out
    assert "tr0ub4dor" not in shown + json.dumps(tool.journal())
    before = tool.journal()[-1]["before"]["env"]
    assert (before["DB_PASSWORD"], before["LEVEL"]) == ("***", "debug")


def test_an_empty_setting_made_every_apply_send_again(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.write(ENDPOINT_YAML.replace("MAX_AUDIO_SECONDS: 600", 'ASR_DTYPE: ""'))
    tool.ok("apply")
    writes = hub.writes()
    assert tool.ok("apply", "--json").json()["outcome"] == "unchanged"
    assert hub.writes() == writes
