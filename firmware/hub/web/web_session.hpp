// SPDX-License-Identifier: Apache-2.0
/// A client that receives pictures: the WebSocket of a page, or a player's stream. Thread-bound.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "hub/access/access.hpp"
#include "watch/picture_sink.hpp"

namespace sealcam::hub::web {

/// An access unit. The queues of several clients share it.
using SharedUnit = std::shared_ptr<const Bytes>;

struct QueuedPicture {
  DeviceId camera;
  watch::PictureInfo picture;
  SharedUnit unit;
  bool cached = false;
};

/// One message: a picture or a text.
struct Outgoing {
  std::optional<QueuedPicture> picture;
  std::string text;
};

/// The messages for one client, in memory of a fixed maximum. For a slow client the queue drops the older groups of the
/// camera, then all pictures of the cameras with the most bytes and pictures. Each camera continues with a key frame.
class ClientQueue {
 public:
  static constexpr std::size_t max_pictures = 150;
  static constexpr std::size_t max_bytes = 8U << 20;

  /// Sets the cameras that the client watches and drops the pictures of all others. Returns the cameras of `known` that
  /// it did not watch before.
  std::set<DeviceId> watch(bool all, std::set<DeviceId> cameras, const std::set<DeviceId>& known);
  [[nodiscard]] bool watches(const DeviceId& camera) const { return all_ || desired_.contains(camera); }
  [[nodiscard]] bool watches_all() const noexcept { return all_; }
  [[nodiscard]] const std::set<DeviceId>& desired() const noexcept { return desired_; }

  /// Sent once and never dropped.
  void push_hello(std::string text) { hello_ = std::move(text); }
  /// Replaces an answer that is still in the queue.
  void push_answer(std::string text) { answer_ = std::move(text); }
  /// Replaces a pong that is still in the queue.
  void push_pong(std::string text) { pong_ = std::move(text); }
  /// Replaces a state that is still in the queue.
  void push_state(std::string text) { state_ = std::move(text); }
  /// Ignores a delta if the client does not have the pictures before it.
  void push(QueuedPicture picture);
  /// Queues a cached group.
  void push_group(const DeviceId& camera, const watch::PictureGroup& group);
  /// Drops the pictures of a blocked camera.
  void withdraw(const DeviceId& camera);
  /// Skips the deltas of this camera up to the next key frame.
  void out_of_step(const DeviceId& camera) { in_step_.erase(camera); }

  /// Returns the hello message first, then a pong, then an answer, then a state, then pictures in order.
  [[nodiscard]] std::optional<Outgoing> pop();
  [[nodiscard]] std::size_t pictures() const noexcept { return pictures_.size(); }
  /// Pictures dropped because the client was slow.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  [[nodiscard]] bool full(std::size_t more) const noexcept {
    return pictures_.size() >= max_pictures || bytes_ + more > max_bytes;
  }
  template <class Which>
  void drop(Which which);
  void drop_older_groups(const DeviceId& camera);

  bool all_ = false;
  std::set<DeviceId> desired_;
  std::set<DeviceId> in_step_;  ///< the client has the pictures that the next delta needs
  std::optional<std::string> hello_, pong_, answer_, state_;
  std::deque<QueuedPicture> pictures_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

/// Its pending handlers keep it alive. It is in ServerShared::sessions while it receives pictures. The hub requests the
/// cameras that its queue watches.
class WebSession {
 public:
  virtual void send(QueuedPicture picture) = 0;
  virtual void send_state(const std::string& text) = 0;
  /// Drops the queued pictures of a blocked camera. The watcher is the caller, so this must not change any interest.
  virtual void withdraw(const DeviceId& camera) = 0;
  /// Called about ten times a second.
  virtual void tick() = 0;
  virtual void close() = 0;
  [[nodiscard]] const ClientQueue& queue() const noexcept { return queue_; }
  /// The server closes the session when this token is deleted.
  [[nodiscard]] const access::TokenHash& token() const noexcept { return token_; }

 protected:
  explicit WebSession(const access::TokenHash& token) : token_(token) {}
  ~WebSession() = default;
  ClientQueue queue_;

 private:
  access::TokenHash token_;
};

}  // namespace sealcam::hub::web
