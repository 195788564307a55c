// SPDX-License-Identifier: Apache-2.0
// Other programs open a backup, and a restored account continues above the versions of its cameras.
#include "build_paths.hpp"
#include "owner/sync/observed_state.hpp"
#include "owner_world.hpp"

namespace sealcam {
namespace {

using test::OwnerWorld;
using test::run;

constexpr std::string_view passphrase = "correct horse battery";

TEST_CASE("OpenSSL and python3-cryptography open a backup, and a key file of OpenSSL can be restored") {
  const test::TemporaryFolder folder;
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  const auto owner = [&](const std::string& account, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--account", path(account)});
    return test::sealcam(std::move(arguments));
  };
  REQUIRE(write_file_durably(path("passphrase"), as_bytes(std::string(passphrase) + "\n")));
  REQUIRE(write_file_durably(path("short"), as_bytes("too short\n")));
  REQUIRE(write_file_durably(path("wrong"), as_bytes("correct horse batterY\n")));
  CHECK(owner("a", {"account", "create", "--backup", path("x.pem"), "--passphrase-file", path("short")}).exit_code ==
        EX_USAGE);
  CHECK_FALSE(std::filesystem::exists(path("a")));
  const auto created =
      owner("a", {"account", "create", "--backup", path("a.pem"), "--passphrase-file", path("passphrase")});
  INFO(created.output);
  REQUIRE(created.exit_code == 0);
  CHECK(owner("a", {"account", "backup", path("a.pem"), "--passphrase-file", path("passphrase")}).exit_code ==
        EX_CANTCREAT);
  const auto account = owner::read_account(path("a/account.json"));
  REQUIRE(account);
  CHECK(account->backup);

  // OpenSSL opens the key, and python3-cryptography opens both blocks.
  const auto pass = "pass:" + std::string(passphrase);
  const auto plain = run({"openssl", "pkey", "-in", path("a.pem"), "-passin", pass, "-out", path("plain.pem")});
  INFO(plain.output);
  REQUIRE(plain.exit_code == 0);
  const auto judged = run({"python3", std::string(SEALCAM_SOURCE_DIR) + "/tests/integration/owner/open_backup.py",
                           path("a.pem"), std::string(passphrase)});
  INFO(judged.output);
  REQUIRE(judged.exit_code == 0);
  CHECK(judged.output.contains("account " + account->account.to_string()));

  // A key that OpenSSL sealed, without the files of the account.
  REQUIRE(run({"openssl", "pkcs8", "-topk8", "-in", path("plain.pem"), "-out", path("openssl.pem"), "-v2",
               "aes-256-cbc", "-v2prf", "hmacWithSHA256", "-iter", "600000", "-passout", pass})
              .exit_code == 0);
  // A copy of the backup that lost its end.
  const auto whole = *read_file(path("a.pem"), 1U << 20);
  const auto end = as_text(whole).find("-----BEGIN SEALCAM ACCOUNT");
  REQUIRE(end != std::string_view::npos);
  REQUIRE(write_file_durably(path("cut.pem"), ByteView(whole).first(end)));
  for (const auto& [file, restored] : {std::pair{"a.pem", "b"}, {"openssl.pem", "c"}, {"cut.pem", "d"}}) {
    CHECK(owner(restored, {"account", "restore", path(file), "--passphrase-file", path("wrong")}).exit_code ==
          EX_NOPERM);
    CHECK_FALSE(std::filesystem::exists(path(restored)));
    const auto ran = owner(restored, {"account", "restore", path(file), "--passphrase-file", path("passphrase")});
    INFO(ran.output);
    REQUIRE(ran.exit_code == 0);
    CHECK(ran.output.contains("contains the account's key and no list of cameras") == (file != std::string("a.pem")));
    CHECK(owner::read_account(path(restored) + "/account.json")->account == account->account);
    CHECK(owner(restored, {"account", "restore", path(file), "--passphrase-file", path("passphrase")}).exit_code ==
          EX_CANTCREAT);
  }
}

TEST_CASE("the path of a backup is in the working folder of the caller, also if it is a hyphen") {
  const auto ran = test::sealcam({"account", "restore", "-", "--passphrase-file", "/dev/null"});
  CHECK(ran.exit_code == EX_NOINPUT);
  const auto file = (std::filesystem::current_path() / "-").string();
  CHECK(ran.output.contains("cannot read " + file + ": opening a file"));
}

TEST_CASE("a restored account signs no roster before the camera reported its version, and restores no removed hub") {
  OwnerWorld w;
  w.settle();
  REQUIRE(write_file_durably(w.path("passphrase"), as_bytes(std::string(passphrase))));
  w.must_run({"account", "backup", w.path("backup.pem"), "--passphrase-file", w.path("passphrase")});
  // After the backup: a hub is unlinked, a command is applied, and the machine is lost.
  const auto tablet = w.file().hubs.at(1).id, display = w.file().hubs.at(2).id, machine = w.file().hubs.at(0).id;
  (void)w.json({"hub", "unlink", "tablet", "--wait", "0"}, EX_TEMPFAIL);
  (void)w.json({"camera", "privacy", "Door", "on", "--wait", "0"}, EX_TEMPFAIL);
  const auto version = w.file().cameras[0].version;
  REQUIRE(w.camera.receives_roster(version));
  REQUIRE(w.camera.receives_command(protocol::CommandSeq(1)));
  const auto restored = [&] {
    return w.json({"account", "restore", w.path("backup.pem"), "--passphrase-file", w.path("passphrase")}, 0, "again");
  }();
  CHECK(restored.at("connected") == true);
  CHECK(restored.at("lost_hubs").size() == 1);
  CHECK(w.file("again").cameras.at(0).out_of_sync);
  CHECK(w.file("again").cameras[0].version < version);

  // The new hub of this machine needs a new roster.
  REQUIRE(w.owner({"account", "connect", "--broker", w.path("B")}, "again").exit_code == 0);
  CHECK(w.owner({"hub", "deny", "display", "Door"}, "again").exit_code == EX_TEMPFAIL);

  // The camera's grants name an older roster than the newest one at the broker. Both count.
  w.camera.reports_grants(protocol::CommandSeq(1));
  const auto synced = w.json({"sync", "--timeout", "8"}, EX_TEMPFAIL, "again");
  CHECK(synced.at("waiting").size() == 1);
  const auto after = w.file("again");
  CHECK_FALSE(after.out_of_sync());
  CHECK(after.cameras[0].version.value() > version.value() + owner::restore_leap);
  REQUIRE(w.camera.receives_roster(after.cameras[0].version));
  const auto roster = *w.camera.roster();
  CHECK(roster.active(tablet) == nullptr);   // unlinked after the backup
  CHECK(roster.active(machine) == nullptr);  // hub of the lost machine
  CHECK(roster.active(display) != nullptr);
  CHECK(roster.active(after.hubs.at(0).id) != nullptr);  // hub of the new machine
  w.camera.reports_grants(protocol::CommandSeq(1));
  CHECK(w.json({"sync"}, 0, "again").at("confirmed").size() == 1);

  // The numbers of commands continue above the applied one.
  (void)w.json({"camera", "privacy", "Door", "off", "--wait", "0"}, EX_TEMPFAIL, "again");
  REQUIRE(w.camera.receives_command(protocol::CommandSeq(owner::restore_leap)));
  CHECK(w.camera.command()->privacy->since == w.camera.command()->seq);
}

TEST_CASE("a restored account publishes nothing before the camera reported its roster") {
  OwnerWorld w;  // the camera publishes no grants
  REQUIRE(write_file_durably(w.path("passphrase"), as_bytes(std::string(passphrase))));
  w.must_run({"account", "backup", w.path("backup.pem"), "--passphrase-file", w.path("passphrase")});
  (void)w.json({"account", "restore", w.path("backup.pem"), "--passphrase-file", w.path("passphrase")}, 0, "again");
  const auto version = w.file().cameras.at(0).version;
  const auto synced = w.json({"sync", "--timeout", "4"}, EX_TEMPFAIL, "again");
  CHECK(synced.at("out_of_sync").size() == 1);
  CHECK(synced.at("published").empty());
  CHECK(w.file("again").cameras.at(0).version == version);
  CHECK_FALSE(std::filesystem::exists(w.folder.path() / "again" / "rosters" / w.camera.keys.id().to_string()));
  CHECK(w.owner({"camera", "remove", "Door", "--forget", "--wait", "0"}, "again").exit_code == 0);
  CHECK(w.owner({"integration", "add", "cloud", "--wait", "0"}, "again").exit_code == 0);
}

}  // namespace
}  // namespace sealcam
