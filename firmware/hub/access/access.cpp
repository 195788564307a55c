// SPDX-License-Identifier: Apache-2.0
#include "hub/access/access.hpp"

#include <algorithm>
#include <tuple>

#include "base/format.hpp"

namespace sealcam::hub::access {
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
    // The content is unknown, so nobody has access until the file is correct again.
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
