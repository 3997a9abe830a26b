#!/bin/bash
# fetch.sh RELEASE FOLDER: unpacks nginx's source package of the Debian release named into FOLDER/nginx-VERSION, with
# Debian's patches, and prints that path.
#
# It comes from where this machine gets its own Debian packages, with the release exchanged, and is verified with
# Debian's keys. Nothing that apt keeps outside of FOLDER is changed.
set -euo pipefail
release=$1 folder=$2
apt=$folder/apt
keys=/usr/share/keyrings/debian-archive-keyring.gpg

# bookworm-security becomes trixie-security.
source_lines() {
  local uri codename
  # shellcheck disable=SC2016 # these are apt's variables
  apt-get indextargets --format '$(REPO_URI) $(CODENAME)' \
    'Created-By: Packages' 'Origin: Debian' 'Component: main' | sort -u | while read -r uri codename; do
    printf 'deb-src [signed-by=%s] %s %s main\n' "$keys" "$uri" "$release${codename#"${codename%%-*}"}"
  done
}

own_apt() {
  local program=$1
  "$program" -q -o Dir::State="$apt" -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$apt/cache" \
    -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none "${@:2}"
}

# The newest that the mirror really has: some are behind their own index.
fetch() {
  local version versions
  own_apt apt-cache showsrc --only-source nginx > "$apt/showsrc"
  mapfile -t versions < <(sed -n 's/^Version: //p' "$apt/showsrc" | sort -Vru)
  for version in "${versions[@]}"; do
    own_apt apt-get source --only-source "nginx=$version" && return
  done
  fetch_upstream
}

# What nginx released, which is a part of the source package and was in the mirror before the rest of it.
fetch_upstream() {
  local sums
  sums=$(awk '$3 ~ /\.orig\.tar\.gz$/ && length($1) == 64 { print $1 "  " $3 }' "$apt/showsrc" | sort -u)
  sha256sum --check --strict <<< "$sums" && tar -xzf "${sums##* }"
  echo "The mirror has no package of Debian $release's nginx whole: this is nginx's own release, without Debian's patches."
}

unpacked() { find "$folder" -maxdepth 1 -type d -name 'nginx-*' -print -quit; }

mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
if [ -z "$(unpacked)" ]; then
  source_lines > "$apt/sources.list"
  [ -s "$apt/sources.list" ] || { echo 'apt knows no Debian repository here: apt-get update' >&2; exit 1; }
  own_apt apt-get update >&2
  (cd "$folder" && fetch >&2)
fi
unpacked
