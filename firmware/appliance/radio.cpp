// SPDX-License-Identifier: Apache-2.0
#include "appliance/radio.hpp"

#include <algorithm>

#include "core/assert.hpp"
#include "core/file.hpp"

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

}  // namespace sealcam::appliance
