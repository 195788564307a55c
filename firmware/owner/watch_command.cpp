// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <format>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <print>

#include "owner/commands.hpp"
#include "owner/hub_session.hpp"
#include "owner/recorder.hpp"

namespace sealcam::owner {

namespace {

struct WatchOptions {
  std::string camera, output;
  double seconds = 0;    ///< 0: until interrupted
  double patience = 30;  ///< for the first picture; 0: without end
};

/// Records the LIVE pictures of one camera.
class Watching final : public HubSessionListener {
 public:
  Watching(DeviceId camera, Recorder& recorder, const WatchOptions& options, const Clock& clock)
      : camera_(camera), recorder_(recorder), options_(options), clock_(clock), started_(clock.monotonic()) {}

  void attach(HubSession& session) { session_ = &session; }
  [[nodiscard]] const std::optional<Failure>& failed() const noexcept { return failed_; }
  [[nodiscard]] const std::string& note() const noexcept { return note_; }
  [[nodiscard]] bool empty() const noexcept { return pictures_ == 0; }
  void report(bool json, const std::string& output) const;

 private:
  void on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView access_unit) override;
  void on_state(const watch::CameraStatus&) override {}
  bool on_tick() override;
  void progress();
  [[nodiscard]] std::string why_nothing() const;
  [[nodiscard]] double recorded_for() const {
    return first_ ? std::chrono::duration<double>(newest_ - *first_).count() : 0;
  }

  DeviceId camera_;
  Recorder& recorder_;
  const WatchOptions& options_;
  const Clock& clock_;
  HubSession* session_ = nullptr;
  MonotonicTime started_;
  std::optional<MonotonicTime> first_;
  MonotonicTime newest_;
  std::uint64_t pictures_ = 0, bytes_ = 0, left_out_ = 0;
  std::uint16_t width_ = 0, height_ = 0;
  bool follows_ = false;  ///< the next delta follows what was recorded
  bool over_ = false;
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  int ticks_ = 0;
  std::optional<Failure> failed_;
  std::string note_;
};

void Watching::on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView access_unit) {
  if (camera != camera_ || over_) return;
  // Only LIVE is recorded, and after what was left out only from a picture that stands alone.
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
    over_ = true;
    if (added.error().code == Errc::unsupported)
      note_ =
          std::format("the picture's size changed from {}x{} to {}x{}; the file ends there. Watch again for the rest",
                      width_, height_, picture.header.width, picture.header.height);
    else failed_ = failure(added.error(), options_.output).error();
    return session_->stop();
  }
  width_ = picture.header.width;
  height_ = picture.header.height;
  if (!first_) first_ = picture.received;
  newest_ = picture.received;
  ++pictures_;
  bytes_ += access_unit.size();
  if (options_.seconds > 0 && recorded_for() >= options_.seconds) {
    over_ = true;
    session_->stop();
  }
}

std::string Watching::why_nothing() const {
  const auto camera = session_->camera(camera_);
  if (!session_->connected()) return std::format("the broker cannot be reached ({})", session_->last_warning());
  if (!camera) return "the broker has no roster for it. Run: sealcam sync";
  if (camera->roster_conflict) return "two rosters of one version contradict each other. Run: sealcam sync --all";
  if (!camera->member) return "its roster does not let this machine watch. Run: sealcam sync";
  if (camera->counters.refused.total() + camera->counters.refused_control.total() > 0)
    return "what arrives is refused. See why: sealcam inspect";
  return "the camera does not answer. Check that it runs and reaches the broker";
}

bool Watching::on_tick() {
  if (over_) return false;
  if (++ticks_ % 5 == 0) progress();
  // Without a length the recording waits for the camera to come back, however long that takes.
  if (options_.patience <= 0 || (first_ && options_.seconds <= 0)) return true;
  const auto waited = std::chrono::duration<double>(clock_.monotonic() - (first_ ? newest_ : started_)).count();
  if (waited < options_.patience) return true;
  failed_ = Failure{EX_UNAVAILABLE, std::format("No live picture within {} s: {}", options_.patience, why_nothing())};
  return false;
}

void Watching::progress() {
  if (!terminal_) return;
  const auto camera = session_->camera(camera_);
  const auto state = camera ? watch::name(camera->state) : "waiting for its roster";
  const auto seconds = recorded_for();
  std::print(stderr, "\r{}: {:.1f} s, {} pictures, {:.1f}/s, {:.2f} Mbit/s   ", state, seconds, pictures_,
             seconds > 0 ? static_cast<double>(pictures_) / seconds : 0.0,
             seconds > 0 ? static_cast<double>(bytes_) * 8e-6 / seconds : 0.0);
}

void Watching::report(bool json, const std::string& output) const {
  if (terminal_) std::println(stderr, "");
  if (!json) {
    std::println(stderr, "{} pictures of {}x{} in {:.1f} s, {} left out (not live)", pictures_, width_, height_,
                 recorded_for(), left_out_);
    return;
  }
  const nlohmann::ordered_json line = {{"camera", camera_.to_string()},
                                       {"output", output},
                                       {"pictures", pictures_},
                                       {"bytes", bytes_},
                                       {"width", width_},
                                       {"height", height_},
                                       {"seconds", recorded_for()},
                                       {"left_out", left_out_},
                                       {"note", note_}};
  // With -o - standard output is the stream's.
  if (output == "-") std::println(stderr, "{}", line.dump());
  else std::println("{}", line.dump());
}

Outcome<std::unique_ptr<Recorder>> open_recorder(const std::filesystem::path& path, bool stream) {
  if (stream && ::isatty(STDOUT_FILENO) == 1)
    return failure(EX_USAGE, "Standard output is a terminal. Send the stream into a file or a player");
  if (stream) return record_annex_b(STDOUT_FILENO);
  auto recorder = record_mp4(path);
  if (!recorder) return failure(recorder.error(), path.string(), "Choose another file with -o");
  return std::move(*recorder);
}

Outcome<> run_watch(const Context& context, const WatchOptions& options) {
  const bool stream = options.output == "-";
  const auto path = stream ? std::filesystem::path() : absolute(options.output);
  const auto account = read_account(context.account().account());
  if (!account) return std::unexpected(account.error());
  const auto camera = find_camera(*account, options.camera);
  if (!camera) return std::unexpected(camera.error());
  const auto state = open_machine_hub(context.account());
  if (!state) return std::unexpected(state.error());
  const auto recorder = open_recorder(path, stream);
  if (!recorder) return std::unexpected(recorder.error());

  Watching watching((*camera)->id, **recorder, options, context.clock);
  HubSession session(*state, context.clock, watching);
  watching.attach(session);
  // A player that goes away ends the command, with its file closed.
  std::signal(SIGPIPE, SIG_IGN);
  if (auto r = session.run((*camera)->id); !r) return r;
  if (auto r = (*recorder)->finish(); !r) return failure(r.error(), options.output);
  std::error_code ignored;
  if (watching.empty() && !stream) std::filesystem::remove(path, ignored);  // no player takes an empty file
  watching.report(context.json, stream ? "-" : path.string());
  if (!watching.note().empty()) std::println(stderr, "sealcam: {}", watching.note());
  if (watching.failed()) return std::unexpected(*watching.failed());
  return {};
}

}  // namespace

void add_watch_command(CLI::App& app, Context& context) {
  auto options = std::make_shared<WatchOptions>();
  auto* command = app.add_subcommand("watch", "Record a camera's live pictures");
  command->add_option("CAMERA", options->camera, "Its name, or the beginning of its id")->required();
  command
      ->add_option("-o,--output", options->output,
                   "An MP4 file, replaced when it is there; '-' writes H.264 (Annex B) to standard output")
      ->required();
  command->add_option("--seconds", options->seconds, "How long to record (default: until interrupted)")
      ->check(CLI::Range(0.1, 1e7));
  command->add_option("--wait", options->patience, "Seconds without a live picture after which to give up; 0 is never")
      ->capture_default_str();
  command->footer("Pictures that are not live are left out. An interruption leaves a file that plays.");
  command->fallthrough();
  command->callback(
      [&context, options] { context.action = [&context, options] { return run_watch(context, *options); }; });
}

}  // namespace sealcam::owner
