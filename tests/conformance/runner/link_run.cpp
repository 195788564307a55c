// SPDX-License-Identifier: Apache-2.0
// The messages that link a phone, decoded by the shipped functions.
#include "conformance/runner/case.hpp"
#include "protocol/phone_link.hpp"

namespace sealcam::conformance {
namespace {

using protocol::LinkKeys;
using test::must;

Result<LinkKeys> keys_of(const Json& event) {
  const auto code = protocol::LinkCode::parse(event.at("code").get<std::string>());
  if (!code) return std::unexpected(code.error());
  return LinkKeys::derive(*code);
}

/// `wrong_key`: the reason that this error has in the message of the event.
std::string reason(const Error& error, const char* wrong_key) {
  switch (error.code) {
    case Errc::malformed: return "malformed";
    case Errc::wrong_key: return wrong_key;
    case Errc::bad_signature: return "bad_signature";
    case Errc::not_decryptable: return "not_decryptable";
    case Errc::unsupported: return "not_a_phone";
    case Errc::conflict: return "conflict";
    default: return to_string(error);
  }
}

Json rejected(const Error& error, const char* wrong_key = "wrong_code") { return {{"link", reason(error, wrong_key)}}; }

Json judge_keys(const Json& event) {
  const auto keys = keys_of(event);
  if (!keys) return rejected(keys.error());
  return {{"link", "accepted"},
          {"slot", to_hex(keys->slot)},
          {"descriptor_key", to_hex(keys->descriptor.reveal())},
          {"enrollment_key", to_hex(keys->enrollment.reveal())}};
}

Json judge_opening(const Case& c, const Json& event) {
  const auto owner = c.party("owner").identity();
  const auto opening = protocol::decode_link_opening(c.message(event), &owner);
  if (!opening) return rejected(opening.error(), "wrong_account");
  return {{"link", "accepted"}, {"slot", to_hex(opening->slot)}, {"time", opening->time.since_epoch.count()}};
}

Json judge_descriptor(const Case& c, const Json& event) {
  const auto descriptor = protocol::decode_link_descriptor(c.message(event), must(keys_of(event)));
  if (!descriptor) return rejected(descriptor.error());
  return {{"link", "accepted"}, {"phone", descriptor->phone.identity.id().to_string()}};
}

Json judge_enrollment(const Case& c, const Json& event) {
  const auto phone = c.party("phone");
  const auto enrollment =
      protocol::decode_link_enrollment(c.message(event), must(keys_of(event)), phone.id(), phone.keys().hpke);
  if (!enrollment) return rejected(enrollment.error());
  return {{"link", "accepted"},
          {"account", enrollment->owner.account().to_string()},
          {"broker", enrollment->broker},
          {"password", enrollment->password.reveal()},
          {"name", enrollment->name}};
}

/// A phone or a mailbox.
class LinkRun final : public Run {
 public:
  explicit LinkRun(const Json& json) : case_(json) { must(crypto::init()); }  // no party may exist yet

 private:
  Json do_event(const Json& event) override {
    if (auto verdict = judge_link(case_, event)) return *verdict;
    throw std::runtime_error("unknown event '" + event.at("do").get<std::string>() + "'");
  }
  Case case_;
};

}  // namespace

std::optional<Json> judge_link(const Case& c, const Json& event) {
  const std::string what = event.at("do");
  if (what == "link_keys") return judge_keys(event);
  if (what == "link_opening") return judge_opening(c, event);
  if (what == "link_descriptor") return judge_descriptor(c, event);
  if (what == "link_enrollment") return judge_enrollment(c, event);
  return std::nullopt;
}

std::unique_ptr<Run> run_link(const Json& json) { return std::make_unique<LinkRun>(json); }

}  // namespace sealcam::conformance
