// SPDX-License-Identifier: Apache-2.0
#include "owner/broker/broker_setup.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "base/file.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::owner {
namespace {

namespace fs = std::filesystem;

TEST_CASE("the configuration contains all lines that restrict access") {
  const auto text =
      mosquitto_configuration({"/srv/broker"}, {.listen = "127.0.0.1", .port = 18883, .hosts = {}}, "door");
  for (const auto* line :
       {"\nlistener 18883 127.0.0.1\n", "\ntls_version tlsv1.3\n", "\nrequire_certificate true\n",
        "\nuse_identity_as_username true\n", "\nuse_username_as_clientid true\n", "\nallow_anonymous false\n",
        "\nacl_file /srv/broker/acl\n", "\ncrlfile /srv/broker/crl.pem\n", "\nset_tcp_nodelay true\n",
        "\nmax_queued_messages 40\n", "\npersistence_location /srv/broker/\n", "\nuser door\n"}) {
    INFO(line);
    CHECK(text.contains(line));
  }
  CHECK_FALSE(text.contains("log_type all"));
  CHECK_FALSE(mosquitto_configuration({"/srv/broker"}, {}, "").contains("\nuser "));
}

TEST_CASE("a folder with other files is rejected and stays unchanged") {
  const test::TemporaryFolder folder;
  const BrokerFiles files{folder.path() / "mosquitto"};
  fs::create_directory(files.folder);
  fs::permissions(files.folder, fs::perms{0755});
  std::ofstream(files.configuration()) << "mine";
  const auto rejected = make_broker(files, {});
  REQUIRE_FALSE(rejected);
  CHECK(rejected.error().exit_code == EX_CANTCREAT);
  CHECK((fs::status(files.folder).permissions() & fs::perms::all) == fs::perms{0755});
  CHECK(fs::file_size(files.configuration()) == 4);
  fs::remove(files.configuration());
  CHECK_FALSE(make_broker(files, {.listen = "127.0.0.1", .port = 1, .hosts = {"a b"}}));
  CHECK(make_broker(files, {}));  // control; also after a failed attempt
}

TEST_CASE("a set-up is private and readable, and cannot be made twice") {
  const test::TemporaryFolder folder;
  const BrokerFiles files{folder.path() / "broker"};
  REQUIRE(make_broker(files, {.listen = "0.0.0.0", .port = 1234, .hosts = {"broker.example", "192.0.2.7"}}));
  for (const auto& entry : fs::recursive_directory_iterator(files.folder)) {
    struct stat info{};
    REQUIRE(::stat(entry.path().c_str(), &info) == 0);
    INFO(entry.path());
    CHECK((info.st_mode & 0077) == 0);
  }
  const auto settings = read_broker(files);
  REQUIRE(settings);
  CHECK(settings->port == 1234);
  CHECK(settings->local_host() == "localhost");
  CHECK(fs::exists(files.revocation_list()));
  CHECK(settings->advertised_host() == "broker.example");
  const auto key = read_file(files.authority_key(), 4096);
  const auto again = make_broker(files, {});
  REQUIRE_FALSE(again);
  CHECK(again.error().exit_code == EX_CANTCREAT);
  CHECK(read_file(files.authority_key(), 4096) == key);
  CHECK_FALSE(make_broker({folder.path() / "with space"}, {}));
  CHECK_FALSE(make_broker({folder.path() / "bad host"}, {.listen = "127.0.0.1", .port = 1, .hosts = {"a b"}}));
}

TEST_CASE("a path that a shell would change is rejected for RabbitMQ") {
  const test::TemporaryFolder folder;
  const BrokerSettings rabbitmq{.listen = "127.0.0.1", .port = 1, .hosts = {}, .kind = BrokerKind::rabbitmq};
  for (const char* name : {"a$(id)", "a'b", "a;b", "a`b", "a\"b", "a&b", "a*b", "a\\b", "\u00e9"}) {
    INFO(name);
    const auto rejected = make_broker({folder.path() / name}, rabbitmq);
    REQUIRE_FALSE(rejected);
    CHECK(rejected.error().exit_code == EX_USAGE);
    CHECK_FALSE(fs::exists(folder.path() / name));
  }
  CHECK(make_broker({folder.path() / "a-b_c.d~e+f"}, rabbitmq));
  CHECK(make_broker({folder.path() / "a$b"}, {}));  // control
}

TEST_CASE("devices use a name from the certificate") {
  CHECK(BrokerSettings{}.advertised_host() == "127.0.0.1");
  CHECK(BrokerSettings{.listen = "::1", .port = 1, .hosts = {}}.advertised_host() == "localhost");
  CHECK(BrokerSettings{.listen = "0.0.0.0", .port = 1, .hosts = {}}.advertised_host() == "localhost");
}

TEST_CASE("a process that is not this broker gets no signal") {
  const test::TemporaryFolder folder;
  const BrokerFiles files{folder.path() / "broker"};
  REQUIRE(make_broker(files, {}));
  CHECK_FALSE(reload_broker(files, BrokerKind::mosquitto));
  for (const auto& content :
       {std::to_string(::getpid()), std::string("1"), std::string("-1"), std::string("x"), std::string()}) {
    std::ofstream(files.pid()) << content;
    CHECK_FALSE(reload_broker(files, BrokerKind::mosquitto));  // SIGHUP would end this test
  }
}

}  // namespace
}  // namespace sealcam::owner
