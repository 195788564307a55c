// SPDX-License-Identifier: Apache-2.0
#include "owner/operator.hpp"

#include <algorithm>
#include <format>
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "owner/admission.hpp"
#include "protocol/pairing_string.hpp"
#include "transport/certificate.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t largest_pem = 16U << 10;
constexpr std::size_t largest_letter = 1U << 20;
constexpr int version = 1;

class Here final : public Operator {
 public:
  explicit Here(BrokerFiles files) : files_(std::move(files)) {}

  [[nodiscard]] Outcome<Address> address() const override {
    const auto settings = read_broker(files_);
    if (!settings) return std::unexpected(settings.error());
    return Address{settings->advertised_host(), settings->port};
  }
  [[nodiscard]] Outcome<std::string> authority() const override {
    const auto pem = read(files_.authority(), largest_pem);
    if (!pem) return std::unexpected(pem.error());
    return std::string(as_text(*pem));
  }
  [[nodiscard]] Outcome<Admittance> admit(std::string_view request_pem, ByteView admission) const override {
    auto admitted = owner::admit(files_, request_pem, admission);
    if (!admitted) return std::unexpected(admitted.error());
    return Admittance{std::move(admitted->certificate_pem), admitted->reloaded};
  }
  [[nodiscard]] std::filesystem::path folder() const override { return files_.folder; }

 private:
  BrokerFiles files_;
};

class Elsewhere final : public Operator {
 public:
  explicit Elsewhere(Answer answer) : answer_(std::move(answer)) {}

  [[nodiscard]] Outcome<Address> address() const override { return answer_.address; }
  [[nodiscard]] Outcome<std::string> authority() const override { return answer_.authority_pem; }
  [[nodiscard]] Outcome<Admittance> admit(std::string_view request_pem, ByteView) const override {
    const auto name = transport::requested_name(request_pem);
    const auto key = transport::requested_key(request_pem);
    if (!name || !key) return failure(EX_CONFIG, "The device's certificate request is not valid");
    for (const auto& pem : answer_.certificates_pem) {
      const auto who = transport::certificate_name(pem);
      if (!who || *who != *name) continue;
      const auto whose = transport::certificate_key(pem);
      if (!whose || !equal(*whose, *key) || !transport::check_certificate(answer_.authority_pem, pem))
        return failure(EX_CONFIG, std::format("The operator's certificate for device {} is about another key, or not "
                                              "by the authority that came with it. Ask again with --request",
                                              *name));
      return Admittance{pem, false};
    }
    return failure(EX_CONFIG,
                   std::format("The operator's answer has no certificate for device {}. Ask with --request", *name));
  }
  [[nodiscard]] std::filesystem::path folder() const override { return {}; }

 private:
  Answer answer_;
};

std::unexpected<Failure> no_letter(const std::filesystem::path& file, std::string_view what) {
  return failure(EX_CONFIG, std::format("{} is not {}, or is damaged", file.string(), what));
}

/// A name or an IPv4 address, as everything after it wants it.
bool is_host(const std::string& text) {
  const auto parsed = protocol::HostPort::parse(text + ":1");
  return parsed && parsed->host == text;
}

/// An object of our version; discarded otherwise.
Outcome<Json> read_letter(const std::filesystem::path& file, std::string_view what) {
  const auto content = read(file, largest_letter);
  if (!content) return std::unexpected(content.error());
  auto json = Json::parse(as_text(*content), nullptr, false);
  if (!json.is_object() || !json.contains("version") || json["version"] != version) return no_letter(file, what);
  return json;
}

Outcome<> write_letter(const std::filesystem::path& file, const Json& json) {
  return write(file, as_bytes(json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"));
}

Outcome<> check_all(const BrokerFiles& files, const std::vector<AdmissionRequest>& requests) {
  const auto refused = [](int code, std::string_view why) {
    return failure(code, std::format("Nobody was admitted. {}", why));
  };
  if (requests.size() > most_requests)
    return refused(EX_CONFIG, std::format("The file asks for {} devices; an owner sends no more than {} at once",
                                          requests.size(), most_requests));
  std::vector<Admitted> all;
  for (const auto& request : requests) {
    const auto at = std::format("Entry {} of {}", all.size() + 1, requests.size());
    const auto who = check_admission(files, request.request_pem, request.admission);
    if (!who) return refused(who.error().exit_code, std::format("{}: {}", at, who.error().message));
    if (std::ranges::contains(all, who->device, &Admitted::device))
      return refused(EX_CONFIG, std::format("{}: device {} is there twice", at, who->device.to_string()));
    if (!all.empty() && who->account != all.front().account)
      return refused(EX_CONFIG, std::format("{} is of account {}, the first of {}; one file is one owner's", at,
                                            who->account.to_string(), all.front().account.to_string()));
    all.push_back(*who);
  }
  return {};
}

std::string text_at(const Json& object, const char* member) {
  if (!object.is_object()) return "";
  const auto it = object.find(member);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

}  // namespace

std::shared_ptr<const Operator> operator_here(const BrokerFiles& files) { return std::make_shared<Here>(files); }

Outcome<std::shared_ptr<const Operator>> operator_who_answered(const std::filesystem::path& file) {
  static constexpr std::string_view what = "an operator's answer";
  const auto json = read_letter(file, what);
  if (!json) return std::unexpected(json.error());
  const auto broker = json->value("broker", Json());
  const auto port = broker.is_object() ? broker.value("port", Json()) : Json();
  const auto certificates = json->value("certificates", Json());
  Answer answer{{text_at(broker, "host"), 0}, text_at(*json, "authority"), {}};
  if (!is_host(answer.address.host) || answer.authority_pem.empty() || !certificates.is_array() ||
      !port.is_number_unsigned() || port.get<std::uint64_t>() < 1 || port.get<std::uint64_t>() > 65535)
    return no_letter(file, what);
  answer.address.port = port.get<std::uint16_t>();
  for (const auto& pem : certificates) {
    if (!pem.is_string()) return no_letter(file, what);
    answer.certificates_pem.push_back(pem.get<std::string>());
  }
  return std::make_shared<Elsewhere>(std::move(answer));
}

Outcome<> write_requests(const std::filesystem::path& file, const std::vector<AdmissionRequest>& devices) {
  Json json{{"version", version}, {"devices", Json::array()}};
  for (const auto& device : devices)
    json["devices"].push_back({{"request", device.request_pem}, {"admission", to_hex(device.admission)}});
  return write_letter(file, json);
}

Outcome<std::vector<AdmissionRequest>> read_requests(const std::filesystem::path& file) {
  static constexpr std::string_view what = "a file of requests";
  const auto json = read_letter(file, what);
  if (!json) return std::unexpected(json.error());
  const auto devices = json->value("devices", Json());
  if (!devices.is_array() || devices.empty()) return no_letter(file, what);
  std::vector<AdmissionRequest> out;
  for (const auto& device : devices) {
    auto admission = from_hex(text_at(device, "admission"));
    if (!admission || text_at(device, "request").empty()) return no_letter(file, what);
    out.push_back({text_at(device, "request"), std::move(*admission)});
  }
  return out;
}

Outcome<std::vector<AdmittedDevice>> admit_all(const BrokerFiles& files,
                                               const std::vector<AdmissionRequest>& requests) {
  if (auto r = check_all(files, requests); !r) return std::unexpected(r.error());
  std::vector<AdmittedDevice> out;
  for (const auto& request : requests) {
    auto admitted = admit(files, request.request_pem, request.admission);
    if (!admitted)
      return failure(admitted.error().exit_code,
                     std::format("{}. {} of {} were admitted before; put it right, and run this again",
                                 admitted.error().message, out.size(), requests.size()));
    out.push_back(std::move(*admitted));
  }
  return out;
}

Outcome<> write_answer(const std::filesystem::path& file, const Answer& answer) {
  return write_letter(file, {{"version", version},
                             {"broker", {{"host", answer.address.host}, {"port", answer.address.port}}},
                             {"authority", answer.authority_pem},
                             {"certificates", answer.certificates_pem}});
}

}  // namespace sealcam::owner
