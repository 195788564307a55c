// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "owner/account/account.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t max_decisions = 1U << 20;

protocol::UpdateConsent read_consent(ConfigReader& reader, const std::string& at) {
  constexpr std::int64_t max_seconds = 9'000'000'000;  // the protocol has 53 bits of microseconds
  return {.action = static_cast<protocol::UpdateAction>(reader.integer(at + "/action", 0, 1, 4)),
          .version = reader.text(at + "/version", ""),
          .until = CaptureTime{std::chrono::seconds(reader.integer(at + "/until", 0, 0, max_seconds))}};
}

Json to_json(const protocol::CommandItem<protocol::UpdateConsent>& item) {
  Json json = {{"since", item.since.value()}, {"action", static_cast<int>(item.value.action)}};
  if (!item.value.version.empty()) json["version"] = item.value.version;
  const auto until = std::chrono::duration_cast<std::chrono::seconds>(item.value.until.since_epoch).count();
  if (until != 0) json["until"] = until;
  return json;
}

}  // namespace

Outcome<> read_decisions(const std::filesystem::path& path, AccountFile& account) {
  const auto content = read_file(path, max_decisions);
  if (!content && content.error().code == Errc::not_found) return {};
  if (!content) return failure(content.error(), sealcam::format("cannot read {}", path.string()));
  ConfigReader reader(as_text(*content));
  if (reader.integer("/version", 0, 0, INT64_MAX) != 1) reader.reject("/version", "must be 1");
  for (const auto& key : reader.keys("/cameras")) {
    const auto at = "/cameras/" + key;
    const auto id = DeviceId::parse(key);
    if (!id) reader.reject(at, "must be a device id of 32 characters");
    const auto consent = read_consent(reader, at);
    auto since = protocol::CommandSeq(
        static_cast<std::uint64_t>(reader.integer(at + "/since", 0, 0, std::numeric_limits<std::int64_t>::max())));
    const auto camera = id ? std::ranges::find(account.cameras, *id, &CameraRecord::id) : account.cameras.end();
    if (camera == account.cameras.end()) continue;
    // The program ended between the writes of the two files.
    if (since > camera->command.newest) since = protocol::CommandSeq();
    camera->command.update = {since, consent};
  }
  if (const auto error = reader.finish())
    return failure(EX_CONFIG,
                   sealcam::format("{}: {}; delete the file: the cameras keep the decisions about updates that they "
                                   "received",
                                   path.string(), *error));
  return {};
}

Outcome<> write_decisions(const std::filesystem::path& path, const AccountFile& account) {
  Json cameras = Json::object();
  for (const auto& camera : account.cameras)
    if (camera.command.update) cameras[camera.id.to_string()] = to_json(*camera.command.update);
  const auto before = read_file(path, max_decisions);
  if (!before && before.error().code == Errc::not_found && cameras.empty()) return {};
  const auto text = Json{{"version", 1}, {"cameras", std::move(cameras)}}.dump(2) + "\n";
  if (before && as_text(*before) == text) return {};
  return write(path, as_bytes(text));
}

}  // namespace sealcam::owner
