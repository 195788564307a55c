// SPDX-License-Identifier: Apache-2.0
/// A sensor and an encoder that do as the test says.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>

#include "stream/capture_loop.hpp"

namespace sealcam::test {

class CaptureFakes final : public stream::CaptureFactory {
 public:
  explicit CaptureFakes(FakeClock& clock) : clock_(clock) {}

  std::optional<Errc> source_error;  ///< of each next() until reset
  std::optional<Errc> encoder_error;
  int open_fails = 0;             ///< so many open_source() fail
  std::size_t encoder_delay = 0;  ///< pictures
  bool bitrate_unsupported = false;
  hal::PixelFormat format = hal::PixelFormat::yu12;
  Bytes unit;                 ///< of a source that encodes
  std::uint32_t bitrate = 0;  ///< of the encoder that is open
  int interval = 0, shrink = -1;
  std::uint32_t lose = 0;                  ///< pictures before the next one
  std::vector<hal::ControlInfo> controls;  ///< of a source that encodes
  std::vector<std::string> set;            ///< what was set, in words
  std::optional<Errc> set_error;
  std::map<std::uint32_t, MonotonicTime> captured;  ///< by the number since the start
  std::uint32_t total = 0;
  int sources = 0, encoders = 0;      ///< that exist now
  std::function<void()> before_next;  ///< each time a picture is fetched
  std::vector<std::string> failed;    ///< encoders that it was told of

  /// SPS, PPS and an IDR slice; a slice. As short as check_access_unit() takes.
  static Bytes key_unit() { return hex("00000001674200140000000168ce000000016588"); }
  static Bytes delta_unit() { return hex("000000014188"); }

 private:
  static Bytes hex(std::string_view text) { return *from_hex(text); }

  class Source final : public hal::FrameSource, public hal::SourceControls {
   public:
    explicit Source(CaptureFakes& fakes) : fakes_(fakes) { ++fakes_.sources; }
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    ~Source() override { --fakes_.sources; }

   private:
    Result<hal::Picture> do_next(std::chrono::milliseconds) override {
      if (fakes_.before_next) fakes_.before_next();
      if (fakes_.source_error) return fail(*fakes_.source_error, "as the test says");
      fakes_.clock_.advance(std::chrono::milliseconds(33));
      hal::Picture picture;
      picture.format = fakes_.format;
      picture.size = size();
      count_ += std::exchange(fakes_.lose, 0);
      picture.number = FrameNumber(count_++);
      picture.captured = fakes_.clock_.monotonic();
      if (picture.format == hal::PixelFormat::h264) picture.planes[0] = {fakes_.unit.data(), fakes_.unit.size()};
      fakes_.captured[fakes_.total++] = picture.captured;
      return picture;
    }
    [[nodiscard]] hal::Size do_size() const override { return {64 >> fakes_.shrink, 48 >> fakes_.shrink}; }
    [[nodiscard]] hal::PixelFormat do_format() const override { return fakes_.format; }
    [[nodiscard]] double do_rate() const override { return 30; }
    [[nodiscard]] std::string do_describe() const override { return "as the test says"; }
    hal::SourceControls* do_controls() override { return this; }
    std::vector<hal::ControlInfo> do_list() override { return fakes_.controls; }
    Result<> do_set(const hal::Setting& setting) override {
      fakes_.set.push_back(std::string(hal::name(setting.control)) + " " +
                           std::to_string(static_cast<int>(setting.value.value)));
      if (fakes_.set_error) return fail(*fakes_.set_error, "as the test says");
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
      if (fakes_.encoder_error) return fail(*fakes_.encoder_error, "as the test says");
      held_[write_++ % held_.size()] = {ByteView(bytes_), picture.number, std::exchange(keyframe_, false)};
      if (write_ <= fakes_.encoder_delay) return std::nullopt;
      return held_[(write_ - 1 - fakes_.encoder_delay) % held_.size()];
    }
    void do_request_keyframe() override { keyframe_ = true; }
    Result<> do_set_bitrate(BitsPerSecond bitrate) override {
      if (fakes_.bitrate_unsupported) return fail(Errc::unsupported, "as the test says");
      fakes_.bitrate = bitrate.value();
      return {};
    }
    [[nodiscard]] std::string do_name() const override { return "fake"; }
    CaptureFakes& fakes_;
    Bytes bytes_ = Bytes(20, std::byte{0xff});
    std::array<hal::AccessUnit, 16> held_{};
    std::size_t write_ = 0;
    bool keyframe_ = true;
  };

  Result<std::unique_ptr<hal::FrameSource>> do_open_source(int wanted) override {
    if (open_fails > 0) {
      --open_fails;
      return fail(Errc::not_found, "as the test says");
    }
    shrink = wanted;
    return std::make_unique<Source>(*this);
  }
  Result<std::unique_ptr<hal::VideoEncoder>> do_open_encoder(const hal::FrameSource&,
                                                             const stream::Quality& q) override {
    bitrate = q.bitrate.value();
    interval = q.keyframe_interval;
    return std::make_unique<Encoder>(*this);
  }
  void do_encoder_failed(std::string_view name) override { failed.emplace_back(name); }
  FakeClock& clock_;
};

struct CaptureScene {
  FakeClock clock;
  MemoryLog log;
  CaptureFakes factory{clock};
  stream::AccessUnitQueue queue;
  stream::ChallengeBoard board;
  stream::CaptureControl control{stream::Quality{}};
  int wakes = 0;
  stream::CaptureLoop loop{{factory, queue, board, control, clock, log}, [this] { ++wakes; }};
  [[nodiscard]] auto logged(std::string_view part) const {
    return std::ranges::count_if(log.lines(), [&](const auto& line) { return line.contains(part); });
  }
  void steps(int n) {
    while (n-- > 0) (void)loop.step();
  }
};

}  // namespace sealcam::test
