// SPDX-License-Identifier: Apache-2.0
/// What a broker's operator does: admit a device that its owner vouches for, expel one, list them.
#pragma once

#include <string>
#include <vector>

#include "owner/access_list.hpp"
#include "owner/broker_setup.hpp"

namespace sealcam::owner {

struct AdmittedDevice {
  Admitted who;
  std::string certificate_pem;
  bool reloaded = false;  ///< a running broker was told
};

/// Checks the owner's statement against the request, signs the certificate, writes the device's access
/// block. Admitting a device again is allowed to the same account; another one's device has to be
/// expelled first, so that nobody moves a device who merely saw its request.
[[nodiscard]] Outcome<AdmittedDevice> admit(const BrokerFiles& files, std::string_view request_pem, ByteView admission);

/// What admit() would refuse, without admitting: the statement, the request, and whose the device is. Nothing is
/// written.
[[nodiscard]] Outcome<Admitted> check_admission(const BrokerFiles& files, std::string_view request_pem,
                                                ByteView admission);

/// Removes the access block; what the device still publishes or reads is refused. True when a running
/// broker was told. Fails when the device is not there.
[[nodiscard]] Outcome<bool> expel(const BrokerFiles& files, const DeviceId& device);

/// In ascending order of device.
[[nodiscard]] Outcome<std::vector<Admitted>> list_admitted(const BrokerFiles& files);

}  // namespace sealcam::owner
