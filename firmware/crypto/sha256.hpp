// SPDX-License-Identifier: Apache-2.0
/// SHA-256 in pieces, so that a frame is hashed where it lies.
#pragma once

#include <array>
#include <cstddef>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace sealcam::crypto {

using Digest = std::array<std::byte, 32>;

/// Thread-bound. Errors of finish(): crypto.
class Sha256 {
 public:
  Sha256() noexcept;
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();
  Sha256& update(ByteView part) noexcept;
  [[nodiscard]] Result<Digest> finish() noexcept;

 private:
  // Room for psa_hash_operation_t; its size is checked in the source file.
  alignas(16) std::array<std::byte, 512> operation_;
  bool failed_ = false;
};

[[nodiscard]] Result<Digest> sha256(ByteView message) noexcept;

}  // namespace sealcam::crypto
