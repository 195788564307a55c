// SPDX-License-Identifier: Apache-2.0
#include "owner/record/recorder.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <climits>
#include <csignal>
#include <optional>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "device/enrollment.hpp"
#include "device/file_stores.hpp"
#include "device/hub_stores.hpp"
#include "hal/h264.hpp"
#include "hal/media/mp4/mp4_muxer.hpp"
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

std::string_view why_not_live(watch::Reason reason) noexcept {
  using enum watch::Reason;
  switch (reason) {
    case privacy: return "the camera's sensor is closed; open it with 'sealcam camera privacy'";
    case deregistered: return "the camera was switched off or lost its connection; check its power and its network";
    case sensor_fault: return "the camera's sensor is missing or fails; see the camera's log";
    case picture_fault:
      return "the camera cannot send the pictures of its sensor; see the camera's log, or run its doctor";
    case encoder_fault: return "the camera's encoder is missing or fails; see the camera's log, or run its doctor";
    case unconfirmed:
      return "a message of the camera, which may be an old one, reports a closed sensor or a fault, and no new report "
             "proves it; see the camera's log";
    default: return {};
  }
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

namespace {

/// Writes all of `content`. Unlike write_all(), a signal ends the wait for a reader that does not read (EINTR). False
/// after an error; errno has the reason.
bool write_interruptibly(int descriptor, ByteView content) {
  while (!content.empty()) {
    pollfd output{.fd = descriptor, .events = POLLOUT, .revents = 0};
    if (::poll(&output, 1, -1) < 0) return false;
    // A pipe that is ready takes this much without waiting (pipe(7)).
    if (!write_all(descriptor, content.first(std::min<std::size_t>(content.size(), PIPE_BUF)))) return false;
    content = content.subspan(std::min<std::size_t>(content.size(), PIPE_BUF));
  }
  return true;
}

/// The error of a failed write; `error` is an errno.
std::unexpected<Error> write_failed(const char* what, int error) {
  if (error == EPIPE) return fail(Errc::end_of_stream, "the reader of the output ended");
  if (error == EINTR) return fail(Errc::canceled, "the output was interrupted");
  return fail(Errc::io, what, error);
}

class Mp4Recorder final : public Recorder {
 public:
  explicit Mp4Recorder(OutputFile file) : file_(std::move(file)) {}
  Mp4Recorder(const Mp4Recorder&) = delete;
  Mp4Recorder& operator=(const Mp4Recorder&) = delete;
  ~Mp4Recorder() override { (void)do_finish(); }

 private:
  Result<> do_add(const Recordable& picture) override;
  Result<> do_finish() override;
  Result<> write(ByteView content);

  OutputFile file_;
  std::unique_ptr<hal::Mp4Muxer> muxer_;
  Timeline timeline_;
  std::uint16_t width_ = 0, height_ = 0;
  bool published_ = false;
  bool failed_ = false;  ///< the file ends within a fragment
};

Result<> Mp4Recorder::do_add(const Recordable& picture) {
  if (!muxer_) {
    if (!picture.key) return fail(Errc::invalid_argument, "the first picture is not a key frame");
    auto muxer = hal::media::open_mp4_muxer({picture.width, picture.height});
    if (!muxer) return std::unexpected(muxer.error());
    muxer_ = std::move(*muxer);
    width_ = picture.width;
    height_ = picture.height;
  }
  if (picture.width != width_ || picture.height != height_)
    return fail(Errc::unsupported, "the size of the picture changed, and an MP4 file has one size");
  const auto at = timeline_.next(picture.captured, picture.received);
  const auto out = muxer_->write({.bytes = picture.access_unit, .at = at, .key = picture.key});
  return out ? write(*out) : std::unexpected(out.error());
}

/// The muxer returns the first bytes together with the first picture, so that the recording replaces an existing file
/// early, and only with a playable one.
Result<> Mp4Recorder::write(ByteView content) {
  if (content.empty()) return {};
  if (!write_interruptibly(file_.descriptor(), content)) {
    failed_ = true;
    return write_failed("writing a picture", errno);
  }
  return std::exchange(published_, true) ? Result<>() : file_.publish();
}

Result<> Mp4Recorder::do_finish() {
  const auto muxer = std::exchange(muxer_, nullptr);
  if (!muxer || failed_) return {};
  const auto out = muxer->finish();
  auto result = out ? write(*out) : std::unexpected(out.error());
  if (::fsync(file_.descriptor()) != 0 && errno != EINVAL && result)
    result = write_failed("finishing the MP4 file", errno);
  return result;
}

class AnnexBRecorder final : public Recorder {
 public:
  explicit AnnexBRecorder(int descriptor) : descriptor_(descriptor) {}

 private:
  Result<> do_add(const Recordable& picture) override {
    if (!started_ && !picture.key) return fail(Errc::invalid_argument, "the first picture is not a key frame");
    started_ = true;
    if (!write_interruptibly(descriptor_, picture.access_unit)) return write_failed("writing the stream", errno);
    return {};
  }
  Result<> do_finish() override { return {}; }

  int descriptor_;
  bool started_ = false;
};

}  // namespace

Result<std::unique_ptr<Recorder>> record_mp4(const std::filesystem::path& path) {
  auto file = OutputFile::open(path);
  if (!file) return std::unexpected(file.error());
  return std::make_unique<Mp4Recorder>(std::move(*file));
}

std::unique_ptr<Recorder> record_annex_b(int descriptor) { return std::make_unique<AnnexBRecorder>(descriptor); }

}  // namespace sealcam::owner
