// SPDX-License-Identifier: Apache-2.0
/// What a hub must remember over a restart: the newest roster of each camera, and which ask numbers are used.
#pragma once

#include <vector>

#include "core/bytes.hpp"
#include "core/id.hpp"
#include "core/result.hpp"
#include "core/strong.hpp"

namespace sealcam::watch {

struct StoredRoster {
  DeviceId camera;
  Bytes message;
};

/// The newest roster of each camera, whole: a hub that was restarted goes on also when the broker lost what it
/// retained. Thread-bound.
class RosterStore {
 public:
  virtual ~RosterStore() = default;
  /// Errors: io, malformed.
  [[nodiscard]] Result<std::vector<StoredRoster>> load() const { return do_load(); }
  /// Durable when it returns. Errors: io, exhausted.
  [[nodiscard]] Result<> save(const DeviceId& camera, ByteView message) { return do_save(camera, message); }

 private:
  [[nodiscard]] virtual Result<std::vector<StoredRoster>> do_load() const = 0;
  [[nodiscard]] virtual Result<> do_save(const DeviceId& camera, ByteView message) = 0;
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
