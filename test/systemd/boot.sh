#!/usr/bin/env bash
# Boots a systemd over a copy of this machine's files that goes away with it:
#
#   boot.sh SCRATCH_FOLDER MACHINE_NAME PACKAGE_FOLDER NODE
#
# Runs in a mount namespace of its own, so that no mount is left behind however it ends.
set -euo pipefail
scratch=$1 name=$2 package=$3 node=$4

# In memory: an overlay's upper folder cannot lie on another overlay, as in a build container.
mount -t tmpfs -o mode=755 tmpfs "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay overlay "$scratch/root" \
  -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work"

# Only the basics of this machine's services: the rest has nothing to do with us.
exec systemd-nspawn --quiet --directory="$scratch/root" --machine="$name" \
  --register=no --keep-unit --private-network --link-journal=no --console=pipe \
  --bind-ro="$package:/opt/ghostai-package" --bind-ro="$node:/usr/local/bin/node" \
  --boot systemd.unit=basic.target
