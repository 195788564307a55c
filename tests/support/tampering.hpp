// SPDX-License-Identifier: Apache-2.0
/// Checks that a message cannot be changed.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <functional>

#include "base/bytes.hpp"

namespace sealcam::test {

/// `accepted` must be true for the message (control), and false after each flipped bit, each truncation and one more
/// byte.
inline void check_tampering(const Bytes& message, const std::function<bool(ByteView)>& accepted) {
  REQUIRE(accepted(message));
  for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
    Bytes changed = message;
    changed[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    if (accepted(changed)) FAIL("bit " << bit << " may be flipped");
  }
  for (std::size_t n = 0; n < message.size(); ++n)
    if (accepted(ByteView(message).first(n))) FAIL("may be cut to " << n);
  Bytes longer = message;
  longer.push_back(std::byte{0});
  CHECK_FALSE(accepted(longer));
}

}  // namespace sealcam::test
