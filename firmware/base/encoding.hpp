// SPDX-License-Identifier: Apache-2.0
/// Text forms of binary data: hexadecimal, base32 and base64url (RFC 4648). Every content has one text in base32 and in
/// base64url: the decoders reject padding, white space and unused bits that are not zero. Reentrant.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace sealcam {

/// Lower case.
[[nodiscard]] std::string to_hex(ByteView bytes);
/// Either case, no separators. Errors: malformed.
[[nodiscard]] Result<Bytes> from_hex(std::string_view text);

/// RFC 4648 section 6, lower case, no padding.
[[nodiscard]] std::string to_base32(ByteView bytes);
/// Lower case only. The text must encode exactly out.size() bytes. Errors: malformed.
[[nodiscard]] Result<> from_base32(std::string_view text, MutableBytes out);

/// RFC 4648 section 5, no padding.
[[nodiscard]] std::string to_base64url(ByteView bytes);
/// Errors: malformed.
[[nodiscard]] Result<Bytes> from_base64url(std::string_view text);

}  // namespace sealcam
