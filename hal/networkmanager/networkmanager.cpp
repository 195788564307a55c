// SPDX-License-Identifier: Apache-2.0
#include "hal/networkmanager/networkmanager.hpp"

#include "hal/networkmanager/bus.hpp"
#include "hal/networkmanager/join_attempt.hpp"

namespace sealcam::hal::networkmanager {

using namespace std::chrono_literals;

NetworkManager::NetworkManager(const Clock& clock, std::string address) : clock_(clock), address_(std::move(address)) {}
NetworkManager::~NetworkManager() = default;

Result<> NetworkManager::do_join(ByteView ssid, std::string_view passphrase, std::chrono::seconds limit) {
  if (attempt_) return fail(Errc::conflict, "another join attempt is running");
  if (ssid.empty() || ssid.size() > 32 || passphrase.size() < 8 || passphrase.size() > 63 || limit < 10s ||
      limit > 10min)
    return fail(Errc::invalid_argument, "SSID, passphrase or limit of a network");
  attempt_ = std::make_unique<JoinAttempt>(clock_, address_, ssid, passphrase, limit);
  progress_ = attempt_->progress();
  return {};
}

void NetworkManager::do_keep() {
  if (attempt_) attempt_->keep();
}

void NetworkManager::do_leave(JoinFault why) {
  if (!attempt_) return;
  attempt_->leave(why);
  progress_ = attempt_->progress();
}

void NetworkManager::do_forget() {
  attempt_ = std::make_unique<JoinAttempt>(clock_, address_);
  progress_ = attempt_->progress();
}

void NetworkManager::do_retry() {
  if (attempt_ || retry_) return;
  auto bus = Bus::connect(address_);
  if (!bus) return;  // a board without D-Bus
  retry_ = std::move(*bus);
  auto message = retry_->method(agents_path, agents_interface, "Register");
  if (message && ::sd_bus_message_append(message.get(), "s", "sealcam.camera") < 0) message.reset();
  retry_->call(std::move(message), [](sd_bus_message&) {}, [](const BusError&) {});
}

JoinProgress NetworkManager::do_step() {
  // The agent ends with its connection, so it is never asked for a passphrase.
  if (retry_ && (!retry_->process() || !retry_->busy())) retry_.reset();
  if (!attempt_) return progress_;
  attempt_->step();
  progress_ = attempt_->progress();
  if (attempt_->over()) attempt_.reset();
  return progress_;
}

}  // namespace sealcam::hal::networkmanager
