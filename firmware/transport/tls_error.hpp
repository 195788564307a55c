// SPDX-License-Identifier: Apache-2.0
/// mbedTLS's statuses as error codes with its own words. Internal to transport/.
#pragma once

#include <boost/system/error_code.hpp>
#include <cstdint>
#include <string>

namespace sealcam::transport {

/// `status` is one of mbedTLS's negative numbers. Reentrant.
[[nodiscard]] boost::system::error_code tls_error(int status);

/// What is wrong with a certificate, in one line; `flags` of mbedtls_ssl_get_verify_result(). Reentrant.
[[nodiscard]] std::string verify_words(std::uint32_t flags);

}  // namespace sealcam::transport
