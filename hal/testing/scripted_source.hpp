// SPDX-License-Identifier: Apache-2.0
/// Injects faults into a source.
#pragma once

#include <vector>

#include "hal/frame_source.hpp"

namespace sealcam::hal::testing {

/// The effect of one call of next().
struct Step {
  enum class Kind {
    picture,  ///< the inner source's next picture
    lose,   ///< drops `count` pictures of the inner source and returns the next one, which leaves a gap in the numbers
    error,  ///< returns `error` without a call of the inner source
  };
  Kind kind = Kind::picture;
  std::uint32_t count = 1;  ///< picture, error: calls; lose: dropped pictures
  Errc error = Errc::timeout;

  static Step pictures(std::uint32_t n) { return {Kind::picture, n, {}}; }
  static Step lose(std::uint32_t n) { return {Kind::lose, n, {}}; }
  static Step errors(Errc code, std::uint32_t n = 1) { return {Kind::error, n, code}; }
};

/// Applies a script to an inner source, then passes all calls through. A step with device_lost or end_of_stream repeats
/// for ever, as in a real source. The inner source must outlive this. Thread-bound.
class ScriptedSource final : public FrameSource {
 public:
  ScriptedSource(FrameSource& inner, std::vector<Step> script) : inner_(inner), script_(std::move(script)) {}

  /// Whether all steps are done.
  [[nodiscard]] bool finished() const noexcept { return at_ == script_.size(); }

 private:
  Result<Picture> do_next(std::chrono::milliseconds timeout) override;
  Result<Picture> play(const Step& step, std::chrono::milliseconds timeout);
  [[nodiscard]] Size do_size() const override { return inner_.size(); }
  [[nodiscard]] PixelFormat do_format() const override { return inner_.format(); }
  [[nodiscard]] double do_rate() const override { return inner_.rate(); }
  [[nodiscard]] std::string do_describe() const override { return "scripted: " + inner_.describe(); }

  FrameSource& inner_;
  std::vector<Step> script_;
  std::size_t at_ = 0;
  std::uint32_t done_ = 0;  // of the step at at_
};

inline Result<Picture> ScriptedSource::do_next(std::chrono::milliseconds timeout) {
  if (finished()) return inner_.next(timeout);
  const Step step = script_[at_];
  auto result = play(step, timeout);
  if (done_ >= step.count) {
    ++at_;
    done_ = 0;
  }
  return result;
}

inline Result<Picture> ScriptedSource::play(const Step& step, std::chrono::milliseconds timeout) {
  if (step.kind == Step::Kind::error) {
    if (step.error != Errc::device_lost && step.error != Errc::end_of_stream) ++done_;
    return fail(step.error, "scripted fault");
  }
  while (step.kind == Step::Kind::lose && done_ < step.count) {
    const auto lost = inner_.next(timeout);
    if (!lost) return std::unexpected(lost.error());
    ++done_;
  }
  auto picture = inner_.next(timeout);
  // A timeout of the inner source does not count as a picture.
  if (picture && step.kind == Step::Kind::picture) ++done_;
  return picture;
}

}  // namespace sealcam::hal::testing
