// SPDX-License-Identifier: Apache-2.0
// The files that owner and operator exchange, and the content of an operator's backup. The first byte selects one. A
// request is also changed at one place, because most mutations of a whole file break its form.
#include <algorithm>

#include "input.hpp"
#include "owner/broker/authorization.hpp"
#include "owner/broker/operator.hpp"
#include "parties.hpp"
#include "scratch.hpp"
#include "transport/tls/certificate.hpp"

using namespace sealcam;

namespace {

using protocol::Role;

/// An operator, and correct requests for a camera and for a phone.
struct Scene {
  fuzz::Party account{"operator_fuzz account"}, camera{"operator_fuzz camera"}, phone{"operator_fuzz phone"};
  owner::BrokerFiles broker{fuzz::scratch().path() / "broker"};
  owner::AuthorizationRequest request, phone_request;
  std::string authority, certificate;

  Scene() {
    SC_ASSERT(owner::make_broker(broker, {}).has_value());
    SC_ASSERT(owner::write_broker_settings(broker, {.hosts = {}, .web_port = 8884}).has_value());
    request.request_pem =
        fuzz::must(transport::make_request(fuzz::must(transport::TlsKey::generate()), camera.id().to_string()));
    const auto tls = fuzz::must(crypto::PublicKey::parse(fuzz::must(transport::requested_key(request.request_pem))));
    request.descriptor = fuzz::must(protocol::encode_device_descriptor(Role::camera, camera.keys(), tls));
    request.authorization = fuzz::must(protocol::encode_authorization(
        {.role = Role::camera, .device = camera.id(), .owner = account.identity(), .tls = tls},
        account.keys().identity));
    phone_request.descriptor = fuzz::must(protocol::encode_device_descriptor(Role::hub, phone.keys(), std::nullopt));
    phone_request.authorization = fuzz::must(
        protocol::encode_authorization({.role = Role::hub,
                                        .device = phone.id(),
                                        .owner = account.identity(),
                                        .tls = std::nullopt,
                                        .login = fuzz::must(crypto::PasswordHash::make(as_bytes("password")))},
                                       account.keys().identity));
    SC_ASSERT(owner::check_authorization(broker, phone_request).has_value());
    const auto local = owner::local_operator(broker);
    authority = local->authority().value();
    certificate = local->authorize(request).value();
  }
};
const Scene& scene() {
  static const auto* const one = new Scene;
  return *one;
}

/// An accepted request is for the name that was requested, and the device and the owner signed its key. A phone has no
/// key and no certificate request.
void check_accepted(const owner::AuthorizationRequest& request) {
  const auto accepted = owner::check_authorization(scene().broker, request);
  if (!accepted) return;
  const auto descriptor = fuzz::must(protocol::decode_device_descriptor(request.descriptor));
  const auto statement = fuzz::must(protocol::decode_authorization(request.authorization));
  SC_ASSERT(descriptor.identity.id() == accepted->device && statement.device == accepted->device);
  SC_ASSERT(descriptor.tls == statement.tls && descriptor.role == statement.role);
  SC_ASSERT(statement.tls.has_value() != statement.login.has_value());
  if (statement.login) {
    SC_ASSERT(request.request_pem.empty() && accepted->role == Role::hub);
    return;
  }
  SC_ASSERT(fuzz::must(transport::requested_name(request.request_pem)) == accepted->device.to_string());
  SC_ASSERT(equal(fuzz::must(transport::requested_key(request.request_pem)), descriptor.tls->bytes()));
}

void check_requests(std::string_view text) {
  const auto requests = owner::read_requests(fuzz::scratch().put("requests", text));
  if (!requests) return;
  for (const auto& request : *requests) check_accepted(request);
}

/// Replaces bytes of one part of a correct request. A changed certificate request of a phone is one that it must not
/// have.
void check_changed_request(fuzz::Input& in) {
  const auto part = in.byte();
  auto request = part < 128 ? scene().request : scene().phone_request;
  if (part == 255) request.request_pem = scene().request.request_pem;
  const auto at = in.number<std::uint16_t>();
  const auto change = [&](MutableBytes bytes) {
    const auto rest = bytes.subspan(std::min<std::size_t>(at, bytes.size()));
    const auto content = in.take(rest.size());
    std::ranges::copy(content, rest.begin());
  };
  switch (part % 3) {
    case 0: change(std::as_writable_bytes(std::span(request.request_pem))); break;
    case 1: change(request.descriptor); break;
    case 2: change(request.authorization); break;
  }
  check_accepted(request);
}

void check_answer(std::string_view text) {
  const auto answer = owner::remote_operator(fuzz::scratch().put("answer", text));
  if (!answer) return;
  const auto authority = (*answer)->authority().value();
  const auto given = (*answer)->authorize(scene().request);
  if (given) SC_ASSERT(transport::check_certificate(authority, *given).has_value());
}

/// A name of a file leads to no other folder.
void check_backup(std::string_view text) {
  const auto files = owner::parse_backed_up_files(text);
  if (!files) return;
  for (const auto& [name, content] : *files)
    SC_ASSERT(!name.contains("..") && !name.starts_with('/') && name != "ca.key" && name != "acl");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  switch (in.byte() % 4) {
    case 0: check_requests(in.text()); break;
    case 1: check_changed_request(in); break;
    case 2: check_answer(in.text()); break;
    case 3: check_backup(in.text()); break;
  }
  return 0;
}
