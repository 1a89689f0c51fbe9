"""Benchmarks: each prints one line with a figure, its goal, and whether it is met. `make bench` runs them.

Absolute times mean little on machines that others share, so a figure is a ratio or a difference against a
baseline that is timed in the same run, in turns with what is measured.
"""
