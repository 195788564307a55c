// SPDX-License-Identifier: Apache-2.0
/// Sensor, source, encoder, size.
#include <algorithm>

#include "camera/examination.hpp"

namespace sealcam::camera {

namespace board = hal::board;

static std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : ", ") + word;
  return all.empty() ? "none" : all;
}

static std::string text(hal::Size size) { return std::format("{}x{}", size.width, size.height); }

/// What to do for a sensor, also in the configuration where that takes sensors of another kind.
std::string Examination::setup_of(const board::Sensor& sensor) const {
  return sensor.setup + (can_take(sensor) ? "" : ", and set /source/backend to auto");
}

/// What to do for each sensor that this board can have.
std::string Examination::sensor_steps() const {
  std::string steps;
  for (const auto* sensor : sensors_) {
    const std::string step =
        fits(sensor->kernel) ? setup_of(*sensor) : std::format("it needs {}'s kernel", *sensor->kernel);
    steps += std::format("{}{}: {}", steps.empty() ? "" : "; or ", sensor->name, step);
  }
  return steps;
}

void Examination::check_sensors() {
  const bool wanted = config_.source.backend != "fake" && config_.source.backend != "replay";
  for (const auto& node : unknown_)
    warn("sensor", std::format("{} ({}) is not known for this board", node.device.string(), node.name),
         "sealcam-camera --list-sensors tells whether it is a sensor");
  if (found_.empty()) {
    if (!unknown_.empty()) return;
    add(wanted ? Severity::fault : Severity::warning, "sensor", "no sensor was found", sensor_steps());
    return;
  }
  const auto* source = source_sensor();
  for (const auto& found : found_) {
    const auto& [sensor, node] = found;
    const auto what = std::format("{} ({}, {})", sensor->name, node.device.string(), node.name);
    if (can_use(node.device)) {
      ok("sensor", std::format("{}: backend {}", what, sensor->backend));
      continue;
    }
    const bool needed =
        config_.source.backend == "auto" ? &found == source : can_take(*sensor) && is_taken(node.device);
    add(needed ? Severity::fault : Severity::warning, "sensor", std::format("{}: {}", what, why_not(node.device)),
        how_to_use(node.device));
  }
}

/// The sensor that the configuration will take; null when it takes none of the board's. auto prefers V4L2, there what
/// may be opened; a node that may not is waited for before libcamera is asked.
const Examination::Found* Examination::source_sensor() const {
  const bool either = config_.source.backend == "auto";
  const auto first = [this](auto also) -> const Found* {
    const auto found = std::ranges::find_if(
        found_, [&](const Found& f) { return can_take(*f.sensor) && is_taken(f.node.device) && also(f); });
    return found == found_.end() ? nullptr : &*found;
  };
  const auto* usable = first([&](const Found& f) { return f.sensor->backend == "v4l2" && can_use(f.node.device); });
  if (either && usable != nullptr) return usable;
  const auto* v4l2 = first([](const Found& f) { return f.sensor->backend == "v4l2"; });
  return either && v4l2 != nullptr ? v4l2 : first([](const Found&) { return true; });
}

void Examination::check_found_source(const Found& found) {
  const auto& sensor = *found.sensor;
  auto what = std::format("{}{}: {}", config_.source.backend == "auto" ? "auto: " : "", sensor.backend, sensor.name);
  const auto problem = sensor.backend == "libcamera" ? subject_.libcamera_problem() : "";
  if (!problem.empty()) {
    fault("source", std::format("{}: {}", what, problem),
          "install sealcam-libcamera.so and the libcamera it stands on");
    return;
  }
  if (sensor.backend == "libcamera" && config_.source.backend == "auto" && !unknown_.empty())
    what += std::format(", unless {} is a V4L2 sensor", unknown_.front().device.string());
  if (fits(sensor.kernel)) ok("source", what);
  else
    warn("source", std::format("{}; expected with {}'s kernel only", what, *sensor.kernel),
         "nothing, if pictures come");
}

void Examination::check_source() {
  static constexpr std::string_view enough = R"({"source": {"backend": "auto"}})";
  if (!subject_.config) {
    fault("source", subject_.config.error(),
          std::format("mend it there; {} is enough; sealcam-camera --check-config tells when it is good", enough));
    return;
  }
  const auto& source = config_.source;
  if (!subject_.configured) {
    warn("source", std::format("{} is not there: hubs see the test picture", subject_.config_file.string()),
         std::format("write {} into it", enough));
  } else if (source.backend == "fake") {
    ok("source", "the test picture, as configured");
  } else if (source.backend == "replay") {
    std::error_code ec;
    if (std::filesystem::exists(source.file, ec)) ok("source", source.file.string());
    else fault("source", source.file.string() + " is missing", "put it there, or set another /source/file");
  } else if (source.backend == "v4l2" && source.device != "auto") {
    if (can_use(source.device)) ok("source", source.device);
    else fault("source", why_not(source.device), how_to_use(source.device));
  } else if (const auto* found = source_sensor()) {
    check_found_source(*found);
  } else if (source.backend != "libcamera" && !unknown_.empty()) {
    warn("source", std::format("{}: perhaps {}", source.backend, unknown_.front().device.string()),
         "nothing, if pictures come");
  } else {
    fault("source", std::format("no sensor for the backend {} was found", source.backend), sensor_steps());
  }
}

bool Examination::has_encoder(std::string_view name) const { return std::ranges::contains(subject_.encoders, name); }

void Examination::check_encoder() {
  const auto& wanted = config_.encoder.codec;
  const auto* source = source_sensor();
  if (source != nullptr && source->sensor->encodes) {
    ok("encoder", "none is needed: the sensor delivers H.264");
  } else if (wanted != "auto" && !has_encoder(wanted)) {
    fault("encoder", std::format("{} is not in this FFmpeg, which has: {}", wanted, joined(subject_.encoders)),
          "set /encoder/codec to auto");
  } else if (model_.encoder && (wanted == "auto" || wanted == model_.encoder->codec)) {
    check_own_encoder(*model_.encoder);
  } else if (!model_.encoder && wanted == "h264_v4l2m2m" && !model_.compatible.empty()) {
    fault("encoder", "h264_v4l2m2m: " + model_.encoder.error().why, "set /encoder/codec to auto");
  } else {
    check_software();
  }
}

void Examination::check_software() {
  const auto& wanted = config_.encoder.codec;
  if (wanted != "auto") {
    ok("encoder", wanted + ", as configured");
    return;
  }
  const auto why = model_.encoder ? "" : ": " + model_.encoder.error().why;
  const auto name = std::ranges::find_if(subject_.encoders, [](const auto& e) { return e != "h264_v4l2m2m"; });
  if (name != subject_.encoders.end()) ok("encoder", *name + why);
  else
    fault("encoder", "this FFmpeg has no software encoder for H.264" + why,
          "install a libavcodec with libx264 or libopenh264");
}

/// Where the board's own encoder is missing: another way to pictures that the cores need not encode.
std::string Examination::way_to_encoder(const board::Encoder& encoder) const {
  if (fits(encoder.kernel)) return how_to_use(encoder.device);
  std::string way;
  for (const auto& sensor : model_.sensors)
    if (sensor.encodes && fits(sensor.kernel)) way += std::format("{}: {}; or ", sensor.name, setup_of(sensor));
  return std::format("{}install {}'s kernel", way, *encoder.kernel);
}

void Examination::check_own_encoder(const board::Encoder& encoder) {
  const bool insisted = config_.encoder.codec == encoder.codec;
  const auto bad = [&](std::string what, std::string next) {
    const bool software =
        !insisted && std::ranges::any_of(subject_.encoders, [&](const auto& e) { return e != encoder.codec; });
    add(software ? Severity::warning : Severity::fault, "encoder",
        std::move(what) + (software ? ": the cores encode instead" : ""), std::move(next));
  };
  const auto inside = [&](int side) { return side >= encoder.min_side && side <= encoder.max_side; };
  const auto& size = config_.source.size;
  const auto bitrate = config_.encoder.bitrate;
  if (!system_.exists(encoder.device) && !fits(encoder.kernel))
    bad(std::format("{} has no driver for {}", kernel_name(), encoder.device.string()), way_to_encoder(encoder));
  else if (!can_use(encoder.device)) bad(why_not(encoder.device), way_to_encoder(encoder));
  else if (!has_encoder(encoder.codec))
    bad(std::format("{} is not in this FFmpeg, which has: {}", encoder.codec, joined(subject_.encoders)),
        "install a libavcodec with it");
  else if (!inside(size.width) || !inside(size.height))
    bad(std::format("{} takes {} to {} pixels on each axis, not {}", encoder.codec, encoder.min_side, encoder.max_side,
                    text(size)),
        "set /source/size to " + text(model_.picture));
  else if (bitrate < encoder.min_bitrate || bitrate > encoder.max_bitrate)
    bad(std::format("{} takes {} to {} bit/s, not {}", encoder.codec, encoder.min_bitrate.value(),
                    encoder.max_bitrate.value(), bitrate.value()),
        "set /encoder/bitrate within them");
  else ok("encoder", std::format("{} ({})", encoder.codec, encoder.device.string()));
}

void Examination::check_picture() {
  const auto& source = config_.source;
  const double rate = source.rate == 0 ? model_.rate : source.rate;
  const auto asked = std::format("{} at {}/s", text(source.size), rate);
  const double load = double(source.size.width) * source.size.height * rate;
  if (load <= double(model_.picture.width) * model_.picture.height * model_.rate) {
    ok("picture", asked);
    return;
  }
  warn("picture",
       std::format("{} is more than the {} at {}/s that this board does without strain", asked, text(model_.picture),
                   model_.rate),
       std::format("set /source/size to {} and /source/rate to {}", text(model_.picture), model_.rate));
}

}  // namespace sealcam::camera
