// SPDX-License-Identifier: Apache-2.0
/// Access to a broker: an operator authorizes a device that its owner and the device itself signed for, and lists the
/// devices. revocation.hpp ends the access.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "owner/broker/access_list.hpp"
#include "owner/broker/broker_setup.hpp"

namespace sealcam::owner {

/// What an operator needs to authorize one device. The device signed the descriptor, which contains the key of the
/// certificate request. The owner signed the authorization.
struct AuthorizationRequest {
  std::string request_pem;
  Bytes descriptor;
  Bytes authorization;
};

struct AuthorizedDevice {
  Authorized device;
  std::string certificate_pem;
};

/// Compares id, role and TLS key in the device's descriptor, in the owner's authorization and in the certificate
/// request. Signs the certificate, and writes the record of the device. The broker accepts the device after
/// apply_authorizations(). An account can authorize its device again. A device of another account must be revoked
/// first. Otherwise anyone who saw its request could move the device to another account. Errors: EX_NOPERM (they
/// differ, another account, or the account has too many devices), EX_CONFIG (damaged).
[[nodiscard]] Outcome<AuthorizedDevice> authorize(const BrokerFiles& files, const AuthorizationRequest& request);

/// Writes the permissions of all authorized devices, and tells the running broker to read them. Returns whether such a
/// broker runs on this machine. RabbitMQ needs seconds for it. Therefore a command calls this function once, after
/// the last device.
[[nodiscard]] Outcome<bool> apply_authorizations(const BrokerFiles& files);

/// Makes the checks of authorize() and writes nothing.
[[nodiscard]] Outcome<Authorized> check_authorization(const BrokerFiles& files, const AuthorizationRequest& request);

/// Authorized devices in ascending order of the id.
[[nodiscard]] Outcome<std::vector<Authorized>> list_authorized(const BrokerFiles& files);

}  // namespace sealcam::owner
