// SPDX-License-Identifier: Apache-2.0
/// What a camera's stream must remember over a power cut: seams and their files.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/bytes.hpp"
#include "core/id.hpp"
#include "core/result.hpp"
#include "core/strong.hpp"

namespace sealcam::stream {

/// The number of epochs that were begun. Thread-bound.
class EpochStore {
 public:
  virtual ~EpochStore() = default;
  /// 0 when nothing was ever stored. Errors: malformed, permission, io.
  [[nodiscard]] Result<std::uint32_t> load() const { return do_load(); }
  /// Durable when it returns. Errors: permission, io.
  [[nodiscard]] Result<> store(std::uint32_t counter) { return do_store(counter); }

 private:
  [[nodiscard]] virtual Result<std::uint32_t> do_load() const = 0;
  virtual Result<> do_store(std::uint32_t counter) = 0;
};

/// The roster that is obeyed: its whole signed message. Thread-bound.
class RosterStore {
 public:
  virtual ~RosterStore() = default;
  /// Errors: not_found (none yet), permission, io.
  [[nodiscard]] Result<Bytes> load() const { return do_load(); }
  /// Durable when it returns. Errors: permission, io.
  [[nodiscard]] Result<> store(ByteView message) { return do_store(message); }

 private:
  [[nodiscard]] virtual Result<Bytes> do_load() const = 0;
  virtual Result<> do_store(ByteView message) = 0;
};

/// The newest command, and how far it was obeyed.
struct CommandRecord {
  AccountId account;  ///< whose command it was
  CommandSeq seq;     ///< of the newest one
  CommandSeq done;    ///< of the newest one that was obeyed whole
  Bytes message;      ///< of the newest one, as long as the two differ
};

/// Thread-bound.
class CommandStore {
 public:
  virtual ~CommandStore() = default;
  /// Errors: not_found (none yet), malformed, permission, io.
  [[nodiscard]] Result<CommandRecord> load() const { return do_load(); }
  /// Durable when it returns. Errors: permission, io.
  [[nodiscard]] Result<> store(const CommandRecord& record) { return do_store(record); }

 private:
  [[nodiscard]] virtual Result<CommandRecord> do_load() const = 0;
  virtual Result<> do_store(const CommandRecord& record) = 0;
};

/// Whether the sensor is to stay closed. Thread-bound.
class PrivacyStore {
 public:
  virtual ~PrivacyStore() = default;
  /// False when nothing was ever stored. Errors: malformed, permission, io.
  [[nodiscard]] Result<bool> load() const { return do_load(); }
  /// Durable when it returns. Errors: permission, io.
  [[nodiscard]] Result<> store(bool on) { return do_store(on); }

 private:
  [[nodiscard]] virtual Result<bool> do_load() const = 0;
  virtual Result<> do_store(bool on) = 0;
};

/// The counter in decimal, with a line feed.
class EpochFile final : public EpochStore {
 public:
  explicit EpochFile(std::filesystem::path path) : path_(std::move(path)) {}

 private:
  [[nodiscard]] Result<std::uint32_t> do_load() const override;
  Result<> do_store(std::uint32_t counter) override;
  std::filesystem::path path_;
};

class RosterFile final : public RosterStore {
 public:
  explicit RosterFile(std::filesystem::path path) : path_(std::move(path)) {}

 private:
  [[nodiscard]] Result<Bytes> do_load() const override;
  Result<> do_store(ByteView message) override;
  std::filesystem::path path_;
};

/// A line "<account> <seq> <done>", and behind it the message that is not obeyed whole, sealed as it came.
class CommandFile final : public CommandStore {
 public:
  explicit CommandFile(std::filesystem::path path) : path_(std::move(path)) {}

 private:
  [[nodiscard]] Result<CommandRecord> do_load() const override;
  Result<> do_store(const CommandRecord& record) override;
  std::filesystem::path path_;
};

/// The word "on" or "off", with a line feed.
class PrivacyFile final : public PrivacyStore {
 public:
  explicit PrivacyFile(std::filesystem::path path) : path_(std::move(path)) {}

 private:
  [[nodiscard]] Result<bool> do_load() const override;
  Result<> do_store(bool on) override;
  std::filesystem::path path_;
};

}  // namespace sealcam::stream
