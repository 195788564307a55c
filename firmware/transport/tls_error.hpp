// SPDX-License-Identifier: Apache-2.0
/// mbedTLS's statuses as error codes with its own words. Internal to transport/.
#pragma once

#include <boost/system/error_code.hpp>

namespace sealcam::transport {

/// `status` is one of mbedTLS's negative numbers. Reentrant.
[[nodiscard]] boost::system::error_code tls_error(int status);

}  // namespace sealcam::transport
