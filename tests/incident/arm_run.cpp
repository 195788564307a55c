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
// Longer than the lease, so that each request starts a new group of pictures.
constexpr milliseconds request_interval{1200};
constexpr milliseconds watch_time{700};
constexpr milliseconds final_wait{600};
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
  explicit ArmRun(const ArmInput& input)
      : input_(input),
        count_(input.people.size()),
        brokers_(input.people),
        cache_(input.options.fault, input.options.seed, count_),
        pool_(0, [this] { boost::asio::post(io_, [this] { pool_.drain(); }); }),
        site_{io_, input.people, brokers_, clock_, log_, pool_},
        link_(io_, {input.people, brokers_, cache_, provenance_, input.arm == Arm::sealed ? sealed_kind : plain_kind,
                    log_}) {
    for (std::uint32_t i = 0; i < count_; ++i) add(i);
  }
  ArmResult run();

 private:
  struct Schedule {
    Steady::time_point next_picture, next_tick, next_request, stop_watching;
    unsigned requested = 0;
    bool watching = false;
  };

  void add(std::uint32_t account);
  void connect_all();
  void start_requests();
  void step();
  void step(std::size_t account, Steady::time_point now);
  void run_for(milliseconds time);
  void run_until(const char* what, const std::function<std::size_t()>& done, std::size_t required);
  [[nodiscard]] std::string line() const;
  template <class Predicate>
  [[nodiscard]] std::size_t hubs_that(const Predicate& predicate) const {
    return static_cast<std::size_t>(std::ranges::count_if(hubs_, [&](const auto& hub) { return predicate(*hub); }));
  }

  ArmInput input_;
  std::size_t count_;
  ArmResult result_;
  boost::asio::io_context io_{1};
  boost::asio::steady_timer timer_{io_};
  SystemClock clock_;
  FirstLines log_;
  Brokers brokers_;
  FaultyCache cache_;
  Provenance provenance_;
  watch::VerifyPool pool_;
  Site site_;
  CacheLink link_;
  std::vector<Schedule> schedule_;
  bool requesting_ = false;
  std::vector<std::unique_ptr<Camera>> cameras_;
  std::vector<std::unique_ptr<Hub>> hubs_;
};

void ArmRun::add(std::uint32_t account) {
  const std::size_t film_step = (count_ + max_films - 1) / max_films;
  const Witness::Dependencies witness{provenance_, input_.judge, result_.tally, account % film_step == 0,
                                      account < sheet_hubs};
  const bool sealed = input_.arm == Arm::sealed;
  const auto& album = input_.albums[account];
  cameras_.push_back(sealed ? make_sealed_camera(site_, account, album) : make_plain_camera(site_, account, album));
  hubs_.push_back(sealed ? make_sealed_hub(site_, account, witness) : make_plain_hub(site_, account, witness));
  // Spread over the interval, because real cameras are not synchronized.
  Schedule schedule;
  schedule.next_picture = Steady::now() + picture_interval * (account * 7 % 20) / 20;
  schedule.next_tick = Steady::now() + tick_interval * (account % 10) / 10;
  schedule_.push_back(schedule);
}

void ArmRun::step(std::size_t account, Steady::time_point now) {
  auto& s = schedule_[account];
  if (now >= s.next_picture) {
    s.next_picture = std::max(s.next_picture + picture_interval, now);
    cameras_[account]->capture();
  }
  if (now >= s.next_tick) {
    s.next_tick = std::max(s.next_tick + tick_interval, now);
    cameras_[account]->tick();
    hubs_[account]->tick();
  }
  if (!requesting_) return;
  if (s.watching && now >= s.stop_watching) {
    s.watching = false;
    hubs_[account]->set_watched(false);
  }
  if (s.requested < input_.options.requests && now >= s.next_request) {
    ++s.requested;
    s.watching = true;
    s.next_request = now + request_interval;
    s.stop_watching = now + watch_time;
    hubs_[account]->witness().begin_request();
    hubs_[account]->set_watched(true);
  }
}

void ArmRun::step() {
  const auto now = Steady::now();
  for (std::size_t i = 0; i < count_; ++i) step(i, now);
  input_.progress.show(line());
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
      throw std::runtime_error(sealcam::format("{} arm: {} of {} {} after {} s{}{}", name(input_.arm), done(), required,
                                               what, ready_limit.count(), lines.empty() ? "" : ": ",
                                               lines.empty() ? "" : lines.front()));
    }
    run_for(step_time);
  }
}

std::string ArmRun::line() const {
  const auto& t = result_.tally;
  if (!requesting_)
    return sealcam::format("{}: connecting {} cameras and {} hubs, {} hubs are ready", name(input_.arm), count_, count_,
                           hubs_that([](const Hub& hub) { return hub.ready(); }));
  return sealcam::format("{}: request {} of {}, {} strangers' pictures delivered, {} shown", name(input_.arm),
                         t.requests, count_ * input_.options.requests, t.wrong_stills + t.wrong_keys, t.shown_wrongly);
}

// A few at a time. If all devices connected at once, a handshake would take longer than its timeout.
void ArmRun::connect_all() {
  run_until("connections of the cache are open", [this] { return link_.connected() ? std::size_t{1} : 0; }, 1);
  if (input_.arm == Arm::sealed)
    for (std::uint32_t i = 0; i < count_; ++i) link_.publish_roster(i);
  for (std::size_t done = 0; done < count_;) {
    const std::size_t end = std::min(count_, done + handshakes_at_once / 2);
    for (std::size_t i = done; i < end; ++i) {
      cameras_[i]->connect();
      hubs_[i]->connect();
    }
    done = end;
    run_until(
        "devices are connected",
        [&] {
          std::size_t n = 0;
          for (std::size_t i = 0; i < end; ++i)
            n += (cameras_[i]->connected() ? 1U : 0U) + (hubs_[i]->connected() ? 1U : 0U);
          return n;
        },
        2 * end);
  }
  run_until("hubs know their camera", [this] { return hubs_that([](const Hub& hub) { return hub.ready(); }); }, count_);
}

void ArmRun::start_requests() {
  requesting_ = true;
  const auto now = Steady::now();
  const std::size_t wave = std::min<std::size_t>(count_, input_.options.at_once);
  for (std::size_t i = 0; i < count_; ++i) {
    const auto turn = request_interval * static_cast<int>(input_.options.requests) * static_cast<int>(i / wave);
    schedule_[i].next_request = now + turn + request_interval * static_cast<int>(i % wave) / static_cast<int>(wave);
  }
}

ArmResult ArmRun::run() {
  const auto started = Steady::now();
  connect_all();
  result_.connect_seconds = seconds_since(started);
  start_requests();
  while (std::ranges::any_of(schedule_,
                             [&](const Schedule& s) { return s.requested < input_.options.requests || s.watching; }))
    run_for(step_time);
  run_for(final_wait);
  run_until("frames are checked", [this] { return result_.tally.unchecked == 0 ? std::size_t{1} : 0; }, 1);
  for (auto& hub : hubs_) {
    hub->finish();
    auto answers = hub->witness().finish();
    if (result_.hubs.size() < sheet_hubs) result_.hubs.push_back(std::move(answers));
  }
  result_.arm = input_.arm;
  result_.tally.slow_requests = cache_.slow_requests();
  result_.broker_kib = peak_kib(brokers_.ingest().pid()) + peak_kib(brokers_.delivery().pid());
  result_.link_failed = link_.failed();
  result_.log_lines = log_.take();
  result_.seconds = seconds_since(started);
  input_.progress.show(line() + sealcam::format(" ({:.1f} s)", result_.seconds), true);
  return std::move(result_);
}

}  // namespace

ArmResult run_arm(const ArmInput& input) { return std::make_unique<ArmRun>(input)->run(); }

}  // namespace sealcam::incident
