// SPDX-License-Identifier: Apache-2.0
// Attacks on the operator of a broker and on the owner: takeover of a device, retained floods, and a hostile broker.
#include "attacks/row.hpp"
#include "base/format.hpp"
#include "owner/broker/authorization.hpp"
#include "owner/sync/observed_state.hpp"
#include "owner/sync/sync.hpp"
#include "support/device_requests.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::attacks {
namespace {

using owner::Authorized;
using protocol::Leaf;
using protocol::Role;
using test::Actor;
using test::must;
using test::TlsIdentity;

void expect(Outcome& out, bool good, const char* what) {
  if (!good) out.deviations.emplace_back(what);
}

/// An operator that compares the owner's authorization with the certificate request only.
bool naive_operator_signs(const owner::AuthorizationRequest& request) {
  const auto statement = protocol::decode_authorization(request.authorization);
  const auto name = transport::requested_name(request.request_pem);
  const auto key = transport::requested_key(request.request_pem);
  return statement && name && key && *name == statement->device.to_string() &&
         equal(*key, statement->tls.value().bytes());
}

/// The thief makes the TLS key, so the certificate would be the thief's. `own`: it sends the descriptor of its own
/// device.
Row takeover(bool own) {
  Row row;
  row.name = own ? "an account requests a certificate with the descriptor of its own device"
                 : "an account requests a certificate for a device of another account";
  row.rejected_as = own ? "another device" : "the device did not sign the key";
  row.control_is = "an operator that does not check the device's signature";
  row.alone = [own](const Row& self, Outcome& out) {
    const test::TemporaryFolder folder;
    const owner::BrokerFiles files{folder.path() / "broker"};
    expect(out, owner::make_broker(files, {}).has_value(), "the operator has no folder");
    const Actor victim, thief, camera, device;
    const TlsIdentity genuine(camera.id());
    for (int i = 0; i < self.n; ++i, ++out.messages) {
      // Before and after the victim authorizes the camera.
      if (i == self.n / 2)
        expect(out, owner::authorize(files, test::request(victim, Role::camera, camera, genuine)).has_value(),
               "the victim's own request was rejected");
      const TlsIdentity stolen(camera.id());
      const auto descriptor = own ? test::descriptor(Role::camera, device, stolen.key)
                                  : test::descriptor(Role::camera, camera, genuine.key);
      const owner::AuthorizationRequest request{stolen.request, descriptor,
                                                test::authorization(thief, Role::camera, camera.id(), stolen.key)};
      const auto given = owner::authorize(files, request);
      if (given) ++out.wrong;
      if (!given) ++out.rejected[given.error().exit_code == EX_NOPERM ? "permission" : "other"];
      if (naive_operator_signs(request)) ++out.control;
    }
    expect(out, out.rejected["permission"] == out.messages, "a request was rejected for another reason");
  };
  return row;
}

/// Retained messages on topics of cameras that do not exist.
Row retained_flood() {
  Row row;
  row.name = "a hub leaves retained messages on topics of cameras that do not exist";
  row.rejected_as = "permission";
  row.control_is = "an access list with '+' for the camera";
  row.n = 1000;
  row.alone = [](const Row& self, Outcome& out) {
    const Actor home, hub, camera;
    const std::vector<Authorized> all = {{Role::owner, home.id(), home.account()},
                                         {Role::camera, camera.id(), home.account()},
                                         {Role::hub, hub.id(), home.account()}};
    const auto writable = owner::permissions(all[2], all).write;
    const auto naive =
        sealcam::format("{}/{}", protocol::account_filter(home.account(), Leaf::request), hub.id().to_string());
    std::array<std::byte, DeviceId::size> id{};
    for (int i = 0; i < self.n; ++i, ++out.messages) {
      store_be(MutableBytes(id), static_cast<std::uint32_t>(i));
      const auto topic = protocol::request_topic({home.account(), DeviceId(id)}, hub.id());
      if (std::ranges::any_of(writable, [&](const auto& filter) { return matches(filter, topic); })) ++out.wrong;
      else ++out.rejected["permission"];
      if (matches(naive, topic)) ++out.control;
    }
    expect(out, writable.size() == 1, "the hub cannot write to its own camera");
    // The retained messages of the hub are deleted when it is revoked.
    const auto deleted = owner::topics_without_device(std::span(all).last(1), std::span(all).first(2));
    expect(out, std::ranges::contains(deleted, writable.front()), "a revocation leaves a message of the hub");
  };
  return row;
}

/// The broker gives the camera another signature of the owner's roster, so that the camera names another message. The
/// owner must not take it for a second copy of the account.
Row second_signature() {
  Row row;
  row.name = "the broker gives the camera another signature of the owner's roster";
  row.rejected_as = "the same hash";
  row.control_is = "an owner that compares the hash of the whole message";
  row.alone = [](const Row& self, Outcome& out) {
    const Actor home, camera, hub;
    const auto route = test::route_of(home, camera);
    for (int i = 0; i < self.n; ++i, ++out.messages) {
      const auto roster = test::roster_of(camera, 3, {&hub});
      const auto ours = must(protocol::encode_roster(roster, route, home.keys().identity));
      const auto theirs = must(protocol::encode_roster(roster, route, home.keys().identity));
      if (must(crypto::sha256(ours)) != must(crypto::sha256(theirs))) ++out.control;
      const auto applied = must(protocol::decode_roster(theirs, route, home.verifier()));
      const auto grants = must(protocol::encode_grants({.roster = applied,
                                                        .content = {crypto::sframe::BaseKey(), "x"},
                                                        .epoch = protocol::Epoch(1),
                                                        .roster_hash = must(protocol::roster_hash(theirs))},
                                                       route, camera.keys().identity));
      owner::AccountFile account;
      account.account = home.account();
      auto& record = account.cameras.emplace_back();
      record.id = camera.id();
      record.identity = camera.identity();
      record.hpke = camera.hpke();
      record.version = protocol::RosterVersion(3);
      auto state = must(owner::ObservedState::open(account, home.identity()));
      const auto topic = protocol::topic(route, Leaf::grants);
      state.observe({.topic = topic, .payload = grants, .retained = true});
      (void)owner::note_observed(record, state.of(camera.id()), must(protocol::roster_hash(ours)));
      if (record.contradicted) ++out.wrong;
      expect(out, record.confirmed == protocol::RosterVersion(3), "the owner did not confirm the roster");
    }
  };
  return row;
}

}  // namespace

void add_operator_rows(std::vector<Row>& rows) {
  for (const bool each : {false, true}) rows.push_back(takeover(each));
  rows.push_back(retained_flood());
  rows.push_back(second_signature());
}

}  // namespace sealcam::attacks
