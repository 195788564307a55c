// SPDX-License-Identifier: Apache-2.0
/// A real Mosquitto with a listener for phones, and a client of this listener (web_client.py).
#pragma once

#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.hpp"
#include "broker_world.hpp"
#include "crypto/psa.hpp"
#include "owner/broker/authorization.hpp"
#include "support/device_requests.hpp"

namespace sealcam::test {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Json = nlohmann::json;

inline std::string text(const fs::path& path) { return std::string(as_text(must(read_file(path, 1 << 24)))); }

/// A phone with its password, as its owner's program draws it.
struct Phone : Actor {
  Bytes secret = Bytes(32);
  std::string password;
  Phone() {
    must(crypto::random(secret));
    password = to_base64url(secret);
  }
};

/// A device with a certificate.
struct Device : Actor {
  transport::TlsKey key = must(transport::TlsKey::generate());
  std::string certificate;
};

struct Account {
  Actor owner;
  Device camera, hub;
  Phone phone;
  [[nodiscard]] protocol::Route route() const { return {owner.account(), camera.id()}; }
};

/// The connection of a phone that stays, in another thread.
class Session {
 public:
  explicit Session(Json options, const fs::path& ready) : ready_(ready) {
    fs::remove(ready);
    options["ready"] = ready.string();
    end_ = std::async(std::launch::async,
                      [text = options.dump()] { return run({"python3", "-W", "ignore", SEALCAM_WEB_CLIENT, text}); });
  }
  [[nodiscard]] bool connects() const {
    for (int i = 0; i < 500 && !fs::exists(ready_); ++i) std::this_thread::sleep_for(20ms);
    return fs::exists(ready_);
  }
  [[nodiscard]] Json end() {
    const auto ran = end_.get();
    INFO(ran.output);
    REQUIRE(ran.exit_code == 0);
    return Json::parse(ran.output);
  }

 private:
  fs::path ready_;
  std::future<Ran> end_;
};

struct PhoneWorld : BrokerWorld {
  TestOperator web{"an authority that browsers trust"};
  std::uint16_t web_port = free_port();

  PhoneWorld() { write_certificate(web, "web"); }
  void write_certificate(const TestOperator& authority, const std::string& name, std::string_view host = {}) const {
    const auto server = authority.server(host);
    REQUIRE(write_file_durably(path(name + ".ca"), as_bytes(authority.authority())));
    REQUIRE(write_file_durably(path(name + ".pem"), as_bytes(server.certificate)));
    REQUIRE(write_file_durably(path(name + ".key"), server.key.reveal_pem()));
  }
  [[nodiscard]] Ran add_listener(const std::string& name = "web", const std::string& key = "web") const {
    return test::sealcam({"broker", "web", broker.string(), "--port", std::to_string(web_port), "--certificate",
                          path(name + ".pem"), "--key", path(key + ".key"), "--json"});
  }
  void start_both() {
    start();
    for (int i = 0; i < 500 && !accepts(web_port); ++i) std::this_thread::sleep_for(10ms);
    REQUIRE(accepts(web_port));
  }
  void authorize(const owner::AuthorizationRequest& request, std::string* certificate = nullptr) const {
    const auto done = owner::authorize({broker}, request);
    INFO((done ? "" : done.error().message));
    REQUIRE(done);
    REQUIRE(owner::apply_authorizations({broker}));
    if (certificate != nullptr) *certificate = done->certificate_pem;
  }
  void authorize(const Account& account, const Phone& phone) const {
    authorize(phone_request(account.owner, phone, phone.password));
  }
  void authorize(const Account& account, protocol::Role role, Device& device) const {
    const auto request = must(transport::make_request(device.key, device.id().to_string()));
    const auto key = must(crypto::PublicKey::parse(must(transport::requested_key(request))));
    authorize({request, descriptor(role, device, key), authorization(account.owner, role, device.id(), key)},
              &device.certificate);
  }
  void authorize(Account& account) const {
    authorize(account, protocol::Role::camera, account.camera);
    authorize(account, protocol::Role::hub, account.hub);
    authorize(account, account.phone);
  }
  [[nodiscard]] transport::MqttConfig connection(const Device& device) const {
    return {.host = "127.0.0.1",
            .port = port,
            .client_id = device.id().to_string(),
            .tls = {.role = transport::TlsRole::client,
                    .authority_pem = text(path("B/ca.pem")),
                    .certificate_pem = device.certificate,
                    .key = device.key.duplicate()}};
  }
  /// The options of a login at the listener for phones.
  [[nodiscard]] Json options(const std::string& user, const std::string& password) const {
    return {{"port", web_port}, {"authority", path("web.ca")}, {"user", user}, {"password", password}, {"wait", 0.2}};
  }
  [[nodiscard]] Json options(const Phone& phone) const { return options(phone.id().to_string(), phone.password); }
  /// Adds the certificate of a device.
  void present(Json& options, const Device& device) const {
    REQUIRE(write_file_durably(path("device.pem"), as_bytes(device.certificate)));
    REQUIRE(write_file_durably(path("device.key"), device.key.reveal_pem()));
    options["certificate"] = path("device.pem");
    options["key"] = path("device.key");
  }
  [[nodiscard]] static Json connect(const Json& options) {
    const auto ran = run({"python3", "-W", "ignore", SEALCAM_WEB_CLIENT, options.dump()});
    INFO(ran.output);
    REQUIRE(ran.exit_code == 0);
    return Json::parse(ran.output);
  }
};

/// A broker with the listener, two accounts, and a phone of each.
struct TwoAccounts : PhoneWorld {
  Account a, b;
  TwoAccounts() {
    NEED(add_listener());
    start_both();
    authorize(a);
    authorize(b);
  }
};

}  // namespace sealcam::test
