"""Runs every rule over the checkout; exit status 1 if one is broken."""

import sys
from pathlib import Path

from tools.checks import addresses, changes, migrations, module_size, packaging, stubs, transactions
from tools.checks.problem import tracked_files

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Print what was found."""
    files = tracked_files(ROOT)
    found = [
        problem
        for rule in (addresses, changes, migrations, module_size, packaging, stubs, transactions)
        for problem in rule.find(ROOT, files)
    ]
    for problem in found:
        print(problem)
    print(f"house rules: {len(found)} broken" if found else "house rules: kept")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
