// SPDX-License-Identifier: Apache-2.0
/// Words of strangers, made fit for a terminal, a log or a page. Reentrant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sealcam {

/// `text` with each of these replaced by a question mark: control characters (C0, DEL and C1, which terminals obey also
/// as UTF-8), line and paragraph separators, marks that turn the direction of writing (Unicode UAX 9, section 2), and
/// bytes that are not UTF-8 (RFC 3629). At most `most` bytes; what is longer is cut between two characters.
[[nodiscard]] std::string printable(std::string_view text, std::size_t most);

}  // namespace sealcam
