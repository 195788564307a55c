// SPDX-License-Identifier: Apache-2.0
// Files that hold state over a power cut: what they say is believed, refused, or was never there; nothing is guessed.
#include "cast.hpp"
#include "core/log.hpp"
#include "input.hpp"
#include "scratch.hpp"
#include "stream/roster_keeper.hpp"
#include "stream/stores.hpp"
#include "watch/file_stores.hpp"
#include "watch/inline_checker.hpp"
#include "watch/watcher.hpp"

using namespace sealcam;
using fuzz::cast;
using fuzz::must;
using fuzz::scratch;

namespace {

/// The rest, or a roster that says it, signed by the owner.
Bytes roster_file(bool sign, ByteView rest) {
  if (!sign) return {rest.begin(), rest.end()};
  return must(protocol::sign_message(protocol::MessageName::roster, cast().route, cast().owner.keys().identity, rest));
}

class NoSink final : public watch::PictureSink {
 public:
  void on_picture(const DeviceId&, const watch::PictureInfo&, ByteView) override { SC_ASSERT(false); }
  void on_state(const watch::CameraStatus&) override {}
};

void check_hub_rosters(ByteView content) {
  static auto* const store = new watch::FileRosterStore(must(watch::FileRosterStore::open(scratch().path() / "r")));
  scratch().put("r/" + cast().camera.id().to_string(), as_text(content));
  auto sequence = must(watch::FileSequenceStore::open(scratch().path() / "none"));
  watch::InlineChecker checker;
  const FakeClock clock;
  MemoryLog log;
  NoSink sink;
  const auto watcher =
      watch::Watcher::create(cast().owner.identity(), cast().hub.keys(), {checker, *store, sequence, clock, log, sink});
  const auto roster = protocol::decode_roster(content, cast().route, cast().owner.verifier());
  SC_ASSERT(watcher.has_value() == roster.has_value());
  if (!watcher) return;
  const auto status = (*watcher)->camera(cast().camera.id());
  SC_ASSERT(status && status->roster_version == roster->version);
  const auto* own = roster->active(cast().hub.id());
  SC_ASSERT(status->member == (own != nullptr && own->hpke == cast().hub.hpke()));
}

void check_camera_roster(ByteView content) {
  stream::RosterFile store(scratch().put("roster", as_text(content)));
  stream::RosterKeeper keeper(store, cast().route, must(crypto::Verifier::open(cast().owner.identity())),
                              cast().camera.keys());
  const auto loaded = keeper.load();
  if (keeper.current() != nullptr)
    SC_ASSERT(loaded && keeper.current()->camera_hpke == cast().camera.hpke() &&
              keeper.hash() == must(crypto::sha256(content)));
}

void check_ask_numbers(ByteView content) {
  auto store = watch::FileSequenceStore::open(scratch().put("ask-seq", as_text(content)));
  if (!store) return SC_ASSERT(content.size() != 12 || !as_text(content).starts_with("SCQ1"));
  const auto first = store->reserve(1000);
  if (!first) return SC_ASSERT(first.error().code == Errc::exhausted);
  auto again = must(watch::FileSequenceStore::open(scratch().path() / "ask-seq"));
  const auto second = again.reserve(1000);
  if (second) SC_ASSERT(second->value() == first->value() + 1000);
}

void check_epochs(ByteView content) {
  stream::EpochFile store(scratch().put("epoch", as_text(content)));
  const auto counter = store.load();
  if (!counter) return SC_ASSERT(counter.error().code == Errc::malformed || counter.error().code == Errc::exhausted);
  must(store.store(*counter));
  SC_ASSERT(must(store.load()) == *counter);
}

/// What is read as a record is written as the same file.
void check_command(ByteView content) {
  const auto path = scratch().put("command-seq", as_text(content));
  stream::CommandFile store(path);
  const auto record = store.load();
  if (!record) return SC_ASSERT(record.error().code == Errc::malformed);
  SC_ASSERT(record->done <= record->seq && (record->done == record->seq) == record->message.empty());
  must(store.store(*record));
  const auto again = must(store.load());
  SC_ASSERT(again.account == record->account && again.seq == record->seq && again.message == record->message);
}

void check_privacy(ByteView content) {
  stream::PrivacyFile store(scratch().put("privacy", as_text(content)));
  const auto on = store.load();
  SC_ASSERT(on ? as_text(content) == (*on ? "on\n" : "off\n") : on.error().code == Errc::malformed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)cast();
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  const bool sign = (choice & 0x80U) != 0;
  const auto rest = in.rest();
  if (rest.size() > 4096) return 0;
  switch ((choice & 0x7fU) % 6) {
    case 0: check_hub_rosters(roster_file(sign, rest)); break;
    case 1: check_camera_roster(roster_file(sign, rest)); break;
    case 2: check_ask_numbers(rest); break;
    case 3: check_epochs(rest); break;
    case 4: check_command(rest); break;
    case 5: check_privacy(rest); break;
  }
  return 0;
}
