// SPDX-License-Identifier: Apache-2.0
#include "owner/enrollment/enrollment.hpp"

#include <algorithm>
#include <array>

#include "base/format.hpp"
#include "device/enrollment.hpp"
#include "owner/account/membership.hpp"
#include "owner/sync/sync.hpp"
#include "protocol/pairing.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::owner {

using device::Enrollment;
using device::StateFiles;
using protocol::Role;

namespace {

constexpr std::size_t max_request = 16U << 10;

using Address = Operator::Address;

/// The address of the broker as the device must use it.
Outcome<Address> address_for_device(const Account& account, const EnrollmentOptions& options) {
  auto address = options.broker->address(account.id());
  if (!address) return address;
  return Address{options.host.value_or(address->host), options.port.value_or(address->port)};
}

/// Fails if the device in the folder has another owner. Otherwise the enrollment would be overwritten.
Outcome<> check_owner(const Account& account, const StateFiles& files) {
  std::string why;
  const auto before = device::read_enrollment(files, &why);
  if (before && before->owner == account.key().public_key()) return {};
  if (before)
    return failure(EX_NOPERM, sealcam::format("the device in {} is in account {}; stop the device and reset it first",
                                              files.folder.string(), before->owner.account().to_string()));
  if (before.error().code == Errc::not_found || before.error().code == Errc::malformed) return {};
  return failure(before.error(), sealcam::format("cannot read {}", files.enrollment().string()));
}

/// Authorizes a device and returns its enrollment.
Outcome<Enrollment> authorize_device(const Account& account, const DeviceRequest& device, const Operator& broker,
                                     const Address& address, std::string name) {
  const auto request = authorization_request(account, device);
  if (!request) return std::unexpected(request.error());
  auto certificate = broker.authorize(*request);
  if (!certificate) return std::unexpected(certificate.error());
  auto authority = broker.authority();
  if (!authority) return std::unexpected(authority.error());
  return Enrollment{.role = device.descriptor.role,
                    .owner = account.key().public_key(),
                    .broker_host = address.host,
                    .broker_port = address.port,
                    .ca_pem = std::move(*authority),
                    .certificate_pem = std::move(*certificate),
                    .name = std::move(name)};
}

Outcome<> store_enrollment(const StateFiles& files, const Enrollment& enrollment) {
  if (auto r = device::write_enrollment(files, enrollment); !r)
    return failure(r.error(), sealcam::format("cannot write {}", files.enrollment().string()));
  return {};
}

/// The state folders of this machine, with keys.
Outcome<std::array<std::pair<StateFiles, Role>, 2>> this_machine(const Account& account) {
  if (auto r = ensure_device_keys(account.files().hub(), Role::hub); !r) return std::unexpected(r.error());
  return std::array<std::pair<StateFiles, Role>, 2>{
      {{account.files().hub(), Role::hub}, {account.files().owner(), Role::owner}}};
}

/// A renewed certificate of an authority has the same key.
bool same_key(std::string_view one_pem, std::string_view other_pem) {
  const auto one = transport::certificate_key(one_pem), other = transport::certificate_key(other_pem);
  return one && other && *one == *other;
}

/// Enrolls the owner and this machine's hub, if they are not enrolled yet. Returns whether it authorized one of them.
Outcome<bool> enroll_this_machine(const Account& account, const Operator& broker) {
  const auto address = broker.address(account.id());
  if (!address) return std::unexpected(address.error());
  const auto authority = broker.authority();
  if (!authority) return std::unexpected(authority.error());
  const auto both = this_machine(account);
  if (!both) return std::unexpected(both.error());
  bool authorized = false;
  for (const auto& [files, role] : *both) {
    const auto before = device::read_enrollment(files);
    if (before && !same_key(before->ca_pem, *authority))
      return failure(
          EX_USAGE,
          sealcam::format("the account already uses the broker at {}; use that broker, because an account has one",
                          protocol::HostPort{before->broker_host, before->broker_port}.to_string()));
    if (before) continue;
    const auto device = read_device_request(files, role);
    if (!device) return std::unexpected(device.error());
    const auto enrollment = authorize_device(account, *device, broker, *address, "");
    if (!enrollment) return std::unexpected(enrollment.error());
    if (auto r = store_enrollment(files, *enrollment); !r) return std::unexpected(r.error());
    authorized = true;
  }
  return authorized;
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
Outcome<> check_name_free(const std::vector<Record>& records, const DeviceId& id, const std::string& name) {
  for (const auto& other : records) {
    if (other.id == id || other.name != name) continue;
    if constexpr (requires { other.phone; }) {
      if (other.phone && other.unlinked) continue;  // free_name()
      if (other.phone && other.unfinished)
        return failure(EX_USAGE,
                       sealcam::format("the link of a phone with the name '{}' was interrupted; run 'sealcam phone "
                                       "unlink {}' first, or choose another name",
                                       name, other.id.to_string()));
    }
    return failure(EX_USAGE, sealcam::format("another device has the name '{}'; choose another name", name));
  }
  return {};
}

template <class Record>
Outcome<> add_record(std::vector<Record>& records, const protocol::DeviceDescriptor& descriptor,
                     const std::string& name) {
  const auto id = descriptor.identity.id();
  if (auto r = check_name_free(records, id, name); !r) return r;
  auto& record = find_or_add(records, id);
  record.name = name;
  record.identity = descriptor.identity;
  record.hpke = descriptor.hpke;
  // The device may be one that the owner is removing.
  if constexpr (requires { record.unlinked; }) record.unlinked = false;
  else record.removed = false;
  return {};
}

Outcome<> add_device(Account& account, const protocol::DeviceDescriptor& descriptor, const std::string& name) {
  auto file = account.file();
  if (descriptor.role != Role::camera) free_name(file, name);
  auto added = descriptor.role == Role::camera ? add_record(file.cameras, descriptor, name)
                                               : add_record(file.hubs, descriptor, name);
  if (!added) return added;
  if (file.hubs.size() > protocol::Roster::max_hubs)
    return failure(EX_USAGE, sealcam::format("this account already has {} hubs, which is the maximum; unlink one first",
                                             protocol::Roster::max_hubs));
  return account.store(std::move(file));
}

}  // namespace

Outcome<DeviceRequest> read_device_request(const StateFiles& files, Role role) {
  const auto descriptor = read_device_descriptor(files, role);
  if (!descriptor) return std::unexpected(descriptor.error());
  auto message = read(files.descriptor(), protocol::max_control_size);
  if (!message) return std::unexpected(message.error());
  const auto request = read(files.tls_request(), max_request);
  if (!request) return std::unexpected(request.error());
  return DeviceRequest{*descriptor, std::move(*message), std::string(as_text(*request))};
}

Outcome<AuthorizationRequest> authorization_request(const Account& account, const DeviceRequest& device) {
  const auto& descriptor = device.descriptor;
  const auto name = transport::requested_name(device.request_pem);
  const auto key = transport::requested_key(device.request_pem);
  if (!name || !key) return failure(name ? key.error() : name.error(), "the device's certificate request is not valid");
  if (*name != descriptor.identity.id().to_string())
    return failure(EX_CONFIG, "the certificate request is for another device; reset the device and start again");
  if (!descriptor.tls || !equal(*key, descriptor.tls->bytes()))
    return failure(EX_CONFIG,
                   "the device did not sign the key of its certificate request; reset the device and start "
                   "again");
  auto authorization = protocol::encode_authorization({.role = descriptor.role,
                                                       .device = descriptor.identity.id(),
                                                       .owner = account.key().public_key(),
                                                       .tls = descriptor.tls},
                                                      account.key());
  if (!authorization) return failure(authorization.error(), "cannot sign the authorization");
  return AuthorizationRequest{device.request_pem, device.signed_descriptor, std::move(*authorization)};
}

Outcome<std::vector<AuthorizationRequest>> requests_of_this_machine(const Account& account) {
  std::vector<AuthorizationRequest> out;
  const auto both = this_machine(account);
  if (!both) return std::unexpected(both.error());
  for (const auto& [files, role] : *both) {
    if (device::read_enrollment(files)) continue;
    const auto device = read_device_request(files, role);
    if (!device) return std::unexpected(device.error());
    auto made = authorization_request(account, *device);
    if (!made) return std::unexpected(made.error());
    out.push_back(std::move(*made));
  }
  return out;
}

Outcome<> connect_account(const Account& account, const Operator& broker) {
  if (auto r = enroll_this_machine(account, broker); !r) return std::unexpected(r.error());
  // Also if both are enrolled, because the command that enrolled them may have been interrupted.
  if (auto r = broker.apply(); !r) return std::unexpected(r.error());
  return {};
}

Outcome<> check_enrollment_options(const Account& account, const EnrollmentOptions& options, Role role,
                                   const DeviceId& device) {
  if (auto r = check_name(options.name); !r) return r;
  const auto& file = account.file();
  return role == Role::camera ? check_name_free(file.cameras, device, options.name)
                              : check_name_free(file.hubs, device, options.name);
}

Outcome<bool> prepare_enrollment(const Account& account, const EnrollmentOptions& options, Role role,
                                 const DeviceId& device) {
  if (auto r = check_enrollment_options(account, options, role, device); !r) return std::unexpected(r.error());
  return enroll_this_machine(account, *options.broker);
}

Outcome<EnrollmentBundle> make_enrollment_bundle(Account& account, const DeviceRequest& device,
                                                 const EnrollmentOptions& options, const Clock& clock) {
  const auto& descriptor = device.descriptor;
  const auto address = address_for_device(account, options);
  if (!address) return std::unexpected(address.error());
  const bool is_camera = descriptor.role == Role::camera;
  auto enrollment = authorize_device(account, device, *options.broker, *address, is_camera ? options.name : "");
  if (!enrollment) return std::unexpected(enrollment.error());
  const auto access = options.broker->write_lists();
  if (!access) return std::unexpected(access.error());
  if (auto r = add_device(account, descriptor, options.name); !r) return std::unexpected(r.error());
  if (auto r = renew_rosters(account, clock); !r) return std::unexpected(r.error());
  EnrollmentBundle bundle{std::move(*enrollment), std::nullopt, *access};
  if (!is_camera) return bundle;
  const auto camera = std::ranges::find(account.file().cameras, descriptor.identity.id(), &CameraRecord::id);
  auto roster = signed_roster(account, *camera);
  if (!roster) return std::unexpected(roster.error());
  bundle.roster = std::move(*roster);
  return bundle;
}

Outcome<bool> finish_access(const Operator& broker, const EnrollmentBundle& bundle) {
  if (bundle.access == BrokerAccess::pending) return broker.apply();
  return bundle.access == BrokerAccess::applied;
}

/// The steps of enroll() after prepare_enrollment().
static Outcome<Enrolled> enroll_prepared(Account& account, const EnrollRequest& request, const StateFiles& files,
                                         const DeviceRequest& device, const Clock& clock) {
  const auto id = device.descriptor.identity.id();
  const auto bundle = make_enrollment_bundle(account, device, request.options, clock);
  if (!bundle) return std::unexpected(bundle.error());
  if (bundle->roster) {
    const auto camera = std::ranges::find(account.file().cameras, id, &CameraRecord::id);
    if (auto r = install_roster(account, *camera, files.folder); !r) return std::unexpected(r.error());
  }
  // Written last, because it marks the device as enrolled.
  if (auto r = store_enrollment(files, bundle->enrollment); !r) return std::unexpected(r.error());
  const auto reloaded = finish_access(*request.options.broker, *bundle);
  if (!reloaded) return std::unexpected(reloaded.error());
  return Enrolled{id, *reloaded, "", ""};
}

Outcome<DeviceRequest> local_device(const Account& account, Role role, const std::filesystem::path& state) {
  const StateFiles files{state};
  if (auto r = ensure_device_keys(files, role); !r) return std::unexpected(r.error());
  auto device = read_device_request(files, role);
  if (!device) return device;
  if (auto r = check_owner(account, files); !r) return std::unexpected(r.error());
  return device;
}

Outcome<Enrolled> enroll(Account& account, const EnrollRequest& request, const Clock& clock) {
  if (auto r = check_name(request.options.name); !r) return std::unexpected(r.error());
  if (auto r = request.options.broker->address(account.id()); !r) return std::unexpected(r.error());
  const StateFiles files{request.state};
  const auto device = local_device(account, request.role, request.state);
  if (!device) return std::unexpected(device.error());
  const auto id = device->descriptor.identity.id();
  const auto connected = prepare_enrollment(account, request.options, request.role, id);
  if (!connected) return std::unexpected(connected.error());
  auto enrolled = enroll_prepared(account, request, files, *device, clock);
  // Otherwise the broker would not know this machine.
  if (!enrolled && *connected) (void)request.options.broker->apply();
  return enrolled;
}

}  // namespace sealcam::owner
