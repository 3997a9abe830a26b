#!/bin/bash
# start.sh DIR PORT: django-oauth-toolkit 1.7.0 (Debian) on 127.0.0.1:PORT, scratch state in DIR; prints the path of the
# pid file.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1 port=$2
if ! /usr/bin/python3 -c 'import oauth2_provider, gunicorn' 2> /dev/null || ! command -v curl > /dev/null; then
  echo "django-oauth-toolkit is missing: apt-get install --no-install-recommends python3-django-oauth-toolkit gunicorn curl" >&2
  exit 1
fi
mkdir -p "$dir"
cd "$dir"
rm -f as.sqlite3
export STATE=$PWD PYTHONDONTWRITEBYTECODE=1
/usr/bin/python3 "$here/as_site.py" setup
/usr/bin/gunicorn -w 2 -b "127.0.0.1:$port" --chdir "$here" as_site:application > out 2>&1 < /dev/null &
echo $! > pid
for _ in $(seq 2400); do
  if curl --noproxy '*' -s -o /dev/null "http://127.0.0.1:$port/o/token/"; then echo "$PWD/pid"; exit; fi
  kill -0 "$(cat pid)" || break
  sleep 0.05
done
cat out >&2
exit 1
