// SPDX-License-Identifier: Apache-2.0
#include "owner/broker/rabbitmq.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdlib>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <thread>

#include "base/file.hpp"
#include "base/format.hpp"
#include "operator_scene.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::owner {
namespace {

using protocol::Leaf;
using protocol::Role;
using test::Actor;

/// The users of definitions.json. RabbitMQ matches the topic with '.' instead of '/' against the patterns, in which it
/// replaces {client_id}. Here each client has the id of its user, because RabbitMQ requires it.
struct Users {
  nlohmann::json json;
  explicit Users(const std::vector<Authorized>& devices, const std::vector<Authorized>& former = {})
      : json(nlohmann::json::parse(rabbitmq_definitions(devices, former))) {}

  [[nodiscard]] bool may(const char* access, const std::string& user, std::string topic) const {
    std::ranges::replace(topic, '/', '.');
    for (const auto& entry : json.at("topic_permissions")) {
      if (entry.at("user") != user) continue;
      auto pattern = entry.at(access).get<std::string>();
      constexpr std::string_view variable = "{client_id}";
      for (auto at = pattern.find(variable); at != std::string::npos; at = pattern.find(variable))
        pattern.replace(at, variable.size(), user);
      return std::regex_search(topic, std::regex(pattern));
    }
    FAIL("no topic permission for " << user);
    return false;
  }
  [[nodiscard]] bool writes(const DeviceId& id, const std::string& topic) const {
    return may("write", id.to_string(), topic);
  }
  [[nodiscard]] bool reads(const DeviceId& id, const std::string& topic) const {
    return may("read", id.to_string(), topic);
  }
};

TEST_CASE("each user of RabbitMQ writes the topics of its device only") {
  const Actor owner, camera, other, hub, stranger, neighbor;
  const auto account = owner.account(), strange = stranger.account();
  const Users users({{Role::owner, owner.id(), account},
                     {Role::camera, camera.id(), account},
                     {Role::hub, hub.id(), account},
                     {Role::camera, neighbor.id(), strange}});
  const protocol::Route route{account, camera.id()}, missing{account, other.id()}, theirs{strange, neighbor.id()};
  for (const auto leaf : {Leaf::grants, Leaf::video, Leaf::still, Leaf::past, Leaf::status}) {
    CHECK(users.writes(camera.id(), protocol::topic(route, leaf)));
    CHECK_FALSE(users.writes(hub.id(), protocol::topic(route, leaf)));
    CHECK_FALSE(users.writes(camera.id(), protocol::topic(missing, leaf)));
    CHECK_FALSE(users.writes(neighbor.id(), protocol::topic(route, leaf)));
    CHECK(users.reads(hub.id(), protocol::topic(route, leaf)));
    CHECK_FALSE(users.reads(hub.id(), protocol::topic(theirs, leaf)));
    CHECK(users.reads(owner.id(), protocol::topic(route, leaf)));
    CHECK_FALSE(users.reads(owner.id(), protocol::topic(theirs, leaf)));
  }
  CHECK(users.writes(owner.id(), protocol::topic(route, Leaf::roster)));
  CHECK_FALSE(users.writes(owner.id(), protocol::topic(missing, Leaf::roster)));
  CHECK(users.writes(hub.id(), protocol::request_topic(route, hub.id())));
  CHECK_FALSE(users.writes(hub.id(), protocol::request_topic(missing, hub.id())));
  CHECK_FALSE(users.writes(hub.id(), protocol::request_topic(route, owner.id())));
  CHECK(users.reads(camera.id(), protocol::request_topic(route, hub.id())));
  CHECK(users.reads(hub.id(), protocol::index_topic(account, hub.id())));
  CHECK_FALSE(users.reads(hub.id(), protocol::index_topic(account, owner.id())));
  CHECK_FALSE(users.reads(camera.id(), protocol::topic(route, Leaf::video)));
  // A part of a permitted topic, or a longer one.
  CHECK_FALSE(users.writes(camera.id(), protocol::topic(route, Leaf::grants) + "/x"));
  CHECK_FALSE(users.writes(camera.id(), "x/" + protocol::topic(route, Leaf::grants)));
}

TEST_CASE("the permissions of a camera contain no list") {
  const Actor owner, camera, other, hub;
  const auto pattern = [&](const std::vector<Authorized>& devices, const char* access) {
    const Users users(devices);
    for (const auto& entry : users.json.at("topic_permissions"))
      if (entry.at("user") == camera.id().to_string()) return entry.at(access).get<std::string>();
    return std::string();
  };
  std::vector<Authorized> devices = {{Role::camera, camera.id(), owner.account()}};
  const auto write = pattern(devices, "write"), read = pattern(devices, "read");
  CHECK(write.contains("{client_id}"));
  CHECK_FALSE((write + read).contains(camera.id().to_string()));
  devices.push_back({Role::camera, other.id(), owner.account()});
  devices.push_back({Role::hub, hub.id(), owner.account()});
  CHECK(pattern(devices, "write") == write);
  CHECK(pattern(devices, "read") == read);
}

TEST_CASE("the account of a revoked device may still write to it, because RabbitMQ would end the connection") {
  const Actor owner, camera, hub, stranger, spy;
  const auto account = owner.account();
  const protocol::Route route{account, camera.id()};
  const Authorized gone{Role::camera, camera.id(), account}, unlinked{Role::hub, spy.id(), account};
  const std::vector<Authorized> devices = {{Role::owner, owner.id(), account},
                                           {Role::hub, hub.id(), account},
                                           {Role::hub, stranger.id(), stranger.account()}};
  const Users users(devices, {gone, unlinked});
  CHECK(users.json.at("users").size() == 4);  // with the operator's connection, without the revoked devices
  CHECK(users.writes(hub.id(), protocol::request_topic(route, hub.id())));
  CHECK(users.writes(owner.id(), protocol::topic(route, Leaf::roster)));
  CHECK(users.writes(owner.id(), protocol::index_topic(account, spy.id())));
  CHECK_FALSE(users.writes(hub.id(), protocol::request_topic(route, spy.id())));
  CHECK_FALSE(users.writes(hub.id(), protocol::topic(route, Leaf::grants)));
  CHECK_FALSE(users.writes(stranger.id(), protocol::request_topic(route, stranger.id())));
  CHECK_FALSE(Users(devices).writes(hub.id(), protocol::request_topic(route, hub.id())));  // control
  // Authorized again: once.
  auto again = devices;
  again.push_back(gone);
  CHECK(Users(again, {gone}).json.at("users").size() == 5);
}

TEST_CASE("every user of RabbitMQ has topic permissions") {
  // RabbitMQ permits all topics to a user without them.
  const Actor owner, hub;
  const Users users({{Role::owner, owner.id(), owner.account()}, {Role::hub, hub.id(), owner.account()}});
  CHECK(users.json.at("users").size() == 3);  // with the operator's connection
  CHECK(users.json.at("topic_permissions").size() == 3);
  CHECK(users.json.at("permissions").size() == 3);
  for (const auto& user : users.json.at("users")) CHECK(user.at("password_hash") == "");
  CHECK_FALSE(users.writes(hub.id(), protocol::request_topic({owner.account(), owner.id()}, hub.id())));
}

TEST_CASE("only changed users are imported into RabbitMQ again") {
  const Actor owner, hub, camera, other;
  const auto account = owner.account();
  std::vector<Authorized> devices = {
      {Role::owner, owner.id(), account}, {Role::hub, hub.id(), account}, {Role::camera, other.id(), other.account()}};
  const auto before = rabbitmq_definitions(devices, {});
  devices.push_back({Role::camera, camera.id(), account});
  const auto now = rabbitmq_definitions(devices, {});
  const auto changes = nlohmann::json::parse(rabbitmq_changes(now, before));
  const auto names = [&](const char* part, const char* member) {
    std::set<std::string> out;
    for (const auto& entry : changes.at(part)) out.insert(entry.at(member).get<std::string>());
    return out;
  };
  CHECK(names("users", "name") == std::set{camera.id().to_string()});
  CHECK(names("permissions", "user") == std::set{camera.id().to_string()});
  // Owner and hub write topics of the new camera.
  CHECK(names("topic_permissions", "user") ==
        std::set{camera.id().to_string(), hub.id().to_string(), owner.id().to_string()});
  CHECK(changes.at("policies").size() == 1);
  CHECK(nlohmann::json::parse(rabbitmq_changes(now, now)).at("topic_permissions").empty());
  for (const char* damaged : {"", "{", "[]", "7"}) CHECK(rabbitmq_changes(now, damaged) == now);
}

TEST_CASE("many users are imported in parts, and permissions after all users") {
  std::vector<Authorized> devices;
  for (int i = 0; i < 4; ++i) {
    const Actor actor;
    devices.push_back({Role::owner, actor.id(), actor.account()});
  }
  const auto text = rabbitmq_definitions(devices, {});
  CHECK(rabbitmq_imports(text, 5) == std::vector{text});
  auto joined = nlohmann::json::parse(text);
  const auto all = joined;
  std::string order;
  for (const char* part : {"users", "permissions", "topic_permissions"}) joined.at(part).clear();
  for (const auto& import : rabbitmq_imports(text, 2)) {
    const auto json = nlohmann::json::parse(import);
    CHECK(json.at("policies") == all.at("policies"));
    for (const char* part : {"users", "permissions", "topic_permissions"}) {
      CHECK(json.at(part).size() <= 2);
      if (!json.at(part).empty()) order += part[0];
      for (const auto& entry : json.at(part)) joined.at(part).push_back(entry);
    }
  }
  CHECK(order == "uuupppttt");
  CHECK(joined == all);
}

TEST_CASE("a new device of RabbitMQ is accepted after the dialog with it") {
  const test::OperatorScene op({.hosts = {}, .kind = BrokerKind::rabbitmq});
  const Actor owner, camera;
  REQUIRE(authorize(op.files, test::request(owner, Role::camera, camera, test::TlsIdentity(camera.id()))));
  CHECK(write_authorizations(op.files) == BrokerAccess::pending);
  // RabbitMQ reads this file at its next start.
  CHECK(as_text(test::must(read_file(op.files.definitions(), 1 << 20))).contains(camera.id().to_string()));
  CHECK(apply_authorizations(op.files) == false);  // no broker is running
  const test::OperatorScene mosquitto;             // control: nothing is pending
  CHECK(write_authorizations(mosquitto.files) == BrokerAccess::no_broker);
}

TEST_CASE("only the node of this folder evaluates an expression") {
  // Tested with Erlang 27: `ok` with the process id of the node, and `other_node` or an error with another content.
  CHECK(rabbitmq_expression({"/b"}, "f(1)") ==
        "case file:read_file(<<47,98,47,114,97,98,98,105,116,109,113,46,112,105,100>>) of {ok, Pid} -> "
        "case string:trim(binary_to_list(Pid)) == os:getpid() of true -> f(1); false -> other_node end; "
        "Missing -> Missing end");
}

TEST_CASE("no broker is running if rabbitmq.pid names no Erlang machine") {
  const test::OperatorScene op({.hosts = {}, .kind = BrokerKind::rabbitmq});
  for (const auto& content : {std::to_string(::getpid()), std::string("4194305"), std::string("self"), std::string()}) {
    REQUIRE(write_file_durably(op.files.folder / "rabbitmq.pid", as_bytes(content)));
    CHECK_FALSE(reload_broker(op.files, BrokerKind::rabbitmq));
    CHECK_FALSE(std::filesystem::exists(op.files.folder / "changes.json"));  // no import was tried
  }
}

/// A process with the name of an Erlang machine, and an erl_call whose imports wait while the file `block` exists.
class FakeNode {
 public:
  explicit FakeNode(const BrokerFiles& files) {
    std::filesystem::create_symlink("/bin/sleep", path("beam.smp"));
    const auto text = sealcam::format(
        "#!/bin/sh\ncase \"$(cat)\" in *import_raw*) echo >>{0}/imports; while test -e {0}/block; do sleep 0.05; "
        "done;; esac\nprintf '{{ok, ok}}'\n",
        tools_.path().string());
    REQUIRE(write_file_durably(path("erl_call"), as_bytes(text)));
    std::filesystem::permissions(path("erl_call"), std::filesystem::perms::owner_all);
    ::setenv("PATH", (tools_.path().string() + ":" + path_).c_str(), 1);
    std::string program = path("beam.smp"), seconds = "300";
    char* const arguments[] = {program.data(), seconds.data(), nullptr};
    REQUIRE(::posix_spawn(&pid_, program.c_str(), nullptr, nullptr, arguments, environ) == 0);
    REQUIRE(write_file_durably(files.folder / "rabbitmq.pid", as_bytes(sealcam::format("{}\n", pid_))));
  }
  ~FakeNode() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::setenv("PATH", path_.c_str(), 1);
  }
  void block() const { REQUIRE(write_file_durably(path("block"), {})); }
  void unblock() const { std::filesystem::remove(path("block")); }
  [[nodiscard]] std::size_t imports() const {
    const auto text = read_file(path("imports"), 1 << 10);
    return text ? text->size() : 0;
  }

 private:
  [[nodiscard]] std::string path(const char* name) const { return (tools_.path() / name).string(); }
  test::TemporaryFolder tools_;
  std::string path_ = ::getenv("PATH");
  pid_t pid_ = -1;
};

TEST_CASE("devices are authorized and revoked during a long import, and the broker receives all changes") {
  const test::OperatorScene op({.port = 1, .hosts = {}, .kind = BrokerKind::rabbitmq});  // port 1: nothing to delete
  const FakeNode node(op.files);
  const Actor owner, first, second;
  const auto authorized = [&](const Actor& camera) {
    return authorize(op.files, test::request(owner, Role::camera, camera, test::TlsIdentity(camera.id()))).has_value();
  };
  const auto file_has = [&](const char* name, const Actor& camera) {
    return as_text(test::must(read_file(op.files.folder / name, 1 << 20))).contains(camera.id().to_string());
  };
  const auto eventually = [](const auto& condition) {
    for (int i = 0; i < 1200 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return condition();
  };
  REQUIRE(authorized(first));
  node.block();
  auto importing = std::async(std::launch::async, [&] { return apply_authorizations(op.files); });
  REQUIRE(eventually([&] { return node.imports() == 1; }));

  // The import lasts, and nothing waits for it except another import.
  REQUIRE(authorized(second));
  CHECK(write_authorizations(op.files) == BrokerAccess::pending);
  CHECK(file_has("definitions.json", second));
  auto revoking = std::async(std::launch::async, [&] { return revoke(op.files, first.id()); });
  CHECK(eventually([&] { return !file_has("definitions.json", first); }));
  CHECK(node.imports() == 1);
  CHECK(revoking.wait_for(std::chrono::milliseconds(0)) == std::future_status::timeout);
  CHECK(importing.wait_for(std::chrono::milliseconds(0)) == std::future_status::timeout);

  node.unblock();
  CHECK(importing.get() == true);
  CHECK(node.imports() >= 2);  // the first command did not clear the broker before the revocation was in it
  const auto revoked = revoking.get();
  REQUIRE(revoked);
  CHECK(revoked->reloaded);
  CHECK(file_has("imported.json", second));
  CHECK_FALSE(file_has("imported.json", first));
  CHECK(test::must(read_file(op.files.definitions(), 1 << 20)) ==
        test::must(read_file(op.files.folder / "imported.json", 1 << 20)));
}

TEST_CASE("the configuration of RabbitMQ requires certificates that are not revoked") {
  const test::OperatorScene op({.listen = "::1", .port = 18883, .hosts = {}, .kind = BrokerKind::rabbitmq});
  const auto read = [&](const char* name) {
    return std::string(as_text(test::must(read_file(op.files.folder / name, 1 << 20))));
  };
  const auto tls = read("advanced.config"), settings = read("rabbitmq.conf");
  for (const auto* part : {"{verify, verify_peer}", "{fail_if_no_peer_cert, true}", "['tlsv1.3']", "{crl_check, peer}"})
    CHECK(tls.contains(part));
  CHECK(settings.contains("mqtt.listeners.tcp = none"));
  CHECK(settings.contains("mqtt.listeners.ssl.1 = [::1]:18883"));
  CHECK(settings.contains("mqtt.ssl_cert_client_id_from = subject_alternative_name"));
  CHECK(read("definitions.json").contains(operator_name));
  CHECK(read("rabbitmq-env.conf").contains("DIST_PORT=28883"));
  CHECK(test::must(read_file(op.files.rabbitmq_revocation_list(), 1 << 20)) ==
        test::must(read_file(op.files.revocation_list(), 1 << 20)));
  const auto read_back = read_broker(op.files);
  REQUIRE(read_back);
  CHECK(read_back->kind == BrokerKind::rabbitmq);
  CHECK_FALSE(reload_broker(op.files, BrokerKind::rabbitmq));
}

BrokerSettings cluster() {
  return {.listen = "0.0.0.0",
          .port = 8883,
          .hosts = {"a.example", "b.example", "c.example"},
          .kind = BrokerKind::rabbitmq,
          .nodes = {"n1.example", "n2.example", "n3.example"}};
}

TEST_CASE("each machine of a cluster has its files, and only the first one loads users") {
  const test::OperatorScene op(cluster());
  const auto read = [&](const std::filesystem::path& file) {
    return std::string(as_text(test::must(read_file(op.files.folder / file, 1 << 20))));
  };
  CHECK(read("rabbitmq-env.conf").contains("NODENAME=sealcam@n1.example\n"));
  CHECK(read("rabbitmq.conf").contains("load_definitions"));
  for (const char* name : {"n2.example", "n3.example"}) {
    const auto folder = std::filesystem::path("nodes") / name;
    const auto environment = read(folder / "rabbitmq-env.conf"), settings = read(folder / "rabbitmq.conf");
    CHECK(environment.contains(sealcam::format("NODENAME=sealcam@{}\n", name)));
    CHECK(environment.contains("USE_LONGNAME=true"));
    CHECK_FALSE(environment.contains("inet_dist_use_interface"));
    // The folder has the same path on each machine.
    CHECK(environment.contains(sealcam::format("CONFIG_FILE={}/rabbitmq.conf", op.files.folder.string())));
    CHECK(settings.contains("cluster_formation.classic_config.nodes.3 = sealcam@n3.example"));
    CHECK(settings.contains("pause_minority"));
    CHECK_FALSE(settings.contains("load_definitions"));  // an older file would restore revoked users
    for (const auto& file : rabbitmq_shared_files(op.files)) {
      const auto own = file.lexically_relative(op.files.folder);
      CHECK(read(folder / own) == read(own));
    }
    CHECK_FALSE(std::filesystem::exists(op.files.folder / folder / "ca.key"));
  }
  CHECK(read_broker(op.files)->nodes == cluster().nodes);
  const test::OperatorScene single({.hosts = {}, .kind = BrokerKind::rabbitmq});  // control
  CHECK_FALSE(std::filesystem::exists(single.files.folder / "nodes"));
}

TEST_CASE("all devices of an account use one host of a cluster, and the accounts use all hosts") {
  std::map<std::string, int> used;
  for (int first = 0; first < 6; ++first) {
    std::array<std::byte, AccountId::size> bytes{};
    bytes.front() = static_cast<std::byte>(first);
    const AccountId account{bytes};
    ++used[cluster().host_of(account)];
    CHECK(BrokerSettings{.hosts = {"a.example", "b.example"}}.host_of(account) == "a.example");
  }
  CHECK(used == std::map<std::string, int>{{"a.example", 2}, {"b.example", 2}, {"c.example", 2}});
}

TEST_CASE("names and hosts of a cluster are checked") {
  CHECK(check_nodes(cluster()));
  CHECK(check_nodes({}));
  const auto rejected = [](auto change) {
    auto settings = cluster();
    change(settings);
    const auto result = check_nodes(settings);
    return !result && result.error().exit_code == EX_USAGE;
  };
  CHECK(rejected([](auto& s) { s.kind = BrokerKind::mosquitto; }));
  CHECK(rejected([](auto& s) { s.nodes.pop_back(); }));
  CHECK(rejected([](auto& s) { s.hosts.pop_back(); }));
  CHECK(rejected([](auto& s) { s.nodes[1] = s.nodes[0]; }));
  CHECK(rejected([](auto& s) { s.nodes[1] = "short"; }));
  CHECK(rejected([](auto& s) { s.nodes[1] = "2001:db8::1"; }));
  CHECK(rejected([](auto& s) { s.nodes[1] = "a$(id).example"; }));
  CHECK(rejected([](auto& s) { s.nodes[1] = "../n2.example"; }));
  // Also in a file that was changed or restored.
  const auto file = [](std::string_view node) {
    return sealcam::format(
        R"({{"version": 1, "listen": "::", "kind": "rabbitmq", "hosts": ["a", "b", "c"], "nodes": ["x", "y", "{}"]}})",
        node);
  };
  CHECK(parse_broker_settings(file("z"), "broker.json"));
  const auto damaged = parse_broker_settings(file("z;id"), "broker.json");
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().exit_code == EX_CONFIG);
}

}  // namespace
}  // namespace sealcam::owner
