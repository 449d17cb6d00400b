#!/bin/sh
# Builds the simulator and runs new seeds for a while, on all cores. Usage: tools/sim.sh SECONDS [FIRST-SEED]
# Ends with a table of what was covered; fails if a seed violated the contract (docs/simulation.md).
set -eu
cd "$(dirname -- "$0")/.."
tools/setup.sh build test
tools/build.sh test nilo_sim
first=${2:-$(date +%s)000}
echo "seeds from $first on"
exec build/test/nilo_sim --seconds "$1" --first "$first" --jobs "$(nproc)"
