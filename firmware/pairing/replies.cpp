// SPDX-License-Identifier: Apache-2.0
#include "pairing/replies.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/config.hpp"
#include "base/format.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::pairing {

std::unexpected<ClientFailure> failed(ClientFailure::Kind kind, std::string text, unsigned tries_left) {
  return std::unexpected(ClientFailure{kind, tries_left, std::move(text)});
}

namespace {

using nlohmann::json;
using Kind = ClientFailure::Kind;

std::string text_of(const json& body, const char* member) {
  const auto it = body.find(member);
  return it != body.end() && it->is_string() ? it->get<std::string>() : "";
}

std::unexpected<ClientFailure> rejected(unsigned status, const json& body) {
  const auto word = text_of(body, "error");
  auto text = printable(text_of(body, "message"), DeviceReplies::max_text);
  if (text.empty()) text = sealcam::format("HTTP status {}", status);
  if (word == "busy") return failed(Kind::busy, text);
  if (word == "closed") return failed(Kind::closed, text);
  if (word != "code") return failed(word == "channel" ? Kind::in_between : Kind::rejected, text);
  const auto left = body.find("tries_left");
  const bool number = left != body.end() && left->is_number_unsigned();
  return failed(Kind::wrong_code, text, number ? std::min(left->get<unsigned>(), 1000U) : 0U);
}

ClientResult<json> accepted(const HttpReply& reply) {
  auto answer = json_error(reply.body) ? json() : json::parse(reply.body);
  if (!answer.is_object()) return failed(Kind::not_a_device, "the reply is not that of a device");
  if (reply.status != 200) return rejected(reply.status, answer);
  return answer;
}

}  // namespace

ClientResult<Introduction> DeviceReplies::hello(const HttpReply& reply, const DeviceId& expected, protocol::Role role) {
  const auto answer = accepted(reply);
  if (!answer) return std::unexpected(answer.error());
  const auto descriptor_bytes = from_base64url(text_of(*answer, "descriptor"));
  const auto proof = from_base64url(text_of(*answer, "proof"));
  if (!descriptor_bytes || !proof) return failed(Kind::not_a_device, "the reply is not that of a device");
  const auto descriptor = protocol::decode_device_descriptor(*descriptor_bytes);
  // A phone, which has no TLS key, is not paired by this exchange.
  if (!descriptor || !descriptor->tls) return failed(Kind::not_a_device, "the device's descriptor is invalid");
  const auto id = descriptor->identity.id();
  if (id != expected) return failed(Kind::other_device, sealcam::format("device {} answered", id.to_string()));
  const auto verifier = crypto::Verifier::open(descriptor->identity);
  if (!verifier) return failed(Kind::own_fault, verifier.error().what);
  if (auto r = protocol::check_pairing_proof(*proof, channel_, *verifier); !r)
    return failed(Kind::in_between, r.error().what);
  if (descriptor->role != role) return failed(Kind::other_role, std::string(protocol::name(descriptor->role)));
  device_ = id;
  tls_ = *descriptor->tls;
  return Introduction{*descriptor, *descriptor_bytes, printable(text_of(*answer, "version"), max_text),
                      printable(text_of(*answer, "model"), max_text)};
}

ClientResult<std::string> DeviceReplies::claim(const HttpReply& reply) {
  SC_ASSERT(device_.has_value());
  const auto answer = accepted(reply);
  if (!answer) return std::unexpected(answer.error());
  auto request = text_of(*answer, "request");
  const auto name = transport::requested_name(request);
  const auto key = transport::requested_key(request);
  if (!name || !key || *name != device_->to_string() || !equal(*key, tls_.bytes()))
    return failed(Kind::not_a_device, "the device's certificate request is invalid");
  claimed_ = true;
  return request;
}

ClientResult<> DeviceReplies::enroll(const HttpReply& reply) const {
  SC_ASSERT(claimed_);
  const auto answer = accepted(reply);
  if (!answer) return std::unexpected(answer.error());
  const auto paired = answer->find("paired");
  if (paired == answer->end() || !paired->is_boolean() || !paired->get<bool>())
    return failed(Kind::not_a_device, "the reply is not that of a device");
  return {};
}

}  // namespace sealcam::pairing
