// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <csignal>
#include <memory>
#include <optional>

#include "base/format.hpp"
#include "owner/account/membership.hpp"
#include "owner/commands/commands.hpp"
#include "owner/commands/json_output.hpp"
#include "owner/record/hub_session.hpp"
#include "owner/record/recorder.hpp"

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
  if (camera->reason == watch::Reason::privacy)
    return "the camera's sensor is closed; open it with 'sealcam camera privacy'";
  if (camera->reason == watch::Reason::sensor_fault)
    return "the camera's sensor is missing or fails; see the camera's log";
  if (camera->reason == watch::Reason::picture_fault)
    return "the camera cannot send the pictures of its sensor; see the camera's log, or run its doctor";
  if (camera->reason == watch::Reason::encoder_fault)
    return "the camera's encoder is missing or fails; see the camera's log, or run its doctor";
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
  std::signal(SIGPIPE, SIG_IGN);
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

}  // namespace sealcam::owner
