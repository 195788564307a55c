// SPDX-License-Identifier: Apache-2.0
// Parsers of short texts: ids, topics, hexadecimal digits, addresses, hosts, the operator's records.
#include "base/bytes.hpp"
#include "base/types.hpp"
#include "hub/app.hpp"
#include "hub/web/routes.hpp"
#include "input.hpp"
#include "owner/broker/device_records.hpp"
#include "protocol/envelope.hpp"

using namespace sealcam;

namespace {

void check_ids(std::string_view text) {
  if (const auto id = DeviceId::parse(text)) SC_ASSERT(id->to_string() == text);
  if (const auto id = AccountId::from(as_bytes(text))) SC_ASSERT(equal(id->bytes(), as_bytes(text)));
  std::array<std::byte, 7> short_id{};
  if (from_base32(text, short_id)) SC_ASSERT(to_base32(short_id) == text);
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
  const bool request = parsed->leaf == Leaf::request;
  SC_ASSERT(text == (parsed->leaf == Leaf::index ? index_topic(parsed->route.account, parsed->hub)
                     : request                   ? request_topic(parsed->route, parsed->hub)
                                                 : topic(parsed->route, parsed->leaf)));
}

void check_listen(const std::string& text) {
  const auto address = hub::parse_listen(text);
  if (!address) return;
  SC_ASSERT(address->host == "::1" || address->host.starts_with("127."));
  SC_ASSERT(text.starts_with(address->host) || text.starts_with("[::1]"));
}

/// An allowed host names this machine. An origin is allowed only if it names the same host.
void check_guard(std::string_view text) {
  const auto split = text.find('\n');
  const auto host = text.substr(0, split);
  const auto origin = split == std::string_view::npos ? std::string_view() : text.substr(split + 1);
  if (!hub::web::host_allowed(host)) return;
  SC_ASSERT(host.find_first_not_of("localhostLOCALHOST127.0:[]3456789") == std::string_view::npos);
  if (origin.empty() || !hub::web::origin_allowed(origin, host)) return;
  SC_ASSERT(origin.size() == host.size() + 7);
}

/// The operator's records.
void check_records(std::string_view text) {
  if (const auto record = owner::parse_device_record(text, "f")) {
    const auto again = owner::parse_device_record(owner::device_record_text(*record), "f");
    SC_ASSERT(again && *again == *record);
  }
  if (const auto list = owner::parse_revocations(text, "f")) {
    const auto again = owner::parse_revocations(owner::revocations_text(*list), "f");
    SC_ASSERT(again && *again == *list);
  }
}

/// An address survives a round trip and adds nothing to a request. Other bytes than a status line have no status.
void check_event_post(std::string_view text) {
  if (const auto url = hub::events::parse_post_url(text)) {
    const auto again =
        hub::events::parse_post_url((url->tls ? "https://" : "http://") + url->authority() + url->target);
    SC_ASSERT(again && again->host == url->host && again->port == url->port && again->target == url->target);
    for (const auto part : {std::string_view(url->target), std::string_view(url->host)})
      SC_ASSERT(std::ranges::all_of(part, [](char c) { return c > ' ' && c < 127 && c != '#' && c != '\\'; }));
    SC_ASSERT(url->target.starts_with('/') && url->port != 0);
  }
  if (const auto status = hub::events::answer_status(text)) SC_ASSERT(*status >= 100 && *status <= 599);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  const auto text = in.text();
  switch (choice % 7) {
    case 0: check_ids(text); break;
    case 1: check_hex(text); break;
    case 2: check_topic(text); break;
    case 3: check_listen(std::string(text)); break;
    case 4: check_guard(text); break;
    case 5: check_records(text); break;
    case 6: check_event_post(text); break;
  }
  return 0;
}
