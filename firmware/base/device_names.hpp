// SPDX-License-Identifier: Apache-2.0
/// Names of cameras and hubs, and the texts with which people and programs select one of them. A text that parses as an
/// id is an id and never a name, so that no device can take the place of another one by its name. Reentrant.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/id.hpp"

namespace sealcam {

/// The id that `text` stands for, in lower or upper case. Nothing if the text is not an id.
[[nodiscard]] std::optional<DeviceId> as_device_id(std::string_view text);

/// Whether an owner may give this name to a device: 1 to 64 bytes that printable() does not change, and not an id.
[[nodiscard]] bool is_device_name(std::string_view name);

/// The form of a name from outside in which programs show it, and by which they select the device: printable(), at most
/// 64 bytes, and in quotes if it parses as an id.
[[nodiscard]] std::string shown_device_name(std::string_view sent);

struct NamedDevice {
  DeviceId id;
  std::string_view name;
};

/// How many letters of an id select a device.
enum class IdLetters : std::uint8_t { all, beginning };

/// The one device that `text` selects: the device with this id, else the device with exactly this name or, with
/// `beginning`, with an id that begins with the text. Errors: not_found; conflict (several devices match; `place` lists
/// their ids).
[[nodiscard]] Result<DeviceId> select_device(std::string_view text, std::span<const NamedDevice> devices,
                                             IdLetters letters);

}  // namespace sealcam
