// SPDX-License-Identifier: Apache-2.0
#include "hal/testing/scripted_source.hpp"

namespace sealcam::hal::testing {

Result<Picture> ScriptedSource::do_next(std::chrono::milliseconds timeout) {
  if (finished()) return inner_.next(timeout);
  const Step step = script_[at_];
  auto result = play(step, timeout);
  if (done_ >= step.count) {
    ++at_;
    done_ = 0;
  }
  return result;
}

Result<Picture> ScriptedSource::play(const Step& step, std::chrono::milliseconds timeout) {
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
