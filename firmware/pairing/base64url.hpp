// SPDX-License-Identifier: Apache-2.0
/// base64url without padding (RFC 4648 section 5): binary parts of JSON bodies. Reentrant.
#pragma once

#include <string>
#include <string_view>

#include "core/bytes.hpp"

namespace sealcam::pairing {

[[nodiscard]] std::string to_base64url(ByteView bytes);
/// One spelling for each content: no padding, no white space, unused bits zero. Errors: malformed.
[[nodiscard]] Result<Bytes> from_base64url(std::string_view text);

}  // namespace sealcam::pairing
