// SPDX-License-Identifier: Apache-2.0
/// The capture thread: sensor, encoder, queue.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "hal/board_control.hpp"
#include "hal/frame_source.hpp"
#include "hal/media.hpp"
#include "hal/picture.hpp"
#include "stream/capture/access_unit_queue.hpp"
#include "stream/capture/capture_control.hpp"
#include "stream/capture/encoding_sensor.hpp"
#include "stream/capture/motion_detector.hpp"
#include "stream/capture/received_challenges.hpp"

namespace sealcam::stream {

/// Opens the sensor and the encoder, and opens them again after a fault. Called on the capture thread.
class CaptureFactory {
 public:
  virtual ~CaptureFactory() = default;
  /// Errors: those of the back-end. The caller tries again later.
  [[nodiscard]] Result<std::unique_ptr<hal::FrameSource>> open_source() { return do_open_source(); }
  /// Opens an encoder for pictures of `source` with this size, which encodes them with encoded_size(). Errors: those of
  /// the encoder. The caller tries again later.
  [[nodiscard]] Result<std::unique_ptr<hal::VideoEncoder>> open_encoder(const hal::FrameSource& source, hal::Size size,
                                                                        const Quality& quality) {
    return do_open_encoder(source, size, quality);
  }
  /// No picture of the open source could be sent. The caller opens the source again, if possible with another format.
  void format_failed(const hal::FrameSource& source) { do_format_failed(source); }
  /// An encoder of this factory failed while it ran. The caller opens another one.
  void encoder_failed(std::string_view name) { do_encoder_failed(name); }

 private:
  virtual Result<std::unique_ptr<hal::FrameSource>> do_open_source() = 0;
  virtual Result<std::unique_ptr<hal::VideoEncoder>> do_open_encoder(const hal::FrameSource& source, hal::Size size,
                                                                     const Quality& quality) = 0;
  virtual void do_format_failed(const hal::FrameSource&) {}
  virtual void do_encoder_failed(std::string_view) {}
};

/// The size of the encoded pictures: Quality::downscale halves both sides. Even, and within the limits of every
/// encoder.
[[nodiscard]] inline hal::Size encoded_size(hal::Size size, int downscale) noexcept {
  const auto side = [downscale](int pixels) { return std::max((pixels >> downscale) & ~1, std::min(pixels, 64)); };
  return {side(size.width), side(size.height)};
}

/// The settings with which an encoder encodes `quality`, if its time runs at the rate of the sensor.
struct EncodedRate {
  double full, rate;      ///< pictures per second: of the sensor, and that are encoded
  BitsPerSecond bitrate;  ///< at the rate `full`
};
[[nodiscard]] inline EncodedRate encoded_rate(const hal::FrameSource& source, const Quality& quality) noexcept {
  const double full = std::clamp(source.rate(), 1.0, 120.0);
  const std::chrono::duration<double> interval = quality.min_interval;
  const double rate = interval.count() * full > 1 ? 1 / interval.count() : full;
  const double bitrate = std::max(quality.bitrate.value() * full / rate, static_cast<double>(hal::min_bitrate.value()));
  return {full, rate, BitsPerSecond(static_cast<std::uint32_t>(std::min(bitrate, double{hal::max_bitrate.value()})))};
}

/// Written by the capture thread, read by any thread.
struct CaptureCounters {
  std::atomic<std::uint64_t> captured = 0;  ///< pictures from the sensor
  std::atomic<std::uint64_t> encoded = 0;   ///< access units passed to the queue, including those that it rejected
  std::atomic<std::uint64_t> encoded_bytes = 0;
  std::atomic<std::uint64_t> corrupt = 0;  ///< damaged pictures
  std::atomic<std::uint64_t> timeouts = 0;
  std::atomic<std::uint64_t> source_opened = 0;
  std::atomic<std::uint64_t> encoder_opened = 0;
  std::atomic<std::uint64_t> encode_ns = 0;  ///< total time inside the encoder
  std::atomic<std::uint64_t> motions = 0;    ///< how often motion began
  std::atomic<bool> motion = false;          ///< in the last encoded picture
};

/// Fetches pictures all the time, so that the sensor stays exposed, and encodes them only while the control is active.
///
/// If the sensor or the encoder fails, the loop opens it again with pauses of 0.2 s up to 5 s, and logs each change
/// once. If the sensor delivers, but no picture could be sent for five seconds, this is a fault too: the loop opens the
/// sensor again, with another format if it has one. If the control is closed, the loop destroys both within the 200 ms
/// for which it waits for a picture. Frame numbers continue after the source is opened again. For a sensor that
/// delivers H.264, the loop checks each access unit, and sends bitrate and requests for key frames to the sensor. If
/// the sensor still sends more than the network carries, only key frames pass. The encoder paints the owner's privacy
/// masks; a sensor that encodes cannot, so that its pictures are not sent while there are masks. The motion detector
/// sees the pictures that are encoded. It starts again after the source was closed. Allocates nothing per picture.
/// Thread-bound, except for the counters.
class CaptureLoop {
 public:
  struct Dependencies {
    CaptureFactory& factory;
    AccessUnitQueue& queue;
    ReceivedChallenges& challenges;
    CaptureControl& control;
    const Clock& clock;
    Log& log;
    hal::BoardControl& board;  ///< its activity light is on from before the first picture until the source is closed
  };
  /// The loop calls `wake` on the capture thread after each access unit. `wake` must not block or throw.
  CaptureLoop(const Dependencies& deps, std::function<void()> wake);
  ~CaptureLoop();

  /// Runs until `stop`, or until a finite source ends.
  void run(const std::stop_token& stop);
  /// Runs one turn. Returns the time to wait before the next turn; zero: no wait. Does nothing after finished().
  [[nodiscard]] std::chrono::nanoseconds step();
  [[nodiscard]] bool finished() const noexcept { return finished_.load(std::memory_order_acquire); }
  [[nodiscard]] const CaptureCounters& counters() const noexcept { return counters_; }
  /// For example "libx264". "sensor" if the sensor encodes. Empty before the first encoder was opened. Thread-safe.
  [[nodiscard]] std::string encoder_name() const { return report_.encoder(); }
  /// Why no pictures can be sent: the text for CaptureControl::fault(). Empty without a fault. Thread-safe.
  [[nodiscard]] std::string fault() const { return report_.fault(); }

 private:
  struct InFlightPicture {
    MonotonicTime captured;
    protocol::Echoes echoes;
    std::uint32_t areas = 0;  // version of the masks
  };
  [[nodiscard]] bool open_source();
  [[nodiscard]] bool open_encoder(const Quality& quality);
  void source_failed(const Error& error);
  void encoder_failed(const Error& error);
  void lose_source();
  void close_source();
  void show_activity(bool on);
  void handle(hal::Picture& picture);
  void encode(const hal::Picture& picture, const protocol::Echoes& echoes);
  void follow_quality(const Quality& quality);
  void follow_areas();
  void detect_motion(MonotonicTime captured);
  void apply(const Quality& quality);
  [[nodiscard]] bool changed_enough(const Quality& quality) const noexcept;
  [[nodiscard]] bool skip(MonotonicTime captured);
  void pass_through(const hal::Picture& picture, const protocol::Echoes& echoes);
  /// Takes both requests each time, because one key frame fulfills both.
  [[nodiscard]] bool keyframe_needed() {
    const bool requested = deps_.control.take_keyframe_request();
    return deps_.queue.take_keyframe_request() || requested;
  }
  void put(ByteView bytes, const UnitInfo& info);
  void usable();
  void unusable(const Error& cause);
  [[nodiscard]] bool logged(std::string_view text);

  Dependencies deps_;
  std::function<void()> wake_;
  std::unique_ptr<hal::FrameSource> source_;
  std::unique_ptr<hal::VideoEncoder> encoder_;
  SourceController controller_;
  GroupFilter filter_;
  CaptureReport report_;
  MotionDetector detector_;
  AreaSettings areas_;
  std::uint32_t areas_version_ = 0;
  std::string description_;  // of the source, as last logged
  Quality quality_;          // of the encoder
  hal::PictureRing<InFlightPicture> in_flight_;
  Backoff source_backoff_;
  Backoff encoder_backoff_;
  FrameNumber first_number_;  // of the open source
  FrameNumber next_number_;
  FrameNumber next_unit_;  // of a sensor that encodes: continues the last access unit that was passed on
  MonotonicTime opened_;   // the source
  MonotonicTime last_picture_;
  MonotonicTime last_usable_;         // the last picture that could be sent, or was not needed
  hal::Size picture_size_;            // of the last picture
  hal::Size encoder_size_;            // of the pictures that the encoder takes
  std::vector<std::string> logged_;   // causes of unusable pictures
  std::uint64_t dropped_groups_ = 0;  // of the queue, when it took the last unit
  std::size_t held_back_ = 0;         // pictures that the encoder took since its last access unit
  bool given_up_ = false;             // the source, after its picture is returned
  BitsPerSecond requested_bitrate_{0};
  MonotonicTime quality_changed_;
  bool fixed_bitrate_ = false;        // the encoder cannot change it
  MonotonicTime next_due_;            // capture time of the next picture to encode, if the network carries fewer
  std::uint32_t since_keyframe_ = 0;  // encoded pictures
  bool source_logged_ = false;
  bool light_logged_ = false;
  bool encoder_logged_ = false;
  std::atomic<bool> finished_ = false;
  CaptureCounters counters_;
};

}  // namespace sealcam::stream
