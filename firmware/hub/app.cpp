// SPDX-License-Identifier: Apache-2.0
#include "hub/app.hpp"

#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdlib>

#include "base/format.hpp"
#include "device/enrollment.hpp"
#include "device/file_stores.hpp"
#include "device/hub_stores.hpp"
#include "device/program.hpp"
#include "hal/h264.hpp"
#include "hal/modules/modules.hpp"
#include "hub/access/access.hpp"
#include "hub/access/open_socket.hpp"
#include "hub/decoder/decoder.hpp"
#include "hub/events/event_post.hpp"
#include "hub/phone_listener.hpp"
#include "hub/recording.hpp"
#include "hub/web/messages.hpp"
#include "hub/web/routes.hpp"
#include "hub/web/server.hpp"
#include "transport/mqtt/mqtt5_client.hpp"
#include "watch/verify_pool.hpp"
#include "watch/watcher.hpp"

namespace sealcam::hub {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds tick_interval{100};
constexpr int ticks_per_state = 10;
constexpr std::chrono::seconds stop_time{2};

/// systemd.exec(5), $JOURNAL_STREAM.
bool stderr_is_the_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat info{};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return sealcam::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

/// Thread-bound to the network thread, which runs `io_`.
class App final : private watch::PictureSink, private web::WebBackend {
 public:
  App(AppConfig config, Log& log, const device::DeviceState& state, device::RosterFolder rosters,
      device::SequenceFile sequence)
      : config_(std::move(config)),
        log_(log),
        tokens_(state.files().folder),
        rosters_(std::move(rosters)),
        sequence_(std::move(sequence)),
        epochs_(state.files().max_epochs()),
        prekeys_(state.files().own_prekeys(), state.store()),
        pool_(config_.settings.verify_threads, [this] { asio::post(io_, [this] { watcher_->drain(); }); }) {}

  [[nodiscard]] Result<> open(const device::DeviceState& state, const device::Enrollment& enrollment);
  void run();

 private:
  void on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView unit) override {
    server_->on_picture(camera, picture, unit);
  }
  void on_state(const watch::CameraStatus& camera) override;

  [[nodiscard]] std::string hello() const override { return web::hello_message(*watcher_, device::version()); }
  [[nodiscard]] std::string state() const override {
    return web::state_message(*watcher_, {server_->address(), server_->clients(), server_->dropped()}, clock_.wall());
  }
  [[nodiscard]] std::string metrics() const override {
    return web::metrics_text({.version = device::version(),
                              .started = started_,
                              .connected = watcher_->connected(),
                              .clients = server_->clients(),
                              .dropped_for_slow_clients = server_->dropped(),
                              .rejected = watcher_->rejected(),
                              .rejected_control = watcher_->rejected_control(),
                              .cameras = watcher_->cameras(),
                              .recordings = recording_ ? std::optional(recording_->status()) : std::nullopt,
                              .camera_events = events_.cameras(clock_.boot()),
                              .event_posts = poster_ ? std::optional(poster_->counts()) : std::nullopt});
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
  void on_interest(bool all, std::set<DeviceId> cameras) override {
    all_watched_ = all;
    watched_ = std::move(cameras);
    update_watched();
  }

  void open_recording(const device::DeviceState& state, const device::Enrollment& enrollment);
  void open_phone_listener(const device::Enrollment& enrollment);
  void on_motion(const DeviceId& camera, CaptureTime at);
  /// A camera that is recorded is also requested while no browser watches it.
  void update_watched();
  void open_socket(const std::filesystem::path& folder);
  [[nodiscard]] std::string page_address(std::string_view user);
  void log_address();
  void tick();
  void show_state();
  void begin_stop();

  AppConfig config_;
  Log& log_;
  SystemClock clock_;
  CaptureTime started_ = clock_.wall();
  hal::modules::MediaModule module_{log_};
  decoder::DecoderProcesses media_{module_, "/proc/self/exe"};
  asio::io_context io_{1};
  asio::steady_timer timer_{io_};
  asio::steady_timer stop_timer_{io_};
  asio::signal_set signals_{io_};
  access::TokenFile tokens_;
  access::Access access_{tokens_, clock_, log_};
  device::RosterFolder rosters_;
  device::SequenceFile sequence_;
  device::MaxEpochFile epochs_;
  device::PrekeyFile prekeys_;
  watch::VerifyPool pool_;
  events::EventTracker events_;
  std::unique_ptr<events::EventPoster> poster_;  ///< null if the hub sends no events
  std::unique_ptr<Recording> recording_;         ///< null if the hub does not record
  bool all_watched_ = false;                     ///< by browsers and players
  std::set<DeviceId> watched_;                   ///< by browsers and players
  std::unique_ptr<watch::Watcher> watcher_;
  std::unique_ptr<web::Server> server_;
  std::unique_ptr<access::OpenSocket> open_socket_;
  std::unique_ptr<PhoneListener> phone_listener_;  ///< null if the hub does not serve phones
  std::unique_ptr<transport::Mqtt5Client> client_;
  std::optional<BootTime> address_logged_;
  device::ServiceManager service_{clock_};
  RateLimit status_log_{std::chrono::minutes(1)};
  int ticks_ = 0;
  bool state_changed_ = false;
  bool stopping_ = false;
};

Result<> App::open(const device::DeviceState& state, const device::Enrollment& enrollment) {
  open_recording(state, enrollment);
  auto watcher = watch::Watcher::create(
      enrollment.owner, state.keys(),
      {pool_, rosters_, sequence_, epochs_, &prekeys_, clock_, log_, *this, hal::is_picture, recording_.get()});
  if (!watcher) return std::unexpected(watcher.error());
  watcher_ = std::move(*watcher);

  if (auto r = access_.load(); !r) {
    log_.error("delete access.json in the state folder to remove all access tokens");
    return r;
  }
  const auto listen = parse_listen(config_.settings.listen);
  if (!listen) return fail(Errc::invalid_argument, "the address of the page is not a loopback address with a port");
  auto server = web::Server::open(io_, listen->host, listen->port, *this, access_, media_, clock_, log_,
                                  recording_ ? &recording_->archive() : nullptr);
  if (!server) return std::unexpected(server.error());
  server_ = std::move(*server);
  open_socket(state.files().folder);
  open_phone_listener(enrollment);

  auto tls = device::broker_tls(state.files(), enrollment);
  if (!tls) return std::unexpected(tls.error());
  auto client = transport::Mqtt5Client::open(io_,
                                             {.host = enrollment.broker_host,
                                              .port = enrollment.broker_port,
                                              .client_id = state.keys().identity.id().to_string(),
                                              .tls = std::move(*tls),
                                              .max_in_flight = 64},
                                             *watcher_, log_);
  if (!client) return std::unexpected(client.error());
  client_ = std::move(*client);
  update_watched();
  watcher_->start(*client_);
  return {};
}

// A hub that cannot record still shows live pictures.
void App::open_recording(const device::DeviceState& state, const device::Enrollment& enrollment) {
  if (!config_.settings.recordings.enabled()) return;
  if (config_.settings.event_post.url) {
    auto poster = events::EventPoster::open(io_, config_.settings.event_post, log_);
    if (poster) poster_ = std::move(*poster);
    else log_.error("the hub sends no events until it is restarted: {}", to_string(poster.error()));
  }
  auto recording = Recording::open(config_.settings.recordings, state, enrollment.owner, clock_, log_,
                                   [this](const DeviceId& camera, CaptureTime at) { on_motion(camera, at); });
  if (recording) recording_ = std::move(*recording);
  else log_.error("the hub does not record until it is restarted: {}", to_string(recording.error()));
}

// A hub that cannot serve phones still shows pictures.
void App::open_phone_listener(const device::Enrollment& enrollment) {
  if (!config_.settings.app.enabled()) return;
  auto listener = PhoneListener::open(io_, config_.settings.app, enrollment, clock_, log_);
  if (listener) phone_listener_ = std::move(*listener);
  else log_.error("the hub does not serve phones until it is restarted: {}", to_string(listener.error()));
}

void App::on_motion(const DeviceId& camera, CaptureTime at) {
  const auto event = events_.on_motion(camera, at, clock_.boot());
  if (!event || !poster_) return;
  std::string name;
  if (config_.settings.event_post.names)
    for (const auto& known : watcher_->cameras())
      if (known.id == camera) name = known.name;
  poster_->post(events::event_message(*event, name, config_.settings.event_post.topic));
}

void App::update_watched() {
  watcher_->set_watched(all_watched_, watched_);
  if (recording_) watcher_->set_recorded(recording_->recorded());
}

void App::run() {
  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  signals_.async_wait([this](const boost::system::error_code& ec, int) {
    if (!ec) begin_stop();
  });
  log_address();
  tick();
  service_.ready();
  io_.run();
}

void App::open_socket(const std::filesystem::path& folder) {
  auto socket = access::OpenSocket::open(io_, config_.open_socket.value_or(folder / "open.socket"),
                                         config_.open_socket.has_value(),
                                         [this](std::string_view user) { return page_address(user); });
  if (socket) open_socket_ = std::move(*socket);
  else
    log_.error("'{}' does not work: {}; other clients can use tokens", config_.open_command, to_string(socket.error()));
}

std::string App::page_address(std::string_view user) {
  const auto code = access_.make_code(user);
  if (!code) log_.error("{}", to_string(code.error()));
  return code ? sealcam::format("http://{}{}?code={}", server_->address(), web::open_path, *code) : std::string();
}

// The journal must not contain a code.
void App::log_address() {
  if (stderr_is_the_journal()) {
    log_.info("the page is at http://{}/; to open it, run: {}", server_->address(), config_.open_command);
    return;
  }
  log_.info("open the page within {} s at {}", access::Access::code_time.count(), page_address("the log"));
  address_logged_ = clock_.boot();
}

// Several cameras may change at once. The server then sends one state.
void App::on_state(const watch::CameraStatus& camera) {
  // The watcher applies the stored rosters before the server exists.
  if (server_ && !stopping_ && watch::blocked(camera.reason)) server_->withdraw(camera.id);
  if (recording_ && camera.member && recording_->note_camera(camera.id))
    asio::post(io_, [this] {
      if (!stopping_) update_watched();
    });
  if (recording_ && camera.detects_motion == false && recording_->note_undetected(camera.id))
    log_.warning(
        "camera {} cannot detect motion, so the mode 'motion' records nothing of it: its detector is off, or its "
        "sensor encodes",
        camera.id.to_string());
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
  if (phone_listener_) phone_listener_->tick();
  service_.alive();
  if (address_logged_ && clock_.boot() - *address_logged_ > access::Access::code_time) {
    address_logged_.reset();
    log_.info("the address above is no longer valid; to open the page, run: {}", config_.open_command);
  }
  if (ticks_++ % ticks_per_state == 0) show_state();
  timer_.expires_after(tick_interval);
  timer_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) tick();
  });
}

void App::show_state() {
  server_->broadcast_state();
  if (!config_.status) return;
  if (auto r = device::replace_status_file(*config_.status, state() + "\n");
      !r && status_log_.allow(clock_.monotonic()))
    log_.warning("{}{}", to_string(r.error()), status_log_.note());
}

void App::begin_stop() {
  stopping_ = true;
  service_.stopping();
  log_.info("stopping");
  timer_.cancel();
  watcher_->stop();
  server_->stop();
  if (poster_) poster_->stop();
  open_socket_.reset();
  if (phone_listener_) phone_listener_->stop();
  client_->stop([this] { io_.stop(); });
  stop_timer_.expires_after(stop_time);
  stop_timer_.async_wait([this](const boost::system::error_code&) { io_.stop(); });
}

}  // namespace

int run_app(const AppConfig& config, const device::DeviceState& state, const device::Enrollment& enrollment, Log& log) {
  device::RosterFolder rosters(state.files().rosters(enrollment.owner.account()));
  auto sequence = device::SequenceFile::open(state.files().request_seq());
  if (!sequence) {
    log.error("{}", to_string(sequence.error()));
    return device::service_exit_code(sequence.error().code);
  }
  App app(config, log, state, std::move(rosters), std::move(*sequence));
  if (auto r = app.open(state, enrollment); !r) {
    log.error("the hub cannot start: {}", to_string(r.error()));
    return device::service_exit_code(r.error().code);
  }
  app.run();
  return EX_OK;
}

}  // namespace sealcam::hub
