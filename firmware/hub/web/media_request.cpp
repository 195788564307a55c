// SPDX-License-Identifier: Apache-2.0
#include "hub/web/media_request.hpp"

#include <charconv>
#include <format>

namespace sealcam::hub::web {
namespace {

namespace http = boost::beast::http;

/// A '%' that is none of percent-encoding makes the whole text void.
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

bool has_parameter(std::string_view query, std::string_view wanted) {
  while (!query.empty()) {
    const auto end = query.find('&');
    if (query.substr(0, end) == wanted) return true;
    query = end == std::string_view::npos ? "" : query.substr(end + 1);
  }
  return false;
}

std::chrono::sys_time<std::chrono::milliseconds> to_sys(CaptureTime time) {
  return std::chrono::sys_time<std::chrono::milliseconds>(
      std::chrono::floor<std::chrono::milliseconds>(time.since_epoch));
}

}  // namespace

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

Result<DeviceId> find_camera(const std::vector<watch::CameraStatus>& cameras, std::string_view wanted) {
  const auto id = DeviceId::parse(wanted);
  const watch::CameraStatus* found = nullptr;
  for (const auto& camera : cameras) {
    if (!camera.listed()) continue;
    if (id && camera.id == *id) return camera.id;
    if (camera.name != wanted) continue;
    if (found != nullptr) return fail(Errc::conflict, "several cameras have this name");
    found = &camera;
  }
  if (found == nullptr) return fail(Errc::not_found, "no such camera");
  return found->id;
}

Response media_failure(const Request& request, const Error& error) {
  const auto later = [&](std::string_view text) {
    auto response = plain(request, http::status::service_unavailable, text);
    response.set(http::field::retry_after, "2");
    return response;
  };
  switch (error.code) {
    case Errc::not_found:
      return plain(
          request, http::status::not_found,
          "This hub has no such camera. Take an id from /api/state; if the camera is not listed there, its owner "
          "has not given it to this hub (sealcam hub enroll).");
    case Errc::conflict:
      return plain(request, http::status::not_found,
                   "Several cameras have this name. Take the id from /api/state instead.");
    case Errc::permission:
      return plain(request, http::status::forbidden,
                   "Nothing of this camera may be shown any more; /api/state says why.");
    case Errc::stale:
      return later(
          "There is no live picture of this camera now. A frozen picture must not pass for a live one; for the last "
          "one "
          "that came, however old, ask with ?stale=allow.");
    case Errc::timeout: return later("There is no picture of this camera.");
    case Errc::exhausted: return later("This hub makes other snapshots now. Ask again in two seconds.");
    case Errc::cancelled: return later("This hub is being stopped.");
    case Errc::unsupported:
      return later(
          "This hub cannot make snapshots and streams: its media module is missing or does not fit. Its log "
          "says more.");
    default:
      return plain(request, http::status::internal_server_error, "This picture could not be decoded. Ask again.");
  }
}

Response barred_response(const Request& request, watch::Reason reason) {
  const auto sentence = [&]() -> std::string_view {
    switch (reason) {
      case watch::Reason::cloned:
        return "Two devices live with this camera's identity, so pictures of neither are shown. Reset the camera and "
               "pair it again.";
      case watch::Reason::suspended:
        return "The camera's owner suspended the integration that this hub belongs to. Only the owner can resume it.";
      default: return "The camera's owner took this hub off the camera's list.";
    }
  }();
  auto response = plain(request, http::status::forbidden, sentence);
  response.set("X-Sealcam-Reason", name(reason));
  return response;
}

Response snapshot_response(const Request& request, const Snapshot& snapshot) {
  const auto captured = snapshot.picture.header.captured;
  auto response = respond_with(request, http::status::ok, "image/jpeg", std::string(as_text(*snapshot.jpeg)));
  response.set(http::field::last_modified, http_date(captured));
  response.set("X-Sealcam-Captured", rfc3339(captured));
  response.set("X-Sealcam-State", snapshot.freshness.live ? "LIVE" : "STALE");
  if (snapshot.freshness.age) response.set("X-Sealcam-Age-Ms", std::to_string(snapshot.freshness.age->count()));
  return response;
}

std::string rfc3339(CaptureTime time) { return std::format("{:%FT%TZ}", to_sys(time)); }

std::string http_date(CaptureTime time) {
  return std::format("{:%a, %d %b %Y %H:%M:%S} GMT", std::chrono::floor<std::chrono::seconds>(to_sys(time)));
}

}  // namespace sealcam::hub::web
