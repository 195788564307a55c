// SPDX-License-Identifier: Apache-2.0
#include "base/types.hpp"

#include <algorithm>

#include "base/format.hpp"

namespace sealcam {

static constexpr std::size_t max_name = 64;

std::optional<DeviceId> as_device_id(std::string_view text) {
  if (text.size() != DeviceId::text_size) return std::nullopt;
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const auto id = DeviceId::parse(lower);
  return id ? std::optional(*id) : std::nullopt;
}

bool is_device_name(std::string_view name) {
  return !name.empty() && name.size() <= max_name && printable(name, name.size()) == name && !as_device_id(name);
}

std::string shown_device_name(std::string_view sent) {
  auto name = printable(sent, max_name);
  return as_device_id(name) ? '\'' + name + '\'' : name;
}

Result<DeviceId> select_device(std::string_view text, std::span<const NamedDevice> devices, IdLetters letters) {
  if (const auto id = as_device_id(text)) {
    if (std::ranges::contains(devices, *id, &NamedDevice::id)) return *id;
    return fail(Errc::not_found, "no device has this id");
  }
  if (text.empty()) return fail(Errc::not_found, "a device without a name");
  const auto matches = [&](const NamedDevice& device) {
    return device.name == text || (letters == IdLetters::beginning && device.id.to_string().starts_with(text));
  };
  const NamedDevice* found = nullptr;
  std::string ids;
  std::size_t count = 0;
  for (const auto& device : devices) {
    if (!matches(device)) continue;
    found = &device;
    ids += (count++ == 0 ? "" : ", ") + device.id.to_string();
  }
  if (found == nullptr) return fail(Errc::not_found, "no device has this name");
  if (count == 1) return found->id;
  return std::unexpected(located({Errc::conflict, 0, "several devices match"}, ids));
}

}  // namespace sealcam
