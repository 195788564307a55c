// SPDX-License-Identifier: Apache-2.0
/// Certificate revocation lists (RFC 5280 section 5). Certificates of devices have no end, so a broker needs a list
/// from its first start. Reentrant.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "transport/tls/certificate.hpp"

namespace sealcam::transport {

/// The serial number of a certificate (PEM; the first of a chain), big-endian. Errors: malformed.
[[nodiscard]] Result<Bytes> certificate_serial(std::string_view certificate_pem);

/// A signed list (PEM, "X509 CRL") of revoked serial numbers. thisUpdate is `number` seconds after the beginning of
/// 2020, because clocks may be wrong: it increases with each list and is never in the future. nextUpdate is 99991231,
/// the cRLNumber is `number`. Errors: malformed (authority), wrong_key (the key does not belong to the authority),
/// invalid_argument (a serial number with 0 or more than 20 bytes, or a number from 2050 on), crypto.
[[nodiscard]] Result<std::string> make_revocation_list(std::string_view authority_pem, const TlsKey& authority_key,
                                                       std::uint64_t number, std::span<const Bytes> serials);

}  // namespace sealcam::transport
