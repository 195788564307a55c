// SPDX-License-Identifier: Apache-2.0
#include "camera/wifi_outcome.hpp"

#include <algorithm>
#include <array>

namespace sealcam::camera {

using hal::JoinFault;
using protocol::WifiTrouble;

static constexpr std::array faults = {
    WifiFault{JoinFault::other, "other", WifiTrouble::other, "the network could not be joined",
              "see journalctl -u NetworkManager"},
    WifiFault{JoinFault::unmanaged, "unmanaged", WifiTrouble::cannot, "no NetworkManager runs here",
              "install and start NetworkManager, or join the network by hand"},
    WifiFault{JoinFault::no_card, "no_card", WifiTrouble::cannot, "there is no Wi-Fi card that NetworkManager manages",
              "see nmcli device; a card that is 'unmanaged' there belongs to another program"},
    WifiFault{JoinFault::switched_off, "switched_off", WifiTrouble::cannot, "the Wi-Fi card is switched off",
              "rfkill unblock wifi; a Raspberry Pi keeps it off until its Wi-Fi country is set"},
    WifiFault{JoinFault::not_permitted, "not_permitted", WifiTrouble::cannot,
              "NetworkManager does not let the camera's user change networks",
              "put 50-sealcam-camera.rules of board/common into /etc/polkit-1/rules.d"},
    WifiFault{JoinFault::not_found, "not_found", WifiTrouble::not_found, "the network was not found",
              "check its name, and that it reaches the camera"},
    WifiFault{JoinFault::refused, "refused", WifiTrouble::refused, "the network refused the passphrase",
              "say it again: sealcam camera wifi"},
    WifiFault{JoinFault::no_address, "no_address", WifiTrouble::no_address, "the network gave no address",
              "see the router's DHCP"},
    WifiFault{JoinFault::useless, "no_broker", WifiTrouble::no_broker, "the broker was not reached over the network",
              "let the network reach the broker's address, or name another network"},
};

const WifiFault& describe(JoinFault fault) noexcept {
  const auto* const it = std::ranges::find(faults, fault, &WifiFault::fault);
  return it == faults.end() ? faults.front() : *it;
}

const WifiFault* fault_of(std::string_view word) noexcept {
  if (word.empty() || word == joined_word) return nullptr;
  const auto* const it = std::ranges::find(faults, word, &WifiFault::word);
  return it == faults.end() ? &faults.front() : &*it;
}

}  // namespace sealcam::camera
