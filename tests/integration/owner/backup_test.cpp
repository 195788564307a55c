// SPDX-License-Identifier: Apache-2.0
// A backup stands up to second implementations, and an account that was restored goes on where the camera stands.
#include "owner/confirm.hpp"
#include "owner_world.hpp"

namespace sealcam {
namespace {

using test::OwnerWorld;
using test::run;

constexpr std::string_view word = "correct horse battery";

TEST_CASE("OpenSSL and python3-cryptography open what was backed up, and what OpenSSL wrote is restored") {
  const test::TemporaryFolder folder;
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  const auto owner = [&](const std::string& account, std::vector<std::string> words) {
    words.insert(words.begin(), {"--account", path(account)});
    return test::sealcam(std::move(words));
  };
  REQUIRE(write_file_durably(path("word"), as_bytes(std::string(word) + "\n")));
  REQUIRE(write_file_durably(path("short"), as_bytes("too short\n")));
  REQUIRE(write_file_durably(path("wrong"), as_bytes("correct horse batterY\n")));
  CHECK(owner("a", {"account", "create", "--backup", path("x.pem"), "--passphrase-file", path("short")}).exit_code ==
        EX_USAGE);
  CHECK_FALSE(std::filesystem::exists(path("a")));
  const auto created = owner("a", {"account", "create", "--backup", path("a.pem"), "--passphrase-file", path("word")});
  INFO(created.output);
  REQUIRE(created.exit_code == 0);
  CHECK(owner("a", {"account", "backup", path("a.pem"), "--passphrase-file", path("word")}).exit_code == EX_CANTCREAT);
  const auto account = owner::read_account(path("a/account.json"));
  REQUIRE(account);
  CHECK(account->backup);

  // The key: the public half that OpenSSL finds is the account's.
  const auto pass = "pass:" + std::string(word);
  const auto plain = run({"openssl", "pkey", "-in", path("a.pem"), "-passin", pass, "-out", path("plain.pem")});
  INFO(plain.output);
  REQUIRE(plain.exit_code == 0);
  const auto judged = run({"python3", std::string(SEALCAM_SOURCE_DIR) + "/tests/integration/owner/open_backup.py",
                           path("a.pem"), std::string(word)});
  INFO(judged.output);
  REQUIRE(judged.exit_code == 0);
  CHECK(judged.output.contains("account " + account->account.to_string()));

  // The other way round: a key that OpenSSL sealed, without the account's files.
  REQUIRE(run({"openssl", "pkcs8", "-topk8", "-in", path("plain.pem"), "-out", path("openssl.pem"), "-v2",
               "aes-256-cbc", "-v2prf", "hmacWithSHA256", "-iter", "600000", "-passout", pass})
              .exit_code == 0);
  for (const auto& [file, restored] : {std::pair{"a.pem", "b"}, {"openssl.pem", "c"}}) {
    CHECK(owner(restored, {"account", "restore", path(file), "--passphrase-file", path("wrong")}).exit_code ==
          EX_NOPERM);
    CHECK_FALSE(std::filesystem::exists(path(restored)));
    const auto ran = owner(restored, {"account", "restore", path(file), "--passphrase-file", path("word")});
    INFO(ran.output);
    REQUIRE(ran.exit_code == 0);
    CHECK(owner::read_account(path(restored) + "/account.json")->account == account->account);
    CHECK(owner(restored, {"account", "restore", path(file), "--passphrase-file", path("word")}).exit_code ==
          EX_CANTCREAT);
  }
}

TEST_CASE("a restored account writes no roster before the camera said where it stands, and brings nobody back") {
  OwnerWorld w;
  w.settle();
  REQUIRE(write_file_durably(w.path("word"), as_bytes(std::string(word))));
  w.need({"account", "backup", w.path("backup.pem"), "--passphrase-file", w.path("word")});
  // After the backup: a hub goes, a command is obeyed, and the machine is lost.
  const auto tablet = w.file().hubs.at(1).id, display = w.file().hubs.at(2).id, machine = w.file().hubs.at(0).id;
  (void)w.json({"hub", "unlink", "tablet", "--wait", "0"}, EX_TEMPFAIL);
  (void)w.json({"camera", "privacy", "Door", "on", "--wait", "0"}, EX_TEMPFAIL);
  const auto version = w.file().cameras[0].version;
  REQUIRE(w.camera.receives_roster(version));
  REQUIRE(w.camera.receives_command(CommandSeq(1)));
  const auto restored = [&] {
    return w.json({"account", "restore", w.path("backup.pem"), "--passphrase-file", w.path("word")}, 0, "again");
  }();
  CHECK(restored.at("connected") == true);
  CHECK(restored.at("lost_hubs").size() == 1);
  CHECK(w.file("again").cameras.at(0).unlearned);
  CHECK(w.file("again").cameras[0].version < version);

  // The machine's new hub, so that there is something to write.
  REQUIRE(w.owner({"account", "connect", "--broker", w.path("B")}, "again").exit_code == 0);
  CHECK(w.owner({"hub", "deny", "display", "Door"}, "again").exit_code == EX_TEMPFAIL);

  // The camera's newest word is from before the newest roster: it is learned from both.
  w.camera.says_grants(CommandSeq(1));
  const auto synced = w.json({"sync", "--timeout", "8"}, EX_TEMPFAIL, "again");
  CHECK(synced.at("waiting").size() == 1);
  const auto after = w.file("again");
  CHECK_FALSE(after.unlearned());
  CHECK(after.cameras[0].version.value() > version.value() + owner::restore_leap);
  REQUIRE(w.camera.receives_roster(after.cameras[0].version));
  const auto roster = *w.camera.roster();
  CHECK(roster.active(tablet) == nullptr);   // unlinked after the backup: stays away
  CHECK(roster.active(machine) == nullptr);  // the lost machine
  CHECK(roster.active(display) != nullptr);
  CHECK(roster.active(after.hubs.at(0).id) != nullptr);  // the new one
  w.camera.says_grants(CommandSeq(1));
  CHECK(w.json({"sync"}, 0, "again").at("confirmed").size() == 1);

  // Commands go on above what the camera obeyed.
  (void)w.json({"camera", "privacy", "Door", "off", "--wait", "0"}, EX_TEMPFAIL, "again");
  REQUIRE(w.camera.receives_command(CommandSeq(owner::restore_leap)));
  CHECK(w.camera.command()->privacy->since == w.camera.command()->seq);
}

TEST_CASE("without the camera's word a restored account stays silent") {
  OwnerWorld w;  // the camera never said any grants
  REQUIRE(write_file_durably(w.path("word"), as_bytes(std::string(word))));
  w.need({"account", "backup", w.path("backup.pem"), "--passphrase-file", w.path("word")});
  (void)w.json({"account", "restore", w.path("backup.pem"), "--passphrase-file", w.path("word")}, 0, "again");
  const auto version = w.file().cameras.at(0).version;
  const auto synced = w.json({"sync", "--timeout", "4"}, EX_TEMPFAIL, "again");
  CHECK(synced.at("unlearned").size() == 1);
  CHECK(synced.at("published").empty());
  CHECK(w.file("again").cameras.at(0).version == version);
  CHECK_FALSE(std::filesystem::exists(w.folder.path() / "again" / "rosters" / w.camera.keys.id().to_string()));
  CHECK(w.owner({"camera", "remove", "Door", "--forget", "--wait", "0"}, "again").exit_code == 0);
  CHECK(w.owner({"integration", "add", "cloud", "--wait", "0"}, "again").exit_code == 0);
}

}  // namespace
}  // namespace sealcam
