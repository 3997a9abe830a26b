#!/bin/bash
# start.sh DIR PORT: oidc-provider on 127.0.0.1:PORT, scratch state in DIR; prints the path of the pid file. A
# DIR/clients.json has further clients. A folder DIR/tls has it listen on the port in DIR/tls/port, too, with the certificate
# server.pem, server.key there, and asks clients for theirs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1 port=$2
modules=$("$here/install.sh")
mkdir -p "$dir"
cd "$dir"
export PORT=$port
if [ -f clients.json ]; then export CLIENTS=$PWD/clients.json; fi
if [ -d tls ]; then
  TLS=$PWD/tls TLS_PORT=$(cat tls/port)
  export TLS TLS_PORT
fi
node "$modules/as.mjs" > as.log 2>&1 < /dev/null &
echo $! > pid
for _ in $(seq 2400); do
  if curl --noproxy '*' -s -o /dev/null "http://127.0.0.1:$port/jwks"; then echo "$PWD/pid"; exit; fi
  kill -0 "$(cat pid)" || break
  sleep 0.05
done
cat as.log >&2
exit 1
