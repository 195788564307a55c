// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/case.hpp"

#include <algorithm>
#include <charconv>

#include "base/bytes.hpp"
#include "base/format.hpp"
#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "crypto/hpke.hpp"
#include "crypto/internal.hpp"

namespace sealcam::conformance {

using test::must;

Bytes bytes_of(const Json& hex) { return must(from_hex(hex.get<std::string>())); }

std::uint64_t number_of(const Json& hex) {
  const auto text = hex.get<std::string>();
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::runtime_error("'" + text + "' is not a hexadecimal number of 64 bits");
  return value;
}

std::string hex(std::uint64_t number) { return sealcam::format("{:016x}", number); }

Case::Case(const Json& json) : json_(json) {
  const Json epochs = json_.value("epochs", Json::object());
  for (const auto& [name, epoch] : epochs.items()) {
    CaseEpoch& added = epochs_[name];
    added.number = Epoch(number_of(epoch.at("number")));
    added.suite = static_cast<crypto::sframe::CipherSuite>(epoch.at("suite").get<int>());
    const auto key = bytes_of(epoch.at("base_key"));
    std::ranges::copy(key, added.base_key.fill().begin());
    added.camera_name = epoch.at("name");
  }
  const Json challenges = start("challenges");
  for (const auto& [name, value] : challenges.items()) bind(name, Challenge(number_of(value)));
}

test::Actor Case::party(const std::string& name) const {
  const auto& keys = json_.at("parties").at(name);
  const auto scalar = [&](const char* key) { return Secret<32>(ByteView(bytes_of(keys.at(key))).first<32>()); };
  return {scalar("identity"), scalar("hpke")};
}

protocol::Route Case::route() const {
  const auto id = [&](const char* name) {
    return must(DeviceId::parse(json_.at("parties").at(name).at("id").get<std::string>()));
  };
  return {AccountId(id("owner").bytes()), id("camera")};
}

std::map<DeviceId, std::string> Case::names() const {
  std::map<DeviceId, std::string> all;
  for (const auto& [name, keys] : json_.at("parties").items())
    all.emplace(must(DeviceId::parse(keys.at("id").get<std::string>())), name);
  return all;
}

std::string Case::name_of(Epoch number) const {
  for (const auto& [name, epoch] : epochs_)
    if (epoch.number == number) return name;
  return hex(number.value());
}

Bytes Case::message(const Json& event) const {
  if (event.contains("message")) return bytes_of(json_.at("messages").at(event.at("message")).at("bytes"));
  if (event.contains("frame")) return frame(event.at("frame"));
  if (event.contains("grants")) return grants(event.at("grants"));
  throw std::runtime_error("a delivery has no message");
}

// The bytes of the page's tables, without the encoders of the library under test.
Bytes Case::frame(const Json& frame) const {
  const std::string kind = frame.at("kind");
  const auto number = kind == "key" ? 1 : kind == "delta" ? 2 : kind == "still" ? 3 : 4;
  const auto& epoch = epochs_.at(frame.at("epoch").get<std::string>());
  const auto& echo = frame.at("echo");
  Bytes plaintext(32 + 8 * echo.size());
  const MutableBytes out(plaintext);
  out[0] = std::byte{1};
  out[1] = std::byte{kind != "report"};
  store_be(out.subspan(4), frame.at("width").get<std::uint16_t>());
  store_be(out.subspan(6), frame.at("height").get<std::uint16_t>());
  store_be(out.subspan(8), frame.at("captured").get<std::int64_t>());
  store_be(out.subspan(16), frame.at("number").get<std::uint32_t>());
  store_be(out.subspan(20), frame.at("age").get<std::uint32_t>());
  store_be(out.subspan(24), frame.at("depends").get<std::uint32_t>());
  out[28] = static_cast<std::byte>(echo.size());
  for (std::size_t i = 0; i < echo.size(); ++i)
    store_be(out.subspan(32 + 8 * i), challenges_.at(echo[i].get<std::string>()).value());
  const auto content = bytes_of(frame.at("content"));
  plaintext.insert(plaintext.end(), content.begin(), content.end());

  const auto signer = party(frame.at("by"));
  crypto::CborWriter header;
  header.map(3).integer(1).integer(crypto::cose::es256).integer(4).bytes(signer.id().bytes());
  header.integer(-65537).integer(number);
  const auto aad = protocol::external_aad(protocol::MessageName::frame, route());
  Bytes metadata(aad);
  metadata.insert(metadata.end(), header.view().begin(), header.view().end());
  const auto keys = must(crypto::sframe::derive(epoch.suite, epoch.number.value(), epoch.base_key, true));
  Bytes room(plaintext.size() + crypto::sframe::max_header_size + crypto::sframe::tag_size);
  const crypto::sframe::Header sframe{epoch.number.value(), frame.at("counter").get<std::uint64_t>()};
  const auto sealed = must(crypto::sframe::detail::seal(keys, sframe, room, metadata, plaintext));
  return must(crypto::cose::sign1(signer.keys().identity, header.view(), aad, sealed));
}

// Grants to prekeys that the hub under test sent.
Bytes Case::grants(const Json& g) const {
  const auto& epoch = epochs_.at(g.at("epoch").get<std::string>());
  crypto::CborWriter secret;
  secret.map(2).integer(1).bytes(epoch.base_key.reveal().first(crypto::sframe::key_size(epoch.suite)));
  secret.integer(2).text(epoch.camera_name);
  std::map<DeviceId, const protocol::Prekey*> hubs;  // in the order of ids
  for (const auto& to : g.at("to"))
    hubs[party(to.at("hub")).id()] = &prekeys_.at(to.at("prekey_of").get<std::string>());
  crypto::CborWriter writer;
  writer.map(6).integer(1).unsigned_integer(epoch.number.value()).integer(2).integer(static_cast<int>(epoch.suite));
  writer.integer(3).unsigned_integer(g.at("roster_version").get<std::uint64_t>());
  writer.integer(4).bytes(bytes_of(g.at("roster_hash"))).integer(5).integer(g.at("created").get<std::int64_t>());
  writer.integer(6).map(hubs.size());
  for (const auto& [hub, prekey] : hubs) {
    crypto::CborWriter info;
    info.array(6).text("sealcam/1 grant").bytes(route().account.bytes()).bytes(route().camera.bytes());
    info.bytes(hub.bytes()).unsigned_integer(epoch.number.value()).unsigned_integer(prekey->number.value());
    const auto sealed = must(crypto::hpke::seal(prekey->key, info.view(), secret.view()));
    writer.bytes(hub.bytes()).array(4).unsigned_integer(16).unsigned_integer(prekey->number.value());
    writer.bytes(sealed.enc).bytes(sealed.ciphertext);
  }
  const auto signer = party(g.at("by"));
  const auto aad = protocol::external_aad(protocol::MessageName::grants, route());
  return must(crypto::cose::sign1(signer.keys().identity, protocol::protected_header(signer.id()), aad, writer.view()));
}

}  // namespace sealcam::conformance
