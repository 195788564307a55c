// SPDX-License-Identifier: Apache-2.0
/// Countries whose rules for Wi-Fi the kernel knows.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "core/bytes.hpp"

namespace sealcam::appliance {

inline constexpr std::size_t largest_rules = std::size_t{256} * 1024;  ///< bytes of wireless-regdb's file; it has 5 KiB

/// ISO 3166-1 alpha-2 in capitals, as far as its form says.
[[nodiscard]] bool is_country(std::string_view text);

/// Whether wireless-regdb has rules for a country (regulatory.db(5), version 20). Nothing where `database` is no such
/// file, so that it cannot be known.
[[nodiscard]] std::optional<bool> has_rules(ByteView database, std::string_view country);
/// The same of a file; nothing, too, where there is none.
[[nodiscard]] std::optional<bool> has_rules(const std::filesystem::path& database, std::string_view country);

}  // namespace sealcam::appliance
