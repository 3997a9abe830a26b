#!/bin/bash
# start.sh DIR PORT ADMIN_PORT: Ory Hydra on 127.0.0.1, its public interface on PORT and the one for administrators on
# ADMIN_PORT, state in its memory; its clients are made through the latter. Prints the path of the pid file.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1 port=$2 admin_port=$3
admin=http://127.0.0.1:$admin_port/admin
folder=$("$here/install.sh")
mkdir -p "$dir"
cd "$dir"
cat > hydra.yml << END
dsn: memory
serve:
  public: { host: 127.0.0.1, port: $port }
  admin: { host: 127.0.0.1, port: $admin_port }
urls:
  self: { issuer: 'http://127.0.0.1:$port' }
  login: 'http://127.0.0.1:$port/no-login-page' # a test accepts logins and consents through the administrators' interface
  consent: 'http://127.0.0.1:$port/no-consent-page'
secrets: { system: ['a secret for the tests alone'] }
strategies: { access_token: opaque }
ttl: { access_token: 10m }
sqa: { opt_out: true }
END
"$folder/hydra" serve all --dev --config hydra.yml > out 2>&1 < /dev/null &
echo $! > pid
for _ in $(seq 2400); do
  curl --noproxy '*' -sf -o /dev/null "http://127.0.0.1:$admin_port/health/ready" && break
  kill -0 "$(cat pid)" || { cat out >&2; exit 1; }
  sleep 0.05
done

client() { # ID FURTHER_MEMBERS
  local code
  code=$(jq -n --arg id "$1" --argjson more "$2" '{ client_id: $id, client_secret: "\($id)-secret", scope: "read write offline_access",
    audience: ["https://api.example.com"], grant_types: ["client_credentials"] } + $more' |
    curl --noproxy '*' -s -o answer -w '%{http_code}' -H 'Content-Type: application/json' -d @- "$admin/clients")
  [ "$code" = 201 ] || { echo "client $1: $code $(cat answer)" >&2; exit 1; }
}
client app '{}'
client short '{ "client_credentials_grant_access_token_lifespan": "2s" }'
client web '{ "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
  "redirect_uris": ["http://127.0.0.1/callback"] }'
echo "$PWD/pid"
