// SPDX-License-Identifier: Apache-2.0
#include "update/release.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/config.hpp"
#include "base/format.hpp"
#include "crypto/psa.hpp"

namespace sealcam::update {

namespace {

using Json = nlohmann::json;

constexpr std::size_t max_digits = 9;
constexpr std::size_t max_text = 128;  ///< bytes of a name or a hash

/// Decimal digits only, without leading zeros.
std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  if (text.empty() || text.size() > max_digits || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A text member of an object; nothing if it is missing, of another type, or too long.
std::optional<std::string> text(const Json& object, const char* key) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  auto value = found->get<std::string>();
  if (value.size() > max_text) return std::nullopt;
  return value;
}

const Json& member(const Json& object, const char* key) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(key);
  return found == object.end() ? none : *found;
}

bool is_hash(std::string_view value) {
  return value.size() == 64 &&
         std::ranges::all_of(value, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::unexpected<std::string> missing(std::string_view what) {
  return std::unexpected(sealcam::format("RAUC's answer has no valid {}", what));
}

}  // namespace

std::optional<Version> parse_version(std::string_view given) {
  std::array<std::uint32_t, 3> parts{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto dot = given.find('.');
    if ((dot == std::string_view::npos) != (i == 2)) return std::nullopt;
    const auto part = number(given.substr(0, dot));
    if (!part) return std::nullopt;
    parts[i] = *part;
    if (i < 2) given.remove_prefix(dot + 1);
  }
  return Version{parts[0], parts[1], parts[2]};
}

std::string to_string(const Version& v) { return sealcam::format("{}.{}.{}", v.major, v.minor, v.patch); }

std::optional<Share> parse_share(std::string_view given) {
  const auto dot = given.find('.');
  const auto whole = number(given.substr(0, dot));
  if (!whole || *whole > 100) return std::nullopt;
  std::uint32_t hundredths = 0;
  if (dot != std::string_view::npos) {
    const auto decimals = given.substr(dot + 1);
    if (decimals.empty() || decimals.size() > 2 ||
        !std::ranges::all_of(decimals, [](char c) { return c >= '0' && c <= '9'; }))
      return std::nullopt;
    for (std::size_t i = 0; i < 2; ++i)
      hundredths = hundredths * 10 + (i < decimals.size() ? static_cast<std::uint32_t>(decimals[i] - '0') : 0);
  }
  const Share share(*whole * 100 + hundredths);
  return share > everyone ? std::nullopt : std::optional(share);
}

std::string to_string(Share share) {
  const auto whole = share.value() / 100, rest = share.value() % 100;
  if (rest == 0) return sealcam::format("{}", whole);
  return rest % 10 == 0 ? sealcam::format("{}.{}", whole, rest / 10) : sealcam::format("{}.{:02}", whole, rest);
}

Result<std::uint32_t> bucket(const DeviceId& device, const Version& version) {
  Bytes message(device.bytes().begin(), device.bytes().end());
  const auto name = to_string(version);
  const auto view = as_bytes(name);
  message.insert(message.end(), view.begin(), view.end());
  const auto digest = crypto::sha256(message);
  if (!digest) return std::unexpected(digest.error());
  return static_cast<std::uint32_t>(load_be<std::uint64_t>(*digest) % everyone.value());
}

std::expected<Release, std::string> parse_release(std::string_view answer) {
  if (answer.size() > max_answer) return std::unexpected("RAUC's answer is too large");
  if (auto error = json_error(answer)) return std::unexpected("RAUC's answer: " + *error);
  const auto all = Json::parse(answer);
  const auto& meta = member(member(all, "meta"), "sealcam");
  Release release;
  const auto compatible = text(member(all, "update"), "compatible");
  if (!compatible) return missing("update.compatible");
  release.compatible = *compatible;
  const auto hash = text(all, "manifest-hash");
  if (!hash || !is_hash(*hash)) return missing("manifest-hash");
  release.hash = *hash;
  const auto version = text(meta, "version").and_then(parse_version);
  if (!version) return missing("meta.sealcam.version");
  release.version = *version;
  const auto minimum = text(meta, "minimum-version").and_then(parse_version);
  if (!minimum || *minimum > *version) return missing("meta.sealcam.minimum-version");
  release.minimum = *minimum;
  const auto share = text(meta, "share").and_then(parse_share);
  if (!share) return missing("meta.sealcam.share");
  release.share = *share;
  return release;
}

std::expected<Slots, std::string> parse_slots(std::string_view answer) {
  if (answer.size() > max_answer) return std::unexpected("RAUC's answer is too large");
  if (auto error = json_error(answer)) return std::unexpected("RAUC's answer: " + *error);
  const auto all = Json::parse(answer);
  const auto booted = text(all, "booted");
  if (!booted || booted->empty()) return missing("booted");
  Slots slots;
  const auto& list = member(all, "slots");
  if (!list.is_array()) return missing("slots");
  for (const auto& entry : list) {
    if (!entry.is_object() || entry.size() != 1) return missing("slots");
    const auto& slot = entry.begin().value();
    const auto name = text(slot, "bootname");
    if (!name || name->empty()) continue;  // the other partition of a pair
    auto& place = *name == *booted ? slots.running : slots.other;
    if (!place.name.empty()) return missing("pair of slots");
    place.name = *name;
    place.hash = text(member(member(slot, "slot_status"), "bundle"), "hash").value_or("");
    if (&place == &slots.running) slots.selected = text(slot, "boot_status") == "good";
  }
  if (slots.running.name.empty() || slots.other.name.empty()) return missing("pair of slots");
  return slots;
}

}  // namespace sealcam::update
