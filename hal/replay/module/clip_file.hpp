// SPDX-License-Identifier: Apache-2.0
/// The bytes of a recording, for libavformat.
#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>

#include "base/file.hpp"
#include "base/result.hpp"

struct AVIOContext;

namespace sealcam::hal::replay {

/// Reads without blocking, so that a stop ends each read within 100 ms, also of a FIFO that nothing writes to.
/// Thread-bound.
class ClipFile {
 public:
  /// Errors: not_found, permission, invalid_argument (a folder), malformed (empty), no_memory, io.
  [[nodiscard]] static Result<std::unique_ptr<ClipFile>> open(const std::filesystem::path& path, std::stop_token stop);
  ClipFile(const ClipFile&) = delete;
  ClipFile& operator=(const ClipFile&) = delete;
  ~ClipFile();

  /// Lives as long as this object.
  [[nodiscard]] AVIOContext* io() const noexcept { return io_; }
  /// Whether it can be read again from the start. False for a FIFO.
  [[nodiscard]] bool seekable() const noexcept { return seekable_; }
  /// Ends reads from now on.
  void set_stop(std::stop_token stop) noexcept { stop_ = std::move(stop); }
  [[nodiscard]] bool stopped() const noexcept { return stop_.stop_requested(); }
  /// Continues at the first byte. Errors: io.
  [[nodiscard]] Result<> rewind();

 private:
  ClipFile(UniqueFd fd, bool seekable, std::stop_token stop);
  static int read(void* self, std::uint8_t* out, int size) noexcept;
  static std::int64_t seek(void* self, std::int64_t offset, int whence) noexcept;

  UniqueFd fd_;
  bool seekable_;
  std::stop_token stop_;
  AVIOContext* io_ = nullptr;
};

}  // namespace sealcam::hal::replay
