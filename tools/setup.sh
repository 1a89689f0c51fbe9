#!/bin/sh
# Makes .venv from the pinned requirements. Needs a python3 >= 3.11 on PATH; uv is found there, or installed into the cache.
set -eu
UV_VERSION=0.13.9
cd "$(dirname "$0")/.."

fail() {
  echo "setup: $*" >&2
  exit 1
}

find_python() {
  for name in python3 python3.13 python3.12 python3.11; do
    # A version manager's stand-in may be on PATH and have nothing behind it, so each is tried.
    path=$("$name" -c 'import sys; sys.version_info >= (3, 11) and print(sys.executable)' 2>/dev/null) || continue
    [ -n "$path" ] && echo "$path" && return
  done
  fail "no python3 of 3.11 or newer is on PATH: install one (Debian: apt-get install python3 python3-venv)"
}

find_uv() {
  if uv --version >/dev/null 2>&1; then
    echo uv
    return
  fi
  place="$GROUNDWORK_CACHE/uv-$UV_VERSION"
  if [ ! -x "$place/bin/uv" ]; then
    echo "setup: installing uv $UV_VERSION into $place" >&2
    mkdir -p "$GROUNDWORK_CACHE"
    "$1" -m venv "$place.new" >&2 || fail "python3 can make no environments: apt-get install python3-venv, or put uv on PATH"
    "$place.new/bin/pip" install --quiet --disable-pip-version-check "uv==$UV_VERSION" >&2 ||
      fail "uv can't be installed: look whether pip reaches its package index, or put uv on PATH"
    rm -rf "$place"
    mv "$place.new" "$place"
  fi
  echo "$place/bin/uv"
}

python=$(find_python)
uv=$(find_uv "$python")
began=$(date +%s)
echo "setup: installing $(grep -c '^[a-z]' requirements/dev.txt) packages into .venv (seconds when cached, a minute or two when not)" >&2
[ -x .venv/bin/python ] || "$uv" venv --quiet --python "$python" .venv
export VIRTUAL_ENV="$PWD/.venv" UV_LINK_MODE="${UV_LINK_MODE:-copy}"
"$uv" pip sync --quiet --require-hashes requirements/dev.txt ||
  fail "the packages can't be installed: look whether pip reaches its package index"
"$uv" pip install --quiet --no-deps --no-build-isolation --editable .
echo "setup: done in $(($(date +%s) - began)) s" >&2
