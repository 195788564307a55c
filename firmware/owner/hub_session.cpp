// SPDX-License-Identifier: Apache-2.0
#include "owner/hub_session.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <format>

#include "watch/file_stores.hpp"
#include "watch/verify_pool.hpp"
#include "watch/watcher.hpp"

namespace sealcam::owner {

namespace asio = boost::asio;

Outcome<pairing::DeviceState> open_machine_hub(const AccountFiles& files) {
  auto state = pairing::DeviceState::open(files.hub().folder, protocol::Role::hub);
  if (!state && state.error().code == Errc::conflict)
    return failure(EX_TEMPFAIL,
                   "Another 'sealcam watch' or 'inspect' of this account runs; this machine is one hub. End it first");
  if (!state) return failure(state.error(), files.hub().folder.string());
  return std::move(*state);
}

struct HubSession::Parts {
  Parts(const pairing::DeviceState& device, const Clock& wall, HubSessionListener& sink)
      : state(device), clock(wall), listener(sink), pool(0, [this] {
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

  const pairing::DeviceState& state;
  const Clock& clock;
  HubSessionListener& listener;
  LastWarning log;
  asio::io_context io{1};
  asio::steady_timer timer{io};
  asio::signal_set signals{io};
  std::optional<watch::FileRosterStore> rosters;
  std::optional<watch::FileSequenceStore> sequence;
  watch::VerifyPool pool;
  std::unique_ptr<watch::Watcher> watcher;
  std::unique_ptr<transport::Mqtt5Client> client;
  bool stopping = false;
  bool interrupted = false;
};

HubSession::HubSession(const pairing::DeviceState& state, const Clock& clock, HubSessionListener& listener)
    : parts_(std::make_unique<Parts>(state, clock, listener)) {}
HubSession::~HubSession() = default;

Outcome<> HubSession::run(const DeviceId& camera) {
  auto& p = *parts_;
  const auto& folder = p.state.files().folder;
  const auto enrolment = pairing::read_enrolment(p.state.files());
  auto config = broker_connection(p.state.files());
  if (!config) return std::unexpected(config.error());
  auto rosters = watch::FileRosterStore::open(folder / "rosters");
  auto sequence = watch::FileSequenceStore::open(folder / "ask-seq");
  if (!rosters || !sequence) return failure(rosters ? sequence.error() : rosters.error(), folder.string());
  p.rosters = std::move(*rosters);
  p.sequence = std::move(*sequence);
  auto watcher = watch::Watcher::create(enrolment->owner, p.state.keys(),
                                        {p.pool, *p.rosters, *p.sequence, p.clock, p.log, p.listener});
  if (!watcher) return failure(watcher.error(), "Starting to watch");
  p.watcher = std::move(*watcher);
  p.watcher->want(false, {camera});
  config->max_in_flight = 16;
  auto client = transport::Mqtt5Client::open(p.io, std::move(*config), *p.watcher, p.log);
  if (!client) return failure(client.error(), "Connecting to the broker");
  p.client = std::move(*client);
  p.watcher->start(*p.client);
  p.signals.add(SIGINT);
  p.signals.add(SIGTERM);
  p.signals.async_wait([&p](const boost::system::error_code& ec, int) {
    if (ec) return;
    p.interrupted = true;
    p.begin_stop();
  });
  p.tick();
  p.io.run();
  return {};
}

void HubSession::stop() { parts_->begin_stop(); }
bool HubSession::interrupted() const noexcept { return parts_->interrupted; }
std::optional<watch::CameraStatus> HubSession::camera(const DeviceId& id) const { return parts_->watcher->camera(id); }
bool HubSession::connected() const { return parts_->watcher->connected(); }
std::string HubSession::last_warning() const { return parts_->log.text(); }

}  // namespace sealcam::owner
