// SPDX-License-Identifier: Apache-2.0
/// Decodes pictures outside the hub's process, which has its keys.
#pragma once

#include <chrono>
#include <filesystem>

#include "hal/media.hpp"

namespace sealcam::hub::decoder {

/// Time for one still, from the start of the process to its answer.
inline constexpr std::chrono::seconds max_time{3};

/// Makes stills in a process of their own, one for each still: `program` with the argument --decoder, without the
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

}  // namespace sealcam::hub::decoder
