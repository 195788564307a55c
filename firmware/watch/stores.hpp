// SPDX-License-Identifier: Apache-2.0
/// What a hub must remember over a restart: the newest roster of each camera, and which ask numbers are used.
#pragma once

#include <optional>

#include "core/id.hpp"
#include "core/result.hpp"
#include "core/strong.hpp"
#include "crypto/sha256.hpp"

namespace sealcam::watch {

/// Version of a roster and the SHA-256 of its content (the COSE payload: a signature has two spellings).
struct RosterMark {
  RosterVersion version;
  crypto::Digest content{};
  friend bool operator==(const RosterMark&, const RosterMark&) = default;
};

/// Thread-bound.
class RosterStore {
 public:
  virtual ~RosterStore() = default;
  /// Nothing when this camera is new. Errors: io, malformed.
  [[nodiscard]] Result<std::optional<RosterMark>> load(const DeviceId& camera) const { return do_load(camera); }
  /// Durable when it returns. Errors: io, exhausted.
  [[nodiscard]] Result<> save(const DeviceId& camera, const RosterMark& mark) { return do_save(camera, mark); }

 private:
  [[nodiscard]] virtual Result<std::optional<RosterMark>> do_load(const DeviceId& camera) const = 0;
  [[nodiscard]] virtual Result<> do_save(const DeviceId& camera, const RosterMark& mark) = 0;
};

/// Thread-bound.
class SequenceStore {
 public:
  virtual ~SequenceStore() = default;
  /// The first of `count` numbers that were never given out and never will be again. Durable when it returns.
  /// Errors: io, malformed, exhausted.
  [[nodiscard]] Result<AskSeq> reserve(std::uint64_t count) { return do_reserve(count); }

 private:
  [[nodiscard]] virtual Result<AskSeq> do_reserve(std::uint64_t count) = 0;
};

/// Numbers for asks, one series for all cameras. Thread-bound.
class AskSequence {
 public:
  static constexpr std::uint64_t block = 1000;
  explicit AskSequence(SequenceStore& store) : store_(store) {}
  /// Errors: those of the store; the next call tries again.
  [[nodiscard]] Result<AskSeq> next();

 private:
  SequenceStore& store_;
  std::uint64_t next_ = 0;
  std::uint64_t left_ = 0;
};

}  // namespace sealcam::watch
