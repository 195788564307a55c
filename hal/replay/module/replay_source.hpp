// SPDX-License-Identifier: Apache-2.0
/// A recording as a source.
#pragma once

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "hal/frame_source.hpp"
#include "hal/replay/module/reader.hpp"

namespace sealcam::hal::replay {

/// YU12 pictures of a recording, at the times of the file or at the configured rate. A thread decodes and scales in
/// advance into a ring of buffers, so that next() only waits until a picture is due. If the caller is late, the numbers
/// have a gap, but the recording continues with its next picture. A picture that stays for long is repeated, so that
/// the stream continues: a still at the rate, another picture twice a second. Thread-bound.
class ReplaySource final : public FrameSource, private BufferOwner {
 public:
  /// Reads the first picture. Errors: as ReplayBackend::open().
  [[nodiscard]] static Result<std::unique_ptr<ReplaySource>> open(const ReplayConfig& config, const Clock& clock);
  ~ReplaySource() override;

 private:
  /// Two for the caller, the one to repeat, one ready, and one that the thread fills.
  static constexpr std::uint32_t buffer_count = 5;
  struct Buffer {
    Bytes bytes;
    std::chrono::nanoseconds at{0};  // since the first picture
    bool ready = false;              // filled and not returned yet
    int leases = 0;
  };
  /// The next picture to return.
  struct Turn {
    std::uint32_t buffer;
    MonotonicTime due;
    bool repeats;
  };

  ReplaySource(const ReplayConfig& config, const Clock& clock, std::unique_ptr<Reader> reader);
  void read_ahead(const std::stop_token& stop);
  [[nodiscard]] Buffer* find_free() noexcept;
  void add_ready(const Buffer& buffer) noexcept;
  Result<Turn> next_turn(std::chrono::milliseconds timeout);
  [[nodiscard]] MonotonicTime continue_at(MonotonicTime due, MonotonicTime now) noexcept;
  void take(const Turn& turn) noexcept;
  void give_back(std::uint32_t buffer) noexcept override;

  Result<Picture> do_next(std::chrono::milliseconds timeout) override;
  [[nodiscard]] Size do_size() const override { return config_.size; }
  [[nodiscard]] PixelFormat do_format() const override { return PixelFormat::yu12; }
  [[nodiscard]] Colors do_colors() const override { return colors_; }
  [[nodiscard]] double do_rate() const override { return rate_; }
  [[nodiscard]] std::string do_describe() const override;

  ReplayConfig config_;
  const Clock& clock_;
  std::unique_ptr<Reader> reader_;  // used only by the thread while it runs
  std::chrono::nanoseconds interval_, max_gap_;
  double rate_;
  Colors colors_;
  std::optional<MonotonicTime> origin_;  // when the first picture was due
  MonotonicTime last_due_{};
  std::uint32_t number_ = 0;

  std::mutex mutex_;  // guards the members below
  std::condition_variable_any changed_;
  std::array<Buffer, buffer_count> buffers_;
  std::array<std::uint32_t, buffer_count> ready_{};  // a ring of buffers in the order of the file
  std::uint32_t ready_at_ = 0;
  std::uint32_t ready_count_ = 0;
  std::optional<std::uint32_t> current_;  // the buffer of the last picture
  bool still_ = false;
  std::optional<Error> finished_;  // why the recording ended
  std::jthread thread_;            // last, so that it ends before the members that it uses are destroyed
};

}  // namespace sealcam::hal::replay
