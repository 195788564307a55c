// SPDX-License-Identifier: Apache-2.0
#include "hub/access/token.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/config.hpp"
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

}  // namespace sealcam::hub::access
