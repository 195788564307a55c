// SPDX-License-Identifier: Apache-2.0
#include "arm_run.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fstream>

#include "base/format.hpp"
#include "devices.hpp"
#include "watch/verify_pool.hpp"

namespace sealcam::incident {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds step_time{20};
constexpr milliseconds picture_interval{200};
constexpr milliseconds tick_interval{100};
constexpr milliseconds request_interval{1200};
constexpr milliseconds watch_time{700};
constexpr milliseconds max_watch_time{4000};  // until a picture arrives
constexpr milliseconds round_wait{400};
constexpr milliseconds restart_wait{300};
constexpr auto ready_limit = 120s;
constexpr std::size_t handshakes_at_once = 24;
constexpr std::size_t max_films = 64;
constexpr std::size_t max_lines = 20;

/// Keeps the first warnings and errors. Thread-bound.
class FirstLines final : public Log {
 public:
  FirstLines() { set_level(LogLevel::warning); }
  [[nodiscard]] std::vector<std::string> take() { return std::move(lines_); }

 private:
  void write(LogLevel, std::string_view line) override {
    if (lines_.size() < max_lines) lines_.emplace_back(line);
  }
  std::vector<std::string> lines_;
};

std::uint64_t peak_kib(pid_t pid) {
  std::ifstream in(sealcam::format("/proc/{}/status", pid));
  for (std::string word; in >> word;) {
    std::uint64_t kib = 0;
    if (word == "VmHWM:" && in >> kib) return kib;
  }
  return 0;
}

double seconds_since(Steady::time_point start) { return std::chrono::duration<double>(Steady::now() - start).count(); }

/// Members are destroyed in reverse order: clients, then the objects that they call, then the pool, then `io`.
class ArmRun {
 public:
  ArmRun(const WaveInput& input, ArmState& state)
      : input_(input),
        state_(state),
        result_(state.result),
        first_(input.people.wave().first),
        count_(input.people.wave().size()),
        brokers_(input.people),
        pool_(0, [this] { boost::asio::post(io_, [this] { pool_.drain(); }); }),
        site_{io_, input.people, brokers_, clock_, log_, pool_, input.routes},
        relay_(io_, {input.people, brokers_, *state.fault, state.provenance,
                     state.result.arm == Arm::sealed ? sealed_kind : plain_kind, log_}) {
    state.fault->begin_wave(input.people.wave());
    for (auto i = first_; i < input.people.wave().last; ++i) add(i);
  }
  void run();

 private:
  struct Device {
    Steady::time_point next_picture, next_tick, next_request, requested;
    bool due = false;  ///< has to send the request of this round
    bool watching = false;
    std::unique_ptr<Camera> camera;  ///< null after it was sold
    std::unique_ptr<Hub> hub;
  };

  void add(std::uint32_t account);
  void connect_all();
  void await_connections(std::size_t devices);
  void restart();
  void run_round(unsigned round);
  void step();
  void step(Device& device, Steady::time_point now);
  void run_for(milliseconds time);
  void run_until(const char* what, const std::function<std::size_t()>& done, std::size_t required);
  void finish(Steady::time_point started);
  [[nodiscard]] std::string line() const;
  [[nodiscard]] std::size_t ready_hubs() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(devices_, [](const auto& each) { return each.hub->ready(); }));
  }

  WaveInput input_;
  ArmState& state_;
  ArmResult& result_;
  std::uint32_t first_;
  std::size_t count_;
  boost::asio::io_context io_{1};
  boost::asio::steady_timer timer_{io_};
  SystemClock clock_;
  FirstLines log_;
  Brokers brokers_;
  watch::VerifyPool pool_;
  Site site_;
  Relay relay_;
  bool requesting_ = false;
  std::size_t watching_ = 0;  ///< hubs
  std::vector<Device> devices_;
};

void ArmRun::add(std::uint32_t account) {
  const std::size_t film_step = (input_.options.accounts + max_films - 1) / max_films;
  const Witness::Dependencies witness{state_.provenance, input_.judge, result_.tally, account % film_step == 0,
                                      account < sheet_hubs};
  const bool sealed = result_.arm == Arm::sealed;
  const auto& album = input_.albums[account - first_];
  Device device;
  device.camera = sealed ? make_sealed_camera(site_, account, album) : make_plain_camera(site_, account, album);
  device.hub = sealed ? make_sealed_hub(site_, account, witness) : make_plain_hub(site_, account, witness);
  // Spread over the interval, because real cameras are not synchronized.
  device.next_picture = Steady::now() + picture_interval * (account * 7 % 20) / 20;
  device.next_tick = Steady::now() + tick_interval * (account % 10) / 10;
  devices_.push_back(std::move(device));
}

void ArmRun::step(Device& device, Steady::time_point now) {
  if (now >= device.next_picture) {
    device.next_picture = std::max(device.next_picture + picture_interval, now);
    if (device.camera) device.camera->capture();
  }
  if (now >= device.next_tick) {
    device.next_tick = std::max(device.next_tick + tick_interval, now);
    if (device.camera) device.camera->tick();
    device.hub->tick();
  }
  if (!requesting_) return;
  const auto limit = device.hub->witness().answered() ? watch_time : max_watch_time;
  if (device.watching && now >= device.requested + limit) {
    device.watching = false;
    --watching_;
    device.hub->set_watched(false);
  }
  if (!device.due || now < device.next_request || watching_ >= input_.options.at_once) return;
  device.due = false;
  device.watching = true;
  ++watching_;
  device.requested = now;
  device.hub->witness().begin_request();
  device.hub->set_watched(true);
}

void ArmRun::step() {
  const auto now = Steady::now();
  for (auto& device : devices_) step(device, now);
  if (input_.progress.due()) input_.progress.show(line());
}

void ArmRun::run_for(milliseconds time) {
  const auto end = Steady::now() + time;
  while (Steady::now() < end) {
    timer_.expires_after(step_time);
    bool over = false;
    timer_.async_wait([&](const boost::system::error_code&) { over = true; });
    while (!over) io_.run_one();
    step();
  }
}

void ArmRun::run_until(const char* what, const std::function<std::size_t()>& done, std::size_t required) {
  const auto limit = Steady::now() + ready_limit;
  while (done() < required) {
    if (Steady::now() > limit) {
      const auto lines = log_.take();
      throw std::runtime_error(sealcam::format("{} arm: {} of {} {} after {} s{}{}", name(result_.arm), done(),
                                               required, what, ready_limit.count(), lines.empty() ? "" : ": ",
                                               lines.empty() ? "" : lines.front()));
    }
    run_for(step_time);
  }
}

std::string ArmRun::line() const {
  const auto& t = result_.tally;
  if (!requesting_)
    return sealcam::format("{}: connecting cameras and hubs of the accounts {} to {}, {} hubs are ready",
                           name(result_.arm), first_ + 1, first_ + count_, ready_hubs());
  return sealcam::format("{}: request {} of {}, {} strangers' pictures delivered, {} shown", name(result_.arm),
                         t.requests, input_.options.accounts * input_.options.requests, t.wrong_stills + t.wrong_keys,
                         t.shown_wrongly);
}

void ArmRun::await_connections(std::size_t accounts) {
  run_until("connections of the relay are open", [this] { return relay_.connected() ? std::size_t{1} : 0; }, 1);
  run_until(
      "devices are connected",
      [&] {
        std::size_t n = 0;
        for (std::size_t i = 0; i < accounts; ++i)
          n += (devices_[i].camera->connected() ? 1U : 0U) + (devices_[i].hub->connected() ? 1U : 0U);
        return n;
      },
      2 * accounts);
}

// A few at a time. If all devices connected at once, a handshake would take longer than its timeout.
void ArmRun::connect_all() {
  await_connections(0);
  if (result_.arm == Arm::sealed)
    for (std::uint32_t i = 0; i < count_; ++i) relay_.publish_roster(first_ + i);
  for (std::size_t done = 0; done < count_;) {
    const std::size_t end = std::min(count_, done + handshakes_at_once / 2);
    for (std::size_t i = done; i < end; ++i) {
      devices_[i].camera->connect();
      devices_[i].hub->connect();
    }
    done = end;
    await_connections(end);
  }
  run_until("hubs know their camera", [this] { return ready_hubs(); }, count_);
}

// The new broker has no retained messages. The owner's program and the cameras publish theirs again.
void ArmRun::restart() {
  if (input_.incident.restart == Restart::none) return;
  state_.fault->on_restart();
  if (input_.incident.restart == Restart::cameras) brokers_.restart_ingest();
  else brokers_.restart_delivery();
  run_for(restart_wait);
  await_connections(count_);
  if (result_.arm == Arm::sealed)
    for (std::uint32_t i = 0; i < count_; ++i) relay_.publish_roster(first_ + i);
  if (input_.incident.restart == Restart::cameras)
    run_until("cameras are online again", [this] { return state_.fault->online(); }, count_);
  run_for(restart_wait);
  (void)log_.take();  // lost connections
}

void ArmRun::run_round(unsigned round) {
  state_.fault->begin_round(round);
  const auto now = Steady::now();
  for (std::size_t i = 0; i < count_; ++i) {
    auto& device = devices_[i];
    if (state_.fault->camera_gone(first_ + static_cast<std::uint32_t>(i))) device.camera.reset();
    device.due = true;
    device.next_request = now + request_interval * static_cast<int>(i) / static_cast<int>(input_.options.at_once);
  }
  requesting_ = true;
  while (std::ranges::any_of(devices_, [](const Device& each) { return each.due || each.watching; }))
    run_for(step_time);
  // Longer than the rest of the lease, so that each request starts a new group of pictures.
  run_for(round_wait);
}

void ArmRun::run() {
  const auto started = Steady::now();
  connect_all();
  restart();
  result_.connect_seconds += seconds_since(started);
  for (unsigned round = 1; round <= input_.options.requests; ++round) run_round(round);
  run_until("frames are checked", [this] { return result_.tally.unchecked == 0 ? std::size_t{1} : 0; }, 1);
  finish(started);
}

void ArmRun::finish(Steady::time_point started) {
  for (auto& device : devices_) {
    device.hub->finish();
    auto answers = device.hub->witness().finish();
    if (result_.hubs.size() < sheet_hubs) result_.hubs.push_back(std::move(answers));
  }
  result_.accounts += count_;
  result_.tally.relay = state_.fault->counts();
  result_.broker_kib =
      std::max(result_.broker_kib, peak_kib(brokers_.ingest().pid()) + peak_kib(brokers_.delivery().pid()));
  result_.link_failed += relay_.failed();
  for (auto& line : log_.take())
    if (result_.log_lines.size() < max_lines) result_.log_lines.push_back(std::move(line));
  result_.seconds += seconds_since(started);
  input_.progress.show(line() + sealcam::format(" ({:.1f} s)", result_.seconds), true);
}

}  // namespace

void run_wave(const WaveInput& input, ArmState& state) { std::make_unique<ArmRun>(input, state)->run(); }

}  // namespace sealcam::incident
