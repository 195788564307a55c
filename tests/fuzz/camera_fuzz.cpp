// SPDX-License-Identifier: Apache-2.0
// A camera behind a malicious broker, over days. The input is the sequence of actions (camera_steps.hpp): rosters,
// view requests, commands, time, restarts, and stores that fail. camera_judge.hpp checks what the camera publishes,
// also of the frames that it kept without a broker. Here it is checked that no older roster comes back, and that only
// the owner or a fresh nonce opens a closed sensor.
#include "base/testing/fakes.hpp"
#include "camera_judge.hpp"
#include "camera_steps.hpp"
#include "input.hpp"
#include "protocol/command.hpp"
#include "protocol/view_request.hpp"
#include "support/camera_stores.hpp"
#include "support/fake_mqtt_client.hpp"
#include "support/memory_past_store.hpp"

using namespace sealcam;
using namespace sealcam::fuzz;
using namespace std::chrono_literals;
using protocol::RequestKind;
using test::Actor;

namespace {

constexpr std::size_t max_steps = 64;
constexpr auto nonce_time = 10s;

class NoLog final : public Log {
  void write(LogLevel, std::string_view) override {}
};

struct Devices {
  static Actor actor(const std::string& name) {
    must(crypto::init());
    const auto scalar = [&](const char* key) {
      return Secret<32>(must(crypto::sha256(as_bytes("sealcam camera_fuzz " + name + key))));
    };
    return {scalar("identity"), scalar("hpke")};
  }
  Actor owner = actor("owner"), camera = actor("camera"), first = actor("first"), second = actor("second");
  protocol::Route route = test::route_of(owner, camera);
};
const Devices& devices() {
  static const auto* const all = new Devices;
  return *all;
}

class Story {
 public:
  explicit Story(Input in) : in_(in) {
    client_.recording = false;
    client_.is_connected = true;
    client_.on_publish = [this](const transport::Publication& p) {
      judge_.follows(run_->rosters.current());
      note_closed();
      judge_.check(p, run_->control.closed());
      if (judge_.nonce() != nonce_) {
        nonce_ = judge_.nonce();
        nonce_made_ = clock_.boot();
      }
    };
    start();
  }

  void run() {
    deliver(Leaf::roster, roster(3, next_version_++));  // most stories begin with both hubs
    for (std::size_t i = 0; i < max_steps && !in_.empty(); ++i) {
      const bool was_closed = run_->control.closed();
      may_open_ = command_opens();
      by_nonce_ = false;
      const auto version = followed();
      step(static_cast<CameraStep>(in_.byte() % static_cast<unsigned>(CameraStep::steps)));
      settle();
      note_closed();
      const bool opened = was_closed && !run_->control.closed();
      SC_ASSERT(!opened || may_open_);
      if (opened && by_nonce_) spent_ = nonce_;
      SC_ASSERT(followed() >= version || restarted_);
      restarted_ = false;
    }
  }

 private:
  /// If privacy is not stored, a restart may open the sensor, and the kept frames may be back.
  void note_closed() {
    if (run_->control.closed() && stores_.privacy.content) judge_.closed_before(FrameNumber(number_));
  }
  void start() {
    client_.waiting.clear();
    judge_.restarted();
    past_.restart();
    const test::CameraOptions options{.publisher = {.route = devices().route, .rate = {}}, .past = &past_};
    run_.reset();
    run_.emplace(clock_, log_, devices().owner, devices().camera, stores_, options);
    run_->publisher.attach(client_);
    must(run_->privacy.load());
    must(run_->publisher.start());
    if (client_.is_connected) run_->publisher.on_connected();
    settle();
  }
  void restart() {
    const auto stored = stored_;
    restarted_ = true;
    may_open_ = may_open_ || !stores_.privacy.content;  // a value that was not stored is lost, and the grants said so
    const bool broken = std::exchange(stores_.privacy.broken, false);
    stores_.prekeys.broken = false;
    start();
    stores_.privacy.broken = broken;
    SC_ASSERT(followed() >= stored);
  }
  [[nodiscard]] std::uint64_t followed() const {
    const auto* const roster = run_->rosters.current();
    return roster == nullptr ? 0 : roster->version.value();
  }
  void settle() {
    if (answers_) client_.settle();
    if (run_->rosters.stored()) stored_ = followed();
  }
  void tick() {
    run_->publisher.tick();
    settle();
  }
  /// The newest command of the owner opens the sensor, or a command that waits for a store.
  [[nodiscard]] bool command_opens() const {
    return run_->executor.applied().value_or(protocol::CommandSeq()) < open_command_;
  }

  void deliver(Leaf leaf, ByteView message, const Actor* hub = nullptr) {
    const auto topic =
        hub == nullptr ? protocol::topic(devices().route, leaf) : protocol::request_topic(devices().route, hub->id());
    run_->publisher.on_message({topic, message, false});
    if (delivered_.size() < 64) delivered_.push_back({topic, Bytes(message.begin(), message.end())});
  }
  [[nodiscard]] const Actor& hub(unsigned n) const { return n % 2 == 0 ? devices().first : devices().second; }

  static Bytes roster(unsigned hubs, std::uint64_t version) {
    auto roster = test::roster_of(devices().camera, version, {});
    if ((hubs & 1U) != 0) roster.hubs.push_back(devices().first.as_hub());
    if ((hubs & 1U) != 0) roster.hubs.back().may_switch_privacy = (hubs & 4U) == 0;
    if ((hubs & 2U) != 0) roster.hubs.push_back(devices().second.as_hub());
    return must(protocol::encode_roster(roster, devices().route, devices().owner.keys().identity));
  }

  void step(CameraStep what) {
    switch (what) {
      case CameraStep::roster: {
        const auto hubs = in_.byte();
        return deliver(Leaf::roster, roster(hubs, (in_.byte() % 4) == 0 ? 1 : next_version_++));
      }
      case CameraStep::request: return request();
      case CameraStep::command: return command();
      case CameraStep::again: return again(false);
      case CameraStep::tamper: return again(true);
      case CameraStep::wait:
        for (auto left = in_.byte() * 100ms; left > 0ms; left -= 1s) {
          clock_.advance(std::min<std::chrono::milliseconds>(left, 1s));
          tick();
        }
        return;
      case CameraStep::hours: clock_.advance(std::chrono::hours(in_.byte())); return tick();
      case CameraStep::sleep: clock_.suspend(std::chrono::seconds(in_.byte())); return tick();
      case CameraStep::set_clock: return clock_.step_wall(100s * static_cast<std::int8_t>(in_.byte()));
      case CameraStep::capture: return capture();
      case CameraStep::answers: answers_ = in_.byte() % 2 == 0; return;
      case CameraStep::connection: return connection();
      case CameraStep::storage: return storage();
      case CameraStep::restart: return restart();
      case CameraStep::raw: {
        constexpr std::array leaves{Leaf::roster, Leaf::command, Leaf::request};
        const auto leaf = leaves[in_.byte() % leaves.size()];
        return deliver(leaf, in_.take(in_.byte()), leaf == Leaf::request ? &hub(0) : nullptr);
      }
      case CameraStep::steps: break;
    }
  }

  void request() {
    const auto& by = hub(in_.byte());
    const auto kind = static_cast<RequestKind>(1 + in_.byte() % 8);
    const auto flags = in_.byte();
    const auto current = run_->epochs.current();
    const protocol::RequestSeq seq((flags & 1U) != 0 ? 1 : ++seq_);
    protocol::ViewRequest request{kind, protocol::Challenge(1000 + ++challenge_),
                                  (flags & 2U) != 0 || !current ? protocol::Epoch(7) : *current, seq};
    if (kind == RequestKind::privacy_off) request.nonce = nonce_ == protocol::Nonce() ? protocol::Nonce(1) : nonce_;
    if ((flags & 4U) != 0) request.prekey = protocol::Prekey{protocol::PrekeyNumber(seq_ + 1), by.hpke()};
    request.cannot_open = (flags & 8U) != 0;
    if (kind == RequestKind::past) request.past = ranges((flags & 32U) != 0);
    if (kind == RequestKind::past && request.past.empty()) return;
    const auto& signer = (flags & 16U) != 0 ? hub(&by == &devices().first ? 1 : 0) : by;
    judge_.delivered(request.challenge);
    // A fresh nonce opens the sensor, once.
    by_nonce_ = kind == RequestKind::privacy_off && &by == &devices().first && &signer == &by && spent_ != nonce_ &&
                clock_.boot() - nonce_made_ <= nonce_time;
    may_open_ = may_open_ || by_nonce_;
    deliver(Leaf::request, must(protocol::encode_view_request(request, devices().route, signer.keys().identity)), &by);
  }

  std::vector<protocol::PastRange> ranges(bool others) {
    if (!others) return past_.ranges();
    std::vector<protocol::PastRange> ranges;
    for (auto first = protocol::Counter(in_.byte()); ranges.size() < in_.byte() % 16U; first = first.next()) {
      const protocol::Counter last(first.value() + in_.byte());
      ranges.push_back({run_->epochs.current().value_or(protocol::Epoch(7)), first, last});
      first = last.next();
    }
    return ranges;
  }

  void command() {
    const auto items = in_.byte();
    const bool earlier = in_.byte() % 4 == 0;
    const protocol::CommandSeq seq(earlier ? 1 : ++command_);
    protocol::Command command;
    command.seq = seq;
    if ((items & 1U) != 0) command.name = {seq, "name"};
    if ((items & 2U) != 0) command.privacy = {seq, true};
    if ((items & 4U) != 0) command.privacy = {seq, false};
    if ((items & 4U) != 0) open_command_ = std::max(open_command_, seq);
    may_open_ = may_open_ || command_opens();
    deliver(Leaf::command, must(protocol::encode_command(command, devices().route, devices().camera.hpke(),
                                                         devices().owner.keys().identity)));
  }

  /// Repeated messages open nothing, except a command of the owner that was not applied yet.
  void again(bool tamper) {
    if (delivered_.empty()) return;
    auto [topic, message] = delivered_[in_.byte() % delivered_.size()];
    if (tamper && !message.empty()) message[in_.number<std::uint16_t>() % message.size()] ^= std::byte{1};
    run_->publisher.on_message({topic, message, false});
  }

  void capture() {
    const auto now = clock_.monotonic();
    const auto flags = in_.byte();
    const bool key = flags % 2 == 0;
    if (run_->control.closed()) return;
    const Bytes unit(40, std::byte{7});
    run_->queue.push(unit, {FrameNumber(number_++), now, run_->challenges.pick(now), {64, 48}, key, (flags & 2U) != 0});
    run_->publisher.frames_ready();
  }

  void connection() {
    client_.is_connected = in_.byte() % 2 == 0;
    if (client_.is_connected) return run_->publisher.on_connected();
    client_.waiting.clear();
    judge_.disconnected();
    run_->publisher.on_disconnected({Errc::connection});
  }

  void storage() {
    const auto fails = in_.byte();
    stores_.roster.broken = (fails & 1U) != 0;
    stores_.commands.writes_left = (fails & 2U) != 0 ? 0 : -1;
    stores_.privacy.broken = (fails & 4U) != 0;
    stores_.epochs.broken = (fails & 8U) != 0;
    stores_.prekeys.broken = (fails & 16U) != 0;
    past_.broken = (fails & 32U) != 0;
  }

  Input in_;
  FakeClock clock_;
  NoLog log_;
  test::CameraStores stores_{devices().camera};
  test::MemoryPastStore past_;
  test::FakeMqttClient client_;
  CameraJudge judge_{devices().route, devices().camera, {&devices().first, &devices().second}};
  std::optional<test::CameraRun> run_;
  std::vector<std::pair<std::string, Bytes>> delivered_;
  std::uint64_t next_version_ = 2, seq_ = 0, challenge_ = 0, command_ = 1, stored_ = 0;
  protocol::CommandSeq open_command_;  ///< the newest one with privacy off
  protocol::Nonce nonce_, spent_;
  BootTime nonce_made_;
  std::uint32_t number_ = 0;
  bool answers_ = true, restarted_ = false, may_open_ = false, by_nonce_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)devices();
  Story(Input(data, size)).run();
  return 0;
}
