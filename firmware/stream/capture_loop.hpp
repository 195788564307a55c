// SPDX-License-Identifier: Apache-2.0
/// The capture thread: sensor, encoder, queue.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>

#include "core/log.hpp"
#include "hal/board_control.hpp"
#include "hal/frame_source.hpp"
#include "hal/video_encoder.hpp"
#include "stream/access_unit_queue.hpp"
#include "stream/backoff.hpp"
#include "stream/capture_control.hpp"
#include "stream/challenge_board.hpp"
#include "stream/source_steering.hpp"

namespace sealcam::stream {

/// Opens the sensor and the encoder, and opens them again. Called on the capture thread.
class CaptureFactory {
 public:
  virtual ~CaptureFactory() = default;
  /// `shrink`: how often width and height are to be halved; a sensor that cannot ignores it.
  /// Errors: whatever the backend says; asked again later.
  [[nodiscard]] Result<std::unique_ptr<hal::FrameSource>> open_source(int shrink) { return do_open_source(shrink); }
  /// For pictures like those of `source`. Errors: as above.
  [[nodiscard]] Result<std::unique_ptr<hal::VideoEncoder>> open_encoder(const hal::FrameSource& source,
                                                                        const Quality& quality) {
    return do_open_encoder(source, quality);
  }
  /// An encoder that it opened failed while it ran; another will be asked for.
  void encoder_failed(std::string_view name) { do_encoder_failed(name); }

 private:
  virtual Result<std::unique_ptr<hal::FrameSource>> do_open_source(int shrink) = 0;
  virtual Result<std::unique_ptr<hal::VideoEncoder>> do_open_encoder(const hal::FrameSource& source,
                                                                     const Quality& quality) = 0;
  virtual void do_encoder_failed(std::string_view) {}
};

/// Written by the capture thread, read by any.
struct CaptureCounters {
  std::atomic<std::uint64_t> captured = 0;  ///< pictures from the sensor
  std::atomic<std::uint64_t> encoded = 0;   ///< access units handed to the queue (also those it refused)
  std::atomic<std::uint64_t> encoded_bytes = 0;
  std::atomic<std::uint64_t> corrupt = 0;  ///< pictures marked or found damaged
  std::atomic<std::uint64_t> timeouts = 0;
  std::atomic<std::uint64_t> source_opened = 0;
  std::atomic<std::uint64_t> encoder_opened = 0;
  std::atomic<std::uint64_t> encode_ns = 0;  ///< wall time inside the encoder, summed
};

/// Fetches pictures, also when nobody watches, so that the sensor stays warm and exposed; encodes them
/// only when somebody does. The one place that decides what happens when sensor or encoder fail: they
/// are opened anew with pauses of 0.2 s up to 5 s, logged once per change. While the control says closed, both are
/// destroyed, within the 200 ms that a picture is waited for. FrameNumber goes on over a
/// re-opened source. Access units of a sensor that encodes are checked and passed on without an encoder; bitrate and
/// requests for key frames go to the sensor then. Allocates nothing per picture. Thread-bound but for the counters.
class CaptureLoop {
 public:
  struct Parts {
    CaptureFactory& factory;
    AccessUnitQueue& queue;
    ChallengeBoard& board;
    CaptureControl& control;
    const Clock& clock;
    Log& log;
    hal::BoardControl* light =
        nullptr;  ///< on before the first picture is fetched, off once the source is closed; null: none
  };
  /// `wake` is called on the capture thread after each access unit; it must neither block nor throw.
  CaptureLoop(const Parts& parts, std::function<void()> wake);
  ~CaptureLoop();

  /// Until stopped. Also ends when a finite source is at its end.
  void run(const std::stop_token& stop);
  /// One turn. Zero: go on at once; otherwise nothing can be done before that time has passed.
  /// After finished() it does nothing.
  [[nodiscard]] std::chrono::nanoseconds step();
  [[nodiscard]] bool finished() const noexcept { return finished_.load(std::memory_order_acquire); }
  [[nodiscard]] const CaptureCounters& counters() const noexcept { return counters_; }
  /// "libx264"; "sensor" when that encodes; empty before either was opened. Thread-safe.
  [[nodiscard]] std::string encoder_name() const;

 private:
  struct Travelling {  // what an encoder with latency gives back only the number of
    FrameNumber number;
    MonotonicTime captured;
    protocol::Challenge echo;
    bool used = false;
  };
  [[nodiscard]] bool open_source();
  [[nodiscard]] bool open_encoder(const Quality& quality);
  void source_failed(const Error& error);
  void encoder_failed(const Error& error);
  void lost_source();
  void close_source();
  void show_activity(bool on);
  void handle(hal::Picture& picture);
  void encode(const hal::Picture& picture, protocol::Challenge echo);
  void follow_quality(const Quality& quality);
  void pass_through(const hal::Picture& picture, protocol::Challenge echo);
  void put(ByteView bytes, const UnitInfo& info);
  void set_encoder_name(std::string name);

  Parts parts_;
  std::function<void()> wake_;
  std::unique_ptr<hal::FrameSource> source_;
  std::unique_ptr<hal::VideoEncoder> encoder_;
  SourceSteering steering_;
  std::string described_;  // the source, as it was last logged
  Quality quality_;        // what source and encoder were opened for, and the bitrate they have
  std::array<Travelling, 64> travelling_{};
  Backoff source_backoff_;
  Backoff encoder_backoff_;
  FrameNumber first_number_;  // of the source that is open
  FrameNumber next_number_;
  FrameNumber next_unit_;  // of a sensor that encodes: what goes on from the last access unit passed on
  MonotonicTime last_picture_;
  bool source_logged_ = false;
  bool light_logged_ = false;
  bool encoder_logged_ = false;
  bool picture_logged_ = false;
  std::atomic<bool> finished_ = false;
  CaptureCounters counters_;
  mutable std::mutex name_mutex_;
  std::string encoder_name_;
};

}  // namespace sealcam::stream
