#!/bin/bash
# start.sh DIR PORT: Glewlwyd 2.7.5 (Debian) on 127.0.0.1:PORT, scratch state in DIR, set up through its REST API;
# prints the path of the pid file.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1 port=$2
url=http://127.0.0.1:$port
tables=/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3
missing=()
for tool in glewlwyd sqlite3 jq curl openssl; do command -v "$tool" > /dev/null || missing+=("$tool"); done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "Glewlwyd needs ${missing[*]}: apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
mkdir -p "$dir"
cd "$dir"
rm -f glewlwyd.db log jar
sqlite3 glewlwyd.db < "$tables"
sed "s#@DIR@#$PWD#; s#@PORT@#$port#" "$here/glewlwyd.conf.in" > glewlwyd.conf
[ -f key.pem ] || { openssl genrsa -out key.pem 2048; openssl rsa -in key.pem -pubout -out pub.pem; } 2> /dev/null
glewlwyd -c glewlwyd.conf > out 2>&1 < /dev/null &
echo $! > pid
for _ in $(seq 2400); do
  curl --noproxy '*' -s -o /dev/null "$url/api/scope/" && break
  kill -0 "$(cat pid)" || { cat out log >&2; exit 1; }
  sleep 0.05
done

call() { # METHOD PATH JSON: anything but a 200 ends the script
  local code; code=$(curl --noproxy '*' -s -o body -w '%{http_code}' -b jar -c jar -X "$1" -H 'Content-Type: application/json' -d "$3" "$url/api/$2")
  [ "$code" = 200 ] || { echo "$1 $2: $code $(cat body)" >&2; exit 1; }
}
call POST auth/ '{"username":"admin","password":"password"}' # the account that the tables come with
for s in read write g_introspect; do
  call POST scope/ "{\"name\":\"$s\",\"display_name\":\"$s\",\"password_required\":false,\"scheme\":{}}"
done
call POST mod/plugin/ "$(jq -n --arg iss "$url/api/oidc" --rawfile key key.pem --rawfile cert pub.pem '{
  module: "oidc", name: "oidc", display_name: "oidc", enabled: true, order_rank: 0, readonly: false, parameters: {
    iss: $iss, "jwt-type": "rsa", "jwt-key-size": "256", key: $key, cert: $cert, "jwks-show": true,
    "access-token-duration": 3600, "refresh-token-duration": 1209600, "code-duration": 600,
    "refresh-token-rolling": true, "refresh-token-one-use": "never", "allow-non-oidc": true,
    "auth-type-client-enabled": true, "auth-type-code-enabled": true, "auth-type-password-enabled": true,
    "auth-type-refresh-enabled": true, "auth-type-implicit-enabled": false, "auth-type-none-enabled": false,
    "auth-type-token-enabled": false, "auth-type-id-token-enabled": false, "auth-type-device-enabled": false,
    "introspection-revocation-allowed": true, "introspection-revocation-allow-target-client": true,
    "introspection-revocation-auth-scope": ["g_introspect"],
    "pkce-allowed": true, "pkce-method-plain-allowed": false, "subject-type": "public", "resource-allowed": false,
    "client-pubkey-parameter": "pubkey", "client-jwks-parameter": "jwks", "client-jwks_uri-parameter": "jwks_uri",
    "client-alg-parameter": "alg", "client-enc-parameter": "enc", "client-kid-parameter": "kid",
    "encrypt-out-token-allow": false, claims: [], "additional-parameters": [], "allowed-scope": ["openid"],
    scope: [{name: "openid", "refresh-token-rolling": true}, {name: "read", "refresh-token-rolling": true}, {name: "write", "refresh-token-rolling": true}],
    "request-parameter-allow": false}}')"
client() { # ID SECRET SCOPES GRANTS
  call POST client/ "$(jq -n --arg id "$1" --arg s "$2" --argjson scope "$3" --argjson grants "$4" '{client_id: $id, name: $id,
    password: $s, client_secret: $s, confidential: true, enabled: true, scope: $scope, authorization_type: $grants,
    token_endpoint_auth_method: ["client_secret_basic", "client_secret_post"], redirect_uri: ["http://127.0.0.1:8080/callback"]}')"
}
client app app-secret '["read","write"]' '["client_credentials"]'
client gateway gateway-secret '["g_introspect"]' '["client_credentials"]'
client gateway-odd 'o+d d%/&=s' '["g_introspect"]' '["client_credentials"]'
client web web-secret '["openid","read"]' '["code","password","refresh_token"]'
call POST user/ '{"username":"alice","name":"Alice","password":"alice-secret","enabled":true,"scope":["openid","read","g_profile"]}'
echo "$PWD/pid"
