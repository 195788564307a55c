// SPDX-License-Identifier: Apache-2.0
/// Topics: `sealcam/1/<account>/<camera>/<leaf>` and `…/ask/<hub>`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/envelope.hpp"

namespace sealcam::protocol {

enum class Leaf { roster, command, grants, video, still, status, ask };
[[nodiscard]] std::string_view name(Leaf leaf) noexcept;

struct Topic {
  Route route;
  Leaf leaf = Leaf::status;
  DeviceId hub;  ///< Leaf::ask only
  friend bool operator==(const Topic&, const Topic&) = default;
};

/// Every leaf but ask.
[[nodiscard]] std::string topic(const Route& route, Leaf leaf);
[[nodiscard]] std::string ask_topic(const Route& route, const DeviceId& hub);
/// Filter for the asks of every hub: `…/ask/+`.
[[nodiscard]] std::string ask_filter(const Route& route);
/// Filter for one leaf of every camera of an account: `sealcam/1/<account>/+/<leaf>`.
[[nodiscard]] std::string account_filter(const AccountId& account, Leaf leaf);

/// Errors: malformed.
[[nodiscard]] Result<Topic> parse_topic(std::string_view text);

}  // namespace sealcam::protocol
