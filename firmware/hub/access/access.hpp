// SPDX-License-Identifier: Apache-2.0
/// Decides which clients of the web server have access: tokens, and one-time codes that a browser exchanges for a
/// token. Thread-bound.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "hub/access/token_file.hpp"

namespace sealcam::hub::access {

/// The access of one request or connection.
struct Grant {
  Rights rights = Rights::metrics;
  TokenHash token{};
};

class Access {
 public:
  /// A one-time code is valid for this time, by the clock that continues while the machine sleeps.
  static constexpr std::chrono::seconds code_time{60};
  /// Wrong codes per minute, of all clients together. Then no code is accepted until the minute is over.
  static constexpr unsigned max_wrong_codes = 20;
  static constexpr std::size_t max_codes = 8;  ///< a newer code replaces the oldest
  /// A browser that did not use its token for this time needs a new code.
  static constexpr std::chrono::hours browser_time{90 * 24};

  /// All references must outlive the object.
  Access(TokenStore& store, const Clock& clock, Log& log) : store_(store), clock_(clock), log_(log) {}

  /// Reads the tokens. Call it once at the start. Errors: malformed, permission, io.
  [[nodiscard]] Result<> load();

  /// Nothing for an unknown, deleted or expired token. Compares with every token in constant time.
  [[nodiscard]] std::optional<Grant> find(std::string_view token);
  /// For open connections: false after the token was deleted or expired. Counts as a use.
  [[nodiscard]] bool still_valid(const TokenHash& token);

  /// A new code for a browser. `user` becomes part of the token's name; an invalid name counts as unknown.
  /// Errors: crypto.
  [[nodiscard]] Result<std::string> make_code(std::string_view user);
  /// Exchanges a code for a token with the right privacy. Without a working disk the token is valid until the hub
  /// stops. Errors: not_found (wrong, used or expired), exhausted (too many wrong codes), crypto.
  [[nodiscard]] Result<std::string> redeem(std::string_view code);

  /// Reads the tokens again if the command `token` changed them, and stores the dates of the last uses. Call this about
  /// ten times a second.
  void tick();

 private:
  struct Code {
    TokenHash hash{};
    BootTime made;
    std::string user;
  };
  void set(Tokens tokens);
  void refresh();
  [[nodiscard]] bool expired(const Token& token) const;
  void mark_used(Token& token);
  [[nodiscard]] std::optional<Code> take_code(const TokenHash& hash);
  void make_room(Tokens& tokens, std::string_view name) const;
  void store_again();

  TokenStore& store_;
  const Clock& clock_;
  Log& log_;
  Tokens tokens_;
  Tokens unsaved_;  ///< of browsers, while the disk does not work
  std::vector<Code> codes_;
  std::map<TokenHash, BootTime> seen_;  ///< the last use in this run of the hub
  BootTime minute_{};                   ///< the start of the minute of `wrong_codes_`
  unsigned wrong_codes_ = 0;
  BootTime next_store_{};
  bool dates_changed_ = false;
  RateLimit store_log_{std::chrono::minutes(1)};
};

}  // namespace sealcam::hub::access
