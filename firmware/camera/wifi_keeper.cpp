// SPDX-License-Identifier: Apache-2.0
#include "camera/wifi_keeper.hpp"

#include <algorithm>
#include <utility>

namespace sealcam::camera {

using Phase = hal::JoinProgress::Phase;
using hal::JoinFault;

/// A trial that ends the process as often as this is not begun again.
static constexpr std::uint32_t most_interrupted = 3;

WifiKeeper::WifiKeeper(const Parts& parts, const WifiTimes& times)
    : parts_(parts), times_(times), alone_since_(parts.clock.monotonic()), alone_(times.alone) {}

void WifiKeeper::load() {
  auto wifi = pairing::read_wifi_file(parts_.files, &outcome_);
  if (!wifi) {
    if (wifi.error().code != Errc::not_found) parts_.log.error("Wi-Fi: {}", to_string(wifi.error()));
    return;
  }
  wifi_ = std::move(*wifi);
  not_before_ = parts_.clock.monotonic() + times_.grace;
  if (outcome_.word.empty() && outcome_.interrupted >= most_interrupted) end(describe(JoinFault::other).word);
}

Result<> WifiKeeper::want(const protocol::Wifi& wifi) {
  if (auto r = pairing::write_wifi_file(parts_.files, wifi); !r) return r;
  wifi_ = wifi.duplicate();
  outcome_ = {};
  alone_ = times_.alone;
  not_before_ = parts_.clock.monotonic() + times_.grace;
  if (trying_) {
    again_ = true;
    parts_.network.leave(JoinFault::other);
  }
  return {};
}

bool WifiKeeper::tick(bool connected) {
  const auto* const before = trouble();
  const MonotonicTime now = parts_.clock.monotonic();
  note_connection(connected, now);
  if (trying_) follow(now);
  else if (wifi_ && due(now)) begin(now);
  return trouble() != before;
}

void WifiKeeper::note_connection(bool connected, MonotonicTime now) {
  if (connected && !connected_since_) connected_since_ = now;
  if (!connected && connected_since_) {
    connected_since_.reset();
    alone_since_ = now;
  }
}

/// A network that failed is tried again only where there is nothing to lose.
bool WifiKeeper::due(MonotonicTime now) const {
  if (outcome_.word == joined_word) return false;
  if (outcome_.word.empty()) return now >= not_before_;
  return !connected_since_ && now - alone_since_ >= alone_ && now >= not_before_;
}

void WifiKeeper::begin(MonotonicTime now) {
  if (!outcome_.word.empty()) alone_ = std::min<std::chrono::nanoseconds>(alone_ * 2, times_.longest);
  if (outcome_.word.empty()) {
    ++outcome_.interrupted;
    store();
  }
  if (auto r = parts_.network.join(wifi_->ssid, wifi_->passphrase.reveal(), times_.limit); !r) {
    parts_.log.error("Wi-Fi: {}", to_string(r.error()));
    not_before_ = now + times_.alone;
    return end(describe(JoinFault::other).word);
  }
  parts_.log.info("Wi-Fi: joining the owner's network; the earlier one is back in {} s unless the broker is reached",
                  times_.limit.count());
  trying_ = true;
  begun_.reset();
  joined_.reset();
}

void WifiKeeper::follow(MonotonicTime now) {
  const auto progress = parts_.network.step();
  if (progress.phase == Phase::looking) return;
  if (!begun_) begun_ = now;
  if (progress.phase == Phase::joined) {
    if (!joined_) {
      joined_ = progress.since;
      parts_.log.info("Wi-Fi: in the owner's network, waiting for the broker");
    }
    if (proven(now)) return parts_.network.keep();
    if (now - *begun_ >= times_.prove) parts_.network.leave(JoinFault::useless);
    return;
  }
  if (progress.phase == Phase::joining) {
    joined_.reset();
    if (now - *begun_ >= times_.join) parts_.network.leave(JoinFault::none);
    return;
  }
  trying_ = false;
  not_before_ = now + times_.grace;
  alone_since_ = now;
  if (std::exchange(again_, false)) return;  // another was named meanwhile
  if (progress.phase == Phase::kept) {
    parts_.log.info("Wi-Fi: the broker is reached over the owner's network, it stays");
    return end(joined_word);
  }
  const auto& fault = describe(progress.fault);
  parts_.log.warning("Wi-Fi: {}{}{}{}; the earlier network stays", fault.sentence, progress.detail.empty() ? "" : " (",
                     progress.detail, progress.detail.empty() ? "" : ")");
  end(fault.word);
}

/// Connected anew since it is in the network; or the connection outlived the change, as it does where the address stays
/// the same or a cable carries it, and answered since.
bool WifiKeeper::proven(MonotonicTime now) const {
  if (!connected_since_ || !joined_) return false;
  return *connected_since_ >= *joined_ || now - *joined_ >= times_.settled;
}

void WifiKeeper::end(std::string_view word) {
  outcome_ = {std::string(word), 0};
  store();
}

void WifiKeeper::store() {
  if (auto r = pairing::write_wifi_file(parts_.files, *wifi_, outcome_); !r)
    parts_.log.error("Wi-Fi: what came of the network is not stored: {}", to_string(r.error()));
}

std::string_view WifiKeeper::state() const noexcept {
  if (!wifi_) return "none";
  if (trying_) return "trying";
  return outcome_.word.empty() ? "waiting" : std::string_view(outcome_.word);
}

}  // namespace sealcam::camera
