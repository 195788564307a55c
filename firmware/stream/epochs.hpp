// SPDX-License-Identifier: Apache-2.0
/// The life of the camera's content keys.
#pragma once

#include <optional>
#include <string>

#include "core/clock.hpp"
#include "crypto/sframe.hpp"
#include "protocol/grants.hpp"
#include "stream/stores.hpp"

namespace sealcam::stream {

struct EpochLimits {
  std::chrono::nanoseconds lifetime = std::chrono::hours(24);
  Counter frames{(std::uint64_t{1} << 32) - 1};
};

/// At most one epoch at a time: pending from begin() to open(), then open until the next begin() or
/// close(). Its base key exists only inside begin(): afterwards there is a sealing key that cannot be read and a
/// grants message that only the hubs can open. Thread-bound.
class Epochs {
 public:
  Epochs(EpochStore& store, const Clock& clock, const protocol::Route& route, const crypto::SigningKey& camera,
         std::string camera_name, const EpochLimits& limits = {});

  /// Of the epochs that begin from now on: the camera's name; the newest command that was obeyed; why the camera is not
  /// in the owner's network.
  void set_name(std::string name) { camera_name_ = std::move(name); }
  void set_command(std::optional<CommandSeq> command) noexcept { command_ = command; }
  void set_wifi(std::optional<protocol::WifiTrouble> trouble) noexcept { wifi_ = trouble; }

  /// Ends the current epoch for good, whether or not a new one can be made, then stores the new
  /// number, draws a new key and grants it to the roster's active hubs. The new epoch is pending.
  /// Errors: those of the store, exhausted (numbers used up), crypto.
  [[nodiscard]] Result<> begin(const protocol::Roster& roster, const crypto::Digest& roster_hash);
  /// The broker confirmed the grants of `epoch`; nothing happens when that is not the pending one.
  void open(Epoch epoch) noexcept;
  void close() noexcept;

  /// Pending or open; nothing when there is none.
  [[nodiscard]] std::optional<Epoch> current() const noexcept { return current_; }
  [[nodiscard]] bool is_open() const noexcept { return open_; }
  /// The grants message of the current epoch.
  [[nodiscard]] ByteView grants() const noexcept { return grants_; }
  /// Null unless open.
  [[nodiscard]] crypto::sframe::SealingKey* key() noexcept { return open_ ? &*key_ : nullptr; }
  /// The current epoch has lived long enough or counted far enough.
  [[nodiscard]] bool due() const noexcept;

 private:
  [[nodiscard]] Result<Epoch> next_epoch();

  EpochStore& store_;
  const Clock& clock_;
  protocol::Route route_;
  crypto::SigningKey camera_;
  std::string camera_name_;
  std::optional<CommandSeq> command_;
  std::optional<protocol::WifiTrouble> wifi_;
  EpochLimits limits_;
  std::optional<Epoch> current_;
  std::optional<crypto::sframe::SealingKey> key_;
  Bytes grants_;
  MonotonicTime begun_;
  std::uint32_t last_counter_ = 0;
  bool open_ = false;
};

}  // namespace sealcam::stream
