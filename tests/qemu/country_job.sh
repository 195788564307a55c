#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Applies several versions of sealcam.json on a board with one Wi-Fi adapter. Runs in the test guest. Prints each result between
# 'BEGIN name' and 'END name'.
#
#   phy0 wlan0   adapter of the board; phy1 is for the access point with the hidden network
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
# A start of the board. $1 is the content of sealcam.json on the SD card.
start() {
  [ "$1" ] && echo "$1" >/card/sealcam.json
  sealcam-image-init settings --card /card --settings /data/settings --rules /lib/firmware/regulatory.db
  cat /card/sealcam-settings-error.txt 2>/dev/null
  rm -f /card/*
  # Runs the command of the unit in the image.
  [ ! -e /data/settings/country ] || eval "$(sed -n 's/^ExecStart=//p' /job/sealcam-country.service | sed 's/\$\$/$/g')"
}
# The kernel reads its database asynchronously.
rules() {
  i=0
  until iw reg get | grep -q "country $1:" || [ $i -gt 20 ]; do i=$((i + 1)); sleep 0.5; done
  iw reg get
}

# Germany allows channel 13; the rules for all countries do not.
channel_13() { iw phy "$1" channels | sed -n '/\* 2472 MHz/,/Channel widths\|disabled/p'; }

section unset iw reg get
section unset-13 channel_13 phy0
section unknown start '{"country": "ZZ"}'
section after-unknown iw reg get
before=$(cut -d' ' -f1 /proc/uptime)
section setting start '{"country": "DE"}'
section set rules DE
section took echo "kernel applied the country within $(echo "$before $(cut -d' ' -f1 /proc/uptime)" | awk '{print $2 - $1}') s"
section set-13 channel_13 phy0

# Removes all radios and adds new ones.
rmmod mac80211_hwsim
section without iw reg get
insmod /modules/mac80211_hwsim.ko radios=2
sleep 1
section late-13 channel_13 "$(ls /sys/class/ieee80211 | head -1)"

# Simulates the next start of the board for the kernel's rules.
iw reg set 00
section reset iw reg get
section restarting start ''
section restart rules DE
section changing start '{"country": "FR"}'
section changed rules FR

make_air
for access_point in /sys/class/net/wlan*; do access_point=$(basename "$access_point"); done
iw phy "$(basename "$(readlink /sys/class/net/$access_point/phy80211)")" set netns $air
inside ip link set "$access_point" up
inside wpa_supplicant -B -i "$access_point" -c /job/hidden.conf >/dev/null
start_services

# $1: maximum seconds until the join.
join() {
  NetworkManager --debug --log-level=INFO >/tmp/manager.log 2>&1 &
  manager=$!
  i=0
  until [ "$(ssid)" ] || [ $i -gt "$1" ]; do i=$((i + 1)); sleep 1; done
  if [ "$(ssid)" ]; then echo "joined $(ssid)"; else echo "not joined"; fi
  kill $manager
  wait $manager
}
start "{\"wifi\": {\"ssid\": \"Hidden\", \"psk\": \"$PASSPHRASE\"}}"
section visible-only join 40
start "{\"wifi\": {\"ssid\": \"Hidden\", \"psk\": \"$PASSPHRASE\", \"hidden\": true}}"
section hidden join 90
section left rules FR
exit 0
