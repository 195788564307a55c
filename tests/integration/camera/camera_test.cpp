// SPDX-License-Identifier: Apache-2.0
/// sealcam-camera as a process with Mosquitto and small hubs.
#include <catch2/catch_test_macros.hpp>

#include "base/file.hpp"
#include "device/enrollment.hpp"
#include "hal/h264.hpp"
#include "integration/camera/camera_process.hpp"
#include "integration/camera/tiny_hub.hpp"
#include "protocol/command.hpp"
#include "protocol/pairing.hpp"
#include "protocol/roster.hpp"
#include "protocol/status.hpp"

using namespace sealcam;
using namespace sealcam::test;

namespace {

/// An operator, a broker, an owner and the owner's camera.
struct World {
  TemporaryFolder folder;
  TestOperator op;
  Mosquitto broker{op};
  boost::asio::io_context io;
  Actor owner;
  device::StateFiles files{folder.path() / "state"};
  protocol::DeviceDescriptor descriptor = read_descriptor();
  protocol::Route route{owner.account(), descriptor.identity.id()};
  Client owner_client{io, config_for(op, broker, owner.id().to_string())};
  CameraProcess camera{folder.path() / "log",
                       {"--state", files.folder.string(), "--no-pairing", "--config",
                        (folder.path() / "camera.json").string(), "--status", (folder.path() / "status").string()}};

  explicit World(std::string_view config) {
    must(write_file_durably(folder.path() / "camera.json", as_bytes(config)));
    const auto request = must(read_file(files.tls_request(), 65536));
    const auto certificate =
        must(transport::sign_request(op.authority(), op.key(), as_text(request), descriptor.identity.id().to_string(),
                                     transport::CertificateUse::client, {}));
    must(device::write_enrollment(files, {.role = protocol::Role::camera,
                                          .owner = owner.identity(),
                                          .broker_host = "localhost",
                                          .broker_port = broker.port(),
                                          .ca_pem = op.authority(),
                                          .certificate_pem = certificate,
                                          .name = "garden"}));
    REQUIRE(owner_client.wait_connected());
  }
  /// Puts each status of the camera into `status`, which outlives this object's last wait().
  void follow(std::optional<protocol::Status>& status) {
    const auto key = std::make_shared<const crypto::Verifier>(must(crypto::Verifier::open(descriptor.identity)));
    owner_client.on_got = [this, key, &status](const transport::Message& m) {
      status = must(protocol::decode_status(m.payload, route, *key));
    };
    owner_client.mqtt->subscribe(protocol::topic(route, protocol::Leaf::status), Qos::at_least_once);
  }
  /// Creates the keys of the camera.
  protocol::DeviceDescriptor read_descriptor() const {
    CameraProcess keys(folder.path() / "log", {"--state", files.folder.string(), "keys"});
    keys.start();
    const auto ended = keys.wait();
    INFO(keys.log());
    REQUIRE(ended.code == 0);
    return must(protocol::decode_device_descriptor(must(read_file(files.descriptor(), 4096))));
  }
  void publish_roster(std::uint64_t version, std::initializer_list<const Actor*> hubs) {
    protocol::Roster roster;
    roster.version = protocol::RosterVersion(version);
    roster.camera_identity = descriptor.identity;
    roster.camera_hpke = descriptor.hpke;
    for (const Actor* hub : hubs) roster.hubs.push_back(hub->as_hub());
    const auto message = must(protocol::encode_roster(roster, route, owner.keys().identity));
    must(owner_client.publish(protocol::topic(route, protocol::Leaf::roster), as_text(message), Qos::at_least_once,
                              true));
  }
  void publish_command(const protocol::Command& command) {
    const auto message = must(protocol::encode_command(command, route, descriptor.hpke, owner.keys().identity));
    must(owner_client.publish(protocol::topic(route, protocol::Leaf::command), as_text(message), Qos::at_least_once,
                              true));
  }
  bool wait(TinyHub& hub, const std::function<bool()>& done, std::chrono::steady_clock::duration limit = 10s) {
    return wait({&hub}, done, limit);
  }
  bool wait(std::initializer_list<TinyHub*> hubs, const std::function<bool()>& done,
            std::chrono::steady_clock::duration limit = 10s) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
      for (TinyHub* hub : hubs) hub->tick();
      if (std::chrono::steady_clock::now() > end) return false;
      io.restart();
      io.run_for(5ms);
    }
    return true;
  }
  [[nodiscard]] std::string status() const {
    const auto text = read_file(folder.path() / "status", 65536);
    return text ? std::string(as_text(*text)) : "";
  }
};

constexpr std::string_view small = R"({"source":{"backend":"fake","size":"640x360","rate":30,"number":5},
                                       "encoder":{"bitrate":500000,"keyframe_interval":30,"threads":1}})";

}  // namespace

TEST_CASE(
    "a hub on the roster receives live pictures within two seconds of the camera's start, a removed hub receives "
    "none") {
  NEED_MOSQUITTO();
  World w(small);
  TinyHub hub(w.io, w.op, w.broker, w.route, w.descriptor.identity);
  TinyHub removed(w.io, w.op, w.broker, w.route, w.descriptor.identity);
  REQUIRE(hub.client().wait_connected());
  REQUIRE(removed.client().wait_connected());
  w.publish_roster(1, {&hub.actor(), &removed.actor()});
  // Only this hub requests pictures until the first report, so the report must echo its challenge.
  removed.mute = true;
  w.camera.start();
  const bool answered = w.wait({&hub, &removed}, [&] { return !hub.shown.empty(); });
  INFO(w.camera.log());
  REQUIRE(answered);
  CHECK(hub.shown.front().kind == protocol::FrameKind::report);
  CHECK(hub.shown.front().requested_before >= 0ns);
  removed.mute = false;
  REQUIRE(w.wait({&hub, &removed}, [&] { return hub.pictures() >= 60 && removed.pictures() >= 60; }, 15s));
  const auto first = std::ranges::find_if(hub.shown, [](auto& s) { return s.kind == protocol::FrameKind::key; });
  REQUIRE(first != hub.shown.end());
  CHECK(first->at - w.camera.started() < 2s);
  std::size_t echoed = 0;
  for (const auto& s : hub.shown) {
    if (s.kind == protocol::FrameKind::report) continue;
    CHECK(hal::check_access_unit(s.content));
    if (s.requested_before >= 0ns) ++echoed;
    CHECK(s.requested_before < 5s);
    CHECK(s.header.width == 640);
  }
  CHECK(echoed >= 20);  // the other frames echo the other hub

  w.publish_roster(2, {&hub.actor()});
  REQUIRE(w.wait({&hub, &removed}, [&] { return !removed.epoch(); }));
  const auto before = removed.pictures();
  const auto have = hub.pictures();
  REQUIRE(w.wait({&hub, &removed}, [&] { return hub.pictures() >= have + 30; }));  // control: the stream continues
  CHECK(removed.pictures() == before);
  CHECK(removed.not_opened > 20);
  CHECK_FALSE(hub.counter_twice);
  CHECK(w.wait({&hub}, [&] { return w.status().contains("\"roster_version\":2"); }, 3s));
}

TEST_CASE("the camera stops within a second, publishes offline, and starts with a new epoch") {
  NEED_MOSQUITTO();
  World w(small);
  TinyHub hub(w.io, w.op, w.broker, w.route, w.descriptor.identity);
  REQUIRE(hub.client().wait_connected());
  w.publish_roster(1, {&hub.actor()});
  std::optional<protocol::Status> status;
  w.follow(status);
  std::optional<protocol::Epoch> last;
  for (int round = 0; round < 3; ++round) {
    const auto have = hub.pictures();
    w.camera.start();
    const bool arrived = w.wait(hub, [&] { return hub.pictures() >= have + 10; });
    INFO(w.camera.log());
    REQUIRE(arrived);
    CHECK(status.value().online);
    CHECK(hub.epoch() > last);
    last = hub.epoch();
    const auto ended = w.camera.end(SIGTERM);
    CHECK(ended.code == 0);
    CHECK(ended.took < 1s);
    CHECK(w.wait(hub, [&] { return !status->online; }, 2s));
  }
  // If the process is killed, the broker publishes the will.
  w.camera.start();
  REQUIRE(w.wait(hub, [&] { return status->online; }));
  (void)w.camera.end(SIGKILL);
  CHECK(w.wait(hub, [&] { return !status->online; }, 10s));
  CHECK_FALSE(hub.counter_twice);
}

TEST_CASE(
    "the camera applies the owner's commands: privacy, settings, a new name, and a reset that makes it unpaired") {
  NEED_MOSQUITTO();
  World w(small);
  TinyHub hub(w.io, w.op, w.broker, w.route, w.descriptor.identity);
  REQUIRE(hub.client().wait_connected());
  w.publish_roster(1, {&hub.actor()});
  std::optional<protocol::Status> status;
  w.follow(status);
  w.camera.start();
  REQUIRE(w.wait(hub, [&] { return hub.pictures() >= 10; }));

  protocol::Command command;
  command.seq = protocol::CommandSeq(1);
  command.name = {protocol::CommandSeq(1), "kitchen"};
  command.privacy = {protocol::CommandSeq(1), true};
  command.settings = {protocol::CommandSeq(1), {{}, protocol::CameraSettings::Size{320, 180}, 15U}};
  w.publish_command(command);
  REQUIRE(w.wait(hub, [&] { return hub.command() == protocol::CommandSeq(1) && status && status->privacy; }));
  CHECK(hub.name() == "kitchen");
  REQUIRE(w.wait(hub, [&] { return w.camera.log().contains("sensor is off"); }));
  const auto before = hub.pictures();
  const auto reports = hub.shown.size();
  (void)w.camera.end(SIGTERM);
  w.camera.start();  // privacy survives a restart, and the retained command is not applied again
  REQUIRE(w.wait(hub, [&] { return hub.shown.size() > reports; }));  // a report of the new epoch
  CHECK(hub.pictures() == before);
  CHECK(hub.name() == "kitchen");
  CHECK(w.wait(hub, [&] { return w.status().contains("\"source_opened\":0"); }));

  command.seq = protocol::CommandSeq(2);
  command.privacy = {protocol::CommandSeq(2), false};
  w.publish_command(command);
  REQUIRE(w.wait(hub, [&] { return hub.pictures() >= before + 10; }));
  CHECK(hub.shown.back().header.width == 320);

  command.seq = protocol::CommandSeq(3);
  command.reset = {protocol::CommandSeq(3), {}};
  w.publish_command(command);
  CHECK(w.wait(hub, [&] { return !status->online; }));
  const auto new_descriptor = [&]() -> std::optional<protocol::DeviceDescriptor> {
    const auto content = read_file(w.files.descriptor(), 4096);
    const auto read = content ? protocol::decode_device_descriptor(*content) : std::unexpected(content.error());
    return read && read->identity != w.descriptor.identity ? std::optional(*read) : std::nullopt;
  };
  CHECK(w.wait(hub, [&] { return new_descriptor().has_value(); }));
  INFO(w.camera.log());
  for (const char* name : {"enrollment.json", "roster", "epoch", "command-seq", "privacy", "settings.json"})
    CHECK_FALSE(std::filesystem::exists(w.files.folder / name));
}

TEST_CASE("the camera stops within a second while it waits for a broker") {
  NEED_MOSQUITTO();
  World w(small);
  w.broker.kill();
  w.camera.start();
  std::this_thread::sleep_for(500ms);
  const auto ended = w.camera.end(SIGTERM);
  CHECK(ended.code == 0);
  CHECK(ended.took < 1s);
}

TEST_CASE("the stream continues after a restart of the broker") {
  NEED_MOSQUITTO();
  World w(small);
  TinyHub hub(w.io, w.op, w.broker, w.route, w.descriptor.identity);
  REQUIRE(hub.client().wait_connected());
  w.publish_roster(1, {&hub.actor()});
  w.camera.start();
  REQUIRE(w.wait(hub, [&] { return hub.pictures() >= 10; }));
  w.broker.restart();
  const auto have = hub.pictures();
  const auto back = std::chrono::steady_clock::now();
  REQUIRE(w.wait(hub, [&] { return hub.pictures() >= have + 10; }));
  INFO(w.camera.log());
  CHECK(std::chrono::steady_clock::now() - back < 4s);
  CHECK_FALSE(hub.counter_twice);
}

TEST_CASE("an unpaired camera, a wrong configuration and a state folder in use have clear errors") {
  TemporaryFolder folder;
  const auto run = [&](std::vector<std::string> arguments) {
    CameraProcess process(folder.path() / "log", std::move(arguments));
    process.start();
    const int code = process.wait().code;
    return std::pair(code, process.log());
  };
  const auto state = (folder.path() / "state").string();
  const auto [unpaired, log] = run({"--state", state, "--no-pairing"});
  CHECK(unpaired == 78);
  CHECK(log.contains("sealcam camera enroll " + state));
  must(write_file_durably(folder.path() / "bad.json", as_bytes(R"({"sauce":1})")));
  const auto [bad, bad_log] = run({"--state", state, "--config", (folder.path() / "bad.json").string()});
  CHECK(bad == 78);
  CHECK(bad_log.contains("/sauce"));
  CHECK(run({"--nonsense"}).first == 64);
  CHECK(run({"--version"}).first == 0);
  const auto lock = must(lock_folder(state));
  const auto [busy, busy_log] = run({"--state", state, "keys"});
  CHECK(busy == 69);
  CHECK(busy_log.contains("in use"));
}

// Not part of the suite: camera_test "[.measure]" prints latencies of a video file at 1080p30.
TEST_CASE("latencies of a video file at 1080p30", "[.measure]") {
  NEED_MOSQUITTO();
  World w(R"({"source":{"backend":"replay","file":"/usr/share/doc/opencv-doc/examples/data/vtest.avi","rate":30}})");
  TinyHub hub(w.io, w.op, w.broker, w.route, w.descriptor.identity);
  REQUIRE(hub.client().wait_connected());
  w.publish_roster(1, {&hub.actor()});
  w.camera.start();
  REQUIRE(w.wait(hub, [&] { return hub.pictures() >= 1; }));
  const auto first = hub.shown.back().at - w.camera.started();
  std::vector<std::int64_t> latencies;
  std::size_t next = hub.shown.size();
  const auto end = std::chrono::steady_clock::now() + 20s;
  (void)w.wait(
      hub,
      [&] {
        const auto now = SystemClock().wall();
        for (; next < hub.shown.size(); ++next)
          latencies.push_back((now.since_epoch - hub.shown[next].header.captured.since_epoch).count());
        return std::chrono::steady_clock::now() > end;
      },
      30s);
  std::ranges::sort(latencies);
  const auto at = [&](double q) {
    return latencies[static_cast<std::size_t>(q * static_cast<double>(latencies.size() - 1))];
  };
  WARN("first picture after " << std::chrono::duration_cast<std::chrono::milliseconds>(first).count() << " ms; "
                              << latencies.size() << " pictures in 20 s; latency p50 " << at(0.5) << " us, p95 "
                              << at(0.95) << " us\n"
                              << w.status());
}
