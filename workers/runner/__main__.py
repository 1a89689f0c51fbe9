"""`python -m workers.runner MODULE:FACTORY`: see workers.runner.process."""

import sys

from workers.runner.process import main

if __name__ == "__main__":
    main(sys.argv[1])
