"""House rules that no linter knows. Each module is a rule: its docstring says what and why, `find` says where not.

`python -m tools.checks` runs all of them over what git tracks, or would track.
"""
