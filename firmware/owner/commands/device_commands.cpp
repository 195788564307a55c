// SPDX-License-Identifier: Apache-2.0
// Commands for new cameras and hubs, and for hubs and integrations, which are groups of hubs.

#include <algorithm>

#include "base/format.hpp"
#include "owner/account/membership.hpp"
#include "owner/commands/change.hpp"
#include "owner/console.hpp"
#include "owner/enrollment/enrollment.hpp"

namespace sealcam::owner {

namespace {

Outcome<EnrollmentOptions> enrollment_options(const DeviceArguments& arguments,
                                              std::shared_ptr<const Operator> broker) {
  EnrollmentOptions options{
      .name = arguments.name, .broker = std::move(broker), .host = std::nullopt, .port = std::nullopt};
  if (!arguments.host.empty()) {
    auto host = parse_host(arguments.host);
    if (!host) return std::unexpected(host.error());
    options.host = std::move(*host);
  }
  if (arguments.port != 0) options.port = static_cast<std::uint16_t>(arguments.port);
  return options;
}

Outcome<PairRequest> pair_request(const DeviceArguments& arguments, std::shared_ptr<const Operator> broker) {
  // A terminal may copy spaces and line ends around the string.
  constexpr auto blank = " \t\r\n";
  std::string_view copied = arguments.pairing_string;
  copied.remove_prefix(std::min(copied.find_first_not_of(blank), copied.size()));
  copied = copied.substr(0, copied.find_last_not_of(blank) + 1);  // npos + 1 is 0
  auto shown = protocol::PairingString::parse(copied);
  if (!shown)
    return failure(EX_USAGE,
                   sealcam::format("the pairing string is not valid: {}; copy the whole string from the device",
                                   shown.error().what));
  auto options = enrollment_options(arguments, std::move(broker));
  if (!options) return std::unexpected(options.error());
  PairRequest request{arguments.role, std::move(*shown), std::nullopt, std::move(*options)};
  if (!arguments.address.empty()) {
    const auto address = protocol::HostPort::parse(arguments.address);
    if (!address)
      return failure(EX_USAGE, sealcam::format("the address --at {} is not valid: {}; write it as HOST:PORT",
                                               arguments.address, address.error().what));
    request.address = *address;
  }
  if (!arguments.ssid.empty()) {
    auto ssid = parse_ssid(arguments.ssid);
    if (!ssid) return std::unexpected(ssid.error());
    auto passphrase = read_wifi_passphrase(arguments.password_file, "--wifi-password-file");
    if (!passphrase) return std::unexpected(passphrase.error());
    request.wifi = protocol::Wifi{std::move(*ssid), std::move(*passphrase)};
  }
  return request;
}

/// Writes requests for the device, and for this machine if it is not authorized yet.
Outcome<> write_requests_for(const Dependencies& deps, const Account& account, const OperatorOptions& broker,
                             const Outcome<DeviceRequest>& device) {
  if (!device) return std::unexpected(device.error());
  auto requests = requests_of_this_machine(account);
  if (!requests) return std::unexpected(requests.error());
  auto request = authorization_request(account, *device);
  if (!request) return std::unexpected(request.error());
  requests->push_back(std::move(*request));
  return broker.write(deps, *requests, device->descriptor.identity.id());
}

}  // namespace

Outcome<std::shared_ptr<const Operator>> OperatorOptions::resolve() const {
  if (int{!broker.empty()} + int{!request.empty()} + int{!answer.empty()} != 1)
    return failure(EX_USAGE,
                   "give one of --broker, --request and --answer: --broker DIR if the broker's folder is on this "
                   "machine; otherwise --request FILE writes a file for the operator, and --answer FILE reads the "
                   "operator's answer");
  if (!broker.empty()) return local_operator({broker});
  if (!answer.empty()) return remote_operator(answer);
  return nullptr;
}

Outcome<> OperatorOptions::write(const Dependencies& deps, const std::vector<AuthorizationRequest>& requests,
                                 const std::optional<DeviceId>& device) const {
  if (auto r = write_requests(request, requests); !r) return r;
  if (deps.json) {
    JsonObject json;
    json.add("requests", requests.size()).add("file", request);
    if (device) json.add("device", device->to_string());
    print_json(json);
    return {};
  }
  if (device) sealcam::println("device {} stays unpaired until you use the answer", device->to_string());
  sealcam::println(
      "{} requests written to {}\nnext step for the broker's operator: sealcam broker answer DIR {} -o ANSWER\n"
      "then run this command again with --answer ANSWER instead of --request{}",
      requests.size(), request, std::filesystem::path(request).filename().string(),
      device ? ", and with the pairing string that the device shows at that time" : "");
  return {};
}

Outcome<> pair_device(const Dependencies& deps, const DeviceArguments& arguments) {
  auto broker = arguments.broker.resolve();
  if (!broker) return std::unexpected(broker.error());
  const auto request = pair_request(arguments, std::move(*broker));
  if (!request) return std::unexpected(request.error());
  auto account = Account::open(deps.account());
  if (!account) return std::unexpected(account.error());
  if (auto r = check_in_sync(account->file()); !r) return r;
  if (arguments.broker.only_requests())
    return write_requests_for(deps, *account, arguments.broker, request_from_device(*account, *request));
  const auto paired = pair(*account, *request, deps.clock);
  if (!paired) return std::unexpected(paired.error());
  if (auto r = remember_broker(*account, *request->options.broker); !r) return r;
  return publish_new(deps, *account, protocol::name(arguments.role), request->options.name, *paired);
}

Outcome<> enroll_device(const Dependencies& deps, const DeviceArguments& arguments) {
  auto broker = arguments.broker.resolve();
  if (!broker) return std::unexpected(broker.error());
  auto options = enrollment_options(arguments, std::move(*broker));
  if (!options) return std::unexpected(options.error());
  EnrollRequest request{.role = arguments.role, .state = arguments.state, .options = std::move(*options)};
  if (request.options.name.empty()) request.options.name = request.state.filename().string();
  auto account = Account::open(deps.account());
  if (!account) return std::unexpected(account.error());
  if (auto r = check_in_sync(account->file()); !r) return r;
  if (arguments.broker.only_requests())
    return write_requests_for(deps, *account, arguments.broker, local_device(*account, request.role, request.state));
  const auto enrolled = enroll(*account, request, deps.clock);
  if (!enrolled) return std::unexpected(enrolled.error());
  if (auto r = remember_broker(*account, *request.options.broker); !r) return r;
  return publish_new(deps, *account, protocol::name(arguments.role), request.options.name, *enrolled);
}

Outcome<> write_authorization(const Dependencies& deps, const DeviceArguments& arguments) {
  const device::StateFiles files{arguments.state};
  const auto account = Account::open(deps.account());
  if (!account) return std::unexpected(account.error());
  const auto bytes = read(files.descriptor(), protocol::max_control_size, "name the state folder of a device");
  if (!bytes) return std::unexpected(bytes.error());
  const auto descriptor = protocol::decode_device_descriptor(*bytes);
  if (!descriptor) return failure(descriptor.error(), sealcam::format("{} is damaged", files.descriptor().string()));
  const auto device = read_device_request(files, descriptor->role);
  if (!device) return std::unexpected(device.error());
  const auto request = authorization_request(*account, *device);
  if (!request) return std::unexpected(request.error());
  if (auto r = write_output(arguments.output, request->authorization); !r) return r;
  const auto id = descriptor->identity.id().to_string();
  if (deps.json) print_json(JsonObject().add("device", id).add("authorization", arguments.output));
  else sealcam::println("authorization for {} written to {}", id, arguments.output);
  return {};
}

namespace {

/// Changes permissions. Fails if the account is out of sync.
Outcome<> change_members(const Dependencies& deps, const ChangeOptions& options,
                         const std::function<Outcome<>(AccountFile&)>& change, const Afterwards& afterwards = {}) {
  return make_change(
      deps, options,
      [&](const Account&, AccountFile& next) -> Outcome<> {
        if (auto r = check_in_sync(next); !r) return r;
        return change(next);
      },
      afterwards);
}

std::string integration_name(const AccountFile& account, const HubRecord& hub) {
  for (const auto& integration : account.integrations)
    if (hub.integration == integration.label) return integration.name;
  return "";
}

std::vector<DeviceId> cameras_of(const AccountFile& account, const HubRecord& hub) {
  std::vector<DeviceId> out;
  for (const auto& camera : account.cameras)
    if (std::ranges::contains(watchers(account, camera), hub.id)) out.push_back(camera.id);
  return out;
}

std::vector<DeviceId> hubs_of(const AccountFile& account, const IntegrationRecord& integration) {
  std::vector<DeviceId> out;
  for (const auto& hub : account.hubs)
    if (hub.integration == integration.label && !hub.unlinked) out.push_back(hub.id);
  return out;
}

JsonObject to_json(const AccountFile& account, const HubRecord& hub) {
  JsonObject json;
  json.add("id", hub.id.to_string())
      .add("name", hub.name)
      .add("this_machine", hub.this_machine)
      .add("phone", hub.phone)
      .add("unlinked", hub.unlinked)
      .add("integration", integration_name(account, hub))
      .add("may_switch_privacy", hub.may_switch_privacy)
      .add("why_pending", pending_text(account, hub))
      .add("cameras", cameras_of(account, hub));
  return json;
}

}  // namespace

namespace {

using Find = Outcome<const HubRecord*>(const AccountFile&, std::string_view);

/// `find`: selects the hub, or fails.
Outcome<> take_out(const Dependencies& deps, const HubArguments& arguments, Find find) {
  std::string note;
  const auto change = [&](AccountFile& next) -> Outcome<> {
    if (auto r = find(next, arguments.hub); !r) return std::unexpected(r.error());
    const auto id = unlink_hub(next, arguments.hub);
    if (!id) return std::unexpected(id.error());
    // The broker revokes the hub before the cameras confirm, so that the hub receives no more messages.
    auto text = revoke_at_broker(next, arguments.change, *id);
    if (!text) return std::unexpected(text.error());
    note = std::move(*text);
    return {};
  };
  return change_members(deps, arguments.change, change,
                        [&](Account&, const SyncReport&) -> Outcome<std::string> { return note; });
}

Outcome<> list(const Dependencies& deps, bool only_phones) {
  const auto account = read_account(deps.account().account());
  if (!account) return std::unexpected(account.error());
  JsonArray json;
  bool empty = true;
  for (const auto& hub : account->hubs) {
    if (only_phones && !hub.phone) continue;
    empty = false;
    if (deps.json) {
      json.add(to_json(*account, hub));
      continue;
    }
    const auto why = pending_text(*account, hub);
    sealcam::println("{} '{}'{}, may watch {} of {} cameras{}{}{}", hub.id.to_string(), hub.name,
                     hub.phone ? ", phone" : "", cameras_of(*account, hub).size(), account->cameras.size(),
                     hub.may_switch_privacy ? ", may switch privacy" : "", why.empty() ? "" : "; ", why);
  }
  if (deps.json) print_json(json);
  else if (empty) sealcam::println("no phones; link one with 'sealcam phone link NAME --app https://HOST:PORT'");
  return {};
}

}  // namespace

Outcome<> take_hub_out(const Dependencies& deps, const HubArguments& arguments) {
  return take_out(deps, arguments, find_hub);
}

Outcome<> take_phone_out(const Dependencies& deps, const HubArguments& arguments) {
  return take_out(deps, arguments, find_phone);
}

Outcome<> allow_hub(const Dependencies& deps, const HubArguments& arguments) {
  return change_members(deps, arguments.change,
                        [&](AccountFile& next) { return set_allowed(next, arguments.hub, arguments.camera, true); });
}

Outcome<> deny_hub(const Dependencies& deps, const HubArguments& arguments) {
  return change_members(deps, arguments.change,
                        [&](AccountFile& next) { return set_allowed(next, arguments.hub, arguments.camera, false); });
}

Outcome<> allow_privacy(const Dependencies& deps, const HubArguments& arguments) {
  return change_members(deps, arguments.change, [&](AccountFile& next) {
    return set_may_switch_privacy(next, arguments.hub, arguments.privacy == "on");
  });
}

Outcome<> list_hubs(const Dependencies& deps, const HubArguments&) { return list(deps, false); }

Outcome<> list_phones(const Dependencies& deps, const HubArguments&) { return list(deps, true); }

Outcome<> create_integration(const Dependencies& deps, const IntegrationArguments& arguments) {
  return change_members(deps, arguments.change,
                        [&](AccountFile& next) { return add_integration(next, arguments.name, arguments.hubs); });
}

Outcome<> suspend_integration(const Dependencies& deps, const IntegrationArguments& arguments) {
  return change_members(deps, arguments.change,
                        [&](AccountFile& next) { return set_suspended(next, arguments.name, true); });
}

Outcome<> resume_integration(const Dependencies& deps, const IntegrationArguments& arguments) {
  return change_members(deps, arguments.change,
                        [&](AccountFile& next) { return set_suspended(next, arguments.name, false); });
}

Outcome<> list_integrations(const Dependencies& deps, const IntegrationArguments&) {
  const auto account = read_account(deps.account().account());
  if (!account) return std::unexpected(account.error());
  JsonArray json;
  for (const auto& integration : account->integrations) {
    const auto hubs = hubs_of(*account, integration);
    if (deps.json)
      json.add(JsonObject().add("name", integration.name).add("suspended", integration.suspended).add("hubs", hubs));
    else
      sealcam::println("'{}', {} hubs{}", integration.name, hubs.size(),
                       integration.suspended ? ", suspended: its hubs get no pictures" : "");
  }
  if (deps.json) print_json(json);
  else if (account->integrations.empty())
    sealcam::println("no integrations; add one with 'sealcam integration add NAME --hub HUB'");
  return {};
}

}  // namespace sealcam::owner
