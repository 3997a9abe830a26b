# What install.sh, start.sh and configure.sh have in common; they read it by `.`.
# shellcheck shell=bash disable=SC2034  # the variables are theirs

version=26.7.3
root=$(cd "${BASH_SOURCE[0]%/*}/../../.." && pwd)
folder=$root/build/authorization-servers/keycloak
kc=$folder/keycloak/bin/kc.sh

# A start that is over soon, and a small heap: nothing here runs for long.
export JAVA_OPTS='-Xms64m -Xmx384m -XX:MaxMetaspaceSize=256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dfile.encoding=UTF-8'

# need TOOL...: ends the script if one is missing.
need() {
  local missing=() tool
  for tool in "$@"; do command -v "$tool" > /dev/null || missing+=("$tool"); done
  [ "${#missing[@]}" -gt 0 ] || return 0
  echo "Keycloak needs ${missing[*]}: apt-get install --no-install-recommends" \
    "$(sed 's/#.*//' "${BASH_SOURCE[0]%/*}/packages.txt" | xargs)" >&2
  exit 1
}

# The database in a file of that name, to which Keycloak adds .mv.db.
database() { printf 'jdbc:h2:file:%s;NON_KEYWORDS=VALUE' "$1"; }
