// SPDX-License-Identifier: Apache-2.0
#include "owner/broker/operator.hpp"

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "owner/broker/device_records.hpp"
#include "owner/broker/web_listener.hpp"
#include "owner/console.hpp"
#include "owner/sync/exchange.hpp"
#include "protocol/pairing.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::owner {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_pem = 16U << 10;
/// The broker is on this machine. It needs a moment to read its lists, more if the machine is busy.
constexpr auto timeout = 10s;

/// `host`: a node of a cluster; empty for the broker on this machine.
Outcome<transport::MqttConfig> connection(const BrokerFiles& files, const AuthorityKey& authority,
                                          const std::string& name, const std::string& host = "") {
  const auto settings = read_broker(files);
  if (!settings) return std::unexpected(settings.error());
  auto key = transport::TlsKey::generate();
  if (!key) return failure(key.error(), "cannot make a key");
  const auto request = transport::make_request(*key, name);
  if (!request) return failure(request.error(), "cannot make a certificate request");
  auto certificate = transport::sign_request(authority.certificate_pem, authority.key, *request, name,
                                             transport::CertificateUse::client, {name});
  if (!certificate) return failure(certificate.error(), "cannot sign the operator's certificate");
  return transport::MqttConfig{.host = host.empty() ? settings->local_host() : host,
                               .port = settings->port,
                               .client_id = name,
                               .tls = {.role = transport::TlsRole::client,
                                       .authority_pem = authority.certificate_pem,
                                       .certificate_pem = std::move(*certificate),
                                       .key = std::move(*key)}};
}

/// Connects, publishes and disconnects.
Outcome<> exchange(transport::MqttConfig config, std::deque<Outgoing> outgoing) {
  const auto count = outgoing.size();
  const auto place = protocol::HostPort{config.host, config.port}.to_string();
  Exchange exchange(
      std::move(outgoing), {.timeout = timeout, .listen = 0ms, .quiet = 0ms, .once = true},
      [](const transport::Message&) {}, [] { return true; });
  if (auto r = exchange.run(std::move(config), {}); !r) return failure(r.error(), "cannot connect to the broker");
  if (exchange.reached() && exchange.acknowledged().size() == count) return {};
  return failure(EX_UNAVAILABLE, sealcam::format("the broker at {} did not answer: {}", place, exchange.why()));
}

}  // namespace

Outcome<AuthorityKey> read_authority(const BrokerFiles& files) {
  auto key_pem = read(files.authority_key(), max_pem);
  if (!key_pem) return std::unexpected(key_pem.error());
  auto key = transport::TlsKey::from_pem(*key_pem);
  wipe(*key_pem);
  if (!key)
    return failure(key.error(), sealcam::format("{} is damaged", files.authority_key().string()),
                   "restore it with 'sealcam broker restore'");
  const auto certificate = read(files.authority(), max_pem);
  if (!certificate) return std::unexpected(certificate.error());
  return AuthorityKey{std::move(*key), std::string(as_text(*certificate))};
}

Outcome<> end_session(const BrokerFiles& files, const AuthorityKey& authority, const DeviceId& device) {
  auto config = connection(files, authority, device.to_string());
  if (!config) return std::unexpected(config.error());
  return exchange(std::move(*config), {});
}

Outcome<> delete_retained(const BrokerFiles& files, const AuthorityKey& authority,
                          const std::vector<std::string>& topics) {
  const auto settings = read_broker(files);
  if (!settings) return std::unexpected(settings.error());
  auto hosts = settings->nodes;
  if (hosts.empty()) hosts.push_back(settings->local_host());
  Outcome<> result;
  for (const auto& host : hosts) {
    auto config = connection(files, authority, std::string(operator_name), host);
    if (!config) return std::unexpected(config.error());
    std::deque<Outgoing> outgoing;
    for (const auto& topic : topics) outgoing.push_back({.camera = {}, .topic = topic, .message = {}});
    // A node that is down does not prevent the deletion at the others.
    if (auto r = exchange(std::move(*config), std::move(outgoing)); !r) result = std::move(r);
  }
  return result;
}

using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t max_list = 1U << 20;
constexpr int version = 1;

class LocalOperator final : public Operator {
 public:
  explicit LocalOperator(BrokerFiles files) : files_(std::move(files)) {}

  [[nodiscard]] Outcome<Address> address(const AccountId& account) const override {
    const auto settings = read_broker(files_);
    if (!settings) return std::unexpected(settings.error());
    return Address{settings->host_of(account), settings->port};
  }
  [[nodiscard]] Outcome<std::string> web_address(const AccountId& account) const override {
    const auto settings = read_broker(files_);
    if (!settings) return std::unexpected(settings.error());
    if (!settings->web_port) return no_web_listener(files_);
    return owner::web_address(settings->host_of(account), *settings->web_port);
  }
  [[nodiscard]] Outcome<std::string> authority() const override {
    const auto pem = read(files_.authority(), max_pem);
    if (!pem) return std::unexpected(pem.error());
    return std::string(as_text(*pem));
  }
  [[nodiscard]] Outcome<std::string> authorize(const AuthorizationRequest& request) const override {
    auto authorized = owner::authorize(files_, request);
    if (!authorized) return std::unexpected(authorized.error());
    return std::move(authorized->certificate_pem);
  }
  [[nodiscard]] Outcome<BrokerAccess> write_lists() const override { return write_authorizations(files_); }
  [[nodiscard]] Outcome<bool> apply() const override { return apply_authorizations(files_); }
  [[nodiscard]] std::filesystem::path folder() const override { return files_.folder; }

 private:
  BrokerFiles files_;
};

class RemoteOperator final : public Operator {
 public:
  explicit RemoteOperator(Answer answer) : answer_(std::move(answer)) {}

  [[nodiscard]] Outcome<Address> address(const AccountId& /*account*/) const override { return answer_.address; }
  [[nodiscard]] Outcome<std::string> web_address(const AccountId& /*account*/) const override { return not_here(); }
  [[nodiscard]] Outcome<std::string> authority() const override { return answer_.authority_pem; }
  [[nodiscard]] Outcome<std::string> authorize(const AuthorizationRequest& request) const override {
    if (request.request_pem.empty()) return not_here();
    const auto name = transport::requested_name(request.request_pem);
    const auto key = transport::requested_key(request.request_pem);
    if (!name || !key)
      return failure(EX_CONFIG, "the device's certificate request is not valid; reset the device and start again");
    for (const auto& pem : answer_.certificates_pem) {
      const auto certificate_name = transport::certificate_name(pem);
      if (!certificate_name || *certificate_name != *name) continue;
      const auto certificate_key = transport::certificate_key(pem);
      if (!certificate_key || !equal(*certificate_key, *key) ||
          !transport::check_certificate(answer_.authority_pem, pem))
        return failure(EX_CONFIG,
                       sealcam::format("the operator's certificate for device {} is for another key or from another "
                                       "authority; make a new request with --request",
                                       *name));
      return pem;
    }
    return failure(EX_CONFIG, sealcam::format("the operator's answer contains no certificate for device {}; make a "
                                              "request with --request",
                                              *name));
  }
  [[nodiscard]] Outcome<BrokerAccess> write_lists() const override { return BrokerAccess::no_broker; }
  [[nodiscard]] Outcome<bool> apply() const override { return false; }
  [[nodiscard]] std::filesystem::path folder() const override { return {}; }

 private:
  /// A link code is valid for ten minutes, which is too short for an exchange of files.
  static std::unexpected<Failure> not_here() {
    return failure(EX_CONFIG,
                   "a phone needs the broker's folder on this machine; run this command there, with --broker DIR");
  }
  Answer answer_;
};

std::unexpected<Failure> not_valid(const std::filesystem::path& file, std::string_view what) {
  return failure(EX_CONFIG, sealcam::format("{} is damaged or not {}; check the file name", file.string(), what));
}

/// Reads a JSON object with the supported version.
Outcome<Json> read_object(const std::filesystem::path& file, std::string_view what) {
  const auto content = read(file, max_list);
  if (!content) return std::unexpected(content.error());
  if (json_error(as_text(*content))) return not_valid(file, what);
  auto json = Json::parse(as_text(*content));
  if (!json.is_object() || !json.contains("version") || json["version"] != version) return not_valid(file, what);
  return json;
}

Outcome<> write_object(const std::filesystem::path& file, const Json& json) {
  return write_output(file, as_bytes(json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"));
}

Outcome<> check_all(const BrokerFiles& files, const std::vector<AuthorizationRequest>& requests) {
  const auto rejected = [](int code, std::string_view why) {
    return failure(code, sealcam::format("no device was authorized: {}", why));
  };
  if (requests.size() > max_requests)
    return rejected(EX_CONFIG, sealcam::format("the file contains requests for {} devices, and the maximum is {}",
                                               requests.size(), max_requests));
  std::vector<Authorized> all;
  for (const auto& request : requests) {
    const auto at = sealcam::format("entry {} of {}", all.size() + 1, requests.size());
    const auto device = check_authorization(files, request);
    if (!device) return rejected(device.error().exit_code, sealcam::format("{}: {}", at, device.error().message));
    if (std::ranges::contains(all, device->device, &Authorized::device))
      return rejected(EX_CONFIG,
                      sealcam::format("{}: the file contains device {} twice", at, device->device.to_string()));
    if (!all.empty() && device->account != all.front().account)
      return rejected(EX_CONFIG,
                      sealcam::format("{} is for account {}, and the first entry is for account {}; use one file "
                                      "for each account",
                                      at, device->account.to_string(), all.front().account.to_string()));
    all.push_back(*device);
  }
  return {};
}

std::string text_at(const Json& object, const char* member) {
  if (!object.is_object()) return "";
  const auto it = object.find(member);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

}  // namespace

std::shared_ptr<const Operator> local_operator(const BrokerFiles& files) {
  return std::make_shared<LocalOperator>(files);
}

Outcome<std::shared_ptr<const Operator>> remote_operator(const std::filesystem::path& file) {
  static constexpr std::string_view what = "an operator's answer";
  const auto json = read_object(file, what);
  if (!json) return std::unexpected(json.error());
  const auto broker = json->value("broker", Json());
  const auto port = broker.is_object() ? broker.value("port", Json()) : Json();
  const auto certificates = json->value("certificates", Json());
  Answer answer{{text_at(broker, "host"), 0}, text_at(*json, "authority"), {}};
  if (protocol::parse_host(answer.address.host) != answer.address.host || answer.authority_pem.empty() ||
      !certificates.is_array() || !port.is_number_unsigned() || port.get<std::uint64_t>() < 1 ||
      port.get<std::uint64_t>() > 65535)
    return not_valid(file, what);
  answer.address.port = port.get<std::uint16_t>();
  for (const auto& pem : certificates) {
    if (!pem.is_string()) return not_valid(file, what);
    answer.certificates_pem.push_back(pem.get<std::string>());
  }
  return std::make_shared<RemoteOperator>(std::move(answer));
}

Outcome<> write_requests(const std::filesystem::path& file, const std::vector<AuthorizationRequest>& devices) {
  Json json{{"version", version}, {"devices", Json::array()}};
  for (const auto& device : devices)
    json["devices"].push_back({{"request", device.request_pem},
                               {"descriptor", to_hex(device.descriptor)},
                               {"authorization", to_hex(device.authorization)}});
  return write_object(file, json);
}

Outcome<std::vector<AuthorizationRequest>> read_requests(const std::filesystem::path& file) {
  static constexpr std::string_view what = "a file of requests";
  const auto json = read_object(file, what);
  if (!json) return std::unexpected(json.error());
  const auto devices = json->value("devices", Json());
  if (!devices.is_array() || devices.empty()) return not_valid(file, what);
  std::vector<AuthorizationRequest> out;
  for (const auto& device : devices) {
    auto descriptor = from_hex(text_at(device, "descriptor"));
    auto authorization = from_hex(text_at(device, "authorization"));
    if (!descriptor || !authorization || text_at(device, "request").empty()) return not_valid(file, what);
    out.push_back({text_at(device, "request"), std::move(*descriptor), std::move(*authorization)});
  }
  return out;
}

Outcome<std::vector<AuthorizedDevice>> authorize_all(const BrokerFiles& files,
                                                     const std::vector<AuthorizationRequest>& requests) {
  if (auto r = check_all(files, requests); !r) return std::unexpected(r.error());
  std::vector<AuthorizedDevice> out;
  for (const auto& request : requests) {
    auto authorized = authorize(files, request);
    if (!authorized)
      return failure(authorized.error().exit_code,
                     sealcam::format("{} ({} of {} devices are authorized); correct this, then run the command again",
                                     authorized.error().message, out.size(), requests.size()));
    out.push_back(std::move(*authorized));
  }
  return out;
}

Outcome<> write_answer(const std::filesystem::path& file, const Answer& answer) {
  return write_object(file, {{"version", version},
                             {"broker", {{"host", answer.address.host}, {"port", answer.address.port}}},
                             {"authority", answer.authority_pem},
                             {"certificates", answer.certificates_pem}});
}

}  // namespace sealcam::owner
