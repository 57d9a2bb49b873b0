"""What README says about names and defaults is what the code does."""

import re
from pathlib import Path

from config import InferenceConfig, ModelSettings

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def table(title: str) -> dict[str, str]:
    """`{first cell: second cell}` of the first table after a heading."""
    rows = README.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| `?(.*?)`? \|", rows, re.MULTILINE))


def test_every_parameter_is_listed_with_its_default() -> None:
    listed = table("The request and the reply")
    config = InferenceConfig.parse({})
    assert list(listed) == list(InferenceConfig.model_fields)
    spelled = {None: "null", True: "true", False: "false", (): "[]", "": "made up"}
    expected = {
        name: spelled[value] if isinstance(value, (bool, type(None), tuple)) or value == "" else str(value)
        for name, value in config.model_dump().items()
    }
    assert listed == expected


def test_every_setting_is_listed_with_its_default() -> None:
    listed = table("Settings")
    assert list(listed) == [name.upper() for name in ModelSettings.model_fields]
    assert listed["MAX_AUDIO_BYTES"] == str(ModelSettings.model_fields["max_audio_bytes"].default)
    assert listed["MAX_AUDIO_SECONDS"] == str(ModelSettings.model_fields["max_audio_seconds"].default)


def test_every_verb_of_the_makefile_is_named() -> None:
    makefile = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")
    for verb in re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE):
        assert f"make {verb}" in README or verb == "help"
