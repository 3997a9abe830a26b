#!/bin/bash
# configure.sh DIR PORT KEYS: sets Keycloak up by its own tool, kcadm.sh, as docs/guides/keycloak.md says: what stands there
# stands here. DIR and PORT are start.sh's; KEYS is a folder with gateway.pem, the certificate of the gateway's key.
# REVOCATION in the environment is where logout tokens go.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=t/authorization-servers/keycloak/common.sh
. "$here/common.sh"
cd "$1"
KEYCLOAK=http://127.0.0.1:$2 KEYS=$3 REVOCATION=${REVOCATION:-http://127.0.0.1:9444/revoke}
export PATH=$folder/keycloak/bin:$PATH
# The tool's own state belongs to this run, and each call is a JVM.
export KC_OPTS="-Duser.home=$PWD -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

kcadm.sh config credentials --server "$KEYCLOAK" --realm master --user admin --password admin-secret

kcadm.sh create realms -s realm=demo -s enabled=true
kcadm.sh create roles -r demo -s name=clerk
kcadm.sh create client-scopes -r demo -s name=read -s protocol=openid-connect -s 'attributes."include.in.token.scope"=true'
kcadm.sh create client-scopes -r demo -s name=write -s protocol=openid-connect -s 'attributes."include.in.token.scope"=true'

kcadm.sh create client-scopes -r demo -f - << 'JSON'
{"name": "audiences", "protocol": "openid-connect", "attributes": {"include.in.token.scope": "false"},
 "protocolMappers": [
  {"name": "orders", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
   "config": {"included.custom.audience": "https://orders.example.com",
              "access.token.claim": "true", "introspection.token.claim": "true"}},
  {"name": "gateway", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
   "config": {"included.client.audience": "gateway",
              "access.token.claim": "true", "introspection.token.claim": "true", "lightweight.claim": "true"}}]}
JSON

kcadm.sh create clients -r demo -s clientId=gateway -s secret=gateway-secret -s standardFlowEnabled=false \
  -s 'attributes."client.introspection.response.allow.jwt.claim.enabled"=true' \
  -s 'attributes."standard.token.exchange.enabled"=true' \
  -s 'defaultClientScopes=["basic","roles","audiences"]' -s 'optionalClientScopes=["read","write"]'

kcadm.sh create clients -r demo -s clientId=app -s secret=app-secret -s directAccessGrantsEnabled=true \
  -s 'redirectUris=["https://app.example.com/*"]' \
  -s 'attributes."client.use.lightweight.access.token.enabled"=true' \
  -s 'defaultClientScopes=["basic","acr","roles","profile","audiences"]' -s 'optionalClientScopes=["read","write"]'

kcadm.sh create users -r demo -s username=alice -s enabled=true -s firstName=Alice -s lastName=Doe -s email=alice@example.com
kcadm.sh set-password -r demo --username alice --new-password alice-secret
kcadm.sh add-roles -r demo --uusername alice --rolename clerk

# Roles of the API itself, and groups.
ORDERS=$(kcadm.sh create clients -r demo -i -s clientId=orders-api -s standardFlowEnabled=false)
kcadm.sh create "clients/$ORDERS/roles" -r demo -s name=order
kcadm.sh add-roles -r demo --uusername alice --cclientid orders-api --rolename order

APP=$(kcadm.sh get clients -r demo -q clientId=app --fields id --format csv --noquotes)
kcadm.sh create "clients/$APP/protocol-mappers/models" -r demo -s name=groups -s protocol=openid-connect \
  -s protocolMapper=oidc-group-membership-mapper -s 'config."claim.name"=groups' -s 'config."full.path"=true' \
  -s 'config."access.token.claim"=true' -s 'config."introspection.token.claim"=true'
ALICE=$(kcadm.sh get users -r demo -q username=alice --fields id --format csv --noquotes)
STAFF=$(kcadm.sh create groups -r demo -i -s name=staff)
kcadm.sh update "users/$ALICE/groups/$STAFF" -r demo -n -s realm=demo -s "userId=$ALICE" -s "groupId=$STAFF"

# Back-channel logout.
kcadm.sh update "clients/$APP" -r demo -s "attributes.\"backchannel.logout.url\"=$REVOCATION" \
  -s 'attributes."backchannel.logout.session.required"=true'

# Step-up: two levels of authentication.
# execution FLOW AUTHENTICATOR REQUIREMENT: prints its id
execution() { kcadm.sh create authentication/executions -r demo -i -s "parentFlow=$1" -s "authenticator=$2" -s "requirement=$3"; }

# subflow FLOW NAME REQUIREMENT: prints its id
subflow() {
  local flow
  flow=$(kcadm.sh create authentication/flows -r demo -i -s "alias=$2" -s providerId=basic-flow)
  kcadm.sh create authentication/executions -r demo -i -s "parentFlow=$1" -s "flowId=$flow" -s authenticatorFlow=true \
    -s "requirement=$3" > /dev/null
  echo "$flow"
}

# level FLOW NUMBER SECONDS AUTHENTICATOR: how long it lasts in a session, and what reaches it
level() {
  local flow condition
  flow=$(subflow "$1" "level $2" CONDITIONAL)
  condition=$(execution "$flow" conditional-level-of-authentication REQUIRED)
  kcadm.sh create "authentication/executions/$condition/config" -r demo -s "alias=level-$2" \
    -s "config.\"loa-condition-level\"=$2" -s "config.\"loa-max-age\"=$3"
  execution "$flow" "$4" REQUIRED
}

FLOW=$(kcadm.sh create authentication/flows -r demo -i -s alias=step-up -s providerId=basic-flow -s topLevel=true)
execution "$FLOW" auth-cookie ALTERNATIVE
FORMS=$(subflow "$FLOW" 'step-up forms' ALTERNATIVE)
level "$FORMS" 1 36000 auth-username-password-form
level "$FORMS" 2 300 auth-otp-form

kcadm.sh update realms/demo -s browserFlow=step-up -s 'attributes."acr.loa.map"="{\"silver\": 1, \"gold\": 2}"'

# How else the gateway can authenticate. The names stand in `aud` as well.
kcadm.sh create clients -r demo -s clientId=gateway-private-key -s standardFlowEnabled=false \
  -s clientAuthenticatorType=client-jwt \
  -s "attributes.\"jwt.credential.certificate\"=$(openssl x509 -in "$KEYS/gateway.pem" -outform DER | base64 -w 0)" \
  -s 'attributes."token.endpoint.auth.signing.alg"=ES256' \
  -s 'attributes."client.introspection.response.allow.jwt.claim.enabled"=true'
kcadm.sh create clients -r demo -s clientId=gateway-secret-jwt -s secret=gateway-secret-of-32-bytes-or-more \
  -s standardFlowEnabled=false -s clientAuthenticatorType=client-secret-jwt \
  -s 'attributes."client.introspection.response.allow.jwt.claim.enabled"=true'
kcadm.sh create clients -r demo -s clientId=gateway-tls -s standardFlowEnabled=false \
  -s clientAuthenticatorType=client-x509 -s 'attributes."x509.subjectdn"=CN=gateway' \
  -s 'attributes."x509.casubjectdn"=CN=test CA' -s 'attributes."x509.allow.regex.pattern.comparison"=false' \
  -s 'attributes."client.introspection.response.allow.jwt.claim.enabled"=true'
kcadm.sh create client-scopes -r demo -f - << 'JSON'
{"name": "more-audiences", "protocol": "openid-connect", "attributes": {"include.in.token.scope": "false"},
 "protocolMappers": [
  {"name": "gateway-private-key", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
   "config": {"included.client.audience": "gateway-private-key",
              "access.token.claim": "true", "introspection.token.claim": "true", "lightweight.claim": "true"}},
  {"name": "gateway-secret-jwt", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
   "config": {"included.client.audience": "gateway-secret-jwt",
              "access.token.claim": "true", "introspection.token.claim": "true", "lightweight.claim": "true"}},
  {"name": "gateway-tls", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
   "config": {"included.client.audience": "gateway-tls",
              "access.token.claim": "true", "introspection.token.claim": "true", "lightweight.claim": "true"}}]}
JSON

# Applications whose tokens are bound to a key, and to a certificate.
kcadm.sh create clients -r demo -s clientId=app-dpop -s secret=app-dpop-secret -s serviceAccountsEnabled=true \
  -s 'redirectUris=["https://app.example.com/*"]' \
  -s 'attributes."dpop.bound.access.tokens"=true' \
  -s 'attributes."client.use.lightweight.access.token.enabled"=true' \
  -s 'defaultClientScopes=["basic","acr","roles","profile","audiences"]' -s 'optionalClientScopes=["read","write"]'
kcadm.sh create clients -r demo -s clientId=app-tls -s secret=app-tls-secret -s serviceAccountsEnabled=true \
  -s standardFlowEnabled=false -s 'attributes."tls.client.certificate.bound.access.tokens"=true' \
  -s 'attributes."client.use.lightweight.access.token.enabled"=true' \
  -s 'defaultClientScopes=["basic","acr","roles","profile","audiences"]' -s 'optionalClientScopes=["read","write"]'

# Personal access tokens.
kcadm.sh create clients -r demo -s clientId=pat -s secret=pat-secret -s standardFlowEnabled=false \
  -s 'attributes."standard.token.exchange.enabled"=true' -s 'attributes."access.token.lifespan"=7776000' \
  -s 'defaultClientScopes=["basic","roles","audiences"]' -s 'optionalClientScopes=["read","write","offline_access"]'
kcadm.sh create client-scopes -r demo -f - << 'JSON'
{"name": "pat", "protocol": "openid-connect", "attributes": {"include.in.token.scope": "false"},
 "protocolMappers": [
  {"name": "pat", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
   "config": {"included.client.audience": "pat",
              "access.token.claim": "true", "introspection.token.claim": "true", "lightweight.claim": "true"}}]}
JSON
# An application whose users may have such tokens.
kcadm.sh create clients -r demo -s clientId=portal -s secret=portal-secret -s directAccessGrantsEnabled=true \
  -s 'redirectUris=["https://portal.example.com/*"]' \
  -s 'attributes."client.use.lightweight.access.token.enabled"=true' \
  -s 'defaultClientScopes=["basic","roles","profile","audiences","more-audiences","pat"]' -s 'optionalClientScopes=["read","write"]'
