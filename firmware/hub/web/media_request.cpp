// SPDX-License-Identifier: Apache-2.0
#include "hub/web/media_request.hpp"

#include <array>
#include <charconv>
#include <ctime>

#include "base/format.hpp"
#include "base/types.hpp"

namespace sealcam::hub::web {
namespace {

bool has_parameter(std::string_view query, std::string_view parameter) {
  while (!query.empty()) {
    const auto end = query.find('&');
    if (query.substr(0, end) == parameter) return true;
    query = end == std::string_view::npos ? "" : query.substr(end + 1);
  }
  return false;
}

// strftime() instead of std::format, because formatting a chrono type costs ten seconds of compile time.
std::optional<std::string> utc(CaptureTime time, const char* format) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(time.since_epoch).count();
  std::tm parts{};
  std::array<char, 64> text{};
  // Both formats have years of four digits.
  if (::gmtime_r(&seconds, &parts) == nullptr || parts.tm_year < -1900 || parts.tm_year > 9999 - 1900)
    return std::nullopt;
  return std::string{text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    unsigned value = 0;
    const auto digits = text.substr(i + 1, 2);
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || ec != std::errc() || end != digits.data() + 2) return std::nullopt;
    out.push_back(static_cast<char>(value));
    i += 2;
  }
  return out;
}

std::optional<MediaRequest> parse_media_request(std::string_view target) {
  struct Form {
    std::string_view before, after;
    MediaRequest::Kind kind;
  };
  static constexpr std::array forms{Form{"/snapshot/", ".jpg", MediaRequest::Kind::snapshot},
                                    Form{"/live/", ".ts", MediaRequest::Kind::live}};
  const auto query_at = target.find('?');
  const auto path = target.substr(0, query_at);
  const auto query = query_at == std::string_view::npos ? "" : target.substr(query_at + 1);
  for (const auto& form : forms) {
    if (!path.starts_with(form.before) || !path.ends_with(form.after)) continue;
    if (path.size() <= form.before.size() + form.after.size()) continue;
    auto camera =
        percent_decoded(path.substr(form.before.size(), path.size() - form.before.size() - form.after.size()));
    if (!camera) return std::nullopt;
    return MediaRequest{form.kind, std::move(*camera), has_parameter(query, "stale=allow")};
  }
  return std::nullopt;
}

Result<DeviceId> find_camera(const std::vector<watch::CameraStatus>& cameras, std::string_view id_or_name) {
  std::vector<NamedDevice> devices;
  for (const auto& camera : cameras)
    if (camera.listed()) devices.push_back({camera.id, camera.name});
  return select_device(id_or_name, devices, IdLetters::all);
}

Response media_failure(const Error& error) {
  const auto unavailable = [](std::string_view text) {
    auto response = plain(503, text);
    response.set("Retry-After", "2");
    return response;
  };
  switch (error.code) {
    case Errc::not_found:
      return plain(
          404,
          "This hub has no such camera. /api/state lists the cameras with their ids. If the camera is not in the "
          "list, its owner can add this hub with: sealcam hub enroll");
    case Errc::conflict:
      return plain(404, sealcam::format("Several cameras have this name. Use one of these ids instead: {}.",
                                        error.place ? *error.place : std::string()));
    case Errc::permission: return plain(403, "This hub may not show this camera. /api/state has the reason.");
    case Errc::stale:
      return unavailable(
          "There is no live picture of this camera. To get the last picture, add ?stale=allow to the address.");
    case Errc::timeout: return unavailable("There is no picture of this camera.");
    case Errc::exhausted: return unavailable("The hub is busy with other snapshots. Try again in two seconds.");
    case Errc::io:
      return unavailable(
          "The pictures of this camera stopped their decoder. The hub tries again after a pause of up to five minutes. "
          "Ask the camera's owner to check the camera.");
    case Errc::canceled: return unavailable("The hub is stopping.");
    case Errc::unsupported:
      return unavailable(
          "This hub cannot make snapshots and streams, because its media module is missing or has another version. The "
          "log "
          "of the hub has the details.");
    default: return plain(500, "The hub could not decode this picture. Try again.");
  }
}

Response blocked_response(watch::Reason reason) {
  const auto text = [&]() -> std::string_view {
    switch (reason) {
      case watch::Reason::cloned:
        return "Two devices use this camera's identity, so the hub shows neither of them. Reset the camera and pair it "
               "again.";
      case watch::Reason::suspended:
        return "The owner suspended the integration of this hub. Only the owner can resume it.";
      default: return "The owner removed this hub from the camera's list.";
    }
  }();
  auto response = plain(403, text);
  response.set("X-Sealcam-Reason", std::string(name(reason)));
  return response;
}

Response snapshot_response(const Snapshot& snapshot) {
  const auto captured = snapshot.picture.header.captured;
  auto response = respond_with(200, "image/jpeg", std::string(as_text(*snapshot.jpeg)));
  if (auto text = http_date(captured)) response.set("Last-Modified", std::move(*text));
  if (auto text = rfc3339(captured)) response.set("X-Sealcam-Captured", std::move(*text));
  response.set("X-Sealcam-State", snapshot.freshness.live ? "LIVE" : "STALE");
  if (snapshot.freshness.age) response.set("X-Sealcam-Age-Ms", std::to_string(snapshot.freshness.age->count()));
  return response;
}

std::optional<std::string> rfc3339(CaptureTime time) {
  // First milliseconds: a difference of microseconds and seconds overflows for the smallest time that a camera can
  // send.
  const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(time.since_epoch);
  const auto since_second = since_epoch - std::chrono::floor<std::chrono::seconds>(since_epoch);
  auto text = utc(time, "%FT%T");
  if (text) *text += sealcam::format(".{:03}Z", since_second.count());
  return text;
}

std::optional<std::string> http_date(CaptureTime time) { return utc(time, "%a, %d %b %Y %H:%M:%S GMT"); }

}  // namespace sealcam::hub::web
