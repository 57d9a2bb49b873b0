"""The tiny Whisper that the tests run on: the language it knows, the voices that speak it, and how it was trained.

sentences.py       a small English (and a smaller German) of meetings and phone calls; which sentences are held out
speech.py          a sentence, spoken by flite or espeak-ng, with the time of every word
conversations.py   held-out recordings with exact references, for tests and benchmarks
windows.py         training windows: utterances laid into up to 30 s, with noise, pauses and targets
corpus.py          spoken utterances on disk
features.py        log-mel features
tokens.py          the byte-level BPE tokenizer of any size, with Whisper's special tokens
network.py         the untrained network, how it starts, and its losses
optimiser.py       Muon and AdamW
judge.py           how well weights understand held-out speech
make_whisper.py    the training itself: `python -m tests.models.make_whisper --minutes 80 --out DIR`
random_whisper.py  random weights of any published shape, for speed and for shape-dependent code
random_summarizers.py  summarizing models of three kinds with random weights: chat, T5, BART
whisper-tiny/      the trained weights, with their model card

And the tiny summarizing models:

facts.py                a small language in which a summary can be right or wrong
make_summarizers.py     the T5 that learns it: `python -m tests.models.make_summarizers --out DIR`
judge_summarizer.py     how much of what was said comes out
random_summarizers.py   a chat model, a T5 and a BART with random weights
t5-facts/               the trained weights, with their model card
"""
