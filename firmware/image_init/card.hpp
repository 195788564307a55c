// SPDX-License-Identifier: Apache-2.0
/// Takes settings from the first partition of the SD card, which a PC shows, and stores them on the data partition.
///
/// sealcam.json contains {"name": "front-door", "wifi": {"ssid": "My network", "psk": "its passphrase"},
/// "country": "DE"}. All members are optional. For a network that does not broadcast its name, add {"hidden": true}
/// beside ssid and psk.
#pragma once

#include <array>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "protocol/command.hpp"

namespace sealcam::image_init {

inline constexpr std::size_t max_settings = std::size_t{16} * 1024;  ///< bytes of sealcam.json
inline constexpr std::size_t max_host_name = 63;                     ///< RFC 1123 section 2.1: one label
inline constexpr std::size_t max_rules = std::size_t{256} * 1024;    ///< bytes of regulatory.db; real ones have 5 KiB

struct Settings {
  std::string host_name;  ///< empty: not given
  std::optional<protocol::Wifi> wifi;
  bool wifi_hidden = false;  ///< the network does not broadcast its name
  std::string country;       ///< two capital letters of ISO 3166-1, or empty; has_rules() tells whether it exists
};

/// Parses the settings strictly: an unknown member is an error. The error is a text for people without the passphrase.
[[nodiscard]] std::expected<Settings, std::string> parse_settings(std::string_view json);

/// Derives a host name from a camera's name: "Front door" becomes "front-door". Keeps ASCII letters and digits, and
/// replaces each other sequence by one hyphen. Empty if nothing remains.
[[nodiscard]] std::string host_name_of(std::string_view name);

/// Whether the text is two capital letters, as in ISO 3166-1 alpha-2.
[[nodiscard]] bool is_country(std::string_view text);

/// Whether wireless-regdb has radio rules for a country (regulatory.db(5), version 20). Nothing if `database` has
/// another format, so that the answer is unknown.
[[nodiscard]] std::optional<bool> has_rules(ByteView database, std::string_view country);
/// The same for a file. Nothing if the file cannot be read.
[[nodiscard]] std::optional<bool> has_rules(const std::filesystem::path& database, std::string_view country);

/// A profile of the network for NetworkManager. NetworkManager joins a network without a command only if the profile
/// fits its access point: with "wpa-psk" no network that has only WPA3, with "sae" no network that has only WPA2.
struct ConnectionFile {
  std::string_view name;            ///< of the file
  std::string_view key_management;  ///< key-mgmt of nm-settings-keyfile(5)
  char last_digit_of_uuid;
};
inline constexpr std::array connection_files{ConnectionFile{"sealcam-card.nmconnection", "wpa-psk", '1'},
                                             ConnectionFile{"sealcam-card-wpa3.nmconnection", "sae", '2'}};

/// The content of a file (nm-settings-keyfile(5)). It contains the passphrase: the caller wipes it. The camera sends
/// the name of a `hidden` network in plain text to find it.
[[nodiscard]] std::string connection_file(const ConnectionFile& file, const protocol::Wifi& wifi, bool hidden);

struct CardFolders {
  std::filesystem::path card;         ///< sealcam.json, pairing.txt, sealcam-settings-error.txt
  std::filesystem::path settings;     ///< host-name and country
  std::filesystem::path connections;  ///< NetworkManager's
  std::filesystem::path rules;        ///< regulatory.db of wireless-regdb; may be missing
};

enum class Taken { none, taken, rejected };

/// Takes sealcam.json: stores its settings durably, then overwrites and deletes the file. After an interruption, the
/// next start takes the file again. A file with an error or a country without radio rules stays, and
/// sealcam-settings-error.txt beside it gives the reason. The same file reports files with similar names, such as
/// sealcam.json.txt, which are not read and do not change the result. Errors: permission, io.
[[nodiscard]] Result<Taken> take_settings(const CardFolders& folders, Log& log);

/// The stored host name, which routers show; "sealcam" if none is stored.
[[nodiscard]] std::string host_name(const CardFolders& folders);

/// Overwrites the first 64 KiB, deletes the file and waits for the card. The card's controller may keep an old copy
/// that the system cannot see. Succeeds if there is no file. Errors: permission, io.
[[nodiscard]] Result<> erase_file(const std::filesystem::path& path);

}  // namespace sealcam::image_init
