#!/bin/bash
# start.sh DIR PORT: oidc-provider on 127.0.0.1:PORT, scratch state in DIR; prints the path of the pid file.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1 port=$2
modules=$("$here/install.sh")
mkdir -p "$dir"
cd "$dir"
PORT=$port node "$modules/as.mjs" > as.log 2>&1 < /dev/null &
echo $! > pid
for _ in $(seq 2400); do
  if curl --noproxy '*' -s -o /dev/null "http://127.0.0.1:$port/jwks"; then echo "$PWD/pid"; exit; fi
  kill -0 "$(cat pid)" || break
  sleep 0.05
done
cat as.log >&2
exit 1
