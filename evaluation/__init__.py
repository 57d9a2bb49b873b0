"""How good is a transcript? One scorer: words, speakers, and both together.

python -m evaluation HYP REF     score files, or two folders matched by name
python -m evaluation.run         run the handler on the recordings at hand and score it (`make evaluate`)

readers.py      our JSON reply, STM and RTTM -> Recording
normalize.py    English text -> the words that count; numbers.py spells numbers in digits
score.py        two Recordings -> WER, cpWER, tcpWER, ORC-WER, WDER, DER, speaker count, real-time factor
report.py       scores -> a table, and JSON
"""
