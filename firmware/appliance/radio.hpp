// SPDX-License-Identifier: Apache-2.0
/// The country whose rules the kernel's radios follow: cfg80211's regulatory domain, a wish of the user's told over
/// nl80211 (<linux/nl80211.h>). The kernel keeps it for all radios, also those that come later; brcmfmac hands it to
/// its firmware. Until one is told, the rules hold that are allowed everywhere.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "appliance/netlink.hpp"

namespace sealcam::appliance {

inline constexpr std::size_t largest_rules = std::size_t{256} * 1024;  ///< bytes of wireless-regdb's file; it has 5 KiB

/// ISO 3166-1 alpha-2 in capitals, as far as its form says.
[[nodiscard]] bool is_country(std::string_view text);

/// Whether wireless-regdb has rules for a country (regulatory.db(5), version 20). Nothing where `database` is no such
/// file, so that it cannot be known.
[[nodiscard]] std::optional<bool> has_rules(ByteView database, std::string_view country);
/// The same of a file; nothing, too, where there is none.
[[nodiscard]] std::optional<bool> has_rules(const std::filesystem::path& database, std::string_view country);

/// Tells the kernel, which loads cfg80211 for it when no radio did, and waits until its rules are that country's: it
/// looks `looks` times, with `pause` in between.
/// Errors: as GenericNetlink; not_found means a kernel without Wi-Fi, timeout that other rules still hold, because the
/// kernel's database has no such country, cannot be read, or is not signed for this kernel.
[[nodiscard]] Result<> tell_country(GenericNetlink& kernel, std::string_view country, int looks,
                                    const std::function<void()>& pause);

}  // namespace sealcam::appliance
