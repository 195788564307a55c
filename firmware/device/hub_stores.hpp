// SPDX-License-Identifier: Apache-2.0
/// The data that hubs keep over a power cut, besides the rosters of stores.hpp, and the stores as files of the state
/// folder. A damaged file is an error, as in file_stores.hpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/types.hpp"
#include "crypto/key_store.hpp"
#include "crypto/keys.hpp"
#include "crypto/sframe.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::device {

struct RecordedEpoch {
  protocol::Route route;
  crypto::PublicKey owner;
  Bytes roster;  ///< message: the newest one when the epoch became current; it lists this hub
  Bytes grants;  ///< message
  protocol::Epoch epoch;
  crypto::sframe::BaseKey base_key;
  std::string camera_name;  ///< as in the grant, not made safe for people
};

using protocol::RequestSeq;

/// A private key of a hub to which cameras seal grants for some days.
struct StoredPrekey {
  protocol::PrekeyNumber number;
  crypto::AgreementKey key;  ///< valid until the store deletes it
  CaptureTime made;          ///< by the hub's wall clock, which may be wrong
};

/// A hub's prekeys. watch/prekeys.hpp decides when to make one and when to delete one. Thread-bound.
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

/// A line "<camera> <counter>" for each camera, in ascending order.
class MaxEpochFile final : public MaxEpochStore {
 public:
  explicit MaxEpochFile(std::filesystem::path path) : path_(std::move(path)) {}

 private:
  using Counters = std::map<DeviceId, std::uint32_t>;
  [[nodiscard]] Result<std::vector<MaxEpoch>> do_load() const override;
  [[nodiscard]] Result<> do_store(const DeviceId& camera, std::uint32_t counter) override;
  [[nodiscard]] Result<Counters> read() const;
  std::filesystem::path path_;
};

/// A line "<number> <time of making>" for each prekey, in ascending order. The keys are in the key store.
class PrekeyFile final : public PrekeyStore {
 public:
  /// `keys` must outlive the store.
  PrekeyFile(std::filesystem::path path, const crypto::KeyStore& keys) : path_(std::move(path)), keys_(keys) {}

 private:
  struct Line {
    std::uint32_t number = 0;
    CaptureTime made;
  };
  [[nodiscard]] Result<std::vector<StoredPrekey>> do_load() override;
  [[nodiscard]] Result<StoredPrekey> do_make(CaptureTime now) override;
  [[nodiscard]] Result<> do_forget(protocol::PrekeyNumber number) override;
  [[nodiscard]] Result<std::vector<Line>> read() const;
  [[nodiscard]] Result<> write(const std::vector<Line>& lines) const;
  std::filesystem::path path_;
  const crypto::KeyStore& keys_;
};

}  // namespace sealcam::device
