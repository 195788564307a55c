// SPDX-License-Identifier: Apache-2.0
/// One or two accounts on the shipped code, a broker between camera and hub, and an adversary who is the broker: sees,
/// records, holds, drops, changes and injects whatever passes. One fake clock for all. Thread-bound.
#pragma once

#include <deque>
#include <set>

#include "attacks/sides.hpp"
#include "protocol/roster.hpp"
#include "protocol/topic.hpp"

namespace sealcam::attacks {

using protocol::FrameKind;
using protocol::Leaf;
using test::Actor;

/// One owner with devices. Hubs beyond the first are keys only: they are on the roster, and can be an adversary's.
class Home {
 public:
  Home(const Ground& ground, std::size_t cameras, std::size_t hubs, std::uint16_t first_number);

  [[nodiscard]] CameraSide& camera(std::size_t i = 0) { return *cameras_.at(i); }
  [[nodiscard]] HubSide& hub() { return *hub_; }
  [[nodiscard]] const Actor& owner() const { return owner_; }
  [[nodiscard]] const Actor& member(std::size_t i) const { return *members_.at(i); }
  [[nodiscard]] std::vector<std::unique_ptr<CameraSide>>& cameras() { return cameras_; }
  /// A camera that another owner had, or has.
  void adopt(const Actor& camera, std::uint16_t number);

  /// Signed by the owner, published nowhere. `without`: hubs left out.
  [[nodiscard]] Bytes roster(std::size_t camera, std::uint64_t version,
                             const std::set<std::size_t>& without = {}) const;
  /// The next version, retained at the broker as the owner does it.
  void publish_roster(std::size_t camera = 0, const std::set<std::size_t>& without = {});
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
  [[nodiscard]] std::uint64_t next_version() noexcept { return ++version_; }
  /// Of commands, which are the tests' to make.
  [[nodiscard]] CommandSeq next_command() noexcept { return CommandSeq(++command_); }

 private:
  Ground ground_;
  Actor owner_;
  std::vector<std::unique_ptr<Actor>> own_cameras_, members_;
  std::vector<std::unique_ptr<CameraSide>> cameras_;
  std::unique_ptr<HubSide> hub_;
  std::uint64_t version_ = 0;
  std::uint64_t command_ = 0;
};

struct ArenaOptions {
  std::size_t cameras = 1;
  std::size_t hubs = 2;
  bool neighbour = false;  ///< a second account
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
  CountingLog log;
  Broker broker{clock};
  Ground ground{clock, log, broker};
  Home home;
  std::unique_ptr<Home> neighbour;

  // ---- the adversary ----
  std::vector<Seen> seen;  ///< while recording
  bool recording = false;
  /// Null: everything passes. What does not pass is seen, too.
  std::function<bool(const Seen&)> passes;
  /// Null or zero: at once. Otherwise it passes so much later.
  std::function<std::chrono::milliseconds(const Seen&)> delay;
  /// To the first account's hub or camera alone.
  void to_hub(const protocol::Topic& topic, ByteView payload, bool retained = false);
  void to_hub(Leaf leaf, ByteView payload, bool retained = false);
  void to_camera(const protocol::Topic& topic, ByteView payload, std::size_t camera = 0);
  /// The newest recorded message of this leaf (and kind, of frames); throws when there is none.
  [[nodiscard]] Seen newest(Leaf leaf, std::optional<FrameKind> kind = std::nullopt);
  /// Lets everything pass again; what was delayed is gone.
  void let_go();

  // ---- time ----
  void run(std::chrono::milliseconds duration);
  /// Until `done`, at most this long; false when it never was.
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds patience);
  /// Delivers what was published meanwhile.
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
  std::chrono::milliseconds since_picture_{0};
};

[[nodiscard]] std::string text(const protocol::Topic& topic);
[[nodiscard]] bool is_frame(Leaf leaf) noexcept;

}  // namespace sealcam::attacks
