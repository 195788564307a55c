// SPDX-License-Identifier: Apache-2.0
/// The checks of the state folder, and of sensor, source, encoder and size.

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.hpp"
#include "base/format.hpp"
#include "camera/doctor.hpp"
#include "camera/owner_settings.hpp"
#include "device/device_state.hpp"
#include "device/enrollment.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::camera {

namespace fs = std::filesystem;

static std::optional<struct stat> status_of(const fs::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

static unsigned mode_of(const struct stat& status) { return status.st_mode & 07777U; }

void Diagnostics::check_state() {
  const device::StateFiles files{subject_.state};
  const auto folder = status_of(files.folder);
  const auto start = sealcam::format("sealcam-camera --state {} keys", files.folder.string());
  std::error_code ec;
  const bool empty = folder && fs::is_empty(files.folder, ec);  // for a camera that was never started
  if (!folder || (empty && folder->st_uid == ::geteuid() && mode_of(*folder) == 0700)) {
    warn("state", files.folder.string() + (folder ? " is empty; the camera has no keys yet" : " does not exist yet"),
         "create the keys: " + start);
    return;
  }
  if (mode_of(*folder) != 0700) {
    fault("state",
          sealcam::format("{} has mode {:04o}; other users may read the keys", files.folder.string(), mode_of(*folder)),
          "run chmod 700 " + files.folder.string());
  }
  if (folder->st_uid != ::geteuid()) {
    const auto what = sealcam::format("{} belongs to user {}", files.folder.string(), folder->st_uid);
    if (::geteuid() != 0) {
      fault("state", what, "run the doctor and the camera as this user");
      return;
    }
    warn("state", what, "run the camera as this user");
  }
  if (status_of(files.unfinished())) {
    warn("state", "the first start did not finish", "continue it: " + start);
    return;
  }
  for (const auto& part : {files.keys(), files.tls_key(), files.tls_request(), files.descriptor()}) {
    if (status_of(part)) continue;
    fault("state", part.string() + " is missing", "empty the folder, start the camera with new keys, and enroll it");
    return;
  }
  if (const auto file = device::find_empty_file(files.folder)) {
    fault("state", file->string() + " is empty, as after a power cut",
          "restore the folder from a copy, or reset the camera and pair it again");
    return;
  }
  if (const auto why = read_file(files.rolled_back(), 1024)) {
    auto text = std::string(as_text(*why));
    std::erase(text, '\n');
    fault("state", text, "reset the camera and pair it again: it then has a new id");
    return;
  }
  if (const auto key = status_of(files.tls_key()); mode_of(*key) != 0600) {
    fault("state", sealcam::format("{} has mode {:04o}", files.tls_key().string(), mode_of(*key)),
          "run chmod 600 " + files.tls_key().string());
  } else if (mode_of(*folder) == 0700) {
    ok("state", files.folder.string());
  }
}

void Diagnostics::check_enrollment() {
  const device::StateFiles files{subject_.state};
  std::string why;
  const auto enrollment = device::read_enrollment(files, &why);
  const auto enroll = sealcam::format("on the owner's machine run: sealcam camera enroll {} --name NAME --broker DIR",
                                      files.folder.string());
  if (!enrollment && enrollment.error().code == Errc::not_found) {
    warn("enrollment", "this camera is unpaired", enroll);
  } else if (!enrollment) {
    fault("enrollment", why.empty() ? to_string(enrollment.error()) : why,
          enrollment.error().code == Errc::permission ? "run the doctor as the camera's user" : enroll);
  } else if (enrollment->role != protocol::Role::camera) {
    fault("enrollment", files.enrollment().string() + " is the enrollment of another device",
          "set --state to the camera's folder");
  } else {
    ok("enrollment", "broker " + protocol::HostPort{enrollment->broker_host, enrollment->broker_port}.to_string());
  }
}

void Diagnostics::check_wifi() {
  const device::StateFiles files{subject_.state};
  device::WifiOutcome outcome;
  const auto wifi = device::read_wifi_file(files, &outcome);
  if (!wifi && wifi.error().code == Errc::malformed) {
    warn("wifi", "wifi.json is damaged", "send the network again: sealcam camera wifi");
  } else if (!wifi) {
    ok("wifi", "the owner named no network; the board uses its own networks");
  } else if (const auto* const fault = fault_of(outcome.word)) {
    warn("wifi", sealcam::format("{}; the camera stays in the earlier network", fault->what), std::string(fault->next));
  } else {
    ok("wifi", outcome.word.empty() ? "the camera has not tried the owner's network yet"
                                    : "the camera is in the owner's network");
  }
}

/// The owner's settings; the defaults if the file is damaged, which check_areas() reports.
protocol::CameraSettings Diagnostics::settings() const {
  return read_settings(device::StateFiles{subject_.state}.settings()).value_or(protocol::CameraSettings());
}

/// Whether the sensor can deliver H.264. A camera without privacy masks then takes it.
bool Diagnostics::sensor_encodes() const {
  const auto& format = config_.source.format;
  const auto* source = source_sensor();
  return format == "H264" || (format.empty() && source != nullptr && source->sensor->encodes);
}

/// Masks and motion detector.
void Diagnostics::check_areas() {
  const auto settings = read_settings(device::StateFiles{subject_.state}.settings());
  if (!settings) {
    fault("masks", settings.error(), "repeat the settings with sealcam camera settings");
    return;
  }
  const std::size_t masks = settings->masks.value_or(PictureAreas()).size();
  const std::size_t zones = settings->zones.value_or(PictureAreas()).size();
  const auto motion = settings->motion.value_or(protocol::CameraSettings::usual_motion);
  const bool encodes = sensor_encodes();
  if (masks > 0 && config_.source.format == "H264")
    fault("masks", "/source/format is H264, so that the camera cannot paint its privacy masks and sends no pictures",
          "remove /source/format, or remove the masks with sealcam camera settings --no-masks");
  else
    ok("masks", masks == 0
                    ? "there are no privacy masks"
                    : sealcam::format("{} privacy masks{}", masks,
                                      encodes ? "; the camera encodes, and takes no H.264 from the sensor" : ""));
  const std::string blind = "the sensor delivers H.264, so that the camera detects no motion";
  if (motion == 0) ok("motion", "the detector is off; a hub with the mode 'motion' records nothing");
  else if (encodes && masks == 0 && settings->motion)
    warn("motion", blind + ", although the owner set a sensitivity",
         "set /source/format to another format of sealcam-camera --list-sensors");
  else if (encodes && masks == 0) ok("motion", blind);
  else
    ok("motion", sealcam::format("sensitivity {}, {}; none in the first 10 s after a start or a pause", motion,
                                 zones == 0 ? "in the whole picture" : sealcam::format("in {} zones", zones)));
}

void Diagnostics::check_space() {
  // A missing folder will be in the file system of its nearest existing parent.
  fs::path folder = subject_.state;
  std::error_code ec;
  while (!fs::exists(folder, ec) && folder.has_relative_path()) folder = folder.parent_path();
  struct statvfs mounted{};
  if (::statvfs(folder.c_str(), &mounted) == 0 && (mounted.f_flag & ST_RDONLY) != 0) {
    fault("space", folder.string() + " is read-only; the camera cannot store rosters and epochs",
          "see dmesg for errors of the card; replace the card, or mount it for writing");
    return;
  }
  const auto space = fs::space(folder, ec);
  if (ec) {
    warn("space", sealcam::format("{}: {}", folder.string(), ec.message()), "see df");
    return;
  }
  constexpr std::uintmax_t mib = 1 << 20;
  const auto text = sealcam::format("{} MiB free for {}", space.available / mib, subject_.state.string());
  if (space.available >= 16 * mib) ok("space", text);
  else if (space.available >= mib) warn("space", text, "delete files, for example old logs");
  else fault("space", text + "; the camera cannot store rosters and epochs", "delete files, for example old logs");
}

namespace board = hal::board;
using hal::SourceKind;

static std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
  return all.empty() ? "none" : all;
}

static std::string text(hal::Size size) { return sealcam::format("{}x{}", size.width, size.height); }

static bool is_of(const board::Sensor& sensor, hal::SourceKind kind) {
  const auto* backend = hal::find_backend(sensor.backend);
  return backend != nullptr && backend->kind == kind;
}

/// The setup of a sensor, including the configuration if its backend is another one.
std::string Diagnostics::setup_of(const board::Sensor& sensor) const {
  return sensor.setup + (can_take(sensor) ? "" : ", and set /source/backend to auto");
}

/// The setup of each sensor that this board can have.
std::string Diagnostics::sensor_steps() const {
  std::string steps;
  for (const auto* sensor : sensors_) {
    const std::string step =
        fits(sensor->kernel) ? setup_of(*sensor) : sealcam::format("it needs {}'s kernel", *sensor->kernel);
    steps += sealcam::format("{}{}: {}", steps.empty() ? "" : "; or ", sensor->name, step);
  }
  return steps;
}

void Diagnostics::check_sensors() {
  const bool required = backend_ == nullptr || backend_->is_hardware;
  for (const auto& node : unknown_)
    warn("sensor", sealcam::format("{} ({}) is unknown on this board", node.device.string(), node.name),
         "run sealcam-camera --list-sensors to see whether it is a sensor");
  if (found_.empty()) {
    if (!unknown_.empty()) return;
    add(required ? Severity::fault : Severity::warning, "sensor", "there is no sensor", sensor_steps());
    return;
  }
  const auto* source = source_sensor();
  for (const auto& found : found_) {
    const auto& [sensor, node] = found;
    const auto what = sealcam::format("{} ({}, {})", sensor->name, node.device.string(), node.name);
    if (can_use(node.device)) {
      ok("sensor", sealcam::format("{}: backend {}", what, sensor->backend));
      continue;
    }
    const bool needed = backend_ == nullptr ? &found == source : can_take(*sensor) && is_taken(node.device);
    add(needed ? Severity::fault : Severity::warning, "sensor", sealcam::format("{}: {}", what, why_not(node.device)),
        how_to_use(node.device));
  }
}

/// The sensor that the configuration takes; null if it takes none of the board's. `auto` prefers V4L2 sensors that this
/// user may open, then other V4L2 sensors, then libcamera.
const Diagnostics::Found* Diagnostics::source_sensor() const {
  const bool either = backend_ == nullptr;
  const auto first = [this](auto also) -> const Found* {
    const auto found = std::ranges::find_if(
        found_, [&](const Found& f) { return can_take(*f.sensor) && is_taken(f.node.device) && also(f); });
    return found == found_.end() ? nullptr : &*found;
  };
  const auto* usable =
      first([&](const Found& f) { return is_of(*f.sensor, SourceKind::node) && can_use(f.node.device); });
  if (either && usable != nullptr) return usable;
  const auto* v4l2 = first([](const Found& f) { return is_of(*f.sensor, SourceKind::node); });
  return either && v4l2 != nullptr ? v4l2 : first([](const Found&) { return true; });
}

void Diagnostics::check_found_source(const Found& found) {
  const auto& sensor = *found.sensor;
  auto what = sealcam::format("{}{}: {}", backend_ == nullptr ? "auto: " : "", sensor.backend, sensor.name);
  const auto problem = is_of(sensor, SourceKind::camera) ? subject_.libcamera_problem() : "";
  if (!problem.empty()) {
    fault("source", sealcam::format("{}: {}", what, problem),
          "install sealcam-libcamera.so and the libcamera that it needs");
    return;
  }
  if (is_of(sensor, SourceKind::camera) && backend_ == nullptr && !unknown_.empty())
    what += sealcam::format(", unless {} is a V4L2 sensor", unknown_.front().device.string());
  if (fits(sensor.kernel)) ok("source", what);
  else
    warn("source", sealcam::format("{}; this sensor normally needs {}'s kernel", what, *sensor.kernel),
         "nothing if there are pictures");
}

/// The fault that the running camera reports.
void Diagnostics::check_fault() {
  const auto why = read_file(device::StateFiles{subject_.state}.fault(), 1024);
  if (!why) return;
  auto text = std::string(as_text(*why));
  std::erase(text, '\n');
  fault("source", "the camera sends no pictures: " + text,
        "see the camera's log; set /source/format to another format of sealcam-camera --list-sensors, or check the "
        "sensor");
}

void Diagnostics::check_source() {
  check_fault();
  static constexpr std::string_view enough = R"({"source": {"backend": "auto"}})";
  if (!subject_.config) {
    fault("source", subject_.config.error(),
          sealcam::format("correct the file; {} is enough; check it with sealcam-camera --check-config", enough));
    return;
  }
  const auto& source = config_.source;
  if (!subject_.configured)
    ok("source", sealcam::format("{} is missing; the camera uses the defaults", subject_.config_file.string()));
  if (takes(SourceKind::drawn)) {
    ok("source", "the test picture, as configured");
  } else if (takes(SourceKind::file)) {
    std::error_code ec;
    if (std::filesystem::exists(source.file, ec)) ok("source", source.file.string());
    else fault("source", source.file.string() + " is missing", "copy the file there, or set another /source/file");
  } else if (takes(SourceKind::node) && source.device != "auto") {
    if (can_use(source.device)) ok("source", source.device);
    else fault("source", why_not(source.device), how_to_use(source.device));
  } else if (const auto* found = source_sensor()) {
    check_found_source(*found);
  } else if (!takes(SourceKind::camera) && !unknown_.empty()) {
    warn("source", sealcam::format("{}: perhaps {}", source.backend, unknown_.front().device.string()),
         "nothing if there are pictures");
  } else {
    fault("source", sealcam::format("there is no sensor for the backend {}", source.backend), sensor_steps());
  }
}

bool Diagnostics::has_encoder(std::string_view name) const { return std::ranges::contains(subject_.encoders, name); }

void Diagnostics::check_encoder() {
  const auto& codec = config_.encoder.codec;
  if (sensor_encodes() && settings().masks.value_or(PictureAreas()).empty()) {
    ok("encoder", "not needed: the sensor delivers H.264");
  } else if (codec != "auto" && !has_encoder(codec)) {
    fault("encoder", sealcam::format("this FFmpeg does not have {}; it has: {}", codec, joined(subject_.encoders)),
          "set /encoder/codec to auto");
  } else if (model_.encoder && (codec == "auto" || codec == model_.encoder->codec)) {
    check_own_encoder(*model_.encoder);
  } else if (!model_.encoder && codec == "h264_v4l2m2m" && !model_.compatible.empty()) {
    fault("encoder", "h264_v4l2m2m: " + model_.encoder.error().why, "set /encoder/codec to auto");
  } else {
    check_software();
  }
}

void Diagnostics::check_software() {
  const auto& codec = config_.encoder.codec;
  if (codec != "auto") {
    ok("encoder", codec + ", as configured");
    return;
  }
  const auto why = model_.encoder ? "" : ": " + model_.encoder.error().why;
  const auto name = std::ranges::find_if(subject_.encoders, [](const auto& e) { return e != "h264_v4l2m2m"; });
  if (name != subject_.encoders.end()) ok("encoder", *name + why);
  else
    fault("encoder", "this FFmpeg has no software encoder for H.264" + why,
          "install a libavcodec with libx264 or libopenh264");
}

/// The next step if the board's own encoder is missing: a sensor that encodes, or another kernel.
std::string Diagnostics::way_to_encoder(const board::Encoder& encoder) const {
  if (fits(encoder.kernel)) return how_to_use(encoder.device);
  std::string way;
  for (const auto& sensor : model_.sensors)
    if (sensor.encodes && fits(sensor.kernel)) way += sealcam::format("{}: {}; or ", sensor.name, setup_of(sensor));
  return sealcam::format("{}install {}'s kernel", way, *encoder.kernel);
}

void Diagnostics::check_own_encoder(const board::Encoder& encoder) {
  const bool required = config_.encoder.codec == encoder.codec;
  const auto bad = [&](std::string what, std::string next) {
    const bool software =
        !required && std::ranges::any_of(subject_.encoders, [&](const auto& e) { return e != encoder.codec; });
    add(software ? Severity::warning : Severity::fault, "encoder",
        std::move(what) + (software ? "; the camera encodes in software" : ""), std::move(next));
  };
  const auto inside = [&](int side) { return side >= encoder.min_side && side <= encoder.max_side; };
  const auto& size = config_.source.size;
  const auto bitrate = config_.encoder.bitrate;
  if (!system_.exists(encoder.device) && !fits(encoder.kernel))
    bad(sealcam::format("{} has no driver for {}", kernel_name(), encoder.device.string()), way_to_encoder(encoder));
  else if (!can_use(encoder.device)) bad(why_not(encoder.device), way_to_encoder(encoder));
  else if (!has_encoder(encoder.codec))
    bad(sealcam::format("this FFmpeg does not have {}; it has: {}", encoder.codec, joined(subject_.encoders)),
        "install a libavcodec that has this encoder");
  else if (!inside(size.width) || !inside(size.height))
    bad(sealcam::format("{} accepts {} to {} pixels on each axis, not {}", encoder.codec, encoder.min_side,
                        encoder.max_side, text(size)),
        "set /source/size to " + text(model_.picture));
  else if (bitrate < encoder.min_bitrate || bitrate > encoder.max_bitrate)
    bad(sealcam::format("{} accepts {} to {} bit/s, not {}", encoder.codec, encoder.min_bitrate.value(),
                        encoder.max_bitrate.value(), bitrate.value()),
        "set /encoder/bitrate within these limits");
  else ok("encoder", sealcam::format("{} ({})", encoder.codec, encoder.device.string()));
}

void Diagnostics::check_picture() {
  const auto& source = config_.source;
  const double rate = source.rate == 0 ? model_.rate : source.rate;
  const auto configured = sealcam::format("{} at {}/s", text(source.size), rate);
  const double load = double(source.size.width) * source.size.height * rate;
  if (load <= double(model_.picture.width) * model_.picture.height * model_.rate) {
    ok("picture", configured);
    return;
  }
  warn("picture",
       sealcam::format("{} is more than the {} at {}/s that this board is made for", configured, text(model_.picture),
                       model_.rate),
       sealcam::format("set /source/size to {} and /source/rate to {}", text(model_.picture), model_.rate));
}

}  // namespace sealcam::camera
