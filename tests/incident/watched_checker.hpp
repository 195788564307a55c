// SPDX-License-Identifier: Apache-2.0
/// Looks at what a hub opens.
#pragma once

#include <memory>
#include <utility>

#include "watch/frame_checker.hpp"
#include "witness.hpp"

namespace sealcam::incident {

/// The shared checker as one hub uses it; checks nothing itself. Looks at each frame that comes out of it unrefused:
/// none may be of another camera, or damaged.
class WatchedChecker final : public watch::FrameChecker {
 public:
  WatchedChecker(watch::FrameChecker& inner, Witness& witness) : inner_(inner), witness_(witness) {}

 private:
  watch::Lane do_add_lane(Handler handler) override {
    return inner_.add_lane([this, handler = std::move(handler)](watch::FrameCheck& frame) {
      --witness_.tally().unchecked;
      const auto* const origin = witness_.origin(frame.message);
      if (!frame.refusal && (origin == nullptr || !witness_.is_own(*origin) || origin->damaged))
        ++witness_.tally().opened_wrongly;
      handler(frame);
    });
  }
  void do_remove_lane(watch::Lane lane) override { inner_.remove_lane(lane); }
  std::unique_ptr<watch::FrameCheck> do_make() override { return inner_.make(); }
  std::size_t do_submit(watch::Lane lane, std::unique_ptr<watch::FrameCheck> frame) override {
    const auto dropped = inner_.submit(lane, std::move(frame));
    auto& tally = witness_.tally();
    tally.unchecked += 1 - dropped;
    tally.overload += dropped;
    return dropped;
  }
  void do_drain() override { inner_.drain(); }
  watch::FrameChecker& inner_;
  Witness& witness_;
};

}  // namespace sealcam::incident
