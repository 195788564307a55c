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

#include "base/file.hpp"
#include "base/format.hpp"
#include "camera/capture_factory.hpp"
#include "camera/open_past.hpp"
#include "camera/owner_settings.hpp"
#include "camera/reports.hpp"
#include "camera/update_status.hpp"
#include "device/file_stores.hpp"
#include "device/past_epochs.hpp"
#include "device/program.hpp"
#include "hal/networkmanager/networkmanager.hpp"
#include "protocol/pairing.hpp"
#include "stream/publish/publisher.hpp"
#include "transport/mqtt/mqtt5_client.hpp"

namespace sealcam::camera {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

namespace {

constexpr auto tick_interval = 100ms;
constexpr auto status_interval = 1s;
constexpr auto fault_interval = 1min;
constexpr auto offline_time = 400ms;                // for the broker's acknowledgment of the offline status
constexpr auto stop_time = 900ms;                   // for everything after stop()
constexpr std::uint32_t max_incoming = 128U << 10;  // a roster is the largest message
constexpr std::size_t max_in_flight = 16;           // four frames and some control messages

/// The owner's key. Each validator has its own handle.
struct Owner {
  crypto::Verifier of_rosters, of_commands;
};

class Camera {
 public:
  Camera(const RunOptions& options, CameraConfig effective, const protocol::Route& route, Owner owner,
         const device::DeviceState& state, const device::Enrollment& enrollment, const Clock& clock, Log& log);
  Result<End> run();

 private:
  Result<> open_client();
  Result<transport::MqttConfig> client_config();
  void wait_for_frames();
  void wait_for_tick();
  void wait_for_status();
  void wait_for_signal();
  void write_status();
  void report_wifi();
  void reserve_space();
  void check_for_reset();
  void check_for_rollback();
  void check_for_fault();
  void on_signal(int signal);
  void stop();
  void disconnect();

  RunOptions options_;
  CameraConfig effective_;  // the configuration with the owner's settings
  const device::DeviceState& state_;
  const device::Enrollment& enrollment_;
  const Clock& clock_;
  Log& log_;
  UniqueFd wake_;
  stream::AccessUnitQueue queue_;
  stream::ReceivedChallenges board_;
  stream::CaptureControl control_;
  std::stop_source stop_open_;  // ends an open() of the capture thread
  ConfiguredCapture factory_;
  std::unique_ptr<hal::BoardControl> light_;
  stream::CaptureLoop capture_;
  device::RosterFolder rosters_;
  device::EpochFile epoch_file_;
  device::CommandFile command_file_;
  device::PrivacyFile privacy_file_;
  device::HubKeyFile hub_key_file_;
  std::unique_ptr<device::PastStore> past_;
  device::PastPrivacyStore privacy_store_;
  device::PastEpochStore epoch_store_;
  stream::RosterValidator roster_;
  stream::Epochs epochs_;
  stream::RequestValidator requests_;
  stream::Prekeys prekeys_;
  hal::networkmanager::NetworkManager network_;
  WifiController wifi_;
  StateActions actions_;
  SoftwareMonitor software_;
  stream::CommandValidator commands_;
  stream::Privacy privacy_;
  stream::CommandExecutor executor_;
  ResetButton button_;
  stream::Publisher publisher_;
  StatusReport report_;
  device::ServiceManager service_{clock_};
  asio::io_context io_{1};
  asio::posix::stream_descriptor frames_{io_};
  asio::steady_timer tick_{io_}, status_{io_}, deadline_{io_};
  asio::signal_set signals_{io_, SIGTERM, SIGINT, SIGUSR1};
  std::unique_ptr<transport::Mqtt5Client> client_;
  bool stopping_ = false;
  End end_ = End::stopped;
  bool disconnecting_ = false;
  bool status_failed_ = false;
  bool rollback_reported_ = false;
  bool fault_stored_ = true;  // perhaps, by an earlier run
  std::optional<MonotonicTime> fault_checked_;
  std::jthread capture_thread_;  // last, because it uses the members above
};

Camera::Camera(const RunOptions& options, CameraConfig effective, const protocol::Route& route, Owner owner,
               const device::DeviceState& state, const device::Enrollment& enrollment, const Clock& clock, Log& log)
    : options_(options),
      effective_(std::move(effective)),
      state_(state),
      enrollment_(enrollment),
      clock_(clock),
      log_(log),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      control_(best_quality(effective_)),
      factory_(effective_, encoder_limits(hal::board::SystemView()), clock, log, {.stop = stop_open_.get_token()}),
      light_(open_activity_light(hal::board::SystemView(), log)),
      capture_({factory_, queue_, board_, control_, clock, log, *light_},
               [fd = wake_.get()] { (void)::eventfd_write(fd, 1); }),
      rosters_(state.files().rosters(route.account)),
      epoch_file_(state.files().epoch()),
      command_file_(state.files().command()),
      privacy_file_(state.files().privacy()),
      hub_key_file_(state.files().prekeys()),
      past_(open_past(effective_, state, epoch_file_, route, log)),
      privacy_store_(privacy_file_, past_.get(), state.files().past()),
      epoch_store_(epoch_file_, past_ ? state.files().past() : std::filesystem::path()),
      roster_(rosters_, route, std::move(owner.of_rosters), state.keys()),
      epochs_(epoch_store_, clock, route, state.keys().identity, enrollment.name),
      requests_(route, clock),
      prekeys_(hub_key_file_, clock, log),
      network_(clock),
      wifi_({state.files(), network_, clock, log}),
      actions_({state.files(), options_.config, factory_, control_, wifi_, log, options.update_file}, enrollment,
               effective_),
      software_(options.update_file, clock),
      commands_(command_file_, route, std::move(owner.of_commands), state.keys().hpke),
      privacy_(privacy_store_, control_),
      executor_({clock, log, commands_, actions_, privacy_, epochs_}),
      button_(open_reset_button(hal::board::SystemView(), log), log),
      publisher_(
          {.route = route, .rate = {.best = best_quality(effective_), .min_bitrate = options.config.min_bitrate}},
          {clock, log, queue_, board_, control_, roster_, epochs_, requests_, state.keys().identity, executor_,
           prekeys_, past_.get()}),
      report_({clock, publisher_, epochs_, roster_, requests_, queue_, control_, capture_, wifi_, route,
               options.started}) {}

Result<transport::MqttConfig> Camera::client_config() {
  auto will = publisher_.will();
  if (!will) return std::unexpected(will.error());
  auto tls = device::broker_tls(state_.files(), enrollment_);
  if (!tls) return std::unexpected(tls.error());
  return transport::MqttConfig{.host = enrollment_.broker_host,
                               .port = enrollment_.broker_port,
                               .client_id = state_.keys().identity.id().to_string(),
                               .tls = std::move(*tls),
                               .will = std::move(*will),
                               .max_in_flight = max_in_flight,
                               .maximum_packet_size = max_incoming};
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
    if (!stopping_ && wifi_.tick(client_->connected())) report_wifi();
    if (!stopping_ && software_.tick()) {
      epochs_.set_software(software_.report());
      publisher_.renew();
    }
    check_for_reset();
    check_for_rollback();
    check_for_fault();
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
  const auto written = device::replace_status_file(options_.status_file, report_.line(client_->connected()) + "\n");
  if (!written && !std::exchange(status_failed_, true))
    log_.warning("{}", to_string(located(written.error(), options_.status_file.native())));
}

void Camera::wait_for_signal() {
  signals_.async_wait([this](error_code error, int signal) {
    if (error) return;
    if (signal == SIGUSR1) write_status();
    else on_signal(signal);
    wait_for_signal();
  });
}

/// The next grants contain the state of the Wi-Fi network, for the owner.
void Camera::report_wifi() {
  const auto* const fault = wifi_.fault();
  epochs_.set_wifi(fault == nullptr ? std::nullopt : std::optional(fault->fault));
  publisher_.renew();
}

void Camera::check_for_reset() {
  if (stopping_) return;
  const bool pressed = button_.long_pressed(clock_.monotonic());
  if (pressed) log_.info("the reset button was pressed for five seconds");
  if (!pressed && !publisher_.reset_requested()) return;
  end_ = End::reset;
  stop();
}

/// For --doctor, which is another process. Written once, because a hostile hub could cause it again and again.
void Camera::check_for_rollback() {
  const auto& later = requests_.later_epoch();
  if (!later || std::exchange(rollback_reported_, true)) return;
  const auto text = sealcam::format(
      "hub {} has grants of epoch {:016x}, which this camera never began: its state was restored from an old copy, or "
      "a "
      "second device has its identity\n",
      later->hub.to_string(), later->epoch.value());
  log_.error("{}", std::string_view(text).substr(0, text.size() - 1));
  std::error_code ec;
  if (std::filesystem::exists(state_.files().rolled_back(), ec)) return;
  if (auto r = write_file_durably(state_.files().rolled_back(), as_bytes(text)); !r)
    log_.warning("{}", to_string(r.error()));
}

/// For --doctor, which is another process. Written at most once a minute, because a sensor may fail again and again.
void Camera::check_for_fault() {
  const auto now = clock_.monotonic();
  if (control_.fault().has_value() == fault_stored_ || (fault_checked_ && now - *fault_checked_ < fault_interval))
    return;
  fault_checked_ = now;
  const auto text = capture_.fault();
  fault_stored_ = !text.empty();
  const auto file = state_.files().fault();
  std::error_code ec;
  if (!fault_stored_) std::filesystem::remove(file, ec);
  else if (auto r = write_file_durably(file, as_bytes(text + "\n")); !r) log_.warning("{}", to_string(r.error()));
}

void Camera::on_signal(int signal) {
  if (stopping_) {
    io_.stop();  // the second signal
    return;
  }
  log_.info("stopping on {}", signal == SIGINT ? "SIGINT" : "SIGTERM");
  service_.stopping();  // not for a reset, because the program then starts again by itself
  stop();
}

void Camera::stop() {
  if (std::exchange(stopping_, true)) return;
  capture_thread_.request_stop();
  publisher_.stop(end_ == End::reset ? stream::Publisher::Ending::reset : stream::Publisher::Ending::stopped);
  deadline_.expires_after(offline_time);
  deadline_.async_wait([this](error_code error) {
    if (!error) disconnect();
  });
}

void Camera::disconnect() {
  if (std::exchange(disconnecting_, true)) return;
  write_status();
  deadline_.expires_after(stop_time - offline_time);
  deadline_.async_wait([this](error_code error) {
    if (!error) io_.stop();
  });
  client_->stop([this] { io_.stop(); });
}

/// A disk that is full later must not stop the camera.
void Camera::reserve_space() {
  for (const auto& reserved : {rosters_.prepare(state_.keys().identity.id()), epoch_file_.prepare(),
                               command_file_.prepare(), privacy_file_.prepare(), hub_key_file_.prepare()}) {
    if (reserved) continue;
    log_.warning("cannot reserve space for rosters and commands, free some: {}", to_string(reserved.error()));
    return;
  }
}

Result<End> Camera::run() {
  if (!wake_) return fail(Errc::io, "eventfd", errno);
  control_.set_areas(effective_.areas);
  // Before the sensor opens, because with privacy on it must not open.
  if (auto r = privacy_.load(); !r) return std::unexpected(r.error());
  reserve_space();
  wifi_.load();
  if (const auto* fault = wifi_.fault()) epochs_.set_wifi(fault->fault);
  epochs_.set_software(software_.report());
  frames_.assign(::dup(wake_.get()));
  // Sensor and encoder open while the network connects.
  capture_thread_ = std::jthread([this](const std::stop_token& stop) {
    const std::stop_callback end_open(stop, [this] { stop_open_.request_stop(); });
    capture_.run(stop);
  });
  if (auto r = open_client(); !r) return std::unexpected(r.error());
  if (auto r = publisher_.start(); !r) return std::unexpected(r.error());
  if (publisher_.reset_requested()) return End::reset;  // the command arrived before a power cut
  wait_for_frames();
  wait_for_tick();
  wait_for_status();
  wait_for_signal();
  // Ready means running. If it meant connected, a missing broker would fail the start of the unit.
  service_.ready();
  io_.run();
  std::error_code ec;
  std::filesystem::remove(state_.files().fault(), ec);  // it describes a running camera
  return end_;
}

}  // namespace

Result<End> run_camera(const RunOptions& options, const device::DeviceState& state,
                       const device::Enrollment& enrollment, const Clock& clock, Log& log) {
  auto of_rosters = crypto::Verifier::open(enrollment.owner);
  auto of_commands = crypto::Verifier::open(enrollment.owner);
  if (!of_rosters || !of_commands) return fail(Errc::crypto, "the owner's key is invalid");
  auto settings = read_settings(state.files().settings());
  if (!settings) {
    log.error("{}", settings.error());
    return fail(Errc::malformed, "the owner's settings are damaged");
  }
  const protocol::Route route{enrollment.owner.account(), state.keys().identity.id()};
  log.info("camera {} of account {}, broker {}", route.camera.to_string(), route.account.to_string(),
           protocol::HostPort{enrollment.broker_host, enrollment.broker_port}.to_string());
  // On the heap, because it is large.
  const auto camera =
      std::make_unique<Camera>(options, with_settings(options.config, *settings, log), route,
                               Owner{std::move(*of_rosters), std::move(*of_commands)}, state, enrollment, clock, log);
  return camera->run();
}

}  // namespace sealcam::camera
