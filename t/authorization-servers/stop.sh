#!/bin/bash
# stop.sh DIR: ends the server that start.sh started with that DIR.
pid=$(cat "$1/pid") && kill "$pid" || exit 1
for _ in $(seq 600); do
  kill -0 "$pid" 2> /dev/null || break
  sleep 0.1
done
kill -9 "$pid" 2> /dev/null
rm -f "$1/pid"
