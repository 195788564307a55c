// SPDX-License-Identifier: Apache-2.0
#include "watch/inline_checker.hpp"

namespace sealcam::watch {

Lane InlineChecker::do_add_lane(Handler handler) {
  const Lane lane{next_++};
  lanes_.emplace(lane, std::move(handler));
  return lane;
}

void InlineChecker::do_remove_lane(Lane lane) {
  lanes_.erase(lane);
  std::erase_if(done_, [&](const Done& d) { return d.lane == lane; });
}

std::size_t InlineChecker::do_submit(Lane lane, std::unique_ptr<FrameCheck> frame) {
  check_frame(*frame);
  done_.push_back({lane, std::move(frame)});
  return 0;
}

void InlineChecker::do_drain() {
  while (!done_.empty()) {
    auto done = std::move(done_.front());
    done_.pop_front();
    if (const auto lane = lanes_.find(done.lane); lane != lanes_.end()) lane->second(*done.frame);
    stock_.put(std::move(done.frame));
  }
}

}  // namespace sealcam::watch
