// SPDX-License-Identifier: Apache-2.0
#include "camera/doctor.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/format.hpp"
#include "camera/reports.hpp"
#include "camera/update_status.hpp"
#include "device/program.hpp"
#include "hal/ffmpeg/support.hpp"
#include "hal/modules/modules.hpp"

namespace sealcam::camera {

namespace board = hal::board;
namespace fs = std::filesystem;

std::string_view name(Severity severity) noexcept {
  switch (severity) {
    case Severity::ok: return "ok";
    case Severity::warning: return "warning";
    case Severity::fault: return "fault";
  }
  return "";
}

bool Diagnosis::healthy() const noexcept {
  return !std::ranges::contains(findings, Severity::fault, &Finding::severity);
}

Diagnosis examine(const DoctorSubject& subject) {
  auto identity = board::identify(subject.system);
  if (!subject.catalog)
    return {"",
            identity.kernel,
            {{Severity::fault, "boards", subject.catalog.error(),
              "install Sealcam's board data, or set SEALCAM_BOARDS to its folder"}}};
  const board::Model& model = board::choose(*subject.catalog, identity);
  const auto kernel = identity.kernel;
  Diagnostics diagnostics(subject, model, board::fallback(*subject.catalog), std::move(identity));
  diagnostics.check_board();
  diagnostics.check_kernel();
  diagnostics.check_sensors();
  diagnostics.check_source();
  diagnostics.check_encoder();
  diagnostics.check_picture();
  diagnostics.check_light();
  diagnostics.check_button();
  diagnostics.check_watchdog();
  diagnostics.check_temperature();
  diagnostics.check_serial();
  diagnostics.check_state();
  diagnostics.check_enrollment();
  diagnostics.check_wifi();
  diagnostics.check_areas();
  diagnostics.check_space();
  diagnostics.check_memory();
  diagnostics.check_clock();
  diagnostics.check_support();
  diagnostics.check_update();
  return {model.name, kernel, diagnostics.take()};
}

std::string to_text(const Diagnosis& diagnosis) {
  std::string text;
  int warnings = 0, faults = 0;
  for (const auto& finding : diagnosis.findings) {
    text += sealcam::format("{:8} {:12} {}\n", name(finding.severity), finding.check, finding.what);
    if (!finding.next.empty()) text += sealcam::format("{:21} -> {}\n", "", finding.next);
    warnings += finding.severity == Severity::warning ? 1 : 0;
    faults += finding.severity == Severity::fault ? 1 : 0;
  }
  return text + sealcam::format("faults: {}, warnings: {}\n", faults, warnings);
}

void read_configuration(const DoctorOptions& options, DoctorSubject& subject) {
  std::error_code ec;
  subject.config = read_config(options.config_file, options.optional, options.source);
  subject.config_file = options.config_file;
  subject.configured = fs::exists(options.config_file, ec);
}

int run_doctor(const DoctorOptions& options, const Clock& clock) {
  const auto folder = board::find_catalog();
  DoctorSubject subject{
      .system = board::SystemView(),
      .catalog = folder ? board::read_catalog(*folder) : std::unexpected(folder.error()),
      .state = options.state,
      .update_file = options.update_file,
      .encoders = hal::ffmpeg::h264_encoders(),
      .libcamera_problem = hal::modules::libcamera_problem,
      .now = clock.wall(),
      .build_year = SEALCAM_BUILD_YEAR,
  };
  read_configuration(options, subject);
  const auto diagnosis = examine(subject);
  if (options.json) sealcam::println("{}", to_json(diagnosis));
  else sealcam::print("{}", to_text(diagnosis));
  return diagnosis.healthy() ? 0 : 1;
}

static std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

static std::vector<VideoNode> video_nodes(const board::SystemView& system) {
  const std::filesystem::path all = "/sys/class/video4linux";
  std::vector<VideoNode> nodes;
  for (const auto& name : system.list(all)) {
    if (!name.starts_with("video")) continue;  // the others are radios and sub-devices
    nodes.push_back({.device = std::filesystem::path("/dev") / name,
                     .name = system.read(all / name / "name").value_or(""),
                     .driver = system.link_name(all / name / "device/driver"),
                     .first = system.read(all / name / "index").value_or("0") == "0"});
  }
  return nodes;
}

static bool is(const board::Sensor& sensor, const VideoNode& node) {
  if (!sensor.node.empty()) return node.name.starts_with(sensor.node);
  return node.driver == sensor.driver && node.first;
}

Diagnostics::Diagnostics(const DoctorSubject& subject, const board::Model& model, const board::Model& common,
                         board::Identity identity)
    : subject_(subject),
      system_(subject.system),
      model_(model),
      identity_(std::move(identity)),
      kernel_(model.kernel_of(identity_.kernel)),
      config_(subject.config.value_or(CameraConfig())),
      backend_(hal::find_backend(config_.source.backend)) {
  for (const auto& sensor : model.sensors) sensors_.push_back(&sensor);
  if (&model != &common)
    for (const auto& sensor : common.sensors) sensors_.push_back(&sensor);
  for (const auto& node : video_nodes(system_)) classify(node);
  // The order of hal/v4l2: nodes with a stable name from udev, which USB cameras have, come first.
  std::vector<std::string> stable;
  const std::filesystem::path names = "/dev/v4l/by-id";
  for (const auto& name : system_.list(names)) stable.push_back(system_.link_name(names / name));
  std::ranges::stable_partition(
      found_, [&](const Found& f) { return std::ranges::contains(stable, f.node.device.filename().string()); });
}

void Diagnostics::classify(const VideoNode& node) {
  const auto sensor = std::ranges::find_if(sensors_, [&](const auto* s) { return is(*s, node); });
  if (sensor != sensors_.end()) {
    found_.push_back({*sensor, node});
    return;
  }
  const bool other = std::ranges::any_of(model_.other_nodes, [&](const auto& n) { return node.name.starts_with(n); });
  if (!other && node.first) unknown_.push_back(node);
}

bool Diagnostics::can_use(const std::filesystem::path& device) const {
  return system_.exists(device) && system_.permitted(device, R_OK | W_OK);
}

std::string Diagnostics::why_not(const std::filesystem::path& device) const {
  return device.string() + (system_.exists(device) ? " may not be opened by this user" : " is missing");
}

std::string Diagnostics::how_to_use(const std::filesystem::path& device) const {
  if (system_.exists(device))
    return "add the camera's user to the group: sudo usermod -aG video USER, then sign in again";
  return "look for messages of the kernel: sudo dmesg";
}

std::string Diagnostics::kernel_name() const {
  return kernel_ == nullptr ? "an unknown kernel" : sealcam::format("{}'s kernel", kernel_->name);
}

void Diagnostics::check_board() {
  std::string compatible;
  for (const auto& entry : identity_.compatible) compatible += (compatible.empty() ? "" : ", ") + entry;
  if (!model_.compatible.empty()) {
    ok("board", sealcam::format("{} ({})", model_.name, identity_.model.empty() ? compatible : identity_.model));
    return;
  }
  warn("board",
       sealcam::format("unknown board ({}); the camera uses the parts that it finds",
                       compatible.empty() ? "no device tree" : compatible),
       "board/README.md describes how to add a board with its light, watchdog and encoder");
}

void Diagnostics::check_kernel() {
  if (kernel_ == nullptr) {
    std::string known;
    for (const auto& kernel : model_.kernels) known += (known.empty() ? "" : ", ") + kernel.name;
    warn("kernel", sealcam::format("{} is not a known kernel of this board ({})", identity_.kernel, known),
         "nothing if there are pictures; otherwise a driver may be missing");
    return;
  }
  if (kernel_->tested && identity_.kernel.starts_with(*kernel_->tested)) {
    ok("kernel", sealcam::format("{}, {}, tested", identity_.kernel, kernel_name()));
    return;
  }
  warn("kernel",
       sealcam::format("{}, {}; tested on this board: {}", identity_.kernel, kernel_name(),
                       kernel_->tested.value_or("none yet")),
       "nothing if there are pictures; otherwise the kernel may be the reason");
}

void Diagnostics::check_light() {
  if (!model_.led) {
    ok("light", "none: " + model_.led.error().why);
    return;
  }
  const auto& path = model_.led->path;
  if (!system_.exists(path / "brightness")) {
    warn("light", path.string() + " is missing, so the log reports the sensor",
         "run modprobe leds_gpio, or see ls /sys/class/leds");
    return;
  }
  if (system_.permitted(path / "brightness", W_OK) && system_.permitted(path / "trigger", W_OK)) {
    ok("light", path.string() + " is on while the sensor is open");
    return;
  }
  warn("light", path.string() + " may not be written by this user, so the log reports the sensor",
       "add the udev rule in board/common/README.md");
}

void Diagnostics::check_button() {
  if (!model_.button) {
    ok("button", "none: " + model_.button.error().why);
    return;
  }
  const auto& chip = model_.button->chip;
  if (can_use(chip)) ok("button", sealcam::format("line {} of {}", model_.button->line, chip.string()));
  else
    warn("button", why_not(chip) + "; the button cannot reset the camera",
         system_.exists(chip) ? "add the camera's user to the group: sudo usermod -aG gpio USER, then sign in again"
                              : how_to_use(chip));
}

void Diagnostics::check_watchdog() {
  if (!model_.watchdog) {
    ok("watchdog", "none: " + model_.watchdog.error().why);
    return;
  }
  const auto& [device, module] = *model_.watchdog;
  if (system_.exists(device)) ok("watchdog", device.string());
  else
    warn("watchdog", device.string() + " is missing; a board that hangs does not restart",
         sealcam::format("run sudo modprobe {0}, and add {0} to /etc/modules-load.d/sealcam.conf", module));
}

void Diagnostics::check_temperature() {
  if (!model_.temperature) {
    ok("temperature", "unknown: " + model_.temperature.error().why);
    return;
  }
  const auto& [path, limit] = *model_.temperature;
  const auto thousandths = number(system_.read(path).value_or(""));
  if (!thousandths) {
    warn("temperature", path.string() + " cannot be read", "see ls /sys/class/thermal");
    return;
  }
  const auto text = sealcam::format("{}.{} °C; the processor is slower from {} °C", *thousandths / 1000,
                                    std::abs(*thousandths % 1000) / 100, limit);
  if (*thousandths < std::int64_t{limit} * 1000) ok("temperature", text);
  else warn("temperature", text, "cool the board, for example with a heat sink, or set a smaller /source/size");
}

void Diagnostics::check_serial() {
  if (!model_.serial) {
    ok("serial", "none: " + model_.serial.error().why);
    return;
  }
  if (!system_.read(model_.serial->path).value_or("").empty()) ok("serial", "the board has a serial number");
  else
    warn("serial", model_.serial->path.string() + " is missing; the camera cannot detect a copied card",
         "start the board with its own firmware and device tree");
}

std::optional<std::uint64_t> Diagnostics::memory_mib() const {
  const auto text = system_.read("/proc/meminfo");
  constexpr std::string_view key = "MemTotal:";
  if (!text || !text->starts_with(key)) return std::nullopt;
  const auto begin = text->find_first_not_of(' ', key.size());
  const auto kib = begin == std::string::npos ? std::nullopt : number(std::string_view(*text).substr(begin));
  if (!kib || *kib <= 0) return std::nullopt;
  return static_cast<std::uint64_t>(*kib) / 1024;
}

void Diagnostics::check_memory() {
  const auto mib = memory_mib();
  if (!mib) {
    warn("memory", "/proc/meminfo cannot be read", "mount /proc");
    return;
  }
  constexpr std::uint64_t little = 640;  // between boards with 512 MiB and boards with 1 GiB
  const bool large = config_.source.size.width * config_.source.size.height > 1280 * 720;
  if (*mib > little || !large) ok("memory", sealcam::format("{} MiB", *mib));
  else
    warn("memory",
         sealcam::format("{} MiB of memory may not be enough for {}x{}", *mib, config_.source.size.width,
                         config_.source.size.height),
         "set /source/size to 1280x720");
}

void Diagnostics::check_clock() {
  const std::chrono::sys_time<std::chrono::microseconds> now(subject_.now.since_epoch);
  const std::chrono::year_month_day today(std::chrono::floor<std::chrono::days>(now));
  const auto text = sealcam::format("{:04}-{:02}-{:02}", static_cast<int>(today.year()),
                                    static_cast<unsigned>(today.month()), static_cast<unsigned>(today.day()));
  if (static_cast<int>(today.year()) >= subject_.build_year) ok("clock", text);
  else
    warn("clock", text + " is before the build of this program; hubs show wrong capture times",
         "set the clock: sudo timedatectl set-ntp true");
}

void Diagnostics::check_support() {
  auto text = device::support_text(subject_.now);
  if (device::support_ended(subject_.now)) warn("support", std::move(text), std::string(device::support_step));
  else ok("support", std::move(text));
}

void Diagnostics::check_update() {
  const auto status = read_update_status(subject_.update_file);
  if (!status) return ok("update", "there is no updater; install updates with the package manager, such as apt");
  static constexpr const char* log = "see the log: journalctl -u sealcam-update";
  if (status->state == protocol::UpdateState::other)
    return warn("update", subject_.update_file.string() + " cannot be read", log);
  auto text = sealcam::format("image {}: {}", status->version.empty() ? "of unknown version" : status->version,
                              protocol::to_text(*status));
  const bool failed = status->last && status->last->result != protocol::UpdateResult::installed;
  if (failed) warn("update", std::move(text), log);
  else ok("update", std::move(text));
}

}  // namespace sealcam::camera
