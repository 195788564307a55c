// SPDX-License-Identifier: Apache-2.0
#include "hal/networkmanager/networkmanager.hpp"

#include "hal/networkmanager/trial.hpp"

namespace sealcam::hal::networkmanager {

using namespace std::chrono_literals;

NetworkManager::NetworkManager(const Clock& clock, std::string address) : clock_(clock), address_(std::move(address)) {}
NetworkManager::~NetworkManager() = default;

Result<> NetworkManager::do_join(ByteView ssid, std::string_view passphrase, std::chrono::seconds limit) {
  if (trial_) return fail(Errc::conflict, "another network is on trial");
  if (ssid.empty() || ssid.size() > 32 || passphrase.size() < 8 || passphrase.size() > 63 || limit < 10s ||
      limit > 10min)
    return fail(Errc::invalid_argument, "a network to join");
  trial_ = std::make_unique<Trial>(clock_, address_, ssid, passphrase, limit);
  progress_ = trial_->progress();
  return {};
}

void NetworkManager::do_keep() {
  if (trial_) trial_->keep();
}

void NetworkManager::do_leave(JoinFault why) {
  if (!trial_) return;
  trial_->leave(why);
  progress_ = trial_->progress();
}

void NetworkManager::do_forget() {
  trial_ = std::make_unique<Trial>(clock_, address_);
  progress_ = trial_->progress();
}

JoinProgress NetworkManager::do_step() {
  if (!trial_) return progress_;
  trial_->step();
  progress_ = trial_->progress();
  if (trial_->over()) trial_.reset();
  return progress_;
}

}  // namespace sealcam::hal::networkmanager
