// SPDX-License-Identifier: Apache-2.0
/// How many wrong pairing codes came since the device was switched on. Killing or restarting the program gives nobody
/// new tries: the number is durable and names the boot of the kernel (/proc/sys/kernel/random/boot_id).
#pragma once

#include <filesystem>
#include <string>

#include "core/result.hpp"

namespace sealcam::pairing {

/// Thread-bound.
class TryCounter {
 public:
  virtual ~TryCounter() = default;
  /// Wrong codes since power-up.
  [[nodiscard]] unsigned used() const noexcept { return do_used(); }
  /// One more; counted for this process even when it cannot be stored. Errors: permission, io (it is not durable).
  [[nodiscard]] Result<> count() { return do_count(); }

 private:
  [[nodiscard]] virtual unsigned do_used() const noexcept = 0;
  [[nodiscard]] virtual Result<> do_count() = 0;
};

/// In the file `pairing-tries` of the state folder.
class FileTryCounter final : public TryCounter {
 public:
  /// What a damaged file counts as: enough to close pairing until the next power-up.
  static constexpr unsigned damaged = 1000;
  /// `boot` names this run of the kernel; a file of another boot counts as none. Errors: permission, io.
  [[nodiscard]] static Result<FileTryCounter> open(std::filesystem::path file, std::string boot);

 private:
  FileTryCounter(std::filesystem::path file, std::string boot, unsigned used)
      : file_(std::move(file)), boot_(std::move(boot)), used_(used) {}
  [[nodiscard]] unsigned do_used() const noexcept override { return used_; }
  [[nodiscard]] Result<> do_count() override;
  [[nodiscard]] Result<> store() const;
  std::filesystem::path file_;
  std::string boot_;
  unsigned used_;
};

/// The kernel's boot id. Errors: not_found, permission, io, malformed.
[[nodiscard]] Result<std::string> boot_id();

}  // namespace sealcam::pairing
