// SPDX-License-Identifier: Apache-2.0
/// Checks frames at once on the calling thread: tests, and machines with one core.
#pragma once

#include <deque>
#include <map>

#include "watch/frame_checker.hpp"

namespace sealcam::watch {

class InlineChecker final : public FrameChecker {
 private:
  Lane do_add_lane(Handler handler) override;
  void do_remove_lane(Lane lane) override;
  std::unique_ptr<FrameCheck> do_make() override { return stock_.take(); }
  std::size_t do_submit(Lane lane, std::unique_ptr<FrameCheck> frame) override;
  void do_drain() override;

  struct Done {
    Lane lane;
    std::unique_ptr<FrameCheck> frame;
  };
  std::map<Lane, Handler> lanes_;
  std::deque<Done> done_;
  FrameStock stock_;
  std::uint64_t next_ = 1;
};

}  // namespace sealcam::watch
