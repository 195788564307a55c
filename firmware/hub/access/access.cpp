// SPDX-License-Identifier: Apache-2.0
#include "hub/access/access.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <thread>
#include <tuple>

#include "base/bytes.hpp"
#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"

namespace sealcam::hub::access {
namespace {

constexpr std::size_t secret_size = 32;
constexpr std::size_t secret_length = 43;              // of the base64url text
constexpr std::int64_t max_seconds = 253'402'300'799;  // the end of the year 9999

std::int64_t seconds(CaptureTime time) { return std::chrono::floor<std::chrono::seconds>(time.since_epoch).count(); }

CaptureTime read_time(ConfigReader& reader, const std::string& pointer) {
  return {std::chrono::seconds(reader.integer(pointer, 0, 0, max_seconds))};
}

Token read_token(ConfigReader& reader, const std::string& at) {
  Token token;
  token.name = reader.required_text(at + "/name");
  if (!is_name(token.name)) reader.reject(at + "/name", "is not a name of a token");
  const auto rights = parse_rights(reader.required_text(at + "/rights"));
  if (rights) token.rights = *rights;
  else reader.reject(at + "/rights", "must be metrics, view or privacy");
  const auto hash = from_base64url(reader.required_text(at + "/hash"));
  if (hash && hash->size() == token.hash.size()) std::ranges::copy(*hash, token.hash.begin());
  else reader.reject(at + "/hash", "must be 32 bytes in base64url");
  token.created = read_time(reader, at + "/created");
  token.used = read_time(reader, at + "/used");
  token.browser = reader.boolean(at + "/browser", false);
  return token;
}

}  // namespace

std::string_view name(Rights rights) noexcept {
  switch (rights) {
    case Rights::metrics: return "metrics";
    case Rights::view: return "view";
    case Rights::privacy: return "privacy";
  }
  return "";
}

std::optional<Rights> parse_rights(std::string_view text) noexcept {
  for (const auto rights : {Rights::metrics, Rights::view, Rights::privacy})
    if (text == name(rights)) return rights;
  return std::nullopt;
}

Result<std::string> make_secret() {
  std::array<std::byte, secret_size> bytes{};
  if (auto r = crypto::random(bytes); !r) return std::unexpected(r.error());
  auto text = to_base64url(bytes);
  wipe(bytes);
  return text;
}

bool is_secret(std::string_view text) noexcept {
  return text.size() == secret_length && std::ranges::all_of(text, [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

Result<TokenHash> hash_of(std::string_view secret) { return crypto::sha256(as_bytes(secret)); }

bool is_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > max_name || text.front() == ' ' || text.back() == ' ') return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view(" ._@-").contains(c);
  });
}

Result<Tokens> parse_tokens(std::string_view json) {
  ConfigReader reader(json);
  if (reader.integer("/version", 0, 0, max_seconds) != 1) reader.reject("/version", "must be 1");
  Tokens tokens;
  const auto count = reader.size("/tokens");
  if (count > max_tokens + max_browsers) return fail(Errc::malformed, "access.json: too many tokens");
  for (std::size_t i = 0; i < count; ++i) {
    auto token = read_token(reader, sealcam::format("/tokens/{}", i));
    if (std::ranges::contains(tokens, token.hash, &Token::hash))
      return fail(Errc::malformed, "access.json: a token is listed twice");
    tokens.push_back(std::move(token));
  }
  if (const auto wrong = reader.finish()) return std::unexpected(located({Errc::malformed, 0, "access.json"}, *wrong));
  return tokens;
}

std::string to_json(const Tokens& tokens) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& token : tokens)
    list.push_back({{"name", token.name},
                    {"rights", name(token.rights)},
                    {"hash", to_base64url(token.hash)},
                    {"created", seconds(token.created)},
                    {"used", seconds(token.used)},
                    {"browser", token.browser}});
  return nlohmann::ordered_json{{"version", 1}, {"tokens", std::move(list)}}.dump(1) + "\n";
}

namespace {

constexpr std::size_t max_file = 64U << 10;
constexpr int lock_tries = 50;
constexpr std::chrono::milliseconds lock_pause{20};

Result<UniqueFd> lock(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd)
    return std::unexpected(located(
        {errno == EACCES ? Errc::permission : Errc::io, errno, "opening the lock of access.json"}, path.native()));
  for (int i = 0; i < lock_tries; ++i) {
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK && errno != EINTR) return fail(Errc::io, "locking access.json", errno);
    std::this_thread::sleep_for(lock_pause);
  }
  return std::unexpected(located({Errc::conflict, 0, "another process keeps access.json locked"}, path.native()));
}

}  // namespace

TokenFile::Version TokenFile::version() const {
  struct stat info{};
  if (::stat(file_.c_str(), &info) != 0) return {};
  return {info.st_ino, info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_size};
}

Result<Tokens> TokenFile::read() const {
  const auto content = read_file(file_, max_file);
  if (!content && content.error().code == Errc::not_found) return Tokens();
  if (!content) return std::unexpected(content.error());
  return parse_tokens(as_text(*content));
}

Result<std::optional<Tokens>> TokenFile::do_read_if_changed() {
  // The version first: a change during the read is then noticed by the next call.
  const auto now = version();
  if (known_ == now) return std::nullopt;
  auto tokens = read();
  known_ = now;  // also of a damaged file, so that each call does not read it again
  if (!tokens) return std::unexpected(tokens.error());
  return std::move(*tokens);
}

Result<Tokens> TokenFile::do_update(const TokenChange& change) {
  const auto locked = lock(lock_);
  if (!locked) return std::unexpected(locked.error());
  auto tokens = read();
  if (!tokens) return std::unexpected(tokens.error());
  if (auto r = change(*tokens); !r) return std::unexpected(r.error());
  if (auto r = write_file_durably(file_, as_bytes(to_json(*tokens))); !r) return std::unexpected(r.error());
  known_ = version();
  return tokens;
}

namespace {

constexpr std::chrono::hours day{24};
constexpr std::chrono::minutes store_pause{1};

}  // namespace

Result<> Access::load() {
  auto tokens = store_.read_if_changed();
  if (!tokens) return std::unexpected(tokens.error());
  if (*tokens) set(std::move(**tokens));
  return {};
}

void Access::set(Tokens tokens) {
  tokens.insert(tokens.end(), unsaved_.begin(), unsaved_.end());
  tokens_ = std::move(tokens);
  std::erase_if(seen_, [&](const auto& entry) { return !std::ranges::contains(tokens_, entry.first, &Token::hash); });
}

void Access::refresh() {
  if (auto r = load(); !r) {
    // The content is unknown, so no client has access until the file is correct again.
    set({});
    if (store_log_.allow(clock_.monotonic())) log_.error("{}{}", to_string(r.error()), store_log_.note());
  }
}

// A board's wall clock may be wrong until it has the time of the network, so a use in this run also counts.
bool Access::expired(const Token& token) const {
  if (!token.browser || clock_.wall().since_epoch - token.used.since_epoch <= browser_time) return false;
  const auto seen = seen_.find(token.hash);
  return seen == seen_.end() || clock_.boot() - seen->second > browser_time;
}

std::optional<Grant> Access::find(std::string_view token) {
  if (!is_secret(token)) return std::nullopt;
  const auto hash = hash_of(token);
  if (!hash) return std::nullopt;
  refresh();
  Token* found = nullptr;
  for (auto& known : tokens_)
    if (crypto::equal_secrets(known.hash, *hash)) found = &known;
  if (found == nullptr || expired(*found)) return std::nullopt;
  mark_used(*found);
  return Grant{found->rights, found->hash};
}

void Access::mark_used(Token& token) {
  seen_[token.hash] = clock_.boot();
  if (clock_.wall().since_epoch - token.used.since_epoch < day) return;
  token.used = clock_.wall();
  dates_changed_ = true;
}

bool Access::still_valid(const TokenHash& token) {
  const auto known = std::ranges::find(tokens_, token, &Token::hash);
  if (known == tokens_.end() || expired(*known)) return false;
  mark_used(*known);
  return true;
}

Result<std::string> Access::make_code(std::string_view user) {
  auto code = make_secret();
  if (!code) return code;
  const auto hash = hash_of(*code);
  if (!hash) return std::unexpected(hash.error());
  if (codes_.size() >= max_codes) codes_.erase(codes_.begin());
  const auto name = sealcam::format("{} of {}", browser_prefix, user);
  codes_.push_back({*hash, clock_.boot(), is_name(name) ? name : sealcam::format("{} of unknown", browser_prefix)});
  return code;
}

std::optional<Access::Code> Access::take_code(const TokenHash& hash) {
  std::erase_if(codes_, [&](const Code& code) { return clock_.boot() - code.made > code_time; });
  auto found = codes_.end();
  for (auto code = codes_.begin(); code != codes_.end(); ++code)
    if (crypto::equal_secrets(code->hash, hash)) found = code;
  if (found == codes_.end()) return std::nullopt;
  auto code = std::move(*found);
  codes_.erase(found);
  return code;
}

Result<std::string> Access::redeem(std::string_view text) {
  const auto now = clock_.boot();
  if (now - minute_ >= std::chrono::minutes(1)) {
    minute_ = now;
    wrong_codes_ = 0;
  }
  if (wrong_codes_ >= max_wrong_codes) return fail(Errc::exhausted, "too many wrong codes");
  const auto hash = hash_of(text);
  if (!hash) return std::unexpected(hash.error());
  const auto code = is_secret(text) ? take_code(*hash) : std::nullopt;
  if (!code) {
    ++wrong_codes_;
    return fail(Errc::not_found, "a wrong, used or expired code");
  }
  auto secret = make_secret();
  if (!secret) return secret;
  const auto token_hash = hash_of(*secret);
  if (!token_hash) return std::unexpected(token_hash.error());
  const Token token{code->user, Rights::privacy, *token_hash, clock_.wall(), clock_.wall(), true};
  seen_[token.hash] = now;
  unsaved_.push_back(token);
  if (unsaved_.size() > max_browsers) unsaved_.erase(unsaved_.begin());
  store_again();
  log_.info("access for a {}", token.name);
  return secret;
}

// Removes expired browsers, then the ones that were not used for the longest time.
void Access::make_room(Tokens& tokens, std::string_view name) const {
  std::erase_if(tokens, [&](const Token& token) { return expired(token); });
  const auto last_use = [&](const Token& token) {
    const auto seen = seen_.find(token.hash);
    return std::tuple(seen != seen_.end() ? seen->second : BootTime{}, token.used, token.created);
  };
  const auto limit = [&](std::size_t max, auto counts) {
    while (std::ranges::count_if(tokens, counts) >= static_cast<std::ptrdiff_t>(max)) {
      auto oldest = tokens.end();
      for (auto token = tokens.begin(); token != tokens.end(); ++token)
        if (counts(*token) && (oldest == tokens.end() || last_use(*token) < last_use(*oldest))) oldest = token;
      tokens.erase(oldest);
    }
  };
  limit(max_browsers_of_one_name, [&](const Token& token) { return token.browser && token.name == name; });
  limit(max_browsers, [](const Token& token) { return token.browser; });
}

void Access::store_again() {
  next_store_ = clock_.boot() + store_pause;
  auto stored = store_.update([this](Tokens& tokens) -> Result<> {
    for (auto& token : tokens) {
      const auto known = std::ranges::find(tokens_, token.hash, &Token::hash);
      if (known != tokens_.end()) token.used = std::max(token.used, known->used);
    }
    for (const auto& token : unsaved_) {
      make_room(tokens, token.name);
      tokens.push_back(token);
    }
    return {};
  });
  if (stored) {
    unsaved_.clear();
    dates_changed_ = false;
    return set(std::move(*stored));
  }
  if (store_log_.allow(clock_.monotonic()))
    log_.warning("cannot store the access of new browsers, so it ends when the hub stops: {}{}",
                 to_string(stored.error()), store_log_.note());
  for (const auto& token : unsaved_)
    if (!std::ranges::contains(tokens_, token.hash, &Token::hash)) tokens_.push_back(token);
}

void Access::tick() {
  refresh();
  if ((dates_changed_ || !unsaved_.empty()) && clock_.boot() >= next_store_) store_again();
}

}  // namespace sealcam::hub::access
