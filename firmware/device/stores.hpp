// SPDX-License-Identifier: Apache-2.0
/// The data that cameras keep over a power cut, the rosters of both roles, and repeated attempts to store a value.
/// file_stores.hpp has the stores that write files, hub_stores.hpp the rest of a hub's data.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/types.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::device {

using protocol::CommandSeq;

/// The counters of a camera's epochs. Thread-bound.
class EpochStore {
 public:
  virtual ~EpochStore() = default;
  /// Reserves `count` counters and returns the first. No counter is returned twice. Durable when it returns.
  /// Errors: malformed, exhausted, permission, io.
  [[nodiscard]] Result<std::uint32_t> reserve(std::uint32_t count) { return do_reserve(count); }

 private:
  [[nodiscard]] virtual Result<std::uint32_t> do_reserve(std::uint32_t count) = 0;
};

/// Takes epoch counters from the store in blocks, so that a full disk does not delay the end of an epoch. A restart
/// skips the rest of a block. Thread-bound.
class EpochSequence {
 public:
  static constexpr std::uint32_t block = 256;
  explicit EpochSequence(EpochStore& store) : store_(store) {}
  /// The next block is reserved when half of the block is left. Errors: those of the store, if no counter is left.
  [[nodiscard]] Result<std::uint32_t> next();
  /// Counters that need no store. 0 before the first next().
  [[nodiscard]] std::uint32_t left() const noexcept { return left_; }

 private:
  EpochStore& store_;
  std::uint32_t next_ = 0;
  std::uint32_t left_ = 0;
};

struct StoredRoster {
  DeviceId camera;
  Bytes message;  ///< signed, as received
};

/// The newest accepted roster of each camera. A camera stores its own. A hub stores those of all cameras, so that it
/// continues after a restart even if the broker lost its retained messages. Thread-bound.
class RosterStore {
 public:
  virtual ~RosterStore() = default;
  /// Empty if nothing was stored. Errors: exhausted (a file is too large), permission, io.
  [[nodiscard]] Result<std::vector<StoredRoster>> load() const { return do_load(); }
  /// Replaces the camera's roster. Durable when it returns. Errors: permission, io.
  [[nodiscard]] Result<> store(const DeviceId& camera, ByteView message) { return do_store(camera, message); }

 private:
  [[nodiscard]] virtual Result<std::vector<StoredRoster>> do_load() const = 0;
  [[nodiscard]] virtual Result<> do_store(const DeviceId& camera, ByteView message) = 0;
};

/// The newest command, and how far the camera applied it.
struct CommandRecord {
  AccountId account;  ///< that sent the command
  CommandSeq seq;     ///< of the newest command
  CommandSeq done;    ///< of the newest command that was applied completely
  Bytes message;      ///< the newest command; empty if it was applied completely
};

/// Thread-bound.
class CommandStore {
 public:
  virtual ~CommandStore() = default;
  /// Errors: not_found (nothing was stored), malformed, permission, io.
  [[nodiscard]] Result<CommandRecord> load() const { return do_load(); }
  /// Durable when it returns. Errors: permission, io.
  [[nodiscard]] Result<> store(const CommandRecord& record) { return do_store(record); }

 private:
  [[nodiscard]] virtual Result<CommandRecord> do_load() const = 0;
  virtual Result<> do_store(const CommandRecord& record) = 0;
};

struct HubKey {
  DeviceId hub;
  protocol::Prekey prekey;
};

/// The newest prekey of each hub that sent one, at most 64. Thread-bound.
class HubKeyStore {
 public:
  virtual ~HubKeyStore() = default;
  /// Empty if nothing was stored. Errors: malformed, permission, io.
  [[nodiscard]] Result<std::vector<HubKey>> load() const { return do_load(); }
  /// Replaces all. Durable when it returns. Errors: permission, io.
  [[nodiscard]] Result<> store(std::span<const HubKey> all) { return do_store(all); }

 private:
  [[nodiscard]] virtual Result<std::vector<HubKey>> do_load() const = 0;
  virtual Result<> do_store(std::span<const HubKey> all) = 0;
};

/// Whether privacy is on: the camera then keeps its sensor closed. Thread-bound.
class PrivacyStore {
 public:
  virtual ~PrivacyStore() = default;
  /// False if nothing was stored. Errors: malformed, permission, io.
  [[nodiscard]] Result<bool> load() const { return do_load(); }
  /// Durable when it returns. Errors: permission, io.
  [[nodiscard]] Result<> store(bool on) { return do_store(on); }

 private:
  [[nodiscard]] virtual Result<bool> do_load() const = 0;
  virtual Result<> do_store(bool on) = 0;
};

/// The owner's changes that protect people take effect before they are stored, so that a full disk does not delay them.
/// This class waits between the attempts to store them, 1 s at first and 60 s at most, and logs the first failure and
/// the success. Thread-bound.
class StoreRetry {
 public:
  /// `what` is in the log, for example "the roster". It must be a literal.
  StoreRetry(const Clock& clock, Log& log, std::string_view what)
      : clock_(clock), log_(log), what_(what), backoff_(std::chrono::seconds(1), std::chrono::seconds(60)) {}

  /// The pause after the last failure is over.
  [[nodiscard]] bool due() const { return backoff_.due(clock_.monotonic()); }
  /// Takes the result of an attempt. Returns whether the value is stored.
  bool attempted(const Result<>& result) {
    if (!result) {
      if (!failing_)
        log_.error("cannot store {}, so a restart would bring the previous state back; trying again: {}", what_,
                   to_string(result.error()));
      failing_ = true;
      backoff_.failed(clock_.monotonic());
      return false;
    }
    if (failing_) log_.info("stored {}", what_);
    failing_ = false;
    backoff_.reset();
    return true;
  }

 private:
  const Clock& clock_;
  Log& log_;
  std::string_view what_;
  Backoff backoff_;
  bool failing_ = false;
};

}  // namespace sealcam::device
