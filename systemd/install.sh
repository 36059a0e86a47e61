#!/usr/bin/env bash
# Installs the built package as a systemd service. Can be run again, for an update too.
set -euo pipefail
umask 022

usage() {
  cat <<'END'
Usage: install.sh [--prefix DIR] [--node FILE] [--no-start] [--no-enable]

Copies the built package to DIR/lib/ghostai and a command to DIR/bin/ghostai, makes the user and
group ghostai, installs the units, and writes /etc/ghostai where nobody has edited it. Then the
service is enabled and started; services that run already are restarted.

  --prefix DIR  where to install; /usr by default, and PREFIX in the environment says the same
  --node FILE   the Node that runs the daemon; the one in PATH by default
  --no-start    start and restart nothing
  --no-enable   leave it as it is whether the service starts at boot
END
}

say() { printf '%s\n' "$*"; }
fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit "${code:-1}"
}

prefix=${PREFIX:-/usr} node='' start=yes enable=yes
while [ $# -gt 0 ]; do
  case $1 in
    --prefix | --node)
      [ $# -ge 2 ] || code=2 fail "Expected a value after $1 but there is none"
      if [ "$1" = --prefix ]; then prefix=$2; else node=$2; fi
      shift
      ;;
    --no-start) start=no ;;
    --no-enable) enable=no ;;
    -h | --help) usage && exit 0 ;;
    *) code=2 fail "There is no option $1; --help lists what there is" ;;
  esac
  shift
done
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lib=$prefix/lib/ghostai command=$prefix/bin/ghostai
wanted=$(sed -n '/"engines"/,/}/s/.*"node": *"\([^"]*\)".*/\1/p' "$source/package.json")

# The sandbox hides these folders from the service, or gives it others of its own.
hidden() {
  case ${1#/}/ in home/* | root/* | run/* | tmp/* | var/tmp/* | dev/* | proc/*) ;; *) return 1 ;; esac
}

[ "$(id -u)" = 0 ] || fail "Expected to run as root but this is user $(id -un)"
case $prefix in
  /) fail "Expected a folder such as /usr for --prefix but received /" ;;
  *[!A-Za-z0-9._/+-]*) fail "Expected a path of letters, digits and ._/+- for --prefix but received $prefix" ;;
  /*) ! hidden "$prefix" || fail "Expected a --prefix that the service can see but $prefix is hidden from it" ;;
  *) fail "Expected an absolute path for --prefix but received $prefix" ;;
esac
command -v systemctl >/dev/null || fail "Expected systemd but there is no systemctl in PATH"
[ "$source" != "$(readlink -m "$lib")" ] || fail "Expected to run from a built package but $source is the installed one"

# --- Node ---

# Each version is compared with one bound of package.json, such as >=20.12 or <24.
satisfies() { # version, bound
  local bound=${2#[<>]} order
  bound=${bound#=}
  order=$(printf '%s\n%s\n' "$1" "$bound" | sort -V | head -n 1)
  case $2 in
    '>='*) [ "$order" = "$bound" ] ;;
    '<'[0-9]*) [ "$order" = "$1" ] && [ "$1" != "$bound" ] ;;
    *) fail "Expected bounds such as >=20.12 <24 in package.json but found $wanted" ;;
  esac
}

if [ -z "$node" ]; then
  node=$(command -v node) || fail "Expected Node $wanted but there is no node in PATH; install it (Debian: apt-get install nodejs, or nodejs.org) or name it with --node FILE"
fi
if [ ! -x "$node" ] || [ -d "$node" ]; then fail "Expected Node $wanted at $node but there is no such program"; fi
node=$(cd "$(dirname "$node")" && pwd)/$(basename "$node")
for path in "$node" "$(readlink -f "$node")"; do
  ! hidden "$path" || fail "Expected a Node that the service can see but $path is hidden from it; install Node $wanted for the whole system or name it with --node FILE"
done
version=$("$node" --version 2>/dev/null) || fail "Expected Node $wanted at $node but it does not run"
for bound in $wanted; do
  satisfies "${version#v}" "$bound" || fail "Expected Node $wanted but $node is ${version#v}"
done

# --- the package ---

for file in dist/cli/main.js build/Release/ghostai.node node_modules; do
  [ -e "$source/$file" ] || fail "Expected a built package in $source but it has no $file; run npm install there first"
done
models=()
for model in "$source"/models/*/model.int8; do
  [ -e "$model" ] || fail "Expected a packed model in $source/models but there is none; run npm install there first"
  models+=("$(basename "$(dirname "$model")")")
done

put() { # file below the package...
  local file
  for file in "$@"; do
    mkdir -p "$lib.new/$(dirname "$file")"
    cp -RL --no-preserve=all "$source/$file" "$lib.new/$file"
  done
}

# A running daemon has the model mapped: files are replaced whole, never written into.
rm -rf "$lib.new"
mkdir -p "$lib.new" "$prefix/bin"
put package.json LICENSE dist systemd
for file in "$source"/build/Release/*.node; do put "build/Release/$(basename "$file")"; done
for model in "${models[@]}"; do
  for file in "$source/models/$model"/*; do
    # The original weights only serve to pack the model again.
    case $file in *.safetensors) ;; *) put "models/$model/$(basename "$file")" ;; esac
  done
done
packages=$("$node" "$source/systemd/runtime_packages.mjs" "$source")
while IFS= read -r package; do put "$package"; done <<<"$packages"
chmod 755 "$lib.new"/systemd/{,un}install.sh

# --- configuration: what is as we wrote it is replaced, what was edited stays ---

sysusers=/usr/lib/sysusers.d units=/usr/lib/systemd/system
if [ "$prefix" != /usr ]; then sysusers=/etc/sysusers.d units=/etc/systemd/system; fi
mkdir -p "$sysusers" "$units"
install -m 644 "$source/systemd/ghostai.sysusers" "$sysusers/ghostai.conf"
systemd-sysusers "$sysusers/ghostai.conf"
install -d -m 750 -o root -g ghostai /etc/ghostai
for file in ghostai.yaml ghostai.env; do
  there=/etc/ghostai/$file
  if [ -e "$there" ] && ! cmp -s "$there" "$lib/systemd/$file" && ! cmp -s "$there" "$source/systemd/$file"; then
    say "kept $there, which was edited; $lib/systemd/$file has the new defaults"
  else
    install -m 640 -o root -g ghostai "$source/systemd/$file" "$there"
  fi
done

# --- into place ---

rm -rf "$lib.old"
if [ -e "$lib" ]; then mv "$lib" "$lib.old"; fi
mv "$lib.new" "$lib"
rm -rf "$lib.old"
{
  printf '#!/bin/sh\n'
  cat "$source/systemd/service_settings.sh"
  printf 'exec "%s" "%s" "$@"\n' "$node" "$lib/dist/cli/main.js"
} >"$command.new"
chmod 755 "$command.new"
mv "$command.new" "$command"
for unit in ghostai.service ghostai@.service; do
  sed -e "s#/usr/bin/ghostai#$command#" -e "s#/usr/lib/ghostai#$lib#" "$source/systemd/$unit" >"$units/$unit.new"
  mv "$units/$unit.new" "$units/$unit"
done
say "installed $lib and $command, run by $node ${version#v}"

if [ "$enable" = yes ]; then systemctl --quiet enable ghostai.service; fi
if [ ! -d /run/systemd/system ]; then
  say "systemd does not run here: nothing was started"
  exit 0
fi
systemctl daemon-reload
if [ "$start" = no ]; then
  say "start it with: systemctl start ghostai"
  exit 0
fi
systemctl reset-failed ghostai.service 2>/dev/null || true
systemctl try-restart 'ghostai@*.service'
if ! systemctl restart ghostai.service; then
  journalctl --unit ghostai.service --lines 5 --output cat --no-pager >&2 || true
  fail "Expected ghostai to start but it did not; journalctl -u ghostai says more than the lines above"
fi
say "ghostai is running; journalctl -u ghostai shows its log"
