// SPDX-License-Identifier: Apache-2.0
/// A recording as a sensor.
#pragma once

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "hal/pacer.hpp"
#include "hal/replay/module/reader.hpp"

namespace sealcam::hal::replay {

/// YU12 pictures of a recording. A thread of its own decodes and scales ahead into a ring of buffers, so that next()
/// only waits for the moment a picture is due. A picture's number is that of the moment; pictures that nobody fetched
/// in time leave a gap in the numbers, while the recording goes on with its next picture. Thread-bound.
class ReplaySource final : public FrameSource, private BufferOwner {
 public:
  /// The first picture is read before this returns. Errors: as open_replay().
  [[nodiscard]] static Result<std::unique_ptr<ReplaySource>> open(const ReplayConfig& config, const Clock& clock);
  ~ReplaySource() override;

 private:
  /// Two for the caller, one that is ready and one in the making.
  static constexpr std::uint32_t buffer_count = 4;
  enum class State { free, ready, leased };
  struct Buffer {
    Bytes bytes;
    State state = State::free;
  };

  ReplaySource(const ReplayConfig& config, const Clock& clock, std::unique_ptr<Reader> reader);
  void read_ahead(const std::stop_token& stop);
  Result<std::uint32_t> wait_ready(std::chrono::milliseconds timeout);
  void give_back(std::uint32_t buffer) noexcept override;

  Result<Picture> do_next(std::chrono::milliseconds timeout) override;
  [[nodiscard]] Size do_size() const override { return config_.size; }
  [[nodiscard]] PixelFormat do_format() const override { return PixelFormat::yu12; }
  [[nodiscard]] double do_rate() const override { return rate_; }
  [[nodiscard]] std::string do_describe() const override;

  ReplayConfig config_;
  std::unique_ptr<Reader> reader_;  // the thread's alone once it runs
  double rate_;
  Pacer pacer_;

  std::mutex mutex_;  // guards state, ready_ and finished_
  std::condition_variable_any changed_;
  std::array<Buffer, buffer_count> buffers_;
  std::array<std::uint32_t, buffer_count> ready_{};  // ring of buffers in reading order
  std::uint32_t ready_at_ = 0;
  std::uint32_t ready_count_ = 0;
  std::optional<Error> finished_;  // why there will be no more
  std::jthread thread_;            // last: it ends before what it uses
};

}  // namespace sealcam::hal::replay
