// SPDX-License-Identifier: Apache-2.0
/// The seam to what connects the board to a wireless network.
#pragma once

#include <string_view>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace sealcam::hal {

/// Thread-bound.
class NetworkControl {
 public:
  virtual ~NetworkControl() = default;
  /// Has the board join this network from now on, also after a restart. Returns before it did.
  /// Errors: unsupported (nobody here manages the network), permission, io.
  [[nodiscard]] Result<> join(ByteView ssid, std::string_view passphrase) { return do_join(ssid, passphrase); }

 private:
  virtual Result<> do_join(ByteView ssid, std::string_view passphrase) = 0;
};

/// For boards whose network somebody else manages: all of them today.
class UnmanagedNetwork final : public NetworkControl {
  Result<> do_join(ByteView, std::string_view) override {
    return fail(Errc::unsupported, "this board's network is not managed by Sealcam");
  }
};

}  // namespace sealcam::hal
