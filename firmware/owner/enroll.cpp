// SPDX-License-Identifier: Apache-2.0
#include "owner/enroll.hpp"

#include <algorithm>
#include <array>
#include <format>

#include "owner/rosters.hpp"
#include "transport/certificate.hpp"

namespace sealcam::owner {

using pairing::Enrolment;
using pairing::StateFiles;
using protocol::Role;

namespace {

constexpr std::size_t largest_pem = 16U << 10;

using Address = Operator::Address;

/// The device may see the broker under another address than this machine does.
Outcome<Address> address_for_device(const Terms& terms) {
  auto address = terms.broker->address();
  if (!address) return address;
  return Address{terms.host.value_or(address->host), terms.port.value_or(address->port)};
}

/// A device of somebody else is not taken over by overwriting a file.
Outcome<> not_anothers(const Account& account, const StateFiles& files) {
  std::string why;
  const auto before = pairing::read_enrolment(files, &why);
  if (before && before->owner == account.key().public_key()) return {};
  if (before)
    return failure(EX_NOPERM,
                   std::format("{} belongs to account {}. Reset the device first: stop it and empty the folder",
                               files.folder.string(), before->owner.account().to_string()));
  if (before.error().code == Errc::not_found || before.error().code == Errc::malformed) return {};
  return failure(before.error(), files.enrolment().string());
}

/// Admits a device and returns what its enrolment will say; nothing is written into its folder.
Outcome<std::pair<Enrolment, bool>> admit_here(const Account& account, const protocol::Card& card,
                                               std::string_view request_pem, const Operator& broker,
                                               const Address& address, std::string name) {
  const auto admission = make_admission(account, card, request_pem);
  if (!admission) return std::unexpected(admission.error());
  auto admitted = broker.admit(request_pem, *admission);
  if (!admitted) return std::unexpected(admitted.error());
  auto authority = broker.authority();
  if (!authority) return std::unexpected(authority.error());
  return std::pair{Enrolment{.role = card.role,
                             .owner = account.key().public_key(),
                             .broker_host = address.host,
                             .broker_port = address.port,
                             .ca_pem = std::move(*authority),
                             .certificate_pem = std::move(admitted->certificate_pem),
                             .name = std::move(name)},
                   admitted->reloaded};
}

Outcome<> finish(const StateFiles& files, const Enrolment& enrolment) {
  if (auto r = pairing::write_enrolment(files, enrolment); !r) return failure(r.error(), files.enrolment().string());
  return {};
}

/// Both have keys.
Outcome<std::array<std::pair<StateFiles, Role>, 2>> this_machine(const Account& account) {
  if (auto r = ensure_device_keys(account.files().hub(), Role::hub); !r) return std::unexpected(r.error());
  return std::array<std::pair<StateFiles, Role>, 2>{
      {{account.files().hub(), Role::hub}, {account.files().owner(), Role::owner}}};
}

/// The owner and this machine's hub, when they are not enrolled at this broker yet.
Outcome<> enroll_this_machine(const Account& account, const Operator& broker, const Address& address) {
  const auto authority = broker.authority();
  if (!authority) return std::unexpected(authority.error());
  const auto both = this_machine(account);
  if (!both) return std::unexpected(both.error());
  for (const auto& [files, role] : *both) {
    const auto before = pairing::read_enrolment(files);
    if (before && before->ca_pem != *authority)
      return failure(EX_USAGE,
                     std::format("The account's devices meet at another broker, {}:{}. An account has one broker",
                                 before->broker_host, before->broker_port));
    if (before) continue;
    const auto card = read_card(files, role);
    if (!card) return std::unexpected(card.error());
    const auto request = read(files.tls_request(), largest_pem);
    if (!request) return std::unexpected(request.error());
    const auto enrolment = admit_here(account, *card, as_text(*request), broker, address, "");
    if (!enrolment) return std::unexpected(enrolment.error());
    if (auto r = finish(files, enrolment->first); !r) return r;
  }
  return {};
}

template <class Record>
Record& find_or_add(std::vector<Record>& records, const DeviceId& id) {
  const auto it = std::ranges::find(records, id, &Record::id);
  if (it != records.end()) return *it;
  records.push_back({});
  records.back().id = id;
  return records.back();
}

template <class Record>
Outcome<> free_name(const std::vector<Record>& records, const DeviceId& id, const std::string& name) {
  for (const auto& other : records)
    if (other.id != id && other.name == name)
      return failure(EX_USAGE, std::format("Another device is called '{}'. Choose another name", name));
  return {};
}

template <class Record>
Outcome<> add(std::vector<Record>& records, const protocol::Card& card, const std::string& name) {
  const auto id = card.identity.id();
  if (auto r = free_name(records, id, name); !r) return r;
  auto& record = find_or_add(records, id);
  record.name = name;
  record.identity = card.identity;
  record.hpke = card.hpke;
  // One that was on its way out comes back.
  if constexpr (requires { record.unlinked; }) record.unlinked = false;
  else record.removed = false;
  return {};
}

Outcome<> record(Account& account, const protocol::Card& card, const std::string& name) {
  auto file = account.file();
  auto added = card.role == Role::camera ? add(file.cameras, card, name) : add(file.hubs, card, name);
  if (!added) return added;
  if (file.hubs.size() > protocol::Roster::max_hubs)
    return failure(EX_USAGE, std::format("An account has at most {} hubs", protocol::Roster::max_hubs));
  return account.store(std::move(file));
}

}  // namespace

Outcome<Bytes> make_admission(const Account& account, const protocol::Card& card, std::string_view request_pem) {
  const auto name = transport::requested_name(request_pem);
  const auto key = transport::requested_key(request_pem);
  if (!name || !key) return failure(name ? key.error() : name.error(), "The device's certificate request is not valid");
  if (*name != card.identity.id().to_string())
    return failure(EX_CONFIG, "The device's certificate request belongs to another device");
  const auto tls = crypto::PublicKey::parse(*key);
  if (!tls) return failure(tls.error(), "The device's certificate request is not valid");
  auto admission = protocol::encode_admission(
      {.role = card.role, .device = card.identity.id(), .owner = account.key().public_key(), .tls = *tls},
      account.key());
  if (!admission) return failure(admission.error(), "Signing the admission");
  return std::move(*admission);
}

Outcome<AdmissionRequest> admission_request(const Account& account, const protocol::Card& card,
                                            std::string request_pem) {
  auto admission = make_admission(account, card, request_pem);
  if (!admission) return std::unexpected(admission.error());
  return AdmissionRequest{std::move(request_pem), std::move(*admission)};
}

Outcome<std::vector<AdmissionRequest>> requests_of_this_machine(const Account& account) {
  std::vector<AdmissionRequest> out;
  const auto both = this_machine(account);
  if (!both) return std::unexpected(both.error());
  for (const auto& [files, role] : *both) {
    if (pairing::read_enrolment(files)) continue;
    const auto card = read_card(files, role);
    if (!card) return std::unexpected(card.error());
    const auto request = read(files.tls_request(), largest_pem);
    if (!request) return std::unexpected(request.error());
    auto made = admission_request(account, *card, std::string(as_text(*request)));
    if (!made) return std::unexpected(made.error());
    out.push_back(std::move(*made));
  }
  return out;
}

Outcome<> connect_account(const Account& account, const Operator& broker) {
  const auto advertised = broker.address();
  if (!advertised) return std::unexpected(advertised.error());
  return enroll_this_machine(account, broker, *advertised);
}

Outcome<> check_terms(const Account& account, const Terms& terms, Role role, const DeviceId& device) {
  if (auto r = check_name(terms.name); !r) return r;
  const auto& file = account.file();
  return role == Role::camera ? free_name(file.cameras, device, terms.name) : free_name(file.hubs, device, terms.name);
}

Outcome<> prepare(const Account& account, const Terms& terms, Role role, const DeviceId& device) {
  if (auto r = check_terms(account, terms, role, device); !r) return r;
  return connect_account(account, *terms.broker);
}

Outcome<Welcome> welcome(Account& account, const protocol::Card& card, std::string_view request_pem, const Terms& terms,
                         const Clock& clock) {
  const auto address = address_for_device(terms);
  if (!address) return std::unexpected(address.error());
  const bool is_camera = card.role == Role::camera;
  auto admitted = admit_here(account, card, request_pem, *terms.broker, *address, is_camera ? terms.name : "");
  if (!admitted) return std::unexpected(admitted.error());
  if (auto r = record(account, card, terms.name); !r) return std::unexpected(r.error());
  if (auto r = renew_rosters(account, clock); !r) return std::unexpected(r.error());
  Welcome result{std::move(admitted->first), std::nullopt, admitted->second};
  if (!is_camera) return result;
  const auto camera = std::ranges::find(account.file().cameras, card.identity.id(), &CameraRecord::id);
  auto roster = signed_roster(account, *camera);
  if (!roster) return std::unexpected(roster.error());
  result.roster = std::move(*roster);
  return result;
}

Outcome<std::pair<protocol::Card, std::string>> device_here(const Account& account, Role role,
                                                            const std::filesystem::path& state) {
  const StateFiles files{state};
  if (auto r = ensure_device_keys(files, role); !r) return std::unexpected(r.error());
  auto card = read_card(files, role);
  if (!card) return std::unexpected(card.error());
  if (auto r = not_anothers(account, files); !r) return std::unexpected(r.error());
  const auto csr = read(files.tls_request(), largest_pem);
  if (!csr) return std::unexpected(csr.error());
  return std::pair{*card, std::string(as_text(*csr))};
}

Outcome<Enrolled> enroll(Account& account, const EnrollRequest& request, const Clock& clock) {
  if (auto r = check_name(request.terms.name); !r) return std::unexpected(r.error());
  if (auto r = request.terms.broker->address(); !r) return std::unexpected(r.error());
  const StateFiles files{request.state};
  const auto device = device_here(account, request.role, request.state);
  if (!device) return std::unexpected(device.error());
  const auto& [card, csr] = *device;
  const auto id = card.identity.id();
  if (auto r = prepare(account, request.terms, request.role, id); !r) return std::unexpected(r.error());
  const auto result = welcome(account, card, csr, request.terms, clock);
  if (!result) return std::unexpected(result.error());
  if (result->roster) {
    const auto camera = std::ranges::find(account.file().cameras, id, &CameraRecord::id);
    if (auto r = install_roster(account, *camera, files.folder); !r) return std::unexpected(r.error());
  }
  // Last: with it the device is somebody's.
  if (auto r = finish(files, result->enrolment); !r) return std::unexpected(r.error());
  return Enrolled{id, result->reloaded};
}

}  // namespace sealcam::owner
