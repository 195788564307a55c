// SPDX-License-Identifier: Apache-2.0
/// The scene for tests of the capture thread: a sensor and an encoder that the test controls.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/testing/fakes.hpp"
#include "hal/testing/fake_board.hpp"
#include "stream/capture/capture_loop.hpp"

namespace sealcam::test {

class CaptureFakes final : public stream::CaptureFactory {
 public:
  explicit CaptureFakes(FakeClock& clock) : clock_(clock) {}

  std::optional<Errc> source_error;  ///< of each next(), until the test resets it
  std::optional<Errc> encoder_error;
  int open_fails = 0;             ///< number of open_source() calls that fail
  std::size_t encoder_delay = 0;  ///< pictures
  bool bitrate_unsupported = false;
  hal::PixelFormat format = hal::PixelFormat::yu12;
  Bytes unit;                              ///< of a source that encodes
  std::uint32_t bitrate = 0;               ///< of the encoder that is open
  double rate = 0;                         ///< of the last change of the bitrate
  std::chrono::milliseconds vbv{0};        ///< the same
  int interval = 0, downscale = -1;        ///< of the encoder that was opened last
  std::uint32_t lose = 0;                  ///< pictures that are lost before the next one
  std::vector<hal::ControlInfo> controls;  ///< of a source that encodes
  std::vector<std::string> set;            ///< controls that were set, with their values
  std::optional<Errc> set_error;
  std::map<std::uint32_t, MonotonicTime> captured;  ///< by the number of the picture since the start
  std::uint32_t total = 0;
  int sources = 0, encoders = 0;            ///< that exist now
  std::function<void()> before_next;        ///< called before each picture is fetched
  std::function<void()> on_open, on_close;  ///< called while the source is opened and closed
  std::vector<std::string> failed;          ///< encoders reported as failed
  int formats_failed = 0;                   ///< reports of formats whose pictures cannot be sent
  hal::Size source_size{64, 48};            ///< of the source
  std::optional<hal::Size> real_size;       ///< of pictures, if the source reports another one
  hal::Size encoder_size;                   ///< of the encoder that was opened last
  std::size_t masks = 0;                    ///< of the encoder that is open
  std::vector<std::size_t> encoded_masks;   ///< of each encoded picture, while `record_masks`
  bool record_masks = false;
  std::function<hal::Luma()> luma;  ///< of the last picture

  /// Short access units that check_access_unit() accepts: SPS, PPS and an IDR slice; one slice.
  static Bytes key_unit() { return hex("000000016742c01eda0507e40000000168ce388000000001658884"); }
  static Bytes delta_unit() { return hex("00000001419a24"); }

 private:
  static Bytes hex(std::string_view text) { return *from_hex(text); }

  class Source final : public hal::FrameSource, public hal::SourceControls {
   public:
    explicit Source(CaptureFakes& fakes) : fakes_(fakes) { ++fakes_.sources; }
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    ~Source() override {
      --fakes_.sources;
      if (fakes_.on_close) fakes_.on_close();
    }

   private:
    Result<hal::Picture> do_next(std::chrono::milliseconds) override {
      if (fakes_.before_next) fakes_.before_next();
      if (fakes_.source_error) return fail(*fakes_.source_error, "set by the test");
      fakes_.clock_.advance(std::chrono::milliseconds(33));
      hal::Picture picture;
      picture.format = fakes_.format;
      picture.size = fakes_.real_size.value_or(size());
      count_ += std::exchange(fakes_.lose, 0);
      picture.number = FrameNumber(count_++);
      picture.captured = fakes_.clock_.monotonic();
      if (picture.format == hal::PixelFormat::h264) picture.planes[0] = {fakes_.unit.data(), fakes_.unit.size()};
      fakes_.captured[fakes_.total++] = picture.captured;
      return picture;
    }
    [[nodiscard]] hal::Size do_size() const override { return fakes_.source_size; }
    [[nodiscard]] hal::PixelFormat do_format() const override { return fakes_.format; }
    [[nodiscard]] double do_rate() const override { return 30; }
    [[nodiscard]] std::string do_describe() const override { return "set by the test"; }
    hal::SourceControls* do_controls() override { return this; }
    std::vector<hal::ControlInfo> do_list() override { return fakes_.controls; }
    Result<> do_set(const hal::Setting& setting) override {
      fakes_.set.push_back(std::string(hal::name(setting.control)) + " " +
                           std::to_string(static_cast<int>(setting.value.value)));
      if (fakes_.set_error) return fail(*fakes_.set_error, "set by the test");
      return {};
    }
    CaptureFakes& fakes_;
    std::uint32_t count_ = 0;
  };

  class Encoder final : public hal::VideoEncoder {
   public:
    explicit Encoder(CaptureFakes& fakes) : fakes_(fakes) { ++fakes_.encoders; }
    Encoder(const Encoder&) = delete;
    Encoder& operator=(const Encoder&) = delete;
    ~Encoder() override { --fakes_.encoders; }

   private:
    Result<std::optional<hal::AccessUnit>> do_encode(const hal::Picture& picture) override {
      if (fakes_.encoder_error) return fail(*fakes_.encoder_error, "set by the test");
      if (fakes_.record_masks) fakes_.encoded_masks.push_back(fakes_.masks);
      held_[write_++ % held_.size()] = {ByteView(bytes_), picture.number, std::exchange(keyframe_, false)};
      if (write_ <= fakes_.encoder_delay) return std::nullopt;
      return held_[(write_ - 1 - fakes_.encoder_delay) % held_.size()];
    }
    void do_request_keyframe() override { keyframe_ = true; }
    Result<> do_set_bitrate(BitsPerSecond bitrate, double rate, std::chrono::milliseconds vbv) override {
      if (fakes_.bitrate_unsupported) return fail(Errc::unsupported, "set by the test");
      fakes_.bitrate = bitrate.value();
      fakes_.rate = rate;
      fakes_.vbv = vbv;
      return {};
    }
    void do_set_masks(std::span<const PictureArea> masks) override { fakes_.masks = masks.size(); }
    [[nodiscard]] hal::Luma do_luma() const noexcept override { return fakes_.luma ? fakes_.luma() : hal::Luma(); }
    [[nodiscard]] std::string do_name() const override { return "fake"; }
    CaptureFakes& fakes_;
    Bytes bytes_ = Bytes(20, std::byte{0xff});
    std::array<hal::AccessUnit, 16> held_{};
    std::size_t write_ = 0;
    bool keyframe_ = true;
  };

  Result<std::unique_ptr<hal::FrameSource>> do_open_source() override {
    if (on_open) on_open();
    if (open_fails > 0) {
      --open_fails;
      return fail(Errc::not_found, "set by the test");
    }
    return std::make_unique<Source>(*this);
  }
  Result<std::unique_ptr<hal::VideoEncoder>> do_open_encoder(const hal::FrameSource&, hal::Size size,
                                                             const stream::Quality& q) override {
    encoder_size = size;
    bitrate = q.bitrate.value();
    interval = q.keyframe_interval;
    downscale = q.downscale;
    return std::make_unique<Encoder>(*this);
  }
  void do_format_failed(const hal::FrameSource&) override { ++formats_failed; }
  void do_encoder_failed(std::string_view name) override { failed.emplace_back(name); }
  FakeClock& clock_;
};

struct CaptureScene {
  FakeClock clock;
  MemoryLog log;
  CaptureFakes factory{clock};
  stream::AccessUnitQueue queue;
  stream::ReceivedChallenges challenges;
  stream::CaptureControl control{stream::Quality{}};
  int wakes = 0;
  hal::testing::FakeBoard board;
  stream::CaptureLoop loop{{factory, queue, challenges, control, clock, log, board}, [this] { ++wakes; }};
  [[nodiscard]] auto logged(std::string_view part) const {
    return std::ranges::count_if(log.lines(), [&](const auto& line) { return line.contains(part); });
  }
  /// Fetches pictures for this time.
  void run_for(std::chrono::milliseconds time) {
    for (const auto end = clock.monotonic() + time; clock.monotonic() < end;)
      if (const auto wait = loop.step(); wait.count() > 0) clock.advance(wait);
  }
  void steps(int n) {
    while (n-- > 0) (void)loop.step();
  }
};

/// Pushes one unit per letter, numbered from `first` on and filled with its number. I is a key frame, P a delta.
inline void push_gop(stream::AccessUnitQueue& queue, std::string_view letters, std::uint32_t first = 0,
                     std::size_t size = 100, MonotonicTime captured = {std::chrono::hours(1)}) {
  for (const char letter : letters) {
    const Bytes unit(size, static_cast<std::byte>(first));
    stream::UnitInfo info;
    info.number = FrameNumber(first++);
    info.captured = captured;
    info.keyframe = letter == 'I';
    queue.push(unit, info);
  }
}

/// Takes all units. Returns letters and numbers, such as "I0 P1". "!" marks a unit that is not filled with its number.
inline std::string drain(stream::AccessUnitQueue& queue) {
  std::string text;
  while (const auto unit = queue.take()) {
    if (!text.empty()) text += ' ';
    text += unit->info.keyframe ? 'I' : 'P';
    text += std::to_string(unit->info.number.value());
    for (const std::byte b : unit->plaintext.subspan(protocol::FrameHeader::min_size))
      if (b != static_cast<std::byte>(unit->info.number.value())) {
        text += '!';
        break;
      }
    queue.release();
  }
  return text;
}

}  // namespace sealcam::test
