#!/bin/bash
# start.sh DIR PORT [HTTPS_PORT TLS]: Keycloak on 127.0.0.1:PORT, scratch state in DIR; prints the path of the pid file.
# Its administrator is admin, admin-secret; configure.sh makes the rest. With HTTPS_PORT it serves there too, with
# TLS/server.pem and TLS/server.key, and asks each client for a certificate by TLS/ca.pem.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=t/authorization-servers/keycloak/common.sh
. "$here/common.sh"
dir=$1 port=$2 https_port=${3-} tls=${4-}
need curl java
"$here/install.sh" > /dev/null
mkdir -p "$dir"
cd "$dir"
cp "$folder/database/keycloak.mv.db" .

options=(--http-enabled=true --http-host=127.0.0.1 "--http-port=$port" "--db-url=$(database "$PWD/keycloak")"
  --cache=local "--hostname=http://127.0.0.1:$port")
if [ -n "$https_port" ]; then
  options+=("--https-port=$https_port" "--https-certificate-file=$tls/server.pem" "--https-certificate-key-file=$tls/server.key"
    "--https-trust-store-file=$tls/ca.pem")
fi
"$kc" start --optimized "${options[@]}" > out 2>&1 < /dev/null &
script=$!
# The process that the script waits for.
until pgrep -P "$script" java > pid; do
  kill -0 "$script" 2> /dev/null || { cat out >&2; exit 1; }
  sleep 0.05
done
for _ in $(seq 6000); do
  if curl --noproxy '*' -sf -o /dev/null "http://127.0.0.1:$port/realms/master"; then echo "$PWD/pid"; exit; fi
  kill -0 "$(cat pid)" 2> /dev/null || break
  sleep 0.05
done
cat out >&2
exit 1
