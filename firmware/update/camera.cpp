// SPDX-License-Identifier: Apache-2.0
#include "update/camera.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "base/log.hpp"
#include "device/device_state.hpp"
#include "pairing/pairing_service.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::update {

namespace {

constexpr std::size_t max_status = std::size_t{64} * 1024;
constexpr std::size_t max_consent = 1024;
constexpr std::size_t max_sockets = std::size_t{256} * 1024;
constexpr std::uint16_t listening = 0x0a;  ///< TCP_LISTEN of the kernel
constexpr Consent unreadable_consent{
    .action = Consent::Action::defer, .version = std::nullopt, .until = std::numeric_limits<std::int64_t>::max()};

std::optional<std::uint32_t> hexadecimal(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Removes the next word from the text.
std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

}  // namespace

Result<Bytes> read_regular_file(const std::filesystem::path& path, std::size_t limit) {
  // Without O_NONBLOCK, a lease on the file (fcntl(2)) also makes open() wait.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC));
  if (!file && errno != ELOOP) return fail_errno("opening a file", path);
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return std::unexpected(located({Errc::unsupported, 0, "not a regular file"}, path.native()));
  Bytes content(limit + 1);
  std::size_t size = 0;
  while (size < content.size()) {
    const auto n = ::read(file.get(), content.data() + size, content.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("reading a file", path);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  if (size > limit) return std::unexpected(located({Errc::exhausted, 0, "file is too large"}, path.native()));
  content.resize(size);
  return content;
}

bool listens(std::string_view sockets, std::uint16_t port) {
  while (!sockets.empty()) {
    auto line = sockets.substr(0, sockets.find('\n'));
    sockets.remove_prefix(std::min(line.size() + 1, sockets.size()));
    (void)next_word(line);  // the number of the line
    const auto local = next_word(line);
    (void)next_word(line);  // the other side
    const auto colon = local.rfind(':');
    if (colon == std::string_view::npos) continue;
    if (hexadecimal(local.substr(colon + 1)) == port && hexadecimal(next_word(line)) == listening) return true;
  }
  return false;
}

Result<CameraStatus> parse_camera_status(std::string_view text) {
  if (json_error(text)) return fail(Errc::malformed, "the camera's status file is not JSON");
  const auto json = nlohmann::json::parse(text);
  bool wrong = !json.is_object();
  const auto number = [&](const char* key) -> std::int64_t {
    if (wrong || !json.contains(key) || !json[key].is_number_integer()) {
      wrong = true;
      return 0;
    }
    return json[key].get<std::int64_t>();
  };
  const auto boolean = [&](const char* key) {
    if (!wrong && json.contains(key) && json[key].is_boolean()) return json[key].get<bool>();
    wrong = true;
    return false;
  };
  const auto texts = [&](const char* key) -> std::string {
    if (!wrong && json.contains(key) && json[key].is_string())
      return printable(json[key].get<std::string>(), max_shown);
    wrong = true;
    return {};
  };
  CameraStatus status{.process = number("pid"), .uptime = number("uptime_ms"), .captured = number("captured")};
  status.fault = texts("fault");
  status.epoch = texts("epoch_fault").empty() && !wrong && json.contains("epoch") && json["epoch"].is_string();
  const bool connected = boolean("connected"), open = boolean("epoch_open");
  status.broker = connected && open;
  if (wrong) return fail(Errc::malformed, "the camera's status file has an unexpected form");
  return status;
}

std::optional<DeviceId> CameraFiles::read_id(bool paired) {
  if (id_ && paired) return id_;  // a reset gives the camera another identity
  id_.reset();
  const auto message = read_regular_file(device::StateFiles{paths_.state}.descriptor(), protocol::max_control_size);
  if (!message) return std::nullopt;
  if (const auto descriptor = protocol::decode_device_descriptor(*message)) id_ = descriptor->identity.id();
  return id_;
}

Result<std::optional<Consent>> CameraFiles::read_consent(const std::filesystem::path& path,
                                                         std::string_view consequence) {
  const auto content = read_regular_file(path, max_consent);
  if (!content && content.error().code == Errc::not_found) return std::nullopt;
  auto consent = content ? parse_consent(as_text(*content)) : std::unexpected(content.error());
  auto& warned = warned_[path];
  const auto message = consent ? "" : to_string(located(consent.error(), path.native()));
  if (!consent && message != warned) log_.warning("{}; {}", message, consequence);
  warned = message;
  return consent;
}

void CameraFiles::do_finish_request() {
  if (::unlink(paths_.request.c_str()) != 0 && errno != ENOENT)
    log_.error("{}", to_string(fail_errno("removing a request", paths_.request).error()));
}

void CameraFiles::observe_paired(CameraState& state) {
  const auto content = read_regular_file(paths_.status, max_status);
  const auto status = content ? parse_camera_status(as_text(*content)) : std::unexpected(content.error());
  if (!status) return;
  const bool same = status->process == process_;
  state.runs = same && status->uptime > uptime_;
  state.process = status->process;
  // The sensor delivers if the number of its pictures grows.
  state.works = {.sensor = state.privacy || (same && status->captured > captured_ && status->fault.empty()),
                 .epoch = status->epoch,
                 .broker = status->broker};
  state.fault = status->fault;
  process_ = status->process;
  uptime_ = status->uptime;
  captured_ = status->captured;
}

CameraState CameraFiles::do_observe() {
  const device::StateFiles files{paths_.state};
  CameraState state;
  state.paired = device::is_present(files.enrollment());
  state.id = read_id(state.paired);
  if (state.paired) {
    const auto consent = read_consent(paths_.state / "update-consent.json",
                                      "updates are deferred; decide again with 'sealcam camera update'");
    // The owner may have deferred or rejected updates.
    state.consent = consent ? consent->value_or(Consent{}) : unreadable_consent;
  }
  const auto request = read_consent(paths_.request, "run 'sealcam-update install' again").value_or(std::nullopt);
  if (request && request->action == Consent::Action::start) state.request = request->version;
  struct statvfs space{};
  if (::statvfs(paths_.data.c_str(), &space) == 0) state.free_space = std::uint64_t{space.f_bavail} * space.f_frsize;
  if (state.paired) {
    const auto privacy = read_regular_file(files.privacy(), 16);
    state.privacy = privacy && as_text(*privacy) == "on\n";
    observe_paired(state);
    return state;
  }
  for (const auto* list : {"tcp", "tcp6"})
    if (const auto sockets = read_file(paths_.sockets / list, max_sockets);
        sockets && listens(as_text(*sockets), pairing::camera_port))
      state.runs = true;
  return state;
}

}  // namespace sealcam::update
