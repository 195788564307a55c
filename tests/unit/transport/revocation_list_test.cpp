// SPDX-License-Identifier: Apache-2.0
/// OpenSSL checks the revocation lists of Sealcam.
#include "transport/tls/certificate.hpp"

#include <sys/wait.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <fstream>

#include "base/format.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::transport {
namespace {

/// An authority with two certificates of devices.
struct World {
  test::TemporaryFolder folder;
  TlsKey key = *TlsKey::generate();
  std::string authority = *make_authority(key, "the operator");
  std::array<std::string, 2> certificates = {issue("first"), issue("second")};

  [[nodiscard]] std::string issue(const std::string& name) const {
    const auto request = make_request(*TlsKey::generate(), name);
    REQUIRE(request);
    const auto certificate = sign_request(authority, key, *request, name, CertificateUse::client, {});
    REQUIRE(certificate);
    return *certificate;
  }
  [[nodiscard]] Bytes serial(std::size_t index) const {
    const auto bytes = certificate_serial(certificates.at(index));
    REQUIRE(bytes);
    return *bytes;
  }
  [[nodiscard]] std::string path(const std::string& name, std::string_view text) const {
    const auto at = folder.path() / name;
    std::ofstream(at, std::ios::binary) << text;
    return at.string();
  }
  /// The exit code and the output of OpenSSL.
  [[nodiscard]] static std::pair<int, std::string> run(const std::string& command) {
    std::pair<int, std::string> out{-1, ""};
    FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::array<char, 4096> part{};
    while (const auto n = std::fread(part.data(), 1, part.size(), pipe)) out.second.append(part.data(), n);
    out.first = WEXITSTATUS(::pclose(pipe));
    return out;
  }
  [[nodiscard]] std::pair<int, std::string> verify(std::size_t index, const std::string& list) const {
    return run(sealcam::format("openssl verify -x509_strict -CAfile {} -CRLfile {} -crl_check -purpose sslclient {}",
                               path("ca.pem", authority), path("crl.pem", list),
                               path("device.pem", certificates.at(index))));
  }
};

TEST_CASE("OpenSSL accepts an empty revocation list and every certificate") {
  const World w;
  const auto list = make_revocation_list(w.authority, w.key, 1, {});
  REQUIRE(list);
  for (const std::size_t i : {0U, 1U}) {
    const auto [status, text] = w.verify(i, *list);
    INFO(text);
    CHECK(status == 0);
  }
}

TEST_CASE("OpenSSL rejects exactly the certificates on a revocation list") {
  const World w;
  const auto list =
      make_revocation_list(w.authority, w.key, 2, std::vector<Bytes>{w.serial(1), Bytes{std::byte{0x80}}});
  REQUIRE(list);
  CHECK(w.verify(0, *list).first == 0);
  const auto [status, text] = w.verify(1, *list);
  INFO(text);
  CHECK(status != 0);
  CHECK(text.contains("revoked"));
}

TEST_CASE("a later revocation list has a later time, which is not in the future") {
  const World w;
  const auto show = [&](std::uint64_t number) {
    const auto list = make_revocation_list(w.authority, w.key, number, std::vector<Bytes>{w.serial(0)});
    REQUIRE(list);
    auto [status, text] = World::run(sealcam::format("openssl crl -noout -text -CAfile {} -in {}",
                                                     w.path("ca.pem", w.authority), w.path("crl.pem", *list)));
    CHECK(status == 0);
    CHECK(text.contains("verify OK"));
    CHECK(text.contains("Next Update: Dec 31 23:59:59 9999 GMT"));
    return text;
  };
  CHECK(show(1).contains("Last Update: Jan  1 00:00:01 2020 GMT"));
  const auto later = show(86'400 + 300);
  CHECK(later.contains("Last Update: Jan  2 00:05:00 2020 GMT"));
  CHECK(later.contains("86700"));  // cRLNumber
}

TEST_CASE("a revocation list needs the authority's key and valid serial numbers") {
  const World w;
  const auto make = [&](const TlsKey& key, std::uint64_t number, const Bytes& serial) {
    return make_revocation_list(w.authority, key, number, std::vector<Bytes>{serial});
  };
  CHECK(make(*TlsKey::generate(), 1, w.serial(0)).error().code == Errc::wrong_key);
  CHECK(make(w.key, 1, {}).error().code == Errc::invalid_argument);
  CHECK(make(w.key, 1, Bytes(21)).error().code == Errc::invalid_argument);
  CHECK(make(w.key, 900'000'001, w.serial(0)).error().code == Errc::invalid_argument);
  CHECK(make(w.key, 900'000'000, w.serial(0)));  // control
  CHECK(make_revocation_list("no certificate", w.key, 1, {}).error().code == Errc::malformed);
}

TEST_CASE("a long revocation list is complete") {
  const World w;
  std::vector<Bytes> serials(5000, Bytes(20, std::byte{0xff}));
  for (std::size_t i = 0; i < serials.size(); ++i)
    serials[i][19] = static_cast<std::byte>(i), serials[i][18] = static_cast<std::byte>(i >> 8);
  serials.push_back(w.serial(0));
  const auto list = make_revocation_list(w.authority, w.key, 9, serials);
  REQUIRE(list);
  CHECK(w.verify(0, *list).first != 0);
  CHECK(w.verify(1, *list).first == 0);
}

}  // namespace
}  // namespace sealcam::transport
