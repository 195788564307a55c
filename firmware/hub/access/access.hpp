// SPDX-License-Identifier: Apache-2.0
/// Decides which clients of the web server have access: tokens, and one-time codes that a browser exchanges for a
/// token. Thread-bound. access.json in the hub's state folder, mode 0600, has the tokens. A running hub and the command
/// `sealcam-hub token` change it at the same time, so each change locks, reads, and replaces the file.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
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

/// Changes the list; an error leaves the stored list as it was.
using TokenChange = std::function<Result<>(Tokens&)>;

/// Thread-bound.
class TokenStore {
 public:
  virtual ~TokenStore() = default;
  /// The tokens if they changed since the last call of this object; the first call returns them. Errors: malformed,
  /// permission, io.
  [[nodiscard]] Result<std::optional<Tokens>> read_if_changed() { return do_read_if_changed(); }
  /// Applies `change` to the newest list, stores the result and returns it. Errors: those of `change`, malformed,
  /// conflict (another process kept the lock for a second), permission, io.
  [[nodiscard]] Result<Tokens> update(const TokenChange& change) { return do_update(change); }

 private:
  virtual Result<std::optional<Tokens>> do_read_if_changed() = 0;
  virtual Result<Tokens> do_update(const TokenChange& change) = 0;
};

class TokenFile final : public TokenStore {
 public:
  /// The files access.json and access.lock in `folder`.
  explicit TokenFile(const std::filesystem::path& folder)
      : file_(folder / "access.json"), lock_(folder / "access.lock") {}

 private:
  /// Tells two contents apart, because each change replaces the file.
  struct Version {
    ino_t inode = 0;
    std::int64_t seconds = 0, nanoseconds = 0, size = 0;
    friend bool operator==(const Version&, const Version&) = default;
  };
  Result<std::optional<Tokens>> do_read_if_changed() override;
  Result<Tokens> do_update(const TokenChange& change) override;
  [[nodiscard]] Version version() const;
  [[nodiscard]] Result<Tokens> read() const;

  std::filesystem::path file_, lock_;
  std::optional<Version> known_;
};

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
