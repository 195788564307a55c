#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A board with one Wi-Fi card, given sealcam.json of several kinds; runs in the test guest. Each thing that it sees is between
# 'BEGIN name' and 'END name'.
#
#   phy0 wlan0   the board's; phy1 is for the access point, which does not say its name
. /job/settings
. /job/parts
make_system
mkdir -p /card /data

section() {
  name=$1
  shift
  echo "BEGIN $name"
  "$@" 2>&1
  echo "END $name"
}
# A start of the board: $1 is what a person put onto the card.
start() {
  [ "$1" ] && echo "$1" >/card/sealcam.json
  sealcam-appliance settings --card /card --settings /data --rules /lib/firmware/regulatory.db
  cat /card/sealcam-settings-error.txt 2>/dev/null
  rm -f /card/*
}

# Channel 13 is one that Germany allows and the world does not.
channel_13() { iw phy "$1" channels | sed -n '/\* 2472 MHz/,/Channel widths\|disabled/p'; }

section untold iw reg get
section untold-13 channel_13 phy0
section unknown start '{"country": "ZZ"}'
section after-unknown iw reg get
before=$(cut -d' ' -f1 /proc/uptime)
section telling start '{"country": "DE"}'
section took echo "kernel told and following within $(echo "$before $(cut -d' ' -f1 /proc/uptime)" | awk '{print $2 - $1}') s"
section told iw reg get
section told-13 channel_13 phy0

# All radios go, and others come.
rmmod mac80211_hwsim
section without iw reg get
insmod /modules/mac80211_hwsim.ko radios=2
sleep 1
section late-13 channel_13 "$(ls /sys/class/ieee80211 | head -1)"

# The next start of the board, as far as the kernel's rules go.
iw reg set 00
section reset iw reg get
section restarting start ''
section restart iw reg get
section changing start '{"country": "FR"}'
section changed iw reg get

make_air
for station in /sys/class/net/wlan*; do station=$(basename "$station"); done
iw phy "$(basename "$(readlink /sys/class/net/$station/phy80211)")" set netns $air
inside ip link set "$station" up
inside wpa_supplicant -B -i "$station" -c /job/hidden.conf >/dev/null
start_services

# $1: seconds in which to join.
join() {
  NetworkManager --debug --log-level=INFO >/tmp/manager.log 2>&1 &
  manager=$!
  i=0
  until [ "$(ssid)" ] || [ $i -gt "$1" ]; do i=$((i + 1)); sleep 1; done
  if [ "$(ssid)" ]; then echo "joined $(ssid)"; else echo "not joined"; fi
  kill $manager
  wait $manager
}
start "{\"wifi\": {\"ssid\": \"Shy\", \"psk\": \"$PASSPHRASE\"}}"
section visible-only join 40
start "{\"wifi\": {\"ssid\": \"Shy\", \"psk\": \"$PASSPHRASE\", \"hidden\": true}}"
section hidden join 90
section left iw reg get

# Where nobody can look up countries first, the kernel takes none that it does not know, and it is said.
echo '{"country": "ZZ"}' >/card/sealcam.json
section unchecked sealcam-appliance settings --card /card --settings /data --rules /none
section after-unchecked iw reg get
exit 0
