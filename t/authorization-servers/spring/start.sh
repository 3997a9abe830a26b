#!/bin/bash
# start.sh DIR PORT: Spring Authorization Server on 127.0.0.1:PORT, scratch state in DIR; prints the path of the pid file. A
# DIR/clients.json has further clients. A folder DIR/tls has it listen on the port in DIR/tls/port, too, with the certificate
# server.pem, server.key there, and ask clients for theirs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1 port=$2
folder=$("$here/install.sh")
mkdir -p "$dir"
cd "$dir"
java -Xmx256m -XX:TieredStopAtLevel=1 "-Djava.io.tmpdir=$PWD" -jar "$folder/as.jar" --spring.main.banner-mode=off \
  --server.address=127.0.0.1 "--server.port=$port" > out 2>&1 < /dev/null &
echo $! > pid
for _ in $(seq 2400); do
  if curl --noproxy '*' -sf -o /dev/null "http://127.0.0.1:$port/oauth2/jwks"; then echo "$PWD/pid"; exit; fi
  kill -0 "$(cat pid)" || break
  sleep 0.05
done
cat out >&2
exit 1
