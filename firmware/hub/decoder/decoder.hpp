// SPDX-License-Identifier: Apache-2.0
/// Decodes pictures outside the hub's process, which has its keys. The hub starts a process for each snapshot, which
/// decodes one group of pictures and ends, so that no stream of a camera affects the keys of the hub or the snapshot of
/// another camera.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>

#include "base/result.hpp"
#include "hal/media.hpp"

namespace sealcam::hub::decoder {

/// Time for one still, from the start of the process to its answer.
inline constexpr std::chrono::seconds max_time{3};

/// Makes each still in a separate process: `program` with the argument --decoder, without the
/// files and the environment of the hub. Streams are not decoded, so `local` writes them. Thread-safe if `local` is.
class DecoderProcesses final : public hal::Media {
 public:
  /// `local` must outlive it.
  DecoderProcesses(hal::Media& local, std::filesystem::path program, std::chrono::milliseconds timeout = max_time)
      : local_(local), program_(std::move(program)), timeout_(timeout) {}

 private:
  class Builder;
  Result<std::unique_ptr<hal::StreamMuxer>> do_open_muxer() override { return local_.open_muxer(); }
  Result<std::unique_ptr<hal::Mp4Muxer>> do_open_mp4_muxer(hal::Size size) override {
    return local_.open_mp4_muxer(size);
  }
  /// make() also fails with `io`: the process did not start, ended without an answer, or was killed after the timeout.
  Result<std::unique_ptr<hal::StillBuilder>> do_open_still_builder() override;

  hal::Media& local_;
  std::filesystem::path program_;
  std::chrono::milliseconds timeout_;
};

/// With this argument, the program runs run_child().
inline constexpr const char* child_argument = "--decoder";

/// Standard input is a stream socket. Request: number of access units, then size and bytes of each one. Answer: 0 or
/// Errc + 1, native error, size of the JPEG, and its bytes. Numbers have four bytes, big-endian.
inline constexpr std::size_t answer_size = 12;
inline constexpr std::size_t max_request = 9U << 20;
inline constexpr std::size_t max_units = 100'000;
inline constexpr std::size_t max_jpeg = 16U << 20;

/// Opens a still builder, closes all files except standard input, enters the sandbox, serves one request. Returns the
/// exit code; the caller must call _exit() with it. Single-threaded programs only.
[[nodiscard]] int run_child(hal::Media& media) noexcept;

/// Private memory, addresses (with those of libraries), and processor time of one decoder.
inline constexpr std::size_t max_memory = 512U << 20;
inline constexpr std::size_t max_addresses = 2048U << 20;
inline constexpr std::chrono::seconds max_processor_time{4};

/// Limits memory, processor time, files and processes of this process, then installs a system call filter (seccomp(2))
/// for this thread. It permits to read and write open files, to manage memory that is not executable, and to exit. All
/// other system calls fail with EPERM. It cannot be undone. Errors: unsupported (the kernel has no filters).
[[nodiscard]] Result<> enter_sandbox();

}  // namespace sealcam::hub::decoder
