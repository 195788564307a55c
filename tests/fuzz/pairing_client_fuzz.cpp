// SPDX-License-Identifier: Apache-2.0
// The replies of a hostile device to the owner's program. The first byte selects the meaning of the rest: 0 is three
// replies, each a byte for the status, a length (two bytes) and a body; 1 and 2 are the payloads of a descriptor and of
// a proof, which the fuzzer signs with the device's key; 3 is a certificate request after a correct hello.
#include <algorithm>
#include <array>

#include "base/format.hpp"
#include "base/result.hpp"
#include "input.hpp"
#include "pairing/replies.hpp"
#include "pairing_parties.hpp"

using namespace sealcam;
using namespace sealcam::fuzz;
using namespace sealcam::pairing;

namespace {

/// Identity of the expected device; its account is zero in these messages.
protocol::Route route() { return {AccountId(), parties().camera.id()}; }

Bytes proof_of(const protocol::ChannelBinding& channel) {
  return must(protocol::encode_pairing_proof(channel, parties().camera.keys().identity));
}

std::string hello_body(ByteView descriptor, ByteView proof) {
  return R"({"descriptor":")" + to_base64url(descriptor) + R"(","proof":")" + to_base64url(proof) +
         R"(","version":"1","model":"board"})";
}

bool printable_text(std::string_view text) {
  return text.size() <= 4 * DeviceReplies::max_text &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// A failure has a text without control characters.
template <class T>
bool checked(const ClientResult<T>& result) {
  if (!result) SC_ASSERT(printable_text(result.error().text) && result.error().tries_left <= 1000);
  return result.has_value();
}

/// A device is accepted only if the expected device signed its descriptor and the owner's end of this connection.
bool check_hello(DeviceReplies& replies, const HttpReply& reply) {
  const auto result = replies.hello(reply, parties().camera.id(), protocol::Role::camera);
  SC_ASSERT(replies.device().has_value() == result.has_value());
  if (!checked(result)) return false;
  SC_ASSERT(reply.status == 200 && result->descriptor.identity == parties().camera.identity());
  SC_ASSERT(*replies.device() == parties().camera.id() && result->descriptor.role == protocol::Role::camera);
  const auto again = must(protocol::decode_device_descriptor(result->signed_descriptor));
  SC_ASSERT(again.tls == result->descriptor.tls);
  SC_ASSERT(printable_text(result->version) && printable_text(result->model));
  SC_ASSERT(reply.body.contains(to_base64url(result->signed_descriptor)));
  return true;
}

/// The request that the operator receives is for the TLS key that the device signed.
bool check_claim(DeviceReplies& replies, const HttpReply& reply) {
  const auto request = replies.claim(reply);
  SC_ASSERT(replies.claimed() == request.has_value());
  if (!checked(request)) return false;
  SC_ASSERT(must(transport::requested_name(*request)) == parties().camera.id().to_string());
  SC_ASSERT(equal(must(transport::requested_key(*request)), pairing_device().tls_key));
  return true;
}

HttpReply read_reply(Input& in) {
  static constexpr std::array statuses{200U, 200U, 200U, 403U, 409U, 500U, 0U, 999U};
  const auto status = statuses[in.byte() % statuses.size()];
  const std::size_t size = in.number<std::uint16_t>();
  const auto body = in.take(size);
  return {status, std::string(reinterpret_cast<const char*>(body.data()), body.size())};
}

void check_replies(Input in) {
  DeviceReplies replies(pairing_channel());
  if (!check_hello(replies, read_reply(in)) || !check_claim(replies, read_reply(in))) return;
  const auto last = read_reply(in);
  if (checked(replies.enroll(last))) SC_ASSERT(last.status == 200);
}

Bytes signed_by_device(protocol::MessageName name, ByteView payload) {
  return must(protocol::sign_message(name, route(), parties().camera.keys().identity, payload));
}

void check_request(ByteView request) {
  DeviceReplies replies(pairing_channel());
  SC_ASSERT(check_hello(replies, {200, hello_body(pairing_device().descriptor, proof_of(pairing_channel()))}));
  std::string text;
  for (const auto b : request) text += sealcam::format("\\u{:04x}", std::to_integer<unsigned>(b));
  (void)check_claim(replies, {200, R"({"request":")" + text + "\"}"});
}

/// Control: the honest device passes all checks, and the proof of another connection does not.
bool device_passes() {
  DeviceReplies relayed(pairing_channel());
  protocol::ChannelBinding other;
  std::ranges::fill(other.fill(), std::byte{1});
  SC_ASSERT(!check_hello(relayed, {200, hello_body(pairing_device().descriptor, proof_of(other))}));
  DeviceReplies replies(pairing_channel());
  std::string request;
  for (const char c : pairing_device().request_pem) request += c == '\n' ? std::string("\\n") : std::string(1, c);
  return check_hello(replies, {200, hello_body(pairing_device().descriptor, proof_of(pairing_channel()))}) &&
         check_claim(replies, {200, R"({"request":")" + request + "\"}"}) &&
         checked(replies.enroll({200, R"({"paired":true})"}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool control = device_passes();
  SC_ASSERT(control);
  if (size > (64U << 10)) return 0;  // maximum of a reply
  Input in(data, size);
  const auto choice = in.byte() % 4;
  if (choice == 0) {
    check_replies(in);
  } else if (choice == 3) {
    check_request(in.rest());
  } else {
    DeviceReplies replies(pairing_channel());
    const bool descriptor = choice == 1;
    const auto made = signed_by_device(
        descriptor ? protocol::MessageName::descriptor : protocol::MessageName::pairing_proof, in.rest());
    const auto proof = proof_of(pairing_channel());
    (void)check_hello(replies,
                      {200, descriptor ? hello_body(made, proof) : hello_body(pairing_device().descriptor, made)});
  }
  return 0;
}
