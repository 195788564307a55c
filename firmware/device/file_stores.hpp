// SPDX-License-Identifier: Apache-2.0
/// The stores of stores.hpp as files of a state folder. A damaged file is an error and never replaced by new state:
/// a device that loses its counters would use a key twice or accept an old message.
///
/// The files of a camera are reserved files: prepare() allocates their space, so that a disk that is full later does
/// not stop the camera.
#pragma once

#include <filesystem>
#include <optional>
#include <utility>

#include "base/file.hpp"
#include "device/hub_stores.hpp"
#include "device/stores.hpp"

namespace sealcam::device {

/// The last reserved counter in decimal, followed by a line feed.
class EpochFile final : public EpochStore {
 public:
  explicit EpochFile(std::filesystem::path path) : file_(std::move(path), 32) {}
  /// Errors: permission, io.
  [[nodiscard]] Result<> prepare() { return file_.reserve(); }
  /// The last reserved counter; 0 if there is none. Errors: malformed, permission, io.
  [[nodiscard]] Result<std::uint32_t> load() const;

 private:
  [[nodiscard]] Result<std::uint32_t> do_reserve(std::uint32_t count) override;
  ReservedFile file_;
  std::uint32_t last_ = 0;  ///< by this object
};

/// A folder with one file per camera. The file's name is the camera's id, its content the signed message.
class RosterFolder final : public RosterStore {
 public:
  /// The first store() creates the folder, and makes its entry durable even if an interrupted call created it.
  explicit RosterFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// Makes the roster of this camera a reserved file. For a camera, which stores only its own roster. Errors:
  /// permission, io.
  [[nodiscard]] Result<> prepare(const DeviceId& own);

 private:
  [[nodiscard]] Result<std::vector<StoredRoster>> do_load() const override;
  [[nodiscard]] Result<> do_store(const DeviceId& camera, ByteView message) override;
  [[nodiscard]] Result<> make_folder();
  std::filesystem::path folder_;
  std::optional<ReservedFile> own_;
  bool durable_ = false;  ///< the folder's entry
};

/// A line "<account> <seq> <done>". The sealed message follows if the command was not applied completely.
class CommandFile final : public CommandStore {
 public:
  explicit CommandFile(std::filesystem::path path);
  /// Errors: permission, io.
  [[nodiscard]] Result<> prepare() { return file_.reserve(); }

 private:
  [[nodiscard]] Result<CommandRecord> do_load() const override;
  Result<> do_store(const CommandRecord& record) override;
  ReservedFile file_;
};

/// The word "on" or "off", followed by a line feed.
class PrivacyFile final : public PrivacyStore {
 public:
  explicit PrivacyFile(std::filesystem::path path) : file_(std::move(path), 16) {}
  /// Errors: permission, io.
  [[nodiscard]] Result<> prepare() { return file_.reserve(); }

 private:
  [[nodiscard]] Result<bool> do_load() const override;
  Result<> do_store(bool on) override;
  ReservedFile file_;
};

/// "SCK1", followed by 93 bytes for each hub: id, number (8 bytes, big-endian), key.
class HubKeyFile final : public HubKeyStore {
 public:
  explicit HubKeyFile(std::filesystem::path path);
  /// Errors: permission, io.
  [[nodiscard]] Result<> prepare() { return file_.reserve(); }

 private:
  [[nodiscard]] Result<std::vector<HubKey>> do_load() const override;
  Result<> do_store(std::span<const HubKey> all) override;
  ReservedFile file_;
};

/// "SCQ1", followed by the first unused number (8 bytes, big-endian).
class SequenceFile final : public SequenceStore {
 public:
  /// A missing file starts at 1. Errors: permission, io, malformed.
  [[nodiscard]] static Result<SequenceFile> open(std::filesystem::path path);

 private:
  SequenceFile(std::filesystem::path path, std::uint64_t next) : path_(std::move(path)), next_(next) {}
  [[nodiscard]] Result<RequestSeq> do_reserve(std::uint64_t count) override;
  std::filesystem::path path_;
  std::uint64_t next_;
};

}  // namespace sealcam::device
