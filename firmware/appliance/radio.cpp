// SPDX-License-Identifier: Apache-2.0
#include "appliance/radio.hpp"

#include <linux/nl80211.h>

#include <algorithm>

#include "core/assert.hpp"

namespace sealcam::appliance {

bool is_country(std::string_view text) {
  return text.size() == 2 && std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

std::optional<bool> has_rules(ByteView database, std::string_view country) {
  SC_ASSERT(is_country(country));
  constexpr std::uint32_t magic = 0x52474442;  // "RGDB"
  constexpr std::uint32_t version = 20;
  constexpr std::size_t head = 8;
  constexpr std::size_t entry = 4;  // two letters, and where the country's rules are
  if (database.size() < head || load_be<std::uint32_t>(database) != magic ||
      load_be<std::uint32_t>(database.subspan(4)) != version)
    return std::nullopt;
  for (auto rest = database.subspan(head); rest.size() >= entry; rest = rest.subspan(entry)) {
    if (load_be<std::uint16_t>(rest.subspan(2)) == 0) return false;  // the end of the list
    if (as_text(rest.first(2)) == country) return true;
  }
  return std::nullopt;  // it breaks off
}

std::optional<bool> has_rules(const std::filesystem::path& database, std::string_view country) {
  const auto content = read_file(database, largest_rules);
  return content ? has_rules(ByteView(*content), country) : std::nullopt;
}

Result<> tell_country(GenericNetlink& kernel, std::string_view country, int looks, const std::function<void()>& pause) {
  SC_ASSERT(is_country(country) && looks > 0);
  const auto family = find_family(kernel, NL80211_GENL_NAME);
  if (!family) return std::unexpected(family.error());
  const auto wish = text_attribute(NL80211_ATTR_REG_ALPHA2, country);
  if (auto told = kernel.ask(*family, NL80211_CMD_REQ_SET_REG, wish); !told) return std::unexpected(told.error());
  // The kernel reads its database on its own time, and says nothing when a country is not in it.
  for (int look = 0; look < looks; ++look) {
    if (look > 0) pause();
    const auto rules = kernel.ask(*family, NL80211_CMD_GET_REG, {});
    if (!rules) return std::unexpected(rules.error());
    const auto now = find_attribute(*rules, NL80211_ATTR_REG_ALPHA2);
    if (now && as_text(*now).substr(0, 2) == country) return {};
  }
  return fail(Errc::timeout, "the kernel's rules for Wi-Fi did not become this country's");
}

}  // namespace sealcam::appliance
