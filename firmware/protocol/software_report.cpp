// SPDX-License-Identifier: Apache-2.0
#include "protocol/software_report.hpp"

#include <algorithm>
#include <array>

#include "base/format.hpp"
#include "crypto/cbor.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

namespace sframe = crypto::sframe;

namespace {

/// All reports have this size before they are sealed. A content has 208 bytes at most.
constexpr std::size_t plaintext_size = 224;
constexpr std::int64_t max_label = 255;

constexpr std::array<std::string_view, 7> states{"idle",        "offered", "deferred", "rejected",
                                                 "downloading", "restart", "trial"};
constexpr std::array<std::string_view, 4> results{"installed", "rolled_back", "rejected", "failed"};

template <class Value, std::size_t N>
std::string_view name_in(const std::array<std::string_view, N>& names, Value value) noexcept {
  const auto index = static_cast<std::size_t>(value) - 1;
  return index < N ? names[index] : std::string_view();
}

template <class Value, std::size_t N>
Value value_of(const std::array<std::string_view, N>& names, std::string_view name) noexcept {
  return static_cast<Value>(std::ranges::find(names, name) - names.begin() + 1);
}

/// Never the number of an epoch that has this base key.
sframe::KeyId key_id(Epoch epoch) noexcept { return sframe::KeyId(~epoch.value()); }

Bytes metadata(const Route& route, Epoch epoch) { return grant_info(route, route.camera, epoch, PrekeyNumber()); }

void write_update(crypto::CborWriter& writer, const UpdateStatus& update) {
  writer.map(1U + (update.version.empty() ? 0U : 1U) + (update.offer.empty() ? 0U : 1U) + (update.last ? 1U : 0U));
  if (!update.version.empty()) writer.integer(1).text(update.version);
  writer.integer(2).integer(static_cast<int>(update.state));
  if (!update.offer.empty()) writer.integer(3).text(update.offer);
  if (!update.last) return;
  writer.integer(4).array(4).text(update.last->version).integer(static_cast<int>(update.last->result));
  writer.text(update.last->reason).integer(update.last->at.since_epoch.count());
}

Result<> read_text(crypto::CborReader& reader, std::size_t min, std::size_t max, std::string& out) {
  const auto text = reader.text();
  if (!text) return std::unexpected(text.error());
  if (text->size() < min || text->size() > max) return fail(Errc::malformed, "text of a software report");
  out = *text;
  return {};
}

/// Newer cameras may have other values, which are `other`.
template <class Value>
Result<> read_value(crypto::CborReader& reader, Value& out) {
  const auto value = reader.unsigned_integer();
  if (!value) return std::unexpected(value.error());
  if (*value == 0 || *value > 255) return fail(Errc::malformed, "value of a software report");
  out = static_cast<Value>(std::min<std::uint64_t>(*value, static_cast<int>(Value::other)));
  return {};
}

Result<> read_last(crypto::CborReader& reader, UpdateStatus::Last& last) {
  if (auto r = reader.array(4); !r) return r;
  if (auto r = read_text(reader, 0, UpdateStatus::max_version, last.version); !r) return r;
  if (auto r = read_value(reader, last.result); !r) return r;
  if (auto r = read_text(reader, 0, UpdateStatus::max_reason, last.reason); !r) return r;
  return read_time(reader, last.at);
}

/// Skips the value of a field that newer cameras have (R-UPDATE-2).
Result<> skip_plain(crypto::CborReader& reader) {
  constexpr std::array types{crypto::CborType::integer, crypto::CborType::bytes, crypto::CborType::text,
                             crypto::CborType::boolean};
  if (!std::ranges::contains(types, reader.peek())) return fail(Errc::malformed, "unknown field of a software report");
  return reader.skip();
}

/// A map whose fields `read(key)` reads. Skips unknown ones, which are above the known ones.
template <class Read>
Result<> read_map(crypto::CborReader& reader, std::int64_t known, Read read) {
  const auto pairs = reader.map();
  if (!pairs) return std::unexpected(pairs.error());
  std::int64_t last = 0;
  for (std::size_t i = 0; i < *pairs; ++i) {
    const auto key = reader.integer();
    if (!key) return std::unexpected(key.error());
    if (*key <= last || *key > max_label) return fail(Errc::malformed, "label of a software report");
    last = *key;
    if (auto r = last > known ? skip_plain(reader) : read(last); !r) return r;
  }
  return {};
}

Result<> read_update(crypto::CborReader& reader, UpdateStatus& update) {
  bool has_state = false;
  const auto read = [&](std::int64_t key) -> Result<> {
    if (key == 1) return read_text(reader, 1, UpdateStatus::max_version, update.version);
    if (key == 3) return read_text(reader, 1, UpdateStatus::max_version, update.offer);
    if (key == 4) {
      update.last = UpdateStatus::Last{};
      return read_last(reader, *update.last);
    }
    has_state = true;
    return read_value(reader, update.state);
  };
  if (auto r = read_map(reader, 4, read); !r) return r;
  return has_state ? Result<>() : fail(Errc::malformed, "software report without a state");
}

Result<SoftwareReport> parse(ByteView plaintext) {
  crypto::CborReader reader(plaintext);
  SoftwareReport report;
  bool has_version = false;
  const auto read = [&](std::int64_t key) -> Result<> {
    if (key == 2) return read_update(reader, report.update.emplace());
    has_version = true;
    return read_text(reader, 1, UpdateStatus::max_version, report.version);
  };
  if (auto r = read_map(reader, 2, read); !r) return std::unexpected(r.error());
  if (!has_version) return fail(Errc::malformed, "software report without a version");
  if (!std::ranges::all_of(reader.rest(), [](std::byte b) { return b == std::byte{0}; }))
    return fail(Errc::malformed, "bytes after a software report");
  return report;
}

}  // namespace

std::string_view name(UpdateState state) noexcept { return name_in(states, state); }
std::string_view name(UpdateResult result) noexcept { return name_in(results, result); }
UpdateState update_state_of(std::string_view name) noexcept { return value_of<UpdateState>(states, name); }
UpdateResult update_result_of(std::string_view name) noexcept { return value_of<UpdateResult>(results, name); }

std::string to_text(const UpdateStatus& update) {
  static constexpr std::array<std::string_view, 8> phrases{
      "is not for this camera", "is offered",   "is deferred by the owner", "is rejected by the owner",
      "is being installed",     "is installed", "is being tested",          "has an unknown state"};
  static constexpr std::array<std::string_view, 5> outcomes{"was installed", "failed its check and was rolled back",
                                                            "was rejected by the camera", "failed", "ended"};
  const auto clean = [](const std::string& text) { return printable(text, UpdateStatus::max_reason); };
  const auto of = [](const auto& texts, auto value) {
    return texts[std::clamp<std::size_t>(static_cast<std::size_t>(value), 1, texts.size()) - 1];
  };
  std::string text = "no update is offered";
  if (!update.offer.empty()) text = sealcam::format("update {} {}", clean(update.offer), of(phrases, update.state));
  else if (update.state != UpdateState::idle) text = sealcam::format("an update {}", of(phrases, update.state));
  if (!update.last) return text;
  const auto& last = *update.last;
  text += sealcam::format("; {} {}", last.version.empty() ? "the last update" : clean(last.version),
                          of(outcomes, last.result));
  using namespace std::chrono;
  if (last.at.since_epoch.count() > 0)
    text += sealcam::format(" on {:%F}", floor<days>(sys_time<microseconds>(last.at.since_epoch)));
  if (!last.reason.empty()) text += ": " + clean(last.reason);
  return text;
}

Result<Bytes> seal_software_report(const SoftwareReport& report, const Route& route, Epoch epoch,
                                   sframe::CipherSuite suite, const sframe::BaseKey& base_key) {
  crypto::CborWriter writer;
  writer.map(report.update ? 2 : 1).integer(1).text(report.version);
  if (report.update) write_update(writer.integer(2), *report.update);
  Bytes plaintext = writer.take();
  // Reads the report with the receiver's code, so that the rules exist only once.
  if (plaintext.size() > plaintext_size || !parse(plaintext))
    return fail(Errc::invalid_argument, "receivers would ignore this software report");
  plaintext.resize(plaintext_size);
  auto key = sframe::SealingKey::open(suite, key_id(epoch), base_key, sframe::Counter(1));
  if (!key) return std::unexpected(key.error());
  Bytes sealed(key->sealed_size(plaintext.size()));
  const auto message = key->seal(sealed, metadata(route, epoch), plaintext);
  if (!message) return std::unexpected(message.error());
  return sealed;
}

Result<SoftwareReport> open_software_report(const Grants& grants, const Route& route, const GrantContent& content) {
  if (grants.software.empty()) return fail(Errc::not_found, "the grants have no software report");
  const auto header = sframe::parse_header(grants.software);
  if (!header) return std::unexpected(header.error());
  if (header->header.kid != key_id(grants.epoch).value() || header->header.ctr != 0)
    return fail(Errc::malformed, "software report with another number");
  const auto key = sframe::OpeningKey::open(grants.suite, key_id(grants.epoch), content.base_key);
  if (!key) return std::unexpected(key.error());
  Bytes out(grants.software.size());
  const auto plaintext = key->open(out, metadata(route, grants.epoch), grants.software);
  if (!plaintext) return std::unexpected(plaintext.error());
  return parse(*plaintext);
}

}  // namespace sealcam::protocol
