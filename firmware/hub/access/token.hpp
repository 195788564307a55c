// SPDX-License-Identifier: Apache-2.0
/// Access tokens of the hub's clients, and their text form in access.json. Reentrant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "crypto/psa.hpp"

namespace sealcam::hub::access {

/// Each right includes the ones before it.
enum class Rights : std::uint8_t {
  metrics,  ///< /metrics only
  view,     ///< page, state, snapshots, streams
  privacy,  ///< also switches privacy
};
[[nodiscard]] constexpr bool allows(Rights have, Rights needed) noexcept { return have >= needed; }
/// "metrics", "view" or "privacy".
[[nodiscard]] std::string_view name(Rights rights) noexcept;
[[nodiscard]] std::optional<Rights> parse_rights(std::string_view text) noexcept;

/// 32 random bytes as base64url (43 characters): a token or a one-time code. Errors: crypto.
[[nodiscard]] Result<std::string> make_secret();
/// True if the text has the form of a token or a code.
[[nodiscard]] bool is_secret(std::string_view text) noexcept;

/// The hub stores SHA-256 of a token's text, never the token.
using TokenHash = crypto::Digest;
/// Errors: crypto.
[[nodiscard]] Result<TokenHash> hash_of(std::string_view secret);

struct Token {
  std::string name;
  Rights rights = Rights::metrics;
  TokenHash hash{};
  CaptureTime created;
  CaptureTime used;      ///< the last use, exact to a day
  bool browser = false;  ///< made by the hub for a browser; ends if it is not used
};
using Tokens = std::vector<Token>;

inline constexpr std::size_t max_name = 64;
/// All browsers have names that begin with this text; a command cannot create such a name.
inline constexpr std::string_view browser_prefix = "browser";
/// 1 to 64 characters: letters, digits, space and `._@-`, no space at an end.
[[nodiscard]] bool is_name(std::string_view text) noexcept;

/// At most 64 tokens of commands and 32 of browsers; unique hashes. Errors: malformed.
[[nodiscard]] Result<Tokens> parse_tokens(std::string_view json);
[[nodiscard]] std::string to_json(const Tokens& tokens);

inline constexpr std::size_t max_tokens = 64;
inline constexpr std::size_t max_browsers = 32;
inline constexpr std::size_t max_browsers_of_one_name = 4;

}  // namespace sealcam::hub::access
