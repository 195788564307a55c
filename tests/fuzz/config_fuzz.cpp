// SPDX-License-Identifier: Apache-2.0
// JSON that people write or that is kept: the strict reader itself, the programs' configuration, enrolment and account.
#include <nlohmann/json.hpp>

#include "camera/camera_config.hpp"
#include "core/config.hpp"
#include "hub/settings.hpp"
#include "input.hpp"
#include "owner/account_file.hpp"
#include "pairing/device_state.hpp"
#include "scratch.hpp"

using namespace sealcam;
using fuzz::scratch;

namespace {

/// What passes as empty settings is an empty object, and what passes with one setting has no other.
void check_reader(std::string_view text) {
  const auto said = ConfigReader(text).finish();
  if (!said) SC_ASSERT(nlohmann::json::parse(text, nullptr, false, true) == nlohmann::json::object());
  ConfigReader reader(text);
  const auto number = reader.integer("/a", 1, -5, 1000);
  SC_ASSERT(number >= -5 && number <= 1000);
  const auto rate = reader.number("/b", 1, 0, 120);
  SC_ASSERT(rate >= 0 && rate <= 120);
  (void)reader.boolean("/c", true);
  (void)reader.text("/d/e", "");
  (void)reader.optional_text("/d/f");
  (void)reader.texts("/g");
  for (std::size_t i = 0; i < reader.size("/h"); ++i) (void)reader.text("/h/" + std::to_string(i), "");
  if (const auto error = reader.finish()) return SC_ASSERT(!error->empty());
  for (const auto& [key, value] : nlohmann::json::parse(text, nullptr, false, true).items())
    SC_ASSERT(value.is_object() ? key == "d" : value.is_array() ? key == "g" || key == "h" : key >= "a" && key <= "c");
}

void check_camera(std::string_view text) {
  const auto config = camera::read_config(scratch().put("camera.json", text), false);
  if (!config) return SC_ASSERT(config.error().contains("camera.json"));
  SC_ASSERT(hal::is_valid(config->source.size));
  SC_ASSERT(config->source.rate == 0 || (config->source.rate >= 1 && config->source.rate <= 120));
  SC_ASSERT(config->lowest_bitrate <= config->encoder.bitrate && config->lowest_bitrate >= BitsPerSecond(25'000));
  SC_ASSERT(config->encoder.keyframe_interval > 0 && config->encoder.threads >= 0);
  SC_ASSERT(config->source.backend != "replay" || config->source.file.is_absolute());
  SC_ASSERT(config->source.backend != "auto" || config->source.device == "auto");
}

void check_hub(std::string_view text) {
  std::string why;
  const auto settings = hub::read_settings(scratch().put("hub.json", text), false, why);
  if (!settings) return SC_ASSERT(why.contains("hub.json"));
  SC_ASSERT(hub::parse_listen(settings->listen).has_value() && settings->verify_threads <= 64);
}

void check_enrolment(std::string_view text) {
  const pairing::StateFiles files{scratch().path()};
  scratch().put("enrolment.json", text);
  std::string why;
  const auto read = pairing::read_enrolment(files, &why);
  if (!read) return SC_ASSERT(read.error().code != Errc::malformed || !why.empty());
  SC_ASSERT(read->broker_port != 0 && !read->broker_host.empty() && read->name.size() <= pairing::largest_name);
  SC_ASSERT(pairing::write_enrolment(files, *read).has_value());
  const auto again = pairing::read_enrolment(files);
  SC_ASSERT(again && again->owner == read->owner && again->name == read->name && again->role == read->role);
  SC_ASSERT(again->broker_host == read->broker_host && again->broker_port == read->broker_port);
  SC_ASSERT(again->ca_pem == read->ca_pem && again->certificate_pem == read->certificate_pem);
}

void check_account(std::string_view text) {
  const auto path = scratch().put("account.json", text);
  const auto read = owner::read_account(path);
  if (!read) return SC_ASSERT(!read.error().message.empty());
  for (const auto& camera : read->cameras) {
    SC_ASSERT(camera.identity.id() == camera.id && camera.published <= camera.version);
    (void)owner::roster_of(*read, camera, {});
  }
  SC_ASSERT(owner::write_account(path, *read).has_value());
  const auto again = owner::read_account(path);
  SC_ASSERT(again && again->account == read->account && again->cameras.size() == read->cameras.size());
  SC_ASSERT(again->hubs.size() == read->hubs.size() && again->integrations.size() == read->integrations.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  const auto text = in.text();
  switch (choice % 5) {
    case 0: check_reader(text); break;
    case 1: check_camera(text); break;
    case 2: check_hub(text); break;
    case 3: check_enrolment(text); break;
    case 4: check_account(text); break;
  }
  return 0;
}
