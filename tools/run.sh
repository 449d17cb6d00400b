#!/bin/sh
# make run: starts the server on ./nilo-data, with the Nile sample loaded when the folder is new. Stays in
# the foreground; Ctrl-C goes to the server, which writes out what it has and ends.
#
# NILO_DATA and NILO_HTTP choose another folder or address.
set -eu
cd "$(dirname -- "$0")/.."
nilo=build/release/nilo
data=${NILO_DATA:-nilo-data}
http=${NILO_HTTP:-127.0.0.1:8086}

if [ ! -e "$data" ]; then
  echo "New data directory $data: loading the Nile's levels, 622 to 1921 (samples/nile.csv)"
  if ! "$nilo" import --data "$data" --db nile --measurement nilometer --unit s samples/nile.csv; then
    echo "The sample could not be loaded; what was begun of $data is removed." >&2
    rm -rf -- "$data"
    exit 1
  fi
fi

cat <<TEXT

Nilo listens on http://$http and keeps its data in $data. Three commands to try in another terminal:

  $nilo query --server http://$http --db nile "SELECT max(max_level) FROM nilometer GROUP BY time(36500d) LIMIT 5"
  curl -sS 'http://$http/write?db=home' --data-binary 'temperature,room=kitchen celsius=21.5'
  $nilo query --server http://$http --db _nilo "SELECT last(*) FROM cpu"

Ctrl-C stops it.

TEXT
exec "$nilo" serve --data "$data" --http "$http"
