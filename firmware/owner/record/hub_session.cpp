// SPDX-License-Identifier: Apache-2.0
#include "owner/record/hub_session.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>

#include "base/format.hpp"
#include "device/enrollment.hpp"
#include "device/file_stores.hpp"
#include "device/hub_stores.hpp"
#include "hal/h264.hpp"
#include "owner/sync/exchange.hpp"
#include "watch/verify_pool.hpp"
#include "watch/watcher.hpp"

namespace sealcam::owner {

namespace asio = boost::asio;

/// Whether the caller ignores the signal, for example nohup(1).
static bool is_ignored(int signal) {
  struct sigaction action{};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

Outcome<device::DeviceState> open_machine_hub(const AccountFiles& files) {
  auto state = device::DeviceState::open(files.hub().folder, protocol::Role::hub);
  if (!state && state.error().code == Errc::conflict)
    return failure(EX_TEMPFAIL,
                   "another 'sealcam watch' or 'sealcam inspect' uses the hub of this machine; stop it first");
  if (!state) return failure(state.error(), sealcam::format("cannot open the hub in {}", files.hub().folder.string()));
  return std::move(*state);
}

struct HubSession::State {
  State(const device::DeviceState& state, const Clock& wall, HubSessionListener& sink)
      : hub(state), clock(wall), listener(sink), pool(0, [this] {
          asio::post(io, [this] {
            if (watcher) watcher->drain();
          });
        }) {}

  void tick() {
    if (stopping) return;
    watcher->tick();
    if (!listener.on_tick()) return begin_stop();
    timer.expires_after(std::chrono::milliseconds(100));
    timer.async_wait([this](const boost::system::error_code& ec) {
      if (!ec) tick();
    });
  }
  void begin_stop() {
    if (std::exchange(stopping, true)) return;
    timer.cancel();
    signals.cancel();
    watcher->stop();
    asio::post(io, [this] { client->stop([this] { io.stop(); }); });
  }

  const device::DeviceState& hub;
  const Clock& clock;
  HubSessionListener& listener;
  LastWarning log;
  asio::io_context io{1};
  asio::steady_timer timer{io};
  asio::signal_set signals{io};
  std::optional<device::RosterFolder> rosters;
  std::optional<device::SequenceFile> sequence;
  std::optional<device::MaxEpochFile> epochs;
  watch::VerifyPool pool;
  std::unique_ptr<watch::Watcher> watcher;
  std::unique_ptr<transport::Mqtt5Client> client;
  bool stopping = false;
};

HubSession::HubSession(const device::DeviceState& state, const Clock& clock, HubSessionListener& listener)
    : state_(std::make_unique<State>(state, clock, listener)) {}
HubSession::~HubSession() = default;

Outcome<> HubSession::run(const DeviceId& camera) {
  auto& p = *state_;
  const auto enrollment = device::read_enrollment(p.hub.files());
  auto config = broker_connection(p.hub.files());
  if (!config) return std::unexpected(config.error());
  auto sequence = device::SequenceFile::open(p.hub.files().request_seq());
  if (!sequence)
    return failure(sequence.error(), sealcam::format("cannot open the state in {}", p.hub.files().folder.string()));
  p.rosters.emplace(p.hub.files().rosters(enrollment->owner.account()));
  p.sequence = std::move(*sequence);
  p.epochs.emplace(p.hub.files().max_epochs());
  // No prekeys: this hub runs rarely, so it would keep old ones.
  auto watcher = watch::Watcher::create(
      enrollment->owner, p.hub.keys(),
      {p.pool, *p.rosters, *p.sequence, *p.epochs, nullptr, p.clock, p.log, p.listener, hal::is_picture});
  if (!watcher) return failure(watcher.error(), "cannot start the watcher");
  p.watcher = std::move(*watcher);
  p.watcher->set_watched(false, {camera});
  config->max_in_flight = 16;
  auto client = transport::Mqtt5Client::open(p.io, std::move(*config), *p.watcher, p.log);
  if (!client) return failure(client.error(), "cannot connect to the broker");
  p.client = std::move(*client);
  p.watcher->start(*p.client);
  // Without SA_RESTART, so that a signal also ends a wait for the reader of an output.
  using Flags = asio::signal_set::flags;
  p.signals.add(SIGINT, Flags::none);
  p.signals.add(SIGTERM, Flags::none);
  if (!is_ignored(SIGHUP)) p.signals.add(SIGHUP, Flags::none);
  p.signals.async_wait([&p](const boost::system::error_code& ec, int) {
    if (ec) return;
    p.begin_stop();
  });
  p.tick();
  p.io.run();
  return {};
}

void HubSession::stop() { state_->begin_stop(); }
std::optional<watch::CameraStatus> HubSession::camera(const DeviceId& id) const { return state_->watcher->camera(id); }
bool HubSession::connected() const { return state_->watcher->connected(); }
std::string HubSession::last_warning() const { return state_->log.text(); }

}  // namespace sealcam::owner
