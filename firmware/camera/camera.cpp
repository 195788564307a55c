// SPDX-License-Identifier: Apache-2.0
#include "camera/camera.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <thread>

#include "camera/activity_light.hpp"
#include "camera/capture_factory.hpp"
#include "camera/reset_button.hpp"
#include "camera/running_board.hpp"
#include "camera/state_actions.hpp"
#include "camera/status_report.hpp"
#include "camera/wifi_keeper.hpp"
#include "hal/networkmanager/networkmanager.hpp"
#include "service/service_manager.hpp"
#include "stream/publisher.hpp"
#include "stream/stores.hpp"
#include "transport/mqtt5_client.hpp"

namespace sealcam::camera {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

namespace {

constexpr auto tick_interval = 100ms;
constexpr auto status_interval = 1s;
constexpr auto farewell = 400ms;  // for the broker's word on the offline status
constexpr auto last_moment = 900ms;
constexpr std::uint32_t largest_incoming = 128U << 10;  // rosters, asks
constexpr std::size_t publishes_in_flight = 16;         // four frames, and the few control messages beside them

/// The owner's key, once for rosters and once for commands: each keeper has its own handle.
struct Owner {
  crypto::Verifier of_rosters, of_commands;
};

class Camera {
 public:
  Camera(const RunOptions& options, CameraConfig effective, const protocol::Route& route, Owner owner,
         const pairing::DeviceState& state, const pairing::Enrolment& enrolment, const Clock& clock, Log& log);
  Result<End> run();

 private:
  Result<> open_client();
  Result<transport::MqttConfig> client_config();
  void wait_for_frames();
  void wait_for_tick();
  void wait_for_status();
  void wait_for_signal();
  void write_status();
  void tell_of_wifi();
  void watch_for_reset();
  void on_signal(int signal);
  void stop();
  void disconnect();

  RunOptions options_;
  CameraConfig effective_;  // the configuration with the owner's settings
  const pairing::DeviceState& state_;
  const pairing::Enrolment& enrolment_;
  const Clock& clock_;
  Log& log_;
  UniqueFd wake_;
  stream::AccessUnitQueue queue_;
  stream::ChallengeBoard board_;
  stream::CaptureControl control_;
  ConfiguredCapture factory_;
  std::unique_ptr<hal::BoardControl> light_;
  stream::CaptureLoop capture_;
  stream::RosterFile roster_file_;
  stream::EpochFile epoch_file_;
  stream::CommandFile command_file_;
  stream::PrivacyFile privacy_file_;
  stream::RosterKeeper roster_;
  stream::Epochs epochs_;
  stream::AskKeeper asks_;
  hal::networkmanager::NetworkManager network_;
  WifiKeeper wifi_;
  StateActions actions_;
  stream::CommandKeeper commands_;
  stream::Privacy privacy_;
  stream::Orders orders_;
  ResetButton button_;
  stream::Publisher publisher_;
  StatusReport report_;
  service::ServiceManager service_{clock_};
  asio::io_context io_{1};
  asio::posix::stream_descriptor frames_{io_};
  asio::steady_timer tick_{io_}, status_{io_}, deadline_{io_};
  asio::signal_set signals_{io_, SIGTERM, SIGINT, SIGUSR1};
  std::unique_ptr<transport::Mqtt5Client> client_;
  bool stopping_ = false;
  End end_ = End::stopped;
  bool disconnecting_ = false;
  bool status_failed_ = false;
  std::jthread capture_thread_;  // last: it ends before anything it uses
};

Camera::Camera(const RunOptions& options, CameraConfig effective, const protocol::Route& route, Owner owner,
               const pairing::DeviceState& state, const pairing::Enrolment& enrolment, const Clock& clock, Log& log)
    : options_(options),
      effective_(std::move(effective)),
      state_(state),
      enrolment_(enrolment),
      clock_(clock),
      log_(log),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      control_(best_quality(effective_)),
      factory_(effective_, encoder_limits(hal::board::SystemView()), clock, log),
      light_(open_activity_light(hal::board::SystemView(), log)),
      capture_({factory_, queue_, board_, control_, clock, log, light_.get()},
               [fd = wake_.get()] { (void)::eventfd_write(fd, 1); }),
      roster_file_(state.files().folder / "roster"),
      epoch_file_(state.files().folder / "epoch"),
      command_file_(state.files().folder / "command-seq"),
      privacy_file_(state.files().folder / "privacy"),
      roster_(roster_file_, route, std::move(owner.of_rosters), state.keys()),
      epochs_(epoch_file_, clock, route, state.keys().identity, enrolment.name),
      asks_(route, clock),
      network_(clock),
      wifi_({state.files(), network_, clock, log}),
      actions_({state.files(), options_.config, factory_, control_, wifi_, log}, enrolment, effective_),
      commands_(command_file_, route, std::move(owner.of_commands), state.keys().hpke),
      privacy_(privacy_file_, control_),
      orders_({clock, log, commands_, actions_, privacy_, epochs_}),
      button_(open_reset_button(hal::board::SystemView(), log), log),
      publisher_({.route = route, .pace = {.best = best_quality(effective_), .lowest = options.config.lowest_bitrate}},
                 {clock, log, queue_, board_, control_, roster_, epochs_, asks_, state.keys().identity, &orders_}),
      report_({clock, publisher_, epochs_, roster_, asks_, queue_, control_, capture_, wifi_, route, options.started}) {
}

Result<transport::MqttConfig> Camera::client_config() {
  auto will = publisher_.will();
  if (!will) return std::unexpected(will.error());
  auto pem = state_.tls_key_pem();
  if (!pem) return std::unexpected(pem.error());
  auto key = transport::TlsKey::from_pem(as_bytes(*pem));
  wipe(std::as_writable_bytes(std::span(pem->data(), pem->size())));
  if (!key) return std::unexpected(key.error());
  return transport::MqttConfig{.host = enrolment_.broker_host,
                               .port = enrolment_.broker_port,
                               .client_id = state_.keys().identity.id().to_string(),
                               .tls = {.role = transport::TlsRole::client,
                                       .authority_pem = enrolment_.ca_pem,
                                       .certificate_pem = enrolment_.certificate_pem,
                                       .key = std::move(*key)},
                               .will = std::move(*will),
                               .max_in_flight = publishes_in_flight,
                               .maximum_packet_size = largest_incoming};
}

Result<> Camera::open_client() {
  auto config = client_config();
  if (!config) return std::unexpected(config.error());
  auto client = transport::Mqtt5Client::open(io_, std::move(*config), publisher_, log_);
  if (!client) return std::unexpected(client.error());
  client_ = std::move(*client);
  publisher_.attach(*client_);
  return {};
}

void Camera::wait_for_frames() {
  frames_.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code error) {
    if (error) return;
    eventfd_t count = 0;
    (void)::eventfd_read(frames_.native_handle(), &count);
    publisher_.frames_ready();
    wait_for_frames();
  });
}

void Camera::wait_for_tick() {
  tick_.expires_after(tick_interval);
  tick_.async_wait([this](error_code error) {
    if (error) return;
    publisher_.tick();
    if (!stopping_ && wifi_.tick(client_->connected())) tell_of_wifi();
    watch_for_reset();
    service_.alive();
    if (stopping_ && publisher_.stopped()) disconnect();
    wait_for_tick();
  });
}

void Camera::wait_for_status() {
  write_status();
  status_.expires_after(status_interval);
  status_.async_wait([this](error_code error) {
    if (!error) wait_for_status();
  });
}

void Camera::write_status() {
  if (options_.status_file.empty()) return;
  const auto written = replace_file(options_.status_file, report_.line(client_->connected()) + "\n");
  if (!written && !std::exchange(status_failed_, true))
    log_.warning("{}: {}", options_.status_file.string(), to_string(written.error()));
}

void Camera::wait_for_signal() {
  signals_.async_wait([this](error_code error, int signal) {
    if (error) return;
    if (signal == SIGUSR1) write_status();
    else on_signal(signal);
    wait_for_signal();
  });
}

/// The next grants say it to the owner.
void Camera::tell_of_wifi() {
  const auto* const fault = wifi_.trouble();
  epochs_.set_wifi(fault == nullptr ? std::nullopt : std::optional(fault->trouble));
  publisher_.renew();
}

void Camera::watch_for_reset() {
  if (stopping_) return;
  const bool pressed = button_.long_pressed(clock_.monotonic());
  if (pressed) log_.info("the reset button was held");
  if (!pressed && !publisher_.reset_wanted()) return;
  end_ = End::reset;
  stop();
}

void Camera::on_signal(int signal) {
  if (stopping_) {
    io_.stop();  // asked twice
    return;
  }
  log_.info("stopping on {}", signal == SIGINT ? "SIGINT" : "SIGTERM");
  service_.stopping();  // not after a reset, when the camera starts again by itself
  stop();
}

void Camera::stop() {
  if (std::exchange(stopping_, true)) return;
  capture_thread_.request_stop();
  publisher_.stop(end_ == End::reset ? stream::Publisher::Ending::reset : stream::Publisher::Ending::stopped);
  deadline_.expires_after(farewell);
  deadline_.async_wait([this](error_code error) {
    if (!error) disconnect();
  });
}

void Camera::disconnect() {
  if (std::exchange(disconnecting_, true)) return;
  write_status();
  deadline_.expires_after(last_moment - farewell);
  deadline_.async_wait([this](error_code error) {
    if (!error) io_.stop();
  });
  client_->stop([this] { io_.stop(); });
}

Result<End> Camera::run() {
  if (!wake_) return fail(Errc::io, "eventfd", errno);
  // Before the sensor is opened: with privacy on it never is.
  if (auto r = privacy_.load(); !r) return std::unexpected(r.error());
  wifi_.load();
  if (const auto* fault = wifi_.trouble()) epochs_.set_wifi(fault->trouble);
  frames_.assign(::dup(wake_.get()));
  // Sensor and encoder open while the network connects.
  capture_thread_ = std::jthread([this](const std::stop_token& stop) { capture_.run(stop); });
  if (auto r = open_client(); !r) return std::unexpected(r.error());
  if (auto r = publisher_.start(); !r) return std::unexpected(r.error());
  if (publisher_.reset_wanted()) return End::reset;  // ordered before a power cut
  wait_for_frames();
  wait_for_tick();
  wait_for_status();
  wait_for_signal();
  // Ready means running, not connected: a broker that is away must not fail the unit's start.
  service_.ready();
  io_.run();
  return end_;
}

}  // namespace

Result<End> run_camera(const RunOptions& options, const pairing::DeviceState& state,
                       const pairing::Enrolment& enrolment, const Clock& clock, Log& log) {
  auto of_rosters = crypto::Verifier::open(enrolment.owner);
  auto of_commands = crypto::Verifier::open(enrolment.owner);
  if (!of_rosters || !of_commands) return fail(Errc::crypto, "the owner's key cannot be used");
  auto settings = read_settings(state.files().settings());
  if (!settings) {
    log.error("{}", settings.error());
    return fail(Errc::malformed, "the owner's settings are damaged");
  }
  const protocol::Route route{enrolment.owner.account(), state.keys().identity.id()};
  log.info("camera {} of account {}, broker {}:{}", route.camera.to_string(), route.account.to_string(),
           enrolment.broker_host, enrolment.broker_port);
  // On the heap: it is large, and its threads keep addresses in it.
  const auto camera =
      std::make_unique<Camera>(options, with_settings(options.config, *settings, log), route,
                               Owner{std::move(*of_rosters), std::move(*of_commands)}, state, enrolment, clock, log);
  return camera->run();
}

}  // namespace sealcam::camera
