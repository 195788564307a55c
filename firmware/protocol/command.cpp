// SPDX-License-Identifier: Apache-2.0
#include "protocol/command.hpp"

#include <algorithm>

#include "crypto/cbor.hpp"
#include "crypto/hpke.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

Result<Passphrase> Passphrase::parse(std::string_view text) {
  const bool printable = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
  if (text.size() < 8 || text.size() > 63 || !printable)
    return fail(Errc::malformed, "a Wi-Fi passphrase must have 8 to 63 printable ASCII characters");
  Passphrase passphrase;
  std::ranges::copy(as_bytes(text), passphrase.characters_.fill().begin());
  passphrase.size_ = text.size();
  return passphrase;
}

Passphrase Passphrase::duplicate() const noexcept {
  Passphrase other;
  std::ranges::copy(characters_.reveal(), other.characters_.fill().begin());
  other.size_ = size_;
  return other;
}

void write_wifi(crypto::CborWriter& writer, const Wifi& wifi) {
  writer.map(2).integer(1).bytes(wifi.ssid).integer(2).text(wifi.passphrase.reveal());
}

Result<Wifi> read_wifi(crypto::CborReader& reader) {
  if (auto r = reader.map(2); !r) return std::unexpected(r.error());
  if (auto r = reader.key(1); !r) return std::unexpected(r.error());
  const auto ssid = reader.bytes();
  if (!ssid) return std::unexpected(ssid.error());
  if (ssid->empty() || ssid->size() > 32)
    return fail(Errc::malformed, "the name of a Wi-Fi network must have 1 to 32 bytes");
  if (auto r = reader.key(2); !r) return std::unexpected(r.error());
  const auto text = reader.text();
  if (!text) return std::unexpected(text.error());
  auto passphrase = Passphrase::parse(*text);
  if (!passphrase) return std::unexpected(passphrase.error());
  return Wifi{{ssid->begin(), ssid->end()}, std::move(*passphrase)};
}

namespace hpke = crypto::hpke;

static constexpr std::size_t max_ciphertext = 1024;
static constexpr std::uint64_t max_side = 65'535;
static constexpr std::uint64_t max_rate = 1'000;

Bytes command_info(const Route& route, CommandSeq seq) {
  crypto::CborWriter writer;
  writer.array(4).text("sealcam/1 command").bytes(route.account.bytes()).bytes(route.camera.bytes());
  writer.unsigned_integer(seq.value());
  return writer.take();
}

namespace {

void write_areas(crypto::CborWriter& writer, const PictureAreas& areas) {
  writer.array(areas.size());
  for (const PictureArea& area : areas) {
    writer.array(4);
    for (const auto number : {area.left, area.top, area.width, area.height}) writer.unsigned_integer(number);
  }
}

void write_settings(crypto::CborWriter& writer, const CameraSettings& settings) {
  const bool masks = settings.masks && !settings.masks->empty(), zones = settings.zones && !settings.zones->empty();
  writer.map((settings.bitrate ? 1U : 0U) + (settings.size ? 2U : 0U) + (settings.frames_per_second ? 1U : 0U) +
             std::size_t{masks} + (settings.motion ? 1U : 0U) + std::size_t{zones});
  if (settings.bitrate) writer.integer(1).unsigned_integer(settings.bitrate->value());
  if (settings.size) writer.integer(2).unsigned_integer(settings.size->width);
  if (settings.size) writer.integer(3).unsigned_integer(settings.size->height);
  if (settings.frames_per_second) writer.integer(4).unsigned_integer(*settings.frames_per_second);
  if (masks) write_areas(writer.integer(5), *settings.masks);
  if (settings.motion) writer.integer(6).unsigned_integer(*settings.motion);
  if (zones) write_areas(writer.integer(7), *settings.zones);
}

void write_consent(crypto::CborWriter& writer, const UpdateConsent& consent) {
  const bool defers = consent.action == UpdateAction::defer;
  writer.map(1U + (consent.version.empty() ? 0U : 1U) + (defers ? 1U : 0U));
  writer.integer(1).integer(static_cast<int>(consent.action));
  if (!consent.version.empty()) writer.integer(2).text(consent.version);
  if (defers) writer.integer(3).integer(consent.until.since_epoch.count());
}

/// The head of item `label`; its value follows.
template <class T>
bool begin_item(crypto::CborWriter& writer, int label, const std::optional<CommandItem<T>>& item) {
  if (!item) return false;
  writer.integer(label).array(2).unsigned_integer(item->since.value());
  return true;
}

Bytes write_items(const Command& command) {
  crypto::CborWriter writer;
  writer.map(std::size_t{command.name.has_value()} + std::size_t{command.privacy.has_value()} +
             std::size_t{command.settings.has_value()} + std::size_t{command.wifi.has_value()} +
             std::size_t{command.reset.has_value()} + std::size_t{command.update.has_value()});
  if (begin_item(writer, 1, command.name)) writer.text(command.name->value);
  if (begin_item(writer, 2, command.privacy)) writer.boolean(command.privacy->value);
  if (begin_item(writer, 3, command.settings)) write_settings(writer, command.settings->value);
  if (begin_item(writer, 4, command.wifi)) write_wifi(writer, command.wifi->value);
  if (begin_item(writer, 5, command.reset)) writer.boolean(true);
  if (begin_item(writer, 6, command.update)) write_consent(writer, command.update->value);
  return writer.take();
}

/// Reads the pairs of a map with optional labels.
class Pairs {
 public:
  static Result<Pairs> open(crypto::CborReader& reader) {
    const auto left = reader.map();
    if (!left) return std::unexpected(left.error());
    return Pairs(reader, *left);
  }
  /// True if the next pair has this label; the reader is then at its value.
  bool next(std::int64_t label) {
    if (left_ == 0) return false;
    crypto::CborReader ahead = reader_;
    if (!ahead.key(label)) return false;
    reader_ = ahead;
    --left_;
    return true;
  }
  /// Errors: malformed (an unknown label, or labels out of order).
  [[nodiscard]] Result<> finish() const {
    return left_ == 0 ? Result<>() : fail(Errc::malformed, "unknown label in a command");
  }

 private:
  Pairs(crypto::CborReader& reader, std::size_t left) : reader_(reader), left_(left) {}
  crypto::CborReader& reader_;
  std::size_t left_;
};

Result<std::uint32_t> read_limited(crypto::CborReader& reader, std::uint64_t max) {
  const auto value = reader.unsigned_integer();
  if (!value) return std::unexpected(value.error());
  if (*value == 0 || *value > max) return fail(Errc::malformed, "setting of a command is out of range");
  return static_cast<std::uint32_t>(*value);
}

Result<PictureAreas> read_areas(crypto::CborReader& reader) {
  const auto count = reader.array();
  if (!count) return std::unexpected(count.error());
  if (*count == 0 || *count > max_picture_areas) return fail(Errc::malformed, "number of areas in a command");
  PictureAreas areas(*count);
  for (PictureArea& area : areas) {
    if (auto r = reader.array(4); !r) return std::unexpected(r.error());
    for (std::uint16_t* const number : {&area.left, &area.top, &area.width, &area.height}) {
      const auto value = reader.unsigned_integer();
      if (!value) return std::unexpected(value.error());
      if (*value > PictureArea::scale) return fail(Errc::malformed, "area in a command is out of range");
      *number = static_cast<std::uint16_t>(*value);
    }
    if (!area.is_valid()) return fail(Errc::malformed, "area in a command is outside of the picture");
  }
  return areas;
}

/// Privacy masks and the motion detector.
Result<> read_areas_and_motion(crypto::CborReader& reader, Pairs& pairs, CameraSettings& settings) {
  if (pairs.next(5)) {
    auto masks = read_areas(reader);
    if (!masks) return std::unexpected(masks.error());
    settings.masks = std::move(*masks);
  }
  if (pairs.next(6)) {
    const auto motion = reader.unsigned_integer();
    if (!motion) return std::unexpected(motion.error());
    if (*motion > CameraSettings::max_motion) return fail(Errc::malformed, "sensitivity in a command is out of range");
    settings.motion = static_cast<std::uint32_t>(*motion);
  }
  if (pairs.next(7)) {
    auto zones = read_areas(reader);
    if (!zones) return std::unexpected(zones.error());
    settings.zones = std::move(*zones);
  }
  return {};
}

Result<CameraSettings> read_settings(crypto::CborReader& reader) {
  CameraSettings settings;
  auto pairs = Pairs::open(reader);
  if (!pairs) return std::unexpected(pairs.error());
  if (pairs->next(1)) {
    const auto bitrate = read_limited(reader, UINT32_MAX);
    if (!bitrate) return std::unexpected(bitrate.error());
    settings.bitrate = BitsPerSecond(*bitrate);
  }
  if (pairs->next(2)) {
    const auto width = read_limited(reader, max_side);
    if (!width) return std::unexpected(width.error());
    if (!pairs->next(3)) return fail(Errc::malformed, "a width without a height");
    const auto height = read_limited(reader, max_side);
    if (!height) return std::unexpected(height.error());
    settings.size = {*width, *height};
  }
  if (pairs->next(4)) {
    const auto rate = read_limited(reader, max_rate);
    if (!rate) return std::unexpected(rate.error());
    settings.frames_per_second = *rate;
  }
  if (auto r = read_areas_and_motion(reader, *pairs, settings); !r) return std::unexpected(r.error());
  if (auto r = pairs->finish(); !r) return std::unexpected(r.error());
  return settings;
}

Result<std::string> read_name(crypto::CborReader& reader) {
  const auto name = reader.text();
  if (!name) return std::unexpected(name.error());
  if (name->empty() || name->size() > Command::max_name) return fail(Errc::malformed, "name in a command");
  return std::string(*name);
}

Result<ResetOrder> read_reset(crypto::CborReader& reader) {
  const auto value = reader.boolean();
  if (!value) return std::unexpected(value.error());
  if (!*value) return fail(Errc::malformed, "reset of a command is false");
  return ResetOrder{};
}

Result<UpdateConsent> read_consent(crypto::CborReader& reader) {
  auto pairs = Pairs::open(reader);
  if (!pairs) return std::unexpected(pairs.error());
  UpdateConsent consent;
  if (!pairs->next(1)) return fail(Errc::malformed, "decision about updates in a command has no action");
  const auto action = read_limited(reader, static_cast<int>(UpdateAction::reject));
  if (!action) return std::unexpected(action.error());
  consent.action = static_cast<UpdateAction>(*action);
  const bool starts = consent.action == UpdateAction::start, rejects = consent.action == UpdateAction::reject;
  if (pairs->next(2)) {
    const auto version = reader.text();
    if (!version) return std::unexpected(version.error());
    if (version->empty() || version->size() > UpdateConsent::max_version || !(starts || rejects))
      return fail(Errc::malformed, "decision about updates in a command has a wrong version");
    consent.version = *version;
  } else if (rejects) {
    return fail(Errc::malformed, "rejection of an update in a command names no version");
  }
  if (consent.action == UpdateAction::defer) {
    if (!pairs->next(3)) return fail(Errc::malformed, "deferral of updates in a command has no end");
    if (auto r = read_time(reader, consent.until); !r) return std::unexpected(r.error());
  }
  if (auto r = pairs->finish(); !r) return std::unexpected(r.error());
  return consent;
}

template <class T, class Read>
Result<> read_item(crypto::CborReader& reader, CommandSeq seq, std::optional<CommandItem<T>>& out, Read read) {
  if (auto r = reader.array(2); !r) return std::unexpected(r.error());
  const auto since = reader.unsigned_integer();
  if (!since) return std::unexpected(since.error());
  if (*since == 0 || *since > seq.value()) return fail(Errc::malformed, "item of a command has an impossible number");
  auto value = read(reader);
  if (!value) return std::unexpected(value.error());
  out.emplace(CommandSeq(*since), std::move(*value));
  return {};
}

Result<Command> read_items(ByteView plaintext, CommandSeq seq) {
  crypto::CborReader reader(plaintext);
  Command command;
  command.seq = seq;
  auto pairs = Pairs::open(reader);
  if (!pairs) return std::unexpected(pairs.error());
  Result<> r;
  if (pairs->next(1)) r = read_item(reader, seq, command.name, read_name);
  if (r && pairs->next(2)) r = read_item(reader, seq, command.privacy, [](auto& from) { return from.boolean(); });
  if (r && pairs->next(3)) r = read_item(reader, seq, command.settings, read_settings);
  if (r && pairs->next(4)) r = read_item(reader, seq, command.wifi, read_wifi);
  if (r && pairs->next(5)) r = read_item(reader, seq, command.reset, read_reset);
  if (r && pairs->next(6)) r = read_item(reader, seq, command.update, read_consent);
  if (r) r = pairs->finish();
  if (r) r = reader.finish();
  if (!r) return std::unexpected(r.error());
  return command;
}

struct SealedCommand {
  CommandSeq seq;
  hpke::Enc enc;
  ByteView ciphertext;
};

Result<SealedCommand> read_sealed(ByteView message, const Route& route, const crypto::Verifier& owner) {
  const auto payload = verify_message(MessageName::command, route, owner, message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  SealedCommand sealed;
  if (auto r = reader.map(3); !r) return std::unexpected(r.error());
  if (auto r = read_number(reader, 1, sealed.seq); !r) return std::unexpected(r.error());
  if (sealed.seq == CommandSeq()) return fail(Errc::malformed, "command has no number");
  if (auto r = reader.key(2); !r) return std::unexpected(r.error());
  const auto enc = reader.bytes(sealed.enc.size());
  if (!enc) return std::unexpected(enc.error());
  std::ranges::copy(*enc, sealed.enc.begin());
  if (auto r = reader.key(3); !r) return std::unexpected(r.error());
  const auto ciphertext = reader.bytes();
  if (!ciphertext) return std::unexpected(ciphertext.error());
  if (ciphertext->size() > max_ciphertext) return fail(Errc::malformed, "command is too large");
  sealed.ciphertext = *ciphertext;
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  return sealed;
}

}  // namespace

Result<Bytes> encode_command(const Command& command, const Route& route, const crypto::PublicKey& camera,
                             const crypto::SigningKey& owner) {
  if (command.seq == CommandSeq()) return fail(Errc::invalid_argument, "command has no number");
  Bytes plaintext = write_items(command);
  // Decodes the command with the receiver's code, so that the rules exist only once.
  const bool readable = read_items(plaintext, command.seq).has_value();
  auto sealed = hpke::seal(camera, command_info(route, command.seq), plaintext);
  wipe(plaintext);
  if (!readable) return fail(Errc::invalid_argument, "cameras would reject this command");
  if (!sealed) return std::unexpected(sealed.error());
  crypto::CborWriter writer;
  writer.map(3).integer(1).unsigned_integer(command.seq.value()).integer(2).bytes(sealed->enc);
  writer.integer(3).bytes(sealed->ciphertext);
  return sign_message(MessageName::command, route, owner, writer.view());
}

Result<CommandSeq> command_seq(ByteView message, const Route& route, const crypto::Verifier& owner) {
  const auto sealed = read_sealed(message, route, owner);
  if (!sealed) return std::unexpected(sealed.error());
  return sealed->seq;
}

Result<Command> decode_command(ByteView message, const Route& route, const crypto::Verifier& owner,
                               const crypto::AgreementKey& camera) {
  const auto sealed = read_sealed(message, route, owner);
  if (!sealed) return std::unexpected(sealed.error());
  auto plaintext = hpke::open(camera, sealed->enc, command_info(route, sealed->seq), sealed->ciphertext);
  if (!plaintext) return std::unexpected(plaintext.error());
  auto command = read_items(*plaintext, sealed->seq);
  wipe(*plaintext);
  return command;
}

}  // namespace sealcam::protocol
