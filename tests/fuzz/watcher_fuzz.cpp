// SPDX-License-Identifier: Apache-2.0
// A hub's Watcher behind a malicious broker, with a camera that follows the protocol. The input is the sequence of the
// broker's actions (watcher_steps.hpp). picture_checker.hpp compares the shown pictures with those of the camera.
// Memory is limited.
#include "base/testing/fakes.hpp"
#include "device/hub_stores.hpp"
#include "input.hpp"
#include "picture_checker.hpp"
#include "protocol/view_request.hpp"
#include "support/fake_mqtt_client.hpp"
#include "support/hub_stores.hpp"
#include "watcher_steps.hpp"

using namespace sealcam;
using namespace sealcam::fuzz;
using protocol::FrameKind;
using protocol::Leaf;

namespace {

constexpr std::size_t max_steps = 48;
/// Frames that wait for their grants (2 MiB), messages that arrived before their roster (64 with 56 KiB each), and
/// buffers.
constexpr std::size_t memory_limit = 5U << 20;

class NoLog final : public Log {
  void write(LogLevel, std::string_view) override {}
};

/// Passes the hub's requests to the camera.
class Requests {
 public:
  Requests() {
    client.is_connected = true;
    client.recording = false;
    client.on_publish = [this](const transport::Publication& p) { receive(p); };
  }
  [[nodiscard]] protocol::Challenge newest(protocol::Epoch epoch) const {
    const auto found = challenges_.find(epoch);
    return found == challenges_.end() ? protocol::Challenge() : found->second;
  }
  test::FakeMqttClient client{test::FakeMqttClient::Answers::at_once};

 private:
  void receive(const transport::Publication& p) {
    SC_ASSERT(p.topic == protocol::request_topic(parties().route, parties().hub.id()));
    const auto request = must(protocol::decode_view_request(p.payload, parties().route, parties().hub.verifier()));
    SC_ASSERT(request.seq > last_);
    last_ = request.seq;
    challenges_[request.epoch] = request.challenge;
  }
  std::map<protocol::Epoch, protocol::Challenge> challenges_;
  protocol::RequestSeq last_;
};

const Bytes& roster(std::size_t which) {
  static const auto* const all = [] {
    const auto& owner = parties().owner.keys().identity;
    auto other = parties().roster(3);
    other.suspended.clear();
    return new std::array{
        must(protocol::encode_roster(parties().roster(1), parties().route, owner)),
        must(protocol::encode_roster(parties().roster(2, false), parties().route, owner)),
        must(protocol::encode_roster(parties().roster(3), parties().route, owner)),
        must(protocol::encode_roster(other, parties().route, owner)),
        must(protocol::encode_roster(parties().roster(9), parties().route, parties().stranger.keys().identity))};
  }();
  return (*all)[which % all->size()];
}

/// A frame of an epoch without grants, signed by the camera.
const Bytes& large_frame() {
  static const auto* const one = [] {
    auto key = must(crypto::sframe::SealingKey::open(HonestCamera::suite, protocol::Epoch(999), {}));
    const Taken taken{FrameKind::key, {}, Bytes(56U << 10), {}};
    return new Bytes(HonestCamera::seal(key, parties().camera.keys().identity, taken));
  }();
  return *one;
}

/// A hub that records: it requests all that a camera listed. What reaches it from the topic of kept frames is genuine,
/// and was requested.
class Recorder final : public watch::FrameSink {
 public:
  explicit Recorder(const HonestCamera& camera) : camera_(camera) {}

 private:
  void on_frame(const std::shared_ptr<const device::RecordedEpoch>&, const watch::FrameCheck&, bool) override {}
  void on_end(const DeviceId&, End) override { listed_.clear(); }
  void on_past_listed(const DeviceId& id, const std::vector<protocol::PastRange>& ranges) override {
    SC_ASSERT(id == parties().camera.id() && ranges.size() <= protocol::PastRange::max);
    listed_ = ranges;
  }
  void on_past_frame(const std::shared_ptr<const device::RecordedEpoch>& epoch,
                     const watch::FrameCheck& frame) override {
    SC_ASSERT(epoch->epoch == frame.frame->epoch);
    const auto* taken = camera_.find(frame.frame->epoch, frame.frame->counter);
    SC_ASSERT(taken != nullptr && taken->kind == frame.frame->kind);
    SC_ASSERT(std::ranges::any_of(requested_, [&](const protocol::PastRange& range) {
      return range.epoch == frame.frame->epoch && range.first <= frame.frame->counter &&
             frame.frame->counter <= range.last;
    }));
  }
  std::vector<protocol::PastRange> past_gaps(const DeviceId&) override { return requested_ = listed_; }

  const HonestCamera& camera_;
  std::vector<protocol::PastRange> listed_, requested_;
};

class Run {
 public:
  explicit Run(Input in) : in_(in) { restart(); }

  void run() {
    for (std::size_t i = 0; i < max_steps && !in_.empty(); ++i) {
      step(static_cast<Step>(in_.byte() % static_cast<unsigned>(Step::steps)));
      if (const auto status = watcher_->camera(parties().camera.id())) pictures_.check(*status);
      for (const auto& status : watcher_->cameras()) SC_ASSERT(status.id == parties().camera.id());
    }
  }

 private:
  void restart() {
    watcher_.reset();
    pictures_.forget();
    watcher_ = must(watch::Watcher::create(
        parties().owner.identity(), parties().hub.keys(),
        {checker_, rosters_, numbers_, epochs_, &prekeys_, clock_, log_, pictures_, nullptr, &recorder_}));
    watcher_->start(requests_.client);
    watcher_->on_connected();
    watcher_->set_watched(true, {});
  }
  void deliver(std::string_view topic, ByteView payload, bool retained = false) {
    watcher_->on_message({topic, payload, retained});
  }
  void deliver(Leaf leaf, ByteView payload, bool retained = false) {
    deliver(protocol::topic(parties().route, leaf), payload, retained);
  }
  [[nodiscard]] static Leaf leaf(unsigned n) {
    constexpr std::array leaves{Leaf::video,  Leaf::still,   Leaf::grants, Leaf::roster,
                                Leaf::status, Leaf::command, Leaf::past};
    return leaves[n % leaves.size()];
  }
  /// Returns a frame of the camera, or nothing if it has not sealed one.
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
      case Step::redirect: return redirect();
      case Step::forge: return forge();
      case Step::wait: return wait(std::chrono::milliseconds(100) * in_.byte());
      case Step::sleep: return sleep(std::chrono::seconds(in_.byte()));
      case Step::set_clock: return set_clock();
      case Step::tick: return watcher_->tick();
      case Step::watch: return watcher_->set_watched(in_.byte() % 2 == 0, {});
      case Step::connection: return connection();
      case Step::restart: return restart();
      case Step::status: return status();
      case Step::raw: return raw();
      case Step::flood: return flood();
      case Step::steps: break;
    }
  }
  void wait(std::chrono::milliseconds time) {
    true_time_ = true_time_ + time;
    clock_.advance(time);
  }
  void sleep(std::chrono::seconds time) {
    true_time_ = true_time_ + time;
    clock_.suspend(time);
  }
  /// The boot-time clock cannot be set.
  void set_clock() {
    const bool wall = in_.byte() % 2 == 0;
    const auto by = std::chrono::seconds(100) * static_cast<std::int8_t>(in_.byte());
    if (wall) clock_.step_wall(by);
    else clock_.step_monotonic(by);
  }
  void frame() {
    const auto flags = in_.byte();
    const auto which = epoch();
    const auto what = kind();
    const auto echo = (flags & 2U) != 0 ? protocol::Challenge() : requests_.newest(HonestCamera::number(which));
    const auto& message = camera_.frame(which, what, in_.byte() % 8U, echo, true_time_);
    if ((flags & 1U) == 0) deliver(what == FrameKind::still ? Leaf::still : Leaf::video, message);
  }
  void again() {
    const auto message = made(in_.byte());
    const auto flags = in_.byte();
    if ((flags & 4U) != 0) {
      if (const auto frame = protocol::parse_frame(message))
        deliver(Leaf::past, HonestCamera::grants(frame->epoch.value() - HonestCamera::number(0).value()));
      return deliver(Leaf::past, message);
    }
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
  void redirect() {
    const auto message = made(in_.byte());
    const auto target = in_.byte();
    const protocol::Route other = target % 2 == 0 ? protocol::Route{parties().stranger.account(), parties().camera.id()}
                                                  : protocol::Route{parties().owner.account(), parties().stranger.id()};
    deliver(protocol::topic(other, leaf(target / 2)), message);
  }
  void forge() {
    const auto which = epoch();
    auto key = must(crypto::sframe::SealingKey::open(HonestCamera::suite, HonestCamera::number(which),
                                                     HonestCamera::base_key(which)));
    Taken taken{kind(), {}, Bytes(20, std::byte{0x66}), {}};
    taken.header.echoes = requests_.newest(HonestCamera::number(which));
    taken.header.number = FrameNumber(1000);
    // The forged frame has the camera's next counter.
    for (Bytes room(64); key.next_counter() < camera_.next_counter(which);) (void)must(key.seal(room, {}, {}));
    const auto message = HonestCamera::seal(key, parties().hub.posing_as(parties().camera), taken);
    deliver(Leaf::video, message);
  }
  void connection() {
    requests_.client.is_connected = in_.byte() % 2 == 0;
    if (requests_.client.is_connected) watcher_->on_connected();
    else watcher_->on_disconnected({Errc::connection});
  }
  void status() {
    const auto fields = in_.byte();
    const protocol::Status status{.online = fields % 2 == 0, .started = {}, .privacy = (fields & 2U) != 0};
    deliver(Leaf::status, must(protocol::encode_status(status, parties().route, parties().camera.keys().identity)),
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
      deliver(protocol::topic({parties().owner.account(), DeviceId(id)}, Leaf::grants), large_frame());
    }
    SC_ASSERT(__sanitizer_get_current_allocated_bytes() - before <= memory_limit);
  }

  Input in_;
  FakeClock clock_;                                 // of the hub
  MonotonicTime true_time_{std::chrono::hours(5)};  // of camera and judge
  NoLog log_;
  HonestCamera camera_;
  PictureChecker pictures_{camera_, true_time_};
  Recorder recorder_{camera_};
  test::MemoryHubRosterStore rosters_;
  test::MemorySequenceStore numbers_;
  test::MemoryMaxEpochStore epochs_;
  test::MemoryPrekeyStore prekeys_;
  Requests requests_;
  test::InlineChecker checker_;
  std::unique_ptr<watch::Watcher> watcher_;
  bool flooded_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Created before memory is measured.
  (void)roster(0);
  (void)HonestCamera::grants(0);
  (void)large_frame();
  Run(Input(data, size)).run();
  return 0;
}
