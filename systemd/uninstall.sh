#!/usr/bin/env bash
# Removes what install.sh installed. Can be run again. Data and settings stay unless --purge is given.
set -euo pipefail

usage() {
  cat <<'END'
Usage: uninstall.sh [--prefix DIR] [--purge]

Stops and disables the service and its instances, and removes the package, the command and the units.

  --prefix DIR  where it was installed; /usr by default, and PREFIX in the environment says the same
  --purge       remove settings, logs and caches, drop-ins, and the user and group as well
END
}

say() { printf '%s\n' "$*"; }
fail() {
  printf 'uninstall.sh: %s\n' "$*" >&2
  exit "${code:-1}"
}

# The installed copy of this script knows where it lies.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
standard=/usr
case $here in */lib/ghostai/systemd) standard=${here%/lib/ghostai/systemd} ;; esac
prefix=${PREFIX:-$standard} purge=no
while [ $# -gt 0 ]; do
  case $1 in
    --prefix)
      [ $# -ge 2 ] || code=2 fail "Expected a value after $1 but there is none"
      prefix=$2
      shift
      ;;
    --purge) purge=yes ;;
    -h | --help) usage && exit 0 ;;
    *) code=2 fail "There is no option $1; --help lists what there is" ;;
  esac
  shift
done
[ "$(id -u)" = 0 ] || fail "Expected to run as root but this is user $(id -un)"
case $prefix in /?*) ;; *) fail "Expected an absolute path for --prefix but received $prefix" ;; esac
cd /

if [ -d /run/systemd/system ]; then systemctl stop ghostai.service 'ghostai@*.service' 2>/dev/null || true; fi
systemctl --quiet disable ghostai.service ghostai@.service 2>/dev/null || true
units=/usr/lib/systemd/system sysusers=/usr/lib/sysusers.d
if [ "$prefix" != /usr ]; then units=/etc/systemd/system sysusers=/etc/sysusers.d; fi
rm -f "$units/ghostai.service" "$units/ghostai@.service" "$sysusers/ghostai.conf" "$prefix/bin/ghostai"
rm -rf "$prefix/lib/ghostai" "$prefix/lib/ghostai.new" "$prefix/lib/ghostai.old"

# Only what belongs to our user: another product may have a folder of such a name.
data() {
  if id ghostai >/dev/null 2>&1; then
    find /var/lib -maxdepth 1 -type d \( -name ghostai -o -name 'ghostai-*' \) -user ghostai
  fi
}

if [ "$purge" = yes ]; then
  data | xargs -r rm -rf
  rm -rf /etc/ghostai /etc/systemd/system/ghostai.service.d /etc/systemd/system/ghostai@*.service.d
  if id ghostai >/dev/null 2>&1; then userdel ghostai; fi
  if getent group ghostai >/dev/null; then groupdel ghostai; fi
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl reset-failed ghostai.service 'ghostai@*.service' 2>/dev/null || true
fi
if [ "$purge" = yes ]; then
  say "removed ghostai with its settings and data"
else
  say "removed ghostai; kept /etc/ghostai $(data | sort | xargs); --purge removes them too"
fi
