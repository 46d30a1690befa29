"""Experiments of the book that take minutes: how each is run, and the results it gave.

Each module has `run` for one run, `saved` for the results that travel with the package, and can
be started from the command line: ``python -m rnncourse.experiments.forget_bias``.
"""
