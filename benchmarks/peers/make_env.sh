#!/usr/bin/env bash
# Builds the virtual environment of a peer: make_env.sh faster-whisper|whisperx FOLDER. Python 3.11.
#
#   faster-whisper   faster-whisper 1.2.1 on CTranslate2, without torch: 0.5 GB, seconds
#   whisperx         whisperX 3.8.6, which holds torch at 2.8 and brings pyannote.audio 4: 6.9 GB, a minute or two
#
# What a peer asks for is its own business here, and cannot move a version of ours. The tutorial handler and transformers'
# `generate` need none: they are written for the very versions that we run on, and have a process each.
set -euo pipefail
cd "$(dirname "$0")/../.."
peer=${1:-} target=${2:-}

case $peer in
faster-whisper) packages=(faster-whisper==1.2.1 ctranslate2==4.8.5) ;; # the CTranslate2 that ours runs on
whisperx) packages=(whisperx==3.8.6 faster-whisper==1.2.1 ctranslate2==4.8.5) ;;
*)
  echo "usage: $0 faster-whisper|whisperx FOLDER" >&2
  exit 2
  ;;
esac
python=${PYTHON311:-python3.11}
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || {
  echo "Python 3.11 is needed: install it, or name it with PYTHON311=/path/to/python3.11" >&2
  exit 1
}

rm -rf "$target"
"$python" -m venv "$target"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check uv
"$target/bin/uv" pip install --quiet --python "$target/bin/python" "${packages[@]}"
