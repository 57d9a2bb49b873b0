"""Whether the weights of a model `.` lie in the repository: `publish` neither brings them nor takes them away."""

from __future__ import annotations

from deploy.deployment import Deployment
from deploy.errors import NotThere

KINDS = (".safetensors", ".bin", ".ckpt", ".pt")


def weights_there(deployment: Deployment) -> bool:
    """Whether the newest commit of the repository has weights beside the code. False where there is no repository."""
    try:
        files = deployment.hub.model(deployment.specification.repository).siblings or ()
    except NotThere:
        return False
    return any(file.rfilename.endswith(KINDS) for file in files)
