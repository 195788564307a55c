// SPDX-License-Identifier: Apache-2.0
#include "camera/update_status.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "device/program.hpp"

namespace sealcam::camera {

using Json = nlohmann::ordered_json;
using protocol::UpdateStatus;

namespace {

constexpr std::size_t max_file = 4096;
constexpr std::int64_t max_seconds = 9'000'000'000;  // the protocol has 53 bits of microseconds

/// Empty if the member is missing or no text.
std::string text_in(const Json& json, const char* name, std::size_t max) {
  const auto it = json.find(name);
  return it == json.end() || !it->is_string() ? std::string() : printable(it->get_ref<const std::string&>(), max);
}

std::string version_in(const Json& json, const char* name) { return text_in(json, name, UpdateStatus::max_version); }

CaptureTime time_in(const Json& json, const char* name) {
  const auto it = json.find(name);
  if (it == json.end() || !it->is_number_integer()) return {};
  // A number above 2^63 - 1 is negative.
  return {std::chrono::seconds(std::clamp<std::int64_t>(it->get<std::int64_t>(), 0, max_seconds))};
}

protocol::SoftwareReport report_of(const std::filesystem::path& file) {
  return {printable(device::version(), UpdateStatus::max_version), read_update_status(file)};
}

}  // namespace

UpdateStatus parse_update_status(std::string_view text) {
  UpdateStatus status;
  if (json_error(text)) return status;
  const auto json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return status;
  status.version = version_in(json, "version");
  status.offer = version_in(json, "offer");
  status.state = protocol::update_state_of(text_in(json, "state", max_file));
  const auto last = json.find("last");
  if (last == json.end() || !last->is_object()) return status;
  status.last = {.version = version_in(*last, "version"),
                 .result = protocol::update_result_of(text_in(*last, "result", max_file)),
                 .reason = text_in(*last, "reason", UpdateStatus::max_reason),
                 .at = time_in(*last, "at")};
  return status;
}

std::optional<UpdateStatus> read_update_status(const std::filesystem::path& file) {
  std::error_code ec;
  const auto kind = std::filesystem::status(file, ec);
  if (!std::filesystem::exists(kind)) return std::nullopt;
  // Reading a FIFO would wait.
  const auto content = std::filesystem::is_regular_file(kind) ? read_file(file, max_file) : Result<Bytes>(Bytes());
  return parse_update_status(content ? sealcam::as_text(*content) : std::string_view());
}

SoftwareMonitor::SoftwareMonitor(std::filesystem::path file, const Clock& clock)
    : file_(std::move(file)), clock_(clock), report_(report_of(file_)), read_(clock.monotonic()) {}

bool SoftwareMonitor::tick() {
  const auto now = clock_.monotonic();
  if (now - read_ < interval || (changed_ && now - *changed_ < change_interval)) return false;
  read_ = now;
  auto report = report_of(file_);
  if (report == report_) return false;
  report_ = std::move(report);
  changed_ = now;
  return true;
}

Result<> store_consent(const std::filesystem::path& file, const std::filesystem::path& status_file,
                       const protocol::CommandItem<protocol::UpdateConsent>& consent) {
  using protocol::UpdateAction;
  static constexpr std::array<const char*, 4> actions{"automatic", "start", "defer", "reject"};
  const auto& [action, named, until] = consent.value;
  auto version = named;
  // Without an offer, the updater looks for one. It counts a start once, by its number.
  if (action == UpdateAction::start && version.empty())
    if (const auto status = read_update_status(status_file)) version = status->offer;
  Json json = {{"action", actions[static_cast<std::size_t>(action) - 1]}};
  if (!version.empty()) json["version"] = version;
  if (action == UpdateAction::defer)
    json["until"] = std::chrono::duration_cast<std::chrono::seconds>(until.since_epoch).count();
  json["number"] = consent.since.value();
  return write_file_durably(file, as_bytes(json.dump() + "\n"));
}

}  // namespace sealcam::camera
