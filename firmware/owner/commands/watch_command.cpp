// SPDX-License-Identifier: Apache-2.0
// Commands that receive a camera's messages like a hub: watch and inspect.

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>

#include "base/format.hpp"
#include "device/enrollment.hpp"
#include "owner/account/membership.hpp"
#include "owner/commands/change.hpp"
#include "owner/commands/commands.hpp"
#include "owner/record/inspector.hpp"
#include "owner/record/recorder.hpp"
#include "owner/sync/exchange.hpp"

namespace sealcam::owner {

namespace {

/// Whether a person or the reader of the output ended the recording.
bool is_end(const Error& error) { return error.code == Errc::end_of_stream || error.code == Errc::canceled; }

/// Records the LIVE pictures of one camera.
class Recording final : public HubSessionListener {
 public:
  Recording(DeviceId camera, Recorder& recorder, const WatchArguments& options, const Clock& clock)
      : camera_(camera), recorder_(recorder), options_(options), clock_(clock), started_(clock.boot()) {}

  void attach(HubSession& session) { session_ = &session; }
  [[nodiscard]] const std::optional<Failure>& failed() const noexcept { return failed_; }
  [[nodiscard]] const std::string& note() const noexcept { return note_; }
  void report(bool json, const std::string& output) const;

 private:
  void on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView access_unit) override;
  void on_state(const watch::CameraStatus&) override {}
  bool on_tick() override;
  void print_progress();
  [[nodiscard]] std::string why_no_picture() const;
  [[nodiscard]] double recorded_for() const {
    return first_ ? std::chrono::duration<double>(newest_ - *first_).count() : 0;
  }

  DeviceId camera_;
  Recorder& recorder_;
  const WatchArguments& options_;
  const Clock& clock_;
  HubSession* session_ = nullptr;
  BootTime started_;
  std::optional<BootTime> first_;
  BootTime newest_;
  std::uint64_t pictures_ = 0, bytes_ = 0, left_out_ = 0;
  std::uint16_t width_ = 0, height_ = 0;
  bool follows_ = false;  ///< the next delta depends on the last recorded picture
  bool ended_ = false;
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  int ticks_ = 0;
  std::optional<Failure> failed_;
  std::string note_;
};

void Recording::on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView access_unit) {
  if (camera != camera_ || ended_) return;
  // Only LIVE pictures are recorded. After a gap, recording continues with a key frame.
  if (picture.state != watch::CameraState::live || (!picture.starts_group() && !follows_)) {
    follows_ = false;
    ++left_out_;
    return;
  }
  follows_ = true;
  const auto added = recorder_.add({.access_unit = access_unit,
                                    .key = picture.starts_group(),
                                    .captured = picture.header.captured,
                                    .received = picture.received,
                                    .width = picture.header.width,
                                    .height = picture.header.height});
  if (!added) {
    ended_ = true;
    if (added.error().code == Errc::unsupported)
      note_ = sealcam::format(
          "the size of the picture changed from {}x{} to {}x{}, so the recording ended; start a new one", width_,
          height_, picture.header.width, picture.header.height);
    else if (!is_end(added.error()))
      failed_ = failure(added.error(), sealcam::format("cannot write {}", options_.output)).error();
    return session_->stop();
  }
  width_ = picture.header.width;
  height_ = picture.header.height;
  if (!first_) first_ = picture.received;
  newest_ = picture.received;
  ++pictures_;
  bytes_ += access_unit.size();
  if (options_.seconds > 0 && recorded_for() >= options_.seconds) {
    ended_ = true;
    session_->stop();
  }
}

std::string Recording::why_no_picture() const {
  const auto camera = session_->camera(camera_);
  if (!session_->connected())
    return sealcam::format("the broker is not reachable ({}); check the broker and the network",
                           session_->last_warning());
  if (!camera) return "the broker has no roster of the camera; run 'sealcam sync'";
  if (camera->roster_conflict) return "the broker has two rosters of one version; run 'sealcam sync --all'";
  if (!camera->member) return "this machine is not on the camera's roster; run 'sealcam sync'";
  if (const auto why = why_not_live(camera->reason); !why.empty()) return std::string(why);
  if (camera->counters.rejected.total() + camera->counters.rejected_control.total() > 0)
    return "messages of the camera are rejected; see the reasons with 'sealcam inspect'";
  return "the camera does not answer; check that it is on and reaches the broker";
}

bool Recording::on_tick() {
  if (ended_) return false;
  if (++ticks_ % 5 == 0) print_progress();
  // A recording without --seconds has no time limit after the first picture.
  if (options_.timeout <= 0 || (first_ && options_.seconds <= 0)) return true;
  const auto waited = std::chrono::duration<double>(clock_.boot() - (first_ ? newest_ : started_)).count();
  if (waited < options_.timeout) return true;
  failed_ =
      Failure{EX_UNAVAILABLE, sealcam::format("no live picture within {} s: {}", options_.timeout, why_no_picture())};
  return false;
}

void Recording::print_progress() {
  if (!terminal_) return;
  const auto camera = session_->camera(camera_);
  const auto state = camera ? watch::name(camera->state) : "waiting for its roster";
  const auto seconds = recorded_for();
  sealcam::print(stderr, "\r{}: {:.1f} s, {} pictures, {:.1f}/s, {:.2f} Mbit/s   ", state, seconds, pictures_,
                 seconds > 0 ? static_cast<double>(pictures_) / seconds : 0.0,
                 seconds > 0 ? static_cast<double>(bytes_) * 8e-6 / seconds : 0.0);
}

void Recording::report(bool json, const std::string& output) const {
  if (terminal_) sealcam::println(stderr, "");
  if (!json) {
    sealcam::println(stderr, "{} pictures of {}x{} in {:.1f} s, {} left out (not live)", pictures_, width_, height_,
                     recorded_for(), left_out_);
    return;
  }
  const auto line = JsonObject()
                        .add("camera", camera_.to_string())
                        .add("output", output)
                        .add("pictures", pictures_)
                        .add("bytes", bytes_)
                        .add("width", width_)
                        .add("height", height_)
                        .add("seconds", recorded_for())
                        .add("left_out", left_out_)
                        .add("note", note_)
                        .json();
  // With '-o -', standard output contains the stream.
  if (output == "-") sealcam::println(stderr, "{}", line);
  else sealcam::println("{}", line);
}

Outcome<std::unique_ptr<Recorder>> open_recorder(const std::filesystem::path& path, bool stream) {
  if (stream && ::isatty(STDOUT_FILENO) == 1)
    return failure(EX_USAGE, "standard output is a terminal; redirect it to a file or to a player");
  if (stream) return record_annex_b(STDOUT_FILENO);
  auto recorder = record_mp4(path);
  if (!recorder)
    return failure(recorder.error(), sealcam::format("cannot create {}", path.string()), "choose another file with -o");
  return std::move(*recorder);
}

}  // namespace

Outcome<> watch_camera(const Dependencies& deps, const WatchArguments& arguments) {
  const bool stream = arguments.output == "-";
  const std::filesystem::path path = stream ? "" : arguments.output;
  const auto account = read_account(deps.account().account());
  if (!account) return std::unexpected(account.error());
  const auto camera = find_camera(*account, arguments.camera);
  if (!camera) return std::unexpected(camera.error());
  const auto state = open_machine_hub(deps.account());
  if (!state) return std::unexpected(state.error());
  // If the player ends, writing fails with EPIPE and the command ends in order.
  (void)std::signal(SIGPIPE, SIG_IGN);
  const auto recorder = open_recorder(path, stream);
  if (!recorder) return std::unexpected(recorder.error());

  Recording recording((*camera)->id, **recorder, arguments, deps.clock);
  HubSession session(*state, deps.clock, recording);
  recording.attach(session);
  if (auto r = session.run((*camera)->id); !r) return r;
  if (auto r = (*recorder)->finish(); !r && !recording.failed() && !is_end(r.error()))
    return failure(r.error(), sealcam::format("cannot write {}", arguments.output));
  recording.report(deps.json, arguments.output);
  if (!recording.note().empty()) sealcam::println(stderr, "sealcam: {}", recording.note());
  if (recording.failed()) return std::unexpected(*recording.failed());
  return {};
}

namespace asio = boost::asio;

namespace {

std::string now_text(const Clock& clock) {
  using namespace std::chrono;
  const auto now = sys_time<milliseconds>(duration_cast<milliseconds>(clock.wall().since_epoch));
  return sealcam::format("{:%FT%TZ}", now);
}

std::string leaf_text(const Inspection& i) {
  return i.topic ? std::string(protocol::name(i.topic->leaf)) : std::string("?");
}

/// Any client of the broker chooses its topics, so control characters must not reach the terminal.
std::string text_of(std::string_view topic) { return printable(topic, topic.size()); }

std::string epoch_text(protocol::Epoch epoch) { return sealcam::format("{:016x}", epoch.value()); }

void print_object(const Inspection& i, std::string_view topic, const std::string& time) {
  JsonObject line;
  line.add("time", time)
      .add("topic", text_of(topic))
      .add("leaf", leaf_text(i))
      .add("camera", i.topic ? i.topic->route.camera.to_string() : std::string())
      .add("name", i.camera)
      .add("size", i.size)
      .add("retained", i.retained)
      .add("signer", i.signer);
  if (!i.kind.empty()) line.add("kind", i.kind);
  if (i.epoch) line.add("epoch", epoch_text(*i.epoch));
  if (i.counter) line.add("counter", i.counter->value());
  line.add("verified", i.verified);
  if (i.opened) line.add("opened", *i.opened);
  if (!i.why.empty()) line.add("why", i.why);
  if (!i.content.empty()) line.add("content", i.content);
  print_json(line);
}

void print_line(const Inspection& i, std::string_view topic, const std::string& time) {
  std::string line = sealcam::format("{} {:7} {:>8} B{}", time, leaf_text(i), i.size, i.retained ? " retained" : "");
  if (!i.camera.empty()) line += sealcam::format("  {}", i.camera);
  else line += sealcam::format("  {}", text_of(topic));
  if (!i.kind.empty()) line += sealcam::format("  {}", i.kind);
  if (i.epoch) line += sealcam::format("  epoch {}", epoch_text(*i.epoch));
  if (i.counter) line += sealcam::format(" counter {}", i.counter->value());
  if (!i.signer.empty()) line += sealcam::format("  signer {}", i.signer.substr(0, 8));
  line += i.verified ? "  verified" : "  NOT VERIFIED";
  if (i.opened) line += *i.opened ? ", opened" : ", NOT OPENED";
  if (!i.content.empty()) line += sealcam::format(": {}", i.content);
  if (!i.why.empty()) line += sealcam::format(" ({})", i.why);
  sealcam::println("{}", line);
}

class InspectSession final : public transport::MqttListener {
 public:
  InspectSession(Inspector inspector, const Dependencies& deps) : inspector_(std::move(inspector)), deps_(deps) {}

  Outcome<> run(transport::MqttConfig config, const std::vector<std::string>& filters, double seconds) {
    auto client = transport::Mqtt5Client::open(io_, std::move(config), *this, log_);
    if (!client) return failure(client.error(), "cannot connect to the broker");
    client_ = std::move(*client);
    for (const auto& filter : filters) client_->subscribe(filter, transport::Qos::at_most_once);
    asio::signal_set signals(io_, SIGINT, SIGTERM);
    signals.async_wait([this](const boost::system::error_code& ec, int) {
      if (!ec) stop();
    });
    asio::steady_timer timer(io_);
    if (seconds > 0) {
      timer.expires_after(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)));
      timer.async_wait([this](const boost::system::error_code& ec) {
        if (!ec) stop();
      });
    }
    io_.run();
    client_.reset();
    if (ever_connected_) return {};
    return failure(EX_UNAVAILABLE,
                   sealcam::format("the broker is not reachable: {}; check the broker and the network", log_.text()));
  }

 private:
  void on_connected() override { ever_connected_ = true; }
  void on_disconnected(const Error& why) override {
    sealcam::println(stderr, "sealcam: lost the connection to the broker ({}); reconnecting", to_string(why));
  }
  void on_message(const transport::Message& message) override {
    const auto inspection = inspector_.inspect(message);
    const auto time = now_text(deps_.clock);
    if (deps_.json) print_object(inspection, message.topic, time);
    else print_line(inspection, message.topic, time);
    (void)std::fflush(stdout);  // a closed pipe ends the program by SIGPIPE
  }
  void stop() {
    client_->stop([this] { io_.stop(); });
  }

  Inspector inspector_;
  const Dependencies& deps_;
  asio::io_context io_{1};
  LastWarning log_;
  std::unique_ptr<transport::Mqtt5Client> client_;
  bool ever_connected_ = false;
};

/// All topics of a camera.
void add_topics(std::vector<std::string>& filters, const AccountFile& account, const DeviceId& camera) {
  using protocol::Leaf;
  const protocol::Route route{account.account, camera};
  for (const auto leaf : {Leaf::roster, Leaf::command, Leaf::status, Leaf::grants, Leaf::still, Leaf::video})
    filters.push_back(protocol::topic(route, leaf));
  for (const auto& hub : account.hubs) filters.push_back(protocol::request_topic(route, hub.id));
}

/// Exact topics, because brokers need not support wildcards. A person may write a filter with wildcards.
Outcome<std::vector<std::string>> filters_of(const AccountFile& account, const std::string& text) {
  if (text.contains('/')) return std::vector{text};
  std::vector<std::string> filters;
  if (!text.empty()) {
    const auto camera = find_camera(account, text);
    if (!camera) return std::unexpected(camera.error());
    add_topics(filters, account, (*camera)->id);
    return filters;
  }
  filters.push_back(protocol::index_topic(account.account, DeviceId(account.account.bytes())));
  for (const auto& hub : account.hubs) filters.push_back(protocol::index_topic(account.account, hub.id));
  for (const auto& camera : account.cameras) add_topics(filters, account, camera.id);
  return filters;
}

}  // namespace

// Connects as the owner, who may read all topics of the account. Opens messages with the hub keys of this machine,
// unless another command uses them.
Outcome<> inspect_messages(const Dependencies& deps, const InspectArguments& arguments) {
  const auto files = deps.account();
  const auto account = read_account(files.account());
  if (!account) return std::unexpected(account.error());
  const auto filters = filters_of(*account, arguments.filter);
  if (!filters) return std::unexpected(filters.error());
  const auto enrollment = device::read_enrollment(files.owner());
  auto config = broker_connection(files.owner());
  if (!config) return std::unexpected(config.error());
  const auto state = open_machine_hub(files);
  if (!state && state.error().exit_code != EX_TEMPFAIL) return std::unexpected(state.error());
  if (!state) sealcam::println(stderr, "sealcam: {}; this command opens no messages", state.error().message);
  auto inspector = Inspector::open(*account, enrollment->owner, state ? std::optional(state->keys()) : std::nullopt);
  if (!inspector) return failure(inspector.error(), "cannot use the account's keys");
  return InspectSession(std::move(*inspector), deps).run(std::move(*config), *filters, arguments.seconds);
}

}  // namespace sealcam::owner
