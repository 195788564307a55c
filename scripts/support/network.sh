#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The second half of 'scripts/bench network'. It runs in a network namespace that ends with this script:
#   camera (here) -- near, far (the link) -- broker, hub
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
programs=(sealcam)
export SEALCAM_BENCH_SIZE=1920x1080
second=
while [[ ${1:-} == --* ]]; do
  case $1 in
    --ffmpeg) programs+=(ffmpeg) ;;
    --second-hub) second=$2; shift ;;
    --only-ffmpeg) programs=(ffmpeg) ;;
    --size) SEALCAM_BENCH_SIZE=$2; shift ;;
    *) die "unknown option '$1'" ;;
  esac
  shift
done
folder=$(mktemp -d)
hosts="127.0.0.1 localhost\n%s broker.test\n"
children=()
link=
clean_up() {
  touch "$folder/stop"
  for child in "${children[@]}" $link; do kill "$child" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 143' TERM INT

# new_namespace VARIABLE
new_namespace() {
  unshare --net sleep infinity & printf -v "$1" %s $!
  children+=("$!")
  for _ in $(seq 50); do [[ $(readlink "/proc/$!/ns/net") != $(readlink /proc/self/ns/net) ]] && break; sleep 0.1; done
}
new_namespace middle
new_namespace far
in_middle() { nsenter --target "$middle" --net "$@"; }
in_far() { nsenter --target "$far" --net "$@"; }
ip link set lo up
ip link add name camera type veth peer name near netns "$middle"
in_middle ip link add name far type veth peer name broker netns "$far"
in_middle ip link add name bridge type bridge
in_middle sh -c 'for each in near far bridge; do ip link set $each up; done; ip link set near master bridge; ip link set far master bridge'
ip link set camera up
in_far sh -c 'ip link set lo up; ip link set broker up'
# Packets of real size: a dropped packet of 64 kB is no usual loss.
python3 "$top/scripts/support/link.py" plain camera
in_far python3 "$top/scripts/support/link.py" plain broker

# The settings of a device with the package. They apply to this namespace.
while IFS=' =' read -r key value; do
  [[ $key != net.* ]] || echo "$value" >"/proc/sys/${key//.//}"
done <"$top/board/common/60-sealcam-camera.sysctl"

# Cubic is Debian's default, also if this machine has another one.
set_address() {
  ip addr flush dev camera
  ip addr add "$1/24" dev camera
  ip route replace 10.77.0.0/24 dev camera proto kernel scope link src "$1" congctl cubic
}
set_broker_address() {
  in_far ip addr flush dev broker
  in_far ip addr add "$1/24" dev broker
  # In place, because the programs have mounted this file.
  # shellcheck disable=SC2059
  printf "$hosts" "$1" >"$folder/hosts"
}
# A second hub, whose link to the broker is slow.
if [[ $second ]]; then
  new_namespace slow
  in_far ip link add name slow type veth peer name hub netns "$slow"
  in_far sh -c "ip addr add 10.78.0.1/24 dev slow; ip link set slow up; tc qdisc add dev slow root tbf rate ${second}kbit burst 5kb limit 40kb"
  nsenter --target "$slow" --net sh -c 'ip link set lo up; ip addr add 10.78.0.2/24 dev hub; ip link set hub up'
  # shellcheck disable=SC2059
  printf "$hosts" 10.78.0.1 >"$folder/hosts.second"
fi

# Both programs must resolve the broker's name by a file that a phase can change.
# step NAMESPACE HOSTS STEP PROGRAM
step() {
  # shellcheck disable=SC2016  # for the inner shell
  nsenter --target "$1" --net "$top/scripts/sdk" run unshare --mount sh -c \
    'mount --bind "$1/$2" /etc/hosts; exec python3 scripts/bench_network.py "$3" "$1" "$4"' - "$folder" "${@:2}"
}
cd "$top"

# set_faults FAULTS: 'mtu=1280,loss=2' for link.py, or nothing. Words without a value are for begin_phase.
set_faults() {
  tr ',' '\n' <<<"$1" | grep = >"$folder/faults" || true
  if [[ -s $folder/faults && ! $link ]]; then
    in_middle sh -c 'ip link set near nomaster; ip link set far nomaster'
    nsenter --target "$middle" --net python3 scripts/support/link.py carry near far "$folder/faults" & link=$!
  elif [[ ! -s $folder/faults && $link ]]; then
    kill "$link"
    wait "$link" 2>/dev/null || true
    link=
    in_middle sh -c 'ip link set near master bridge; ip link set far master bridge'
  fi
}

begin_phase() {
  local rate=$1 buffer=$2 faults=$3
  tc qdisc del dev camera root 2>/dev/null || true
  case $rate in
    free) ;;
    0) ip link set camera down ;;  # removes the route, too
    *) tc qdisc add dev camera root tbf rate "${rate}kbit" burst 5kb limit "${buffer:-40}kb" ;;
  esac
  set_faults "$faults"
  rm -f "$folder"/{flow,rest}
  [[ ,$faults, != *,flow,* ]] || touch "$folder/flow"
  [[ ,$faults, != *,rest,* ]] || touch "$folder/rest"
  [[ ,$faults, != *,readdress,* ]] || set_address "10.77.0.$((count + 100))"
  [[ ,$faults, != *,move,* ]] || set_broker_address "10.77.0.$((count + 200))"
}

run_program() {
  local program=$1
  shift
  rm -f "$folder"/{ready,live,stop,phases,flow,rest,second.json}
  local other=
  set_address 10.77.0.1
  set_broker_address 10.77.0.2
  set_faults ""
  step "$far" hosts site "$program" >"$folder/site.log" 2>&1 & site=$!
  step $$ hosts camera "$program" >"$folder/camera.log" 2>&1 & camera=$!
  if [[ $second && $program == sealcam ]]; then
    step "$slow" hosts.second second "$program" >"$folder/second.log" 2>&1 & other=$!
    children+=("$other")
  fi
  python3 scripts/bench_network.py flow "$folder" "$program" & flow=$!
  children+=("$site" "$camera" "$flow")
  info "$program: starting"
  for _ in $(seq 60); do [[ -s $folder/live ]] && break; sleep 0.5; done
  [[ -s $folder/live ]] || { tail -n 5 "$folder"/*.log >&2; die "no picture within 30 s"; }
  local count=0
  for phase in "$@"; do
    IFS=: read -r name rate seconds buffer faults <<<"$phase"
    [[ $name && $rate && $seconds ]] || die "'$phase' is not a phase; write NAME:KBIT/S:SECONDS[:BUFFER_KB[:FAULTS]]"
    info "$program, $name: $rate kbit/s for $seconds s ${faults:-}"
    count=$((count + 1))
    begin_phase "$rate" "$buffer" "$faults"
    echo "$name $(date +%s.%N)" >>"$folder/phases"
    sleep "$seconds"
    [[ $rate != 0 ]] || { ip link set camera up; set_address "$(ip -o -4 addr show dev camera | awk '{sub("/.*", "", $4); print $4}')"; }
  done
  echo "end $(date +%s.%N)" >>"$folder/phases"
  tc qdisc del dev camera root 2>/dev/null || true
  touch "$folder/stop"
  wait "$site" || { tail -n 5 "$folder/site.log" >&2; die "the broker's side failed"; }
  wait "$camera" "$flow" ${other:+"$other"} || true
  python3 scripts/bench_network.py report "$folder" "$program"
}
for each in "${programs[@]}"; do run_program "$each" "$@"; done
