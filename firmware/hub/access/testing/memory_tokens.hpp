// SPDX-License-Identifier: Apache-2.0
/// Access tokens in memory, for tests.
#pragma once

#include <string_view>
#include <utility>

#include "hub/access/access.hpp"

namespace sealcam::hub::access {

/// Thread-bound.
class MemoryTokens final : public TokenStore {
 public:
  /// Like a command in another process.
  void add(std::string_view name, Rights rights, std::string_view secret) {
    tokens_.push_back({std::string(name), rights, hash_of(secret).value(), {}, {}, false});
    changed_ = true;
  }
  void remove(std::string_view name) {
    std::erase_if(tokens_, [&](const Token& token) { return token.name == name; });
    changed_ = true;
  }
  [[nodiscard]] const Tokens& tokens() const noexcept { return tokens_; }
  bool disk_full = false;
  int writes = 0;

 private:
  Result<std::optional<Tokens>> do_read_if_changed() override {
    if (!std::exchange(changed_, false)) return std::nullopt;
    return tokens_;
  }
  Result<Tokens> do_update(const TokenChange& change) override {
    auto tokens = tokens_;
    if (auto r = change(tokens); !r) return std::unexpected(r.error());
    if (disk_full) return fail(Errc::io, "no space");
    ++writes;
    tokens_ = tokens;
    return tokens;
  }
  Tokens tokens_;
  bool changed_ = true;
};

}  // namespace sealcam::hub::access
