// SPDX-License-Identifier: Apache-2.0
// sealcam.json of an SD card, the files that sealcam-image-init writes from it, and the kernel's list of consoles.
#include <algorithm>

#include "base/result.hpp"
#include "image_init/card.hpp"
#include "image_init/pairing_notice.hpp"
#include "input.hpp"

using namespace sealcam;

namespace {

bool is_label(std::string_view name) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return name.size() <= image_init::max_host_name && !name.starts_with('-') && !name.ends_with('-') &&
         std::ranges::all_of(name, good);
}

/// The settings add no line and no section to the connection file.
void check_connection(const protocol::Wifi& wifi, bool hidden) {
  for (const auto& kind : image_init::connection_files) {
    const auto file = image_init::connection_file(kind, wifi, hidden);
    SC_ASSERT(std::ranges::count(file, '\n') == (hidden ? 19 : 18) &&
              std::ranges::count(file, '[') == 5 + std::ranges::count(wifi.passphrase.reveal(), '['));
    SC_ASSERT(std::ranges::none_of(file, [](char c) { return c == '\0' || c == '\r'; }));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const auto text = in.text();
  SC_ASSERT(is_label(image_init::host_name_of(text)));
  for (const auto& console : image_init::consoles_of(text))
    SC_ASSERT(console.parent_path() == "/dev" && console.has_filename());
  const auto settings = image_init::parse_settings(text);
  if (!settings) {
    SC_ASSERT(!settings.error().empty());
    return 0;
  }
  SC_ASSERT(is_label(settings->host_name));
  SC_ASSERT(settings->country.empty() || settings->country.size() == 2);
  if (settings->wifi) {
    SC_ASSERT(!settings->wifi->ssid.empty() && settings->wifi->ssid.size() <= 32);
    check_connection(*settings->wifi, settings->wifi_hidden);
  }
  return 0;
}
