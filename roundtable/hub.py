"""A model's files: a folder of this machine, or downloaded from the Hugging Face Hub; and one plain sentence for each way of
not getting them.

Downloads go through the Hub's own client and its cache, and only the files that are asked for. The libraries' errors and log
lines hold paths and URLs, and their causes hold requests with the token: none of that gets past this file.
"""

from __future__ import annotations

import errno
import os.path
from pathlib import Path
from typing import Any

from roundtable.errors import EngineError, EngineUnavailable, InvalidSettings
from roundtable.quiet import quiet

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}


class ModelSource:
    """Where one model comes from. `setting` is the variable that names it, such as ASR_MODEL: errors speak of that alone.

    A repository that a model itself names, as pyannote's pipelines do, is public: there `setting` holds its id, in words, and
    `revision_setting` says what names its revision.

    Raises `EngineUnavailable` when `model` can be neither a folder nor a Hub id.
    """

    def __init__(
        self,
        model: str,
        *,
        setting: str,
        revision: str | None = None,
        token: str | None = None,
        revision_setting: str | None = None,
        example: str = "openai/whisper-large-v3-turbo",
    ) -> None:
        self.setting = setting
        self.revision_setting = revision_setting or setting.removesuffix("_MODEL") + "_REVISION"
        self._model = model
        self._revision = revision
        self._token = token
        self._folder: Path | None = None
        if os.path.isdir(model):  # pathlib's raises on names that are too long, and shows them
            if revision is not None:
                raise InvalidSettings(
                    f"{self.revision_setting} is for models on the Hub: {setting} is a folder, leave it unset."
                )
            self._folder = Path(model)
        elif not _may_be_hub_id(model):
            raise EngineUnavailable(f"{setting} is neither a folder that exists here nor a Hub id such as {example}.")

    @property
    def is_folder(self) -> bool:
        """Of this machine; else it is on the Hub."""
        return self._folder is not None

    @property
    def name(self) -> str:
        """`repository@commit`, its first 12 digits; of a folder the last part of its path. Known once `files` was called."""
        if self._folder is not None:
            return self._folder.resolve().name or "folder"
        return f"{self._model}@{(self._revision or 'main')[:12]}"

    def files(self, *patterns: str) -> Path:
        """The folder that holds the files of these names (`*` stands for anything) as far as the model has them.

        The first call decides on a commit; later ones stay with it. Raises `EngineUnavailable`, or `InvalidSettings` for a
        revision that does not exist.
        """
        if self._folder is not None:
            return self._folder
        try:
            from huggingface_hub import snapshot_download
        except ImportError:
            snapshot_download = None  # type: ignore[assignment]  # told just below, outside of the except
        if snapshot_download is None:
            raise EngineUnavailable(f"{self.setting} names a model on the Hub: install huggingface_hub, or name a folder.")
        try:
            with quiet():
                folder = Path(
                    snapshot_download(
                        self._model, revision=self._revision, token=self._token, allow_patterns=list(patterns), max_workers=4
                    )
                )
        except Exception as error:  # requests, httpx or httpx2, by version; whatever it was ends here, as one sentence
            refusal = self._refusal(error)
        else:
            self._revision = folder.name
            return folder
        raise refusal  # out here: the cause would show the request

    def _refusal(self, error: Exception) -> EngineError:
        from huggingface_hub import constants, errors

        setting = self.setting
        if isinstance(error, errors.LocalEntryNotFoundError):
            if constants.HF_HUB_OFFLINE:
                return EngineUnavailable(f"{setting} is not in the cache, and HF_HUB_OFFLINE forbids to download it.")
            # The client looked for a cached copy first; what the Hub said is the cause.
            error = error.__cause__ if isinstance(error.__cause__, Exception) else error
        status = getattr(getattr(error, "response", None), "status_code", None)
        number = getattr(error, "errno", None)
        if isinstance(error, errors.GatedRepoError):
            if status == 401:
                return EngineUnavailable(
                    f"{setting} is gated, and HF_TOKEN is unset or not known to the Hub: accept its conditions there, and set "
                    "HF_TOKEN to a read token of that account."
                )
            return EngineUnavailable(
                f"{setting} is gated: accept its conditions on the Hub, and set HF_TOKEN to a read token of that account."
            )
        if isinstance(error, errors.RevisionNotFoundError):
            return InvalidSettings(f"{self.revision_setting} is no branch, tag or commit of {setting}.")
        if isinstance(error, errors.DisabledRepoError):
            return EngineUnavailable(f"The Hub has disabled the repository in {setting}.")
        if isinstance(error, errors.RepositoryNotFoundError):
            return EngineUnavailable(
                f"{setting} is neither a folder here nor a repository on the Hub, or it is private: "
                "then HF_TOKEN must be a token that may read it."
            )
        if status == 401:
            return EngineUnavailable(f"The Hub refused HF_TOKEN while loading {setting}: the token is wrong or has expired.")
        if status == 403:
            return EngineUnavailable(
                f"The Hub refused access to {setting}: HF_TOKEN must be a token that may read it; a fine-grained one needs the "
                "permission to read public gated repositories."
            )
        if status is not None:
            return EngineUnavailable(f"The Hub answered {status} instead of the files of {setting}; try again later.")
        if number in _NO_ROOM:
            return EngineUnavailable(f"There is no room left on the disk for the files of {setting}.")
        if number in _NOT_WRITABLE:
            return EngineUnavailable(f"The files of {setting} cannot be stored: HF_HOME must be a folder that can be written.")
        return EngineUnavailable(
            f"The Hub cannot be reached for {setting}, which is not in the cache ({type(error).__name__}): "
            "check the network and HF_ENDPOINT, or name a folder."
        )


def _may_be_hub_id(model: str) -> bool:
    try:
        from huggingface_hub import utils
    except ImportError:
        return True  # `files` says what is missing
    hub: Any = utils
    try:
        hub.validate_repo_id(model)
    except ValueError:
        return False
    return True
