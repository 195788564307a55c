// SPDX-License-Identifier: Apache-2.0
// The login of phones at a real Mosquitto: MQTT over WebSocket with TLS, and a password.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "base/format.hpp"
#include "phone_world.hpp"

namespace sealcam {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using World = test::PhoneWorld;
using protocol::Leaf;
using test::sealcam;
using test::Session;
using test::TestClient;
using test::text;
using test::TwoAccounts;
using Json = nlohmann::json;

constexpr int not_authorized = 135;  // MQTT 5 section 3.2.2.2
constexpr int accepted = 0;
constexpr int no_subscribers = 16;        // MQTT 5 section 3.4.2.1
constexpr int granted_at_least_once = 1;  // MQTT 5 section 3.9.3

TEST_CASE("a phone logs in over WebSocket and has the topics of a hub of its account only") {
  TwoAccounts w;
  const auto a = w.a.route(), b = w.b.route();
  TestClient camera(w.connection(w.a.camera)), stranger(w.connection(w.b.camera));
  REQUIRE((camera.connects() && stranger.connects()));
  const auto id = w.a.phone.id();
  auto options = w.options(w.a.phone);
  options["subscribe"] = {"#"};
  options["publish"] = {protocol::request_topic(a, id),   protocol::request_topic(a, w.a.hub.id()),
                        protocol::request_topic(b, id),   protocol::topic(a, Leaf::video),
                        protocol::topic(a, Leaf::roster), protocol::index_topic(a.account, id)};
  options["wait"] = 4.0;
  Session session(options, w.path("ready"));
  REQUIRE(session.connects());
  REQUIRE(camera.publish(protocol::topic(a, Leaf::video), as_bytes("of a")));
  REQUIRE(stranger.publish(protocol::topic(b, Leaf::video), as_bytes("of b")));
  const auto end = session.end();
  INFO(end.dump());
  CHECK(end.at("connack") == 0);
  CHECK(end.at("version") == "TLSv1.3");
  CHECK(end.at("open") == true);
  CHECK(end.at("subscribed") == Json{granted_at_least_once});
  CHECK(end.at("published") ==
        Json{accepted, not_authorized, not_authorized, not_authorized, not_authorized, not_authorized});
  const auto received = end.at("received").get<std::vector<std::string>>();
  CHECK(std::ranges::contains(received, protocol::topic(a, Leaf::video)));  // control
  for (const auto& topic : received) CHECK(topic.contains(a.account.to_string()));
}

TEST_CASE("the password of a phone is valid for its id and its listener only") {
  TwoAccounts w;
  const auto& phone = w.a.phone;
  const auto id = phone.id().to_string(), hub = w.a.hub.id().to_string();
  const auto hash = [&] {
    const auto file = text(w.path("B/passwords"));
    return file.substr(file.find(id) + id.size() + 1).substr(0, 110);
  }();
  REQUIRE(hash.starts_with("$7$101$"));
  struct Row {
    const char* name;
    Json options;
  };
  auto without_password = w.options(phone);
  without_password.erase("password");
  auto without_user = w.options(phone);
  without_user.erase("user");
  auto certificate = w.options(hub, "");
  w.present(certificate, w.a.hub);
  auto without_both = certificate;
  without_both.erase("password");
  auto only_certificate = without_both;
  only_certificate.erase("user");
  const std::vector<Row> rows{
      {"the id of another phone", w.options(w.b.phone.id().to_string(), phone.password)},
      {"the id of a hub with a certificate", w.options(hub, phone.password)},
      {"the id of a camera", w.options(w.a.camera.id().to_string(), phone.password)},
      {"the id of the account", w.options(w.a.owner.id().to_string(), phone.password)},
      {"the operator", w.options("sealcam-operator", phone.password)},
      {"the password of another phone", w.options(id, w.b.phone.password)},
      {"a shorter password", w.options(id, phone.password.substr(0, 42))},
      {"the hash as the password", w.options(id, hash)},
      {"an empty password", w.options(id, "")},
      {"no password", without_password},
      {"no user name", without_user},
      {"the certificate of a hub, and an empty password", certificate},
      {"the certificate of a hub, and no password", without_both},
      {"only the certificate of a hub", only_certificate},
  };
  for (const auto& [name, options] : rows) {
    const auto end = World::connect(options);
    INFO(name << ": " << end.dump());
    CHECK(end.at("connack") == not_authorized);
    CHECK(end.at("open") == false);
  }
  CHECK(World::connect(w.options(phone)).at("connack") == 0);  // control
  CHECK(World::connect(w.options(w.b.phone)).at("connack") == 0);
}

TEST_CASE("the listener for certificates ignores passwords") {
  TwoAccounts w;
  const auto& phone = w.a.phone;
  auto credential = w.options(phone);
  credential["port"] = w.port;
  credential["web"] = false;
  credential["authority"] = w.path("B/ca.pem");
  CHECK(World::connect(credential).at("connack").is_null());  // the TLS handshake fails without a certificate

  // A hub with a certificate and the password of a phone is this hub, not the phone.
  const auto as_phone = protocol::request_topic(w.a.route(), phone.id());
  const auto as_hub = protocol::request_topic(w.b.route(), w.b.hub.id());
  auto both = credential;
  w.present(both, w.b.hub);
  both["client"] = phone.id().to_string();
  both["publish"] = {as_phone, as_hub};
  const auto end = World::connect(both);
  INFO(end.dump());
  CHECK(end.at("connack") == 0);
  CHECK(end.at("published") == Json{not_authorized, no_subscribers});
  auto control = w.options(phone);
  control["publish"] = {as_phone, as_hub};
  CHECK(World::connect(control).at("published") == Json{no_subscribers, not_authorized});
}

TEST_CASE("a phone cannot take the client id of another device") {
  TwoAccounts w;
  TestClient hub(w.connection(w.a.hub));
  REQUIRE(hub.connects());
  auto thief = w.options(w.a.phone);
  thief["client"] = w.a.hub.id().to_string();
  thief["publish"] = {protocol::request_topic(w.a.route(), w.a.hub.id())};
  const auto end = World::connect(thief);
  CHECK(end.at("connack") == 0);  // as the phone itself
  CHECK(end.at("published") == Json{not_authorized});
  CHECK_FALSE(hub.disconnects(500ms));
  // Control: the same user name with the same client id ends the older connection.
  auto waiting = w.options(w.a.phone);
  waiting["wait"] = 10.0;
  Session first(waiting, w.path("ready"));
  REQUIRE(first.connects());
  CHECK(World::connect(w.options(w.a.phone)).at("connack") == 0);
  CHECK(first.end().at("open") == false);
}

TEST_CASE("a revoked phone loses its session and its password, and other devices keep theirs") {
  TwoAccounts w;
  auto waiting = w.options(w.a.phone), other = w.options(w.b.phone);
  waiting["wait"] = 20.0;
  other["wait"] = 5.0;
  // Mosquitto 2.0.21 can crash at a reload that ends a session over WebSocket if another one has the same timeout at
  // the same second (broker.md, "Phones").
  other["keep_alive"] = 90;
  Session removed(waiting, w.path("ready 1")), stays(other, w.path("ready 2"));
  REQUIRE((removed.connects() && stays.connects()));
  TestClient hub(w.connection(w.a.hub));
  REQUIRE(hub.connects());
  const auto listed = Json::parse(sealcam({"broker", "list", w.broker.string(), "--json"}).output);
  CHECK(std::ranges::count_if(listed, [](const Json& each) { return each.contains("phone"); }) == 2);

  const auto started = std::chrono::steady_clock::now();
  const auto revoked = sealcam({"broker", "revoke", w.broker.string(), w.a.phone.id().to_string(), "--json"});
  INFO(revoked.output);
  REQUIRE(revoked.exit_code == 0);
  CHECK(Json::parse(revoked.output).at("cleared") == true);
  CHECK(removed.end().at("open") == false);
  CHECK(std::chrono::steady_clock::now() - started < 10s);
  CHECK(World::connect(w.options(w.a.phone)).at("connack") == not_authorized);
  for (const auto* file : {"B/passwords", "B/acl"})
    CHECK_FALSE(text(w.path(file)).contains(w.a.phone.id().to_string()));
  CHECK(stays.end().at("open") == true);  // control
  CHECK_FALSE(hub.disconnects(200ms));
  w.authorize(w.a, w.a.phone);
  CHECK(World::connect(w.options(w.a.phone)).at("connack") == 0);  // control: the same phone, authorized again
}

/// The files below a folder that contain one of these byte strings.
std::vector<std::string> files_with(const fs::path& folder, const std::vector<std::string>& secrets) {
  std::vector<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const auto content = text(entry.path());
    if (std::ranges::any_of(secrets, [&](const std::string& secret) { return content.contains(secret); }))
      out.push_back(entry.path().filename().string());
  }
  return out;
}

TEST_CASE("a dump of the broker's folder contains the hash of a password, and no password") {
  TwoAccounts w;
  auto options = w.options(w.a.phone);
  options["subscribe"] = {"#"};
  REQUIRE(World::connect(options).at("connack") == 0);
  REQUIRE(World::connect(w.options(w.a.phone.id().to_string(), w.a.phone.password + "x")).at("connack") ==
          not_authorized);
  w.process.reset();  // writes its database
  const auto raw = std::string(as_text(w.a.phone.secret));
  const std::vector<std::string> forms{w.a.phone.password, raw, to_hex(w.a.phone.secret),
                                       w.a.phone.password.substr(0, 16), w.a.phone.password.substr(20, 16)};
  CHECK(files_with(w.broker, forms).empty());
  // Controls: the search finds a hash, a password in a file, and a password in a message that the broker stored.
  const auto file = text(w.path("B/passwords"));
  const auto hash = file.substr(file.find('$') + 20, 40);
  CHECK(files_with(w.broker, {hash}) == std::vector<std::string>{"passwords"});
  std::ofstream(w.broker / "careless") << "user:" << w.a.phone.password << "\n";
  CHECK(files_with(w.broker, forms) == std::vector<std::string>{"careless"});
  for (const auto* name : {"passwords", "web.key"})
    CHECK((fs::status(w.broker / name).permissions() & fs::perms{0077}) == fs::perms::none);
}

TEST_CASE("browsers that know only old versions of TLS cannot connect") {
  TwoAccounts w;
  auto options = w.options(w.a.phone);
  options["maximum"] = "TLSv1_1";
  CHECK(World::connect(options).at("connack").is_null());
  options["maximum"] = "TLSv1_2";
  const auto control = World::connect(options);
  CHECK(control.at("connack") == 0);
  CHECK(control.at("version") == "TLSv1.2");
}

}  // namespace
}  // namespace sealcam
