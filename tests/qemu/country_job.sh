#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A board with one Wi-Fi card, given sealcam.json of several kinds; runs in the test guest. Each thing that it sees is between
# 'BEGIN name' and 'END name'.
#
#   phy0 wlan0   the board's; phy1 is for the access point, which does not say its name
. /job/settings
. /job/parts
make_system
mkdir -p /card /data/settings

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
  sealcam-appliance settings --card /card --settings /data/settings --rules /lib/firmware/regulatory.db
  cat /card/sealcam-settings-error.txt 2>/dev/null
  rm -f /card/*
  # The unit of card images, in its own words.
  [ ! -e /data/settings/country ] || eval "$(sed -n 's/^ExecStart=//p' /job/sealcam-country.service | sed 's/\$\$/$/g')"
}
# The kernel reads its database on its own time.
rules() {
  i=0
  until iw reg get | grep -q "country $1:" || [ $i -gt 20 ]; do i=$((i + 1)); sleep 0.5; done
  iw reg get
}

# Channel 13 is one that Germany allows and the world does not.
channel_13() { iw phy "$1" channels | sed -n '/\* 2472 MHz/,/Channel widths\|disabled/p'; }

section untold iw reg get
section untold-13 channel_13 phy0
section unknown start '{"country": "ZZ"}'
section after-unknown iw reg get
before=$(cut -d' ' -f1 /proc/uptime)
section telling start '{"country": "DE"}'
section told rules DE
section took echo "kernel told and following within $(echo "$before $(cut -d' ' -f1 /proc/uptime)" | awk '{print $2 - $1}') s"
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
section restart rules DE
section changing start '{"country": "FR"}'
section changed rules FR

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
section left rules FR
exit 0
