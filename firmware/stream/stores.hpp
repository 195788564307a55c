// SPDX-License-Identifier: Apache-2.0
/// What a camera's stream must remember over a power cut: two seams and their files.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/bytes.hpp"
#include "core/result.hpp"

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

}  // namespace sealcam::stream
