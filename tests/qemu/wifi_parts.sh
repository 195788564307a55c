#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shared by the jobs of the Wi-Fi cases: the system of an image, a network namespace for access points, the board's services.
export PATH=$PATH:/usr/sbin

report() { echo "$(cut -d' ' -f1 /proc/uptime) $*"; }
ssid() { iw dev wlan0 link | sed -n 's/^.*SSID: //p'; }
inside() { nsenter -t "$air" -n "$@"; }

make_system() {
  mkdir -p /run /var/lib/NetworkManager /var/lib/dbus /root
  mount -t tmpfs none /run
  mkdir -p /run/dbus /run/NetworkManager
  ln -s /run /var/run
  head -c 16 /dev/urandom | md5sum | cut -d' ' -f1 >/etc/machine-id
  hostname board
}

# Creates a network namespace. $air is the id of a process in it.
make_air() {
  unshare -n sleep 100000 &
  air=$!
  sleep 1
  inside ip link set lo up
}

# Starts message bus, polkit and wpa_supplicant. NetworkManager works without udev if /sys is read-only.
start_services() {
  mount -o remount,ro /sys
  dbus-daemon --system --nofork --nopidfile >/tmp/dbus.log 2>&1 &
  i=0
  until [ -S /run/dbus/system_bus_socket ]; do
    i=$((i + 1))
    if [ $i -gt 200 ]; then report "no message bus"; cat /tmp/dbus.log; exit 1; fi
    sleep 0.1
  done
  start-stop-daemon -S -c polkitd -x /usr/lib/polkit-1/polkitd -- --no-debug >/tmp/polkit.log 2>&1 &
  wpa_supplicant -u >/tmp/supplicant.log 2>&1 &
}
