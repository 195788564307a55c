// SPDX-License-Identifier: Apache-2.0
/// One or two accounts on the shipped code, with a broker between cameras and hubs. The adversary is the broker: it
/// records, holds back, drops, modifies and injects messages. Cameras, broker and judges share one fake clock, which is
/// the true time. The hubs have another one, because their machine may sleep. Thread-bound.
#pragma once

#include <deque>
#include <set>

#include "attacks/sides.hpp"
#include "base/testing/fakes.hpp"
#include "protocol/envelope.hpp"
#include "protocol/roster.hpp"

namespace sealcam::attacks {

using protocol::FrameKind;
using protocol::Leaf;
using test::Actor;

/// One owner with devices. Hubs after the first one have keys only. They are on the roster, and an adversary can use
/// them.
class Home {
 public:
  Home(const Ground& ground, std::size_t cameras, std::size_t hubs, std::uint16_t first_number);

  [[nodiscard]] CameraSide& camera(std::size_t i = 0) { return *cameras_.at(i); }
  [[nodiscard]] const CameraSide& camera(std::size_t i = 0) const { return *cameras_.at(i); }
  [[nodiscard]] HubSide& hub() { return *hub_; }
  [[nodiscard]] const Actor& owner() const { return owner_; }
  [[nodiscard]] const Actor& member(std::size_t i) const { return *members_.at(i); }
  [[nodiscard]] std::vector<std::unique_ptr<CameraSide>>& cameras() { return cameras_; }
  /// Adds a camera of another owner, or of a previous owner.
  void adopt(const Actor& camera, std::uint16_t number);

  /// A roster that the owner signed and that is not published. `without`: hubs that it does not list.
  [[nodiscard]] Bytes roster(std::size_t camera, std::uint64_t version,
                             const std::set<std::size_t>& without = {}) const;
  /// Publishes the list of all cameras for the first hub, retained as the owner does it.
  void publish_index();
  /// The next version of that list.
  [[nodiscard]] std::uint64_t next_index() noexcept { return ++index_version_; }
  /// Publishes a roster with the next version, retained as the owner does it.
  void publish_roster(std::size_t camera = 0, const std::set<std::size_t>& without = {});
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
  [[nodiscard]] std::uint64_t next_version() noexcept { return ++version_; }
  /// The next number for a command of the test.
  [[nodiscard]] CommandSeq next_command() noexcept { return CommandSeq(++command_); }

 private:
  Ground ground_;
  Actor owner_;
  std::vector<std::unique_ptr<Actor>> own_cameras_, members_;
  std::vector<std::unique_ptr<CameraSide>> cameras_;
  std::unique_ptr<HubSide> hub_;
  std::uint64_t version_ = 0;
  std::uint64_t index_version_ = 0;
  std::uint64_t command_ = 0;
};

struct ArenaOptions {
  std::size_t cameras = 1;
  std::size_t hubs = 2;
  bool neighbor = false;  ///< a second account
  std::chrono::milliseconds picture_every{200};
  std::size_t picture_size = 300;
};

struct Seen {
  MonotonicTime at;
  Packet packet;
  protocol::Topic topic;
};

class Arena {
 public:
  static constexpr std::chrono::milliseconds step{100};
  explicit Arena(const ArenaOptions& options = {});

  FakeClock clock;
  FakeClock hub_clock;
  CountingLog log;
  Broker broker{clock};
  Ground ground{clock, log, broker, hub_clock};
  Home home;
  std::unique_ptr<Home> neighbor;

  // ---- adversary ----
  std::vector<Seen> seen;  ///< messages while `recording`
  bool recording = false;
  /// Null: each message passes. Messages that do not pass are recorded also.
  std::function<bool(const Seen&)> passes;
  /// The delay of a message. Null: no delay.
  std::function<std::chrono::milliseconds(const Seen&)> delay;
  /// Delivers a message to the first account's hub or camera only.
  void to_hub(const protocol::Topic& topic, ByteView payload, bool retained = false);
  void to_hub(Leaf leaf, ByteView payload, bool retained = false);
  void to_camera(const protocol::Topic& topic, ByteView payload, std::size_t camera = 0);
  /// The newest recorded message of this leaf, and of this kind for frames. Throws if there is none.
  [[nodiscard]] Seen newest(Leaf leaf, std::optional<FrameKind> kind = std::nullopt);
  /// Lets all messages pass again. Drops delayed messages.
  void stop_attack();

  // ---- time ----
  void run(std::chrono::milliseconds duration);
  /// Runs until `done` is true, for at most `timeout`. Returns the last value of `done`.
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds timeout);
  /// The machine of the first account's hub, and of `more_hubs`, sleeps. Time passes for all others.
  void hub_sleeps(std::chrono::milliseconds duration);
  /// Other hubs of the first account that run with its hub.
  std::vector<std::shared_ptr<HubSide>> more_hubs;
  /// Delivers all published messages.
  void settle();
  std::function<void()> every_step;

 private:
  [[nodiscard]] bool intercept(const Packet& packet);
  ArenaOptions options_;
  struct Delayed {
    MonotonicTime due;
    Packet packet;
  };
  std::deque<Delayed> delayed_;
  bool hub_asleep_ = false;
  std::chrono::milliseconds since_picture_{0};
};

[[nodiscard]] std::string text(const protocol::Topic& topic);
[[nodiscard]] bool is_frame(Leaf leaf) noexcept;

}  // namespace sealcam::attacks
