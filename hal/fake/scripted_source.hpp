// SPDX-License-Identifier: Apache-2.0
/// Faults on purpose, in front of any source.
#pragma once

#include <vector>

#include "hal/frame_source.hpp"

namespace sealcam::hal::fake {

/// What one call of next() does.
struct Step {
  enum class Kind {
    picture,  ///< the inner source's next picture
    lose,     ///< `count` pictures of the inner source are fetched and lost, then its next: a gap in the numbers
    error,    ///< `error`, without asking the inner source
  };
  Kind kind = Kind::picture;
  std::uint32_t count = 1;  ///< picture, error: calls; lose: pictures lost before the one that is given
  Errc error = Errc::timeout;

  static Step pictures(std::uint32_t n) { return {Kind::picture, n, {}}; }
  static Step lose(std::uint32_t n) { return {Kind::lose, n, {}}; }
  static Step errors(Errc code, std::uint32_t n = 1) { return {Kind::error, n, code}; }
};

/// Follows a script over another source; when the script is finished it passes everything through. After a step
/// with device_lost or end_of_stream it gives that error for ever, as a real source does. Both
/// must outlive its pictures; the inner source must outlive it. Thread-bound.
class ScriptedSource final : public FrameSource {
 public:
  ScriptedSource(FrameSource& inner, std::vector<Step> script) : inner_(inner), script_(std::move(script)) {}

  /// True when every step was done.
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

}  // namespace sealcam::hal::fake
