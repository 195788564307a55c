// SPDX-License-Identifier: Apache-2.0
// A channel with 1,000 devices.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <set>

#include "crypto/psa.hpp"
#include "device.hpp"

using namespace sealcam;
using namespace std::chrono_literals;
using test::Bundle, test::Device;

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t count = 200;  // a run with the sanitizer takes more than ten times as long
#else
constexpr std::size_t count = 1000;
#endif
constexpr auto step = 20min;
constexpr auto stage = 24h;  ///< each device polls the channel before the night

DeviceId id_of(std::size_t number) {
  std::array<std::byte, DeviceId::size> bytes{};
  store_be(bytes, static_cast<std::uint32_t>(number));
  return DeviceId(bytes);
}

/// The devices that should get a version at a share, by the definition of the bucket.
std::set<std::size_t> expected(std::string_view version, std::uint32_t percent) {
  std::set<std::size_t> devices;
  for (std::size_t i = 0; i < count; ++i)
    if (update::bucket(id_of(i), *update::parse_version(version)).value() < percent * 100) devices.insert(i);
  return devices;
}

/// All devices with one web server.
class Fleet {
 public:
  explicit Fleet(std::size_t devices = count) {
    REQUIRE(crypto::init());
    for (std::size_t i = 0; i < devices; ++i) {
      devices_.push_back(std::make_unique<Device>(static_cast<std::uint32_t>(i * 2'654'435'761U)));
      devices_.back()->camera.state.id = id_of(i);
      devices_.back()->clock.set_wall({std::chrono::seconds(1'800'057'600) + 18h});  // 18:00 UTC
    }
  }
  void publish(const std::optional<Bundle>& bundle) {
    for (auto& device : devices_) device->board.channel = bundle;
  }
  void breaks(const std::string& version) {
    for (auto& device : devices_) device->broken[version] = [](auto& camera) { camera.works.sensor = false; };
  }
  [[nodiscard]] std::vector<std::unique_ptr<Device>>& devices() noexcept { return devices_; }
  void run(std::chrono::seconds time) {
    for (auto& device : devices_) device->run(time, step);
  }
  [[nodiscard]] std::set<std::size_t> with_last(std::string_view last) const {
    std::set<std::size_t> found;
    for (std::size_t i = 0; i < devices_.size(); ++i)
      if (devices_[i]->last() == last) found.insert(i);
    return found;
  }
  [[nodiscard]] std::set<std::size_t> that_installed() const {
    std::set<std::size_t> found;
    for (std::size_t i = 0; i < count; ++i)
      if (devices_[i]->board.installs > 0) found.insert(i);
    return found;
  }

 private:
  std::vector<std::unique_ptr<Device>> devices_;
};

}  // namespace

TEST_CASE("a release reaches exactly the devices of its share: 1, 10, 50 and 100 % of 1,000") {
  Fleet fleet;
  std::set<std::size_t> before;
  for (const std::uint32_t percent : {1U, 10U, 50U, 100U}) {
    fleet.publish(Bundle{.share = std::to_string(percent)});
    fleet.run(stage);
    const auto reached = fleet.with_last("0.2.0 installed");
    CHECK(reached == expected("0.2.0", percent));
    CHECK(std::ranges::includes(reached, before));
    // Five standard deviations of a binomial distribution: at most 80 of 1,000.
    CHECK(std::abs(static_cast<int>(reached.size()) - static_cast<int>(percent * count / 100)) <
          (percent == 100 ? 1 : 80));
    before = reached;
  }
  CHECK(before.size() == count);
  CHECK(expected("0.2.1", 1) != expected("0.2.0", 1));
}

TEST_CASE("a release that fails its gate at 1 % reaches no other device once it is withdrawn") {
  Fleet fleet;
  fleet.breaks("0.2.0");
  fleet.publish(Bundle{.share = "1"});
  fleet.run(stage);
  const auto first = expected("0.2.0", 1);
  REQUIRE_FALSE(first.empty());
  CHECK(fleet.with_last("0.2.0 rolled_back") == first);
  // The maker withdraws the release: the file is removed, or has the previous release again, or the share is 0.
  const auto withdrawn =
      GENERATE(std::optional<Bundle>(), std::optional(Bundle{.version = "0.1.0"}), std::optional(Bundle{.share = "0"}));
  fleet.publish(withdrawn);
  fleet.run(2 * stage);
  CHECK(fleet.that_installed() == first);
  fleet.publish(Bundle{.version = "0.2.1"});
  fleet.run(stage);
  CHECK(fleet.with_last("0.2.1 installed").size() == count);
}

TEST_CASE("control: a release that fails its gate and is not withdrawn reaches the next share") {
  Fleet fleet;
  fleet.breaks("0.2.0");
  fleet.publish(Bundle{.share = "1"});
  fleet.run(stage);
  fleet.publish(Bundle{.share = "10"});
  fleet.run(stage);
  CHECK(fleet.that_installed() == expected("0.2.0", 10));
}

TEST_CASE(
    "privacy on, unpaired, recording, no broker for a day: all devices update, and none is rolled back without a "
    "reason") {
  enum Kind : std::size_t { privacy, unpaired, recording, no_broker, kinds };
  constexpr std::size_t devices = 96;  // the day without a broker begins at each hour of a day
  const auto from_hour = [](std::size_t i) { return static_cast<int>(i / kinds); };
  Fleet fleet(devices);
  for (std::size_t i = 0; i < devices; ++i) {
    auto& camera = fleet.devices()[i]->camera.state;
    camera.privacy = i % kinds == privacy;
    camera.paired = i % kinds != unpaired;
    if (!camera.paired) camera.works = {};
  }
  fleet.publish(Bundle{});
  std::set<std::size_t> rolled_back;
  for (int hour = 0; hour < 6 * 24; ++hour) {
    for (std::size_t i = no_broker; i < devices; i += kinds)
      fleet.devices()[i]->camera.state.works.broker = hour < from_hour(i) || hour >= from_hour(i) + 24;
    fleet.run(1h);
    for (const auto i : fleet.with_last("0.2.0 rolled_back")) {
      CHECK(i % kinds == no_broker);
      CHECK(fleet.devices()[i]->status.last->reason == "the broker does not acknowledge the camera's grants");
      rolled_back.insert(i);
    }
  }
  CHECK(fleet.with_last("0.2.0 installed").size() == devices);
  CHECK_FALSE(rolled_back.empty());  // control: some were in their trial when the broker went away
  CHECK(rolled_back.size() < devices / kinds);
  for (std::size_t i = 0; i < devices; ++i) CHECK(fleet.devices()[i]->version() == "0.2.0");
}
