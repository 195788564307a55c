// SPDX-License-Identifier: Apache-2.0
#include "appliance/connection_file.hpp"

#include <format>

namespace sealcam::appliance {

namespace {

/// A value as GLib's key files want it: a space in front and a backslash are escaped, nothing else that is printable
/// is.
std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(2 * text.size() + 2);
  for (const char c : text) {
    if (c == '\\') out += "\\\\";
    else if (c == ' ') out += "\\s";
    else out += c;
  }
  return out;
}

}  // namespace

std::string connection_file(const protocol::Wifi& wifi, bool hidden) {
  std::string ssid;  // bytes in decimal: no text, and so nothing to escape
  for (const std::byte b : wifi.ssid) ssid += std::format("{};", std::to_integer<int>(b));
  std::string psk = escaped(wifi.passphrase.reveal());
  std::string text;
  text.reserve(1024);  // grows nowhere, so that no copy of the passphrase is left behind
  text +=
      "[connection]\nid=sealcam-card\nuuid=5ea1ca30-0000-4000-8000-000000000001\ntype=wifi\n\n[wifi]\nmode="
      "infrastructure\n";
  if (hidden) text += "hidden=true\n";
  text += std::format("ssid={}\n\n[wifi-security]\nkey-mgmt=wpa-psk\npsk=", ssid);
  text += psk;
  text += "\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n";
  wipe(std::as_writable_bytes(std::span(psk)));
  return text;
}

}  // namespace sealcam::appliance
