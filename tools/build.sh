#!/bin/sh
# Configures a preset of CMakePresets.json where that has not been done (or the presets changed since)
# and builds it into build/<preset>/. Usage: tools/build.sh PRESET [TARGET…]
set -eu
cd "$(dirname -- "$0")/.."
preset=$1
shift
folder=build/$preset
if [ ! -f "$folder/build.ninja" ] || [ CMakePresets.json -nt "$folder/build.ninja" ]; then
  echo "Configuring $folder"
  mkdir -p build
  if ! cmake --preset "$preset" >"build/configure-$preset.log" 2>&1; then
    cat "build/configure-$preset.log" >&2
    exit 1
  fi
fi
exec cmake --build "$folder" ${1:+--target "$@"}
