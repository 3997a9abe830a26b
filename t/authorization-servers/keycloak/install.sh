#!/bin/bash
# install.sh: puts Keycloak into build/authorization-servers/keycloak, once for all who start it: downloaded by Maven,
# built for `start --optimized`, and with a database that has its tables and its first administrator. Prints that folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=t/authorization-servers/keycloak/common.sh
. "$here/common.sh"
need java mvn unzip
plugin=org.apache.maven.plugins:maven-dependency-plugin:3.8.1

# Files of root's that another user cannot replace will do as they are.
installed() { cmp -s <(cat "$here/install.sh" "$here/common.sh") "$folder/installed"; }

download() {
  rm -rf "$folder/keycloak" "$folder/unpacked"
  mvn -B -q -ntp "-Dmaven.repo.local=$root/build/authorization-servers/maven" "$plugin:copy" \
    "-Dartifact=org.keycloak:keycloak-quarkus-dist:$version:zip" "-DoutputDirectory=$folder"
  unzip -q "$folder/keycloak-quarkus-dist-$version.zip" -d "$folder/unpacked"
  mv "$folder/unpacked/keycloak-$version" "$folder/keycloak"
  rm -r "$folder/unpacked" "$folder/keycloak-quarkus-dist-$version.zip"
}

# Makes what takes most of a first start.
fill_database() {
  rm -rf "$folder/database"
  mkdir "$folder/database"
  ADMIN_PASSWORD=admin-secret "$kc" bootstrap-admin user --optimized --no-prompt --db-url="$(database "$folder/database/keycloak")" \
    --username=admin --password:env=ADMIN_PASSWORD
}

if ! installed; then
  mkdir -p "$folder"
  exec 9> "$folder/lock"
  flock 9 # tests run at the same time
  if ! installed; then
    download >&2 9>&-
    "$kc" build --db=dev-file --https-client-auth=request >&2 9>&-
    fill_database >&2 9>&-
    cat "$here/install.sh" "$here/common.sh" > "$folder/installed"
  fi
fi
echo "$folder"
