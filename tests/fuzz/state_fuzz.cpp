// SPDX-License-Identifier: Apache-2.0
// State files that survive a power cut. The device either uses the content of a file or rejects it.
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/testing/fakes.hpp"
#include "device/file_stores.hpp"
#include "device/hub_stores.hpp"
#include "input.hpp"
#include "parties.hpp"
#include "scratch.hpp"
#include "stream/publish/owner_validators.hpp"
#include "support/hub_stores.hpp"
#include "watch/watcher.hpp"

using namespace sealcam;
using fuzz::must;
using fuzz::parties;
using fuzz::scratch;

namespace {

/// Returns the input, or a roster with the input as its payload, signed by the owner.
Bytes roster_file(bool sign, ByteView rest) {
  if (!sign) return {rest.begin(), rest.end()};
  return must(
      protocol::sign_message(protocol::MessageName::roster, parties().route, parties().owner.keys().identity, rest));
}

class NoSink final : public watch::PictureSink {
 public:
  void on_picture(const DeviceId&, const watch::PictureInfo&, ByteView) override { SC_ASSERT(false); }
  void on_state(const watch::CameraStatus&) override {}
};

std::filesystem::path made(const char* name) {
  auto folder = scratch().path() / name;
  must(make_private_folder(folder));
  return folder;
}

void check_hub_rosters(ByteView content) {
  static auto* const store = new device::RosterFolder(made("r"));
  scratch().put("r/" + parties().camera.id().to_string(), as_text(content));
  auto sequence = must(device::SequenceFile::open(scratch().path() / "none"));
  device::MaxEpochFile epochs(scratch().path() / "none");
  test::InlineChecker checker;
  const FakeClock clock;
  MemoryLog log;
  NoSink sink;
  const auto watcher = watch::Watcher::create(parties().owner.identity(), parties().hub.keys(),
                                              {checker, *store, sequence, epochs, nullptr, clock, log, sink});
  const auto roster = protocol::decode_roster(content, parties().route, parties().owner.verifier());
  SC_ASSERT(watcher.has_value() == roster.has_value());
  if (!watcher) return;
  const auto status = (*watcher)->camera(parties().camera.id());
  SC_ASSERT(status && status->roster_version == roster->version);
  const auto* own = roster->active(parties().hub.id());
  SC_ASSERT(status->member == (own != nullptr && own->hpke == parties().hub.hpke()));
}

void check_camera_roster(ByteView content) {
  static const auto folder = made("own");
  scratch().put("own/" + parties().camera.id().to_string(), as_text(content));
  device::RosterFolder store(folder);
  stream::RosterValidator validator(store, parties().route, must(crypto::Verifier::open(parties().owner.identity())),
                                    parties().camera.keys());
  const auto loaded = validator.load();
  if (validator.current() != nullptr)
    SC_ASSERT(loaded && validator.current()->camera_hpke == parties().camera.hpke() &&
              validator.hash() == must(protocol::roster_hash(content)));
}

void check_request_numbers(ByteView content) {
  auto store = device::SequenceFile::open(scratch().put("request-seq", as_text(content)));
  if (!store) return SC_ASSERT(content.size() != 12 || !as_text(content).starts_with("SCQ1"));
  const auto first = store->reserve(1000);
  if (!first) return SC_ASSERT(first.error().code == Errc::exhausted);
  auto again = must(device::SequenceFile::open(scratch().path() / "request-seq"));
  const auto second = again.reserve(1000);
  if (second) SC_ASSERT(second->value() == first->value() + 1000);
}

void check_epochs(ByteView content) {
  device::EpochFile store(scratch().put("epoch", as_text(content)));
  const auto counter = store.load();
  if (!counter) return SC_ASSERT(counter.error().code == Errc::malformed || counter.error().code == Errc::exhausted);
  const auto first = store.reserve(256);
  if (!first) return SC_ASSERT(first.error().code == Errc::exhausted && *counter > UINT32_MAX - 256);
  SC_ASSERT(*first == *counter + 1 && must(store.load()) == *counter + 256);
}

/// Keys that were read are the same after they are written and read again.
void check_hub_keys(ByteView content) {
  device::HubKeyFile store(scratch().put("prekeys", as_text(content)));
  const auto keys = store.load();
  if (!keys) return SC_ASSERT(keys.error().code == Errc::malformed);
  must(store.store(*keys));
  const auto again = must(store.load());
  SC_ASSERT(std::ranges::equal(again, *keys,
                               [](const auto& a, const auto& b) { return a.hub == b.hub && a.prekey == b.prekey; }));
}

/// A record that was read is the same after it is written and read again.
void check_command(ByteView content) {
  const auto path = scratch().put("command-seq", as_text(content));
  device::CommandFile store(path);
  const auto record = store.load();
  if (!record) return SC_ASSERT(record.error().code == Errc::malformed);
  SC_ASSERT(record->done <= record->seq && (record->done == record->seq) == record->message.empty());
  must(store.store(*record));
  const auto again = must(store.load());
  SC_ASSERT(again.account == record->account && again.seq == record->seq && again.message == record->message);
}

void check_privacy(ByteView content) {
  device::PrivacyFile store(scratch().put("privacy", as_text(content)));
  const auto on = store.load();
  SC_ASSERT(on ? as_text(content) == (*on ? "on\n" : "off\n") : on.error().code == Errc::malformed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)parties();
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  const bool sign = (choice & 0x80U) != 0;
  const auto rest = in.rest();
  if (rest.size() > 4096) return 0;
  switch ((choice & 0x7fU) % 7) {
    case 0: check_hub_rosters(roster_file(sign, rest)); break;
    case 1: check_camera_roster(roster_file(sign, rest)); break;
    case 2: check_request_numbers(rest); break;
    case 3: check_epochs(rest); break;
    case 4: check_command(rest); break;
    case 5: check_privacy(rest); break;
    case 6: check_hub_keys(rest); break;
  }
  return 0;
}
