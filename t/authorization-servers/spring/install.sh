#!/bin/bash
# install.sh: builds Spring Authorization Server, with the application in this folder around it, into
# build/authorization-servers/spring, once for all who start it, and prints that folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
folder=$root/build/authorization-servers/spring

missing=()
for tool in javac mvn curl; do command -v "$tool" > /dev/null || missing+=("$tool"); done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "Spring Authorization Server needs ${missing[*]}: apt-get install --no-install-recommends" \
    'openjdk-17-jdk-headless maven curl' >&2
  exit 1
fi

# Files of root's that another user cannot replace will do as they are.
sources() { cat "$here/install.sh" "$here/pom.xml" "$here"/src/main/java/*/*.java; }
installed() { cmp -s <(sources) "$folder/installed"; }

if ! installed; then
  mkdir -p "$folder"
  exec 9> "$folder/lock"
  flock 9 # tests run at the same time
  if ! installed; then
    rm -rf "$folder/source"
    mkdir "$folder/source"
    cp -r "$here/pom.xml" "$here/src" "$folder/source/"
    # A repository of its own: Maven shares none between two that run at the same time.
    mvn -B -q -ntp "-Dmaven.repo.local=$folder/maven" -f "$folder/source/pom.xml" package >&2 9>&-
    mv "$folder/source/target/as.jar" "$folder/as.jar"
    sources > "$folder/installed"
  fi
fi
echo "$folder"
