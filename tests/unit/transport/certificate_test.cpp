// SPDX-License-Identifier: Apache-2.0
/// OpenSSL checks the certificates of Sealcam.
#include "transport/tls/certificate.hpp"
#include "base/format.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <fstream>

#include "support/temporary_folder.hpp"
#include "transport/tls/tls_context.hpp"

using namespace sealcam;
using namespace sealcam::transport;

namespace {

constexpr const char* device = "mfrggzdfmztwq2lknnwg23tpobyxe43u";

void write(const std::filesystem::path& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

struct Output {
  int status;
  std::string text;
};
Output run(const std::string& command) {
  Output output{-1, {}};
  FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> part{};
  while (const auto n = std::fread(part.data(), 1, part.size(), pipe)) output.text.append(part.data(), n);
  output.status = WEXITSTATUS(::pclose(pipe));
  return output;
}

std::string flip(std::string pem) {
  // In the middle of the base64 text, within the signed part.
  auto& c = pem[pem.size() / 2];
  c = c == 'A' ? 'B' : 'A';
  return pem;
}

}  // namespace

TEST_CASE("OpenSSL verifies a certificate of the operator") {
  if (::access("/usr/bin/openssl", X_OK) != 0) SKIP("openssl is not installed");
  const test::TemporaryFolder folder;
  const auto dir = folder.path().string();
  const auto ca_key = TlsKey::generate().value(), other_key = TlsKey::generate().value();
  const auto ca = make_authority(ca_key, "test operator").value();
  const auto other = make_authority(other_key, "test operator").value();
  const auto key = TlsKey::generate().value();
  const auto request = make_request(key, device).value();
  const auto client = sign_request(ca, ca_key, request, device, CertificateUse::client, {}).value();
  const auto server_request = make_request(key, "broker").value();
  const auto server = sign_request(ca, ca_key, server_request, "broker", CertificateUse::server,
                                   {"localhost", "127.0.0.1", "::1", "broker.example"})
                          .value();
  write(folder.path() / "ca.pem", ca);
  write(folder.path() / "other.pem", other);
  write(folder.path() / "client.pem", client);
  write(folder.path() / "server.pem", server);
  write(folder.path() / "request.pem", request);

  const auto verify = [&](const std::string& options) { return run("openssl verify -x509_strict " + options); };
  CHECK(verify(sealcam::format("-CAfile {0}/ca.pem -purpose sslclient {0}/client.pem", dir)).status == 0);
  CHECK(verify(sealcam::format("-CAfile {0}/ca.pem -purpose sslserver {0}/server.pem", dir)).status == 0);
  for (const char* name :
       {"-verify_hostname localhost", "-verify_hostname broker.example", "-verify_ip 127.0.0.1", "-verify_ip ::1"})
    CHECK(verify(sealcam::format("-CAfile {0}/ca.pem {1} {0}/server.pem", dir, name)).status == 0);
  // Controls: OpenSSL rejects these.
  CHECK(verify(sealcam::format("-CAfile {0}/other.pem {0}/client.pem", dir)).status != 0);
  CHECK(verify(sealcam::format("-CAfile {0}/ca.pem -purpose sslserver {0}/client.pem", dir)).status != 0);
  CHECK(verify(sealcam::format("-CAfile {0}/ca.pem -purpose sslclient {0}/server.pem", dir)).status != 0);
  CHECK(verify(sealcam::format("-CAfile {0}/ca.pem -verify_hostname elsewhere.example {0}/server.pem", dir)).status !=
        0);
  CHECK(verify(sealcam::format("-CAfile {0}/client.pem {0}/server.pem", dir)).status != 0);

  CHECK(run(sealcam::format("openssl req -verify -noout -in {}/request.pem", dir)).status == 0);
  const auto text = run(sealcam::format("openssl x509 -noout -text -in {}/client.pem", dir)).text;
  INFO(text);
  CHECK(text.contains(sealcam::format("Subject: CN = {}", device)) |
        text.contains(sealcam::format("Subject: CN={}", device)));
  CHECK(text.contains("Not Before: Jan  1 00:00:00 2020 GMT"));
  CHECK(text.contains("Not After : Dec 31 23:59:59 9999 GMT"));
  CHECK(text.contains("CA:FALSE"));
  CHECK(text.contains("Digital Signature"));
  CHECK(text.contains("TLS Web Client Authentication"));
  CHECK_FALSE(text.contains("TLS Web Server Authentication"));
  const auto again = sign_request(ca, ca_key, request, device, CertificateUse::client, {}).value();
  write(folder.path() / "again.pem", again);
  const auto serial = [&](const char* file) {
    return run(sealcam::format("openssl x509 -noout -serial -in {}/{}", dir, file)).text;
  };
  CHECK(serial("client.pem").size() == std::string("serial=\n").size() + 32);
  CHECK(serial("client.pem") != serial("again.pem"));
}

TEST_CASE("a request is signed only for its own name and only if its sender has the key") {
  const auto ca_key = TlsKey::generate().value();
  const auto ca = make_authority(ca_key, "test operator").value();
  const auto key = TlsKey::generate().value();
  const auto request = make_request(key, device).value();
  CHECK(requested_name(request).value() == device);
  const auto sign = [&](std::string_view text, std::string_view name) {
    return sign_request(ca, ca_key, text, name, CertificateUse::client, {});
  };
  const auto certificate = sign(request, device);  // control
  REQUIRE(certificate);
  CHECK(certificate_name(*certificate).value() == device);
  CHECK(sign(request, "somebodyelse").error().code == Errc::wrong_key);
  const auto forged = sign(flip(request), device);
  REQUIRE_FALSE(forged);
  CHECK((forged.error().code == Errc::bad_signature || forged.error().code == Errc::malformed));
  CHECK(sign("nonsense", device).error().code == Errc::malformed);
  CHECK(sign(*certificate, device).error().code == Errc::malformed);
  const auto wrong = sign_request(ca, key, request, device, CertificateUse::client, {});
  CHECK(wrong.error().code == Errc::wrong_key);
}

TEST_CASE("names that could change a subject are rejected") {
  const auto key = TlsKey::generate().value();
  for (const char* name : {"", "a,O=evil", "a+b", "a=b", "a\nb", "a/b", " a", "a ", "a\"b", "a\\b", "a#b"})
    CHECK(make_request(key, name).error().code == Errc::invalid_argument);
  CHECK(make_request(key, std::string(65, 'a')).error().code == Errc::invalid_argument);
  CHECK(make_request(key, std::string(64, 'a')));
}

TEST_CASE("a TLS key can be stored and read, and other content is rejected") {
  const auto key = TlsKey::generate().value();
  const auto text = std::string(as_text(key.reveal_pem()));
  CHECK(text.starts_with("-----BEGIN EC PRIVATE KEY-----"));
  const auto again = TlsKey::from_pem(as_bytes(text));
  REQUIRE(again);
  CHECK(equal(again->reveal_pem(), key.reveal_pem()));
  CHECK(TlsKey::from_pem(as_bytes("nonsense")).error().code == Errc::malformed);
  CHECK(TlsKey::from_pem({}).error().code == Errc::malformed);
  CHECK(TlsKey::from_pem(as_bytes(flip(text))).error().code == Errc::malformed);
  CHECK(TlsKey::from_pem(as_bytes(std::string(600, 'x'))).error().code == Errc::malformed);
  auto moved = key.duplicate();
  const auto taken = std::move(moved);
  CHECK(moved.reveal_pem().empty());  // NOLINT(bugprone-use-after-move): that it is empty is the point
  CHECK(taken.reveal_pem().size() == text.size());
}

TEST_CASE("a context requires a key that matches its certificate") {
  const auto ca_key = TlsKey::generate().value();
  const auto ca = make_authority(ca_key, "test operator").value();
  const auto key = TlsKey::generate().value();
  const auto certificate =
      sign_request(ca, ca_key, make_request(key, device).value(), device, CertificateUse::client, {}).value();
  const auto make = [&](const std::string& authority, const std::string& own, const TlsKey& k) {
    return TlsContext::make({.authority_pem = authority, .certificate_pem = own, .key = k.duplicate()});
  };
  CHECK(make(ca, certificate, key));
  CHECK(make(ca, certificate, ca_key).error().code == Errc::wrong_key);
  CHECK(make("", certificate, key).error().code == Errc::malformed);
  CHECK(make(ca, "", key).error().code == Errc::malformed);
  CHECK(make(ca + flip(ca), certificate, key).error().code == Errc::malformed);
}

namespace {

constexpr CaptureTime year_2026{std::chrono::seconds(1'790'000'000)};
const Period year{{year_2026.since_epoch - std::chrono::days(1)}, {year_2026.since_epoch + std::chrono::days(396)}};

struct LocalAuthority {
  TlsKey key = TlsKey::generate().value();
  std::vector<std::string> names;
  std::string certificate;
  explicit LocalAuthority(std::vector<std::string> n) : names(std::move(n)) {
    certificate = make_web_authority(key, "Sealcam test", names, year).value();
  }
  /// A certificate for any names: a thief of the key is not bound to this program. The authority is signed again with
  /// the same key and subject, but other constraints, so its certificates also lead to the original one.
  [[nodiscard]] std::string forge(const std::vector<std::string>& others, const TlsKey& leaf) const {
    const auto other = make_web_authority(key, "Sealcam test", others, year).value();
    return make_web_certificate(other, key, leaf, others, year).value();
  }
};

}  // namespace

TEST_CASE("OpenSSL accepts a local authority for its own names only") {
  if (::access("/usr/bin/openssl", X_OK) != 0) SKIP("openssl is not installed");
  const test::TemporaryFolder folder;
  const auto dir = folder.path().string();
  const auto leaf = TlsKey::generate().value();
  const auto verify = [&](const std::string& authority, const std::string& certificate, const std::string& name) {
    write(folder.path() / "ca.pem", authority);
    write(folder.path() / "leaf.pem", certificate);
    const auto result = run(sealcam::format(
        "openssl verify -x509_strict -attime 1790000000 -purpose sslserver -CAfile {0}/ca.pem {1} {0}/leaf.pem", dir,
        name));
    INFO(result.text);
    return std::pair(result.status, result.text);
  };
  const LocalAuthority both({"192.168.1.10", "fd00::10", "hub.home.arpa"});
  const auto own = make_web_certificate(both.certificate, both.key, leaf, both.names, year).value();
  for (const char* name : {"-verify_hostname hub.home.arpa", "-verify_ip 192.168.1.10", "-verify_ip fd00::10"})
    CHECK(verify(both.certificate, own, name).first == 0);
  CHECK(verify(both.certificate, own, "-verify_hostname elsewhere.example").first != 0);  // not in the certificate

  // The certificate of a thief has the other name, so that only the constraints reject it.
  const auto rejected = [&](const LocalAuthority& authority, const char* name, const char* option) {
    INFO(name);
    const auto [status, text] =
        verify(authority.certificate, authority.forge({name}, leaf), sealcam::format("{} {}", option, name));
    CHECK(status != 0);
    CHECK((text.contains("permitted subtree violation") || text.contains("excluded subtree violation")));
    // Control: the same certificate under an authority that permits the name.
    const auto free = make_web_authority(authority.key, "Sealcam test", {name}, year).value();
    CHECK(verify(free, authority.forge({name}, leaf), sealcam::format("{} {}", option, name)).first == 0);
  };
  for (const char* name : {"bank.example", "home.arpa", "xhub.home.arpa"}) rejected(both, name, "-verify_hostname");
  for (const char* address : {"192.168.1.11", "fd00::11"}) rejected(both, address, "-verify_ip");
  // Forms of names that the authority does not have at all.
  const LocalAuthority only_name({"hub.home.arpa"}), only_address({"192.168.1.10"});
  for (const char* address : {"192.168.1.10", "fd00::10"}) rejected(only_name, address, "-verify_ip");
  rejected(only_address, "hub.home.arpa", "-verify_hostname");
  rejected(only_address, "fd00::10", "-verify_ip");

  write(folder.path() / "ca.pem", both.certificate);
  const auto text = run(sealcam::format("openssl x509 -noout -text -in {}/ca.pem", dir)).text;
  INFO(text);
  CHECK(text.contains("X509v3 Name Constraints: critical"));
  CHECK(text.contains("CA:TRUE, pathlen:0"));
  CHECK(text.contains("DNS:hub.home.arpa"));
}

TEST_CASE("a local authority has valid names, and signs for exactly these") {
  const LocalAuthority authority({"192.168.1.10", "hub.home.arpa"});
  const auto leaf = TlsKey::generate().value();
  const auto sign = [&](const std::vector<std::string>& names, const TlsKey& key) {
    return make_web_certificate(authority.certificate, key, leaf, names, year);
  };
  const auto certificate = sign(authority.names, authority.key);  // control
  REQUIRE(certificate);
  CHECK(certificate_end(*certificate).value().since_epoch == year.until.since_epoch);
  CHECK(certificate_end(authority.certificate).value().since_epoch == year.until.since_epoch);
  CHECK(TlsContext::make_web_server(*certificate, leaf.reveal_pem()));
  CHECK(TlsContext::make_web_server(*certificate, authority.key.reveal_pem()).error().code == Errc::wrong_key);
  CHECK(sign({"192.168.1.10"}, authority.key).error().code == Errc::conflict);
  CHECK(sign({"192.168.1.10", "hub.home.arpa", "x.example"}, authority.key).error().code == Errc::conflict);
  CHECK(sign(authority.names, leaf).error().code == Errc::wrong_key);
  const auto plain = make_authority(authority.key, "Sealcam test").value();  // without constraints
  CHECK(make_web_certificate(plain, authority.key, leaf, authority.names, year).error().code == Errc::conflict);
  CHECK(make_web_certificate("nonsense", authority.key, leaf, authority.names, year).error().code == Errc::malformed);
  for (const char* name : {"", "*.home.arpa", "Hub.home.arpa", "a b", ".arpa", "hub.", "a/b", "192.168.1.0/24"})
    CHECK(make_web_authority(authority.key, "x", {name}, year).error().code == Errc::invalid_argument);
  CHECK(make_web_authority(authority.key, "x", {}, year).error().code == Errc::invalid_argument);
  CHECK(make_web_authority(authority.key, "x", std::vector<std::string>(17, "a"), year).error().code ==
        Errc::invalid_argument);
}
