// SPDX-License-Identifier: Apache-2.0
#include "hub/app.hpp"

#include <sysexits.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>

#include "hal/media/load.hpp"
#include "hub/status_file.hpp"
#include "hub/web/messages.hpp"
#include "hub/web/metrics.hpp"
#include "hub/web/server.hpp"
#include "service/service_manager.hpp"
#include "transport/mqtt5_client.hpp"
#include "watch/file_stores.hpp"
#include "watch/verify_pool.hpp"
#include "watch/watcher.hpp"

namespace sealcam::hub {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds tick_interval{100};
constexpr int ticks_per_state = 10;
constexpr std::chrono::seconds stop_time{2};

/// Thread-bound to the thread that runs `io`.
class App final : private watch::PictureSink, private web::Host {
 public:
  App(AppConfig config, Log& log, watch::FileRosterStore rosters, watch::FileSequenceStore sequence)
      : config_(std::move(config)),
        log_(log),
        rosters_(std::move(rosters)),
        sequence_(std::move(sequence)),
        pool_(config_.settings.verify_threads, [this] { asio::post(io_, [this] { watcher_->drain(); }); }) {}

  [[nodiscard]] Result<> open(const pairing::DeviceState& state, const pairing::Enrolment& enrolment);
  void run();

 private:
  void on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView unit) override {
    server_->on_picture(camera, picture, unit);
  }
  void on_state(const watch::CameraStatus& camera) override;

  [[nodiscard]] std::string hello() const override { return web::hello_message(*watcher_, SEALCAM_VERSION); }
  [[nodiscard]] std::string state() const override {
    return web::state_message(*watcher_, {server_->address(), server_->clients(), server_->dropped()}, clock_.wall());
  }
  [[nodiscard]] std::string metrics() const override {
    return web::metrics_text({.version = SEALCAM_VERSION,
                              .started = started_,
                              .connected = watcher_->connected(),
                              .clients = server_->clients(),
                              .dropped_for_slow_clients = server_->dropped(),
                              .refused = watcher_->refused(),
                              .refused_control = watcher_->refused_control(),
                              .cameras = watcher_->cameras()});
  }
  [[nodiscard]] std::vector<watch::CameraStatus> statuses() const override { return watcher_->cameras(); }
  [[nodiscard]] std::set<DeviceId> cameras() const override {
    std::set<DeviceId> ids;
    for (const auto& camera : watcher_->cameras()) ids.insert(camera.id);
    return ids;
  }
  [[nodiscard]] const watch::PictureGroup* newest(const DeviceId& camera) const override {
    return watcher_->newest(camera);
  }
  Result<> switch_privacy(const DeviceId& camera, bool on) override { return watcher_->switch_privacy(camera, on); }
  void on_interest(bool all, std::set<DeviceId> cameras) override { watcher_->want(all, std::move(cameras)); }

  void tick();
  void say_state();
  void begin_stop();

  AppConfig config_;
  Log& log_;
  SystemClock clock_;
  CaptureTime started_ = clock_.wall();
  hal::media::ModuleMedia media_{log_};
  asio::io_context io_{1};
  asio::steady_timer timer_{io_};
  asio::steady_timer stop_timer_{io_};
  asio::signal_set signals_{io_};
  watch::FileRosterStore rosters_;
  watch::FileSequenceStore sequence_;
  watch::VerifyPool pool_;
  std::unique_ptr<watch::Watcher> watcher_;
  std::unique_ptr<web::Server> server_;
  std::unique_ptr<transport::Mqtt5Client> client_;
  service::ServiceManager service_{clock_};
  RateLimit status_log_{std::chrono::minutes(1)};
  int ticks_ = 0;
  bool state_changed_ = false;
  bool stopping_ = false;
};

Result<> App::open(const pairing::DeviceState& state, const pairing::Enrolment& enrolment) {
  auto watcher =
      watch::Watcher::create(enrolment.owner, state.keys(), {pool_, rosters_, sequence_, clock_, log_, *this});
  if (!watcher) return std::unexpected(watcher.error());
  watcher_ = std::move(*watcher);

  const auto listen = parse_listen(config_.settings.listen);
  if (!listen) return fail(Errc::invalid_argument, "address to listen on");
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(listen->host, ec);
  if (ec) return fail(Errc::invalid_argument, "address to listen on");
  auto server = web::Server::open(io_, {address, listen->port}, *this, media_, clock_, log_);
  if (!server) return std::unexpected(server.error());
  server_ = std::move(*server);

  auto pem = state.tls_key_pem();
  if (!pem) return std::unexpected(pem.error());
  auto key = transport::TlsKey::from_pem(as_bytes(*pem));
  wipe(std::as_writable_bytes(std::span(pem->data(), pem->size())));
  if (!key) return std::unexpected(key.error());
  auto client = transport::Mqtt5Client::open(io_,
                                             {.host = enrolment.broker_host,
                                              .port = enrolment.broker_port,
                                              .client_id = state.keys().identity.id().to_string(),
                                              .tls = {.role = transport::TlsRole::client,
                                                      .authority_pem = enrolment.ca_pem,
                                                      .certificate_pem = enrolment.certificate_pem,
                                                      .key = std::move(*key)},
                                              .max_in_flight = 64},
                                             *watcher_, log_);
  if (!client) return std::unexpected(client.error());
  client_ = std::move(*client);
  watcher_->start(*client_);
  return {};
}

void App::run() {
  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  signals_.async_wait([this](const boost::system::error_code& ec, int) {
    if (!ec) begin_stop();
  });
  log_.info("the page is at http://{}/", server_->address());
  tick();
  service_.ready();
  io_.run();
}

// Several cameras may change at once; their viewers are told once.
void App::on_state(const watch::CameraStatus& camera) {
  // Stored rosters are obeyed before there is a server.
  if (server_ && !stopping_ && watch::barred(camera.reason)) server_->withdraw(camera.id);
  if (std::exchange(state_changed_, true)) return;
  asio::post(io_, [this] {
    state_changed_ = false;
    if (!stopping_) server_->broadcast_state();
  });
}

void App::tick() {
  if (stopping_) return;
  watcher_->tick();
  server_->tick();
  service_.alive();
  if (ticks_++ % ticks_per_state == 0) say_state();
  timer_.expires_after(tick_interval);
  timer_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) tick();
  });
}

void App::say_state() {
  server_->broadcast_state();
  if (!config_.status) return;
  if (auto r = replace_status_file(*config_.status, state() + "\n"); !r && status_log_.allow(clock_.monotonic()))
    log_.warning("{}: {}", config_.status->string(), to_string(r.error()));
}

void App::begin_stop() {
  stopping_ = true;
  service_.stopping();
  log_.info("stopping");
  timer_.cancel();
  watcher_->stop();
  server_->stop();
  client_->stop([this] { io_.stop(); });
  stop_timer_.expires_after(stop_time);
  stop_timer_.async_wait([this](const boost::system::error_code&) { io_.stop(); });
}

int exit_code(Errc code) {
  switch (code) {
    case Errc::permission: return EX_NOPERM;
    case Errc::conflict: return EX_UNAVAILABLE;
    case Errc::invalid_argument:
    case Errc::malformed:
    case Errc::wrong_key: return EX_CONFIG;
    case Errc::io: return EX_IOERR;
    default: return EX_SOFTWARE;
  }
}

}  // namespace

int run_app(const AppConfig& config, const pairing::DeviceState& state, const pairing::Enrolment& enrolment, Log& log) {
  const auto& folder = state.files().folder;
  auto rosters = watch::FileRosterStore::open(folder / "rosters" / enrolment.owner.account().to_string());
  auto sequence = watch::FileSequenceStore::open(folder / "ask-seq");
  if (!rosters || !sequence) {
    const auto& error = rosters ? sequence.error() : rosters.error();
    log.error("{}: {}", folder.string(), to_string(error));
    return exit_code(error.code);
  }
  App app(config, log, std::move(*rosters), std::move(*sequence));
  if (auto r = app.open(state, enrolment); !r) {
    log.error("cannot start: {}", to_string(r.error()));
    return exit_code(r.error().code);
  }
  app.run();
  return EX_OK;
}

}  // namespace sealcam::hub
