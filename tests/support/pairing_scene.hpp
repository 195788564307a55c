// SPDX-License-Identifier: Apache-2.0
/// An unpaired device and an owner with an operator's authority, without sockets.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "base/bytes.hpp"
#include "base/testing/fakes.hpp"
#include "device/enrollment.hpp"
#include "pairing/endpoint.hpp"
#include "support/actors.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::test {

/// Counts in memory.
class MemoryTries final : public pairing::TryCounter {
 public:
  unsigned number = 0;
  bool broken = false;  ///< the disk is full
 private:
  unsigned do_used() const noexcept override { return number; }
  Result<> do_count() override {
    ++number;
    if (broken) return fail(Errc::io, "no space");
    return {};
  }
};

class MemoryInstaller final : public device::Installer {
 public:
  std::optional<device::Enrollment> installed;
  std::optional<Bytes> roster;
  std::optional<Errc> broken;

 private:
  Result<> do_install(const device::Enrollment& enrollment, const std::optional<Bytes>& given,
                      const std::optional<protocol::Wifi>&) override {
    if (broken) return fail(*broken, "no space");
    installed = enrollment;
    roster = given;
    return {};
  }
};

/// Creates the messages of an owner. A test may change each part before it sends a message.
struct OwnerDesk {
  Actor owner;
  transport::TlsKey ca_key = must(transport::TlsKey::generate());
  std::string ca = must(transport::make_authority(ca_key, "operator"));

  [[nodiscard]] protocol::PairingEnrollment enrollment(const Actor& device, protocol::Role role,
                                                       const std::string& request) const {
    protocol::PairingEnrollment e;
    e.broker_host = "broker.example";
    e.broker_port = 8883;
    e.ca_pem = ca;
    e.certificate_pem = must(
        transport::sign_request(ca, ca_key, request, device.id().to_string(), transport::CertificateUse::client, {}));
    e.name = role == protocol::Role::camera ? "Front door" : "";
    if (role == protocol::Role::camera)
      e.roster =
          must(protocol::encode_roster(roster_of(device, 1, {}), route_of(owner, device), owner.keys().identity));
    return e;
  }
};

struct PairingDevice {
  explicit PairingDevice(protocol::Role r = protocol::Role::camera, std::string m = "test board")
      : role(r), model(std::move(m)) {}

  [[nodiscard]] pairing::Endpoint::Device description() const {
    return {.role = role,
            .keys = actor.keys(),
            .descriptor = must(protocol::encode_device_descriptor(role, actor.keys(), tls_public())),
            .request_pem = request,
            .tls_key = must(transport::requested_key(request)),
            .version = "1",
            .model = model};
  }

  [[nodiscard]] crypto::PublicKey tls_public() const {
    return must(crypto::PublicKey::parse(must(transport::requested_key(request))));
  }

  protocol::Role role;
  std::string model;
  Actor actor;
  transport::TlsKey tls = must(transport::TlsKey::generate());
  std::string request = must(transport::make_request(tls, actor.id().to_string()));
  FakeClock clock;
  MemoryLog log;
  MemoryTries tries;
  MemoryInstaller installer;
  protocol::PairingCode code = must(protocol::PairingCode::parse("abcdefgh"));
  pairing::Endpoint endpoint{description(), code.duplicate(), {tries, installer, clock, log}};
};

/// The keying material of connection `n`.
[[nodiscard]] inline protocol::ChannelBinding channel(unsigned char n) {
  protocol::ChannelBinding x;
  std::ranges::fill(x.fill(), static_cast<std::byte>(n));
  return x;
}

[[nodiscard]] inline std::string body_of(const char* member, ByteView message) {
  return nlohmann::json{{member, to_base64url(message)}}.dump();
}

}  // namespace sealcam::test
