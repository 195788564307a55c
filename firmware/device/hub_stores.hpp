// SPDX-License-Identifier: Apache-2.0
/// The data that hubs keep over a power cut, besides the rosters of stores.hpp. hub_files.hpp and file_stores.hpp have
/// the stores that write files.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/types.hpp"
#include "crypto/keys.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::device {

using protocol::RequestSeq;

/// A private key of a hub to which cameras seal grants for some days.
struct StoredPrekey {
  protocol::PrekeyNumber number;
  crypto::AgreementKey key;  ///< valid until the store forgets it
  CaptureTime made;          ///< by the hub's wall clock, which may be wrong
};

/// A hub's prekeys. watch/prekeys.hpp decides when to make one and when to forget one. Thread-bound.
class PrekeyStore {
 public:
  virtual ~PrekeyStore() = default;
  /// In ascending order of the number. Deletes keys whose creation or deletion was interrupted. Errors: malformed,
  /// permission, io.
  [[nodiscard]] Result<std::vector<StoredPrekey>> load() { return do_load(); }
  /// Makes a key with a number that is larger than each earlier one. Durable when it returns. Errors: exhausted,
  /// crypto, permission, io.
  [[nodiscard]] Result<StoredPrekey> make(CaptureTime now) { return do_make(now); }
  /// Deletes the key durably. The newest one must stay, because its number is the record of the numbers that were used.
  /// Errors: permission, io.
  [[nodiscard]] Result<> forget(protocol::PrekeyNumber number) { return do_forget(number); }

 private:
  [[nodiscard]] virtual Result<std::vector<StoredPrekey>> do_load() = 0;
  [[nodiscard]] virtual Result<StoredPrekey> do_make(CaptureTime now) = 0;
  [[nodiscard]] virtual Result<> do_forget(protocol::PrekeyNumber number) = 0;
};

struct MaxEpoch {
  DeviceId camera;
  std::uint32_t counter = 0;  ///< upper 32 bits of the epoch number
};

/// The highest epoch counter of each camera that was in use at this hub. Thread-bound.
class MaxEpochStore {
 public:
  virtual ~MaxEpochStore() = default;
  /// Empty if nothing was stored. Errors: malformed, permission, io.
  [[nodiscard]] Result<std::vector<MaxEpoch>> load() const { return do_load(); }
  /// Durable when it returns. Errors: permission, io.
  [[nodiscard]] Result<> store(const DeviceId& camera, std::uint32_t counter) { return do_store(camera, counter); }

 private:
  [[nodiscard]] virtual Result<std::vector<MaxEpoch>> do_load() const = 0;
  [[nodiscard]] virtual Result<> do_store(const DeviceId& camera, std::uint32_t counter) = 0;
};

/// Sequence numbers of a hub's requests. Thread-bound.
class SequenceStore {
 public:
  virtual ~SequenceStore() = default;
  /// Reserves `count` numbers and returns the first. No number is returned twice. Durable when it returns.
  /// Errors: io, malformed, exhausted.
  [[nodiscard]] Result<RequestSeq> reserve(std::uint64_t count) { return do_reserve(count); }

 private:
  [[nodiscard]] virtual Result<RequestSeq> do_reserve(std::uint64_t count) = 0;
};

/// Takes request numbers from the store in blocks, so that only one request in a thousand waits for the disk. All
/// cameras share the series. Thread-bound.
class RequestSequence {
 public:
  static constexpr std::uint64_t block = 1000;
  explicit RequestSequence(SequenceStore& store) : store_(store) {}
  /// Errors: those of the store. The next call tries again.
  [[nodiscard]] Result<RequestSeq> next() {
    if (left_ == 0) {
      const auto first = store_.reserve(block);
      if (!first) return std::unexpected(first.error());
      next_ = first->value();
      left_ = block;
    }
    --left_;
    return RequestSeq(next_++);
  }

 private:
  SequenceStore& store_;
  std::uint64_t next_ = 0;
  std::uint64_t left_ = 0;
};

}  // namespace sealcam::device
