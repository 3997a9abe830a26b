#!/bin/bash
# Called by `./dev demo`, which installs and builds first: an authorization server, an API and the gateway on loopback,
# the way of a request through them, then it stays up until Ctrl-C. With --once it ends at once, and with failure if
# anything was not as it should be; with --all it also shows token exchange, signatures and a token that is bound to a
# key. With --mcp, an MCP server and its client are behind and before the gateway in place of the API.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/t/demo
module=$root/build/ngx_http_phantom_token_module.so
once='' all='' mcp=''
for option in "$@"; do
  case $option in
    --once) once=1 ;;
    --all) all=1 ;;
    --mcp) mcp=1 ;;
    *) echo "demo: no such option: $option (--once, --all, --mcp)" >&2; exit 2 ;;
  esac
done
groups=()
mistakes=0
cache_seconds=15 # how long the gateway uses an introspection answer, and a revoked token works where nobody tells it

if [ -t 1 ]; then bold=$'\e[1m' good=$'\e[32m' bad=$'\e[31m' plain=$'\e[0m'; else bold='' good='' bad='' plain=''; fi

title() { printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"; }
indent() { sed 's/^./    &/'; }

die() { # MESSAGE [LOG...]
  printf 'demo: %s\n' "$1" >&2
  if [ $# -gt 1 ]; then tail -n 30 "${@:2}" >&2; fi
  exit 1
}

# ---- servers ----

free_port() { # the first port from $1 on that nobody listens on
  local port=$1
  while (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do port=$((port + 1)); done
  printf '%d' "$port"
}

# Whether a process of the group runs; one that ended and waits to be reaped does not.
alive() { grep -qsE "\) [^ZX] [0-9]+ $1 " /proc/[0-9]*/stat; }

wait_for_port() { # PORT GROUP NAME LOG
  local tries=0
  until (: < "/dev/tcp/127.0.0.1/$1") 2> /dev/null; do
    alive "$2" || die "$3 ended at once:" "$4"
    [ $((tries += 1)) -le 2400 ] || die "$3 does not answer on port $1:" "$4"
    sleep 0.05
  done
}

# start NAME COMMAND...: in the background, with a log of its own, and by -m in a process group of its own, so that it
# ends with all that it started.
start() {
  local name=$1; shift
  set -m
  "$@" > "$folder/$name.log" 2>&1 < /dev/null &
  groups+=("$!")
  set +m
}

start_authorization_server() {
  as_port=$(free_port 9400)
  as=http://127.0.0.1:$as_port
  echo "Starting the authorization server, oidc-provider (the first time npm installs it)"
  start as "$root/t/authorization-servers/oidc-provider/start.sh" "$folder/as" "$as_port"
  wait "${groups[-1]}" || die 'the authorization server did not start:' "$folder/as.log"
}

start_api() {
  api_port=$(free_port 8081)
  echo "Starting the API"
  PORT=$api_port JWKS=$as/jwks start api node "$here/api.mjs"
  wait_for_port "$api_port" "${groups[-1]}" 'the API' "$folder/api.log"
}

start_gateway() {
  local port
  port=$(free_port 8080)
  [ "$port" -ne "$api_port" ] || port=$(free_port $((api_port + 1)))
  gateway=http://127.0.0.1:$port
  backend_port=$(free_port 8181)
  echo "Starting the gateway, $(nginx -v 2>&1 | sed 's/.*: //') with the module"
  mkdir "$folder/temp"
  (umask 077 && echo gateway-secret > "$folder/gateway-secret" && head -c 32 /dev/urandom > "$folder/dpop-nonce")
  sed "s|@module@|$module|; s|@gateway_port@|$port|; s|@api_port@|$api_port|; s|@backend_port@|$backend_port|
    s|@as@|$as|; s|@page@|$here/page|; s|@cache_seconds@|$cache_seconds|" "$here/nginx.conf.in" > "$folder/nginx.conf"
  run_gateway "$port"
}

# After the gateway, which it tells what has been revoked.
start_backend() {
  echo "Starting the page's backend"
  PORT=$backend_port CLIENT=spa REVOCATION=$as/token/revocation GATEWAY=$gateway/revoke start backend node "$here/backend.mjs"
  wait_for_port "$backend_port" "${groups[-1]}" 'the backend' "$folder/backend.log"
}

# run_gateway PORT: with the configuration that is in the folder. Whoever starts the demo owns its folder: nginx's workers
# must be able to read it.
run_gateway() {
  start gateway nginx -p "$folder" -e error.log -c nginx.conf -g "daemon off; user $(id -un) $(id -gn);"
  wait_for_port "$1" "${groups[-1]}" 'nginx' "$folder/gateway.log"
}

# Before the gateway, whose port the MCP server must know: there are the keys of its JWTs.
start_mcp_server() {
  local modules=$root/build/mcp
  mcp_port=$(free_port 8000)
  gateway=http://127.0.0.1:$(free_port 8080)
  echo "Starting an MCP server on the protocol's own SDK (the first time npm installs it)"
  "$root/t/npm-install.sh" "$root/t/mcp" "$modules" > "$folder/npm.log" 2>&1 || die 'npm could not install the SDK:' "$folder/npm.log"
  PORT=$mcp_port JWKS=$gateway/.well-known/jwks.json start mcp-server node "$modules/server.mjs"
  wait_for_port "$mcp_port" "${groups[-1]}" 'the MCP server' "$folder/mcp-server.log"
}

# The gateway of nginx-conf/mcp.conf, but for TLS and the places where things are.
start_mcp_gateway() {
  local part temp=''
  echo "Starting the gateway with nginx-conf/mcp.conf"
  mkdir "$folder/temp"
  (
    umask 077
    echo gateway-secret > "$folder/gateway-secret"
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/signing-key.pem" 2> "$folder/openssl.log"
  ) || die 'no key:' "$folder/openssl.log"
  for part in client_body proxy fastcgi uwsgi scgi; do temp+="${part}_temp_path temp/$part; "; done
  sed -e '/^user /d; /ssl_certificate/d; /proxy_ssl_/d' -e "s|^load_module .*|load_module \"$module\"; pid nginx.pid;|" \
    -e "s|^http {|http { access_log access.log; $temp|" -e "s|listen 443 ssl http2|listen ${gateway#http://}|" \
    -e "s|https://mcp.example.com|$gateway|; s|127.0.0.1:8000|127.0.0.1:$mcp_port|" \
    -e "s|https://login.example.com/introspect|$as/token/introspection|; s|https://login.example.com|$as|" \
    -e "s|/etc/nginx/|$folder/|; s|/var/cache/phantom-token|cache|" "$root/nginx-conf/mcp.conf" > "$folder/nginx.conf"
  run_gateway "${gateway##*:}"
}

stop() { # GROUP: asks it to end, and after thirty seconds makes it
  local tries=0
  alive "$1" || return 0
  kill -TERM -- "-$1" 2> /dev/null || true
  while alive "$1" && [ $((tries += 1)) -le 600 ]; do sleep 0.05; done
  kill -KILL -- "-$1" 2> /dev/null || true
}

clean_up() {
  local status=$? i
  trap - EXIT
  trap '' INT TERM HUP
  for ((i = ${#groups[@]} - 1; i >= 0; i--)); do stop "${groups[i]}"; done
  rm -rf "$folder"
  exit "$status"
}

# ---- the way of a request ----

# call CURL-ARGUMENTS...: leaves the request as sent, the answer's head and its body in files of those names.
call() {
  curl -q -sv -o "$folder/body" "$@" 2> "$folder/trace" || die "no answer: curl $*" "$folder/trace"
  tr -d '\r' < "$folder/trace" | sed -n 's/^> \(.\)/\1/p' > "$folder/sent"
  tr -d '\r' < "$folder/trace" | sed -n 's/^< \(.\)/\1/p' > "$folder/head"
}

status() { sed -n '1s/^[^ ]* \([0-9]*\).*/\1/p' "$folder/head"; }
header() { sed -n "s/^$1: //Ip" "$folder/head"; }

# The middle of a long token is left out, and its length is told.
shorten() { sed -E 's/(Bearer [^ ]{24})[^ ]{30,}([^ ]{8})$/\1 ... \2/'; }

# expect WHAT IS SHOULD-BE: says so where they differ; SHOULD-BE is a pattern.
expect() {
  # shellcheck disable=SC2053
  if [[ $2 == $3 ]]; then return; fi
  printf '%s    NOT AS EXPECTED: %s is "%s", should be "%s"%s\n' "$bad" "$1" "$2" "$3" "$plain"
  mistakes=$((mistakes + 1))
}

show_sent() { echo 'The client sends'; shorten < "$folder/sent" | indent; }
show_head() { echo 'The client gets'; grep -iE '^(HTTP/|WWW-Authenticate|Content-Type|Phantom-Token-Cache)' "$folder/head" | indent; }

get_token() {
  title '1. The client gets an opaque token from the authorization server'
  call -u app:app-secret -d 'grant_type=client_credentials' -d 'scope=read write' "$as/token"
  jq . "$folder/body" | indent
  token=$(jq -r .access_token "$folder/body")
  expect 'the token' "$token" '???????????*'
  expect 'the number of dots in it, which would make it a JWT' "${token//[^.]/}" ''
}

show_exchange() {
  title '2. The client calls the API with it; the API gets a JWT in its place'
  call -H "Authorization: Bearer $token" "$gateway/api/orders"
  show_sent
  echo 'The API receives'
  jq -r '.received[]?' "$folder/body" | shorten | indent
  echo "The JWT's header and claims, as the API reads them"
  jq '.jwt | .header, .claims' "$folder/body" | indent
  printf "Its signature, checked by the API against the authorization server's keys: %s\n" "$(api_says .jwt.signature)"
  show_head
  expect 'the status' "$(status)" 200
  expect 'the signature' "$(api_says .jwt.signature)" valid
  expect "the JWT's client" "$(api_says .jwt.claims.client_id)" app
  expect "what the API saw of the client's token" "$(grep -cF "$token" "$folder/body")" 0
  expect 'the cache' "$(header Phantom-Token-Cache)" MISS
}

api_says() { jq -r "$1" "$folder/body"; }

show_cached_call() {
  title '3. The same again: the answer is in proxy_cache, the authorization server is not asked'
  call -H "Authorization: Bearer $token" "$gateway/api/orders"
  show_head
  expect 'the status' "$(status)" 200
  expect 'the cache' "$(header Phantom-Token-Cache)" HIT
}

# show_refusal TITLE STATUS CHALLENGE URL CURL-ARGUMENTS...
show_refusal() {
  local title=$1 status=$2 challenge=$3; shift 3
  title "$title"
  call "$@"
  show_sent
  show_head
  indent < "$folder/body"; echo
  expect 'the status' "$(status)" "$status"
  expect 'the challenge' "$(header WWW-Authenticate)" "$challenge"
}

show_all() {
  get_token
  show_exchange
  show_cached_call
  show_refusal '4. Without a token: refused, the API hears nothing of it' 401 \
    $'Bearer realm="api", scope="read"\nDPoP algs="* realm="api", scope="read"' "$gateway/api/orders"
  show_refusal '5. Without the scope "admin" that /api/admin/ asks for: refused' 403 'Bearer *scope="read admin"*' \
    -H "Authorization: Bearer $token" "$gateway/api/admin/users"
  expect 'the challenge' "$(header WWW-Authenticate)" '*error="insufficient_scope"*'
  expect 'the number of requests that reached the API' "$(grep -c . "$folder/api.log")" 2
}

# show_call TITLE STATUS CURL-ARGUMENTS...: a request that reaches the API, and what the API makes of the JWT.
show_call() {
  local title=$1 status=$2; shift 2
  title "$title"
  call "$@"
  show_sent
  show_head
  expect 'the status' "$(status)" "$status"
  [ "$status" = 200 ] || return 0
  echo "The JWT's claims, as the API reads them"
  jq '.jwt.claims' "$folder/body" | indent
  expect 'the signature' "$(api_says .jwt.signature)" valid
}

show_modes() {
  local jwt forged
  show_call '6. Token exchange (RFC 8693): the API gets a JWT made for it alone, with the scope "read" only' 200 \
    -H "Authorization: Bearer $token" "$gateway/exchange/orders"
  expect 'the audience' "$(api_says .jwt.claims.aud)" https://orders.example.com
  expect 'the scope' "$(api_says .jwt.claims.scope)" read

  show_call "7. The gateway verifies the signature of the authorization server's JWT before it forwards it" 200 \
    -H "Authorization: Bearer $token" "$gateway/verified/orders"
  jwt=$(jq -r '.received[]?' "$folder/body" | sed -n 's/^[Aa]uthorization: Bearer //p')
  expect 'the JWT that the API got' "$jwt" '*.*.*'

  show_call '8. A client that has a JWT already: its signature, audience and time are checked, nobody is asked' 200 \
    -H "Authorization: Bearer $jwt" "$gateway/jwt/orders"

  forged=$(forge "$jwt")
  show_refusal '9. The same JWT with another subject written into it: refused' 401 'Bearer *error="invalid_token"*' \
    -H "Authorization: Bearer $forged" "$gateway/jwt/orders"
}

show_bound() {
  title '10. A token that is bound to a key (DPoP, RFC 9449): good with a proof of that key, and refused without'
  AS=$as GATEWAY=$gateway node "$here/bound.mjs" || mistakes=$((mistakes + 1))
}

# forge JWT: with the subject "admin", and the signature that it had.
forge() {
  # shellcheck disable=SC2016
  node -e '
    const [head, payload, signature] = process.argv[1].split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url"));
    claims.sub = "admin";
    console.log([head, Buffer.from(JSON.stringify(claims)).toString("base64url"), signature].join("."));
  ' "$1"
}

show_mcp() {
  node "$root/build/mcp/demo.mjs" "$gateway/mcp" || mistakes=$((mistakes + 1))
}

stay_up_with_mcp() {
  title "All of it is up until Ctrl-C. For your MCP client, on this machine: $gateway/mcp"
  echo 'It registers itself; at the page of the authorization server any name will do. Or with curl:'
  indent << END
curl -i -X POST $gateway/mcp
curl -s $gateway/.well-known/oauth-protected-resource/mcp | jq .
curl -s $gateway/.well-known/jwks.json | jq .

MCP server, without gateway  http://127.0.0.1:$mcp_port/mcp
Authorization server         $as/.well-known/openid-configuration
Configuration, logs          $folder/nginx.conf   $folder/error.log   $folder/access.log
END
  wait -n "${groups[@]:1}" || true
  die 'the gateway or the MCP server ended by itself:' "$folder/error.log" "$folder/mcp-server.log"
}

stay_up() {
  title "All of it is up until Ctrl-C. In a browser on this machine: $gateway/"
  echo 'Or with curl:'
  indent << END
TOKEN=\$(curl -su app:app-secret -d 'grant_type=client_credentials&scope=read write' $as/token | jq -r .access_token)
curl -i -H "Authorization: Bearer \$TOKEN" $gateway/api/orders
curl -i -H "Authorization: Bearer \$TOKEN" $gateway/api/admin/users
curl -i $gateway/api/orders
curl -i -d "token=\$TOKEN" $gateway/revoke      and call again: refused at once

Gateway               $gateway/api/   $gateway/api/admin/
API, without gateway  http://127.0.0.1:$api_port/
Authorization server  $as/.well-known/openid-configuration
Configuration, logs   $folder/nginx.conf   $folder/error.log   $folder/access.log
END
  wait -n "${groups[@]:1}" || true
  die 'the gateway, the API or the backend ended by itself:' "$folder/error.log" "$folder/api.log" "$folder/backend.log"
}

export PATH="$PATH:/usr/sbin" no_proxy="127.0.0.1${no_proxy:+,$no_proxy}"
folder=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

start_authorization_server
if [ -n "$mcp" ]; then
  start_mcp_server
  start_mcp_gateway
  show_mcp
else
  start_api
  start_gateway
  start_backend
  show_all
  [ -z "$all" ] || { show_modes; show_bound; }
fi

if [ "$mistakes" -gt 0 ]; then
  printf '\n%s%d not as expected, see above%s\n' "$bad" "$mistakes" "$plain"
else
  printf '\n%sEverything as expected.%s\n' "$good" "$plain"
fi
[ -n "$once" ] || if [ -n "$mcp" ]; then stay_up_with_mcp; else stay_up; fi
[ "$mistakes" -eq 0 ]
