#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A board with one Wi-Fi card among three access points, on radios that the kernel simulates; runs in the test guest.
#
#   phy0 wlan0   the board: NetworkManager, wpa_supplicant, polkit, the camera as its own user
#   phy1 phy2    'Old' and 'New', both bridged to the network where the broker is
#   phy3         'Nowhere': gives addresses, and leads to nothing
#
# The access points live in a network namespace of their own, with the guest's Ethernet. Arguments come from /job/settings.
. /job/settings
. /job/parts
make_system
chmod 600 /etc/NetworkManager/system-connections/*

# ---- the air -----------------------------------------------------------------------------------------------------
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
  until inside brctl addif br0 wlan$n 2>/dev/null; do i=$((i + 1)); [ $i -lt 100 ] || say "no access point wlan$n"; sleep 0.3; done
done
inside ip addr add 10.7.7.1/24 dev wlan3
inside udhcpd -f /job/udhcpd.conf >/tmp/udhcpd.log 2>&1 &
say "access points are there"

# ---- the board's services ----------------------------------------------------------------------------------------
start_services
start_manager() { NetworkManager --debug --log-level=INFO >>/tmp/manager.log 2>&1 & manager=$!; }
start_manager
[ "$SHOW" ] && tail -f /tmp/manager.log &
i=0
until [ "$(ssid)" = Old ] && ip addr show dev wlan0 | grep -q 'inet 10.0.2'; do
  i=$((i + 1))
  if [ $i -gt 90 ]; then say "the board did not get into Old"; tail -30 /tmp/manager.log /tmp/polkit.log /tmp/supplicant.log; exit 1; fi
  sleep 0.5
done
say "the board is in Old"

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
    [ "$now" = "$last" ] || say "NOW $now"
    last=$now
  done
) &

# The rule comes only after the camera was not permitted without it.
mv $rule /tmp/rule
until [ "$(word)" = not_permitted ]; do sleep 0.2; done
mv /tmp/rule $rule
sleep 2
say "RULE is there"

memory() { ls /run/NetworkManager/system-connections | tr '\n' ' '; }

# The second time that it tries Nowhere, NetworkManager dies there. While the camera stands still, the next one goes to
# Nowhere by itself: what the camera must undo.
until [ "$(word)" = no_broker ]; do sleep 0.5; done
until [ "$(word)" = trying ] && [ "$(ssid)" = Nowhere ]; do sleep 0.2; done
sleep 3
kill -STOP $camera
kill -9 $manager
wait $manager 2>/dev/null
say "CRASHED"
ip addr flush dev wlan0
start_manager
i=0
until { [ "$(ssid)" = Nowhere ] && ip addr show dev wlan0 | grep -q 'inet 10.7.7'; } || [ $i -gt 300 ]; do
  i=$((i + 1))
  sleep 0.2
done
say "WITHOUT the camera in $(ssid): $(memory)"
kill -CONT $camera
say "RESUMED"
until [ "$(word)" != trying ] && [ "$(ssid)" = New ] && grep -q '"connected":true' /tmp/status.json; do sleep 0.2; done
say "UNDONE in $(ssid), $(word): $(memory)"

# The third time the camera dies there.
until [ "$(word)" = trying ] && [ "$(ssid)" = Nowhere ]; do sleep 0.2; done
sleep 3
say "PROFILES on trial: $(memory)"
kill -9 $camera
say "KILLED"
i=0
until [ "$(ssid)" = New ] || [ $i -gt 600 ]; do i=$((i + 1)); sleep 0.2; done
say "BACK in $(ssid)"
sleep 3
say "DISK $(stat -c '%a %U %n;' /etc/NetworkManager/system-connections/* | tr '\n' ' ')"
say "MEMORY $(memory)"
for secret in $SECRETS; do
  grep -l "$secret" /tmp/*.log && say "SECRET in a log"
done
exit 0
