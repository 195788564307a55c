#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A board with one Wi-Fi adapter and three access points, on simulated radios. Runs in the test guest.
#
#   phy0 wlan0   the board: NetworkManager, wpa_supplicant, polkit, the camera as its own user
#   phy1 phy2    'Old' and 'New', both bridged to the network where the broker is
#   phy3         'Nowhere', which assigns addresses but has no connection to the broker
#
# The access points and the guest's Ethernet are in a separate network namespace. /job/settings has the arguments.
. /job/settings
. /job/parts
make_system
chmod 600 /etc/NetworkManager/system-connections/*

# ---- access points -----------------------------------------------------------------------------------------------------
make_air
ip addr flush dev eth0
ip link set eth0 netns $air
for n in 1 2 3; do iw phy phy$n set netns $air; done
inside brctl addbr br0
inside brctl addif br0 eth0
inside ip link set eth0 up
inside ip link set br0 up
n=0
for name in Old New Nowhere; do
  n=$((n + 1))
  inside ip link set wlan$n up
  inside wpa_supplicant -B -i wlan$n -c /job/$name.conf >/dev/null
done
for n in 1 2; do
  i=0
  until inside brctl addif br0 wlan$n 2>/dev/null; do i=$((i + 1)); [ $i -lt 100 ] || report "no access point wlan$n"; sleep 0.3; done
done
inside ip addr add 10.7.7.1/24 dev wlan3
inside udhcpd -f /job/udhcpd.conf >/tmp/udhcpd.log 2>&1 &
report "the access points run"

# ---- the board's services ----------------------------------------------------------------------------------------
start_services
start_manager() { NetworkManager --debug --log-level=INFO >>/tmp/manager.log 2>&1 & manager=$!; }
start_manager
[ "$SHOW" ] && tail -f /tmp/manager.log &
i=0
until [ "$(ssid)" = Old ] && ip addr show dev wlan0 | grep -q 'inet 10.0.2'; do
  i=$((i + 1))
  if [ $i -gt 90 ]; then report "the board did not join Old"; tail -30 /tmp/manager.log /tmp/polkit.log /tmp/supplicant.log; exit 1; fi
  sleep 0.5
done
report "the board joined Old"

# ---- the camera --------------------------------------------------------------------------------------------------
rule=/usr/share/polkit-1/rules.d/50-sealcam-camera.rules
chown -R sealcam-camera:sealcam-camera /job/state
chmod 1777 /tmp
start-stop-daemon -S -c sealcam-camera:sealcam-camera -x /usr/bin/sealcam-camera -- \
  --state /job/state --config /job/camera.json --status /tmp/status.json &
camera=$!
word() { sed -n 's/.*"wifi":"\([a-z_]*\)".*/\1/p' /tmp/status.json 2>/dev/null; }
(
  last=
  while sleep 0.2; do
    now="$(ssid) $(sed -n 's/.*"connected":\([a-z]*\).*/\1/p' /tmp/status.json 2>/dev/null) $(word)"
    [ "$now" = "$last" ] || report "NOW $now"
    last=$now
  done
) &

# Installs the polkit rule after the camera reported not_permitted without it.
mv $rule /tmp/rule
until [ "$(word)" = not_permitted ]; do sleep 0.2; done
mv /tmp/rule $rule
sleep 2
report "RULE is there"

memory() { ls /run/NetworkManager/system-connections | tr '\n' ' '; }

# At the second attempt to join Nowhere, NetworkManager is killed. While the camera is stopped, a new NetworkManager joins
# Nowhere again. The camera must undo this.
until [ "$(word)" = no_broker ]; do sleep 0.5; done
until [ "$(word)" = trying ] && [ "$(ssid)" = Nowhere ]; do sleep 0.2; done
sleep 3
kill -STOP $camera
kill -9 $manager
wait $manager 2>/dev/null
report "CRASHED"
ip addr flush dev wlan0
start_manager
i=0
until { [ "$(ssid)" = Nowhere ] && ip addr show dev wlan0 | grep -q 'inet 10.7.7'; } || [ $i -gt 300 ]; do
  i=$((i + 1))
  sleep 0.2
done
report "WITHOUT the camera in $(ssid): $(memory)"
kill -CONT $camera
report "RESUMED"
until [ "$(word)" != trying ] && [ "$(ssid)" = New ] && grep -q '"connected":true' /tmp/status.json; do sleep 0.2; done
report "UNDONE in $(ssid), $(word): $(memory)"

# At the third attempt, the camera is killed.
until [ "$(word)" = trying ] && [ "$(ssid)" = Nowhere ]; do sleep 0.2; done
sleep 3
report "PROFILES during the join: $(memory)"
kill -9 $camera
report "KILLED"
i=0
until [ "$(ssid)" = New ] || [ $i -gt 600 ]; do i=$((i + 1)); sleep 0.2; done
report "BACK in $(ssid)"
sleep 3
report "DISK $(stat -c '%a %U %n;' /etc/NetworkManager/system-connections/* | tr '\n' ' ')"
report "MEMORY $(memory)"
for secret in $SECRETS; do
  grep -l "$secret" /tmp/*.log && report "SECRET in a log"
done
exit 0
