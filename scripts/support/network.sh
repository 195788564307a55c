#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The second half of 'scripts/bench network'. It runs in a network namespace that ends with this script.
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
folder=$(mktemp -d)
children=()
clean_up() {
  touch "$folder/stop"
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 143' TERM INT

# The broker and the hub are in a second namespace. The link between both is the interface 'camera'.
unshare --net sleep infinity & far=$!
children+=("$far")
for _ in $(seq 50); do [[ $(readlink "/proc/$far/ns/net") != $(readlink /proc/self/ns/net) ]] && break; sleep 0.1; done
ip link set lo up
ip link add camera type veth peer name broker netns "$far"
ip addr add 10.77.0.1/24 dev camera
ip link set camera up
nsenter --target "$far" --net sh -c 'ip link set lo up; ip addr add 10.77.0.2/24 dev broker; ip link set broker up'

step() { python3 "$top/scripts/bench_network.py" "$@"; }
cd "$top"
nsenter --target "$far" --net ./scripts/sdk run python3 scripts/bench_network.py site "$folder" >"$folder/site.log" 2>&1 & site=$!
./scripts/sdk run python3 scripts/bench_network.py camera "$folder" >"$folder/camera.log" 2>&1 & children+=("$!")
children+=("$site")
info "starting the broker, the hub and the camera"
for _ in $(seq 60); do [[ -s $folder/live ]] && break; sleep 0.5; done
[[ -s $folder/live ]] || { tail -n 5 "$folder"/*.log >&2; die "the hub showed no picture within 30 s"; }

for phase in "$@"; do
  IFS=: read -r name rate seconds buffer <<<"$phase"
  [[ $name && $rate && $seconds ]] || die "'$phase' is not a phase; write NAME:KBIT/S:SECONDS[:BUFFER_KB]"
  info "$name: $rate kbit/s for $seconds s"
  tc qdisc del dev camera root 2>/dev/null || true
  case $rate in
    free) ;;
    0) ip link set camera down ;;
    *) tc qdisc add dev camera root tbf rate "${rate}kbit" burst 5kb limit "${buffer:-40}kb" ;;
  esac
  echo "$name $(date +%s.%N)" >>"$folder/phases"
  sleep "$seconds"
  [[ $rate != 0 ]] || ip link set camera up
done
echo "end $(date +%s.%N)" >>"$folder/phases"
touch "$folder/stop"
wait "$site" || { tail -n 5 "$folder/site.log" >&2; die "the broker's side failed"; }
step report "$folder"
