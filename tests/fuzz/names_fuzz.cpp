// SPDX-License-Identifier: Apache-2.0
// Texts that name something: ids, topics, hexadecimal, addresses, hosts, blocks of the broker's access list.
#include "core/id.hpp"
#include "hub/settings.hpp"
#include "hub/web/guard.hpp"
#include "input.hpp"
#include "owner/access_list.hpp"
#include "protocol/topic.hpp"

using namespace sealcam;

namespace {

void check_ids(std::string_view text) {
  if (const auto id = DeviceId::parse(text)) SC_ASSERT(id->to_string() == text);
  if (const auto id = AccountId::from(as_bytes(text))) SC_ASSERT(equal(id->bytes(), as_bytes(text)));
  std::array<std::byte, 7> odd{};
  if (from_base32(text, odd)) SC_ASSERT(to_base32(odd) == text);
}

void check_hex(std::string_view text) {
  const auto bytes = from_hex(text);
  if (!bytes) return;
  const auto again = to_hex(*bytes);
  SC_ASSERT(std::ranges::equal(again, text, [](char a, char b) { return a == (b >= 'A' && b <= 'F' ? b + 32 : b); }));
}

void check_topic(std::string_view text) {
  using namespace protocol;
  const auto parsed = parse_topic(text);
  if (!parsed) return;
  const bool ask = parsed->leaf == Leaf::ask;
  SC_ASSERT(text == (ask ? ask_topic(parsed->route, parsed->hub) : topic(parsed->route, parsed->leaf)));
}

void check_listen(const std::string& text) {
  const auto address = hub::parse_listen(text);
  if (!address) return;
  SC_ASSERT(address->host == "::1" || address->host.starts_with("127."));
  SC_ASSERT(text.starts_with(address->host) || text.starts_with("[::1]"));
}

/// Whoever is let in names this machine, and a page of another one is not let in.
void check_guard(std::string_view text) {
  const auto split = text.find('\n');
  const auto host = text.substr(0, split);
  const auto origin = split == std::string_view::npos ? std::string_view() : text.substr(split + 1);
  if (!hub::web::host_allowed(host)) return;
  SC_ASSERT(host.find_first_not_of("localhostLOCALHOST127.0:[]3456789") == std::string_view::npos);
  if (origin.empty() || !hub::web::origin_allowed(origin, host)) return;
  SC_ASSERT(origin.size() == host.size() + 7);
}

void check_access_block(std::string_view text) {
  const auto who = owner::parse_access_block(text);
  if (who) SC_ASSERT(owner::access_block(*who) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  const auto text = in.text();
  switch (choice % 6) {
    case 0: check_ids(text); break;
    case 1: check_hex(text); break;
    case 2: check_topic(text); break;
    case 3: check_listen(std::string(text)); break;
    case 4: check_guard(text); break;
    case 5: check_access_block(text); break;
  }
  return 0;
}
