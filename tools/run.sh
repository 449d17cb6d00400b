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
  if ! "$nilo" import --data "$data" --db nile --measurement nilometer --unit s samples/nile.csv ||
    ! "$nilo" query --data "$data" "CREATE DATABASE home"; then
    echo "The sample could not be loaded; what was begun of $data is removed." >&2
    rm -rf -- "$data"
    exit 1
  fi
fi

server=
[ "$http" = 127.0.0.1:8086 ] || server=" --server http://$http"
cat <<TEXT

Three commands to try in another terminal, once the line "nilo … listens" has come:

  $nilo query$server --db nile "SELECT max(max_level), min(min_level) FROM nilometer WHERE time < '1122-01-01' GROUP BY time(36500d)"
  echo 'temperature,room=kitchen celsius=21.5' | $nilo write$server --db home
  $nilo query$server --db _nilo "SELECT load1, load5, load15 FROM system ORDER BY time DESC LIMIT 3"

Ctrl-C stops the server.

TEXT
exec "$nilo" serve --data "$data" --http "$http"
