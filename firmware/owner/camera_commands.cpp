// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <format>
#include <memory>
#include <nlohmann/json.hpp>
#include <print>

#include "owner/change.hpp"
#include "owner/membership.hpp"
#include "owner/passphrase_input.hpp"
#include "owner/pending.hpp"
#include "owner/wanted.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;

namespace {

struct CameraWords {
  std::string camera, value, size, password_file;
  std::uint32_t bitrate = 0, rate = 0;
  bool yes = false;
  std::shared_ptr<ChangeOptions> change = std::make_shared<ChangeOptions>();
};
using Words = std::shared_ptr<CameraWords>;

Outcome<CameraRecord*> camera_to_tell(AccountFile& next, const std::string& text) {
  if (auto r = may_change(next); !r) return std::unexpected(r.error());
  const auto found = find_camera(next, text);
  if (!found) return std::unexpected(found.error());
  auto& camera = next.cameras[static_cast<std::size_t>(*found - next.cameras.data())];
  if (camera.removed || camera.command.reset)
    return failure(EX_USAGE,
                   std::format("'{}' is on its way out of the account. How far it is: sealcam sync", camera.name));
  return &camera;
}

/// A command that tells one camera something.
Outcome<> tell(const Context& context, const CameraWords& words, const std::function<void(CameraRecord&)>& what) {
  return make_change(context, *words.change, [&](const Account&, AccountFile& next) -> Outcome<> {
    const auto camera = camera_to_tell(next, words.camera);
    if (!camera) return std::unexpected(camera.error());
    what(**camera);
    return {};
  });
}

Outcome<> rename(const Context& context, const CameraWords& words) {
  if (auto r = check_name(words.value); !r) return r;
  return make_change(context, *words.change, [&](const Account&, AccountFile& next) -> Outcome<> {
    const auto camera = camera_to_tell(next, words.camera);
    if (!camera) return std::unexpected(camera.error());
    for (const auto& other : next.cameras)
      if (&other != *camera && other.name == words.value)
        return failure(EX_USAGE, std::format("Another camera is called '{}'. Choose another name", words.value));
    want_name(**camera, words.value);
    return {};
  });
}

Outcome<protocol::CameraSettings> settings_of(const CameraWords& words) {
  protocol::CameraSettings settings;
  if (words.bitrate != 0) settings.bitrate = BitsPerSecond(words.bitrate);
  if (words.rate != 0) settings.frames_per_second = words.rate;
  if (!words.size.empty()) {
    protocol::CameraSettings::Size size;
    const char* const end = words.size.data() + words.size.size();
    const auto width = std::from_chars(words.size.data(), end, size.width);
    const bool cross = width.ec == std::errc() && width.ptr != end && *width.ptr == 'x';
    const auto height = std::from_chars(cross ? width.ptr + 1 : end, end, size.height);
    if (!cross || height.ec != std::errc() || height.ptr != end || size.width == 0 || size.height == 0 ||
        size.width > 65535 || size.height > 65535)
      return failure(EX_USAGE, std::format("'{}' is no size; write it as 1280x720", words.size));
    settings.size = size;
  }
  if (settings == protocol::CameraSettings())
    return failure(EX_USAGE, "Nothing to set. Give --bitrate, --size or --rate");
  return settings;
}

Outcome<> set_wifi(const Context& context, const CameraWords& words) {
  const auto ssid = parse_ssid(words.value);
  if (!ssid) return std::unexpected(ssid.error());
  const auto passphrase = read_wifi_passphrase(words.password_file, "--password-file");
  if (!passphrase) return std::unexpected(passphrase.error());
  return make_change(context, *words.change, [&](const Account& account, AccountFile& next) -> Outcome<> {
    const auto camera = camera_to_tell(next, words.camera);
    if (!camera) return std::unexpected(camera.error());
    want_wifi(**camera, *ssid);
    return keep_wifi(account.files(), (*camera)->id, *passphrase);
  });
}

/// Reset and transfer: the camera forgets account and keys; its record goes when it has said goodbye.
Outcome<> reset(const Context& context, const CameraWords& words, bool transfer) {
  if (!transfer && !words.yes)
    return failure(EX_USAGE, "The camera will forget this account and its keys. Say that you mean it with --yes");
  DeviceId id;
  const auto change = [&](const Account&, AccountFile& next) -> Outcome<> {
    const auto camera = camera_to_tell(next, words.camera);
    if (!camera) return std::unexpected(camera.error());
    id = (*camera)->id;
    want_reset(**camera);
    return {};
  };
  const auto afterwards = [&](Account& account, const SyncReport& report) -> Outcome<std::string> {
    if (!std::ranges::contains(report.gone, id))
      return "the camera has not said goodbye yet. When it is reset in front of you: sealcam camera remove " +
             words.camera + " --forget";
    auto expelled = expel_where_known(account.file(), *words.change, id);
    if (!expelled) return expelled;
    std::string out = *expelled;
    if (transfer)
      out += (out.empty() ? "" : "\n") +
             std::string("the camera belongs to nobody now; its new owner runs: sealcam camera pair");
    return out;
  };
  return make_change(context, *words.change, change, afterwards);
}

Outcome<> remove(const Context& context, const CameraWords& words) {
  DeviceId id;
  const auto change = [&](const Account&, AccountFile& next) -> Outcome<> {
    // Also of a restored account: a camera that is gone for good would be waited for without end.
    if (!words.change->forget)
      if (auto r = may_change(next); !r) return r;
    const auto removed = remove_camera(next, words.camera);
    if (!removed) return std::unexpected(removed.error());
    id = *removed;
    return {};
  };
  const auto afterwards = [&](Account& account, const SyncReport& report) -> Outcome<std::string> {
    if (!words.change->forget && !std::ranges::contains(report.gone, id))
      return "its record stays until the camera confirms; without waiting: --forget";
    auto next = account.file();
    forget_camera(next, id);
    if (auto r = account.store(std::move(next)); !r) return std::unexpected(r.error());
    return expel_where_known(account.file(), *words.change, id);
  };
  return make_change(context, *words.change, change, afterwards);
}

Json wanted_json(const CommandRecord& command) {
  Json json = {
      {"newest", command.newest.value()}, {"published", command.published.value()}, {"obeyed", command.obeyed.value()}};
  if (command.privacy) json["privacy"] = command.privacy->value;
  if (command.settings && command.settings->value.bitrate) json["bitrate"] = command.settings->value.bitrate->value();
  if (command.settings && command.settings->value.size)
    json["size"] = std::format("{}x{}", command.settings->value.size->width, command.settings->value.size->height);
  if (command.settings && command.settings->value.frames_per_second)
    json["rate"] = *command.settings->value.frames_per_second;
  if (command.wifi) json["wifi"] = command.wifi_lost ? "lost" : "waits";
  if (command.reset) json["reset"] = true;
  return json;
}

Outcome<> list_cameras(const Context& context) {
  const auto account = read_account(context.account().account());
  if (!account) return std::unexpected(account.error());
  auto json = Json::array();
  for (const auto& camera : account->cameras) {
    const auto sentence = pending_sentence(camera);
    const auto trouble = wifi_sentence(camera);
    const auto who = watchers(*account, camera);
    if (context.json)
      json.push_back({{"id", camera.id.to_string()},
                      {"name", camera.name},
                      {"roster", camera.version.value()},
                      {"published", camera.published.value()},
                      {"confirmed", camera.confirmed.value()},
                      {"pending", !sentence.empty()},
                      {"why_pending", sentence},
                      {"removed", camera.removed},
                      {"wifi_trouble", wifi_sentence(camera)},
                      {"command", wanted_json(camera.command)},
                      {"hubs", texts(who)}});
    else
      std::println("{} '{}', {} hubs may watch{}{}{}{}{}", camera.id.to_string(), camera.name, who.size(),
                   camera.command.privacy && camera.command.privacy->value ? ", privacy on" : "",
                   sentence.empty() ? "" : "; ", sentence, trouble.empty() ? "" : "; ", trouble);
  }
  if (context.json) std::println("{}", json.dump());
  else if (account->cameras.empty()) std::println("no cameras yet; enrol one: sealcam camera enroll");
  return {};
}

using Run = std::function<Outcome<>(const Context&, const CameraWords&)>;

CLI::App* add(CLI::App& parent, Context& context, const char* name, const char* what, const Words& words, Run run) {
  auto* command = parent.add_subcommand(name, what);
  command->add_option("CAMERA", words->camera, "Its name, or the beginning of its id")->required();
  command->callback([&context, words, run = std::move(run)] {
    context.action = [&context, words, run] { return run(context, *words); };
  });
  return command;
}

void add_telling(CLI::App& camera, Context& context) {
  auto words = std::make_shared<CameraWords>();
  auto* command = add(camera, context, "rename", "Give a camera another name", words, rename);
  command->add_option("NAME", words->value, "At most 64 bytes")->required();
  add_wait_option(*command, words->change);

  words = std::make_shared<CameraWords>();
  command = add(camera, context, "privacy", "Close a camera's sensor, or open it again", words,
                [](const Context& c, const CameraWords& w) {
                  return tell(c, w, [&](CameraRecord& record) { want_privacy(record, w.value == "on"); });
                });
  command->add_option("STATE", words->value, "on or off")->required()->check(CLI::IsMember({"on", "off"}));
  add_wait_option(*command, words->change);

  words = std::make_shared<CameraWords>();
  command = add(camera, context, "settings", "Set what a camera makes of its pictures; what is left out stays", words,
                [](const Context& c, const CameraWords& w) -> Outcome<> {
                  const auto settings = settings_of(w);
                  if (!settings) return std::unexpected(settings.error());
                  return tell(c, w, [&](CameraRecord& record) { want_settings(record, *settings); });
                });
  command->add_option("--bitrate", words->bitrate, "Bits per second")->check(CLI::Range(1U, 4'000'000'000U));
  command->add_option("--size", words->size, "Width and height in pixels, as 1280x720");
  command->add_option("--rate", words->rate, "Pictures per second")->check(CLI::Range(1U, 1000U));
  add_wait_option(*command, words->change);

  words = std::make_shared<CameraWords>();
  command = add(camera, context, "wifi", "Tell a camera its wireless network", words, set_wifi);
  command->add_option("--ssid", words->value, "The network's name")->required();
  command->add_option("--password-file", words->password_file,
                      "File whose first line is the passphrase, - for standard input (default: it is asked for)");
  add_wait_option(*command, words->change);
}

void add_leaving(CLI::App& camera, Context& context) {
  auto words = std::make_shared<CameraWords>();
  words->change->wait = 30;  // for a goodbye there is no second chance
  auto* command = add(camera, context, "reset", "Make a camera forget this account and its keys", words,
                      [](const Context& c, const CameraWords& w) { return reset(c, w, false); });
  command->add_flag("--yes", words->yes, "It is meant so");
  add_expel_options(*command, words->change);

  words = std::make_shared<CameraWords>();
  words->change->wait = 30;
  command = add(camera, context, "transfer", "Reset a camera for a new owner", words,
                [](const Context& c, const CameraWords& w) { return reset(c, w, true); });
  add_expel_options(*command, words->change);

  words = std::make_shared<CameraWords>();
  command = add(camera, context, "remove", "Let nobody watch a camera and take it from the account", words, remove);
  command->add_flag("--forget", words->change->forget, "Do not wait for the camera to confirm it");
  add_expel_options(*command, words->change);
}

}  // namespace

void add_camera_commands(CLI::App& app, Context& context) {
  auto* camera = app.get_subcommand("camera");
  add_telling(*camera, context);
  add_leaving(*camera, context);
  auto* list = camera->add_subcommand("list", "Cameras, and what they have not confirmed yet");
  list->fallthrough();
  list->callback([&context] { context.action = [&context] { return list_cameras(context); }; });
}

}  // namespace sealcam::owner
