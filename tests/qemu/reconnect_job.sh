#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The access point of a board rejects the right passphrase for a time. Runs in the test guest. Prints the steps as 'STEP text'.
#
#   phy0 wlan0   the board; phy1 is for the access point
. /job/parts
make_system
chmod 600 /etc/NetworkManager/system-connections/*
make_air
iw phy phy1 set netns $air
inside ip link set wlan1 up
inside ip addr add 10.7.7.1/24 dev wlan1

# Starts the access point with the passphrase of $1.
access_point() {
  nsenter -t "$air" -n wpa_supplicant -i wlan1 -c "/job/$1.conf" >>/tmp/access-point.log 2>&1 &
  point=$!
}
stop_access_point() {
  kill $point
  wait $point 2>/dev/null
}
# $1: maximum seconds.
until_joined() {
  i=0
  until { [ "$(ssid)" ] && ip addr show dev wlan0 | grep -q 'inet 10.7.7'; } || [ $i -ge "$1" ]; do i=$((i + 1)); sleep 1; done
  if [ $i -lt "$1" ]; then echo "joined $(ssid)"; else echo "not joined"; fi
}
until_log() {
  i=0
  until grep -q "$1" /tmp/manager.log || [ $i -ge 180 ]; do i=$((i + 1)); sleep 1; done
  [ $i -lt 180 ] || { report "no '$1' in the log of NetworkManager"; tail -40 /tmp/manager.log /tmp/access-point.log; exit 1; }
}

access_point right
inside udhcpd -f /job/udhcpd.conf >/tmp/udhcpd.log 2>&1 &
start_services
NetworkManager --debug >/tmp/manager.log 2>&1 &
report "STEP $(until_joined 90)"
report "STEP $(iw dev wlan0 get power_save)"

stop_access_point
access_point wrong
until_log 'state change: activated -> '
report "STEP left"
until_log "reason 'no-secrets'"
report "STEP gave up"
stop_access_point
access_point right
report "STEP without the unit: $(until_joined 90)"
report "RETRY $(sed -n 's/^ExecStart=//p' /job/retry.service)"
eval "$(sed -n 's/^ExecStart=//p' /job/retry.service)"
report "STEP with the unit: $(until_joined 90)"
grep -E 'state change|secrets|key' /tmp/manager.log | tail -40
exit 0
