// SPDX-License-Identifier: Apache-2.0
/// A frame checker that observes which frames a hub opens.
#pragma once

#include <memory>
#include <utility>

#include "watch/verify_pool.hpp"
#include "witness.hpp"

namespace sealcam::incident {

/// Passes all calls to the shared checker. Counts accepted frames that are damaged or of another camera.
class WatchedChecker final : public watch::FrameChecker {
 public:
  WatchedChecker(watch::FrameChecker& inner, Witness& witness) : inner_(inner), witness_(witness) {}

 private:
  watch::VerificationQueue do_add_queue(Handler handler) override {
    return inner_.add_queue([this, handler = std::move(handler)](watch::FrameCheck& frame) {
      --witness_.tally().unchecked;
      const auto* const origin = witness_.origin(frame.message);
      if (!frame.rejection && (origin == nullptr || !witness_.is_own(*origin) || origin->damaged))
        ++witness_.tally().opened_wrongly;
      handler(frame);
    });
  }
  void do_remove_queue(watch::VerificationQueue queue) override { inner_.remove_queue(queue); }
  std::unique_ptr<watch::FrameCheck> do_make() override { return inner_.make(); }
  std::size_t do_submit(watch::VerificationQueue queue, std::unique_ptr<watch::FrameCheck> frame) override {
    const auto dropped = inner_.submit(queue, std::move(frame));
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
