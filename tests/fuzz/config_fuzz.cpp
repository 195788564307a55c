// SPDX-License-Identifier: Apache-2.0
// JSON files: the strict reader, the configuration of the programs, the enrollment, the account, the access tokens, and
// the state of the updater.
#include <nlohmann/json.hpp>

#include "base/config.hpp"
#include "camera/camera.hpp"
#include "camera/update_status.hpp"
#include "crypto/psa.hpp"
#include "device/enrollment.hpp"
#include "hub/access/access.hpp"
#include "hub/app.hpp"
#include "input.hpp"
#include "owner/account/account.hpp"
#include "owner/account/membership.hpp"
#include "scratch.hpp"

using namespace sealcam;
using fuzz::scratch;

namespace {

/// Only an empty object is accepted if no setting is read. No other settings are accepted than those that are read.
void check_reader(std::string_view text) {
  const auto error_of_empty = ConfigReader(text).finish();
  if (!error_of_empty) SC_ASSERT(nlohmann::json::parse(text, nullptr, false, true) == nlohmann::json::object());
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
  SC_ASSERT(config->min_bitrate <= config->encoder.bitrate && config->min_bitrate >= BitsPerSecond(25'000));
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

void check_enrollment(std::string_view text) {
  const device::StateFiles files{scratch().path()};
  scratch().put("enrollment.json", text);
  std::string why;
  const auto read = device::read_enrollment(files, &why);
  if (!read) return SC_ASSERT(read.error().code != Errc::malformed || !why.empty());
  SC_ASSERT(read->broker_port != 0 && !read->broker_host.empty() && read->name.size() <= device::max_name);
  SC_ASSERT(device::write_enrollment(files, *read).has_value());
  const auto again = device::read_enrollment(files);
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

void check_tokens(std::string_view text) {
  const auto read = hub::access::parse_tokens(text);
  if (!read) return SC_ASSERT(read.error().code == Errc::malformed);
  SC_ASSERT(read->size() <= hub::access::max_tokens + hub::access::max_browsers);
  const auto again = hub::access::parse_tokens(hub::access::to_json(*read));
  SC_ASSERT(again && again->size() == read->size());
  for (std::size_t i = 0; i < read->size(); ++i) {
    const auto &a = (*read)[i], &b = (*again)[i];
    SC_ASSERT(hub::access::is_name(a.name) && a.name == b.name && a.rights == b.rights && a.hash == b.hash);
    SC_ASSERT(a.created == b.created && a.used == b.used && a.browser == b.browser);
  }
}

/// Each file gives a report that can be sealed.
void check_update_status(std::string_view text) {
  const auto status = camera::parse_update_status(text);
  const protocol::SoftwareReport report{"0.1.0", status};
  const protocol::Route route{};
  const auto suite = crypto::sframe::CipherSuite::aes_128_gcm_sha256_128;
  SC_ASSERT(crypto::init().has_value());
  SC_ASSERT(protocol::seal_software_report(report, route, protocol::Epoch(1), suite, {}).has_value());
  SC_ASSERT(!protocol::to_text(status).contains('\n'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  const auto text = in.text();
  switch (choice % 7) {
    case 0: check_reader(text); break;
    case 1: check_camera(text); break;
    case 2: check_hub(text); break;
    case 3: check_enrollment(text); break;
    case 4: check_account(text); break;
    case 5: check_tokens(text); break;
    case 6: check_update_status(text); break;
  }
  return 0;
}
