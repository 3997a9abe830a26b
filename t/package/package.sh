#!/bin/bash
# Called by `./dev package`, which installs what this needs. Builds the Debian package twice, under conditions that differ,
# and fails unless both are the same and lintian has nothing to say; makes an archive for other ways to install; then the
# package has to live in a bare root (bare-root.pl). What comes of it is in build/package.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/t/package
out=$root/build/package
work=$out/work
first=$work/first second=$work/another/folder earlier=$work/earlier
jobs=$(nproc)
name=libnginx-mod-http-phantom-token
module=ngx_http_phantom_token_module
version=$(dpkg-parsechangelog -l "$root/debian/changelog" -S Version)
upstream=${version%-*}
tree=$name-$upstream
archive=${name}_$upstream.orig.tar.gz
architecture=$(dpkg --print-architecture)
package=${name}_${version}_$architecture.deb
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l "$root/debian/changelog" -S Timestamp)
export SOURCE_DATE_EPOCH

# For tar: nothing of the machine or the day goes into an archive.
same_bytes=(--sort=name --format=gnu --owner=0 --group=0 --numeric-owner '--mode=u+rw,go=rX' "--mtime=@$SOURCE_DATE_EPOCH")

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
step() { printf '%s==> %s%s\n' "$bold" "$*" "$plain"; }
die() { printf 'package: %s\n' "$*" >&2; exit 1; }

# logged NAME COMMAND...: its output goes into a log, which is shown when it fails.
logged() {
  local log=$out/log/$1.log; shift
  "$@" > "$log" 2>&1 < /dev/null && return
  tail -n 60 "$log" >&2
  die "failed: $* (all of its output: $log)"
}

# ---- building ----

# The tree as it stands, committed or not. build/ is left out, and what git keeps.
pack_source() {
  tar -C "$root" --exclude=./build --exclude=./.git --exclude=./debian --transform "s|^\.|$tree|" "${same_bytes[@]}" -c . |
    gzip -9n > "$work/$archive"
}

# build FOLDER COMMAND...: unpacks the source into FOLDER; the command builds what is there.
build() (
  mkdir -p "$1" && cp "$work/$archive" "$1/" && tar -xpzf "$work/$archive" -C "$1" &&
    tar -C "$root" "${same_bytes[@]}" -c debian | tar -xp -C "$1/$tree" && cd "$1/$tree" && "${@:2}"
)

build_once() {
  build "$first" env LC_ALL=C.UTF-8 TZ=UTC DEB_BUILD_OPTIONS="parallel=$jobs" dpkg-buildpackage --no-sign
}

# Another folder, umask, locale, zone, day and order of compilation.
build_again() (
  umask 077
  build "$second" env LC_ALL=C TZ=Asia/Tokyo DEB_BUILD_OPTIONS=parallel=1 faketime -f '+400d' dpkg-buildpackage --no-sign
)

# The package of an earlier version, to upgrade from: its module says so. Not optimized, since that takes half of the time.
build_earlier() { build "$earlier" build_as 0.9.0; }

build_as() {
  sed -i "s/version\[\] = \"[^\"]*\"/version[] = \"$1\"/" src/gateway/version.cpp &&
    sed -i "1s/(.*)/($1-1)/" debian/changelog &&
    DEB_BUILD_OPTIONS="noopt noautodbgsym parallel=$jobs" dpkg-buildpackage --no-sign --build=binary
}

compare_builds() { diff -u --label once --label again <(checksums "$first") <(checksums "$second"); }

checksums() (cd "$1" && sha256sum -- *.deb *.dsc *.tar.*)

check_with_lintian() { lintian --info --display-info --pedantic --fail-on error,warning,info,pedantic "$first/"*.changes; }

# ---- the archive ----

# For whoever does not install by apt. Three lines say how.
pack_module() {
  local nginx folder=$work/archive
  nginx=$(nginx -v 2>&1 | sed 's|.*nginx/\([0-9.]*\).*|\1|')
  module_archive=$module-$upstream-nginx-$nginx-$architecture.tar.gz
  mkdir -p "$folder/$module"
  dpkg-deb --fsys-tarfile "$first/$package" |
    tar -x --to-stdout "./usr/lib/nginx/modules/$module.so" > "$folder/$module/$module.so"
  cp -R "$root/LICENSE" "$root/nginx-conf" "$folder/$module/"
  cat > "$folder/$module/README" << END
$module $upstream for nginx $nginx as Debian 12 builds it, $architecture. It needs libjansson4, libssl3 and libstdc++6.
Copy $module.so into nginx's modules folder, and write "load_module modules/$module.so;" at the top of nginx.conf.
nginx -t says "not binary compatible" where this is another nginx: then build it from source, for the version and the options that nginx -V names.
END
  tar -C "$folder" "${same_bytes[@]}" -c "$module" | gzip -9n > "$out/$module_archive"
}

# ---- the bare root ----

# Debian with nginx and nothing else, from the mirrors that this machine uses. Kept: remove the file to make it anew.
bare_root=$out/bare-root.tar

make_bare_root() {
  local root=$work/bare-root
  # shellcheck disable=SC1091
  debootstrap --variant=minbase "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" "$(mirrors | awk 'NR == 1 { print $2 }')"
  mirrors > "$root/etc/apt/sources.list"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  apt-config dump Acquire > "$root/etc/apt/apt.conf.d/machine" # how to reach them
  printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  chroot "$root" apt-get update
  DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get -y install --no-install-recommends nginx
  tar --one-file-system -C "$root" -cf "$bare_root.new" .
  mv "$bare_root.new" "$bare_root"
}

# In the form of sources.list: Debian's own of the sources that apt has here.
mirrors() {
  # shellcheck disable=SC2016
  apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' | uniq
}

live_in_bare_root() {
  [ -f "$bare_root" ] || { step 'A bare root by debootstrap (the first time)'; logged debootstrap make_bare_root; }
  mkdir "$work/root"
  tar -C "$work/root" -xpf "$bare_root"
  perl -I "$root/t/lib" "$here/bare-root.pl" "$work/root" "$earlier/"*.deb "$first/$package" "$out/$module_archive"
}

# The second build has one processor, and goes on beside the rest.
start_second_build() {
  set -m # in a process group of its own
  build_again > "$out/log/build-again.log" 2>&1 < /dev/null &
  second_build=$!
  set +m
}

end_second_build() { [ -z "${second_build-}" ] || kill -- "-$second_build" 2> /dev/null || true; }

compare_with_second_build() {
  wait "$second_build" || { tail -n 60 "$out/log/build-again.log" >&2; die 'the second build failed'; }
  second_build=
  compare_builds || die 'the second build is not the same as the first'
}

# ---- the whole ----

rm -rf --one-file-system "$work" # of a run that was killed
mkdir -p "$out/log" "$work"
trap 'end_second_build; rm -rf --one-file-system "$work"' EXIT

step "Building $name $version"
pack_source
logged build build_once
step 'Building it again in the meantime: another folder, umask, locale, time zone and day'
start_second_build
step 'lintian'
check_with_lintian
step 'The archive of the module'
pack_module

if [ "$(id -u)" -eq 0 ]; then
  step 'Building an earlier version, to upgrade from'
  logged build-earlier build_earlier
  step 'Installing, upgrading, removing and purging in a bare root'
  live_in_bare_root
else
  echo 'Left out, since it takes root: installing, upgrading, removing and purging in a bare root.'
fi
step 'Comparing the two builds'
compare_with_second_build
cp "$first/"*.deb "$first/"*.dsc "$first/"*.tar.* "$out/"
step 'Made:'
(cd "$root" && ls -1 build/package/*.deb "build/package/$module_archive")
