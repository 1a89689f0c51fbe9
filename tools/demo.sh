#!/bin/sh
# Starts everything in a folder of its own, looks at it, stops it.
set -eu
home=$(mktemp -d)
stop() {
  .venv/bin/groundwork dev --home "$home" --stop --quiet
  rm -rf "$home"
}
trap stop EXIT
.venv/bin/groundwork dev --home "$home" --detach
GROUNDWORK_CONFIG_FILE="$home/groundwork.toml" .venv/bin/groundwork doctor --quiet
