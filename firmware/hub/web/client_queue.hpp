// SPDX-License-Identifier: Apache-2.0
/// What waits for one client. Bounded: when a client is too slow, the camera's older groups of pictures go,
/// then all that wait of it, then those of every camera; each goes on at a key frame. Thread-bound.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "watch/picture_cache.hpp"

namespace sealcam::hub::web {

/// An access unit that several clients may wait for.
using SharedUnit = std::shared_ptr<const Bytes>;

struct QueuedPicture {
  DeviceId camera;
  watch::PictureInfo picture;
  SharedUnit unit;
  bool cached = false;
};

/// One message: a picture, or else text.
struct Outgoing {
  std::optional<QueuedPicture> picture;
  std::string text;
};

class ClientQueue {
 public:
  static constexpr std::size_t max_pictures = 150;
  static constexpr std::size_t max_bytes = 8U << 20;

  /// Returns those cameras of `known` that were not watched before. What waits of cameras that are no longer wanted
  /// goes.
  std::set<DeviceId> watch(bool all, std::set<DeviceId> cameras, const std::set<DeviceId>& known);
  [[nodiscard]] bool watches(const DeviceId& camera) const { return all_ || wanted_.contains(camera); }
  [[nodiscard]] bool watches_all() const noexcept { return all_; }
  [[nodiscard]] const std::set<DeviceId>& wanted() const noexcept { return wanted_; }

  /// Never dropped, never more than one: for what is said once.
  void push_hello(std::string text) { hello_ = std::move(text); }
  /// An answer to what the client said; replaces one that waits.
  void push_answer(std::string text) { answer_ = std::move(text); }
  /// Replaces a state that waits.
  void push_state(std::string text) { state_ = std::move(text); }
  /// A delta whose group this client does not have is left out.
  void push(QueuedPicture picture);
  /// What the hub has of a camera, marked as cached.
  void push_group(const DeviceId& camera, const watch::PictureGroup& group);
  /// What waits of this camera must not be shown any more.
  void withdraw(const DeviceId& camera);
  /// The next delta of this camera does not follow what was sent.
  void out_of_step(const DeviceId& camera) { in_step_.erase(camera); }

  /// Hello first, then an answer, then states, then pictures in order.
  [[nodiscard]] std::optional<Outgoing> pop();
  [[nodiscard]] std::size_t pictures() const noexcept { return pictures_.size(); }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  [[nodiscard]] bool full(std::size_t more) const noexcept {
    return pictures_.size() >= max_pictures || bytes_ + more > max_bytes;
  }
  template <class Which>
  void drop(Which which);
  void drop_older_groups(const DeviceId& camera);

  bool all_ = false;
  std::set<DeviceId> wanted_;
  std::set<DeviceId> in_step_;
  std::optional<std::string> hello_, answer_, state_;
  std::deque<QueuedPicture> pictures_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace sealcam::hub::web
