// SPDX-License-Identifier: Apache-2.0
/// A device with two slots, whose programs and files are fake, and whose power a test can cut at each effect.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "base/testing/fakes.hpp"
#include "crypto/psa.hpp"
#include "update/updater.hpp"

namespace sealcam::test {

using namespace std::chrono_literals;

struct PowerCut {};

/// The bundle on a web server.
struct Bundle {
  std::string compatible = "sealcam-testboard";
  std::string version = "0.2.0", minimum = "0.1.0", share = "100";
  [[nodiscard]] std::string hash() const {
    std::string text = to_hex(as_bytes(version + compatible));
    text.resize(64, '0');
    return text;
  }
  [[nodiscard]] std::string info() const {
    return sealcam::format(
        R"({{"manifest-hash":"{}","update":{{"compatible":"{}","version":"{}"}},"bundle":{{"format":"verity"}},)"
        R"("images":[],"meta":{{"sealcam":{{"version":"{}","minimum-version":"{}","share":"{}"}}}}}})",
        hash(), compatible, version, version, minimum, share);
  }
};

/// RAUC, systemctl and the boot selection of the card.
class FakeBoard final : public update::Commands {
 public:
  struct Slot {
    std::string version, hash;  ///< empty version: not complete
  };
  std::map<std::string, Slot> slots{{"a", {"0.1.0", ""}}, {"b", {}}};
  std::string running = "a", selected = "a";
  std::optional<Bundle> channel;            ///< none: the web server has no such file
  std::optional<Bundle> exchanged;          ///< the web server delivers it to `rauc install`
  std::string info_error, install_error;    ///< what RAUC prints instead
  bool mark_fails = false, silent = false;  ///< `silent`: RAUC's service does not answer
  std::set<std::string> does_not_start;     ///< versions whose kernel panics
  bool tryboot = false, restarting = false;
  bool tryboot_survives_power_cut = false;
  std::vector<std::vector<std::string>> calls;
  std::function<void()> effect = [] {};  ///< before and after each change; may throw PowerCut
  unsigned installs = 0;

  [[nodiscard]] std::string other() const { return running == "a" ? "b" : "a"; }
  /// The boot selection of a start.
  void start(bool after_power_cut) {
    const bool trial = tryboot && (!after_power_cut || tryboot_survives_power_cut);
    tryboot = restarting = false;
    running = trial ? (selected == "a" ? "b" : "a") : selected;
    // init restarts the board if the root cannot be mounted, and a kernel if it panics.
    if (slots[running].version.empty() || does_not_start.contains(slots[running].version)) running = selected;
  }

 private:
  Result<update::Output> do_run(std::span<const std::string> arguments, std::chrono::seconds) override {
    calls.emplace_back(arguments.begin(), arguments.end());
    const auto& a = calls.back();
    if (a[0] == "systemctl") return restart(a);
    if (silent) return failed("Error retrieving slot status via D-Bus: timeout");
    if (a[1] == "info") {
      if (!info_error.empty()) return failed(info_error);
      return channel ? update::Output{0, channel->info() + "\n", ""} : failed("HTTP error 404");
    }
    if (a[1] == "install") return install();
    if (a.size() > 2 && a[2] == "mark-good") {
      if (mark_fails) return failed("cannot write autoboot.txt");
      effect();
      selected = running;
      effect();
      return update::Output{0, "rauc status: marked slot(s) as good\n", ""};
    }
    return update::Output{0, status(), ""};
  }
  static update::Output failed(const std::string& text) { return {1, "", text + "\n"}; }
  Result<update::Output> restart(const std::vector<std::string>& arguments) {
    effect();
    restarting = true;
    tryboot = arguments.back() == "--reboot-argument=0 tryboot";
    effect();
    return update::Output{};
  }
  Result<update::Output> install() {
    if (!install_error.empty()) return failed("LastError: " + install_error + "\nInstalling `URL` failed");
    if (!channel) return failed("HTTP error 404");
    const auto& bundle = exchanged ? *exchanged : *channel;
    effect();
    slots[other()] = {};
    effect();
    slots[other()] = {bundle.version, bundle.hash()};
    ++installs;
    effect();
    return update::Output{0, "Installing `URL` succeeded\n", ""};
  }
  [[nodiscard]] std::string status() const {
    std::string text =
        sealcam::format(R"({{"compatible":"x","booted":"{}","boot_primary":"rootfs.0","slots":[)", running);
    for (const auto& [name, slot] : slots)
      text += sealcam::format(
          R"({}{{"rootfs.{}":{{"class":"rootfs","bootname":"{}","boot_status":"{}",)"
          R"("slot_status":{{"bundle":{{"compatible":"x","hash":"{}"}}}}}}}},{{"boot.{}":{{"bootname":null}}}})",
          name == "a" ? "" : ",", name, name, name == selected ? "good" : "bad", slot.hash, name);
    return text + "]}";
  }
};

/// Keeps the text that the file would have.
class MemoryStateStore final : public update::StateStore {
 public:
  std::optional<std::string> text;
  bool full = false, unreadable = false;
  std::function<void()> effect = [] {};

 private:
  Result<std::optional<update::State>> do_load() const override {
    if (unreadable) return fail(Errc::io, "reading a file");
    if (!text) return std::nullopt;
    auto state = update::parse_state(*text);
    if (!state) return std::unexpected(state.error());
    return *state;
  }
  Result<> do_store(const update::State& state) override {
    if (full) return fail(Errc::io, "writing a file");
    effect();
    text = to_json(state);
    effect();
    return {};
  }
};

class FakeCamera final : public update::Camera {
 public:
  FakeCamera() {
    state.id = DeviceId(std::span<const std::byte, DeviceId::size>(std::array<std::byte, DeviceId::size>{}));
    state.paired = state.runs = true;
    state.process = 100;
    state.works = {.sensor = true, .epoch = true, .broker = true};
    state.free_space = std::uint64_t{1} << 30;
  }
  update::CameraState state;
  std::function<void(update::CameraState&)> change = [](auto&) {};

 private:
  update::CameraState do_observe() override {
    auto now = state;
    change(now);
    return now;
  }
  void do_finish_request() override { state.request.reset(); }
};

/// Starts the updater of the slot that runs, and a new one after each restart.
class Device {
 public:
  explicit Device(std::uint32_t seed = 0) : seed_(seed) {
    board.effect = store.effect = [this] {
      if (effects_left && (*effects_left)-- == 0) throw PowerCut();
    };
    camera.change = [this](update::CameraState& state) {
      state.process += starts;
      const auto found = broken.find(version());
      if (found != broken.end()) found->second(state);
    };
    start();
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  FakeClock clock;
  MemoryLog log;
  FakeBoard board;
  MemoryStateStore store;
  FakeCamera camera;
  /// What does not work in a version.
  std::map<std::string, std::function<void(update::CameraState&)>> broken;
  std::optional<unsigned> effects_left;  ///< until a power cut
  update::Status status;
  std::set<update::Status::Phase> phases;
  int starts = 0;
  update::Settings settings{
      .channel = "https://updates.example/x.raucb", .board = "testboard", .version = {}, .slot = {}};

  [[nodiscard]] const std::string& version() { return board.slots[board.running].version; }
  [[nodiscard]] update::State state() { return update::parse_state(store.text.value_or("")).value(); }
  [[nodiscard]] std::string last() const {
    if (!status.last) return "";
    return sealcam::format("{} {}", status.last->version ? to_string(*status.last->version) : "?",
                           name(status.last->outcome));
  }

  void run(std::chrono::seconds time, std::chrono::seconds step = 30s) {
    for (std::chrono::seconds passed{0}; passed < time; passed += step) {
      try {
        updater_->step();
      } catch (const PowerCut&) {
        cut_power();
      }
      clock.advance(step);
      if (board.restarting) restart(false);
    }
  }
  /// Returns whether the condition became true.
  bool run_until(const std::function<bool()>& condition, std::chrono::seconds limit = 3 * 24h,
                 std::chrono::seconds step = 30s) {
    for (std::chrono::seconds passed{0}; passed < limit && !condition(); passed += step) run(step, step);
    return condition();
  }
  void cut_power() {
    effects_left.reset();
    restart(true);
  }
  /// From now on, the updater observes another camera.
  void use(update::Camera& other) {
    observed_ = &other;
    start();
  }
  void owner(update::Consent::Action action, std::string_view version = "", std::int64_t until = 0) {
    camera.state.consent = {action, update::parse_version(version), until, camera.state.consent.number + 1};
  }

 private:
  void restart(bool after_power_cut) {
    board.start(after_power_cut);
    clock.advance(60s);
    start();
  }
  void start() {
    ++starts;
    settings.version = update::parse_version(version()).value();
    settings.slot = board.running;
    updater_ =
        std::make_unique<update::Updater>(settings, update::Updater::Dependencies{clock, log, board, *observed_, store,
                                                                                  [this](const update::Status& shown) {
                                                                                    status = shown;
                                                                                    phases.insert(shown.phase);
                                                                                  },
                                                                                  seed_});
  }
  std::uint32_t seed_;
  update::Camera* observed_ = &camera;
  std::unique_ptr<update::Updater> updater_;
};

/// A device whose channel has a release.
struct Offered : Device {
  explicit Offered(const Bundle& bundle = {}) {
    SC_ASSERT(crypto::init().has_value());
    board.channel = bundle;
  }
  bool ends_with(const std::string& outcome, std::chrono::seconds limit = 72h) {
    return run_until([&] { return last() == outcome; }, limit);
  }
  [[nodiscard]] std::string reason() const { return status.last ? status.last->reason : ""; }
};

}  // namespace sealcam::test
