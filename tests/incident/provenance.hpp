// SPDX-License-Identifier: Apache-2.0
/// Records which camera made a message when the message enters the relay, so that wrong deliveries can be counted at
/// the hub. Shown pictures are judged by their pixels instead.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_map>

#include "fault.hpp"

namespace sealcam::incident {

struct Origin {
  std::uint32_t source = 0;
  Kind kind = Kind::other;
  bool damaged = false;
};

/// Identifies messages by a 64-bit hash of all bytes. Thread-bound.
class Provenance {
 public:
  void note(ByteView message, const Origin& origin) { origins_.insert_or_assign(hash(message), origin); }
  /// Null for a message that was not recorded.
  [[nodiscard]] const Origin* find(ByteView message) const noexcept {
    const auto found = origins_.find(hash(message));
    return found == origins_.end() ? nullptr : &found->second;
  }

 private:
  static std::size_t hash(ByteView message) noexcept { return std::hash<std::string_view>{}(as_text(message)); }
  std::unordered_map<std::size_t, Origin> origins_;
};

}  // namespace sealcam::incident
