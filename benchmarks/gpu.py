"""Everything that is measured on a GPU, one benchmark after the other. `python -m benchmarks.gpu`.

Whisper's shape of large-v3-turbo in float16 against transformers, then pyannote as it comes and as we run it. Writes
`benchmarks/results/gpu-asr.json` and `gpu-diarization.json`. Without CUDA it says so and ends with 2.
"""

from __future__ import annotations

import sys

from benchmarks import asr, diarization
from evaluation.machine import ROOT

RESULTS = ROOT / "benchmarks" / "results"


def main() -> int:
    import torch

    if not torch.cuda.is_available():
        print("There is no GPU that torch can use here; nothing was measured.", file=sys.stderr)
        return 2
    for name, benchmark in (("asr", asr), ("diarization", diarization)):
        benchmark.main(["--only", "gpu", "--json", str(RESULTS / f"gpu-{name}.json")])
    return 0


if __name__ == "__main__":
    sys.exit(main())
