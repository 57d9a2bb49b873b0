"""How good is a transcript? One scorer: words, speakers, and both together; times, summaries and speed beside.

python -m evaluation HYP REF     score files, or two folders matched by name
python -m evaluation.run         run the handler on the recordings at hand and measure it (`make evaluate`)
python -m evaluation.gate        compare with the recorded figures (`make evaluate-check`)

README.md says what is in which file, docs/evaluation.md what is measured and how.
"""
