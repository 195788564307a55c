// SPDX-License-Identifier: Apache-2.0
/// A release, as its bundle describes it, and the two slots of the card, as RAUC reports them. RAUC verified the
/// signature of a bundle before it prints its description. Reentrant.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/types.hpp"

namespace sealcam::update {

/// Bytes of an answer of RAUC. Real ones have 4 KiB.
inline constexpr std::size_t max_answer = std::size_t{256} * 1024;
/// Bytes of a text from outside that a status file or a log shows.
inline constexpr std::size_t max_shown = 200;

/// N.N.N, each of at most nine digits and without leading zeros.
struct Version {
  std::uint32_t major = 0, minor = 0, patch = 0;
  friend auto operator<=>(const Version&, const Version&) = default;
};
[[nodiscard]] std::optional<Version> parse_version(std::string_view text);
[[nodiscard]] std::string to_string(const Version& version);

/// A part of all devices, in hundredths of a percent: 0 to 10,000.
using Share = Strong<struct ShareTag, std::uint32_t>;
inline constexpr Share everyone{10'000};
/// "0" to "100" with at most two decimals.
[[nodiscard]] std::optional<Share> parse_share(std::string_view text);
/// "0.5", "10", "100".
[[nodiscard]] std::string to_string(Share share);

/// The device's place among 10,000 buckets for one version: the first 8 bytes of SHA-256(id, version as text),
/// big-endian, modulo 10,000. A device gets the version if its bucket is less than the share. A larger share therefore
/// contains the devices of a smaller one, and the first devices differ from version to version. Errors: crypto.
[[nodiscard]] Result<std::uint32_t> bucket(const DeviceId& device, const Version& version);

struct Release {
  std::string compatible;  ///< "sealcam-BOARD"
  Version version;
  /// Boards with an older version do not install it directly. A board that confirmed this release never goes back to a
  /// version before this one.
  Version minimum{};
  Share share = everyone;
  std::string hash{};  ///< of the manifest, hexadecimal
  friend bool operator==(const Release&, const Release&) = default;
};

/// Reads the answer of `rauc info --output-format=json-2`. Unknown members are ignored. The error is for people:
/// it names the missing or wrong member.
[[nodiscard]] std::expected<Release, std::string> parse_release(std::string_view json);

/// A slot is a pair of partitions, boot and root.
struct Slot {
  std::string name;  ///< "a" or "b"
  std::string hash;  ///< of the manifest that was installed there; empty if unknown
};
struct Slots {
  Slot running;
  bool selected = false;  ///< each ordinary start selects the running slot; false: it is on trial
  Slot other;
};

/// Reads the answer of `rauc status --detailed --output-format=json`. Exactly two slots must have a boot name.
/// The error is for people.
[[nodiscard]] std::expected<Slots, std::string> parse_slots(std::string_view json);

}  // namespace sealcam::update
