// SPDX-License-Identifier: Apache-2.0
// A hub's Watcher under a broker that does what the input says (watcher_story.hpp), with an honest camera behind it.
// watcher_judge.hpp knows what was really taken and when; here is what happens, and that memory stays bounded.
#include "input.hpp"
#include "watch/inline_checker.hpp"
#include "watcher_judge.hpp"
#include "watcher_story.hpp"

using namespace sealcam;
using namespace sealcam::fuzz;
using protocol::FrameKind;
using protocol::Leaf;

namespace {

constexpr std::size_t longest_story = 48;
/// What waits for its grants (2 MiB) or came before its roster (64 messages of 56 KiB), with buffers for use again.
constexpr std::size_t memory_limit = 5U << 20;

class NoLog final : public Log {
  void write(LogLevel, std::string_view) override {}
};

class RosterMemory final : public watch::RosterStore {
  Result<std::vector<watch::StoredRoster>> do_load() const override {
    if (message_.empty()) return {};
    return std::vector{watch::StoredRoster{cast().camera.id(), message_}};
  }
  Result<> do_save(const DeviceId& camera, ByteView message) override {
    SC_ASSERT(camera == cast().camera.id());
    message_.assign(message.begin(), message.end());
    return {};
  }
  Bytes message_;
};

class Numbers final : public watch::SequenceStore {
  Result<AskSeq> do_reserve(std::uint64_t count) override { return AskSeq(std::exchange(free_, free_ + count)); }
  std::uint64_t free_ = 1;
};

/// Takes the hub's asks to the camera at once.
class Client final : public transport::MqttClient {
 public:
  bool up = true;
  [[nodiscard]] protocol::Challenge newest(Epoch epoch) const {
    const auto found = challenges_.find(epoch);
    return found == challenges_.end() ? protocol::Challenge() : found->second;
  }

 private:
  void do_publish(const transport::Publication& p, PublishHandler done) override {
    SC_ASSERT(p.topic == protocol::ask_topic(cast().route, cast().hub.id()));
    const auto ask = must(protocol::decode_ask(p.payload, cast().route, cast().hub.verifier()));
    SC_ASSERT(ask.seq > last_);
    last_ = ask.seq;
    challenges_[ask.epoch] = ask.challenge;
    done({});
  }
  void do_subscribe(std::string_view, transport::Qos) override {}
  void do_unsubscribe(std::string_view) override {}
  bool do_connected() const override { return up; }
  std::size_t do_in_flight() const override { return 0; }
  std::size_t do_unsent_bytes() const override { return 0; }
  std::map<Epoch, protocol::Challenge> challenges_;
  AskSeq last_;
};

const Bytes& roster(std::size_t which) {
  static const auto* const all = [] {
    const auto& owner = cast().owner.keys().identity;
    auto other = cast().roster(3);
    other.suspended.clear();
    return new std::array{
        must(protocol::encode_roster(cast().roster(1), cast().route, owner)),
        must(protocol::encode_roster(cast().roster(2, false), cast().route, owner)),
        must(protocol::encode_roster(cast().roster(3), cast().route, owner)),
        must(protocol::encode_roster(other, cast().route, owner)),
        must(protocol::encode_roster(cast().roster(9), cast().route, cast().stranger.keys().identity))};
  }();
  return (*all)[which % all->size()];
}

/// A frame of an epoch that nobody granted, signed by the camera.
const Bytes& large_frame() {
  static const auto* const one = [] {
    auto key = must(crypto::sframe::SealingKey::open(HonestCamera::suite, Epoch(999), {}));
    const Taken taken{FrameKind::key, {}, Bytes(56U << 10), {}};
    return new Bytes(HonestCamera::seal(key, cast().camera.keys().identity, taken));
  }();
  return *one;
}

class Play {
 public:
  explicit Play(Input in) : in_(in) { restart(); }

  void run() {
    for (std::size_t i = 0; i < longest_story && !in_.empty(); ++i) {
      step(static_cast<Step>(in_.byte() % static_cast<unsigned>(Step::steps)));
      if (const auto said = watcher_->camera(cast().camera.id())) judge_.check(*said);
      for (const auto& said : watcher_->cameras()) SC_ASSERT(said.id == cast().camera.id());
    }
  }

 private:
  void restart() {
    watcher_.reset();
    judge_.forget();
    watcher_ = must(watch::Watcher::create(cast().owner.identity(), cast().hub.keys(),
                                           {checker_, rosters_, numbers_, clock_, log_, judge_}));
    watcher_->start(client_);
    watcher_->on_connected();
    watcher_->want(true, {});
  }
  void deliver(std::string_view topic, ByteView payload, bool retained = false) {
    watcher_->on_message({topic, payload, retained});
  }
  void deliver(Leaf leaf, ByteView payload, bool retained = false) {
    deliver(protocol::topic(cast().route, leaf), payload, retained);
  }
  [[nodiscard]] static Leaf leaf(unsigned n) {
    constexpr std::array leaves{Leaf::video, Leaf::still, Leaf::grants, Leaf::roster, Leaf::status, Leaf::command};
    return leaves[n % leaves.size()];
  }
  /// One that was made; empty when there is none.
  [[nodiscard]] ByteView made(unsigned which) const {
    const auto& all = camera_.made();
    return all.empty() ? ByteView() : ByteView(all[all.size() - 1 - which % all.size()]);
  }
  [[nodiscard]] FrameKind kind() { return static_cast<FrameKind>(1 + in_.byte() % 4); }
  [[nodiscard]] std::size_t epoch() { return in_.byte() % HonestCamera::epochs; }

  void step(Step what) {
    switch (what) {
      case Step::roster: return deliver(Leaf::roster, roster(in_.byte()), true);
      case Step::grants: return deliver(Leaf::grants, HonestCamera::grants(epoch()), true);
      case Step::frame: return frame();
      case Step::again: return again();
      case Step::tamper: return tamper();
      case Step::elsewhere: return elsewhere();
      case Step::forge: return forge();
      case Step::wait: return clock_.advance(std::chrono::milliseconds(100) * in_.byte());
      case Step::tick: return watcher_->tick();
      case Step::want: return watcher_->want(in_.byte() % 2 == 0, {});
      case Step::connection: return connection();
      case Step::restart: return restart();
      case Step::status: return status();
      case Step::raw: return raw();
      case Step::flood: return flood();
      case Step::steps: break;
    }
  }
  void frame() {
    const auto flags = in_.byte();
    const auto which = epoch();
    const auto what = kind();
    const auto echo = (flags & 2U) != 0 ? protocol::Challenge() : client_.newest(HonestCamera::number(which));
    const auto& message = camera_.frame(which, what, in_.byte() % 8U, echo, clock_.monotonic());
    if ((flags & 1U) == 0) deliver(what == FrameKind::still ? Leaf::still : Leaf::video, message);
  }
  void again() {
    const auto message = made(in_.byte());
    const auto flags = in_.byte();
    deliver((flags & 1U) != 0 ? Leaf::still : Leaf::video, message, (flags & 2U) != 0);
  }
  void tamper() {
    const auto which = in_.byte();
    const auto how = in_.byte();
    const auto original = which < 128 ? made(which) : ByteView(which < 192 ? roster(which) : HonestCamera::grants(0));
    Bytes message(original.begin(), original.end());
    if (message.empty()) return;
    const auto at = in_.number<std::uint16_t>() % message.size();
    switch (how % 4) {
      case 0: message[at] ^= static_cast<std::byte>(1U << how / 4 % 8); break;
      case 1: message.resize(at); break;
      case 2: message.insert(message.begin() + static_cast<std::ptrdiff_t>(at), std::byte{how}); break;
      case 3: {
        const auto other = made(how / 4);
        if (other.size() > at)
          std::ranges::copy(other.subspan(at).first(std::min(other.size(), message.size()) - at),
                            message.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      }
    }
    deliver(leaf(in_.byte()), message);
  }
  void elsewhere() {
    const auto message = made(in_.byte());
    const auto way = in_.byte();
    const protocol::Route other = way % 2 == 0 ? protocol::Route{cast().stranger.account(), cast().camera.id()}
                                               : protocol::Route{cast().owner.account(), cast().stranger.id()};
    deliver(protocol::topic(other, leaf(way / 2)), message);
  }
  void forge() {
    const auto which = epoch();
    auto key = must(crypto::sframe::SealingKey::open(HonestCamera::suite, HonestCamera::number(which),
                                                     HonestCamera::base_key(which)));
    Taken taken{kind(), {}, Bytes(20, std::byte{0x66}), {}};
    taken.header.echo = client_.newest(HonestCamera::number(which));
    taken.header.number = FrameNumber(1000);
    // With the next counter, as if the camera had sealed it.
    for (Bytes room(64); key.next_counter() < camera_.next_counter(which);) (void)must(key.seal(room, {}, {}));
    const auto message = HonestCamera::seal(key, cast().hub.posing_as(cast().camera), taken);
    deliver(Leaf::video, message);
  }
  void connection() {
    client_.up = in_.byte() % 2 == 0;
    if (client_.up) watcher_->on_connected();
    else watcher_->on_disconnected({Errc::connection});
  }
  void status() {
    const bool online = in_.byte() % 2 == 0;
    deliver(Leaf::status, must(protocol::encode_status({online, {}}, cast().route, cast().camera.keys().identity)),
            true);
  }
  void raw() {
    const auto to = leaf(in_.byte());
    deliver(to, in_.take(in_.byte()));
  }
  void flood() {
    if (std::exchange(flooded_, true)) return;
    const bool frames = in_.byte() % 2 == 0;
    const auto before = __sanitizer_get_current_allocated_bytes();
    for (unsigned i = 0; i < (frames ? 120U : 200U); ++i) {
      if (frames) {
        deliver(Leaf::video, large_frame());
        continue;
      }
      std::array<std::byte, 20> id{};
      store_be(MutableBytes(id), i);
      deliver(protocol::topic({cast().owner.account(), DeviceId(id)}, Leaf::grants), large_frame());
    }
    SC_ASSERT(__sanitizer_get_current_allocated_bytes() - before <= memory_limit);
  }

  Input in_;
  FakeClock clock_;
  NoLog log_;
  HonestCamera camera_;
  Judge judge_{camera_, clock_};
  RosterMemory rosters_;
  Numbers numbers_;
  Client client_;
  watch::InlineChecker checker_;
  std::unique_ptr<watch::Watcher> watcher_;
  bool flooded_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Made before memory is counted.
  (void)roster(0);
  (void)HonestCamera::grants(0);
  (void)large_frame();
  Play(Input(data, size)).run();
  return 0;
}
