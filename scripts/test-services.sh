#!/usr/bin/env bash
# Installs the real servers and clients that tests and benches drive, from Debian's packages. Does nothing when all
# are there; leaves no service running or enabled. Works as root or by sudo.
set -euo pipefail

# package and the program it must bring
wanted='redis-server:redis-server nginx:nginx haproxy:haproxy wrk:wrk chromium:chromium nghttp2-client:h2load
slowhttptest:slowhttptest curl:curl varnish:varnishd pebble:pebble'
# package and a service that it would start
services='redis-server:redis-server nginx:nginx haproxy:haproxy varnish:varnish varnish:varnishncsa'

export PATH="$PATH:/usr/sbin:/sbin"

missing=''
for entry in $wanted; do
  command -v "${entry#*:}" >/dev/null || missing="$missing ${entry%%:*}"
done
if [ -z "$missing" ]; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "missing:$missing; this script knows only Debian's apt-get" >&2
  exit 3
fi

if [ "$(id -u)" = 0 ]; then
  as_root() { "$@"; }
elif command -v sudo >/dev/null; then
  as_root() { sudo "$@"; }
else
  echo "missing:$missing; installing them needs root or sudo" >&2
  exit 3
fi

# While this file says so, no package starts what it brings (Debian policy, invoke-rc.d).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
  trap 'as_root rm -f "$policy"' EXIT
fi

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@"; }

log=$(mktemp)
if ! { apt update && apt install -y --no-install-recommends $missing; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  rm -f "$log"
  exit 3
fi
rm -f "$log"

for entry in $services; do
  service=${entry#*:}
  case " $missing " in
    *" ${entry%%:*} "*)
      if command -v deb-systemd-helper >/dev/null; then
        as_root deb-systemd-helper disable "$service.service" >/dev/null 2>&1 || true
      fi
      as_root update-rc.d "$service" disable >/dev/null 2>&1 || true
      ;;
  esac
done
echo "installed:$missing"
